# SPDX-License-Identifier: GPL-2.0-only
"""A hunt in numbers for what no rule says: many requests, small areas and large.

The search is walked in numbers (:mod:`~.concrete.walk`); what looks broken
there is run on the tree's own code, and counts where that shows it.  What is not found
is no proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic

from bounceproof.errors import InputError, Undecided
from bounceproof.models.formulas.search import NotRead
from bounceproof.models.request import Cell, PoolKind, Request
from bounceproof.models.words.word import TRUE, U64, Word
from bounceproof.solver.concrete.lanes import Collector, Place, Requests
from bounceproof.solver.concrete.seeds import Seeds, constants
from bounceproof.solver.concrete.walk import Walk
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import (
    CellVerdict,
    Counterexample,
    Finding,
    Hunt,
    Verdict,
)
from bounceproof.solver.counterexample.confirm import shown_of, shows
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point
from bounceproof.solver.smt.straight_line import NotStraight
from bounceproof.source.errors import UnprovedCaller
from bounceproof.source.extract.search_cut import SearchMachine
from bounceproof.source.kernel.confirm import TreeKernel

PROPERTIES = (Property.FITS, Property.FINDS, Property.HALTS, Property.ALIGNED)
SECONDS = 4.0
"""How long the walks of all cells may take, for all properties in all."""
CONFIRM_SECONDS = 3.0
"""How long points of one property are run."""
_MOST_TRIED = 8
_MOST_AREAS = 8

Points = dict[Property, list[Point]]


class Directed:
    """Hunts in the cells of one kernel; what is found of one property serves all."""

    def __init__(self, kernel: TreeKernel, domain: Domain) -> None:
        self._kernel, self._domain = kernel, domain
        self._walks: dict[tuple[int, int], Walk] = {}
        self._points: dict[Cell, Points] = {}
        self._largest: dict[Cell, int] = {}

    def hunt(self, wanted: Hunt, why: str) -> Finding | None:
        """Something that breaks the property, run on the tree's code, or None."""
        if wanted.prop not in PROPERTIES:
            return None
        started = monotonic()
        for number, (cell, limit) in enumerate(wanted.cells):
            if cell.pool_kind is not PoolKind.DEFAULT:
                continue
            wanted.watch(f"{wanted.prop}, configuration {number + 1}")
            if cell not in self._points:
                if monotonic() - started > 2 * SECONDS:
                    break
                share = SECONDS / (len(wanted.cells) - number)
                self._points[cell] = self._collected(cell, limit, share)
            example = self._confirmed(wanted, cell, limit)
            if example is not None:
                return _broken(wanted, example, why, monotonic() - started)
        return None

    @property
    def where(self) -> str:
        """What was walked, in words; empty where nothing was."""
        slots = max(self._largest.values(), default=0)
        return f"a hunt in areas up to {slots} slots found nothing" if slots else ""

    # Points that look broken.

    def _collected(self, cell: Cell, limit: int, seconds: float) -> Points:
        points: Points = {}
        try:
            seeds = self._seeds(cell, limit)
            requests = self._requests(cell, seeds)
            self._refused(points, seeds, requests)
            self._whole(points, seeds, requests)
            walk = self._walk(cell)
            deadline = monotonic() + seconds
            collector = Collector(seeds, requests, walk, deadline)
            collector.collect()
            self._largest[cell] = collector.largest
            for prop, found in collector.points.items():
                points.setdefault(prop, []).extend(found)
        except (InputError, NotRead, Undecided, NotStraight, RecursionError):
            return points
        return points

    def _seeds(self, cell: Cell, limit: int) -> Seeds:
        geometry = self._kernel.geometry(cell.page_size)
        numbers = _numbers(self._kernel, cell)
        return Seeds(cell, limit, self._domain, geometry, numbers)

    def _requests(self, cell: Cell, seeds: Seeds) -> Requests:
        orig, size = seeds.requests()
        mapping = self._kernel.mapping(cell, Request(Word(orig, U64), Word(size, U64)))
        return Requests(orig, size, mapping)

    def _walk(self, cell: Cell) -> Walk:
        key = cell.page_size, cell.min_align_mask
        if key not in self._walks:
            search = self._kernel.reader(cell.page_size).search.function
            program = self._kernel.program(cell.page_size)
            self._walks[key] = Walk(SearchMachine(program, cell, search))
        return self._walks[key]

    def _refused(self, points: Points, seeds: Seeds, requests: Requests) -> None:
        """Some requests are refused whatever is found, and not all are."""
        if not len(requests.searched):
            return
        pool = _pool(seeds, 1)
        found = [self._plain(seeds, requests, int(r), pool) for r in requests.refused]
        points.setdefault(Property.FITS, []).extend(found)

    def _plain(
        self, seeds: Seeds, requests: Requests, request: int, pool: Place
    ) -> Point:
        return {
            "size": int(requests.size[request]),
            "orig_addr": int(requests.orig_addr[request]),
            "start_index": self._domain.start_index or 0,
            "area_nslabs": pool.slots,
            "nareas": pool.nareas,
            "pool_start": pool.start,
            "seg_boundary_mask": seeds.boundary(),
        }

    def _whole(self, points: Points, seeds: Seeds, requests: Requests) -> None:
        """Whole mappings, where what stands around the search is not proved."""
        try:
            self._kernel.require_caller(seeds.cell)
            return
        except UnprovedCaller:
            pass
        chosen = requests.searched[:: max(1, len(requests.searched) // 3)][:3]
        for count in seeds.counts()[:2]:
            pool = _pool(seeds, count)
            for request in chosen[:1] if count > 4 else chosen:
                point = self._plain(seeds, requests, int(request), pool)
                for area in range(min(count, _MOST_AREAS)):
                    first = area * pool.slots + self._usual(seeds, point)
                    found = {**point, "free_slot": first}
                    points.setdefault(Property.FINDS, []).append(found)

    def _usual(self, seeds: Seeds, point: Point) -> int:
        """The slot that the request takes in an empty pool, 0 for none."""
        outcome = self._kernel.run_numbers(seeds.cell, _fields(point), [])
        return int(outcome.slot or 0) % point["area_nslabs"]

    # What the code shows of them.

    def _confirmed(self, wanted: Hunt, cell: Cell, limit: int) -> Counterexample | None:
        prop, began = wanted.prop, monotonic()
        for point in _order(self._points[cell].get(prop, [])):
            if monotonic() - began > CONFIRM_SECONDS:
                break
            if not _asked_about(wanted, cell, limit, point):
                continue
            try:
                if not shows(prop, self._kernel, cell, point):
                    continue
                seen = shown_of(prop, self._kernel, cell, point)
            except (InputError, NotRead, Undecided, RecursionError):
                continue
            return Counterexample(
                cell, limit, point, seen.outcome, False, seen.taken, seen.history
            )
        return None


def _numbers(kernel: TreeKernel, cell: Cell) -> tuple[int, ...]:
    """Numbers in the code that a mapping runs, and of cases that refute its rules."""
    reader, program = kernel.reader(cell.page_size), kernel.program(cell.page_size)
    entry = kernel.entry(cell.path, cell.page_size)
    starts = [reader.search.function.name]
    starts += [] if entry is None else [entry.name]
    cases = [r.case for r in reader.refusals.values() if r.case is not None]
    odd = [value for case in cases for value in case.values()]
    return tuple(dict.fromkeys([*odd, *constants(program, *starts)]))


def _pool(seeds: Seeds, nareas: int) -> Place:
    slots = seeds.areas()[0]
    return Place(seeds.starts(slots * nareas)[0], slots, 0, nareas)


def _fields(point: Point) -> Point:
    return {**point, "nslabs": point["area_nslabs"] * point["nareas"]}


def _order(points: list[Point]) -> Iterator[Point]:
    """The small ones first, and no more than a few of each area's size."""
    names = ("area_nslabs", "size", "orig_addr", "start_index")
    tried: dict[int, int] = {}
    for point in sorted(points, key=lambda p: tuple(p[name] for name in names)):
        slots = point["area_nslabs"]
        tried[slots] = tried.get(slots, 0) + 1
        if tried[slots] <= _MOST_TRIED or point["nareas"] > 1:
            yield point


def _asked_about(wanted: Hunt, cell: Cell, limit: int, point: Point) -> bool:
    """Whether the domain has the request and the pool."""
    domain = wanted.domain
    if domain.nareas is None and domain.nslabs is None:
        wanted = replace(wanted, domain=replace(domain, nareas=point["nareas"]))
    space = wanted.space(cell, limit)
    same = TRUE
    for name, word in space.ordered().items():
        if name not in space.extra:
            same = same & word.eq(Word(point[name], word.ctype))
    question = space.constraint & same
    return ask(Query("a point of the hunt", question), 5).status is Status.SAT


def _broken(wanted: Hunt, example: Counterexample, why: str, took: float) -> Finding:
    slots = example.point["area_nslabs"]
    note = f"one of many, found by a hunt in areas of {slots} slots: {why}"
    cells = (CellVerdict(example.cell, example.limit, Verdict.BROKEN),)
    verdict = Verdict.BROKEN
    return Finding(wanted.prop, verdict, cells, example, True, None, note, took)
