# SPDX-License-Identifier: GPL-2.0-only
"""Structures of headers that are not read: only the fields that the model states.

They stand in where the tree's own declaration was not seen; the tree's wins.
"""

OUTSIDE_TYPES = """
struct device_dma_parameters {
    unsigned int max_segment_size;
    unsigned int min_align_mask;
    unsigned long segment_boundary_mask;
};
struct list_head { struct list_head *next, *prev; };
struct dev_iommu { bool pci_32bit_workaround; bool shadow_on_flush; };
struct device {
    void *bus;
    uint64_t *dma_mask;
    uint64_t coherent_dma_mask;
    uint64_t bus_dma_limit;
    struct bus_dma_region *dma_range_map;
    struct device_dma_parameters *dma_parms;
    struct io_tlb_mem *dma_io_tlb_mem;
    struct dma_map_ops *dma_ops;
    struct dev_iommu *iommu;
    bool dma_coherent;
    bool dma_ops_bypass;
    bool dma_iommu;
    bool dma_skip_sync;
    bool dma_uses_io_tlb;
};
struct bus_dma_region {
    uint64_t cpu_start;
    uint64_t dma_start;
    uint64_t size;
    uint64_t offset;
};
struct pci_dev { struct device dev; unsigned int untrusted:1; };
struct iommu_domain_geometry {
    uint64_t aperture_start;
    uint64_t aperture_end;
    bool force_aperture;
};
struct iommu_domain {
    unsigned int type;
    unsigned int cookie_type;
    unsigned long pgsize_bitmap;
    struct iommu_domain_geometry geometry;
    struct iommu_dma_cookie *iova_cookie;
    struct iommu_dma_msi_cookie *msi_cookie;
};
enum iommu_domain_cookie_type {
    IOMMU_COOKIE_NONE,
    IOMMU_COOKIE_DMA_IOVA,
    IOMMU_COOKIE_DMA_MSI,
};
struct iova_domain { unsigned long granule; unsigned long start_pfn; };
struct page { unsigned long flags; };
"""
