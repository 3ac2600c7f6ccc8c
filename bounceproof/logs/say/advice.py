# SPDX-License-Identifier: GPL-2.0-only
"""What an operator can do today, the most useful first."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.cause import certain_room
from bounceproof.logs.judge.drivers import Sort, disk_of
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.read.kinds import Kind
from bounceproof.logs.read.messages import Message
from bounceproof.logs.say.notes import note_of
from bounceproof.logs.say.regressions import regressions_for
from bounceproof.logs.say.sizing import larger_pool, leaks
from bounceproof.logs.say.words import about, short_name
from bounceproof.models.constants import LOW_MEMORY_LIMIT, SLOT_SET_BYTES
from bounceproof.models.request import Path

_WATCH: Final = "watch /sys/kernel/debug/swiotlb/io_tlb_used"
_SECURITY: Final = (
    "Do not turn the IOMMU off (iommu=off, iommu.passthrough=1) or clear the device's"
    " untrusted mark to get rid of bouncing: the device could then reach memory that"
    " is not its own."
)
_BEYOND_MEMORY: Final = 1 << 46


def _cut(explanation: Explanation, most: int) -> str:
    """How to make a disk's requests smaller."""
    disk = disk_of(explanation.event.message.driver)
    return (
        f"echo {most >> 10} > /sys/block/{disk}/queue/max_sectors_kb (keep it with a"
        " udev rule; commands passed through by ioctl are not cut)."
    )


