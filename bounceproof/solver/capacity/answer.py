# SPDX-License-Identifier: GPL-2.0-only
"""All that is said of a mix on a pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.capacity.shapes import NeverMaps, rules_of
from bounceproof.solver.capacity.asked import Asked, Before
from bounceproof.solver.capacity.grounds import Ground, grounds
from bounceproof.solver.capacity.guarantee import (
    Emptiest,
    OfMix,
    Together,
    emptiest,
    of_mix,
    together,
)
from bounceproof.solver.capacity.least import Least, least
from bounceproof.solver.contract.verdict import Verdict

Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a pool carries where ``before`` may have come before.

    ``overlapping``: whether other CPUs may map and unmap while a search goes from area
    to area.  It holds the lock of one area at a time, so that each may have no room
    when it is searched, though all of them together always have: what one area
    carries alone is all that is certain then.  ``least``: the least pool.
    ``another``: the slot sets that a second device with the same mix
    can block at most.
    """

    before: Before
    overlapping: bool
    together: Together
    mix: OfMix
    least: Least
    another: Fraction


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked and found; ``never``: why no pool carries the mix, if none does.

    ``unneeded``: why it needs none; ``restricted``: this pool is a device's own.
    """

    asked: Asked
    restricted: bool
    grounds: tuple[Ground, ...] = ()
    emptiest: Emptiest | None = None
    carried: tuple[Carried, ...] = ()
    never: str | None = None
    unneeded: str | None = None

    @property
    def runs(self) -> bool:
        """Whether histories of the kernel are run."""
        return isinstance(self.asked.model, BuiltinKernel) or self.asked.native

    @property
    def proved(self) -> bool:
        """Whether all that a guarantee rests on is proved."""
        return all(ground.verdict is Verdict.HOLDS for ground in self.grounds)

    def of(self, before: Before, overlapping: bool) -> Carried:
        """What is carried then; pools of one area know no overlapping."""
        kinds = [one for one in self.carried if one.before is before]
        return next((k for k in kinds if k.overlapping is overlapping), kinds[0])

    @property
    def verdict(self) -> Verdict:
        """Whether the mix always succeeds, whatever came before and overlaps."""
        if self.never is not None:
            return Verdict.BROKEN
        if self.unneeded is not None:
            return Verdict.HOLDS
        found = self.carried[0].mix.verdict
        if found is Verdict.HOLDS and not self.proved:
            return Verdict.UNKNOWN
        return found


def answer(
    asked: Asked, areas: int, restricted: bool, seconds: float, watch: Watch
) -> Answer:
    """Everything; ``areas`` as many as the machine's pool would have.

    ``watch`` is told what is being done.
    """
    bare = Answer(asked, restricted)
    try:
        rules_of(asked.model, asked.groups)
        starts = asked.pool_starts()
    except NeverMaps as reason:
        return replace(bare, never=str(reason))
    if not any(asked.shapes(start) for start in starts):
        return replace(bare, unneeded="no mapping of this mix needs a bounce buffer")
    watch("what the guarantee rests on")
    resting = grounds(asked.model, asked.groups, seconds)
    carried = []
    alone = asked.with_pool(asked.nslabs // asked.nareas, 1)
    for before in Before:
        watch(f"a pool before which came {before.value}")
        carried.append(_carried(alone, before, 1, restricted))
        if asked.nareas > 1 or areas > 1:
            one = _carried(asked, before, areas, restricted)
            carried.append(replace(one, overlapping=False))
    return Answer(asked, restricted, resting, emptiest(asked), tuple(carried))


def _carried(asked: Asked, before: Before, areas: int, restricted: bool) -> Carried:
    mix = of_mix(asked, before)
    pairs = zip(mix.weighed.weights, asked.counts, strict=True)
    another = sum((weight * count for weight, count in pairs), Fraction(0))
    return Carried(
        before,
        True,
        together(asked, before),
        mix,
        least(asked, before, areas, restricted),
        another,
    )
