# SPDX-License-Identifier: GPL-2.0-only
"""A mapping from its placement to its end: copies, reach, zeroing, release.

All addresses are physical (phys_addr_t), all sizes bytes (size_t), all ranges given
as first address and the address after the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bounceproof.models.constants import IO_TLB_SHIFT, IO_TLB_SIZE
from bounceproof.models.formulas.mapping import align_offset, block_bytes, nr_slots
from bounceproof.models.formulas.outcome import slot_address
from bounceproof.models.kernels.state import (
    BounceCheck,
    KernelState,
    MapCopy,
    PadSlots,
    ReleaseSize,
    Rounding,
    Zeroing,
)
from bounceproof.models.request import Cell, Mapping, Path, Pool, PoolKind, Request
from bounceproof.models.words.word import (
    FALSE,
    INT,
    SIZE_T,
    TRUE,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
    align,
    ite,
    minimum,
)

LOW = IO_TLB_SIZE - 1
TO_DEVICE, FROM_DEVICE, BIDIRECTIONAL = range(3)
DIRECTIONS = ("to_device", "from_device", "bidirectional")

Range = tuple[Word, Word]


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy between ``orig_addr`` and ``tlb_addr`` (phys_addr_t) of ``size`` bytes."""

    orig_addr: Word
    tlb_addr: Word
    size: Word


@dataclass(frozen=True, slots=True)
class Release:
    """What the end of a mapping frees: ``nslots`` from pool-wide ``first``.

    ``done``: it frees at all, and takes as many off area->used as were added.
    """

    first: Word
    nslots: Word
    done: Truth = TRUE

    def alike(self, other: Release) -> Release:
        """What is freed where ``other`` frees the same, or nothing that counts."""
        same = self.first.eq(other.first) & self.nslots.eq(other.nslots)
        return Release(self.first, self.nslots, self.done & other.done & same)


class Life(Protocol):
    """What becomes of a mapping in one kernel, from its placement to its end."""

    def slots(self, placed: Placed) -> Range:
        """The bytes of the slots marked as taken."""
        ...

    def overtakes(self, placed: Placed) -> Truth:
        """Whether slots are taken that the search did not test."""
        ...

    def handed_out(self, placed: Placed) -> Range:
        """The bytes the caller may use."""
        ...

    def reach(self, placed: Placed) -> tuple[Range, ...]:
        """What the device can reach, for each direction where that matters."""
        ...

    def zeroed(self, placed: Placed, direction: Word) -> tuple[Range, ...]:
        """What is zeroed after the first copy, in order."""
        ...

    def copied_in(self, placed: Placed, direction: Word) -> Truth:
        """Whether the original bytes are in the buffer when the device gets it."""
        ...

    def sync_copy(
        self, placed: Placed, direction: Word, offset: Word, length: Word
    ) -> Copy:
        """The copy that a sync of ``length`` bytes at ``offset`` of a mapping makes."""
        ...

    def whole_copies(self, placed: Placed, direction: Word) -> tuple[Copy, ...]:
        """The copies that mapping and unmapping make, as far as they are not known to
        be of the whole mapping."""
        ...

    def copied_back(self, placed: Placed, direction: Word) -> Truth:
        """Whether unmapping copies all that the device may have written."""
        ...

    def release(self, placed: Placed) -> Release:
        """The slots that unmapping frees."""
        ...

    def trespasses(self, placed: Placed, sync: tuple[Word, Word, Word] | None) -> Truth:
        """Whether the mapping, ``sync`` of it (direction, offset, size) or its end has
        to do with a slot of another's."""
        ...


@runtime_checkable
class HasLife(Protocol):
    """A kernel of which live mappings can be asked."""

    def life(self, cell: Cell) -> Life:
        """What becomes of mappings in ``cell``."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """``request`` as ``mapping``, at pool-wide ``slot`` (unsigned int), the first of
    its allocation."""

    life: Life
    cell: Cell
    request: Request
    mapping: Mapping
    pool: Pool
    slot: Word

    @property
    def start(self) -> Word:
        """Address of the first slot."""
        return slot_address(self.pool, self.slot)

    @property
    def tlb_addr(self) -> Word:
        """Address of the data in the pool."""
        return self.start + self.mapping.padding

    @property
    def transient(self) -> bool:
        """Whether the pool was made for this mapping."""
        return self.cell.pool_kind is PoolKind.TRANSIENT

    def whole_pool(self) -> Range:
        """The bytes of a transient pool."""
        length = self.pool.area_nslabs.cast(U64) << self.pool.geometry.shift
        return self.pool.start, self.pool.start + length

    def slots(self) -> Range:
        """The bytes of the slots marked as taken."""
        return self.life.slots(self)

    def memory(self) -> Range:
        """The bytes that are nobody else's: of a transient pool, all of its pages."""
        if not self.transient:
            return self.slots()
        block = block_bytes(self.cell, self.pool.area_nslabs, self.pool.geometry)
        return self.pool.start, self.pool.start + block


