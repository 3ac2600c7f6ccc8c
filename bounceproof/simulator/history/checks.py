# SPDX-License-Identifier: GPL-2.0-only
"""The properties of the contract, as one live machine shows them.

``fits`` is not among them: it speaks of an empty pool and a driver's limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from bounceproof.simulator.history import slots as hs
from bounceproof.simulator.history.bytes import Report, outside
from bounceproof.simulator.history.memory import Bytes, OriginalMemory
from bounceproof.simulator.history.pool import LivePool
from bounceproof.simulator.history.types import Mapping

PROPERTIES: Final = (
    "finds",
    "halts",
    "aligned",
    "owned",
    "exclusive",
    "inbounds",
    "returned",
    "clean",
)


def aligned(report: Report, pool: LivePool, mapping: Mapping, given: int) -> None:
    """tlb_addr keeps the min_align_mask bits of orig_addr, the allocation starts at
    a multiple of alloc_align_mask + 1, coherent pages are page aligned."""
    m, start = mapping, pool.slot_addr(mapping.slot)
    page = pool.config.page_size
    if start & given:
        report("aligned", f"the allocation starts at {start:#x}, mask {given:#x}")
    if m.path != "alloc":
        if (m.tlb_addr ^ m.orig_addr) & m.min_align_mask:
            report(
                "aligned",
                f"tlb_addr {m.tlb_addr:#x} loses bits {m.min_align_mask:#x} of "
                f"orig_addr {m.orig_addr:#x}",
            )
    elif m.size >= page and start % page:
        report("aligned", f"a page of {page} bytes starts at {start:#x}")


def owned(report: Report, pool: LivePool, mapping: Mapping) -> None:
    """Every granule that the device reaches holds only slots of the mapping."""
    if mapping.path != "iommu":
        return
    low, high = mapping.reach
    first = pool.slot_addr(mapping.slot)
    end = pool.slot_addr(min(mapping.slot + mapping.nslots, pool.config.nslabs))
    if low < first or high > end:
        report(
            "owned",
            f"the device reaches {low:#x} to {high:#x}, the mapping's slots are "
            f"{first:#x} to {end:#x}",
            *outside((low, high), (first, end)),
        )


def exclusive(report: Report, mapping: Mapping, live: Iterable[Mapping]) -> None:
    """No slot belongs to two live mappings, nor to one and to the other's caller."""
    low, high = mapping.held
    for other in live:
        if other.bounced and low < other.held[1] and other.held[0] < high:
            first, last = max(low, other.held[0]), min(high, other.held[1])
            report(
                "exclusive",
                f"{first:#x} to {last:#x} belongs to mapping {other.name} too",
                (first, last),
            )


def in_pool(report: Report, pool: LivePool, mapping: Mapping) -> None:
    """The slots of the mapping exist."""
    end = mapping.slot + mapping.nslots
    if end > pool.config.nslabs:
        report("inbounds", f"slots up to {end}, the pool has {pool.config.nslabs}")


def _differ(ours: Bytes, theirs: Bytes) -> int:
    """The first position where they differ, or -1."""
    if np.array_equal(ours, theirs):
        return -1
    return int(np.flatnonzero(ours != theirs)[0])


def padding_clean(report: Report, pool: LivePool, mapping: Mapping) -> None:
    """No byte of the padding that the device reaches is left from earlier use.

    Whatever the direction: page tables that know no write-only entry make a mapping
    for writing readable too (io-pgtable-arm).
    """
    low, high = mapping.reach
    for first, last in ((low, mapping.tlb_addr), (mapping.end, high)):
        stale = np.flatnonzero(pool.memory.view(first, last))
        if len(stale):
            report(
                "clean",
                f"{len(stale)} stale bytes in the padding from {first:#x} to {last:#x}",
                (first, last),
            )


def device_sees(
    report: Report, pool: LivePool, mapping: Mapping, offset: int, length: int
) -> None:
    """The device reads the bytes it would read without a bounce buffer."""
    if mapping.shared:
        return
    start = mapping.tlb_addr + offset
    wanted = mapping.ideal[offset : offset + length]
    at = _differ(pool.memory.view(start, start + len(wanted)), wanted)
    if at >= 0:
        report("clean", f"the device sees a wrong byte at offset {offset + at}")


def cpu_sees(
    report: Report, memory: OriginalMemory, mapping: Mapping, offset: int, length: int
) -> None:
    """The original memory holds what the device left there, no byte lost."""
    if mapping.shared:
        return
    got = memory.read(mapping.orig_addr + offset, length)
    at = _differ(got, mapping.ideal[offset : offset + length])
    if at >= 0:
        report("clean", f"the original buffer has a wrong byte at offset {offset + at}")


def returned(
    report: Report,
    pool: LivePool,
    mapping: Mapping,
    before: Any,
    used_before: list[int],
    sound_before: bool,
) -> None:
    """Exactly the mapping's slots became free; list[] and used are what they were."""
    m = mapping
    slot = int(
        hs.wrongly_freed(before, pool.lst, pool.config.slots_held, m.slot, m.nslots)
    )
    if slot != hs.SOUND:
        own = m.slot <= slot < m.slot + m.nslots
        what = "stays taken" if own else "is freed, though not the mapping's"
        report("returned", f"slot {slot} {what}")
        return
    used_before[m.area] -= m.nslots
    if used_before != pool.used:
        report("returned", f"used is {pool.used}, not {used_before}")
    fault = pool.invariant() if sound_before else None
    if fault:
        report("returned", fault)


def returned_whole(report: Report, pool: LivePool, mapping: Mapping) -> None:
    """The transient pool that goes with the mapping has exactly its slots."""
    m, nslabs = mapping, pool.config.nslabs
    if m.slot or m.nslots != nslabs:
        last = m.slot + m.nslots - 1
        report(
            "returned",
            f"a pool of {nslabs} slots is freed, the mapping took {m.slot} to {last}",
        )
