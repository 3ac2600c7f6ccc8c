# SPDX-License-Identifier: GPL-2.0-only
"""Calls of the slot search that a hunt walks, and the points that look broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bounceproof.models.words.arrays  # noqa: F401  (Words of arrays)
from bounceproof.models.formulas.outcome import misaligned
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Mapping, Pool, Request
from bounceproof.models.words.word import U32, U64, Word
from bounceproof.solver.concrete.seeds import Seeds
from bounceproof.solver.concrete.walk import (
    COMPILED,
    EMPTY,
    ENDLESS,
    EVERY,
    FOUND,
    GIVEN,
    NONE,
    RUN,
    TAKEN,
    Calls,
    Ends,
    Walk,
)
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.smt.minimum import Point
from bounceproof.source.extract.samples import flag_array, number_array

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]
_MOST_TURNS = 1 << (21 if COMPILED else 14)
_MOST_KEPT = 400
_FEW_TURNS = 3
_MORE = 3
"""Small areas are given so many times the time of larger ones."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one cell, and what the search is asked for by each."""

    orig_addr: Numbers
    size: Numbers
    mapping: Mapping

    def __len__(self) -> int:
        return len(self.size)

    def of(self, word: Word) -> Numbers:
        """One number for each request."""
        return number_array(word, len(self))

    @property
    def searched(self) -> Places:
        """The requests that come to a search."""
        gone = ~self.mapping.bounced | self.mapping.refused
        return np.flatnonzero(~flag_array(gone, len(self)))

    @property
    def refused(self) -> Places:
        """The requests that need a bounce buffer and are refused one, found or not."""
        lost = self.mapping.bounced & self.mapping.refused
        return np.flatnonzero(flag_array(lost, len(self)))


@dataclass(frozen=True, slots=True)
class Place:
    """A pool: areas of ``slots``, and the area that is searched."""

    start: int
    slots: int
    area: int = 0
    nareas: int = 1


@dataclass(frozen=True, slots=True)
class Lanes:
    """Calls side by side: a request, an index in the area, what is free, used slots."""

    request: Places
    index: Numbers
    lists: Numbers
    used: Numbers