def _smaller(explanation: Explanation) -> list[str]:
    """How to have mappings that fit, where the driver's kind allows it."""
    sort, safe = explanation.sort, explanation.safe_size
    most = min(safe or SLOT_SET_BYTES // 2, SLOT_SET_BYTES)
    if safe == 0:
        return [
            "No size is safe at every address: the address decides, and smaller"
            " requests do not help."
        ]
    if sort is Sort.BLOCK:
        sure = f" Up to {most >> 10} KiB always fit an empty pool." if safe else ""
        return [f"Cut its requests: {_cut(explanation, most)}{sure}"]
    if sort is Sort.USB:
        return [
            "Make the transfers behind it smaller: the buffers of a program that uses"
            f" usbfs, or, for a USB disk, {_cut(explanation, most)}"
        ]
    return []


def _to_maintainers(explanation: Explanation) -> str:
    message = explanation.event.message
    name = short_name(message) if message.driver or message.device else "the driver"
    return (
        f"Report it to {name}'s maintainers: a driver has to ask dma_max_mapping_size()"
        " and keep its mappings below that."
    )


def _why_it_bounces(explanation: Explanation) -> str:
    facts = explanation.facts
    if facts.encrypted or "force" in (facts.swiotlb_option or "").split(","):
        return ""
    if facts.platform == "Xen":
        return (
            "Under Xen a buffer bounces that is not contiguous in machine memory, or"
            " lies beyond the device's mask."
        )
    return (
        "It bounces because the buffer lies beyond the device's DMA mask; an IOMMU in"
        " front of the device, or a wider mask, would spare it."
    )


def _never(explanation: Explanation) -> list[str]:
    lines = [*_smaller(explanation), _to_maintainers(explanation)]
    lines.append("swiotlb= does not help: the limit is the same in a pool of any size.")
    why = _why_it_bounces(explanation)
    iommu = any(r.cell.path is Path.IOMMU for r in explanation.results)
    return [*lines, why] if why and not iommu else lines


def _address(explanation: Explanation) -> list[str]:
    first = explanation.first_release
    lines = (
        [] if first is None else [f"Boot a kernel from {first} on: it is mended there."]
    )
    never = "swiotlb= does not help: an empty pool refuses this request too."
    return [*lines, *_smaller(explanation), never]


def _full(explanation: Explanation) -> list[str]:
    larger = larger_pool(explanation)
    if leaks(explanation):
        name = short_name(explanation.event.message)
        leak = f"Find what {name} does not unmap ({_WATCH}); a larger pool only puts it"
        return [f"{leak} off.", *larger]
    if explanation.verdict is Verdict.FULL:
        grows = f"If used slots only ever grow, a driver does not unmap: {_WATCH}."
        return [*larger, grows]
    return [*larger, *_shorter_runs(explanation)]


def _shorter_runs(explanation: Explanation) -> list[str]:
    size = explanation.event.message.sz or 0
    if explanation.sort is not Sort.BLOCK or size <= 1 << 13:
        return []
    half = max(size // 2, 1 << 13)
    return [f"Smaller requests find room sooner: {_cut(explanation, half)}"]


def _boundary(explanation: Explanation) -> list[str]:
    return [
        "Look for what gave the device a small DMA segment boundary"
        " (dma_set_seg_boundary(); a SCSI host sets that of the device below it), and"
        " report it to the driver's maintainers.",
        "swiotlb= does not help: there was room.",
    ]


def _no_pool(explanation: Explanation) -> list[str]:
    facts = explanation.facts
    option = facts.swiotlb_option or ""
    if "noforce" in option.split(","):
        return ["Remove swiotlb=noforce from the command line."]
    if "iommu=off" in facts.iommu_options:
        return ["Remove iommu=off from the command line: it turns the pool off too."]
    if facts.arch in (None, "x86"):
        return [
            "Boot with iommu=soft (x86), which sets the pool up whatever the memory; on"
            " other machines with swiotlb=force, which also bounces what need not."
        ]
    return ["Boot with swiotlb=force, which sets the pool up, and bounces everything."]


def _mask_too_small(message: Message) -> bool:
    """Whether the bus reaches the bounce buffer, and the driver's mask does not."""
    if not message.mask or not message.limit or message.address is None:
        return False
    last = message.address + max(message.sz or 1, 1) - 1
    return message.mask < last <= message.limit


def _within(message: Message) -> bool:
    """Whether the device reaches all of the buffer that could not be mapped."""
    if message.address is None or message.reach is None:
        return False
    return message.address + max(message.sz or 1, 1) - 1 <= message.reach


def _memory_beyond(explanation: Explanation) -> list[str]:
    """Advice where the buffer lies beyond the device, and was not bounced."""
    message = explanation.event.message
    if (message.address or 0) >= _BEYOND_MEMORY:
        return [
            _to_maintainers(explanation).partition(":")[0]
            + ": it mapped an address that is no memory's, such as one on a stack or"
            " from vmalloc()."
        ]
    if _within(message):
        return [
            "Boot with swiotlb=N (slots of 2 KiB) or swiotlb=force, so that there is a"
            " pool; if the address is a device's, its driver has to map it with"
            " dma_map_resource()."
        ]
    if explanation.facts.nslabs:
        return [
            "Look at what the address is: the pool is there, so this is memory that may"
            " not bounce (a peer device's), or a pool that was refused."
        ]
    return [*_no_pool(explanation), "An IOMMU in front of the device does as well."]


def _pool_beyond(message: Message) -> list[str]:
    """Advice where the pool itself lies beyond the device."""
    reach = message.reach
    if _mask_too_small(message):
        return [
            f"Its bus reaches up to {message.limit or 0:#x}, its driver's mask only to"
            f" {message.mask or 0:#x}: the driver has to set a wider DMA mask. No size"
            " of the pool helps."
        ]
    where = f"below {about(reach + 1)}" if reach else "below the device's limit"
    first = (
        f"The pool has to lie {where}: 'dmesg | grep \"software IO TLB\"' shows where"
        " it is. No size of it helps."
    )
    if reach is not None and reach < LOW_MEMORY_LIMIT - 1:
        return [
            first,
            "The kernel puts it below 4 GiB at best: for such a device a"
            " restricted-dma-pool in memory that it reaches, or an IOMMU, is left.",
        ]
    return [
        first,
        "Where no memory lies that low, an IOMMU in front of the device, or dma-ranges"
        " in the device tree that describe the bus, is left.",
    ]


def _reach(explanation: Explanation) -> list[str]:
    message = explanation.event.message
    if message.kind is Kind.REACH:
        return _memory_beyond(explanation)
    return _pool_beyond(message)


def _refused(explanation: Explanation) -> list[str]:
    return [
        "Look for why the pool could not be decrypted at boot (Failed to decrypt"
        " default memory pool): the hypervisor refused the conversion. No size of the"
        " pool helps."
    ]


_UNDECIDED: Final = (
    "A larger pool (swiotlb=) helps only if the pool was full; see what to look up."
)


def _undecided(explanation: Explanation) -> list[str]:
    return [_UNDECIDED, *_smaller(explanation)]


def _unexplained(explanation: Explanation) -> list[str]:
    size = explanation.event.message.sz or 0
    say = (
        "Say what runs: --kernel with what uname -r prints, --device, --page-size,"
        " --path; the line fits nothing that is modelled as it is."
    )
    if not certain_room(size, explanation.pool):
        return [say]
    return [
        "Look at more of the log, and watch /sys/kernel/debug/swiotlb/io_tlb_used:"
        " used slots are counted after the search has failed, and may have been freed"
        " in between.",
        say,
    ]


_BY_VERDICT: Final = {
    Verdict.NO_POOL: _no_pool,
    Verdict.NEVER: _never,
    Verdict.ADDRESS: _address,
    Verdict.FULL: _full,
    Verdict.NEARLY: _full,
    Verdict.FRAGMENTED: _full,
    Verdict.CROWDED: _full,
    Verdict.BOUNDARY: _boundary,
    Verdict.UNREACHABLE: _reach,
    Verdict.REFUSED: _refused,
    Verdict.UNDECIDED: _undecided,
}


def _guards(explanation: Explanation) -> bool:
    """Whether an IOMMU that bounces for safety may be at work."""
    facts = explanation.facts
    if facts.encrypted or facts.platform is not None:
        return False
    told = facts.iommu is not None or facts.untrusted or facts.iommu_devices
    iommu = any(r.cell.path is Path.IOMMU for r in explanation.results)
    return bool(told) and (iommu or explanation.event.message.kind is Kind.INACTIVE)


def advice_for(explanation: Explanation) -> list[str]:
    """What can be done, as sentences; never empty."""
    if explanation.verdict is not None:
        known = [regression.text for regression in regressions_for(explanation)]
        lines = [*known, *_BY_VERDICT[explanation.verdict](explanation)]
    elif explanation.sized:
        lines = _unexplained(explanation)
    else:
        lines = list(note_of(explanation).advice)
    return [*lines, _SECURITY] if _guards(explanation) else lines
