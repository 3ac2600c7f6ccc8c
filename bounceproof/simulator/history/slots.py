# SPDX-License-Identifier: GPL-2.0-only
"""Loops over the slots of a pool that histories need beside the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import compiled, shift_right, wrap64

Array = Any

SOUND = -1


@compiled
def record_orig_addr(orig: Array, first: int, n: int, pa: int) -> None:
    """orig_addr of ``n`` slots from ``first``, as swiotlb_tbl_map_single() keeps it."""
    for i in range(n):
        orig[first + i] = wrap64(pa + (i << e.SHIFT))


@compiled
def wrong_run(lst: Array, nslabs: int) -> int:
    """The highest slot whose list[] is not 0 and not its free run, or SOUND."""
    run = 0
    for i in range(nslabs - 1, -1, -1):
        if (i & (e.SEG - 1)) == e.SEG - 1:
            run = 0
        if lst[i] == 0:
            run = 0
        else:
            run += 1
            if lst[i] != run:
                return i
    return SOUND


@compiled
def taken_slots(lst: Array, first: int, end: int) -> int:
    """How many slots from ``first`` to ``end`` list[] calls taken."""
    count = 0
    for i in range(first, end):
        if lst[i] == 0:
            count += 1
    return count


@compiled
def wrongly_freed(before: Array, lst: Array, nslabs: int, first: int, n: int) -> int:
    """A slot that a release freed and should not have, or should have and did not.

    SOUND where the slots that became free are exactly ``n`` from ``first``.
    """
    for i in range(nslabs):
        freed = before[i] == 0 and lst[i] != 0
        if freed != (first <= i < first + n):
            return i
    return SOUND


@compiled
def accepted_run(
    k: Array,
    lst: Array,
    base: int,
    slots: int,
    n: int,
    pa: int,
    a: int,
    im: int,
    stride: int,
    tbl: int,
    bm: int,
) -> int:
    """A slot of the area that starts a free run and passes the alignment rule.

    The rule is the predicate of the search loop.  Where the search starts aligned to
    the stride, a stride that is a power of two belongs to the rule too, counted from
    the first slot that has orig_addr's bits: those searches align granules and pages
    by their steps alone.  NOT_FOUND where no slot passes.
    """
    stepped = k[c.START] == c.START_ALIGNED and (stride & (stride - 1)) == 0
    zero, compared = e.predicate(k, pa, a, im)
    area = wrap64(tbl + (base << e.SHIFT))
    residue = shift_right(wrap64(pa - area), e.SHIFT) & (compared >> e.SHIFT)
    max_slots, tbl_slots = shift_right(bm, e.SHIFT) + 1, e.nr_slots(tbl)
    for slot in range(base, base + slots):
        if lst[slot] < n or (stepped and (slot - base - residue) % stride != 0):
            continue
        crosses = ((tbl_slots + slot) & (max_slots - 1)) + n > max_slots
        dma = wrap64(tbl + (slot << e.SHIFT))
        if not crosses and e.admissible(dma, pa, zero, compared):
            return slot
    return e.NOT_FOUND


def invariant(lst: Array, used: Sequence[int], nslabs: int, nareas: int) -> str | None:
    """What list[] and used say that no occupancy of the slots can, or None.

    list[i] is 0 for a taken slot and else the free slots from i to the end of its
    slot set or of the pool.  used counts the taken slots of an area; where an area is
    no whole number of slot sets an allocation may reach into the next one, and only
    the sum over all areas counts.
    """
    slot = int(wrong_run(lst, nslabs))
    if slot != SOUND:
        return f"list[{slot}] is {int(lst[slot])}, which is not the free run there"
    if any(not 0 <= count <= nslabs for count in used):
        return "used is negative or more than the pool has"
    area = nslabs // nareas
    if area % e.SEG:
        taken = int(taken_slots(lst, 0, nslabs))
        total = sum(used)
        return None if taken == total else f"used is {total}, list[] has {taken} taken"
    for i, count in enumerate(used):
        taken = int(taken_slots(lst, i * area, (i + 1) * area))
        if taken != count:
            return f"used of area {i} is {count}, list[] has {taken} taken"
    return None
