# SPDX-License-Identifier: GPL-2.0-only
"""The messages of swiotlb and of dma-iommu's bouncing, in every form since v4.0.

Sources: lib/swiotlb.c (to v4.18), kernel/dma/swiotlb.c (from v4.19),
kernel/dma/direct.h, drivers/iommu/dma-iommu.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """A message, whatever its form."""

    FULL = "buffer-full"
    OUT_OF_SPACE = "out-of-space"
    COHERENT = "coherent-allocation-failed"
    PAGE_ALIGN = "not-page-aligned"
    ALIGNMENT = "unsupported-alignment"
    ALLOC_ALIGN = "alloc-alignment"
    OVERFLOW = "buffer-overflow"
    BEFORE = "access-before-start"
    SIZES = "invalid-sizes"
    INACTIVE = "bounce-buffers-inactive"
    NO_POOL = "no-pool"
    UNREACHABLE = "bounce-address-unreachable"


# Their number is a size that a search failed for.
SEARCHES: Final = (Kind.FULL, Kind.OUT_OF_SPACE)


@dataclass(frozen=True, slots=True)
class Form:
    """How a message is found and read.

    ``anchor``: bytes that every line of this form holds.  ``pattern``: the message
    from the device on; groups driver, device, sz (bytes), total and used (slots).
    """

    kind: Kind
    anchor: bytes
    pattern: re.Pattern[str]


_WHO = r"(?:(?P<driver>[\w.+-]+) )?(?P<device>[^\s\"\\;=>]+): "
_WHO_MAYBE = rf"(?:{_WHO})?"


def _form(kind: Kind, anchor: bytes, pattern: str) -> Form:
    return Form(kind, anchor, re.compile(pattern))


FORMS: Final = (
    _form(
        Kind.FULL,
        b"swiotlb buf",
        _WHO_MAYBE + r"swiotlb buffer is full \(sz: (?P<sz>-?\d+) bytes\)"
        r"(?:, total (?P<total>\d+) \(slots\), used (?P<used>\d+) \(slots\))?",
    ),
    _form(
        Kind.OUT_OF_SPACE,
        b"Out of SW-IOMMU space",
        _WHO_MAYBE + r"(?:PCI-)?DMA: Out of SW-IOMMU space for (?P<sz>\d+) bytes"
        r"(?: at device (?P<at>[^\s\"\\]+))?",
    ),
    _form(
        Kind.COHERENT,
        b"coherent allocation failed",
        r"(?:" + _WHO + r")?(?:swiotlb: )?coherent allocation failed"
        r"(?: for device (?P<at>\S+))?,? size=(?P<sz>\d+)",
    ),
    _form(
        Kind.PAGE_ALIGN,
        b"non page-aligned swiotlb",
        _WHO_MAYBE + r"Cannot allocate pages from non page-aligned swiotlb addr"
        r" (?P<addr>0x[0-9a-f]+)",
    ),
    _form(
        Kind.ALIGNMENT,
        b"Unsupported alignment constr",
        _WHO_MAYBE + r"Unsupported alignment constraint",
    ),
    _form(
        Kind.ALLOC_ALIGN,
        b"Alloc alignment may prevent",
        _WHO_MAYBE + r"Alloc alignment may prevent fulfilling requests with max"
        r" mapping_size",
    ),
    _form(
        Kind.OVERFLOW,
        b"Buffer overflow detected. All",
        _WHO_MAYBE + r"Buffer overflow detected\. Allocation size: (?P<alloc>\d+)\."
        r" Mapping size: (?P<sz>\d+)(?:\+(?P<offset>\d+))?\.",
    ),
    _form(
        Kind.BEFORE,
        b"Access before mapping start",
        _WHO_MAYBE + r"Access before mapping start detected\. orig offset"
        r" (?P<offset>\d+), requested offset (?P<requested>\d+)\.",
    ),
    _form(
        Kind.SIZES,
        b"Invalid sizes (mapping",
        _WHO_MAYBE + r"Invalid sizes \(mapping: (?P<sz>-?\d+) bytes, alloc:"
        r" (?P<alloc>-?\d+) bytes\)",
    ),
    _form(
        Kind.INACTIVE,
        b"bounce buffers are inactive",
        _WHO_MAYBE + r"DMA bounce buffers are inactive, unable to map unaligned"
        r" transaction",
    ),
    _form(
        Kind.NO_POOL,
        b"Can not allocate SWIOTLB",
        _WHO_MAYBE + r"(?:software IO TLB: )?Can not allocate SWIOTLB buffer earlier"
        r" and can't now provide you with the DMA bounce buffer",
    ),
    _form(
        Kind.UNREACHABLE,
        b"swiotlb addr 0x",
        _WHO_MAYBE + r"swiotlb addr (?P<addr>0x[0-9a-f]+)\+(?P<sz>\d+) overflow"
        r" \(mask (?P<mask>[0-9a-fx]+), bus limit (?P<limit>[0-9a-fx]+)\)",
    ),
)

# The end of a message whose beginning the log lost.
HEADLESS: Final = _form(
    Kind.FULL,
    b" is full (sz:",
    r" is full \(sz: (?P<sz>-?\d+) bytes\)"
    r"(?:, total (?P<total>\d+) \(slots\), used (?P<used>\d+) \(slots\))?",
)
