/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef STUBS_DEVICE_H
#define STUBS_DEVICE_H
#include <stdbool.h>
#include <stddef.h>

typedef unsigned long long u64;
typedef u64 phys_addr_t;
typedef u64 dma_addr_t;
#define ENOMEM 12
#define GFP_KERNEL 0u
#define PAGE_SIZE 65536UL
#define SZ_512 0x200

struct device_dma_parameters {
	unsigned int max_segment_size;
	unsigned int min_align_mask;
	unsigned long segment_boundary_mask;
};
struct device {
	u64 *dma_mask;
	struct device_dma_parameters *dma_parms;
};
struct device *root_device_register(const char *name);
void root_device_unregister(struct device *dev);
int get_order(unsigned long size);
unsigned long __get_free_pages(unsigned int flags, unsigned int order);
void free_pages(unsigned long addr, unsigned int order);
phys_addr_t virt_to_phys(volatile void *address);
bool IS_ERR(const void *ptr);
long PTR_ERR(const void *ptr);
#endif
