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


def copy_strays(placed: Placed, space: Variables) -> Truth:
    """A sync inside the mapping copies outside the buffer or the mapping's slots.

    Source: swiotlb_bounce(), kernel/dma/swiotlb.c.  Independent of the slot.
    """
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    mapping = placed.mapping
    copy = sync_copy(placed, offset, length)
    original = (mapping.orig_addr, mapping.orig_addr + mapping.size)
    there = (copy.orig_addr, copy.orig_addr + copy.size)
    room = mapping.nslots.cast(U64) << IO_TLB_SHIFT
    here = mapping.padding.cast(U64) + offset + copy.size <= room
    return copy.size.ne(0) & ~(within(there, original) & here)


def copy_moved(placed: Placed, space: Variables) -> Truth:
    """A sync copies from elsewhere than the place that answers to its offset."""
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    copy = sync_copy(placed, offset, length)
    return copy.size.ne(0) & copy.orig_addr.ne(placed.mapping.orig_addr + offset)


def copy_longer(placed: Placed, space: Variables) -> Truth:
    """A sync copies more than it was asked to."""
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    return sync_copy(placed, offset, length).size > length


def data_overflows(placed: Placed, space: Variables) -> Truth:
    """Padding and data do not fit the mapping's slots.

    With :func:`copy_moved` and :func:`copy_longer` impossible, and this, no sync inside
    the mapping strays: it copies what it was asked to, from where, at most.
    """
    mapping = placed.mapping
    room = mapping.nslots.cast(U64) << IO_TLB_SHIFT
    return mapping.padding.cast(U64) + mapping.size > room


def zeroing_strays(placed: Placed, space: Variables) -> Truth:
    """What is zeroed leaves the mapping's slots.

    Source: iommu_dma_map_page(), drivers/iommu/dma-iommu.c.
    """
    wiped, slots = FALSE, placed.slots()
    for area in zeroed(placed, space.extra["direction"]):
        wiped = wiped | ~within(area, slots)
    return wiped


def sync_loses(placed: Placed, space: Variables) -> Truth:
    """A sync copies less than it was asked to, or from elsewhere.

    Source: swiotlb_bounce(), kernel/dma/swiotlb.c.  Independent of the slot.
    """
    return copy_short(placed, space) | copy_misplaced(placed, space)


def copy_short(placed: Placed, space: Variables) -> Truth:
    """A sync copies another number of bytes than it was asked to."""
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    return sync_copy(placed, offset, length).size.ne(length)


def copy_misplaced(placed: Placed, space: Variables) -> Truth:
    """A sync copies, or would copy, from another place than its offset's."""
    offset, length = space.extra["sync_offset"], space.extra["sync_size"]
    copy = sync_copy(placed, offset, length)
    return copy.orig_addr.ne(placed.mapping.orig_addr + offset)


def original_lost(placed: Placed, space: Variables) -> Truth:
    """A device that writes only a part does not leave the rest as it was.

    Sources: swiotlb_tbl_map_single(), kernel/dma/swiotlb.c; iommu_dma_map_page(),
    drivers/iommu/dma-iommu.c.
    """
    direction = space.extra["direction"]
    return direction.eq(FROM_DEVICE) & ~copied_in(placed, direction)


def stale_padding(placed: Placed, space: Variables) -> Truth:
    """The device reaches bytes before or after the data that nobody wrote for it.

    Source: iommu_dma_map_page(), drivers/iommu/dma-iommu.c.
    """
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
