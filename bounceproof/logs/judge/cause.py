# SPDX-License-Identifier: GPL-2.0-only
"""The cause of a failure, the plainest first: what the numbers in the line decide comes
before what any model of the driver says."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.judge.verdict import PoolSeen, Verdict
from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT, IO_TLB_SIZE

NEARLY_PERCENT: Final = 90
_WORST_OFFSET: Final = (1 << 16) >> IO_TLB_SHIFT
"""Slots that the bits of an address below 64 KiB can cost a mapping."""


def slots_of(sz: int) -> int:
    """The fewest slots that ``sz`` bytes take."""
    return -(-sz // IO_TLB_SIZE)


def nearly_full(pool: PoolSeen) -> bool:
    """Whether 90 % of the pool, or more, was in use."""
    if not pool.total or pool.used is None:
        return False
    return pool.used * 100 >= pool.total * NEARLY_PERCENT


def plain_cause(sz: int, pool: PoolSeen) -> Verdict | None:
    """What the size and the totals decide alone; None where they do not."""
    if pool.total == 0:
        return Verdict.NO_POOL
    if slots_of(sz) > IO_TLB_SEGSIZE:
        return Verdict.NEVER
    if pool.free is not None and slots_of(sz) > pool.free:
        return Verdict.FULL
    return None


def certain_room(sz: int, pool: PoolSeen) -> bool:
    """Whether some free run had room for ``sz`` bytes at whatever alignment."""
    run = pool.free_run()
    return run is not None and run >= slots_of(sz) + _WORST_OFFSET


def settled(
    sz: int, pool: PoolSeen, judged: Verdict | None, boundary_known: bool
) -> Verdict | None:
    """The verdict, from what the model of the driver judged.

    ``boundary_known``: the driver's segment boundary is known not to matter.
    """
    plain = plain_cause(sz, pool)
    if plain is not None:
        return plain
    if judged in (Verdict.NEVER, Verdict.ADDRESS):
        return judged
    if nearly_full(pool):
        return Verdict.NEARLY
    open_still = judged in (None, Verdict.FRAGMENTED, Verdict.CROWDED)
    if open_still and not boundary_known and certain_room(sz, pool):
        return Verdict.BOUNDARY
    return judged
