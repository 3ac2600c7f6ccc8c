# SPDX-License-Identifier: GPL-2.0-only
"""One mapping and one release on a pool with areas, as loops over arrays.

Sources: swiotlb_find_slots() and swiotlb_search_pool_area() (swiotlb_do_find_slots() to
v6.7), swiotlb_release_slots(), kernel/dma/swiotlb.c.  A pool is ``lst`` (one entry a
slot), ``index`` and ``used`` (one an area).  ``top`` has the longest free run of each
slot set, or STALE, and ``most`` a bound of those of each area, so that a search steps
over what has no room.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import ENABLED, compiled, wrap64

Array = Any
SEG = IO_TLB_SEGSIZE
SEG_SHIFT = SEG.bit_length() - 1
ANY_SEGMENT = -1
STALE = -1


@compiled
def longest(lst: Array, top: Array, slot_set: int) -> int:
    """The longest free run in a slot set."""
    if top[slot_set] == STALE:
        most = 0
        for i in range(slot_set << SEG_SHIFT, (slot_set + 1) << SEG_SHIFT):
            most = max(most, lst[i])
        top[slot_set] = most
    run: int = top[slot_set]
    return run


@compiled
def bound_area(lst: Array, top: Array, most: Array, area: int) -> None:
    """Note how long the free runs of an area are at most."""
    sets, bound = top.shape[0] // most.shape[0], 0
    for slot_set in range(area * sets, (area + 1) * sets):
        bound = max(bound, longest(lst, top, slot_set))
    most[area] = bound


@compiled
def search_counted(
    lst: Array,
    top: Array,
    base: int,
    slots: int,
    start: int,
    n: int,
    pa: int,
    zero: int,
    compared: int,
    stride: int,
    pool_start: int,
) -> int:
    """The engine's loop of this name on a pool without segment boundaries.

    In a slot set without room it takes all its strides at once.
    """
    index, checked = start, 0
    while checked < slots:
        slot = base + index
        dma = wrap64(pool_start + (slot << e.SHIFT))
        if not e.admissible(dma, pa, zero, compared):
            index = index + 1 if index + 1 < slots else 0
            checked += 1
            continue
        if lst[slot] >= n:
            return slot
        step = stride
        if longest(lst, top, slot >> SEG_SHIFT) < n:
            left = (index | (SEG - 1)) + 1 - index
            step = (left + stride - 1) // stride * stride
        index = index + step if index + step < slots else 0
        checked += step
    return e.NOT_FOUND


@compiled
def find(
    k: Array,
    pool: Array,
    page: int,
    m: int,
    given: int,
    pa: int,
    total: int,
    pool_start: int,
    cpu: int,
) -> int:
    """The pool-wide slot for ``total`` bytes, areas searched from the CPU's own on."""
    lst, top, most, index, used = pool
    nareas, n = index.shape[0], e.nr_slots(total) & e.U32
    slots = lst.shape[0] // nareas
    a, im, stride = e.masks(k, page, m, given, total)
    zero, compared = e.predicate(k, pa, a, im)
    plain = k[c.END] == c.END_COUNTED and k[c.START] != c.START_ALIGNED
    plain = plain and k[c.INADMISSIBLE] != c.FALL_THROUGH
    area = cpu & (nareas - 1)
    for _ in range(nareas):
        base, slot = area * slots, e.NOT_FOUND
        if n == 0 or n > slots - used[area] or (plain and most[area] < n):
            pass
        elif plain:
            slot = search_counted(
                lst, top, base, slots, index[area], n, pa, zero, compared, stride,
                pool_start,
            )  # fmt: skip
            if slot < 0:
                bound_area(lst, top, most, area)
        else:
            slot = e.search_area(
                k, lst, base, slots, index[area], used[area], page, m, given, pa,
                total, pool_start, ANY_SEGMENT,
            )  # fmt: skip
        if slot != e.NOT_FOUND:
            return slot
        area = area + 1 if area + 1 < nareas else 0
    return e.NOT_FOUND


@compiled
def join_before(lst: Array, first: int, count: int) -> int:
    """As the engine's; returns the count at the start of the run."""
    i = first - 1
    while i >= 0 and (i & (SEG - 1)) != SEG - 1 and lst[i] != 0:
        count += 1
        lst[i] = count
        i -= 1
    return count


@compiled
def take(pool: Array, slot: int, n: int) -> None:
    """Mark ``n`` slots from ``slot`` on as taken."""
    lst, top, _, index, used = pool
    for i in range(slot, slot + n):
        lst[i] = 0
    join_before(lst, slot, 0)
    top[slot >> SEG_SHIFT] = STALE
    slots = lst.shape[0] // index.shape[0]
    area = slot // slots
    following = slot - area * slots + n
    index[area] = following if following < slots else 0
    used[area] += n


@compiled
def give_back(pool: Array, slot: int, n: int) -> None:
    """Free ``n`` slots from ``slot`` on."""
    lst, top, most, index, used = pool
    end, slot_set = slot + n, slot >> SEG_SHIFT
    area = slot // (lst.shape[0] // index.shape[0])
    count = lst[end] if (end & (SEG - 1)) != 0 else 0
    for i in range(end - 1, slot - 1, -1):
        count += 1
        lst[i] = count
    count = join_before(lst, slot, count)
    if top[slot_set] != STALE:
        top[slot_set] = max(top[slot_set], count)
    most[area] = max(most[area], count)
    used[area] -= n


@compiled
def map_one(
    k: Array,
    pool: Array,
    page: int,
    path: int,
    granule: int,
    m: int,
    pa: int,
    size: int,
    pool_start: int,
    cpu: int,
) -> tuple[int, int]:
    """(slot, slots taken): (NOT_FOUND, 0) where it fails, (0, 0) without a bounce."""
    bounced, refused, given, _, total, _ = e.prologue(
        k, page, path, granule, m, pa, size
    )
    if not bounced:
        return (e.NOT_FOUND, 0) if refused else (0, 0)
    slot = find(k, pool, page, m, given, pa, total, pool_start, cpu)
    if slot < 0:
        return slot, 0
    n = e.nr_slots(total) & e.U32
    take(pool, slot, n)
    start = wrap64(pool_start + (slot << e.SHIFT))
    misplaced = path == c.ALLOC and (start & (page - 1)) != 0
    if refused or (misplaced and k[c.ALLOC_PAGE_CHECK] == c.PAGE_CHECK_FAIL):
        give_back(pool, slot, n)
        return e.NOT_FOUND, 0
    return slot, n


Shorts: TypeAlias = NDArray[np.int16]
Longs: TypeAlias = NDArray[np.int64]
Arrays: TypeAlias = tuple[Shorts, Shorts, Shorts, Longs, Longs]


def numbers(array: Any) -> Any:
    """``array``, of Python's own numbers where the loops are not compiled."""
    return array if ENABLED else array.astype(object)


def empty_pool(nslabs: int, nareas: int) -> Arrays:
    """list[], longest runs, index and used of an empty pool of whole slot sets."""
    slots = np.arange(nslabs)
    runs = (SEG - (slots & (SEG - 1))).astype(np.int16)
    top = np.full(nslabs >> SEG_SHIFT, STALE, np.int16)
    most = np.full(nareas, SEG, np.int16)
    index, used = np.zeros(nareas, np.int64), np.zeros(nareas, np.int64)
    made = (runs, top, most, index, used)
    return tuple(numbers(array) for array in made)
