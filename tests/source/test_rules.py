# SPDX-License-Identifier: GPL-2.0-only
"""The rule of a tree's search: which loops have one, and which faults take it away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.source.errors import UnknownSearch
from tests.source.kinds import KINDS
from tests.source.shapes import COUNTED, tree
from tests.source.test_shapes import CELL, COUNTED_RULE
from tests.source.trees import proved_kernel


@pytest.mark.parametrize("name", KINDS)
def test_a_loop_of_that_shape_has_its_rule(name: str) -> None:
    text, fields = KINDS[name]
    rule = proved_kernel(tree(text)).search_rule(CELL, 0xFFF, True)
    assert rule.canonical == replace(COUNTED_RULE, **fields).canonical


FAULTS = {
    "used off by one": ("area->used))", "area->used + 1))"),
    "list strictly": (".list >= need", ".list > need"),
    "list for one count": (".list >= need", ".list >= need + (need == 77)"),
    "stride for one size": (
        "index = wrapped(mem, index + stride);",
        "index = wrapped(mem, index + stride + (alloc_size == 40960));",
    ),
    "step behind an index": ("done++;", "done += 1 + (index > 3000);"),
    "no step for one size": (
        "index = wrapped(mem, index + 1);",
        "if (alloc_size != 12345)\n\t\t\t\tindex = wrapped(mem, index + 1);",
    ),
    "early exit": (
        "phys_addr_t addr;",
        "phys_addr_t addr;\n\tif (index == 517) break;",
    ),
    "another slot": ("goto found;", "{ slot += need == 9; goto found; }"),
    "an area": ("index = area->index;", "index = area->index & ~(area_index == 5);"),
    "used grows": ("area->used += need", "area->used += need - (need == 5)"),
    "the index": ("wrapped(mem, index + need)", "index + need"),
    "address bits": ("if ((addr & alloc", "if ((addr == 0x12345000) || (addr & alloc"),
    "orig bits": ("^ orig_addr)", "^ orig_addr ^ (orig_addr >> 51 << 12))"),
    "writes early": (
        "phys_addr_t addr;",
        "phys_addr_t addr;\n\tif (done == 9) mem->slots[first].list = 0;",
    ),
    "marks on failure": ("none:\n", "none:\n\tarea->used += alloc_size == 4096;\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_no_rule(name: str) -> None:
    from bounceproof.source.tree.tree import Tree
    from tests.source.shapes import files
    from tests.source.trees import SWIOTLB, DictStore

    old, new = FAULTS[name]
    texts = files(COUNTED)
    assert old in texts[SWIOTLB]
    texts[SWIOTLB] = texts[SWIOTLB].replace(old, new)
    kernel = proved_kernel(Tree(DictStore(texts), "fault"))
    with pytest.raises(UnknownSearch):
        for large in (False, True):
            kernel.search_rule(CELL, 0xFFF, large)
