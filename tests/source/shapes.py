# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""Small trees with the shapes of the kernel's code, in words of our own.

``tree(search=..., ...)`` puts one together; each part can be replaced.
"""

from __future__ import annotations

from bounceproof.source.tree.tree import Tree
from tests.source.trees import SWIOTLB, DictStore

MAKEFILE = "VERSION = 9\nPATCHLEVEL = 8\nSUBLEVEL = 7\nEXTRAVERSION = -rc6\n"
DMA_MAPPING_H = """
#define DMA_MAPPING_ERROR (~(dma_addr_t)0)
#define DMA_ATTR_NO_WARN (1UL << 8)
static inline unsigned int dma_get_min_align_mask(struct device *dev)
{
	return dev->dma_parms ? dev->dma_parms->min_align_mask : 0;
}
static inline unsigned long dma_get_seg_boundary(struct device *dev)
{
	return dev->dma_parms->segment_boundary_mask;
}
"""
SWIOTLB_H = """
#define IO_TLB_SHIFT 11
#define IO_TLB_SIZE (1 << IO_TLB_SHIFT)
#define IO_TLB_SEGSIZE 128
struct io_tlb_mem {
	phys_addr_t start;
	unsigned long nslabs;
	bool force_bounce, for_alloc;
	unsigned int nareas, area_nslabs;
	struct io_tlb_area *areas;
	struct io_tlb_slot *slots;
};
"""
HELPER_H = """
static inline int iommu_is_span_boundary(unsigned int at, unsigned int n,
		unsigned long shift, unsigned long size)
{
	BUG_ON(!is_power_of_2(size));
	return ((shift + at) & (size - 1)) + n > size;
}
"""
POOL = """
struct io_tlb_slot { phys_addr_t orig_addr; size_t alloc_size; unsigned int list; };
struct io_tlb_area { unsigned long used; unsigned int index; spinlock_t lock; };
static unsigned long nr_slots(u64 bytes)
{
	return DIV_ROUND_UP(bytes, IO_TLB_SIZE);
}
static unsigned int low_offset(struct device *dev, u64 addr)
{
	return addr & dma_get_min_align_mask(dev) & (IO_TLB_SIZE - 1);
}
static unsigned int wrapped(struct io_tlb_mem *mem, unsigned int at)
{
	return at < mem->area_nslabs ? at : 0;
}
static void swiotlb_init_io_tlb_mem(struct io_tlb_mem *mem, phys_addr_t start,
		unsigned long nslabs, unsigned int nareas)
{
	unsigned long s;

	mem->start = start;
	mem->nslabs = nslabs;
	mem->nareas = nareas;
	mem->area_nslabs = nslabs / nareas;
	for (s = 0; s < nslabs; s++)
		mem->slots[s].list = IO_TLB_SEGSIZE - (s & (IO_TLB_SEGSIZE - 1));
}
"""
SEARCH_HEAD = """
static int swiotlb_do_find_slots(struct device *dev, int area_index,
		phys_addr_t orig_addr, size_t alloc_size, unsigned int alloc_align_mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	struct io_tlb_area *area = mem->areas + area_index;
	unsigned long bound = dma_get_seg_boundary(dev);
	dma_addr_t base = phys_to_dma_unencrypted(dev, mem->start) & bound;
	unsigned int iotlb_align_mask = dma_get_min_align_mask(dev);
	unsigned int need = nr_slots(alloc_size), stride, index, wrap, done, k, n = 0;
	unsigned long flags;
	unsigned int first = area_index * mem->area_nslabs, slot;

"""
SEARCH_TAIL = """
none:
	spin_unlock_irqrestore(&area->lock, flags);
	return -1;
found:
	for (k = slot; k < slot + need; k++) {
		mem->slots[k].list = 0;
		mem->slots[k].alloc_size = alloc_size - ((k - slot) << IO_TLB_SHIFT);
	}
	for (k = slot - 1; (k & (IO_TLB_SEGSIZE - 1)) != IO_TLB_SEGSIZE - 1 &&
			   mem->slots[k].list; k--)
		mem->slots[k].list = ++n;
	area->index = wrapped(mem, index + need);
	area->used += need;
	spin_unlock_irqrestore(&area->lock, flags);
	return slot;
}
"""
COUNTED = """
	alloc_align_mask |= IO_TLB_SIZE - 1;
	iotlb_align_mask &= ~alloc_align_mask;
	stride = (max(alloc_align_mask, iotlb_align_mask) >> IO_TLB_SHIFT) + 1;
	spin_lock_irqsave(&area->lock, flags);
	if (unlikely(need > mem->area_nslabs - area->used))
		goto none;
	index = area->index;
	for (done = 0; done < mem->area_nslabs; ) {
		phys_addr_t addr;

		slot = first + index;
		addr = base + ((phys_addr_t)slot << IO_TLB_SHIFT);
		if ((addr & alloc_align_mask) ||
		    (orig_addr && ((addr ^ orig_addr) & iotlb_align_mask))) {
			index = wrapped(mem, index + 1);
			done++;
			continue;
		}
		if (!iommu_is_span_boundary(slot, need, nr_slots(base),
					    (bound >> IO_TLB_SHIFT) + 1) &&
		    mem->slots[slot].list >= need)
			goto found;
		index = wrapped(mem, index + stride);
		done += stride;
	}
