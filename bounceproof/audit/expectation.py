# SPDX-License-Identifier: GPL-2.0-only
"""What to expect of pools of many sizes: runs drawn at random, or a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bounceproof.audit.estimates import Rate, estimate, least_rate
from bounceproof.errors import InputError
from bounceproof.models.capacity.boot import LARGEST_POOL_SLABS, BootPool
from bounceproof.models.capacity.mix import Group
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Path
from bounceproof.simulator.capacity.life import live
from bounceproof.simulator.capacity.replay import PATHS, replay

RUNS = 20
"""Runs of one size, each with a seed of its own."""
WARM = 4
"""Calls for each queue entry, before any is counted."""
HIGH = 1 << 32
Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Load:
    """How the mix comes and goes.

    ``busy``: the part of its time that a queue entry is mapped; ``calls`` to map and
    unmap that are counted, over all runs.  Entries belong to ``cpus`` in turn.
    """

    cpus: int
    busy: float = 0.9
    calls: int = 1_000_000
    seed: int = 1
    pool_start: int = 1 << 31

    @property
    def fewest(self) -> float:
        """The smallest failure rate that these calls can show."""
        return least_rate(self.calls // 2)


@dataclass(frozen=True, slots=True)
class Expected:
    """What failed in one pool; ``groups`` of each group alone, ``peak`` slots used."""

    pool: BootPool
    total: Rate
    groups: tuple[Rate, ...]
    peak: int


def _rows(groups: Sequence[Group]) -> Column:
    """As :data:`bounceproof.simulator.capacity.life.GROUP` has them."""
    rows = []
    for group in groups:
        cell = group.cell
        sizes = (group.most - group.least) // group.size_step + 1
        first, step, addrs = HIGH, group.addr_step, group.modulus // group.addr_step
        if group.offset is not None:
            first, addrs = HIGH + group.offset % group.modulus, 1
        if cell.path is Path.ALLOC:
            first, addrs = 0, 1
        about = (PATHS[cell.path.value], cell.granule, cell.min_align_mask)
        rows.append((*about, group.least, group.size_step, sizes, first, step, addrs))
    return np.array(rows, dtype=np.int64).T.copy()


def _entries(groups: Sequence[Group], cpus: int) -> Column:
    """Group and CPU of each queue entry."""
    of = np.repeat(np.arange(len(groups)), [group.count for group in groups])
    turns = [np.arange(group.count) % cpus for group in groups]
    return np.stack([of, np.concatenate(turns)]).astype(np.int64)


def expect(
    state: KernelState, groups: Sequence[Group], pool: BootPool, load: Load
) -> Expected:
    """Draw histories of the mix on ``pool``."""
    rows, entries = _rows(groups), _entries(groups, load.cpus)
    page, calls = groups[0].cell.page_size, max(load.calls // RUNS, 1)
    runs, peak = [], 0
    for run in range(RUNS):
        seen, most = live(
            state, page, load.pool_start, pool.nslabs, pool.nareas, rows, entries,
            load.busy, WARM * entries.shape[1], calls, load.seed * RUNS + run,
        )  # fmt: skip
        runs.append(seen)
        peak = max(peak, most)
    return _expected(pool, runs, peak)


def _expected(pool: BootPool, runs: Sequence[Column], peak: int) -> Expected:
    groups = tuple(
        estimate([(int(seen[0, g]), int(seen[1, g])) for seen in runs])
        for g in range(runs[0].shape[1])
    )
    sums = [(int(seen[0].sum()), int(seen[1].sum())) for seen in runs]
    return Expected(pool, estimate(sums), groups, peak)


def expect_trace(
    state: KernelState,
    page_size: int,
    calls: Column,
    of: Column,
    groups: int,
    pool: BootPool,
    pool_start: int,
) -> Expected:
    """Run the ``calls`` of a trace, ``of`` which group each is, on ``pool``.

    Stretches of the trace stand for runs.
    """
    ran = replay(state, page_size, pool_start, pool.nslabs, pool.nareas, calls)
    maps, failed = calls[0] >= 0, ran.slots < 0
    runs = []
    for part in np.array_split(np.arange(calls.shape[1]), RUNS):
        seen = np.zeros((2, groups), np.int64)
        for g in range(groups):
            mine = maps[part] & (of[part] == g)
            seen[:, g] = mine.sum(), (mine & failed[part]).sum()
        runs.append(seen)
    return _expected(pool, runs, ran.peak)


def sizes(areas: int, around: int, restricted: bool, count: int = 10) -> list[BootPool]:
    """``count`` pools or fewer, up to about ``around`` slots and a little beyond.

    Powers of two from one slot set an area on, or for a restricted pool steps of whole
    slot sets.
    """
    if restricted:
        sets = max(around // IO_TLB_SEGSIZE, 1)
        found = sorted({max(sets * k // (count - 2), 1) for k in range(1, count + 1)})
        return [BootPool(n * IO_TLB_SEGSIZE, 1) for n in found]
    powers = [1 << bit for bit in range(LARGEST_POOL_SLABS.bit_length())]
    able = [n for n in powers if n >= areas * IO_TLB_SEGSIZE]
    upto = [n for n in able if n <= 2 * around] or able[:1]
    return [BootPool(n, areas) for n in upto[-count:]]


def smallest(
    state: KernelState, groups: Sequence[Group], load: Load, rate: float, areas: int
) -> Iterator[Expected]:
    """Pools of growing size, up to the first whose rate is surely at most ``rate``.

    The last one is that pool if its ``total.high`` says so; else none is.
    """
    nslabs = max(areas * IO_TLB_SEGSIZE, IO_TLB_SEGSIZE)
    while nslabs <= LARGEST_POOL_SLABS:
        found = expect(state, groups, BootPool(nslabs, areas), load)
        yield found
        if found.total.high <= rate:
            return
        nslabs *= 2


def check_rate(rate: float, load: Load) -> None:
    """InputError for a rate that is none, or that no run of this length can show."""
    if not 0 < rate < 1:
        raise InputError(f"--rate {rate}: not between 0 and 1")
    if rate < load.fewest:
        why = f"{load.calls} calls show no rate below {load.fewest:.1e}; --calls"
        raise InputError(f"--rate {rate}: {why}")
