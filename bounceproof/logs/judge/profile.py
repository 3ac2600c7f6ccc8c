# SPDX-License-Identifier: GPL-2.0-only
"""What a driver may ask for, by the name it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.judge.drivers import MODELLED
from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.requests.devices import DEVICES, Device

_BY_NAME: Final = {device.name: device for device in DEVICES}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a driver may ask for.

    ``device`` None: a driver without a model, taken to set no min_align_mask and to
    ask for any size; only NVMe and Hyper-V set a mask in the kernel's own tree.
    ``any_size``: it maps what is no whole sector as well, of any size, as drivers do
    with sense data and command buffers.
    """

    device: Device | None
    driver: str | None
    no_min_align: bool = False
    any_size: bool = False

    @property
    def name(self) -> str:
        return self.device.name if self.device is not None else "any without a mask"

    @property
    def size_step(self) -> int:
        return 1 if self.device is None or self.any_size else self.device.size_step

    @property
    def addr_step(self) -> int:
        return 1 if self.device is None or self.any_size else self.device.addr_step

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
        if self.device is None or self.any_size:
            return 1 << MAX_PHYS_BITS
        return self.device.max_size(model, cell)


def profile_of(
    driver: str | None, device: Device | None, no_min_align: bool = False
) -> Profile:
    """The profile of a log line's driver; ``device`` overrides it."""
    known = _BY_NAME.get(MODELLED.get(driver or "", ""))
    return Profile(device if device is not None else known, driver, no_min_align)
