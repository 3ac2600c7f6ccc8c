# SPDX-License-Identifier: GPL-2.0-only
"""How many slot sets a mix of mappings can block at most, in exact numbers.

Give each mapping of a group a weight such that no slot set is blocked by less than 1:
then what a mix weighs is the most slot sets that it blocks.  The weights are found by a
linear program, in which slot sets that can be blocked are constraints; the shortest
path of :mod:`bounceproof.models.capacity.blocking` finds one that is violated, or
shows that there is none, which is what makes the weights a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from bounceproof.errors import Undecided
from bounceproof.models.capacity.blocking import Blocked, Places, cheapest
from bounceproof.models.capacity.mix import Shape
from bounceproof.solver.smt.optimum import fewest, lightest

MOST_ROUNDS = 200
MOST_WEIGHT = 1 << 50


@dataclass(frozen=True, slots=True)
class Blocking:
    """A way to block one slot set; ``missed``: the gap that the search overlooks."""

    blocked: Blocked
    missed: int | None


@dataclass(frozen=True, slots=True)
class Puzzle:
    """To leave ``victim`` no room: where mappings may lie, and what may be missed.

    ``places`` in each slot set, ``missed`` the gaps that one slot set of each area may
    have all the same.  ``groups``: how many groups the shapes belong to.
    """

    victim: Shape
    places: Places
    missed: tuple[int, ...]
    groups: int

    def cheapest(self, weights: Sequence[int]) -> Blocking | None:
        """The lightest way to block a slot set with no gap in it."""
        found = cheapest(self.victim, self.places, weights)
        return None if found is None else Blocking(found, None)

    def cheapest_missed(self, weights: Sequence[int]) -> Blocking | None:
        """The lightest way that leaves a gap which is missed."""
        best: Blocking | None = None
        for missed in self.missed:
            found = cheapest(self.victim, self.places, weights, missed)
            if found is None:
                continue
            if best is None or found.weight < best.blocked.weight:
                best = Blocking(found, missed)
        return best


def lightest_area(puzzle: Puzzle, weights: Sequence[int], sets: int) -> list[Blocking]:
    """The lightest ways to block the slot sets of an area, a missed gap first.

    They can always be blocked by what is to fail there.
    """
    plain = puzzle.cheapest(weights)
    assert plain is not None
    with_gap = puzzle.cheapest_missed(weights)
    ways = [plain] * sets
    if with_gap is not None and with_gap.blocked.weight < plain.blocked.weight:
        ways[0] = with_gap
    return ways


@dataclass(frozen=True, slots=True)
class Weighed:
    """The proof: ``weights`` by group, and ``relief`` for a slot set with a gap.

    No slot set is blocked by less than 1, or 1 less the relief.  ``most``: what the
    mix weighs, the slot sets that it can block at most.
    """

    weights: tuple[Fraction, ...]
    relief: Fraction
    most: Fraction
    ways: tuple[Blocking, ...]


def weigh(puzzle: Puzzle, counts: Sequence[int], areas: int) -> Weighed:
    """How many slot sets ``counts`` live mappings, by group, block at most.

    ``areas``: how many slot sets may have a gap that is missed.  Raises Undecided
    where the weights are not found in time.
    """
    ways: list[Blocking] = []
    for _ in range(MOST_ROUNDS):
        weights, relief = _weights(ways, counts, areas, puzzle.groups)
        light = _too_light(puzzle, weights, relief)
        new = [way for way in light if way not in ways]
        if not light:
            pairs = zip(weights, counts, strict=True)
            most = sum((w * n for w, n in pairs), relief * areas)
            return Weighed(tuple(weights), relief, Fraction(most), tuple(ways))
        if not new:
            break
        ways += new
    raise Undecided("no weights were found that prove how much a mix can block")


def still_proves(
    puzzle: Puzzle, weighed: Weighed | None, counts: Sequence[int], areas: int
) -> Weighed | None:
    """``weighed`` of another victim for this one, if its weights prove as much."""
    if weighed is None:
        return None
    if _too_light(puzzle, weighed.weights, weighed.relief):
        return None
    pairs = zip(weighed.weights, counts, strict=True)
    most = sum((w * n for w, n in pairs), weighed.relief * areas)
    return replace(weighed, most=Fraction(most), ways=())


def _too_light(
    puzzle: Puzzle, weights: Sequence[Fraction], relief: Fraction
) -> list[Blocking]:
    """Ways to block a slot set that weigh less than they must."""
    scale = lcm(1, *(w.denominator for w in (*weights, relief)))
    whole = [int(w * scale) for w in weights]
    if max(whole, default=0) > MOST_WEIGHT:
        raise Undecided("the weights that prove how much a mix can block are too fine")
    found = []
    for way, least in (
        (puzzle.cheapest(whole), scale),
        (puzzle.cheapest_missed(whole), scale - int(relief * scale)),
    ):
        if way is not None and way.blocked.weight < least:
            found.append(way)
    return found


def _weights(
    ways: Sequence[Blocking], counts: Sequence[int], areas: int, groups: int
) -> tuple[list[Fraction], Fraction]:
    """The weights that make the mix lightest, of those that ``ways`` allow."""
    rows = [
        [*way.blocked.counts(groups), 1 if way.missed is not None else 0]
        for way in ways
    ]
    *weights, relief = lightest(rows, [*counts, areas])
    return weights, relief


def choose(
    weighed: Weighed, counts: Sequence[int], sets: int, areas: int, seconds: float
) -> list[tuple[Blocking, int]] | None:
    """Which ways block ``sets`` slot sets within ``counts``, and how often each.

    With as few mappings as may be, which leaves some that may come and go.  None where
    none of the known ways do, or the solver does not say in time.
    """
    groups, ways = len(counts), weighed.ways
    taken = [way.blocked.counts(groups) for way in ways]
    rows = [[one[group] for one in taken] for group in range(groups)]
    missed = [1 if way.missed is not None else 0 for way in ways]
    each = [sum(one) for one in taken]
    found = fewest([*rows, missed], [*counts, areas], each, sets, seconds)
    if found is None:
        return None
    return [(way, n) for way, n in zip(ways, found, strict=True) if n]
