# SPDX-License-Identifier: GPL-2.0-only
"""Grown and transient pools: how large they are, where they lie, who has them.

Source: swiotlb_find_slots(), swiotlb_alloc_pool(), swiotlb_dyn_alloc() and
swiotlb_init_io_tlb_pool(), kernel/dma/swiotlb.c, v6.6 on, with CONFIG_SWIOTLB_DYNAMIC.
Memory comes from alloc_pages(), or, where it must be decrypted, from an atomic pool
(gen_pool_first_fit_order_align(), lib/genalloc.c): both align a block of pages to its
own size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from bounceproof.models.constants import (
    MAX_PAGE_ORDER,
    MAX_PHYS_BITS,
    OTHER_MAX_PAGE_ORDER,
)
from bounceproof.models.formulas.mapping import block_bytes
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.kernels.state import KernelState, ListInit, Pools
from bounceproof.models.request import Cell, KernelModel, Mapping, Path, Pool, PoolKind
from bounceproof.models.words.word import TRUE, U64, UNSIGNED_INT, Truth, Word, minimum

ASSUMED = {
    PoolKind.GROWN: "added by swiotlb_dyn_alloc(): a power of two of slots up to "
    "MAX_PAGE_ORDER, at a multiple of its size; CONFIG_SWIOTLB_DYNAMIC",
    PoolKind.TRANSIENT: "made for each request, which no other pool had room for: as "
    "many slots as it needs, in pages of an order; CONFIG_SWIOTLB_DYNAMIC, and memory "
    "for it is there",
}
MADE = ("nslabs", "nareas", "start_index")
"""Fields of a request that the kernel decides for a transient pool."""


@runtime_checkable
class HasState(Protocol):
    """A kernel whose decision points are recorded."""

    @property
    def state(self) -> KernelState: ...


def lacks_pool(model: KernelModel, kind: PoolKind, path: Path | None) -> str | None:
    """Why requests of ``model`` on ``path`` (None: any) meet no such pool, or None."""
    if kind is PoolKind.DEFAULT:
        return None
    if not isinstance(model, HasState):
        return f"{model.name} is a tree; {kind} pools are asked of built-in kernels"
    if model.state.pools is Pools.STATIC:
        return f"{model.name} has no {kind} pools"
    if path is Path.ALLOC:
        return "swiotlb_alloc() takes from restricted pools, which do not grow"
    return None


def largest_nslabs(page_size: int, geometry: SlotGeometry = MAINLINE) -> int:
    """Slots of the largest pool that swiotlb_alloc_pool() makes."""
    order = MAX_PAGE_ORDER.get(page_size, OTHER_MAX_PAGE_ORDER)
    return page_size << order >> geometry.shift


def serving(model: KernelModel, cell: Cell, mapping: Mapping, pool: Pool) -> Pool:
    """The pool that serves ``mapping``: ``pool``, or the transient one made for it.

    That one has the slots asked for in one area whose index is 0.  It is cut to a slot
    set here: nothing finds more, as no entry of list[] is above IO_TLB_SEGSIZE.
    Raises NoClosedForm for a pool of other slots than the kernel's own.
    """
    own = model.geometry(cell.page_size)
    if own != pool.geometry:
        raise NoClosedForm(
            f"{model.name} has {own}, the pool asked about {pool.geometry}"
        )
    if cell.pool_kind is not PoolKind.TRANSIENT:
        return pool
    if not isinstance(model, HasState):
        raise TypeError(f"{model.name} has no transient pools here")
    slot_set = Word(pool.geometry.segsize, UNSIGNED_INT)
    return replace(
        pool,
        area_nslabs=minimum(mapping.nslots, slot_set),
        start_index=Word(0, UNSIGNED_INT),
        partial=True,
        list_clamped=model.state.list_init is ListInit.CLAMPED,
    )


def placeable(cell: Cell, pool: Pool) -> Truth:
    """Whether the page allocator can have put a transient ``pool`` where it is.

    Page 0 is never handed out.
    """
    block = block_bytes(cell, pool.area_nslabs, pool.geometry)
    end = pool.start + block <= Word(1 << MAX_PHYS_BITS, U64)
    return (pool.start & (block - 1)).eq(0) & pool.start.ne(0) & end


def lies_right(model: KernelModel, cell: Cell, mapping: Mapping, pool: Pool) -> Truth:
    """Whether ``pool`` lies where the one that serves ``mapping`` can lie.

    Where a transient pool may lie depends on its size.
    """
    if cell.pool_kind is not PoolKind.TRANSIENT:
        return TRUE
    return ~mapping.bounced | placeable(cell, serving(model, cell, mapping, pool))


def made_nslabs(model: KernelModel, page_size: int, nslots: int | None) -> int:
    """Slots of the transient pool made for ``nslots`` slots, 0 where none is made."""
    if nslots is None or not isinstance(model, HasState):
        return 0
    geometry = model.geometry(page_size)
    refuses = model.state.pools is Pools.DYNAMIC_SIZE_CHECK
    if nslots > geometry.segsize and refuses:
        return 0
    return min(nslots, largest_nslabs(page_size, geometry))
