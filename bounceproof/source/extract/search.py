# SPDX-License-Identifier: GPL-2.0-only
"""The function with the slot search, and the place of its loop."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.program.calls import reachable, reachable_calls
from bounceproof.source.program.program import Program

BOUNDARY_TEST = "iommu_is_span_boundary"
MANY_SLOTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Searched:
    """The function with the slot search."""

    function: c.Function


@dataclass(frozen=True, slots=True)
class Shape(Searched):
    """What the loop looks like: its node, where it stands in the function's block, and
    the variable that is the index in the area."""

    position: int
    loop: c.Loop
    index: str


_SEARCHED_FOR = frozenset(("orig_addr", "alloc_size"))


def search_function(program: Program) -> c.Function:
    """The function with the slot search: it is told what to search for, and tests the
    segment boundary, itself or in what it calls; the innermost of such functions.

    Raises NotUnderstood where there is none, or where there are two.
    """
    file = "kernel/dma/swiotlb.c"
    inner: dict[str, c.Function] = {}
    unread: list[NotUnderstood] = []
    for start in ("swiotlb_tbl_map_single", "swiotlb_find_slots"):
        for function in reachable(program, start, unread=unread):
            if _may_search(program, function):
                inner.setdefault(function.name, function)
    found = [f for f in inner.values() if not _calls_one(program, f, inner)]
    if len(found) > 1:
        need = f"one slot search, not {' and '.join(f.name for f in found)}"
        raise NotUnderstood(found[1].file, found[1].line, found[1].name, need)
    if found:
        return found[0]
    if unread:
        raise unread[0]
    need = "a function under swiotlb_tbl_map_single() that tests the segment boundary"
    raise NotUnderstood(file, 0, "the slot search", need)


def _may_search(program: Program, function: c.Function) -> bool:
    told = {name for _, name, _ in function.parameters} >= _SEARCHED_FOR
    if not told or "mapping_size" in {name for _, name, _ in function.parameters}:
        return False
    return BOUNDARY_TEST in reachable_calls(program, function.body, function.file)


def _calls_one(
    program: Program, function: c.Function, among: dict[str, c.Function]
) -> bool:
    """Whether ``function`` calls another of ``among``."""
    called = reachable_calls(program, function.body, function.file)
    return any(name in among for name in called - {function.name})


def shape_of(program: Program, function: c.Function, head: c.Node, index: str) -> Shape:
    """The shape of a search whose one loop is ``head``; NotUnderstood where that is no
    loop of the function's own block."""
    for position, statement in enumerate(function.body.body):
        if statement is head and isinstance(head, c.Loop):
            return Shape(function, position, head, index)
    text = program.text(function.file, head.line)
    raise NotUnderstood(function.file, head.line, text, "a loop at top level")
