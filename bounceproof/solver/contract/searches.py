# SPDX-License-Identifier: GPL-2.0-only
"""Properties of the search in an area that holds anything.

The slots the loop visits while nothing fits do not depend on what the area holds; so
the search misses a free run exactly when the run starts at a slot that it does not
visit and nothing else is free, and it has no end exactly when the visits have none and
each visited slot can be blocked.
"""

from __future__ import annotations

from dataclasses import replace

from bounceproof.models.constants import MAX_AREA_SLOTS
from bounceproof.models.formulas.outcome import (
    Case,
    SearchesItself,
    cases,
    search_areas,
)
from bounceproof.models.formulas.pools import serving
from bounceproof.models.formulas.search import Area, NoSearchRule, Search, Visits
from bounceproof.models.formulas.unrolled import search_area
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, KernelModel, Mapping, Pool, PoolKind
from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    U64,
    UNSIGNED_INT,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.solver.contract.domain import Variables
from bounceproof.solver.smt.terms import variable


def _search(case: Case, mapping: Mapping, pool: Pool) -> Search:
    area = Area(pool, Word(0, UNSIGNED_INT))
    return Search(case.rule, area, mapping.orig_addr, case.comparing)


def _accepted_by_rule(search: Search, slot: Word) -> Truth:
    """The code's own alignment rule: the predicate and, where the search starts
    aligned to a power of two, the place that its stride keeps."""
    accepted = search.admissible(slot)
    stride = search.rule.stride
    if not search.rule.aligned_start or stride & (stride - 1):
        return accepted
    step = Word(search.geometry.step - 1, UNSIGNED_INT)
    first = search.next_admissible(Word(0, UNSIGNED_INT))
    return accepted & ((slot ^ first) & step).eq(0)


def _visited(visits: Visits, slot: Word) -> Truth:
    seen = FALSE
    for leg in visits.legs:
        seen = seen | leg.visits(slot)
    return seen


def any_slot(
    model: KernelModel, cell: Cell, space: Variables, mapping: Mapping
) -> tuple[Word, Truth]:
    """A slot that the predicate accepts and that has room before its slot set ends."""
    bits = MAX_AREA_SLOTS.bit_length() - 1
    slot = variable("any_slot", CType(bits, False)).cast(UNSIGNED_INT)
    possible, pool = FALSE, serving(model, cell, mapping, space.pool)
    for case in cases(model, cell, mapping):
        search = _search(case, mapping, pool)
        room = search.area.fits_empty(slot, mapping.nslots)
        here = (slot < pool.area_nslabs) & room & search.admissible(slot)
        possible = possible | (case.guard & here)
    return slot, possible


def inside(space: Variables, mapping: Mapping, slot: Word) -> Truth:
    """Whether the slots of a mapping at ``slot`` lie in the area."""
    end = slot.cast(U64) + mapping.nslots.cast(U64)
    segsize = space.pool.geometry.segsize
    least, most = mapping.nslots > 0, mapping.nslots <= segsize
    return least & most & (end <= space.pool.area_nslabs.cast(U64))


def finds_broken(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """One free run that the rule accepts, at a slot that the loop does not visit.

    Source: swiotlb_search_pool_area() and its predecessors, kernel/dma/swiotlb.c.
    Everything else in the area is taken, so that the early test of area->used passes;
    a transient pool is empty.
    """
    slot = space.extra["free_slot"]
    mapping = model.mapping(cell, space.request)
    missed, pool = FALSE, serving(model, cell, mapping, space.pool)
    try:
        every = cases(model, cell, mapping)
    except NoSearchRule:
        if not (space.pool.bound and isinstance(model, SearchesItself)):
            raise
        return mapping.bounced & ~mapping.refused & _misses(model, cell, space, mapping)
    for case in every:
        search = _search(case, mapping, pool)
        inside = slot < pool.area_nslabs
        fits = search.area.fits_empty(slot, mapping.nslots)
        accepted = inside & fits & _accepted_by_rule(search, slot)
        if cell.pool_kind is PoolKind.TRANSIENT:
            unseen = ~search_area(search, mapping.nslots).found
        else:
            unseen = ~_visited(search.visits(), slot)
        missed = missed | (case.guard & accepted & unseen)
    return mapping.bounced & ~mapping.refused & missed


def _misses(
    model: SearchesItself, cell: Cell, space: Variables, mapping: Mapping
) -> Truth:
    """The search passes by a free run that it finds when it starts there."""
    pool, slot = space.pool, space.extra["free_slot"]
    room = Area(pool, Word(0, UNSIGNED_INT)).fits_empty(slot, mapping.nslots)
    at_run = replace(pool, start_index=slot)
    here = model.search_itself(cell, mapping, pool, 1, slot)
    there = model.search_itself(cell, mapping, at_run, 1, slot)
    accepted = there.found & there.slot.eq(slot)
    return (slot < pool.area_nslabs) & room & accepted & ~here.found


def finds_unfinished(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """The search that :func:`finds_broken` asks about was not followed to its end."""
    return _unfinished(model, cell, space, space.extra["free_slot"])


def _unfinished(model: KernelModel, cell: Cell, space: Variables, first: Word) -> Truth:
    if not (space.pool.bound and isinstance(model, SearchesItself)):
        raise NoSearchRule("the search cannot be followed turn by turn")
    mapping = model.mapping(cell, space.request)
    found = model.search_itself(cell, mapping, space.pool, 1, first)
    return mapping.bounced & found.unfinished


def odd_run(nslots: Word, geometry: SlotGeometry) -> Word:
    """Where a free run of ``nslots`` slots lies that few searches can take.

    From the second slot of a slot set on, where there is room for it.
    """
    return ite(nslots < geometry.segsize, Word(1, UNSIGNED_INT), Word(0, UNSIGNED_INT))


def halts_broken(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """The loop comes by no place where it ends, in an area that can hold it up.

    Every visited slot can be blocked and still leave ``nslots`` free slots elsewhere,
    unless the area is one slot set and all of it is asked for: then it is empty, as a
    transient pool is.  Where no slot is asked for, one that is taken will do.
    A counted loop ends: each step counts at least one, and the stride is not 0.
    Source: the do/while loops of find_slots() and swiotlb_do_find_slots(),
    kernel/dma/swiotlb.c.
    """
    mapping = model.mapping(cell, space.request)
    pool = serving(model, cell, mapping, space.pool)
    endless, slots = FALSE, pool.area_nslabs
    segsize = pool.geometry.segsize
    whole = mapping.nslots.eq(segsize) & slots.eq(segsize)
    try:
        every = cases(model, cell, mapping)
    except NoSearchRule:
        if not space.pool.bound:
            raise
        first = odd_run(mapping.nslots, pool.geometry)
        return _unfinished(model, cell, space, first)
    if cell.pool_kind is PoolKind.TRANSIENT:
        whole = TRUE
    for case in every:
        if case.rule.counted and case.rule.stride:
            continue
        search = _search(case, mapping, pool)
        blocked = search.visits().endless & (mapping.nslots <= slots) & ~whole
        blocked = blocked & mapping.nslots.ne(0)
        empty = search_areas(case, mapping, pool, space.areas).endless
        endless = endless | (case.guard & (blocked | empty))
    return mapping.bounced & endless
