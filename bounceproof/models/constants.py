# SPDX-License-Identifier: GPL-2.0-only
"""Constants of the kernel that are the same in every state modelled here.

Sources: include/linux/swiotlb.h, drivers/nvme/host/pci.c, include/linux/iova.h and
drivers/iommu/iova.c, v5.10 to v7.3.  MAX_PAGE_ORDER is the default of
include/linux/mmzone.h and, for 16 and 64 KiB pages, of arch/arm64/Kconfig, v6.12.
"""

from __future__ import annotations

from typing import Final

IO_TLB_SHIFT: Final = 11
IO_TLB_SIZE: Final = 1 << IO_TLB_SHIFT
IO_TLB_SEGSIZE: Final = 128
IO_TLB_MIN_SLABS: Final = (1 << 20) >> IO_TLB_SHIFT
DEFAULT_POOL_BYTES: Final = 64 << 20
IO_TLB_DEFAULT_SLABS: Final = DEFAULT_POOL_BYTES >> IO_TLB_SHIFT
SLOT_SET_BYTES: Final = IO_TLB_SEGSIZE * IO_TLB_SIZE

NVME_CTRL_PAGE_SIZE: Final = 4096
HV_HYP_PAGE_SIZE: Final = 4096
SECTOR_SHIFT: Final = 9
IOVA_RANGE_CACHE_MAX_SIZE: Final = 6

SIZE_MAX: Final = (1 << 64) - 1
NO_SEG_BOUNDARY: Final = (1 << 64) - 1
PCI_SEG_BOUNDARY: Final = 0xFFFFFFFF
U32_MAX: Final = 0xFFFFFFFF

PAGE_SIZES: Final = (4096, 16384, 65536)
SMALLEST_PAGE: Final = 4096
MAX_PAGE_ORDER: Final = {4096: 10, 16384: 11, 65536: 13}
OTHER_MAX_PAGE_ORDER: Final = 10
MAX_MIN_ALIGN_MASK: Final = 0xFFFF
MAX_AREA_SLOTS: Final = 1 << 21
MAX_AREAS: Final = 1 << 15
MAX_POOL_SLOTS: Final = 1 << 30
MAX_PHYS_BITS: Final = 48
LOW_MEMORY_LIMIT: Final = 1 << 32
