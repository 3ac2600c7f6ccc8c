# SPDX-License-Identifier: GPL-2.0-only
"""Searches in shapes that no rule says: followed turn by turn, and never proved."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path as FilePath

import pytest

from bounceproof.cli.options import device_of
from bounceproof.models.formulas.outcome import outcome
from bounceproof.models.formulas.search import NoSearchRule
from bounceproof.models.request import Cell, Path, Pool, Request
from bounceproof.models.words.word import U32, U64, Word
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample import bounded
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.confirm import TreeKernel
from tests.conftest import Run
from tests.source.loops import BACKWARDS, LOOPS, NESTED
from tests.source.shapes import tree
from tests.source.test_debian import FOLDER
from tests.source.trees import SWIOTLB, proved_kernel

CELL = Cell(4096, 4096, Path.DIRECT, 0x3FFF)
RULED = ("breaks", "jumps")
UNRULED = [name for name in LOOPS if name not in RULED]
STEP = "at = at & 1 ? at + 3 : at - 1"
UNRANKED = NESTED.replace("at = 0;", "at = 1;").replace("at++", STEP)
NARROW = Domain(
    device=device_of("nvme"),
    page_size=4096,
    path=Path.DIRECT,
    start_index=5,
    pool_start=1 << 20,
    nareas=1,
)


@pytest.fixture(autouse=True)
def small_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no larger areas than it takes."""
    monkeypatch.setattr(bounded, "MOST_SLOTS", 128)


def finding(search: str, prop: Property, domain: Domain = NARROW) -> Finding:
    return check_kernel(proved_kernel(tree(search)), domain, [prop], 60).findings[0]


def followed(kernel: TreeKernel, numbers: PoolNumbers, orig: int, size: int) -> object:
    """The slot that the followed search returns, None for none."""
    pool = Pool(
        Word(numbers.start, U64),
        Word(numbers.nslabs // numbers.nareas, U32),
        Word(numbers.start_index, U32),
        Word(numbers.seg_boundary_mask, U64),
        bound=numbers.nslabs,
    )
    request = Request(Word(orig, U64), Word(size, U64))
    result = outcome(kernel, CELL, request, pool, numbers.nareas)
    assert result.unfinished.raw is False
    return int(result.slot) if bool(result.found) else None


@pytest.mark.parametrize("name", UNRULED)
def test_what_is_followed_is_what_runs(name: str) -> None:
    kernel, dice = proved_kernel(tree(LOOPS[name])), random.Random(name)
    with pytest.raises(NoSearchRule):
        kernel.search_rule(CELL, 0, True)
    found = 0
    for _ in range(25):
        areas = dice.choice((1, 2))
        index, start = dice.randrange(128), dice.getrandbits(20) << 12
        boundary = dice.choice((0xFFFFFFFF, 0x3FFFF))
        numbers = PoolNumbers(start, 128 * areas, areas, index, boundary)
        orig = dice.choice((0, dice.getrandbits(36)))
        size = dice.choice((dice.randrange(1, 9000), dice.randrange(1, 262144)))
        slot = followed(kernel, numbers, orig, size)
        assert slot == kernel.run(CELL, orig, size, numbers).outcome.slot
        found += slot is not None
    assert found > 5


@pytest.mark.parametrize("name", UNRULED)
def test_no_trouble_in_small_areas_is_no_proof(name: str) -> None:
    result = finding(LOOPS[name], Property.FITS)
    assert result.verdict is Verdict.UNKNOWN
    assert re.match(r"holds for areas up to \d+ slots; no proof: ", result.reason or "")


def test_a_search_that_stops_early() -> None:
    early = BACKWARDS.replace("done < mem->area_nslabs", "done < 3")
    domain = replace(NARROW, start_index=None)
    result = finding(early, Property.FITS, domain)
    assert result.verdict is Verdict.BROKEN
    assert result.confirmed
    example = result.counterexample
    assert example is not None
    assert not example.minimum
    assert not example.outcome.ok


def test_a_search_that_misses_what_is_free() -> None:
    early = NESTED.replace("at < IO_TLB_SEGSIZE", "at < IO_TLB_SEGSIZE / 2")
    assert finding(NESTED, Property.FINDS).verdict is Verdict.UNKNOWN
    late = NESTED.replace("at = 0; at <", "at = area->index & 127; at <")
    result = finding(late, Property.FINDS, replace(NARROW, start_index=100))
    assert result.verdict is Verdict.BROKEN
    assert result.confirmed
    assert finding(early, Property.FITS).verdict is Verdict.UNKNOWN


def test_a_search_that_does_not_end() -> None:
    loop = LOOPS["jumps"].replace("\t\tdone++;\n", "")
    result = finding(loop, Property.HALTS)
    assert result.verdict is Verdict.BROKEN
    assert result.counterexample is not None
    assert result.counterexample.outcome.hang


def test_what_is_not_proved_to_end_is_asked_of_small_areas() -> None:
    result = finding(UNRANKED, Property.HALTS)
    assert result.verdict is Verdict.UNKNOWN
    assert "with one free run" in (result.reason or "")


@pytest.mark.parametrize("name", RULED)
def test_other_words_for_a_rule_are_proved(name: str) -> None:
    for prop in (Property.FITS, Property.FINDS, Property.HALTS):
        assert finding(LOOPS[name], prop).verdict is Verdict.HOLDS


def test_larger_areas_are_asked_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_SLOTS", 256)
    result = finding(UNRANKED, Property.HALTS)
    assert (result.reason or "").startswith("holds for areas up to 256 slots")


def test_areas_too_large_to_follow() -> None:
    result = finding(BACKWARDS, Property.FITS, replace(NARROW, nslabs=1 << 15))
    assert result.verdict is Verdict.UNKNOWN
    assert "holds for" not in (result.reason or "")


def test_code_that_is_not_understood_has_no_verdict() -> None:
    odd = BACKWARDS.replace("slot = first + index;", "slot = odd_place(index);")
    result = finding(odd, Property.FITS)
    assert result.verdict is Verdict.UNKNOWN
    assert "odd_place" in (result.reason or "")


def test_a_patched_package(tmp_path: FilePath, run: Run) -> None:
    archive = FOLDER / "linux-source-6.12.tar.xz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    from bounceproof.source.tree.tree import open_tree

    old = open_tree(str(archive)).read(SWIOTLB) or ""
    head = r"for \(slots_checked = 0; (.*?); \) \{"
    turned = "slots_checked = 0;\n\twhile (1) {\n\t\tif (!(\\1 / 64))\n\t\t\tbreak;"
    new, changes = re.subn(head, turned, old)
    assert changes == 1
    names = (f"a/{SWIOTLB}", f"b/{SWIOTLB}")
    diff = "".join(unified_diff(old.splitlines(True), new.splitlines(True), *names))
    patch = tmp_path / "loop.patch"
    patch.write_text(diff)
    where = ("--page-size", "4K", "--path", "direct", "--start-index", "3")
    asked = ("--pool-start", "1M", "--property", "fits", "--json")
    result = run("check", str(archive), "--patch", str(patch), *where, *asked)
    assert result.code == 1
    assert result.json["properties"][0]["confirmed"]
