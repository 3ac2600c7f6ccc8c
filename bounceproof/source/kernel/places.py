# SPDX-License-Identifier: GPL-2.0-only
"""At which lines of a tree's code a counterexample breaks a property."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Place
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import Endless, SourceError
from bounceproof.source.eval.memory import State, Value
from bounceproof.source.eval.paths import Outcome
from bounceproof.source.extract.machine import Machine
from bounceproof.source.extract.run import PoolNumbers, Runner
from bounceproof.source.extract.stages import GIVEN_BACK
from bounceproof.source.program.program import Program

_At = tuple[str, int]
_GIVES_UP, _TURNS = "the slot search gives up here", "the slot search turns here"
_CHOSEN = "the slot search returns the slot here"
_COPIES, _FILLS = "the last copy of the mapping", "the mapping's slots are zeroed"
_REACHED = "the device is given reach here"
_FREED = "the mapping's slots are freed here"


@dataclass(slots=True)
class Course:
    """Where a mapping came by: file and line (from 1).

    ``events``: of each kind, where it last happened; ``end``: the last return out of
    the slot search; ``loop``: the loop that does not end.
    """

    events: dict[str, _At] = field(default_factory=dict)
    end: _At | None = None
    loop: _At | None = None


class _Followed(Machine):
    """A machine that notes where it is."""

    def _build(self) -> None:
        self.course, self.search = Course(), ""
        self._at, self._inside = ("", 0), ""
        super()._build()

    def invoke(
        self,
        function: c.Function,
        arguments: list[Value],
        state: State,
        node: c.Node,
        body: Callable[[State], list[Outcome]] | None = None,
    ) -> Value:
        """Run ``function``, inside which everything now happens."""
        outer, self._inside = self._inside, function.name
        try:
            return super().invoke(function, arguments, state, node, body)
        except Endless as error:
            self.course.loop = error.file, error.line
            raise
        finally:
            self._inside = outer

    def execute(self, statement: c.Statement, state: State) -> list[Outcome]:
        """Run one statement, and note its place."""
        if statement.line:
            self._at = self.file, statement.line
        if isinstance(statement, c.Return) and self._inside == self.search:
            self.course.end = self._at
        return super().execute(statement, state)

    def event(self, kind: str, state: State, **data: Any) -> None:
        """Record that something happens, and where."""
        self.course.events[kind] = self._at
        super().event(kind, state, **data)


class _Follower(Runner):
    """Runs one mapping and keeps its course."""

    made = _Followed

    def follow(
        self, orig_addr: int, size: int, pool: PoolNumbers
    ) -> tuple[Course, bool]:
        """The course of a mapping, and whether it is made; what the code raises."""
        machine = self._machine(pool)
        assert isinstance(machine, _Followed)
        machine.course, machine.search = Course(), self._search
        outcome = self.run(orig_addr, size, pool).outcome
        return machine.course, outcome.ok


def _of_course(prop: str, course: Course, ok: bool) -> list[Place]:
    """The lines of a mapping's course that ``prop`` speaks of, the nearest first."""
    end, events = course.end, course.events
    if course.loop is not None:
        return [Place(*course.loop, _TURNS)]
    chosen = [] if end is None else [Place(*end, _CHOSEN if ok else _GIVES_UP)]
    named = {"copy": _COPIES, "fill": _FILLS, "iommu_map": _REACHED}
    seen = {k: Place(*events[k], what) for k, what in named.items() if k in events}
    first = {"owned": ["iommu_map"], "inbounds": ["copy"], "clean": ["fill", "copy"]}
    return [*(seen[k] for k in first.get(prop, []) if k in seen), *chosen]


def _function(program: Program, name: str, what: str) -> list[Place]:
    function = program.function(name)
    return [] if function is None else [Place(function.file, function.line, what)]


def _released(program: Program) -> list[Place]:
    """The function that gives slots back, the innermost that there is."""
    found = [p for name in GIVEN_BACK for p in _function(program, name, _FREED)]
    return found[-1:]


def _limit(program: Program) -> list[Place]:
    """Where the driver's limit is taken from."""
    what = "the driver's limit comes from here"
    return _function(program, "dma_max_mapping_size", what)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of ``cell`` on ``pool``: what maps it, and what searches for it."""

    cell: Cell
    entry: c.Function
    search: c.Function
    geometry: SlotGeometry
    orig_addr: int
    size: int
    pool: PoolNumbers


def _run(program: Program, asked: Asked, prop: str) -> list[Place]:
    """The lines that running the request tells; none where it cannot be run."""
    runner = _Follower(
        program, asked.cell, asked.entry, asked.search.name, asked.geometry
    )
    try:
        course, ok = runner.follow(asked.orig_addr, asked.size, asked.pool)
    except SourceError:
        return []
    return _of_course(prop, course, ok)


def places(program: Program, asked: Asked, prop: str) -> tuple[Place, ...]:
    """Lines of the code that a request leads to, the one where ``prop`` breaks first.

    Behind them the functions that have to do with it.
    """
    found = _released(program) if prop == "returned" else []
    found += _run(program, asked, prop)
    for function, what in ((asked.search, "slot search"), (asked.entry, "mapping")):
        text = f"the {what}, {function.name}()"
        found.append(Place(function.file, function.line, text))
    if prop == "fits":
        found += _limit(program)
    return tuple(dict.fromkeys(found))