class Collector:
    """Walks calls for one cell until ``deadline`` and keeps the points that they show.

    ``points``: by property, as :class:`~.verdict.Counterexample` has
    them, one of ``free_slot`` (pool-wide) or ``free_every`` for what is free.
    """

    def __init__(
        self, seeds: Seeds, requests: Requests, walk: Walk, deadline: float
    ) -> None:
        self._seeds, self._requests, self._walk = seeds, requests, walk
        self._deadline = self._until = deadline
        self.points: dict[Property, list[Point]] = {}
        self.largest = 0
        self._nslots = requests.of(requests.mapping.nslots)

    @property
    def _geometry(self) -> SlotGeometry:
        return self._seeds.geometry

    @property
    def _cell(self) -> Cell:
        return self._seeds.cell

    def _late(self) -> bool:
        return monotonic() > self._until

    def collect(self) -> None:
        """Each kind of what an area may hold, in areas small and large."""
        every = self._requests.searched
        mixed = np.random.default_rng(1).permutation(every)
        tasks = list(self._tasks())
        for number, (way, place) in enumerate(tasks):
            small = place.slots == tasks[0][1].slots
            now = monotonic()
            share = max(self._deadline - now, 0.0) / (len(tasks) - number)
            self._until = now + max(share * (_MORE if small else 1), 0.02)
            way(place, every if small else mixed)
            if now < self._deadline:
                self.largest = max(self.largest, place.slots)

    def _tasks(self) -> Iterator[tuple[Callable[[Place, Places], None], Place]]:
        sizes = self._seeds.areas()
        for way in (self._empty, self._scattered, self._runs):
            for slots in sizes:
                many = slots == sizes[0] and way == self._empty
                for start in self._seeds.starts(slots)[: 4 if many else 1]:
                    yield way, Place(start, slots)
        for place in self._areas_apart():
            yield self._runs, place

    def _areas_apart(self) -> Iterator[Place]:
        """Areas other than the first, of pools with several."""
        slots = self._seeds.areas()[0]
        for count in self._seeds.counts():
            start = self._seeds.starts(slots * count)[0]
            for area in [n for n in self._seeds.near(count - 1) if n][:8]:
                yield Place(start, slots, area, count)

    # What an area holds.

    def _empty(self, place: Place, every: Places) -> None:
        indices = self._seeds.indices(place.slots)
        each = max(1, self._most(place) // len(indices))
        for begin in range(0, len(every), each):
            if self._late():
                return
            lanes = self._lanes(every[begin : begin + each], indices, EMPTY)
            ends = self._ends(place, lanes)
            lost = (ends.how == NONE) | (ends.how == ENDLESS)
            self._keep(Property.FITS, place, lanes, lost)
            self._keep(Property.HALTS, place, lanes, ends.how == ENDLESS)
            astray = (ends.how == FOUND) & self._astray(place, lanes, ends)
            self._keep(Property.ALIGNED, place, lanes, astray)

    def _most(self, place: Place) -> int:
        """How many calls are walked at once: they may come by all of the area."""
        return max(200, _MOST_TURNS // place.slots)

    def _lanes(self, requests: Places, indices: list[int], kind: int) -> Lanes:
        """Each request from each index."""
        who = np.repeat(requests, len(indices))
        where = np.tile(np.array(indices, np.uint64), len(requests))
        lists = np.zeros((len(who), 4), np.uint64)
        lists[:, 0], lists[:, 3] = kind, self._geometry.set_low
        return Lanes(who, where, lists, np.zeros(len(who), np.uint64))

    def _astray(self, place: Place, lanes: Lanes, ends: Ends) -> NDArray[np.bool_]:
        asked, who = self._requests, lanes.request
        count, given = len(asked), asked.mapping
        mapping = replace(
            given,
            alloc_align_mask=_picked(given.alloc_align_mask, who, count),
            padding=_picked(given.padding, who, count),
            orig_addr=_picked(given.orig_addr, who, count),
        )
        request = Request(Word(asked.orig_addr[who], U64), Word(asked.size[who], U64))
        none = Word(0, U32)
        pool = Pool(Word(place.start, U64), none, none, none, geometry=self._geometry)
        slot = Word(ends.slot & np.uint64(0xFFFFFFFF), U32)
        wrong = misaligned(self._cell, request, mapping, pool, slot)
        return flag_array(wrong, len(who))

    def _scattered(self, place: Place, every: Places) -> None:
        """Every second slot is free, which is room enough and none for two."""
        nslots, indices = self._nslots[every], self._seeds.indices(place.slots)[:4]
        several = every[(nslots > 1) & (nslots <= place.slots // 2)]
        single = every[(nslots == 1) & (place.slots > 1)]
        each = max(1, self._most(place) // len(indices))
        for who, kind in ((several, EVERY), (single, RUN)):
            chosen = np.array(list(_spread(who, 4 * each)), dtype=np.int64)
            for begin in range(0, len(chosen), each):
                part = chosen[begin : begin + each]
                self._hangs(place, self._lanes(part, indices, kind))

    def _hangs(self, place: Place, lanes: Lanes) -> None:
        if self._late() or not len(lanes.request):
            return
        nslots = self._nslots[lanes.request]
        odd = lanes.lists[:, 0] == RUN
        lanes.lists[:, 1] = odd
        lanes.lists[:, 2] = np.where(odd, nslots, 2)
        free = np.where(odd, nslots, (place.slots + 1) // 2)
        lanes = replace(lanes, used=(place.slots - free).astype(np.uint64))
        ends = self._ends(place, lanes)
        self._keep(Property.HALTS, place, lanes, ends.how == ENDLESS)

    # A free run.

    def _runs(self, place: Place, every: Places) -> None:
        """One free run that an empty area's search takes where it starts there."""
        fits = every[self._nslots[every] <= self._geometry.segsize]
        for request in _spread(fits, max(20, _MOST_TURNS // 16 // place.slots)):
            if self._late():
                return
            self._runs_of(place, int(request))

    def _runs_of(self, place: Place, request: int) -> None:
        need, segsize = int(self._nslots[request]), self._geometry.segsize
        one, slots = np.array([request]), place.slots
        first = Place(place.start, slots)
        whole = self._lanes(one, list(range(slots)), EMPTY)
        ends = self._ends(first, whole, _FEW_TURNS)
        places = np.arange(slots, dtype=np.uint64)
        taken = (ends.how == FOUND) & (ends.slot == places)
        taken &= places % np.uint64(segsize) + np.uint64(need) <= segsize
        accepted = np.flatnonzero(taken)
        if not len(accepted):
            return
        indices = self._seeds.indices(slots)[:24]
        lanes = self._lanes(one, indices, TAKEN)
        lanes = replace(lanes, used=np.full(len(indices), slots - need, np.uint64))
        seen = self._walk.visits(self._calls(place, lanes), 4 * slots, slots)
        missed = taken & ~seen
        some = [(i, s) for i in range(len(indices)) for s in _some(missed[i])]
        pairs = [(indices[i], int(s)) for i, s in some[:64]]
        pairs += [(i, int(s)) for i in indices[:4] for s in _some(taken)]
        pairs += [(int(s), int(s)) for s in _some(taken)]
        self._tried(place, request, need, pairs)

    def _tried(
        self, place: Place, request: int, need: int, pairs: list[tuple[int, int]]
    ) -> None:
        lanes = self._lanes(np.array([request]), [i for i, _ in pairs], RUN)
        base = place.area * place.slots
        lanes.lists[:, 1] = [base + s for _, s in pairs]
        lanes.lists[:, 2] = need
        lanes.used[:] = place.slots - need
        ends = self._ends(place, lanes)
        self._keep(Property.FINDS, place, lanes, ends.how == NONE)
        self._keep(Property.HALTS, place, lanes, ends.how == ENDLESS)

    # One walk.

    def _calls(self, place: Place, lanes: Lanes) -> Calls:
        asked, who = self._requests, lanes.request
        columns: dict[str, Any] = {
            "orig_addr": asked.of(asked.mapping.orig_addr)[who],
            "alloc_size": asked.of(asked.mapping.total)[who],
            "alloc_align_mask": asked.of(asked.mapping.alloc_align_mask)[who],
            "area": place.area,
            "area_nslabs": place.slots,
            "nareas": place.nareas,
            "index": lanes.index,
            "used": lanes.used,
            "start": place.start,
            "boundary": self._seeds.boundary(),
        }
        given = np.empty((len(who), len(GIVEN)), np.uint64)
        for number, name in enumerate(GIVEN):
            given[:, number] = columns[name]
        return Calls(given, lanes.lists)

    def _ends(self, place: Place, lanes: Lanes, most: int = 0) -> Ends:
        return self._walk.ends(self._calls(place, lanes), most or 4 * place.slots + 16)

    def _keep(
        self, prop: Property, place: Place, lanes: Lanes, which: NDArray[np.bool_]
    ) -> None:
        held = self.points.setdefault(prop, [])
        for lane in np.flatnonzero(which):
            if len(held) >= _MOST_KEPT:
                return
            held.append(self._point(place, lanes, int(lane)))

    def _point(self, place: Place, lanes: Lanes, lane: int) -> Point:
        request, (kind, first, many, _) = lanes.request[lane], lanes.lists[lane]
        point = self.plain_point(int(request), place, int(lanes.index[lane]))
        if kind == RUN:
            point["free_slot"] = int(first)
        if kind in (EMPTY, EVERY):
            point["free_every"] = int(many) if kind == EVERY else 1
        return point

    def plain_point(self, request: int, place: Place, index: int) -> Point:
        """A request to an empty pool."""
        return {
            "size": int(self._requests.size[request]),
            "orig_addr": int(self._requests.orig_addr[request]),
            "start_index": index,
            "area_nslabs": place.slots,
            "nareas": place.nareas,
            "pool_start": place.start,
            "seg_boundary_mask": self._seeds.boundary(),
        }


def _picked(word: Word, who: Places, count: int) -> Word:
    """What a Word holds for the requests ``who``."""
    return Word(number_array(word, count)[who], word.ctype)


def _spread(values: Places, most: int) -> Iterator[int]:
    """No more than ``most`` of them, from all over, the first ones among them."""
    if len(values) <= most:
        yield from values
        return
    yield from values[: most // 2]
    yield from values[most // 2 :: max(1, len(values) // max(1, most // 2))]


def _some(flags: NDArray[np.bool_]) -> Places:
    """The first, the last and some in between."""
    found = np.flatnonzero(flags)
    if not len(found):
        return found
    return np.unique(found[np.linspace(0, len(found) - 1, 6).astype(int)])
