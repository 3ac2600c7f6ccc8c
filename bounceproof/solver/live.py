# SPDX-License-Identifier: GPL-2.0-only
"""Properties of a live mapping: what it may touch, and what its end gives back.

A mapping's place in any pool is one it can have in an empty pool for some start index:
a search that starts at area->index itself returns any slot it can return when it
starts there, and one that starts aligned visits, from every start, slots that lie
alike to the stride.  So these formulas speak of every pool, though they name the
outcome on an empty one.
"""

from __future__ import annotations

from bounceproof.models.constants import IO_TLB_SHIFT
from bounceproof.models.lifetime import (
    FROM_DEVICE,
    Placed,
    copied_in,
    reach,
    release,
    sync_copy,
    within,
    zeroed,
)
from bounceproof.models.word import FALSE, U64, Truth
from bounceproof.solver.domain import Variables


def owned_broken(placed: Placed, space: Variables) -> Truth:
    """The IOMMU maps bytes beyond the mapping's slots.

    Source: __iommu_dma_map(), drivers/iommu/dma-iommu.c.  Assumes an untrusted device
    that reaches memory through the IOMMU alone; without one there is no granule.
    """
    if not placed.cell.path.has_granule:
        return FALSE
    return ~within(reach(placed), placed.slots())


def exclusive_broken(placed: Placed, space: Variables) -> Truth:
    """The caller may use bytes outside the slots taken for it.

    Sources: swiotlb_tbl_map_single() and swiotlb_alloc(), kernel/dma/swiotlb.c.
    Assumes that list[] tells free from taken, which mapping and unmapping preserve.
    """
    return ~within(placed.handed_out(), placed.slots())


def returned_broken(placed: Placed, space: Variables) -> Truth:
    """Unmapping frees other slots than the mapping took.

    Source: swiotlb_release_slots(), kernel/dma/swiotlb.c.  Assumes that the device's
    min_align_mask is the same at both ends and that the caller gives back what it got.
    """
    freed = release(placed)
    same = freed.first.eq(placed.slot) & freed.nslots.eq(placed.mapping.nslots)
    return ~same


def inbounds_broken(placed: Placed, space: Variables) -> Truth:
    """A sync inside the mapping copies outside the buffer, or zeroing leaves the slots.

    Sources: swiotlb_bounce(), kernel/dma/swiotlb.c; iommu_dma_map_page(),
    drivers/iommu/dma-iommu.c.
    """
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    mapping, slots = placed.mapping, placed.slots()
    copy = sync_copy(placed, offset, length)
    original = (mapping.orig_addr, mapping.orig_addr + mapping.size)
    there = (copy.orig_addr, copy.orig_addr + copy.size)
    room = mapping.nslots.cast(U64) << IO_TLB_SHIFT
    here = mapping.padding.cast(U64) + offset + copy.size <= room
    stray = copy.size.ne(0) & ~(within(there, original) & here)
    wiped = FALSE
    for area in zeroed(placed, space.extra["direction"]):
        wiped = wiped | ~within(area, slots)
    return stray | wiped


def clean_broken(placed: Placed, space: Variables) -> Truth:
    """The device can see stale bytes, or bytes get lost on the way.

    Stale is what it reaches and nobody wrote for it.  Lost is an original byte that a
    device which writes only a part does not find back, and a sync that copies less
    than it was asked to or from elsewhere.  Sources: iommu_dma_map_page(),
    drivers/iommu/dma-iommu.c; swiotlb_bounce(), kernel/dma/swiotlb.c.
    """
    direction = space.extra["direction"]
    lost = direction.eq(FROM_DEVICE) & ~copied_in(placed, direction)
    return _stale(placed, space) | lost | _lost_sync(placed, space)


def _stale(placed: Placed, space: Variables) -> Truth:
    if not placed.cell.path.has_granule:
        return FALSE
    first, end = reach(placed)
    data = (placed.tlb_addr, placed.tlb_addr + placed.mapping.size)
    before, after = (first, data[0]), (data[1], end)
    covered_before, covered_after = before[0] >= before[1], after[0] >= after[1]
    for area in zeroed(placed, space.extra["direction"]):
        covered_before = covered_before | within(before, area)
        covered_after = covered_after | within(after, area)
    return ~(covered_before & covered_after)


def _lost_sync(placed: Placed, space: Variables) -> Truth:
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    copy = sync_copy(placed, offset, length)
    wanted = placed.mapping.orig_addr + offset
    return copy.size.ne(length) | copy.orig_addr.ne(wanted)
