# SPDX-License-Identifier: GPL-2.0-only
"""What the log does not decide, and where the machine tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.models.request import Path


@dataclass(frozen=True, slots=True)
class Lookup:
    """Something the log does not tell: what, the command or file, and why."""

    what: str
    how: str
    why: str


_VERSION: Final = Lookup(
    "kernel version",
    "uname -r; give what it prints to --kernel",
    "the log does not tell it, and kernels differ",
)
_PAGE: Final = Lookup(
    "page size", "getconf PAGESIZE; give it to --page-size", "it decides here"
)
_AREAS: Final = Lookup(
    "areas of the pool",
    "dmesg | grep 'area num'; without it the CPUs, nproc --all",
    "they say how full the pool must be to refuse a request",
)
_ADDRESS: Final = Lookup(
    "orig_addr and size of the request",
    "echo 1 > /sys/kernel/tracing/events/swiotlb/swiotlb_bounced/enable, then"
    " /sys/kernel/tracing/trace",
    "the message has neither; the low bits of dev_addr are those of orig_addr",
)
_POOL_USE: Final = Lookup(
    "how full the pool is",
    "/sys/kernel/debug/swiotlb/io_tlb_used and io_tlb_nslabs (2 KiB slots)",
    "this form of the message has no totals",
)
_GRANULE: Final = Lookup(
    "IOMMU granule",
    "dmesg | grep -i 'page sizes' (arm-smmu: the page size where it is among them);"
    " 4096 on x86; give it to --granule",
    "it decides here",
)
_BOUNDARY: Final = Lookup(
    "segment boundary of the device",
    "dma_get_seg_boundary() of it, with a kprobe or drgn; disks above it:"
    " /sys/block/*/queue/max_segment_size",
    "no message shows it",
)
_BUSES: Final = (
    ("pci", re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")),
    ("virtio", re.compile(r"virtio\d+")),
    ("usb", re.compile(r"\d+-\d+(?:\.\d+)*(?::\d+\.\d+)?")),
    ("ccw", re.compile(r"[0-9a-f]\.[0-9a-f]\.[0-9a-f]{4}")),
    ("vmbus", re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("platform", re.compile(r"[0-9a-f]{4,}\.[\w.-]+|[\w-]+\.\d+")),
)


def sysfs_of(device: str | None) -> str:
    """Where sysfs has a device, by the bus that its name is of."""
    if device is None:
        return "/sys/bus/*/devices/DEVICE"
    for bus, names in _BUSES:
        if names.fullmatch(device):
            return f"/sys/bus/{bus}/devices/{device}"
    return f"/sys/bus/*/devices/{device}"


def _path(explanation: Explanation) -> Lookup:
    place = sysfs_of(explanation.event.message.device)
    return Lookup(
        "whether an IOMMU translates for the device",
        f"cat {place}/iommu_group/type (DMA or DMA-FQ: --path iommu; identity, or no"
        " such file: --path direct)",
        "it decides here",
    )


def _matters(explanation: Explanation) -> bool:
    """Whether the request's own arithmetic is part of the answer."""
    return explanation.verdict in (None, Verdict.UNDECIDED, Verdict.ADDRESS)


def _open_cells(explanation: Explanation) -> list[Lookup]:
    cells = [result.cell for result in explanation.results]
    found = []
    if len({cell.page_size for cell in cells}) > 1:
        found.append(_PAGE)
    if len({cell.path for cell in cells}) > 1:
        found.append(_path(explanation))
    iommu = [cell for cell in cells if cell.path is Path.IOMMU]
    pages = {cell.page_size for cell in iommu}
    if len({(cell.page_size, cell.granule) for cell in iommu}) > len(pages):
        found.append(_GRANULE)
    return found


def lookups_for(explanation: Explanation, kernel_named: bool) -> list[Lookup]:
    """What would make the answer surer, the most telling first."""
    if not explanation.sized:
        return []
    found: list[Lookup] = []
    verdict = explanation.verdict
    if _matters(explanation):
        if explanation.facts.version is None and not kernel_named:
            found.append(_VERSION)
        found += _open_cells(explanation)
    if verdict is Verdict.BOUNDARY:
        found.append(_BOUNDARY)
    if verdict in (Verdict.UNDECIDED, Verdict.CROWDED):
        if explanation.pool.used is None:
            found.append(_POOL_USE)
        elif explanation.pool.nareas is None:
            found.append(_AREAS)
    if verdict is Verdict.UNDECIDED and not explanation.event.addresses:
        found.append(_ADDRESS)
    return found
