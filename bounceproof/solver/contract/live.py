# SPDX-License-Identifier: GPL-2.0-only
"""Properties of a live mapping: what it may touch, and what its end gives back.

A mapping's place in any pool is one it can have in an empty pool for some start index:
a search that starts at area->index itself returns any slot it can return when it
starts there, and one that starts aligned visits, from every start, slots that lie
alike to the stride.  So these formulas speak of every pool, though they name the
outcome on an empty one.
"""

from __future__ import annotations

from bounceproof.models.formulas.lifetime import (
    FROM_DEVICE,
    Copy,
    Placed,
    Range,
    within,
)
from bounceproof.models.formulas.outcome import slot_address
from bounceproof.models.words.word import FALSE, U64, Truth
from bounceproof.solver.contract.domain import Variables


def owned_broken(placed: Placed, space: Variables) -> Truth:
    """The IOMMU maps bytes beyond the mapping's slots.

    Source: __iommu_dma_map(), drivers/iommu/dma-iommu.c.  Assumes an untrusted device
    that reaches memory through the IOMMU alone; without one there is no granule.
    """
    if not placed.cell.path.has_granule:
        return FALSE
    outside = FALSE
    for reached in placed.life.reach(placed):
        outside = outside | ~within(reached, placed.slots())
    return outside


def exclusive_broken(placed: Placed, space: Variables) -> Truth:
    """The caller may use bytes outside the slots taken for it, or outside the pages
    of a transient pool, which no other mapping gets.

    Sources: swiotlb_tbl_map_single() and swiotlb_alloc(), kernel/dma/swiotlb.c.
    Assumes that list[] tells free from taken, which mapping and unmapping preserve.
    """
    beyond = ~within(placed.life.handed_out(placed), placed.memory())
    return beyond | placed.life.overtakes(placed)


def others_touched(placed: Placed, space: Variables) -> Truth:
    """A field of another mapping's slot is written or read, so that what is said of
    one mapping alone is not said of all.

    Sources: swiotlb_tbl_map_single(), swiotlb_bounce() and swiotlb_release_slots(),
    kernel/dma/swiotlb.c.
    """
    extra, sync = space.extra, None
    if "sync_offset" in extra:
        sync = extra["direction"], extra["sync_offset"], extra["sync_size"]
    return placed.life.trespasses(placed, sync)


def returned_broken(placed: Placed, space: Variables) -> Truth:
    """Unmapping frees other slots than the mapping took.

    Source: swiotlb_release_slots(), kernel/dma/swiotlb.c.  Assumes that the device's
    min_align_mask is the same at both ends and that the caller gives back what it got.
    """
    freed = placed.life.release(placed)
    first = slot_address(placed.pool, freed.first)
    end = first + (freed.nslots.cast(U64) << placed.pool.geometry.shift)
    taken = placed.slots()
    return ~(freed.done & first.eq(taken[0]) & end.eq(taken[1]))


def synced(placed: Placed, space: Variables) -> Copy:
    """The copy that the sync in question makes."""
    extra = space.extra
    return placed.life.sync_copy(
        placed, extra["direction"], extra["sync_offset"], extra["sync_size"]
    )


def copy_strays(placed: Placed, space: Variables) -> Truth:
    """A sync inside the mapping copies outside the buffer or the mapping's slots.

    Source: swiotlb_bounce(), kernel/dma/swiotlb.c.  Independent of the slot, but for
    one whose slots go on past a transient pool.
    """
    mapping, copy = placed.mapping, synced(placed, space)
    original = (mapping.orig_addr, mapping.orig_addr + mapping.size)
    there = (copy.orig_addr, copy.orig_addr + copy.size)
    here = (copy.tlb_addr, copy.tlb_addr + copy.size)
    inside = within(there, original) & within(here, placed.slots())
    return copy.size.ne(0) & ~inside


