# SPDX-License-Identifier: GPL-2.0-only
"""Which machines have a configuration."""

from __future__ import annotations

from bounceproof.models.constants import (
    DEFAULT_POOL_BYTES,
    NVME_CTRL_PAGE_SIZE,
    SLOT_SET_BYTES,
    SMALLEST_PAGE,
)
from bounceproof.models.reach.rules import Reach, Reached, Record, Untrusted
from bounceproof.models.request import Cell, Path, PoolKind

_LARGE_PAGES = "16 and 64 KiB pages: arm64, loongarch, mips, powerpc"
_DYNAMIC = "with CONFIG_SWIOTLB_DYNAMIC, which s390 selects and others leave off"
_PARTS = "no driver of v7.3 with a min_align_mask syncs a part of a mapping"
DRIVERS_MASKS = (0, NVME_CTRL_PAGE_SIZE - 1)
"""The min_align_masks that drivers of every release set: none, and the 4 KiB of
nvme-pci and of Hyper-V's storvsc and netvsc."""


def reached(record: Record, cell: Cell, masks: tuple[int, ...] = ()) -> Reached:
    """Who meets ``cell`` in a kernel of ``record``.

    ``masks`` are min_align_masks that its drivers set besides the usual ones.
    """
    if cell.min_align_mask not in (*DRIVERS_MASKS, *masks):
        why = f"no driver sets min_align_mask {cell.min_align_mask:#x}"
        return Reached(Reach.MODEL, why)
    found = _by_path(record, cell)
    if cell.pool_kind is PoolKind.DEFAULT or found.reach is not Reach.LIVE:
        return found
    return Reached(found.reach, f"{found.who}; {_DYNAMIC}")


def by_parts(found: Reached, cell: Cell) -> Reached:
    """Who meets what only a sync of a part of a mapping shows.

    Source: callers of dma_set_min_align_mask() in drivers/, v7.3: nvme-pci, storvsc,
    netvsc.
    """
    if found.reach is not Reach.LIVE or not cell.min_align_mask:
        return found
    return Reached(Reach.LATENT, _PARTS)


def _by_path(record: Record, cell: Cell) -> Reached:
    if cell.path is Path.DIRECT:
        return Reached(
            Reach.LIVE,
            "confidential guests, swiotlb=force, memory out of a device's reach "
            f"({_LARGE_PAGES})",
        )
    if cell.path is Path.ALLOC:
        return _restricted(record)
    return _untrusted(record, cell)


def _restricted(record: Record) -> Reached:
    if not record.restricted_pools:
        return Reached(Reach.MODEL, "this kernel has no restricted pools")
    return Reached(
        Reach.LIVE, "devices with a restricted-dma-pool in the device tree (arm64)"
    )


def _untrusted(record: Record, cell: Cell) -> Reached:
    if record.untrusted is Untrusted.BELOW_EXTERNAL:
        return Reached(
            Reach.LIVE,
            "PCI devices below a port that firmware marks external-facing "
            f"({_LARGE_PAGES})",
        )
    if cell.page_size == SMALLEST_PAGE:
        return Reached(
            Reach.LIVE,
            "x86: PCI devices behind Thunderbolt and other external-facing ports",
        )
    return Reached(
        Reach.LATENT,
        "only x86, which has 4 KiB pages, marks devices untrusted; an "
        "arch_pci_dev_is_removable() of another architecture would wake it",
    )


def one_set_areas(record: Record) -> str:
    """Which machines have areas of one slot set: pools have one area a possible CPU.

    Source: swiotlb_adjust_nareas() and round_up_default_nslabs(), kernel/dma/swiotlb.c;
    arch_mm_preinit(), arch/arm64/mm/init.c, v7.3.
    """
    sets = (record.least_mib << 20) // SLOT_SET_BYTES
    found = [f"more than {DEFAULT_POOL_BYTES // SLOT_SET_BYTES // 2} possible CPUs"]
    if record.shrinks:
        where = " and ".join(record.shrinks)
        found.append(f"{where} with 4 possible CPUs or more a GiB of memory")
    if record.least_mib << 20 < DEFAULT_POOL_BYTES:
        least = f"from {max(2, sets // 2 + 1)} CPUs on"
        found.append(f"CONFIG_SWIOTLB_DEFAULT_SIZE_MB={record.least_mib} {least}")
    return ", or ".join(found)
