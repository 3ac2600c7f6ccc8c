# SPDX-License-Identifier: GPL-2.0-only
"""What decides on which machines a mapping bounces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """Who can meet a configuration: machines that exist, none until something else
    changes, or nobody, as no driver asks for it."""

    LIVE = "live"
    LATENT = "latent"
    MODEL = "model only"


class Untrusted(StrEnum):
    """Which PCI devices a kernel marks untrusted, so that dma-iommu bounces for them.

    Source: set_pcie_untrusted(), drivers/pci/probe.c.
    """

    BELOW_EXTERNAL = "those below a port that firmware marks external-facing"
    REMOVABLE = "those that arch_pci_dev_is_removable() names, on x86 with ACPI alone"


@dataclass(frozen=True, slots=True)
class Record:
    """What one kernel has of each rule.

    ``restricted_pools``: there is CONFIG_DMA_RESTRICTED_POOL.  ``kmalloc``:
    dma_kmalloc_needs_bounce() is asked, so that small buffers bounce for a cache
    line's sake.  ``shrinks``: architectures that make the pool a 1024th of memory
    where no zone needs bouncing.  ``least_mib``: the smallest default pool that
    Kconfig allows, in MiB.  ``read``: all of this was read in the whole tree;
    otherwise it is inferred from complete neighbours.
    """

    untrusted: Untrusted
    restricted_pools: bool
    kmalloc: bool
    shrinks: tuple[str, ...]
    least_mib: int
    read: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """Who meets a configuration: on which machines, or what would have to change."""

    reach: Reach
    who: str
