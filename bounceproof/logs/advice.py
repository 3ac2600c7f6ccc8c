# SPDX-License-Identifier: GPL-2.0-only
"""What an operator can do today, and what to look up where the log does not decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.candidates import Given
from bounceproof.logs.profile import Profile
from bounceproof.logs.scan import Seen
from bounceproof.logs.verdict import CellResult, PoolSeen, Verdict
from bounceproof.models.constants import (
    IO_TLB_DEFAULT_SLABS,
    IO_TLB_SHIFT,
)
from bounceproof.models.request import KernelModel, Path

_MIB_SHIFT: Final = 20 - IO_TLB_SHIFT
_POOL: Final = (Verdict.FULL, Verdict.FRAGMENTED, Verdict.CROWDED)
_SECURITY: Final = (
    "Do not turn the IOMMU off (iommu=off, iommu.passthrough=1) or clear the device's"
    " untrusted mark to get rid of bouncing: the device could then reach memory that"
    " is not its own, and passthrough does not apply to an untrusted device anyway."
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Something the log does not tell: what, the command or file, and why."""

    what: str
    how: str
    why: str


def _bigger_pool(pool: PoolSeen) -> int:
    """Twice the pool, a power of two, at least the default (slots)."""
    twice = 2 * max(pool.total or 0, IO_TLB_DEFAULT_SLABS)
    return 1 << (twice - 1).bit_length()


def _disk(seen: Seen) -> str:
    return "nvme0n1" if seen.message.driver == "nvme" else "DISK"


def _split(seen: Seen, profile: Profile, safe: int | None) -> list[str]:
    if not profile.block_device or safe is None:
        return []
    kib = safe >> 10
    if not kib:
        return [
            "No size is safe at every address, so smaller requests do not help:"
            " the address decides."
        ]
    return [
        f"Cut the requests: echo {kib} > /sys/block/{_disk(seen)}/queue/max_sectors_kb"
        f" (requests up to {kib} KiB always fit an empty pool; keep it with a udev"
        " rule). Commands passed through by ioctl are not cut."
    ]


def _impossible(seen: Seen, profile: Profile, safe: int | None) -> list[str]:
    never = [
        "A larger pool (swiotlb=) does not help: an empty one refuses this request too."
    ]
    page = [
        "A kernel of 4 KiB pages has a smaller granule and asks for less; on arm64"
        " distributions offer both."
    ]
    small = seen.facts.page_size == 4096 or seen.facts.arch == "x86"
    return [*never, *_split(seen, profile, safe), *([] if small else page)]


def _pool_advice(verdict: Verdict, pool: PoolSeen, seen: Seen) -> list[str]:
    slots = _bigger_pool(pool)
    lines = [
        f"Boot with swiotlb={slots} ({slots >> _MIB_SHIFT} MiB; slots of 2 KiB)."
        + (
            " Keep the rest of the present option,"
            f" swiotlb={seen.facts.swiotlb_option}."
            if seen.facts.swiotlb_option
            else ""
        )
    ]
    if verdict is not Verdict.FULL:
        lines.append(
            "Smaller requests find room in a fragmented pool: lower max_sectors_kb."
        )
    lines.append(
        "If used slots only ever grow, a driver does not unmap: watch"
        " /sys/kernel/debug/swiotlb/io_tlb_used."
    )
    return lines


def advice_for(
    verdict: Verdict | None,
    seen: Seen,
    profile: Profile,
    pool: PoolSeen,
    safe: int | None,
) -> list[str]:
    """What an operator can do today; ``safe`` as in remedy.safe_size()."""
    if verdict is None:
        return []
    if verdict in _POOL:
        return _pool_advice(verdict, pool, seen)
    lines = _impossible(seen, profile, safe)
    if verdict is Verdict.UNDECIDED:
        lines[0] = (
            "A larger pool (swiotlb=) helps only if the pool was full; see what to"
            " look up."
        )
    if seen.facts.confidential is None:
        lines.append(_SECURITY)
    return lines


_PAGE = Lookup("page size", "getconf PAGESIZE", "cells of several page sizes are left")
_VERSION = Lookup(
    "kernel version", "uname -r, then --kernel", "the log has no 'Linux version' line"
)
_AREAS = Lookup(
    "areas of the pool",
    "dmesg | grep 'area num'; without it the CPUs, nproc --all",
    "it bounds how full the pool must be to refuse a request",
)
_ADDRESS = Lookup(
    "orig_addr and size of the request",
    "echo 1 > /sys/kernel/tracing/events/swiotlb/swiotlb_bounced/enable, then"
    " /sys/kernel/tracing/trace",
    "the message has neither; the low bits of dev_addr are those of orig_addr",
)
_POOL_USE = Lookup(
    "how full the pool is",
    "/sys/kernel/debug/swiotlb/io_tlb_used and io_tlb_nslabs (2 KiB slots)",
    "this form of the message has no totals",
)


def _path_lookup(seen: Seen) -> Lookup:
    device = seen.message.device or "DEVICE"
    return Lookup(
        "path: dma-iommu or dma-direct",
        f"cat /sys/bus/pci/devices/{device}/iommu_group/type"
        " (DMA or DMA-FQ: iommu; identity, or no such file: direct)",
        "cells of both paths are left",
    )


_GRANULE = Lookup(
    "IOMMU granule",
    "dmesg | grep -i 'page sizes' (arm-smmu: the page size where it is among them);"
    " 4096 on x86",
    "cells of several granules are left",
)


def lookups_for(
    seen: Seen,
    given: Given,
    verdict: Verdict | None,
    results: list[CellResult],
    model: KernelModel | None,
) -> list[Lookup]:
    """What the log does not decide and where the machine tells it."""
    found = []
    if seen.facts.version is None and model is None:
        found.append(_VERSION)
    cells = [result.cell for result in results]
    if len({cell.page_size for cell in cells}) > 1:
        found.append(_PAGE)
    if len({cell.path for cell in cells}) > 1:
        found.append(_path_lookup(seen))
    iommu = [cell for cell in cells if cell.path is Path.IOMMU]
    pages = {cell.page_size for cell in iommu}
    if len({(cell.page_size, cell.granule) for cell in iommu}) > len(pages):
        found.append(_GRANULE)
    if verdict not in (Verdict.UNDECIDED, Verdict.CROWDED):
        return found
    if seen.message.used is None:
        found.append(_POOL_USE)
    elif seen.facts.nareas is None and seen.facts.cpus is None:
        found.append(_AREAS)
    if verdict is Verdict.UNDECIDED:
        found.append(_ADDRESS)
    return found
