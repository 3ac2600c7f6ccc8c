# SPDX-License-Identifier: GPL-2.0-only
"""From a request to the slot search: bounce condition, rounding, padding, masks."""

from __future__ import annotations

from bounceproof.models.constants import IO_TLB_SIZE
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.kernels.state import (
    AllocAlign,
    KernelState,
    MaskAboveGranule,
    Padding,
    Rounding,
)
from bounceproof.models.request import Cell, Mapping, Path, Request
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

SLOT_LOW_BITS = IO_TLB_SIZE - 1


def nr_slots(size: Word, geometry: SlotGeometry = MAINLINE) -> Word:
    """Slots that hold ``size`` bytes: DIV_ROUND_UP(size, IO_TLB_SIZE), u64.

    Source: nr_slots(), kernel/dma/swiotlb.c.
    """
    return (size.cast(U64) + geometry.low) >> geometry.shift


def align_offset(min_align_mask: int, align_mask: int, addr: Word) -> Word:
    """Pre-padding in bytes for ``addr`` (unsigned int).

    Source: swiotlb_align_offset(), kernel/dma/swiotlb.c.
    """
    mask = Word(align_mask | SLOT_LOW_BITS, UNSIGNED_INT)
    return (addr & Word(min_align_mask, UNSIGNED_INT) & mask).cast(UNSIGNED_INT)


def get_order(size: Word, cell: Cell, largest: int = 64) -> Word:
    """The order of the page block that holds ``size`` bytes (int), not 0.

    ``largest`` is a number of bits that ``size`` is known to fit.  Source:
    get_order(), include/asm-generic/getorder.h.
    """
    pages = (size.cast(U64) - 1) >> cell.page_shift
    order = Word(0, INT)
    for bit in range(largest - cell.page_shift):
        order = ite((pages >> bit).nonzero(), Word(bit + 1, INT), order)
    return order


def block_bytes(cell: Cell, nslots: Word, geometry: SlotGeometry = MAINLINE) -> Word:
    """Bytes of the pages that ``nslots`` slots, up to a slot set, are put in (U64)."""
    largest = max(geometry.set_bytes.bit_length(), cell.page_shift)
    order = get_order(nslots.cast(U64) << geometry.shift, cell, largest)
    return Word(cell.page_size, U64) << order


def alloc_order_mask(size: Word, cell: Cell) -> Word:
    """swiotlb_alloc()'s alignment: (1 << (get_order(size) + PAGE_SHIFT)) - 1, u32.

    Source: swiotlb_alloc(), kernel/dma/swiotlb.c, v6.9.  The shift is one of int.
    """
    shift = get_order(size, cell) + cell.page_shift
    return ((Word(1, INT) << shift) - 1).cast(UNSIGNED_INT)


def _streaming(
    state: KernelState, cell: Cell, request: Request, alloc_align_mask: int
) -> tuple[Word, Word, Word]:
    """Padding, bytes searched for and size printed, of swiotlb_tbl_map_single()."""
    covered = alloc_align_mask if state.padding is Padding.ALLOC else 0
    padding = align_offset(cell.min_align_mask, covered, request.orig_addr)
    rounding = Word(alloc_align_mask, UNSIGNED_INT) + 1
    if state.rounding is Rounding.CALLEE:
        total = align(request.size + padding, rounding)
        return padding, total, total
    alloc_size = align(request.size, rounding)
    return padding, alloc_size + padding, alloc_size


def link_piece(cell: Cell, request: Request) -> Request:
    """The first piece of a request that dma_iova_link() bounces.

    Source: iommu_dma_iova_link_swiotlb(), drivers/iommu/dma-iommu.c, v6.16 on.
    """
    mask, granule = cell.granule - 1, Word(cell.granule, SIZE_T)
    head, end = request.orig_addr & mask, request.orig_addr + request.size
    tail = end & mask
    length = minimum(request.size, granule - head)
    has_head = head.ne(0)
    return Request(
        ite(has_head, request.orig_addr, end - tail), ite(has_head, length, tail)
    )


def _mapping(
    state: KernelState,
    cell: Cell,
    request: Request,
    mask: int,
    bounced: Truth,
    refused: bool,
) -> Mapping:
    padding, total, printed = _streaming(state, cell, request, mask)
    return Mapping(
        bounced=bounced,
        refused=Truth(refused),
        alloc_align_mask=Word(mask, UNSIGNED_INT),
        padding=padding,
        total=total,
        printed=printed,
        nslots=nr_slots(total).cast(UNSIGNED_INT),
        orig_addr=request.orig_addr,
        size=request.size,
    )


def _iommu(state: KernelState, cell: Cell, request: Request) -> Mapping:
    mask = cell.granule - 1
    unaligned = ((request.orig_addr | request.size) & mask).nonzero()
    refused = (
        state.mask_above_granule is MaskAboveGranule.REFUSED
        and cell.min_align_mask > mask
    )
    return _mapping(state, cell, request, mask, unaligned, refused)


def _link(state: KernelState, cell: Cell, request: Request) -> Mapping:
    mask = cell.granule - 1
    unaligned = ((request.orig_addr | request.size) & mask).nonzero()
    piece = link_piece(cell, request)
    return _mapping(state, cell, piece, mask, unaligned, False)


def _direct(state: KernelState, cell: Cell, request: Request) -> Mapping:
    return _mapping(state, cell, request, 0, TRUE, False)


def _alloc(state: KernelState, cell: Cell, request: Request) -> Mapping:
    mask = Word(0, UNSIGNED_INT)
    if state.alloc_align is AllocAlign.PAGE_ORDER:
        mask = alloc_order_mask(request.size, cell)
    return Mapping(
        bounced=TRUE,
        refused=FALSE,
        alloc_align_mask=mask,
        padding=Word(0, UNSIGNED_INT),
        total=request.size,
        printed=Word(0, SIZE_T),
        nslots=nr_slots(request.size).cast(UNSIGNED_INT),
        orig_addr=request.orig_addr,
        size=request.size,
    )


def prepare(state: KernelState, cell: Cell, request: Request) -> Mapping:
    """The request as the slot search of ``state`` receives it.

    Sources: swiotlb_map(), swiotlb_tbl_map_single(), swiotlb_alloc() in
    kernel/dma/swiotlb.c; iommu_dma_map_page() (iommu_dma_map_phys() from v6.18),
    __iommu_dma_map() and iommu_dma_iova_link_swiotlb() in drivers/iommu/dma-iommu.c.
    """
    build = {
        Path.IOMMU: _iommu,
        Path.DIRECT: _direct,
        Path.ALLOC: _alloc,
        Path.LINK: _link,
    }
    return build[cell.path](state, cell, request)
