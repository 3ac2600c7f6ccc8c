# SPDX-License-Identifier: GPL-2.0-only
"""A history that blocks a pool: mappings that come and go, and those that stay.

Slot set by slot set, from the first on: what comes and goes moves the index of the area
to where the next mapping that stays is to lie.  It is there only while nothing fails,
and one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bounceproof.models.capacity.blocking import Place, single
from bounceproof.models.capacity.mix import Group, Shape
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.request import Path
from bounceproof.simulator.capacity.replay import COLUMNS, PATHS, UNMAP
from bounceproof.solver.capacity.budget import Blocking

SEG = IO_TLB_SEGSIZE
ANOTHER = -1
"""The group of a mapping of another device: one slot, wherever the index is."""
Call = tuple[int, int, int, int, int, int, int]


class NoHistory(Exception):
    """No history of this kind leads there."""


@dataclass(frozen=True, slots=True)
class History:
    """Calls as :data:`~bounceproof.simulator.capacity.replay.COLUMNS` has them.

    The last one is to fail.  ``kept``: the slot at which each mapping that stays is to
    lie, by its name; ``shapes``: the shape of each mapping, by its name.
    """

    calls: tuple[Call, ...]
    kept: dict[int, int]
    shapes: dict[int, Shape]

    def rows(self) -> Any:
        """As the simulator takes them."""
        return np.array(self.calls, dtype=np.int64).T.copy()

    def operations(self) -> list[dict[str, Any]]:
        """As ``simulate --history`` takes them."""
        names = {code: name for name, code in PATHS.items()}
        found = []
        for call in self.calls:
            row = dict(zip(COLUMNS, call, strict=True))
            if row["path"] == UNMAP:
                found.append({"op": "unmap", "mapping": row["mapping"]})
                continue
            op = {"op": "map", "path": names[row["path"]], "mapping": row["mapping"]}
            keys = ("min_align_mask", "orig_addr", "size", "cpu")
            found.append(op | {key: row[key] for key in keys})
        return found


class Builder:
    """Makes a history on an empty pool; knows where each call leads."""

    def __init__(self, groups: Sequence[Group], nslabs: int, nareas: int) -> None:
        self._groups = groups
        self._slots = nslabs // nareas
        self._taken = [bytearray(self._slots) for _ in range(nareas)]
        self._index = [0] * nareas
        self._calls: list[Call] = []
        self._kept: dict[int, int] = {}
        self._of: dict[int, Shape] = {}
        self._names = 0

    def _map(self, area: int, shape: Shape) -> int:
        name, self._names = self._names, self._names + 1
        self._of[name] = shape
        path, granule, mask = PATHS[Path.DIRECT.value], 4096, 0
        orig_addr, size = 1 << 32, 1
        if shape.group != ANOTHER:
            cell = self._groups[shape.group].cell
            path, granule = PATHS[cell.path.value], cell.granule
            mask, orig_addr, size = cell.min_align_mask, shape.orig_addr, shape.size
        self._calls.append((path, granule, mask, orig_addr, size, area, name))
        return name

    def pass_by(self, area: int, shape: Shape) -> int:
        """A mapping that comes and goes; returns the slot it had in its area."""
        name = self._map(area, shape)
        self._calls.append((UNMAP, 0, 0, 0, 0, 0, name))
        slot = self._lands(area, shape)
        self._move(area, slot + shape.nslots)
        return slot

    def _lands(self, area: int, shape: Shape) -> int:
        index, taken = self._index[area], self._taken[area]
        for start, end in ((index, self._slots), (0, index)):
            at = shape.next(start % SEG) + start - start % SEG
            while at < end:
                in_set = at % SEG + shape.nslots <= SEG
                if in_set and not any(taken[at : at + shape.nslots]):
                    return at
                at += shape.period
        raise NoHistory(f"no room for {shape.nslots} slots on the way")

    def _move(self, area: int, index: int) -> None:
        self._index[area] = index if index < self._slots else 0

    def keep(self, area: int, slot_set: int, place: Place) -> None:
        """A mapping that stays, which the index must lead to."""
        slot = slot_set * SEG + place.slot
        if self._lands(area, place.shape) != slot:
            raise NoHistory(f"no way to slot {slot}")
        name = self._map(area, place.shape)
        self._kept[name] = area * self._slots + slot
        self._taken[area][slot : slot + place.shape.nslots] = b"\1" * (
            place.shape.nslots
        )
        self._move(area, slot + place.shape.nslots)

    def leads_to(self, area: int, slot_set: int, place: Place) -> bool:
        """Whether a mapping of that shape would now lie at that place."""
        at = self._index[area] - slot_set * SEG
        return 0 <= at <= place.slot and place.shape.next(at) == place.slot

    def index(self, area: int) -> int:
        """area->index."""
        return self._index[area]

    def finish(self, victim: Shape) -> History:
        """The whole history; ``victim`` comes last."""
        self._map(0, victim)
        return History(tuple(self._calls), self._kept, self._of)


@lru_cache(maxsize=1 << 14)
def _steps(shapes: tuple[Shape, ...], place: Place, at: int) -> list[Shape]:
    """Mappings that come and go from ``at`` on, so that ``place`` is the next one."""
    ways: dict[int, list[Shape]] = {at: []}
    todo = [at]
    while todo:
        here = todo.pop(0)
        if here <= place.slot and place.shape.next(here) == place.slot:
            return ways[here]
        for shape in shapes:
            end = shape.next(here) + shape.nslots
            if end <= place.slot and end not in ways:
                ways[end] = [*ways[here], shape]
                todo.append(end)
    raise NoHistory(f"no way from slot {at} to slot {place.slot}")


def _into(builder: Builder, area: int, slot_set: int, shape: Shape) -> None:
    """Come to the start of a slot set with mappings of ``shape`` that come and go."""
    while (slot_set * SEG - builder.index(area)) > 0:
        before = builder.index(area)
        room = shape.next(before % SEG) + shape.nslots <= SEG
        if not room:
            return
        builder.pass_by(area, shape)


def _fill(
    builder: Builder,
    shapes: tuple[Shape, ...],
    area: int,
    slot_set: int,
    way: Blocking,
) -> None:
    """Block one slot set."""
    for number, place in enumerate(way.blocked.places):
        if number == 0:
            first = max(builder.index(area) - slot_set * SEG, 0)
            steps = _steps(shapes, place, first)
            _into(builder, area, slot_set, (*steps, place.shape)[0])
        else:
            steps = _steps(shapes, place, builder.index(area) - slot_set * SEG)
        for shape in steps:
            builder.pass_by(area, shape)
        builder.keep(area, slot_set, place)


def blocking_history(
    groups: Sequence[Group],
    movers: tuple[Shape, ...],
    victim: Shape,
    ways: Sequence[Sequence[Blocking]],
) -> History:
    """A history after which ``victim`` fails; ``ways``: by area and slot set.

    ``movers``: what may come and go.  Raises NoHistory where they lead not there.
    """
    sets = len(ways[0])
    builder = Builder(groups, sets * len(ways) * SEG, len(ways))
    for area, of_area in enumerate(ways):
        for slot_set, way in enumerate(of_area):
            _fill(builder, movers, area, slot_set, way)
    for area, of_area in enumerate(ways):
        for slot_set, way in enumerate(of_area):
            if way.missed is not None:
                low = slot_set * SEG + way.missed
                _park(builder, movers, area, low, low + victim.short)
    return builder.finish(victim)


def _park(
    builder: Builder, movers: tuple[Shape, ...], area: int, low: int, high: int
) -> None:
    """Move the index behind slot ``low``, up to ``high``."""
    for shape in movers:
        start = builder.index(area)
        for _ in range(2 * SEG * len(movers) + 4096):
            if low < builder.index(area) <= high:
                return
            builder.pass_by(area, shape)
            if builder.index(area) == start:
                break
    raise NoHistory(f"the index cannot be left behind slot {low}")


def another() -> Shape:
    """A mapping of another device, of one slot."""
    return single(ANOTHER)
