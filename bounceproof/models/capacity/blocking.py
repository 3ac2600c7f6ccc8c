# SPDX-License-Identifier: GPL-2.0-only
"""What blocks a slot set: the cheapest mappings that leave another one no room.

A slot set is a line of slots.  Mappings that stay cut it into gaps; the next mapping
fails if it fits none of them.  So the cheapest choice is a shortest path from the start
of the slot set to its end, over the ends of mappings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from bounceproof.models.capacity.mix import Shape

Weights = Sequence[int]


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


Table = Sequence[dict[int, Place]]


def lightest(places: Iterable[Place], weights: Weights, segsize: int) -> Table:
    """By first slot and end, the lightest of ``places``."""
    cheap: list[dict[int, Place]] = [{} for _ in range(segsize + 1)]
    for place in places:
        held = cheap[place.slot].get(place.end)
        if held is None or _weight(place, weights) < _weight(held, weights):
            cheap[place.slot][place.end] = place
    return cheap


def _weight(place: Place, weights: Weights) -> int:
    return weights[place.shape.group]


def cheapest(
    victim: Shape,
    cheap: Table,
    weights: Weights,
    segsize: int,
    missed: int | None = None,
) -> Blocked | None:
    """The lightest mappings that leave ``victim`` no gap, or None if none do.

    ``cheap`` as :func:`lightest` gives it for ``weights``, by group and not negative;
    ``missed``: a slot at which a gap does not count.

    ``onward[x]`` is the weight from a mapping's end at x on, ``through[p]`` that of a
    mapping that starts at p and what follows it: a shortest path, backwards.
    """
    onward: list[float] = [inf] * (segsize + 1)
    through: list[float] = [inf] * (segsize + 1)
    taken: list[Place | None] = [None] * (segsize + 1)
    after: list[int | None] = [None] * (segsize + 1)
    for x in range(segsize, -1, -1):
        for end, place in cheap[x].items():
            here = _weight(place, weights) + onward[end]
            if here < through[x]:
                through[x], taken[x] = here, place
        limit = room(victim, x, missed)
        if limit > segsize:
            onward[x] = 0
            continue
        best = min(through[x:limit], default=inf)
        if best < inf:
            onward[x], after[x] = best, through.index(best, x, limit)
    if onward[0] == inf:
        return None
    return Blocked(int(onward[0]), tuple(_followed(after, taken)))


def room(victim: Shape, slot: int, missed: int | None = None) -> int:
    """Where at the latest a gap that starts at ``slot`` ends for ``victim`` to fit."""
    first = victim.next(slot)
    if first == missed:
        first = victim.next(first + 1)
    return first + victim.nslots


def _followed(
    after: Sequence[int | None], taken: Sequence[Place | None]
) -> Iterable[Place]:
    at = after[0]
    while at is not None:
        place = taken[at]
        assert place is not None
        yield place
        at = after[place.end]
