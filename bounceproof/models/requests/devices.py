# SPDX-License-Identifier: GPL-2.0-only
"""Devices as data: masks, limits, what a driver may ask for, and where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.constants import (
    HV_HYP_PAGE_SIZE,
    MAX_MIN_ALIGN_MASK,
    NO_SEG_BOUNDARY,
    PCI_SEG_BOUNDARY,
    SECTOR_SHIFT,
    SMALLEST_PAGE,
    U32_MAX,
)
from bounceproof.models.request import Cell, KernelModel, Path

APPLE_MAX_SECTORS = 4096 << 1


class Limit(StrEnum):
    """What bounds the size of one mapping."""

    NVME = "max_hw_sectors of nvme-pci"
    APPLE = "max_hw_sectors of nvme-apple"
    SECTORS = "dma_max_mapping_size() in whole sectors"
    SEGMENT = "dma_max_mapping_size(), at most U32_MAX"
    MAX_MAPPING = "dma_max_mapping_size()"


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of device.

    ``min_align_mask``: None means whatever nvme-pci sets in the kernel at hand, or,
    where ``any_mask``, every 2^k - 1 up to 0xffff.  ``seg_boundary_mask``: None means
    every 2^k - 1.  Sizes and addresses are multiples of the steps (bytes).
    ``largest``: the most bytes that the driver asks for whatever the DMA layer says,
    None for no such bound.
    """

    name: str
    summary: str
    source: str
    paths: tuple[Path, ...]
    limit: Limit
    min_align_mask: int | None = None
    any_mask: bool = False
    seg_boundary_mask: int | None = NO_SEG_BOUNDARY
    size_step: int = 1
    addr_step: int = 1
    largest: int | None = None

    def masks(self, model: KernelModel, page_size: int) -> tuple[int, ...]:
        """The min_align_masks this device may have, largest first."""
        if self.any_mask:
            return tuple(sorted(legal_masks(), reverse=True))
        if self.min_align_mask is None:
            return (model.nvme_align_mask(page_size),)
        return (self.min_align_mask,)

    def max_size(self, model: KernelModel, cell: Cell) -> int:
        """The driver's limit in bytes for one mapping in ``cell``."""
        most = self._within_layers(model, cell)
        return most if self.largest is None else min(most, self.largest)

    def _within_layers(self, model: KernelModel, cell: Cell) -> int:
        """What the DMA layer, and what lies between it and the driver, allow."""
        if self.limit is Limit.NVME:
            return model.nvme_limit(cell)
        largest = model.max_mapping_size(cell)
        sectors = (largest >> SECTOR_SHIFT) & U32_MAX
        if self.limit is Limit.APPLE:
            return min(APPLE_MAX_SECTORS, sectors) << SECTOR_SHIFT
        if self.limit is Limit.SECTORS:
            return sectors << SECTOR_SHIFT
        return min(largest, U32_MAX) if self.limit is Limit.SEGMENT else largest


def legal_masks() -> tuple[int, ...]:
    """Every min_align_mask 2^k - 1 up to 0xffff, and none."""
    return tuple((1 << k) - 1 for k in range(MAX_MIN_ALIGN_MASK.bit_length() + 1))


_STREAMING = (Path.IOMMU, Path.DIRECT)
_BLOCK = (*_STREAMING, Path.LINK)

DEVICES: tuple[Device, ...] = (
    Device(
        name="nvme",
        summary="NVMe on PCI; whole sectors, addresses in multiples of 4",
        source="drivers/nvme/host/pci.c",
        paths=_BLOCK,
        limit=Limit.NVME,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=512,
        addr_step=4,
    ),
    Device(
        name="nvme-apple",
        summary="NVMe in Apple silicon; no min_align_mask",
        source="drivers/nvme/host/apple.c",
        paths=_STREAMING,
        limit=Limit.APPLE,
        min_align_mask=0,
        size_step=512,
        addr_step=4,
    ),
    Device(
        name="storvsc",
        summary="Hyper-V storage; 4 KiB mask whatever the guest's page",
        source="drivers/scsi/storvsc_drv.c",
        paths=(Path.DIRECT,),
        limit=Limit.SECTORS,
        min_align_mask=HV_HYP_PAGE_SIZE - 1,
        size_step=512,
        addr_step=4,
    ),
    Device(
        name="scsi",
        summary="a SCSI host on PCI, SAS and UAS too, with the midlayer's limit",
        source="drivers/scsi/hosts.c, drivers/scsi/scsi_transport_sas.c",
        paths=_STREAMING,
        limit=Limit.SECTORS,
        min_align_mask=0,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=512,
        addr_step=4,
    ),
    Device(
        name="virtio-blk",
        summary="virtio block on PCI; segments up to the DMA layer's limit",
        source="drivers/block/virtio_blk.c, drivers/virtio/virtio_ring.c",
        paths=_STREAMING,
        limit=Limit.SEGMENT,
        min_align_mask=0,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=512,
        addr_step=1,
    ),
    Device(
        name="usb-storage",
        summary="USB mass storage; 2048 sectors at most, whole sectors at sectors",
        source="drivers/usb/storage/scsiglue.c",
        paths=_STREAMING,
        limit=Limit.SECTORS,
        min_align_mask=0,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=512,
        addr_step=512,
        largest=2048 << SECTOR_SHIFT,
    ),
    Device(
        name="mmc",
        summary="SD and MMC hosts without scatter-gather; 512 KiB at most",
        source="drivers/mmc/host/sdhci.c, drivers/mmc/host/bcm2835.c, "
        "drivers/mmc/host/tmio_mmc_core.c",
        paths=_STREAMING,
        limit=Limit.MAX_MAPPING,
        min_align_mask=0,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=512,
        addr_step=4,
        largest=512 << 10,
    ),
    Device(
        name="netvsc",
        summary="Hyper-V network; keeps the offset in 4 KiB, asks for no limit",
        source="drivers/net/hyperv/netvsc_drv.c",
        paths=(Path.DIRECT,),
        limit=Limit.MAX_MAPPING,
        min_align_mask=HV_HYP_PAGE_SIZE - 1,
        largest=64 << 10,
    ),
    Device(
        name="drm",
        summary="graphics and accelerators; segments of whole pages up to the DMA "
        "layer's limit",
        source="drivers/gpu/drm/i915/i915_scatterlist.h, drivers/gpu/drm/xe/xe_bo.h, "
        "drivers/gpu/drm/drm_prime.c, drivers/gpu/drm/virtio/virtgpu_drv.c, "
        "drivers/accel/amdxdna/amdxdna_cbuf.c",
        paths=_STREAMING,
        limit=Limit.SEGMENT,
        min_align_mask=0,
        seg_boundary_mask=PCI_SEG_BOUNDARY,
        size_step=SMALLEST_PAGE,
        addr_step=SMALLEST_PAGE,
    ),
    Device(
        name="generic",
        summary="any mask 2^k - 1, any segment boundary, any byte",
        source="include/linux/dma-mapping.h",
        paths=(Path.IOMMU, Path.DIRECT, Path.ALLOC, Path.LINK),
        limit=Limit.MAX_MAPPING,
        any_mask=True,
        seg_boundary_mask=None,
    ),
)

DRIVERS = tuple(device for device in DEVICES if not device.any_mask)
"""Those that stand for drivers: what ``--device all`` asks about."""
