# SPDX-License-Identifier: GPL-2.0-only
"""What the DMA layer and nvme-pci promise about the size of one mapping, in bytes."""

from __future__ import annotations

from dataclasses import replace

from bounceproof.models.constants import (
    IO_TLB_SIZE,
    IOVA_RANGE_CACHE_MAX_SIZE,
    NVME_CTRL_PAGE_SIZE,
    SECTOR_SHIFT,
    SIZE_MAX,
    SLOT_SET_BYTES,
)
from bounceproof.models.kernels.state import (
    IommuMaxMapping,
    KernelState,
    LimitSource,
    MaxMapping,
    NvmeAlignMask,
    NvmeOrder,
)
from bounceproof.models.request import Cell
from bounceproof.models.words.word import (
    INT,
    SIZE_T,
    UNSIGNED_INT,
    Word,
    minimum,
)


def swiotlb_max_mapping_size(state: KernelState, min_align_mask: int) -> Word:
    """Bytes that swiotlb says one mapping may have (size_t).

    Source: swiotlb_max_mapping_size(), kernel/dma/swiotlb.c.  The mask is copied to
    an int and rounded up to slots in int arithmetic.
    """
    slot_set = Word(SLOT_SET_BYTES, SIZE_T)
    if state.max_mapping is MaxMapping.SLOT_SET:
        return slot_set
    mask = Word(min_align_mask, UNSIGNED_INT).cast(INT)
    min_align = (mask + (IO_TLB_SIZE - 1)) // IO_TLB_SIZE * IO_TLB_SIZE
    return slot_set - min_align


def max_mapping_size(state: KernelState, cell: Cell) -> Word:
    """dma_max_mapping_size() of a device that bounces (size_t, bytes).

    Source: dma_direct_max_mapping_size(), kernel/dma/direct.c, with bouncing forced;
    iommu_dma_max_mapping_size(), drivers/iommu/dma-iommu.c, for an untrusted device.
    """
    limit = swiotlb_max_mapping_size(state, cell.min_align_mask)
    if not cell.path.has_granule:
        return limit
    if state.iommu_max_mapping is IommuMaxMapping.ABSENT:
        return Word(SIZE_MAX, SIZE_T)
    if state.iommu_max_mapping is IommuMaxMapping.SWIOTLB_ALIGN_DOWN:
        return limit & ~(Word(cell.granule, SIZE_T) - 1)
    return limit


def opt_mapping_size(state: KernelState, cell: Cell) -> Word:
    """dma_opt_mapping_size(): the IOVA range cache, at most the maximum (size_t).

    Source: dma_opt_mapping_size(), kernel/dma/mapping.c; iova_rcache_range(),
    drivers/iommu/iova.c.  dma-direct has no such operation.
    """
    limit = max_mapping_size(state, cell)
    if not cell.path.has_granule:
        return limit
    cached = Word(cell.page_size, SIZE_T) << (IOVA_RANGE_CACHE_MAX_SIZE - 1)
    return minimum(limit, cached)


def nvme_align_mask(state: KernelState, page_size: int) -> int:
    """The min_align_mask nvme-pci sets (bytes).  Source: nvme_probe and its callees."""
    if state.nvme_align_mask is NvmeAlignMask.PAGE:
        return page_size - 1
    return NVME_CTRL_PAGE_SIZE - 1


def nvme_limit(state: KernelState, cell: Cell) -> Word:
    """nvme-pci's max_hw_sectors in bytes, for a controller without MDTS (u64).

    Source: drivers/nvme/host/pci.c, where max_hw_sectors is set: min_t(u32, of the
    constant in sectors and the DMA layer's size >> 9).
    """
    if state.nvme_order is NvmeOrder.LIMIT_FIRST:
        cell = replace(cell, min_align_mask=0)
    source = (
        opt_mapping_size(state, cell)
        if state.nvme_limit_source is LimitSource.OPT_MAPPING
        else max_mapping_size(state, cell)
    )
    constant = Word(state.nvme_max_kb << 1, UNSIGNED_INT)
    sectors = minimum(constant, (source >> SECTOR_SHIFT).cast(UNSIGNED_INT))
    return sectors.cast(SIZE_T) << SECTOR_SHIFT
