# SPDX-License-Identifier: GPL-2.0-only
"""Messages that no slot search prints: what they mean, and what ends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.read.kinds import SEARCHES, Kind


@dataclass(frozen=True, slots=True)
class Note:
    """``versions``: which kernels have the message.  ``fixes``: names of built-in
    fixes that concern it."""

    versions: str
    meaning: str
    advice: tuple[str, ...]
    fixes: tuple[str, ...] = ()


NOTES: Final = {
    Kind.COHERENT: Note(
        "up to v4.20",
        "A coherent (dma_alloc_coherent) buffer was not to be had below the device's"
        " DMA mask, neither as free pages nor from the bounce buffer pool.",
        (
            "Free memory below the mask may be fragmented: load the driver earlier,"
            " or raise cma=.",
            "A larger pool (swiotlb=) helps only where it was really full.",
        ),
    ),
    Kind.PAGE_ALIGN: Note(
        "v6.9 on, and 6.6.35 on",
        "swiotlb_alloc() found slots in a restricted pool that do not start on a page,"
        " and gave them up rather than hand out a page that others share.",
        (
            "Since v6.9 the search asks for page alignment, so the pool itself is"
            " probably not page aligned: look at the reserved-memory node"
            " (restricted-dma-pool) in the device tree; its base and size should be"
            " multiples of the page size.",
        ),
        ("deacon-coherent-alignment", "deacon-page-check"),
    ),
    Kind.ALIGNMENT: Note(
        "v6.9 on",
        "The device's min_align_mask is larger than the IOMMU granule less one. The"
        " IOMMU cannot keep those address bits, so every mapping of it fails.",
        (
            "No pool size helps. A kernel whose granule is at least min_align_mask + 1"
            " does, or a driver that asks for a smaller mask.",
        ),
        ("murphy-refuse",),
    ),
    Kind.ALLOC_ALIGN: Note(
        "v6.10 on",
        "Somebody asks for more than page alignment of a bounce buffer. Requests of"
        " the largest allowed size may then not fit a slot set.",
        ("A warning, not a failure: look for 'swiotlb buffer is full' after it.",),
        ("kelley-callee-rounds",),
    ),
    Kind.OVERFLOW: Note(
        "v5.14 on (checked against the slot's remaining size)",
        "A driver synced or unmapped more bytes than it mapped. Only the part inside"
        " the mapping was copied.",
        ("A driver error: map with CONFIG_DMA_API_DEBUG=y, which names the call.",),
    ),
    Kind.BEFORE: Note(
        "v5.14 to v6.8, and 6.6.y",
        "A partial sync began in the first bytes of a slot, below the padding of the"
        " mapping's first slot. These kernels take that for an access before the"
        " mapping and copy nothing: the data is stale.",
        ("Not a driver error in most cases: v6.9 computes the offset with a sign.",),
        ("kelley-partial-sync",),
    ),
    Kind.SIZES: Note(
        "v5.4 to v6.9",
        "The caller asked for an allocation smaller than its mapping, which swiotlb"
        " refuses.",
        ("An error of the caller of swiotlb_tbl_map_single(): dma-iommu or a driver.",),
    ),
    Kind.INACTIVE: Note(
        "v5.19 on (f316ba0a8814)",
        "dma-iommu had to bounce an unaligned request of an untrusted device, and the"
        " kernel has no bounce buffer pool.",
        (
            "Remove swiotlb=noforce, or boot with swiotlb=N (slots of 2 KiB).",
            "Do not clear the device's untrusted mark to avoid bouncing: it keeps an"
            " external device out of memory that shares its pages.",
        ),
    ),
    Kind.POOL_FAILED: Note(
        "every version",
        "The kernel could not allocate its bounce buffer pool at boot, as a whole or of"
        " the size asked for: there is too little free memory below 4 GiB in one piece."
        " From v5.19 on it tries half the size again and again.",
        (
            "Ask for a smaller pool with swiotlb=N (slots of 2 KiB), or leave more"
            " memory below 4 GiB free: crashkernel=...,high, a smaller hugepages= or"
            " cma=.",
            "'software IO TLB: mapped' shows what there is in the end; without that"
            " line there is no pool, and every mapping that has to bounce fails.",
        ),
    ),
    Kind.NO_GROWTH: Note(
        "v6.6 on, with CONFIG_SWIOTLB_DYNAMIC",
        "The pool was short of slots, and there was no memory for another one.",
        ("Begin with a larger pool, swiotlb=N (slots of 2 KiB).",),
    ),
    Kind.UNDECRYPTED: Note(
        "v7.3 on, and Hyper-V guests from v5.17 on",
        "The hypervisor did not let the kernel share the pool, so the pool was taken"
        " out of use: every mapping that has to bounce will find it full.",
        (
            "No size of the pool helps: look for the hypervisor's reason, and whether"
            " the guest's memory may be converted at all.",
        ),
    ),
    Kind.PANIC: Note(
        "up to v4.20",
        "No slots were free for a mapping that the driver could not go without, and"
        " these kernels stop then rather than risk memory.",
        ("Boot with swiotlb=65536 (128 MiB) or more, or a kernel from v5.0 on.",),
    ),
    Kind.NO_POOL: Note("every version (a panic up to v5.14)", "", ()),
    Kind.REACH: Note("every version", "", ()),
    Kind.UNREACHABLE: Note("v5.6 on", "", ()),
}

NO_SIZE: Final = Note(
    "every version",
    "The size in this line is missing or no size that a driver can ask for.",
    ("Look for another, undamaged line of the same device.",),
)


def note_of(explanation: Explanation) -> Note:
    """What there is to say of a message that no verdict is about."""
    kind = explanation.event.message.kind
    return NOTES.get(kind, NO_SIZE) if not _searched(explanation) else NO_SIZE


def _searched(explanation: Explanation) -> bool:
    return explanation.event.message.kind in SEARCHES
