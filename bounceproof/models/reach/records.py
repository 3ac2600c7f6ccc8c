# SPDX-License-Identifier: GPL-2.0-only
"""The rules of each built-in release.

Sources: drivers/pci/probe.c, include/linux/pci.h, drivers/iommu/dma-iommu.c,
kernel/dma/Kconfig, arch/*/mm/init.c, of v5.10.223, v6.1.192, v6.12.118, v7.2.13 and
v7.3.4; 3b96b895127b (v6.13, 6.6.66, 6.1.120) for arch_pci_dev_is_removable().
"""

from __future__ import annotations

from dataclasses import replace

from bounceproof.models.reach.rules import Record, Untrusted

_DEFAULT_MIB = 64

_V5_10 = Record(Untrusted.BELOW_EXTERNAL, False, False, (), _DEFAULT_MIB, read=True)
_V5_16 = Record(Untrusted.BELOW_EXTERNAL, True, False, (), _DEFAULT_MIB, read=False)
_V6_1_192 = replace(_V5_16, untrusted=Untrusted.REMOVABLE, read=True)
_V6_5 = replace(_V5_16, kmalloc=True, shrinks=("arm64",))
_V6_12_107 = Record(
    Untrusted.REMOVABLE, True, True, ("arm64", "riscv"), _DEFAULT_MIB, read=True
)
_V7_3 = replace(_V6_12_107, least_mib=1)

RECORDS: dict[str, Record] = {
    "v5.10.223": _V5_10,
    "v6.1.192": _V6_1_192,
    "v6.12.107": _V6_12_107,
    "v7.2.13": _V6_12_107,
    "v7.3.4": _V7_3,
    **dict.fromkeys(("v5.16", "v6.0", "v6.2.12", "v6.3"), _V5_16),
    **dict.fromkeys(
        (
            *("v6.5", "v6.6", "v6.6.9", "v6.6.24", "v6.6.35", "v6.7", "v6.8.1"),
            *("v6.8.3", "v6.9", "v6.10"),
        ),
        _V6_5,
    ),
    "v6.12": replace(_V6_12_107, untrusted=Untrusted.BELOW_EXTERNAL, read=False),
}


def record_of(name: str) -> Record | None:
    """The record of the release that a kernel's name starts with, None for another."""
    return RECORDS.get(name.split("+")[0])
