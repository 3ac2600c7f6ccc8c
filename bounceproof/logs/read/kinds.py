# SPDX-License-Identifier: GPL-2.0-only
"""The messages of swiotlb and of those who bounce, in every form since v2.6.

Sources: lib/swiotlb.c (to v4.18), kernel/dma/swiotlb.c (from v4.19), direct.c and
direct.h beside it, drivers/iommu/dma-iommu.c, drivers/iommu/intel/iommu.c (v5.4 to
v5.10), arch/x86/kernel/pci-nommu.c (to v4.15).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Version = tuple[int, int]
FIRST: Final[Version] = (0, 0)
LAST: Final[Version] = (1 << 30, 0)


class Kind(StrEnum):
    """A message, whatever its form."""

    FULL = "buffer-full"
    OUT_OF_SPACE = "out-of-space"
    BOUNCE_MAP = "bounce-map-failed"
    REACH = "address-beyond-mask"
    UNREACHABLE = "bounce-address-unreachable"
    COHERENT = "coherent-allocation-failed"
    PAGE_ALIGN = "not-page-aligned"
    ALIGNMENT = "unsupported-alignment"
    ALLOC_ALIGN = "alloc-alignment"
    OVERFLOW = "buffer-overflow"
    BEFORE = "access-before-start"
    SIZES = "invalid-sizes"
    INACTIVE = "bounce-buffers-inactive"
    NO_POOL = "no-pool"
    POOL_FAILED = "pool-not-allocated"
    NO_GROWTH = "pool-did-not-grow"
    UNDECRYPTED = "pool-not-decrypted"
    PANIC = "panic-on-full"


SEARCHES: Final = (Kind.FULL, Kind.OUT_OF_SPACE, Kind.BOUNCE_MAP)
"""Their number is a size that a search failed for."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a message is found and read.

    ``anchor``: bytes that every line of this form holds, without a blank where mail
    breaks lines.  ``pattern``: the message after its device; groups sz (bytes;
    hexadecimal as ``hexsz``), total and used (slots), addr, mask, limit, and ``at``, a
    device at its end.  ``since`` and ``until``: the releases that print it, both
    included.
    """

    kind: Kind
    anchor: bytes
    pattern: re.Pattern[str]
    since: Version
    until: Version


_ADDR = r"(?P<addr>(?:0x)?[0-9a-f]+)\+(?P<sz>\d+)"
_LIMITS = r"mask (?P<mask>[0-9a-fx]+),? bus (?:limit|mask) (?P<limit>[0-9a-fx]+)"
_TOTALS = r"(?:, total (?P<total>\d+) \(slots\), used (?P<used>\d+) \(slots\))?"


def _form(
    kind: Kind,
    anchor: bytes,
    pattern: str,
    since: Version = FIRST,
    until: Version = LAST,
) -> Form:
    return Form(kind, anchor, re.compile(pattern), since, until)


FULL_FORM: Final = _form(
    Kind.FULL,
    b"(sz:",
    r"swiotlb buffer is full \(sz: (?P<sz>-?\d+) bytes\)" + _TOTALS,
)
TOTALS_SINCE: Final[Version] = (5, 2)
"""The first release whose "swiotlb buffer is full" has totals (83ca25948940)."""

FORMS: Final = (
    FULL_FORM,
    _form(
        Kind.OUT_OF_SPACE,
        b"SW-IOMMU",
        r"(?:PCI-)?DMA: Out of SW-IOMMU space for (?P<sz>\d+) bytes"
        r"(?: at device (?P<at>[^\s\"\\]+))?",
        until=(4, 20),
    ),
    _form(
        Kind.BOUNCE_MAP,
        b"bounce map:",
        r"(?:DMAR: )?Device bounce map: (?P<hexsz>[0-9a-f]+)"
        r"@(?P<addr>[0-9a-f]+) dir \d --- failed",
        (5, 4),
        (5, 10),
    ),
    _form(
        Kind.REACH,
        b"of DMA mask",
        rf"overflow {_ADDR} of DMA {_LIMITS}",
        (4, 18),
        (5, 5),
    ),
    _form(
        Kind.REACH,
        b"of device mask",
        rf"(?:\w+_\w+: |\bcheck_addr: )?overflow {_ADDR} of device mask"
        r" (?P<mask>[0-9a-f]+)(?: bus mask (?P<limit>[0-9a-f]+))?",
        until=(4, 20),
    ),
    _form(
        Kind.REACH,
        b"(mask",
        rf"DMA addr {_ADDR} overflow \({_LIMITS}\)",
        (5, 4),
    ),
    _form(
        Kind.UNREACHABLE,
        b"(mask",
        rf"swiotlb addr {_ADDR} overflow \({_LIMITS}\)",
        (5, 4),
    ),
    _form(
        Kind.COHERENT,
        b"coherent allocation failed",
        r"(?:swiotlb: )?coherent allocation failed"
        r"(?: for device (?P<at>\S+))?,? size=(?P<sz>\d+)",
        until=(4, 20),
    ),
    _form(
        Kind.PAGE_ALIGN,
        b"page-aligned swiotlb",
        r"Cannot allocate pages from non page-aligned swiotlb addr"
        r" (?:0x)?(?P<addr>0x[0-9a-f]+)",
        (6, 6),
    ),
    _form(
        Kind.ALIGNMENT,
        b"Unsupported alignment constr",
        r"Unsupported alignment constraint",
        (6, 9),
    ),
    _form(
        Kind.ALLOC_ALIGN,
        b"Alloc alignment may prevent",
        r"Alloc alignment may prevent fulfilling requests with max"
        r" mapping_size",
        (6, 10),
    ),
    _form(
        Kind.OVERFLOW,
        b"Buffer overflow detected. All",
        r"Buffer overflow detected\. Allocation size: (?P<alloc>\d+)\."
        r" Mapping size: (?P<sz>\d+)(?:\+(?P<offset>\d+))?\.",
        (5, 10),
    ),
    _form(
        Kind.BEFORE,
        b"Access before mapping start",
        r"Access before mapping start detected\. orig offset"
        r" (?P<offset>\d+), requested offset (?P<requested>\d+)\.",
        (5, 10),
        (6, 8),
    ),
    _form(
        Kind.SIZES,
        b"Invalid sizes (mapping",
        r"Invalid sizes \(mapping: (?P<sz>-?\d+) bytes, alloc:"
        r" (?P<alloc>-?\d+) bytes\)",
        (5, 4),
        (6, 9),
    ),
    _form(
        Kind.INACTIVE,
        b"bounce buffers are inactive",
        r"DMA bounce buffers are inactive, unable to map unaligned"
        r" transaction",
        (5, 15),
    ),
    _form(
        Kind.NO_POOL,
        b"SWIOTLB buffer earlier",
        r"(?:software IO TLB: )?Can(?: ?not|'t) allocate SWIOTLB buffer"
        r" earlier and can't now provide you with the DMA bounce buffer",
    ),
    _form(
        Kind.POOL_FAILED,
        b"tlb structure",
        r"(?:swiotlb_\w+: )?Failed to allocate (?P<sz>\d+) bytes (?:for )?tlb"
        r" structure",
        (5, 19),
    ),
    _form(
        Kind.POOL_FAILED,
        b"swiotlb_",
        r"swiotlb_\w+: Failed to (?:allocate|remap) (?P<sz>\d+) bytes(?! ?t)(?! for)"
        r"(?: align=0x[0-9a-f]+)?",
    ),
    _form(Kind.POOL_FAILED, b"mem->areas", r"Failed to allocate mem->areas"),
    _form(Kind.POOL_FAILED, b"No low mem", r"(?:software IO TLB: )?No low mem"),
    _form(
        Kind.POOL_FAILED,
        b"Cannot allocate",
        r"(?:software IO TLB: Cannot allocate buffer|Cannot allocate SWIOTLB buffer)",
    ),
    _form(
        Kind.NO_GROWTH,
        b"allocate new pool",
        r"software IO TLB: Failed to allocate new pool",
        (6, 6),
    ),
    _form(
        Kind.UNDECRYPTED,
        b"Failed to decrypt ",
        r"(?:software IO TLB: )?Failed to decrypt"
        r" (?:default memory|restricted DMA) pool",
        (7, 3),
    ),
    _form(
        Kind.UNDECRYPTED,
        b"the unencrypted memory",
        r"(?:software IO TLB: )?Failed to map the unencrypted memory"
        r" (?P<addr>0x[0-9a-f]+) size [0-9a-f]+",
        (5, 17),
        (6, 11),
    ),
    _form(
        Kind.PANIC,
        b"could be DMA ",
        r"DMA: Random memory could be DMA (?:accessed|written|read)",
        until=(4, 20),
    ),
    _form(
        Kind.PANIC,
        b"would be corrupted",
        r"DMA: Memory would be corrupted",
        until=(4, 20),
    ),
)

ADDRESSED: Final = tuple(form for form in FORMS if "addr" in form.pattern.groupindex)
"""The forms whose lines differ in an address."""

HEADLESS: Final = re.compile(r"is full \(sz: (?P<sz>-?\d+) bytes\)" + _TOTALS)
"""The end of "swiotlb buffer is full" whose beginning the log lost."""
