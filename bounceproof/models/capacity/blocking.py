# SPDX-License-Identifier: GPL-2.0-only
"""What blocks a slot set: the cheapest mappings that leave another one no room.

A slot set is a line of slots.  Mappings that stay cut it into gaps; the next mapping
fails if it fits none of them.  So the cheapest choice is a shortest path from the start
of the slot set to its end, over the ends of mappings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.capacity.mix import Shape

Weights = Sequence[int]
NO_WAY = 1 << 60
"""More than any choice weighs; sums of two stay below 2^63."""


@dataclass(frozen=True, slots=True)
class Place:
    """A mapping that stays: its first slot in the slot set, and its shape."""

    slot: int
    shape: Shape

    @property
    def end(self) -> int:
        return self.slot + self.shape.nslots


def single(group: int = 0) -> Shape:
    """One slot, anywhere: the smallest mapping that any device may have."""
    return Shape(1, 0, 1, 0, group, 0, 1)


def anywhere(shapes: Iterable[Shape], segsize: int) -> list[Place]:
    """Where mappings may lie if any others may have come before."""
    return [Place(slot, shape) for shape in shapes for slot in shape.places(segsize)]


def reached(shapes: Sequence[Shape], segsize: int) -> list[Place]:
    """Where mappings may lie if none but these ever were.

    A search that starts at an end of a mapping, or comes to a new slot set, takes the
    first slot that is right from there, or from the end of a mapping on its way.
    """
    ends, todo = {0}, [0]
    found: dict[tuple[int, Shape], Place] = {}
    while todo:
        end = todo.pop()
        for shape in shapes:
            place = Place(shape.next(end), shape)
            if place.end > segsize:
                continue
            found[place.slot, shape] = place
            if place.end not in ends:
                ends.add(place.end)
                todo.append(place.end)
    return list(found.values())


def gaps_missed(
    victim: Shape, places: Iterable[Place], segsize: int, sets: int
) -> list[int]:
    """The slots at which the search for ``victim`` may overlook a gap.

    Where it starts at an index that is the end of one of ``places``, it may leave out
    up to ``victim.short`` slots before it, but not the last right slot of the area:
    from there on it takes no stride.  ``sets``: slot sets of the area, of which the
    first has the gap; the index is never the end of an area.
    """
    if not victim.short:
        return []
    ends = {place.end for place in places}
    starts = victim.places(segsize)
    if sets < 2:
        ends.discard(segsize)
        starts = range(
            starts.start, min(starts.stop, segsize - victim.period), victim.period
        )
    return [
        slot
        for slot in starts
        if any(slot < end <= slot + victim.short for end in ends)
    ]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A cheapest choice: what it weighs, and the mappings in order."""

    weight: int
    places: tuple[Place, ...]

    def counts(self, groups: int) -> tuple[int, ...]:
        """How many mappings of each group."""
        found = [0] * groups
        for place in self.places:
            found[place.shape.group] += 1
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Start:
    """The mappings that may start at one slot, one for each end: by ``ends``, what
    each ``weighs``, and ``which`` it is."""

    ends: NDArray[np.int64]
    weighs: NDArray[np.int64]
    which: tuple[Place, ...]


Table = tuple[Start, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where mappings may lie in a slot set of ``segsize`` slots."""

    each: tuple[Place, ...]
    segsize: int
    _tables: dict[tuple[int, ...], Table] = field(default_factory=dict)

    def lightest(self, weights: Weights) -> Table:
        """By first slot, the lightest of them for each end; ``weights`` by group."""
        key = tuple(weights)
        if key not in self._tables:
            self._tables[key] = self._lightest(key)
        return self._tables[key]

    def _lightest(self, weights: Weights) -> Table:
        light: list[dict[int, tuple[int, Place]]] = [{} for _ in range(self.segsize)]
        for place in self.each:
            weight, known = weights[place.shape.group], light[place.slot]
            if place.end not in known or weight < known[place.end][0]:
                known[place.end] = weight, place
        return tuple(
            Start(
                np.array(list(known), dtype=np.int64),
                np.array([weight for weight, _ in known.values()], dtype=np.int64),
                tuple(place for _, place in known.values()),
            )
            for known in light
        )


def cheapest(
    victim: Shape, places: Places, weights: Weights, missed: int | None = None
) -> Blocked | None:
    """The lightest of ``places`` that leave ``victim`` no gap, or None if none do.

    ``weights`` by group, not negative and below 2^50; ``missed``: a slot at which a gap
    does not count.  ``onward[x]`` is the weight from a mapping's end at x on,
    ``through[p]`` that of a mapping that starts at p and what follows it: a shortest
    path, backwards.
    """
    segsize, table = places.segsize, places.lightest(weights)
    onward = np.full(segsize + 1, NO_WAY)
    through = np.full(segsize, NO_WAY)
    taken, after = [-1] * segsize, [-1] * (segsize + 1)
    for x in range(segsize, -1, -1):
        if x < segsize and table[x].which:
            sums = table[x].weighs + onward[table[x].ends]
            taken[x] = int(sums.argmin())
            through[x] = sums[taken[x]]
        limit = room(victim, x, missed)
        if limit > segsize:
            onward[x] = 0
        else:
            after[x] = x + int(through[x:limit].argmin())
            onward[x] = through[after[x]]
    if onward[0] >= NO_WAY:
        return None
    return Blocked(int(onward[0]), tuple(_followed(table, after, taken)))


def _followed(
    table: Table, after: Sequence[int], taken: Sequence[int]
) -> Iterable[Place]:
    at = after[0]
    while at >= 0:
        place = table[at].which[taken[at]]
        yield place
        at = after[place.end]


def room(victim: Shape, slot: int, missed: int | None = None) -> int:
    """Where at the latest a gap that starts at ``slot`` ends for ``victim`` to fit."""
    first = victim.next(slot)
    if first == missed:
        first = victim.next(first + 1)
    return first + victim.nslots