def whole_copy_strays(placed: Placed, space: Variables) -> Truth:
    """A copy that mapping or unmapping makes leaves the buffer or the slots.

    Sources: swiotlb_tbl_map_single(), swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c.
    """
    mapping, slots, strays = placed.mapping, placed.slots(), FALSE
    original = (mapping.orig_addr, mapping.orig_addr + mapping.size)
    for copy in placed.life.whole_copies(placed, space.extra["direction"]):
        there = (copy.orig_addr, copy.orig_addr + copy.size)
        here = (copy.tlb_addr, copy.tlb_addr + copy.size)
        inside = within(there, original) & within(here, slots)
        strays = strays | (copy.size.ne(0) & ~inside)
    return strays


def copy_moved(placed: Placed, space: Variables) -> Truth:
    """A sync copies from elsewhere than the place that answers to its offset."""
    return synced(placed, space).size.ne(0) & copy_misplaced(placed, space)


def copy_longer(placed: Placed, space: Variables) -> Truth:
    """A sync copies more than it was asked to."""
    return synced(placed, space).size > space.extra["sync_size"]


def data_overflows(placed: Placed, space: Variables) -> Truth:
    """Padding and data do not fit the mapping's slots.

    With :func:`copy_moved` and :func:`copy_longer` impossible, and this, no sync inside
    the mapping strays: it copies what it was asked to, from where, at most.
    """
    data = (placed.tlb_addr, placed.tlb_addr + placed.mapping.size)
    return ~within(data, placed.slots())


def zeroing_strays(placed: Placed, space: Variables) -> Truth:
    """What is zeroed leaves the mapping's slots.

    Source: iommu_dma_map_page(), drivers/iommu/dma-iommu.c.
    """
    wiped, slots = FALSE, placed.slots()
    for area in placed.life.zeroed(placed, space.extra["direction"]):
        wiped = wiped | ~within(area, slots)
    return wiped


def sync_loses(placed: Placed, space: Variables) -> Truth:
    """A sync copies less than it was asked to, or from elsewhere.

    Source: swiotlb_bounce(), kernel/dma/swiotlb.c.  Independent of the slot.
    """
    return copy_short(placed, space) | copy_misplaced(placed, space)


def copy_short(placed: Placed, space: Variables) -> Truth:
    """A sync copies another number of bytes than it was asked to."""
    return synced(placed, space).size.ne(space.extra["sync_size"])


def copy_misplaced(placed: Placed, space: Variables) -> Truth:
    """A sync copies, or would copy, from another place than its offset's."""
    copy, offset = synced(placed, space), space.extra["sync_offset"]
    moved = copy.orig_addr.ne(placed.mapping.orig_addr + offset)
    return moved | copy.tlb_addr.ne(placed.tlb_addr + offset)


def original_lost(placed: Placed, space: Variables) -> Truth:
    """A device that writes only a part does not leave the rest as it was.

    Sources: swiotlb_tbl_map_single(), kernel/dma/swiotlb.c; iommu_dma_map_page(),
    drivers/iommu/dma-iommu.c.
    """
    direction = space.extra["direction"]
    return direction.eq(FROM_DEVICE) & ~placed.life.copied_in(placed, direction)


def write_lost(placed: Placed, space: Variables) -> Truth:
    """What the device wrote is not copied back when the mapping ends.

    Source: swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c.
    """
    return ~placed.life.copied_back(placed, space.extra["direction"])


def stale_padding(placed: Placed, space: Variables) -> Truth:
    """The device reaches bytes before or after the data that nobody wrote for it.

    Source: iommu_dma_map_page(), drivers/iommu/dma-iommu.c;
    swiotlb_init_io_tlb_pool(), kernel/dma/swiotlb.c, clears a transient pool.
    """
    if not placed.cell.path.has_granule:
        return FALSE
    zeroed = placed.life.zeroed(placed, space.extra["direction"])
    if placed.transient:
        zeroed = (*zeroed, placed.whole_pool())
    stale = FALSE
    for first, end in placed.life.reach(placed):
        before = first, placed.tlb_addr
        after = placed.tlb_addr + placed.mapping.size, end
        for padding in (before, after):
            stale = stale | ~_covered(padding, zeroed)
    return stale


def _covered(padding: Range, zeroed: tuple[Range, ...]) -> Truth:
    """Whether one of the zeroed ranges has all of ``padding``."""
    covered = padding[0] >= padding[1]
    for area in zeroed:
        covered = covered | within(padding, area)
    return covered
