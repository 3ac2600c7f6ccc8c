# SPDX-License-Identifier: GPL-2.0-only
"""The slot search, cut at the heads of its loops, for any area and request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from bounceproof.models.request import Cell
from bounceproof.models.words.word import INT, S64, TRUE, U32, U64, CType, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import Location, Pointer, State, Value
from bounceproof.source.extract.cut import CutMachine, CutRun, Fresh, Head
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.machine import POOL_START, Layout, u64
from bounceproof.source.extract.search import BOUNDARY_TEST
from bounceproof.source.program.calls import reachable_calls
from bounceproof.source.program.program import Program

_AREA = ("index", "used")


class Elements(Protocol):
    """list[] of a pool: nothing is known of it but that like places hold alike."""

    def at(self, index: Word) -> Word:
        """The element at ``index`` (S64, pool-wide)."""
        ...


@dataclass(frozen=True, slots=True)
class SearchInputs:
    """What one call of the search is given, and finds in the pool.

    ``orig_addr`` phys_addr_t, ``alloc_size`` size_t, ``alloc_align_mask`` unsigned int;
    ``area`` int; ``area_nslabs``, ``nareas``, ``index`` (area->index) unsigned int;
    ``used`` unsigned long; ``start`` phys_addr_t; ``boundary`` unsigned long.
    """

    orig_addr: Word
    alloc_size: Word
    alloc_align_mask: Word
    area: Word
    area_nslabs: Word
    nareas: Word
    index: Word
    used: Word
    start: Word
    boundary: Word


@dataclass(frozen=True, slots=True)
class SearchRun:
    """The paths of a search, and what it leaves.

    ``stopped``: where BUG() is met; ``marked``: where slots are written.
    """

    run: CutRun
    stopped: Truth
    marked: tuple[Truth, ...]


Teller = Callable[[Head, dict[str, Word]], dict[str, Word]]
"""Values for variables of a head, from all that they are where it is first come to."""


def nothing_told(head: Head, before: dict[str, Word]) -> dict[str, Word]:
    """Every variable that a loop changes may hold anything."""
    return {}


class SearchMachine(CutMachine):
    """A machine for the function with the slot search."""

    def __init__(self, program: Program, cell: Cell, function: c.Function) -> None:
        self._cutting: dict[int, bool] = {}
        super().__init__(program, cell, Layout(u64(POOL_START)))
        self._function = function
        self.slot_geometry = slot_geometry(program)
        self._names = {n for _, n, _ in function.parameters}
        self.mark_only()
        self._element = Word(0, S64)
        self.objects[self.slots[0]].read = self._read_slot
        self.objects[self.slots[0]].write = self._write_slot
        self.has_areas = not self.single and "io_tlb_area" in program.structs
        if self.has_areas:
            self.objects[self.areas[0]].read = self._read_area
            self.objects[self.areas[0]].write = self._write_area
        self._marked: list[Truth] = []
        self._teller: Teller = nothing_told

    def cuts(self, node: c.Node) -> bool:
        """Loops that test the segment boundary, themselves or in what they call."""
        key = id(node)
        if key not in self._cutting:
            names = reachable_calls(self.program, node, self.file)
            self._cutting[key] = BOUNDARY_TEST in names
        return self._cutting[key]

    def told(self, head: Head, before: dict[str, Word]) -> dict[str, Word]:
        """What the run's teller says."""
        return self._teller(head, before)

    # The slots and the area.

    @property
    def list_type(self) -> CType:
        entry = self.program.structs.get("io_tlb_slot", {}).get("list")
        kind = entry.type if entry else c.IntType(U32)
        return kind.ctype if isinstance(kind, c.IntType) else U32

    def _read_slot(self, state: State, at: Location) -> Value | None:
        if at[-1] != "list" and not self.single:
            return None
        place = at[1] if isinstance(at[1], Word) else Word(at[1], S64)
        return self._list.at(place.cast(S64)).cast(self.list_type)

    def written(self) -> tuple[Truth, ...]:
        marks = [event.condition for event in self.events if event.kind == "marks"]
        return (*self._marked, *marks)

    def _write_slot(self, state: State, at: Location, value: Value) -> None:
        self._marked.append(state.condition)

    def _place(self, at: Location) -> Location:
        """Where what an area holds is kept; only the area asked for is known."""
        if len(at) != 3 or not _alike(at[1], self._element):
            need = "an access to the area that is searched"
            function = self._function
            raise NotUnderstood(function.file, function.line, function.name, need)
        return ("area", at[2])

    def _read_area(self, state: State, at: Location) -> Value | None:
        return state.memory.get(self._place(at))

    def _write_area(self, state: State, at: Location, value: Value) -> None:
        state.memory[self._place(at)] = value

    def left(self, state: State, name: str) -> Word:
        """area->index or area->used, as ``state`` has it."""
        node = c.Empty(self._function.line)
        if self.has_areas:
            return self.as_word(state.memory[("area", name)], node)
        if f"io_tlb_{name}" in self.program.globals:
            at, kind = self.global_place(c.Name(0, f"io_tlb_{name}"), state)
            return self.as_word(self.load(state, at, kind, node), node)
        held = self.peek(state, self.pool, self.pool_tag, name)
        return self.as_word(held, node)

    # One run.

    def search(
        self,
        given: SearchInputs,
        fresh: Fresh,
        slots: Elements,
        teller: Teller = nothing_told,
    ) -> SearchRun:
        """All paths of the search for ``given``.  Raises NotUnderstood."""
        self._teller = teller
        if not self.has_areas:
            given = replace(given, area=Word(0, INT))
        self.fresh, self._list = fresh, slots
        self._marked = []
        self.events.clear()
        state = self.start_state.fork(TRUE)
        self._state_pool(state, given)
        self._state_area(state, given)
        values = {
            **self.common(),
            "orig_addr": given.orig_addr,
            "alloc_size": given.alloc_size,
            "alloc_align_mask": given.alloc_align_mask,
            "tbl_dma_addr": given.start,
            "area_index": given.area,
        }
        arguments = self.bind(self._function, values)
        run = self.run_cut(self._function, arguments, state)
        stopped = Truth(False)
        for event in self.events:
            if event.kind == "bug":
                stopped = stopped | event.condition
        return SearchRun(run, stopped, self.written())

    def _state_pool(self, state: State, given: SearchInputs) -> None:
        nslabs = given.area_nslabs.cast(U64) * given.nareas.cast(U64)
        values: dict[str, Value] = {
            "start": given.start,
            "area_nslabs": given.area_nslabs,
            "nareas": given.nareas,
            "nslabs": nslabs if self.has_areas else given.area_nslabs,
        }
        for name, value in values.items():
            self.poke(state, self.pool, self.pool_tag, name, value)
            self.poke_global(state, f"io_tlb_{name}", value)
        tag = "device_dma_parameters"
        name = "segment_boundary_mask"
        self.poke(state, self.parameters, tag, name, given.boundary)

    def _state_area(self, state: State, given: SearchInputs) -> None:
        self._element = Word(0, S64)
        values = {"index": given.index, "used": given.used}
        if self.has_areas:
            array = Pointer(self.areas, c.StructType("io_tlb_area"))
            moved = self.move(array, given.area.cast(INT), c.Empty(0))
            assert isinstance(moved, Pointer) and moved.at is not None
            self._element = moved.at[1]
            for name in _AREA:
                entry = self.program.structs["io_tlb_area"].get(name)
                if entry is not None:
                    held = self.convert(values[name], entry.type, c.Empty(0))
                    state.memory[("area", name)] = held
            return
        for name in _AREA:
            self.poke_area(state, 0, name, values[name])


def _alike(one: Any, two: Any) -> bool:
    """Whether two element numbers are written alike."""
    first, second = (w.raw if isinstance(w, Word) else w for w in (one, two))
    if isinstance(first, int) or isinstance(second, int):
        return isinstance(first, int) and isinstance(second, int) and first == second
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second)
    return bool(first.eq(second))
