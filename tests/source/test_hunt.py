# SPDX-License-Identifier: GPL-2.0-only
"""Faults that depend on one value, in searches that no rule is proved for.

Each is found by a hunt in numbers and shown by the tree's own code; none holds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bounceproof.cli.options import device_of
from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.words.word import U64, Word
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.concrete import directed
from bounceproof.solver.concrete.walk import EMPTY, FOUND, Calls, Walk
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample import bounded
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.extract.search_cut import SearchMachine
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source.kinds import KINDS, LEFT
from tests.source.shapes import files, tree
from tests.source.test_rules import FAULTS
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

CELL = Cell(4096, 4096, Path.DIRECT, 0xFFF)
DOMAIN = Domain(device=device_of("nvme"), page_size=4096, path=Path.DIRECT)
AREA_LOOP = "for (area = 0; area < mem->nareas; area++) {"
PLANTED = {
    "early exit": (*FAULTS["early exit"], Property.FINDS),
    "step behind an index": (
        "wrap -= min(n, wrap);",
        "wrap -= min(n, wrap);\n\t\tif (index > 3000)\n\t\t\twrap = 0;",
        Property.FINDS,
    ),
    "stride for one size": (
        "index = wrapped(mem, index + stride);",
        "index = wrapped(mem, index + stride + (alloc_size == 40960 ? 63 : 0));",
        Property.FINDS,
    ),
    "no step for one size": (
        "index = wrapped(mem, index + 1);",
        "if (alloc_size == 12288)\n\t\t\t\tcontinue;\n"
        "\t\t\tindex = wrapped(mem, index + 1);",
        Property.HALTS,
    ),
    "list strictly": (*FAULTS["list strictly"], Property.FITS),
    "used off by one": ("area->used))", "area->used - 1))", Property.FINDS),
    "an area left out": (
        AREA_LOOP,
        f"{AREA_LOOP}\n\t\tif (area == 2)\n\t\t\tcontinue;",
        Property.FINDS,
    ),
    "a size refused after the bounce": (
        "for (k = 0; k < nr_slots(alloc_size + offset); k++)",
        "if (mapping_size == 69632)\n\t\treturn (phys_addr_t)DMA_MAPPING_ERROR;\n"
        "\tfor (k = 0; k < nr_slots(alloc_size + offset); k++)",
        Property.FITS,
    ),
}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small areas are asked elsewhere."""
    monkeypatch.setattr(bounded, "MOST_SLOTS", 128)
    monkeypatch.setattr(bounded, "SECONDS", 0.5)


def planted(name: str) -> TreeKernel:
    old, new, _ = PLANTED[name]
    texts = files(LEFT)
    assert old in texts[SWIOTLB]
    texts[SWIOTLB] = texts[SWIOTLB].replace(old, new)
    return proved_kernel(Tree(DictStore(texts), "planted"))


def finding(kernel: TreeKernel, prop: Property, domain: Domain = DOMAIN) -> Finding:
    return check_kernel(kernel, domain, [prop], 60).findings[0]


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_of_one_value_is_shown(name: str) -> None:
    result = finding(planted(name), PLANTED[name][2])
    assert result.verdict is Verdict.BROKEN
    assert result.confirmed
    example = result.counterexample
    assert example is not None
    assert example.point["orig_addr"] or example.minimum


def test_the_search_without_a_fault_fits_and_halts() -> None:
    kernel = proved_kernel(tree(LEFT))
    for prop in (Property.FITS, Property.HALTS):
        assert finding(kernel, prop).verdict is Verdict.HOLDS


def test_it_is_one_of_many() -> None:
    result = finding(planted("early exit"), Property.FINDS)
    assert result.counterexample is not None
    assert not result.counterexample.minimum
    assert "one of many, found by a hunt" in (result.note or "")


def test_what_is_shown_lies_in_the_domain() -> None:
    narrow = replace(DOMAIN, nslabs=128, nareas=1, start_index=3, pool_start=1 << 20)
    result = finding(planted("used off by one"), Property.FINDS, narrow)
    assert result.counterexample is not None
    point = result.counterexample.point
    shown = (point["area_nslabs"], point["start_index"], point["pool_start"])
    assert shown == (128, 3, 1 << 20)


def test_a_fault_outside_the_domain_is_not_shown() -> None:
    narrow = replace(DOMAIN, nslabs=128, nareas=1)
    result = finding(planted("early exit"), Property.FITS, narrow)
    assert result.verdict is Verdict.UNKNOWN
    assert "a hunt in areas up to 128 slots" in (result.reason or "")


@pytest.mark.parametrize("name", ["left", "goto", "two passes", "by slot", "compared"])
def test_a_walk_ends_where_the_code_does(name: str) -> None:
    kernel, dice = proved_kernel(tree(KINDS[name][0])), np.random.default_rng(7)
    search = kernel.reader(4096).search.function
    walk = Walk(SearchMachine(kernel.program(4096), CELL, search))
    rows, ran = [], []
    for _ in range(30):
        orig = int(dice.integers(1, 1 << 30)) * 4
        size = int(dice.integers(1, 1 << 18))
        index = int(dice.integers(0, 256))
        mapping = kernel.mapping(CELL, Request(Word(orig, U64), Word(size, U64)))
        mask = int(mapping.alloc_align_mask)
        whole = (1 << 32) - 1
        rows.append(
            [orig, int(mapping.total), mask, 0, 256, 1, index, 0, 1 << 30, whole]
        )
        pool = PoolNumbers(1 << 30, 256, 1, index, whole)
        ran.append(kernel.run(CELL, orig, size, pool).outcome.slot)
    lists = np.array([[EMPTY, 0, 0, 127]] * len(rows), np.uint64)
    ends = walk.ends(Calls(np.array(rows, np.uint64), lists), 2000)
    found = [
        int(s) if h == FOUND else None for h, s in zip(ends.how, ends.slot, strict=True)
    ]
    assert found == ran


def test_a_reader_that_stops_ends_one_property(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: object) -> None:
        raise NotUnderstood("kernel/dma/swiotlb.c", 7, "x", "code that nests")

    monkeypatch.setattr(directed, "PROPERTIES", ())
    kernel = planted("early exit")
    monkeypatch.setattr(kernel, "search_itself", fails)
    every = [Property.FITS, Property.FINDS]
    for result in check_kernel(kernel, DOMAIN, every, 60).findings:
        assert result.verdict is Verdict.UNKNOWN
        assert "code that nests" in (result.reason or "")
