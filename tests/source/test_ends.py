# SPDX-License-Identifier: GPL-2.0-only
"""Searches that end by a flag, a break or a sentinel; and those that only end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.request import Path
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.answers.property import RANKED
from bounceproof.solver.concrete import directed
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample import bounded
from bounceproof.source.errors import UnknownSearch
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source.ends import ENDS
from tests.source.kinds import LEFT
from tests.source.loops import BACKWARDS, BEST_FIT, NESTED
from tests.source.shapes import files, tree
from tests.source.test_hunt import DOMAIN
from tests.source.test_shapes import CELL, COUNTED_RULE
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

ONCE = {"backwards": BACKWARDS, "nested": NESTED, "best fit": BEST_FIT}


@pytest.mark.parametrize("name", ENDS)
def test_a_loop_that_ends_in_other_words_has_its_rule(name: str) -> None:
    text, fields, _ = ENDS[name]
    rule = proved_kernel(tree(text)).search_rule(CELL, 0xFFF, True)
    assert rule.canonical == replace(COUNTED_RULE, **fields).canonical


@pytest.mark.parametrize("name", ENDS)
def test_a_fault_takes_the_rule_away(name: str) -> None:
    text, _, (old, new) = ENDS[name]
    assert text.count(old) == 1
    kernel = proved_kernel(tree(text.replace(old, new)))
    with pytest.raises(UnknownSearch):
        for large in (False, True):
            kernel.search_rule(CELL, 0xFFF, large)


@pytest.mark.parametrize("name", ONCE)
def test_a_search_without_a_rule_is_proved_to_end(name: str) -> None:
    kernel = proved_kernel(tree(ONCE[name]))
    result = _asked(kernel, Property.HALTS)
    assert result.verdict is Verdict.HOLDS
    assert result.note == RANKED
    with pytest.raises(UnknownSearch):
        kernel.search_rule(CELL, 0xFFF, True)


ENDLESS = {
    "one size": (BACKWARDS, "done++", "done += alloc_size != 12288"),
    "inside": (NESTED, "at++", "at += need != 7"),
    "one address": (BEST_FIT, "done++", "done += orig_addr != 0x5000"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_fault_takes_the_ranking_away(name: str) -> None:
    text, old, new = ENDLESS[name]
    assert old in text
    kernel = proved_kernel(tree(text.replace(old, new)))
    assert not kernel.search_ends(CELL)


def test_what_is_left_by_a_search_is_what_the_next_begins_with() -> None:
    texts = files(BACKWARDS)
    old = "area->index = wrapped(mem, index + need);"
    assert old in texts[SWIOTLB]
    texts[SWIOTLB] = texts[SWIOTLB].replace(old, "area->index = index + need;")
    kernel = proved_kernel(Tree(DictStore(texts), "index"))
    assert not kernel.search_ends(CELL)


def test_a_search_that_does_not_end_for_one_size_is_shown() -> None:
    text, old, new = ENDLESS["one size"]
    result = _asked(proved_kernel(tree(text.replace(old, new))), Property.HALTS)
    assert result.verdict is Verdict.BROKEN
    assert result.confirmed


def test_cells_that_have_a_rule_are_asked_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(directed, "PROPERTIES", ())
    odd = "index + stride + (PAGE_SIZE == 16384 && alloc_size == 40960));"
    text = LEFT.replace("index + stride);", odd)
    assert text != LEFT
    domain = Domain(device=DOMAIN.device, path=Path.DIRECT)
    result = _asked(proved_kernel(tree(text)), Property.FITS, domain)
    assert result.verdict is Verdict.UNKNOWN
    told = {cell.cell.page_size: cell for cell in result.cells}
    assert told[4096].verdict is told[65536].verdict is Verdict.HOLDS
    assert told[16384].verdict is Verdict.UNKNOWN
    assert [cell.cell.page_size for cell in result.cells] == sorted(told)[::-1]


def test_a_cell_that_is_broken_breaks_the_property() -> None:
    odd = "(PAGE_SIZE == 16384 ? need + 1 : need))"
    text = LEFT.replace(".list >= need)", f".list >= {odd}")
    assert text != LEFT
    domain = Domain(device=DOMAIN.device, path=Path.DIRECT)
    result = _asked(proved_kernel(tree(text)), Property.FITS, domain)
    assert result.verdict is Verdict.BROKEN
    assert result.confirmed
    assert result.counterexample is not None
    assert result.counterexample.cell.page_size == 16384
    told = {cell.cell.page_size: cell.verdict for cell in result.cells}
    assert told[4096] is told[65536] is Verdict.HOLDS


def _asked(kernel: TreeKernel, prop: Property, domain: Domain = DOMAIN) -> Finding:
    return check_kernel(kernel, domain, [prop], 60).findings[0]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small areas are asked elsewhere."""
    monkeypatch.setattr(bounded, "MOST_SLOTS", 128)
    monkeypatch.setattr(bounded, "SECONDS", 0.5)
