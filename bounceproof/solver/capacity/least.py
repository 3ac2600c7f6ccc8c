# SPDX-License-Identifier: GPL-2.0-only
"""The least pool that guarantees a mix."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.capacity.boot import LARGEST_POOL_SLABS, BootPool, power_above
from bounceproof.solver.capacity.asked import Asked, Before
from bounceproof.solver.capacity.guarantee import OfMix, of_mix
from bounceproof.solver.contract.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Least:
    """``pool``: the least that guarantees the mix, None where none does.

    ``smaller``: what was found of the next smaller one, None where there is none.
    ``why``: what stands against a larger one.
    """

    pool: BootPool | None
    blocks: OfMix | None
    smaller: tuple[BootPool, OfMix] | None
    why: str | None


def least(asked: Asked, before: Before, areas: int, restricted: bool) -> Least:
    """The least pool for ``asked``'s mix; its own pool is not looked at.

    ``areas``: as many as the machine would have, fewer if that does it.
    ``restricted``: a pool of one area and any number of slot sets, else both are powers
    of two.
    """
    sets, most = 1, LARGEST_POOL_SLABS // asked.segsize
    found: OfMix | None = None
    while sets <= most:
        for nareas in _areas(min(areas, sets), restricted):
            pool = BootPool(sets * asked.segsize, nareas)
            found = of_mix(asked.with_pool(pool.nslabs, nareas), before, True)
            if found.verdict is Verdict.HOLDS:
                return Least(
                    pool, found, _smaller(asked, before, pool, restricted), None
                )
        assert found is not None
        sets = max(sets, int(found.blocks)) + 1
        sets = sets if restricted else power_above(sets)
    assert found is not None
    why = (
        f"the mix can block {int(found.blocks)} slot sets; the largest pool has {most}"
    )
    return Least(None, None, None, why)


def _smaller(
    asked: Asked, before: Before, pool: BootPool, restricted: bool
) -> tuple[BootPool, OfMix] | None:
    """What is found of the next smaller pool."""
    sets = pool.nslabs // asked.segsize
    sets = sets - 1 if restricted else sets // 2
    if not sets:
        return None
    nslabs, nareas = sets * asked.segsize, min(pool.nareas, sets)
    found = of_mix(asked.with_pool(nslabs, nareas), before, True)
    return BootPool(nslabs, nareas), found


def _areas(most: int, restricted: bool) -> list[int]:
    if restricted:
        return [1]
    return [1 << bit for bit in range(most.bit_length() - 1, -1, -1)]
