/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls that leave the code, taken as the assumptions state them. */
#undef BUG_ON
#define BUG_ON(c) do { if (c) bp_leave(BP_BUG); } while (0)
#define bp_trap(what) (bp_leave(BP_BUG), 0UL)
#define bp_log(...) ((void)0)
#define bp_test_bit(n, p) \
	((int)(((const unsigned long *)(p))[(n) / 64] >> ((n) % 64) & 1))
#undef memcpy
#define memcpy(to, from, n) \
	((void)bp_record(BP_COPY, bp_number(to), bp_number(from), n))
#undef memset
#define memset(to, c, n) ((void)bp_record(BP_FILL, bp_number(to), c, n))
#undef iommu_map
#define iommu_map(d, iova, phys, n, ...) \
	((((iova) | (phys) | (n)) & (bp_cell.granule - 1)) ? -22 : \
	 bp_record(BP_MAPPED, iova, phys, n))
#undef iommu_map_atomic
#define iommu_map_atomic iommu_map
#undef iommu_map_nosync
#define iommu_map_nosync iommu_map
#define iommu_iova_to_phys(d, iova) bp_translate(iova)
#define __iommu_dma_unmap(...) ((void)0)
