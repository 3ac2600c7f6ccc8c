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
from typing import Any

import z3

from bounceproof.errors import Undecided
from bounceproof.models.capacity.blocking import Blocked, Places, cheapest
from bounceproof.models.capacity.mix import Shape

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
    optimize = z3.Optimize()
    names = [z3.Real(f"weight[{number}]") for number in range(groups)]
    relief = z3.Real("relief")
    optimize.add(relief >= 0, *(name >= 0 for name in names))
    for way in ways:
        used = way.blocked.counts(groups)
        weight = z3.Sum([n * name for n, name in zip(used, names, strict=True)])
        optimize.add(weight + (relief if way.missed is not None else 0) >= 1)
    total = z3.Sum([n * name for n, name in zip(counts, names, strict=True)])
    optimize.minimize(total + areas * relief)
    if optimize.check() != z3.sat:
        raise Undecided("the solver finds no weights")
    model = optimize.model()
    return [_fraction(model, name) for name in names], _fraction(model, relief)


def _fraction(model: Any, name: Any) -> Fraction:
    value = model.eval(name, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def choose(
    weighed: Weighed, counts: Sequence[int], sets: int, areas: int, seconds: float
) -> list[tuple[Blocking, int]] | None:
    """Which ways block ``sets`` slot sets within ``counts``, and how often each.

    With as few mappings as may be, which leaves some that may come and go.  None where
    none of the known ways do, or the solver does not say in time.
    """
    groups = len(counts)
    solver = z3.Optimize()
    solver.set("timeout", max(1, round(seconds * 1000)))
    often = [z3.Int(f"often[{number}]") for number in range(len(weighed.ways))]
    solver.add(*(n >= 0 for n in often), z3.Sum(often) == sets)
    every = []
    for group, count in enumerate(counts):
        used = [way.blocked.counts(groups)[group] for way in weighed.ways]
        every.append(z3.Sum([u * n for u, n in zip(used, often, strict=True)]))
        solver.add(every[-1] <= count)
    solver.minimize(z3.Sum(every))
    pairs = zip(weighed.ways, often, strict=True)
    missed = [n for way, n in pairs if way.missed is not None]
    solver.add(z3.Sum(missed) <= areas)
    if solver.check() != z3.sat:
        return None
    model = solver.model()
    found = [model.eval(n, model_completion=True).as_long() for n in often]
    return [(way, n) for way, n in zip(weighed.ways, found, strict=True) if n]
