# SPDX-License-Identifier: GPL-2.0-only
"""Messages that no slot search prints: what they mean, and what ends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.kinds import Kind


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
        "v5.10 to v6.9",
        "The caller asked for an allocation smaller than its mapping, which swiotlb"
        " refuses.",
        ("An error of the caller of swiotlb_tbl_map_single(): dma-iommu or a driver.",),
    ),
    Kind.INACTIVE: Note(
        "v5.11 on",
        "dma-iommu had to bounce an unaligned request of an untrusted device, and the"
        " kernel has no bounce buffer pool.",
        (
            "Remove swiotlb=noforce, or boot with swiotlb=N (slots of 2 KiB).",
            "Do not clear the device's untrusted mark to avoid bouncing: it keeps an"
            " external device out of memory that shares its pages.",
        ),
    ),
    Kind.NO_POOL: Note(
        "every version (a panic up to v5.16)",
        "A device needs a bounce buffer and the kernel has no pool.",
        ("Remove swiotlb=noforce, or boot with swiotlb=N (slots of 2 KiB).",),
    ),
    Kind.UNREACHABLE: Note(
        "v4.19 on",
        "The bounce buffer lies above what the device can address.",
        (
            "The pool must lie below the device's DMA mask: look at the mask in the"
            " message, at 'software IO TLB: mapped' and at dma-ranges in the device"
            " tree.",
        ),
    ),
}

NO_SIZE: Final = Note(
    "every version",
    "The size in this line is missing or no size that a driver can ask for.",
    ("Look for another, undamaged line of the same device.",),
)