def within(inner: Range, outer: Range) -> Truth:
    """Whether ``inner`` is empty or lies in ``outer``."""
    empty = inner[0] >= inner[1]
    return empty | ((inner[0] >= outer[0]) & (inner[1] <= outer[1]))


@dataclass(frozen=True, slots=True)
class BuiltinLife:
    """Mappings of a built-in ``state``."""

    state: KernelState

    def slots(self, placed: Placed) -> Range:
        """The allocation's slots, those that exist.

        Source: swiotlb_find_slots() and its kin, kernel/dma/swiotlb.c.
        """
        end = placed.start + (placed.mapping.nslots.cast(U64) << IO_TLB_SHIFT)
        if placed.transient:
            end = minimum(end, placed.whole_pool()[1])
        return placed.start, end

    def overtakes(self, placed: Placed) -> Truth:
        """Never: the slots marked are those that the list test asked for."""
        return FALSE

    def handed_out(self, placed: Placed) -> Range:
        """The bytes the caller may use.

        swiotlb_alloc() returns the page that holds the slot's address, and its caller
        uses whole pages from there; a streaming mapping starts at tlb_addr.
        """
        page = Word(placed.cell.page_size - 1, U64)
        if placed.cell.path is not Path.ALLOC:
            return placed.tlb_addr, placed.tlb_addr + placed.mapping.size
        first = placed.start & ~page
        return first, first + ((placed.mapping.size + page) & ~page)

    def reach(self, placed: Placed) -> tuple[Range, ...]:
        """What the IOMMU lets the device reach.

        Sources: __iommu_dma_map() and iommu_dma_iova_bounce_and_link(),
        drivers/iommu/dma-iommu.c.  Without an IOMMU the mapping itself counts.
        """
        tlb, mapping = placed.tlb_addr, placed.mapping
        granule = Word(placed.cell.granule, SIZE_T)
        if not placed.cell.path.has_granule:
            return ((tlb, tlb + mapping.size),)
        if placed.cell.path is Path.LINK:
            head = mapping.orig_addr & (granule - 1)
            return ((tlb - head, tlb - head + align(mapping.size, granule)),)
        offset = tlb & (granule - 1)
        first = tlb - offset
        return ((first, first + align(mapping.size + offset, granule)),)

    def zeroed(self, placed: Placed, direction: Word) -> tuple[Range, ...]:
        """What dma-iommu zeroes for an untrusted device after the first copy.

        Sources: iommu_dma_map_page() to v6.9; the same and iommu_dma_map_swiotlb() from
        v6.10, drivers/iommu/dma-iommu.c.
        """
        tlb, mapping = placed.tlb_addr, placed.mapping
        granule = Word(placed.cell.granule, SIZE_T)
        untouched = self.state.zeroing is Zeroing.NONE
        if not placed.cell.path.has_granule or untouched:
            return ()
        end = tlb + mapping.size
        if self.state.zeroing is Zeroing.PADDING_UNTRUSTED:
            return (tlb & ~(granule - 1), tlb), (end, align(end, granule))
        whole = direction.eq(FROM_DEVICE)
        return ((ite(whole, tlb, end), tlb + align(mapping.size, granule)),)

    def copied_in(self, placed: Placed, direction: Word) -> Truth:
        """Whether the original bytes are in the buffer when the device gets it.

        Source: swiotlb_tbl_map_single(), kernel/dma/swiotlb.c; what is zeroed after.
        """
        copied = TRUE
        if self.state.map_copy is MapCopy.DEVICE_READS:
            copied = direction.ne(FROM_DEVICE)
        wiped = FALSE
        for first, end in self.zeroed(placed, direction):
            data_end = placed.tlb_addr + placed.mapping.size
            wiped = wiped | (
                (first < data_end) & (end > placed.tlb_addr) & (first < end)
            )
        return copied & ~wiped

    def copied_back(self, placed: Placed, direction: Word) -> Truth:
        """It does in every state.  Source: swiotlb_tbl_unmap_single() and before it
        the sync of dma_direct_unmap_page(), kernel/dma."""
        return TRUE

    def trespasses(self, placed: Placed, sync: tuple[Word, Word, Word] | None) -> Truth:
        """Never, in every state."""
        return FALSE

    def whole_copies(self, placed: Placed, direction: Word) -> tuple[Copy, ...]:
        """None: swiotlb_tbl_map_single() and swiotlb_tbl_unmap_single() copy a mapping
        from its first byte to its last, in every state."""
        return ()

    def sync_copy(
        self, placed: Placed, direction: Word, offset: Word, length: Word
    ) -> Copy:
        """The copy that a sync of ``length`` bytes at ``offset`` of a mapping makes.

        Source: swiotlb_bounce(), kernel/dma/swiotlb.c (swiotlb_tbl_sync_single() in
        v5.10): orig_addr and alloc_size come from the slot that holds the address.
        Slots count from the allocation's first: the pool starts at a slot's boundary.
        """
        state, mapping, m = self.state, placed.mapping, placed.cell.min_align_mask
        place = placed.tlb_addr + offset
        behind = mapping.padding.cast(U64) + offset
        index, first = behind >> IO_TLB_SHIFT, mapping.padding.cast(U64) >> IO_TLB_SHIFT
        recorded = mapping.orig_addr + ((index - first) << IO_TLB_SHIFT)
        below = (mapping.padding & LOW).cast(U64)
        alloc_size = mapping.total - (below + (index << IO_TLB_SHIFT))
        low, padding = behind & LOW, align_offset(m, 0, recorded)
        if state.bounce_check is BounceCheck.SIGNED:
            tlb_offset = (low - padding.cast(U64)).cast(INT).cast(U64)
        else:
            tlb_offset = (low.cast(UNSIGNED_INT) - padding).cast(U64)
        orig_addr, left = recorded + tlb_offset, alloc_size - tlb_offset
        if state.bounce_check is BounceCheck.NONE:
            wide = low - padding.cast(U64)
            return Copy(recorded + wide, place, length)
        copied = ite(length > left, left, length)
        if state.bounce_check is BounceCheck.UNSIGNED:
            refused = (low < padding.cast(U64)) | (tlb_offset > alloc_size)
            copied = ite(refused, Word(0, SIZE_T), copied)
        return Copy(orig_addr, place, copied)

    def release(self, placed: Placed) -> Release:
        """The slots that unmapping at tlb_addr frees.

        Source: swiotlb_release_slots() (swiotlb_tbl_unmap_single() in v5.10),
        kernel/dma/swiotlb.c.  A pad_slots recorded elsewhere by mistake reads as 0.
        A transient pool goes as a whole: swiotlb_del_transient().
        """
        if placed.transient:
            return Release(Word(0, UNSIGNED_INT), placed.pool.area_nslabs)
        state, mapping, m = self.state, placed.mapping, placed.cell.min_align_mask
        is_alloc = placed.cell.path is Path.ALLOC
        address = self.handed_out(placed)[0] if is_alloc else placed.tlb_addr
        offset = align_offset(m, 0, address)
        index = ((address - offset - placed.pool.start) >> IO_TLB_SHIFT).cast(
            UNSIGNED_INT
        )
        pad_slots = mapping.padding >> IO_TLB_SHIFT
        if state.pad_slots is PadSlots.RECORDED:
            index = ite(index.eq(placed.slot + pad_slots), placed.slot, index)
        below = (mapping.padding & LOW).cast(U64)
        behind = (index - placed.slot).cast(U64) << IO_TLB_SHIFT
        stored = mapping.total - (below + behind)
        if state.release_size is ReleaseSize.CALLER:
            rounds = state.rounding is Rounding.CALLER and not is_alloc
            stored = mapping.printed if rounds else mapping.size
        inside = (index >= placed.slot) & (index < placed.slot + mapping.nslots)
        size = ite(inside, stored, Word(0, SIZE_T))
        return Release(index, nr_slots(size + offset).cast(UNSIGNED_INT))
