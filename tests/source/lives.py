# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""Small trees whose mappings live: copies, syncs, zeroing and release of our own."""

from __future__ import annotations

from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source.shapes import COUNTED, DIRECT_H, DMA_MAPPING_H, files
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

DMA_IOMMU = "drivers/iommu/dma-iommu.c"
DIRECTIONS = """
enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE };
"""
DECLARED = """
phys_addr_t swiotlb_tbl_map_single(struct device *dev, phys_addr_t orig_addr,
		size_t mapping_size, size_t alloc_size, unsigned int alloc_align_mask,
		enum dma_data_direction dir, unsigned long attrs);
void swiotlb_tbl_unmap_single(struct device *dev, phys_addr_t at, size_t size,
		enum dma_data_direction dir, unsigned long attrs);
void sync_buffer(struct device *dev, phys_addr_t at, size_t n, bool to_device);
static inline bool in_pool(struct device *dev, phys_addr_t at)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;

	return at >= mem->start && at < mem->start + (mem->nslabs << IO_TLB_SHIFT);
}
"""
BOUNCE = """
static void bounce(struct device *dev, phys_addr_t at, size_t n,
		enum dma_data_direction dir)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	int k = (at - mem->start) >> IO_TLB_SHIFT;
	phys_addr_t orig = mem->slots[k].orig_addr;
	size_t left = mem->slots[k].alloc_size;
	int shift = (at & (IO_TLB_SIZE - 1)) - low_offset(dev, orig);

	orig += shift;
	left -= shift;
	if (n > left)
		n = left;
	if (dir == DMA_TO_DEVICE)
		memcpy(phys_to_virt(at), phys_to_virt(orig), n);
	else
		memcpy(phys_to_virt(orig), phys_to_virt(at), n);
}
void sync_buffer(struct device *dev, phys_addr_t at, size_t n, bool to_device)
{
	bounce(dev, at, n, to_device ? DMA_TO_DEVICE : DMA_FROM_DEVICE);
}
"""
RELEASE = """
void swiotlb_tbl_unmap_single(struct device *dev, phys_addr_t at, size_t size,
		enum dma_data_direction dir, unsigned long attrs)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	unsigned int pad = low_offset(dev, at);
	int first = (at - pad - mem->start) >> IO_TLB_SHIFT, k;
	int count = nr_slots(mem->slots[first].alloc_size + pad), run = 0;
	struct io_tlb_area *area = mem->areas + first / mem->area_nslabs;

	if (dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL)
		bounce(dev, at, size, DMA_FROM_DEVICE);
	if (first + count < ALIGN(first + 1, IO_TLB_SEGSIZE))
		run = mem->slots[first + count].list;
	for (k = first + count - 1; k >= first; k--) {
		mem->slots[k].list = ++run;
		mem->slots[k].alloc_size = 0;
	}
	for (k = first - 1; (k & (IO_TLB_SEGSIZE - 1)) != IO_TLB_SEGSIZE - 1 &&
			    mem->slots[k].list; k--)
		mem->slots[k].list = ++run;
	area->used -= count;
}
"""
DIRECT_ENDS = """
static inline void dma_direct_sync_single_for_device(struct device *dev,
		dma_addr_t addr, size_t size, enum dma_data_direction dir)
{
	if (in_pool(dev, addr) && dir != DMA_FROM_DEVICE)
		sync_buffer(dev, addr, size, true);
}
static inline void dma_direct_sync_single_for_cpu(struct device *dev,
		dma_addr_t addr, size_t size, enum dma_data_direction dir)
{
	if (in_pool(dev, addr) && dir != DMA_TO_DEVICE)
		sync_buffer(dev, addr, size, false);
}
static inline void dma_direct_unmap_page(struct device *dev, dma_addr_t addr,
		size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	if (in_pool(dev, addr))
		swiotlb_tbl_unmap_single(dev, addr, size, dir, attrs);
}
"""
IOMMU_C = """
struct iommu_dma_cookie { struct iova_domain iovad; };
static struct iova_domain *iovad_of(struct device *dev)
{
	return &iommu_get_dma_domain(dev)->iova_cookie->iovad;
}
static dma_addr_t map_whole(struct device *dev, phys_addr_t phys, size_t size)
{
	struct iova_domain *iovad = iovad_of(dev);
	size_t below = phys & (iovad->granule - 1);
	dma_addr_t iova = 1UL << 40;

	if (iommu_map(iommu_get_dma_domain(dev), iova, phys - below,
		      ALIGN(size + below, iovad->granule), 0, 0))
		return DMA_MAPPING_ERROR;
	return iova + below;
}
static dma_addr_t iommu_dma_map_page(struct device *dev, struct page *page,
		unsigned long offset, size_t size, enum dma_data_direction dir,
		unsigned long attrs)
{
	phys_addr_t phys = page_to_phys(page) + offset;
	unsigned long g = iovad_of(dev)->granule, end;
	size_t rounded, pad = phys & dma_get_min_align_mask(dev) & (IO_TLB_SIZE - 1);

	if ((phys | size) & (g - 1)) {
		rounded = ALIGN(size + pad, g) - pad;
		phys = swiotlb_tbl_map_single(dev, phys, size, rounded, g - 1, dir, attrs);
		if (phys == DMA_MAPPING_ERROR)
			return DMA_MAPPING_ERROR;
		end = ALIGN(phys + size, g);
		memset(phys_to_virt(phys & ~(g - 1)), 0, phys & (g - 1));
		memset(phys_to_virt(phys + size), 0, end - phys - size);
	}
	return map_whole(dev, phys, size);
}
static void iommu_dma_sync_single_for_device(struct device *dev, dma_addr_t dma_handle,
		size_t size, enum dma_data_direction dir)
{
	sync_buffer(dev, iommu_iova_to_phys(0, dma_handle), size, true);
}
static void iommu_dma_sync_single_for_cpu(struct device *dev, dma_addr_t dma_handle,
		size_t size, enum dma_data_direction dir)
{
	sync_buffer(dev, iommu_iova_to_phys(0, dma_handle), size, false);
}
static void iommu_dma_unmap_page(struct device *dev, dma_addr_t dma_handle,
		size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	swiotlb_tbl_unmap_single(dev, iommu_iova_to_phys(0, dma_handle), size, dir, attrs);
}
"""
_SHORT = "alloc_size - ((k - slot) << IO_TLB_SHIFT)"
_WHOLE = "alloc_size - low_offset(dev, orig_addr) - ((k - slot) << IO_TLB_SHIFT)"
_PLACED = "\treturn mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset;\n"
_COPIED = """	bounce(dev, mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset,
	       mapping_size, DMA_TO_DEVICE);
"""


def texts(search: str = COUNTED) -> dict[str, str]:
    """The files of a tree that maps, syncs and unmaps."""
    held = files(search)
    swiotlb = held[SWIOTLB].replace(_SHORT, _WHOLE).replace(_PLACED, _COPIED + _PLACED)
    head, mapping = swiotlb.split("static int swiotlb_find_slots(", 1)
    swiotlb = f"{head}{BOUNCE}{RELEASE}static int swiotlb_find_slots({mapping}"
    held[SWIOTLB] = swiotlb
    held["include/linux/dma-mapping.h"] = DIRECTIONS + DMA_MAPPING_H
    held["include/linux/swiotlb.h"] += DECLARED
    held["kernel/dma/direct.h"] = DIRECT_H + DIRECT_ENDS
    held[DMA_IOMMU] = IOMMU_C
    return held


def kernel(*changes: tuple[str, str, str]) -> TreeKernel:
    """The tree, with ``changes``: file, text, text in its place."""
    held = texts()
    for file, old, new in changes:
        assert held[file].count(old) == 1, old
        held[file] = held[file].replace(old, new)
    return proved_kernel(Tree(DictStore(held), "lives"))
