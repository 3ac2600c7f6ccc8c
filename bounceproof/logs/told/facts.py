# SPDX-License-Identifier: GPL-2.0-only
"""What one boot's log tells beside its failures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bounceproof.models.constants import PAGE_SIZES

MOST_DEVICES: Final = 4096


@dataclass(slots=True)
class Facts:
    """One boot.  None or empty where the log is silent.

    ``version``: the upstream version; ``release``: what uname -r prints;
    ``hidden_patch``: the name does not say which stable release it is.  Sizes in
    bytes, ``nslabs`` and ``restricted`` (base, slots) in slots.  ``page_size_from``
    names the line the page size was read from.  ``iommu_devices``: devices in an
    IOMMU group; ``reserved_devices``: those with a reserved memory region.
    ``confidential``: how a guest's memory is encrypted.
    """

    version: str | None = None
    release: str | None = None
    version_from: str | None = None
    hidden_patch: bool = False
    distribution: str | None = None
    arch: str | None = None
    command_line: str | None = None
    swiotlb_option: str | None = None
    iommu_options: list[str] = field(default_factory=list)
    page_size: int | None = None
    page_size_from: str | None = None
    granule: int | None = None
    pool_start: int | None = None
    nslabs: int | None = None
    nareas: int | None = None
    cpus: int | None = None
    memory: int | None = None
    iommu: str | None = None
    default_domain: str | None = None
    iommu_devices: set[str] = field(default_factory=set)
    reserved_devices: set[str] = field(default_factory=set)
    confidential: str | None = None
    memory_encryption: bool = False
    restricted: list[tuple[int, int]] = field(default_factory=list)
    dynamic: bool | None = None
    platform: str | None = None
    untrusted: bool = False
    suppressed: int = 0

    def shown(self) -> dict[str, Any]:
        """What the log told, as JSON values."""
        told = asdict(self)
        for name in ("iommu_devices", "reserved_devices"):
            told[name] = sorted(told[name])
        told["restricted"] = [list(pool) for pool in self.restricted]
        silent: tuple[Any, ...] = (None, "", [], 0)
        return {name: value for name, value in told.items() if value not in silent}

    @property
    def pool_known(self) -> bool:
        """Whether the log says anything of a pool."""
        return bool(self.nslabs or self.restricted or self.nareas)

    @property
    def asked_slots(self) -> int | None:
        """The slots that swiotlb= on the command line asks for; None without any."""
        first = (self.swiotlb_option or "").split(",")[0]
        try:
            return int(first, 0) or None
        except ValueError:
            return int(first) or None if first.isdigit() else None

    @property
    def encrypted(self) -> bool:
        """Whether memory encryption makes devices bounce."""
        return self.confidential is not None or self.memory_encryption

    def set_page_size(self, size: int, source: str) -> None:
        """Take ``size`` for the page size, if it is one and none is known."""
        if size in PAGE_SIZES and self.page_size is None:
            self.page_size, self.page_size_from = size, source

    def set_arch(self, arch: str) -> None:
        """Take ``arch`` for the architecture, and its only page size if it has one."""
        self.arch = self.arch or arch
        if arch in _ONE_PAGE_SIZE:
            self.set_page_size(4096, f"{arch} has 4 KiB pages")


_ONE_PAGE_SIZE: Final = ("x86", "arm", "riscv", "s390")
