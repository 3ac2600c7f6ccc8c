# SPDX-License-Identifier: GPL-2.0-only
"""From the driver's name in a log line to what that driver may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.devices import DEVICES, Device
from bounceproof.models.request import Cell, KernelModel, Path

_BY_NAME: Final = {device.name: device for device in DEVICES}
_DRIVERS: Final = {
    "nvme": "nvme",
    "nvme-apple": "nvme-apple",
    "hv_storvsc": "storvsc",
    "storvsc": "storvsc",
    "virtio-pci": "virtio-blk",
    "virtio_blk": "virtio-blk",
    **dict.fromkeys(
        (
            "ahci",
            "megaraid_sas",
            "mpt3sas",
            "mpi3mr",
            "qla2xxx",
            "lpfc",
            "aacraid",
            "smartpqi",
            "hpsa",
            "vmw_pvscsi",
            "hisi_sas_v3_hw",
            "pm80xx",
            "uas",
        ),
        "scsi",
    ),
}
MAPPED_APART: Final = ("nvme", "nvme-apple", "storvsc", "scsi", "virtio-blk")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a driver may ask for.

    ``device`` None: a driver without a model, taken to set no min_align_mask and to
    ask for any size; only NVMe and Hyper-V set a mask in the kernel's own tree.
    """

    device: Device | None
    driver: str | None
    no_min_align: bool = False

    @property
    def name(self) -> str:
        return self.device.name if self.device is not None else "any without a mask"

    @property
    def size_step(self) -> int:
        return self.device.size_step if self.device is not None else 1

    @property
    def addr_step(self) -> int:
        return self.device.addr_step if self.device is not None else 1

    @property
    def block_device(self) -> bool:
        """Whether the block layer cuts its requests to max_sectors_kb."""
        return self.device is not None and self.device.name in MAPPED_APART

    def masks(self, model: KernelModel, page_size: int) -> tuple[int, ...]:
        """The min_align_masks it may have."""
        if self.no_min_align or self.device is None:
            return (0,)
        return self.device.masks(model, page_size)

    def paths(self) -> tuple[Path, ...]:
        """The ways into swiotlb on which "swiotlb buffer is full" is printed."""
        both = (Path.IOMMU, Path.DIRECT)
        if self.device is None:
            return both
        return tuple(path for path in both if path in self.device.paths)

    def max_size(self, model: KernelModel, cell: Cell) -> int:
        """The driver's limit in bytes for one mapping."""
        if self.device is None:
            return 1 << MAX_PHYS_BITS
        return self.device.max_size(model, cell)


def profile_of(
    driver: str | None, device: Device | None, no_min_align: bool = False
) -> Profile:
    """The profile of a log line's driver; ``device`` overrides it."""
    known = _BY_NAME.get(_DRIVERS.get(driver or "", ""))
    return Profile(device if device is not None else known, driver, no_min_align)
