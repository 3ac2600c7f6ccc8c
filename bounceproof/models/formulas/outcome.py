# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of one request on an empty pool, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bounceproof.models.formulas.pools import serving
from bounceproof.models.formulas.search import (
    Area,
    Found,
    NoSearchRule,
    Search,
)
from bounceproof.models.formulas.unrolled import search_area
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Mapping,
    Path,
    Pool,
    Request,
    SearchRule,
)
from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    UNSIGNED_INT,
    Truth,
    Word,
    ite,
)


@dataclass(frozen=True, slots=True)
class Case:
    """The requests of a cell that one search rule serves, in one way.

    ``guard`` holds for exactly these; ``comparing`` as in
    :class:`~.search.Search`.  The guards of all cases of a cell
    cover every request once.
    """

    guard: Truth
    rule: SearchRule
    comparing: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the kernel does with a request.

    ``found``: the request bounces and the search returned ``slot`` (pool-wide,
    unsigned int; the first slot of the allocation, padding included).  ``tlb_addr``:
    phys_addr_t.  ``hang``: the search does not end.  ``ok``: the driver gets a mapping.
    ``unfinished``: the search was not followed to its end, see
    :class:`~bounceproof.models.formulas.search.Found`; the others are then false.
    ``pool``: the pool that was searched.
    """

    mapping: Mapping
    ok: Truth
    found: Truth
    slot: Word
    tlb_addr: Word
    hang: Truth
    pool: Pool
    unfinished: Truth = FALSE


@runtime_checkable
class SearchesItself(Protocol):
    """A kernel that can follow its own search, step by step, in a small area."""

    def search_itself(
        self,
        cell: Cell,
        mapping: Mapping,
        pool: Pool,
        areas: int,
        free_slot: Word | None = None,
    ) -> Found:
        """What the search returns in an area of ``pool.area_nslabs``, a plain number.

        The area is empty, or holds one free run of ``mapping.nslots`` slots from
        ``free_slot`` on.  ``areas`` as in :func:`search_areas`; ``slot`` is pool-wide.
        """
        ...


def cases(model: KernelModel, cell: Cell, mapping: Mapping) -> list[Case]:
    """The cases of a cell, like ones merged, those that cannot occur left out."""
    large_total = mapping.total >= cell.page_size
    merged: dict[tuple[SearchRule, bool], Truth] = {}
    for mask in model.alloc_align_masks(cell):
        asked = mapping.alloc_align_mask.eq(Word(mask, UNSIGNED_INT))
        rules = [model.search_rule(cell, mask, large) for large in (False, True)]
        sizes = [~large_total, large_total]
        if rules[0] == rules[1]:
            rules, sizes = rules[:1], [TRUE]
        for rule, sized in zip(rules, sizes, strict=True):
            for comparing, compared in _comparisons(rule, mapping.orig_addr):
                guard = asked & sized & compared
                before = merged.get((rule, comparing), FALSE)
                merged[rule, comparing] = before | guard
    return [
        Case(guard, rule, comparing)
        for (rule, comparing), guard in merged.items()
        if guard.raw is not False
    ]


def _comparisons(rule: SearchRule, orig_addr: Word) -> list[tuple[bool, Truth]]:
    if not rule.skip_zero or not rule.compare_mask:
        return [(True, TRUE)]
    zero = orig_addr.eq(0)
    return [(True, ~zero), (False, zero)]


def slot_address(pool: Pool, slot: Word) -> Word:
    """Physical address of a pool-wide slot.  Source: slot_addr(), swiotlb.c."""
    return pool.start + (slot.cast(pool.start.ctype) << pool.geometry.shift)


def search_areas(case: Case, mapping: Mapping, pool: Pool, areas: int) -> Found:
    """Search ``areas`` (1 or 2) areas in turn; ``slot`` is pool-wide.

    Two stand for any number: areas lie alike but for the segment boundary, and of two
    neighbours that are smaller than a segment at most one is cut by it.
    """
    found, slot, endless = FALSE, Word(0, UNSIGNED_INT), FALSE
    for index in range(areas):
        base = pool.area_nslabs * Word(index, UNSIGNED_INT)
        search = Search(case.rule, Area(pool, base), mapping.orig_addr, case.comparing)
        here = search_area(search, mapping.nslots)
        first = ~found & ~endless
        slot = ite(first, base + here.slot, slot)
        endless = endless | (first & here.endless)
        found = found | (first & here.found)
    return Found(found, slot, endless)


def _page_checked(case: Case, cell: Cell, pool: Pool, found: Found) -> Truth:
    if not case.rule.page_check:
        return found.found
    start = slot_address(pool, found.slot)
    return found.found & (start & (cell.page_size - 1)).eq(0)


def linkable(cell: Cell, mapping: Mapping, tlb_addr: Word) -> Truth:
    """Whether dma_iova_link() can map the bounce buffer at ``tlb_addr``.

    It maps from tlb_addr less the head's offset in its granule, which iommu_map()
    refuses unless it is granule aligned.  Sources: iommu_dma_iova_bounce_and_link(),
    drivers/iommu/dma-iommu.c; iommu_map_nosync(), drivers/iommu/iommu.c, v7.3.
    """
    if cell.path is not Path.LINK:
        return TRUE
    return ((tlb_addr ^ mapping.orig_addr) & (cell.granule - 1)).eq(0)


def outcome(
    model: KernelModel, cell: Cell, request: Request, pool: Pool, areas: int = 1
) -> Outcome:
    """The outcome of ``request`` on an empty pool whose areas all start at
    ``pool.start_index``; ``areas`` as in :func:`search_areas`.  Of a transient pool,
    ``pool`` has the place alone."""
    mapping = model.mapping(cell, request)
    pool = serving(model, cell, mapping, pool)
    searched = searched_empty(model, cell, mapping, pool, areas)
    found, slot = searched.found, searched.slot
    tlb_addr = slot_address(pool, slot) + mapping.padding
    usable = found & linkable(cell, mapping, tlb_addr)
    ok = ~mapping.refused & (~mapping.bounced | usable)
    return Outcome(
        mapping,
        ok,
        mapping.bounced & found,
        slot,
        tlb_addr,
        mapping.bounced & searched.endless,
        pool,
        mapping.bounced & searched.unfinished,
    )


def searched_empty(
    model: KernelModel, cell: Cell, mapping: Mapping, pool: Pool, areas: int
) -> Found:
    """What the search of an empty pool returns, a refused page left out.

    By the rules of the cell's cases, or where there are none, and the areas are of a
    size that ``pool.bound`` allows, by the kernel's own steps.
    """
    found, hang, slot = FALSE, FALSE, Word(0, UNSIGNED_INT)
    try:
        every = cases(model, cell, mapping)
    except NoSearchRule:
        if not (pool.bound and isinstance(model, SearchesItself)):
            raise
        return model.search_itself(cell, mapping, pool, areas)
    for case in every:
        here = search_areas(case, mapping, pool, areas)
        granted = _page_checked(case, cell, pool, here)
        slot = ite(case.guard, here.slot, slot)
        found = found | (case.guard & granted)
        hang = hang | (case.guard & here.endless)
    return Found(found, slot, hang)


def misaligned(
    cell: Cell, request: Request, mapping: Mapping, pool: Pool, slot: Word
) -> Truth:
    """Whether a mapping at pool-wide ``slot`` breaks the ``aligned`` property.

    Holds when tlb_addr keeps the min_align_mask bits of orig_addr, the allocation
    starts at a multiple of alloc_align_mask + 1, and a coherent allocation of a page
    or more is page aligned.  Source: Documentation/core-api/swiotlb.rst, v6.10.
    """
    start = slot_address(pool, slot)
    lost_alloc = (start & mapping.alloc_align_mask).ne(0)
    if cell.path is Path.ALLOC:
        page = (start & (cell.page_size - 1)).ne(0)
        return lost_alloc | (page & (request.size >= cell.page_size))
    tlb_addr = start + mapping.padding
    lost = ((tlb_addr ^ mapping.orig_addr) & cell.min_align_mask).ne(0)
    return lost | lost_alloc
