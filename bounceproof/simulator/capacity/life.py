# SPDX-License-Identifier: GPL-2.0-only
"""Mappings as they come and go: histories drawn at random, and what fails in them.

Every queue entry is idle or has one mapping.  An idle one maps next, a busy one ends,
each after a time that is exponentially distributed; ``busy`` is the part of its time
that an entry would be mapped if nothing failed.  An entry whose mapping fails is idle
as before, and tries again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.kernels.state import KernelState
from bounceproof.simulator import codes as c
from bounceproof.simulator.capacity.calls import (
    empty_pool,
    give_back,
    map_one,
    numbers,
)
from bounceproof.simulator.compile import ENABLED, compiled

Array = Any
GROUP = (
    "path",
    "granule",
    "min_align_mask",
    "first_size",
    "size_step",
    "sizes",
    "first_addr",
    "addr_step",
    "addrs",
)
"""Rows of a group: a size is first_size + size_step * (0 to sizes - 1), addresses
alike."""
_U32 = 0xFFFFFFFF


@compiled
def draw(s: Array) -> int:
    """32 random bits.  Source: taus88, P. L'Ecuyer, Math. of Computation 65 (1996)."""
    b = (((s[0] << 13) & _U32) ^ s[0]) >> 19
    s[0] = (((s[0] & 0xFFFFFFFE) << 12) & _U32) ^ b
    b = (((s[1] << 2) & _U32) ^ s[1]) >> 25
    s[1] = (((s[1] & 0xFFFFFFF8) << 4) & _U32) ^ b
    b = (((s[2] << 3) & _U32) ^ s[2]) >> 11
    s[2] = (((s[2] & 0xFFFFFFF0) << 17) & _U32) ^ b
    bits: int = s[0] ^ s[1] ^ s[2]
    return bits


@compiled
def below(s: Array, bound: int) -> int:
    """A random number from 0 to ``bound`` - 1, ``bound`` below 2^31."""
    return (draw(s) * bound) >> 32


@compiled
def _map(
    k: Array,
    page: int,
    pool_start: int,
    pool: Array,
    g: Array,
    s: Array,
    group: int,
    cpu: int,
) -> tuple[int, int]:
    size = g[3, group] + g[4, group] * below(s, g[5, group])
    pa = g[6, group] + g[7, group] * below(s, g[8, group])
    return map_one(
        k, pool, page, g[0, group], g[1, group], g[2, group], pa, size, pool_start, cpu
    )


@compiled
def _live(
    k: Array,
    page: int,
    pool_start: int,
    pool: Array,
    g: Array,
    s: Array,
    entries: Array,
    order: Array,
    busy: int,
    warm: int,
    calls: int,
    out: Array,
    peak: Array,
) -> None:
    """``entries``: rows group, CPU, slot, slots taken; ``order``: busy ones first."""
    total, live, taken = order.shape[0], 0, 0
    for call in range(warm + calls):
        idle = total - live
        ways = idle * busy + live * (65536 - busy)
        pick = below(s, 65536) * ways
        if live == 0 or (idle > 0 and pick < 65536 * idle * busy):
            at = live + below(s, idle)
            entry = order[at]
            group = entries[0, entry]
            slot, n = _map(k, page, pool_start, pool, g, s, group, entries[1, entry])
            if call >= warm:
                out[0, group] += 1
                out[1, group] += slot < 0
            if slot < 0:
                continue
            entries[2, entry], entries[3, entry] = slot, n
            order[at], order[live] = order[live], entry
            live += 1
            taken += n
            if call >= warm:
                peak[0] = max(peak[0], taken)
        else:
            at = below(s, live)
            entry = order[at]
            if entries[3, entry] > 0:
                give_back(pool, entries[2, entry], entries[3, entry])
            taken -= entries[3, entry]
            live -= 1
            order[at], order[live] = order[live], entry


def live(
    state: KernelState,
    page_size: int,
    pool_start: int,
    nslabs: int,
    nareas: int,
    groups: NDArray[np.int64],
    entries: NDArray[np.int64],
    busy: float,
    warm: int,
    calls: int,
    seed: int,
) -> tuple[NDArray[np.int64], int]:
    """Draw one history on an empty pool: ``warm`` calls, then ``calls`` that count.

    ``groups`` as :data:`GROUP`, a column each; ``entries``: group and CPU of each
    queue entry.  Returns attempts and failures by group, and the most slots used.
    """
    pool = empty_pool(nslabs, nareas)
    spread = np.random.default_rng(seed).integers(1 << 8, 1 << 32, 3)
    rows = np.zeros((4, entries.shape[1]), np.int64)
    rows[:2] = entries
    out, peak = np.zeros((2, groups.shape[1]), np.int64), np.zeros(1, np.int64)
    order = numbers(np.arange(entries.shape[1], dtype=np.int64))
    codes = c.codes(state)
    k: Any = codes if ENABLED else codes.tolist()
    part = min(max(round(busy * 65536), 1), 65535)
    _live(
        k, page_size, pool_start, pool, numbers(groups),
        numbers(spread.astype(np.int64)), numbers(rows), order, part, warm, calls, out,
        peak,
    )  # fmt: skip
    return out, int(peak[0])
