/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef STUBS_SWIOTLB_H
#define STUBS_SWIOTLB_H
#include <linux/device.h>

enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE };
#define DMA_ATTR_SKIP_CPU_SYNC (1UL << 5)
#define DMA_MAPPING_ERROR (~(dma_addr_t)0)
#define DMA_BIT_MASK(n) (((n) == 64) ? ~0ULL : ((1ULL << (n)) - 1))
#ifdef ATTRS_BY_ADDRESS
#define ATTRS unsigned long *attrs
#else
#define ATTRS unsigned long attrs
#endif
#ifdef ALLOC_SIZE
#define MORE size_t alloc_size, unsigned int mask,
#else
#define MORE unsigned int mask,
#endif
phys_addr_t swiotlb_tbl_map_single(struct device *dev, phys_addr_t phys, size_t size,
				   MORE enum dma_data_direction dir, ATTRS);
void swiotlb_tbl_unmap_single(struct device *dev, phys_addr_t tlb_addr, size_t size,
			      enum dma_data_direction dir, unsigned long attrs);
bool is_swiotlb_active(struct device *dev);
void dma_set_min_align_mask(struct device *dev, unsigned int mask);
void dma_set_seg_boundary(struct device *dev, unsigned long mask);
#endif