"""
CIRCULAR = """
	iotlb_align_mask &= ~(IO_TLB_SIZE - 1);
	stride = (iotlb_align_mask >> IO_TLB_SHIFT) + 1;
	if (alloc_size >= PAGE_SIZE)
		stride = max(stride, stride << (PAGE_SHIFT - IO_TLB_SHIFT));
	spin_lock_irqsave(&area->lock, flags);
	if (need > mem->area_nslabs - area->used)
		goto none;
	index = wrap = wrapped(mem, ALIGN(area->index, stride));
	do {
		slot = first + index;
		if (((base + ((phys_addr_t)slot << IO_TLB_SHIFT)) & iotlb_align_mask) !=
		    (orig_addr & iotlb_align_mask)) {
			index = wrapped(mem, index + 1);
			continue;
		}
		if (!iommu_is_span_boundary(slot, need, nr_slots(base),
					    (bound >> IO_TLB_SHIFT) + 1))
			if (mem->slots[slot].list >= need)
				goto found;
		index = wrapped(mem, index + stride);
	} while (index != wrap);
"""
MAP = """
static int swiotlb_find_slots(struct device *dev, phys_addr_t orig_addr,
		size_t alloc_size, unsigned int alloc_align_mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	int area, slot;

	for (area = 0; area < mem->nareas; area++) {
		slot = swiotlb_do_find_slots(dev, area, orig_addr, alloc_size,
					     alloc_align_mask);
		if (slot >= 0)
			return slot;
	}
	return -1;
}
phys_addr_t swiotlb_tbl_map_single(struct device *dev, phys_addr_t orig_addr,
		size_t mapping_size, size_t alloc_size, unsigned int alloc_align_mask,
		enum dma_data_direction dir, unsigned long attrs)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	unsigned int offset = low_offset(dev, orig_addr), k;
	int slot;

	if (mapping_size > alloc_size)
		return (phys_addr_t)DMA_MAPPING_ERROR;
	slot = swiotlb_find_slots(dev, orig_addr, alloc_size + offset, alloc_align_mask);
	if (slot == -1) {
		if (!(attrs & DMA_ATTR_NO_WARN))
			dev_warn_ratelimited(dev,
				"swiotlb buffer is full: %zd of %lu\\n",
				alloc_size, mem->nslabs);
		return (phys_addr_t)DMA_MAPPING_ERROR;
	}
	for (k = 0; k < nr_slots(alloc_size + offset); k++)
		mem->slots[slot + k].orig_addr = orig_addr + ((u64)k << IO_TLB_SHIFT);
	return mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset;
}
dma_addr_t swiotlb_map(struct device *dev, phys_addr_t paddr, size_t size,
		enum dma_data_direction dir, unsigned long attrs)
{
	return swiotlb_tbl_map_single(dev, paddr, size, size, 0, dir, attrs);
}
size_t swiotlb_max_mapping_size(struct device *dev)
{
	int mask = dma_get_min_align_mask(dev), less = 0;

	if (mask)
		less = roundup(mask, IO_TLB_SIZE);
	return (size_t)IO_TLB_SIZE * IO_TLB_SEGSIZE - less;
}
"""
DIRECT_H = """
static inline dma_addr_t dma_direct_map_page(struct device *dev, struct page *page,
		unsigned long offset, size_t size, enum dma_data_direction dir,
		unsigned long attrs)
{
	phys_addr_t phys = page_to_phys(page) + offset;

	if (dev->dma_io_tlb_mem->force_bounce)
		return swiotlb_map(dev, phys, size, dir, attrs);
	return phys;
}
"""
MAPPING_C = """
size_t dma_max_mapping_size(struct device *dev)
{
	return swiotlb_max_mapping_size(dev);
}
"""
NVME_C = """
#define NVME_MAX_KB_SZ 4096
#define NVME_CTRL_PAGE_SIZE (1 << 12)
struct nvme_ctrl { u32 max_hw_sectors; };
struct nvme_dev { struct device *dev; struct nvme_ctrl ctrl; };
static int start(struct nvme_dev *dev)
{
	size_t most = dma_max_mapping_size(dev->dev);

	dma_set_min_align_mask(dev->dev, NVME_CTRL_PAGE_SIZE - 1);
	dev->ctrl.max_hw_sectors = min_t(u32, NVME_MAX_KB_SZ << 1, most >> 9);
	return 0;
}
"""
FILES = {
    "Makefile": MAKEFILE,
    "include/linux/dma-mapping.h": DMA_MAPPING_H,
    "include/linux/swiotlb.h": SWIOTLB_H,
    "include/linux/iommu-helper.h": HELPER_H,
    "kernel/dma/direct.h": DIRECT_H,
    "kernel/dma/mapping.c": MAPPING_C,
    "drivers/nvme/host/pci.c": NVME_C,
}


def files(search: str = COUNTED) -> dict[str, str]:
    """The files of a tree whose search loop is ``search``."""
    swiotlb = POOL + SEARCH_HEAD + search + SEARCH_TAIL + MAP
    return {**FILES, SWIOTLB: swiotlb}


def tree(search: str = COUNTED, **changes: str) -> Tree:
    """A tree; ``changes`` by SWIOTLB-like short names replace text in all files."""
    texts = files(search)
    return Tree(DictStore({**texts, **changes}), "shapes")
