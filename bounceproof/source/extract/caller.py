# SPDX-License-Identifier: GPL-2.0-only
"""A whole mapping on a pool of any areas, with the slot search taken as given.

The search of an area returns a slot of it or -1.  What the entry point makes of the
request before, between and after the searches is run on the tree's code; the loop over
the areas is cut at its head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.words.word import INT, TRUE, U64, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.arguments import named
from bounceproof.source.eval.memory import (
    NOTHING,
    Address,
    Location,
    Pointer,
    State,
    Value,
)
from bounceproof.source.eval.outside import IOVA_BASE
from bounceproof.source.eval.paths import Outcome
from bounceproof.source.extract.any_pool import AnyPool, has_areas, state_pool
from bounceproof.source.extract.cut import (
    ORIGIN,
    CutMachine,
    CutRun,
    Fresh,
    forget,
    only_locals,
)
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.machine import POOL_START, Layout, u64
from bounceproof.source.extract.marks import only_computes
from bounceproof.source.extract.run import entry_values
from bounceproof.source.extract.stages import GIVEN_BACK
from bounceproof.source.program.calls import copiers, reachable_calls
from bounceproof.source.program.program import Program

UNMAPS = (*GIVEN_BACK, "dma_iova_unlink")
_MAP_SINGLE = "swiotlb_tbl_map_single"


@dataclass(frozen=True, slots=True)
class SearchCall:
    """One call of the search: what it is given by parameter, and its ``result``."""

    origin: Word
    condition: Truth
    given: Mapping[str, Value]
    result: Word


@dataclass(slots=True)
class CallerRun:
    """The paths of one entry point.

    ``bounces``: the buffers that swiotlb_tbl_map_single() returned, and where;
    ``maps``: what iommu_map() is told, as IOVA, physical address and bytes, and where;
    ``stopped``: where BUG() is met; ``wrote``: where list[] or an area is written to.
    """

    run: CutRun
    calls: list[SearchCall] = field(default_factory=list)
    bounces: list[tuple[Truth, Word]] = field(default_factory=list)
    maps: list[tuple[Truth, Word, Word, Word]] = field(default_factory=list)
    stopped: Truth = field(default_factory=lambda: Truth(False))
    wrote: Truth = field(default_factory=lambda: Truth(False))


class CallerMachine(CutMachine):
    """A machine for the entry points of one cell."""

    def __init__(self, program: Program, cell: Cell, search: c.Function) -> None:
        self._search_name = search.name
        self._cutting: dict[int, bool] = {}
        super().__init__(program, cell, Layout(u64(POOL_START)))
        self._search = search
        self.slot_geometry = slot_geometry(program)
        self.mark_only()
        self._wrote = Truth(False)
        for root in self.sinks:
            self.objects[root].write = self._write
        if not self.single:
            self.objects[self.areas[0]].write = self._write_area
        self.hooks[search.name] = self._searched
        self.hooks[_MAP_SINGLE] = self._mapped_single
        for name in copiers(program, search.name):
            self.hooks[name] = lambda state, arguments, node: NOTHING
        for name in UNMAPS:
            self.hooks[name] = lambda state, arguments, node: NOTHING

    # Loops over areas.

    def cuts(self, node: c.Node) -> bool:
        """Loops that search, themselves or in what they call."""
        key = id(node)
        if key not in self._cutting:
            called = reachable_calls(self.program, node, self.file)
            self._cutting[key] = self._search_name in called
        return self._cutting[key]

    def opens(self, node: c.Loop, state: State) -> bool:
        """All but loops whose turns are known, such as those over a list of pools."""
        if node.kind == "do" or node.condition is None:
            return True
        outer, self.quiet = self.quiet, True
        try:
            condition = self.truth(node.condition, state.fork(TRUE))
        finally:
            self.quiet = outer
        return not isinstance(condition.raw, bool)

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Take what a loop computes, and does not write anywhere, for anything."""
        if only_computes(self, node) and only_locals(node):
            forget(node, state, self.fresh)
            return [Outcome(state, "next")]
        return super().pass_loop(node, state)

    # Hooks.

    def seen(self) -> int:
        return len(self._calls)

    def _write(self, state: State, at: Location, value: Value) -> None:
        if self.single or at[-1] in ("list", "alloc_size"):
            lists = self.single and at[0] == self.slots[0]
            if lists or not self.single:
                self._wrote = self._wrote | state.condition

    def _write_area(self, state: State, at: Location, value: Value) -> None:
        self._wrote = self._wrote | state.condition

    def _searched(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        given = dict(named(self, self._search, arguments, node))
        result = self.fresh(f"found@{len(self._calls)}", INT)
        origin = state.memory[ORIGIN]
        assert isinstance(origin, Word)
        self._calls.append(SearchCall(origin, state.condition, given, result))
        return result

    def _mapped_single(
        self, state: State, arguments: list[Value], node: c.Call
    ) -> Value | None:
        function = self.program.function(_MAP_SINGLE)
        if function is None:
            return None
        result = self.invoke(function, arguments, state, node)
        self._bounces.append((state.condition, self.as_word(result, node)))
        return result

    # One run.

    def map_any(
        self, entry: c.Function, request: Request, pool: AnyPool, fresh: Fresh
    ) -> CallerRun:
        """All paths of ``entry`` for ``request``.  Raises NotUnderstood."""
        self.fresh = fresh
        self._calls: list[SearchCall] = []
        self._bounces: list[tuple[Truth, Word]] = []
        self._wrote = Truth(False)
        self.events.clear()
        self.hooks["raw_smp_processor_id"] = lambda state, a, n: pool.cpu.cast(INT)
        self.hooks["smp_processor_id"] = lambda state, a, n: pool.cpu.cast(INT)
        state = self.start_state.fork(TRUE)
        state_pool(self, state, pool)
        if isinstance(self.iova_state, Pointer) and self.iova_state.at is not None:
            offset = request.orig_addr.cast(U64) & (self.cell.granule - 1)
            address = u64(IOVA_BASE) + offset
            self.poke(state, self.iova_state.at, "dma_iova_state", "addr", address)
        values = entry_values(self, request)
        values |= dict.fromkeys(("dir", "direction"), pool.direction)
        arguments = self.bind(entry, values)
        run = self.run_cut(entry, arguments, state)
        told = CallerRun(run, self._calls, self._bounces, wrote=self._wrote)
        for event in self.events:
            if event.kind == "bug":
                told.stopped = told.stopped | event.condition
            elif event.kind == "iommu_map":
                numbers = [
                    self.as_word(value, c.Empty(entry.line)).cast(U64)
                    for value in event.data["arguments"][1:4]
                ]
                iova, phys, size = numbers
                told.maps.append((event.condition, iova, phys, size))
        return told

    @property
    def has_areas(self) -> bool:
        """Whether pools have areas."""
        return has_areas(self)

    def same_pool(self, value: Value) -> bool:
        """Whether a pointer that the search is given is to the pool asked about."""
        if not isinstance(value, Pointer):
            return False
        return value.at in (self.pool, self.memory)

    def same_device(self, value: Value) -> bool:
        """Whether a pointer that the search is given is to the device."""
        return isinstance(value, Pointer) and value.at == self.device

    def failed(self, value: Value) -> Truth:
        """Whether an entry point's result says that there is no mapping."""
        if isinstance(value, Word) and self.cell.path is Path.LINK:
            return value.ne(0)
        if isinstance(value, Word):
            return value.eq(u64(~0))
        if isinstance(value, Pointer):
            return Truth(True) if value.at is None else ~value.there
        if isinstance(value, Address):
            return ~value.there
        need = "a result that is an address or a page"
        raise NotUnderstood("kernel/dma/swiotlb.c", 0, "the result", need)


def word_of(given: Mapping[str, Value], name: str, otherwise: Word) -> Word:
    """An argument of the search as a word."""
    value = given.get(name)
    return value.cast(otherwise.ctype) if isinstance(value, Word) else otherwise
