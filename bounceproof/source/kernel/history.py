# SPDX-License-Identifier: GPL-2.0-only
"""A history of map, sync and unmap, run by the tree's own C on one pool.

Bytes are not held: what the code copies, fills and maps is judged by where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bounceproof.models.formulas.lifetime import DIRECTIONS
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.words.word import TRUE, U32, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import Endless, NotUnderstood, SourceError
from bounceproof.source.eval.arguments import named
from bounceproof.source.eval.memory import NOTHING, Address, State, Value
from bounceproof.source.extract.machine import Layout, Machine, u64
from bounceproof.source.extract.run import (
    Run,
    collect,
    entry_values,
    page_address,
    prepare,
    printed,
    read_lists,
    succeeded,
    used_slots,
)
from bounceproof.source.extract.stages import IN_C, SYNCS, UNMAPS, at_device
from bounceproof.source.kernel.judge import Judge, Live
from bounceproof.source.kernel.kernel import SourceKernel

Record = dict[str, Any]
FOR_DEVICE = "for_device"


class HistoryRefused(SourceError):
    """A history that cannot be run on a tree; the message says which operation."""


@dataclass(slots=True)
class _Noted:
    """What the search and swiotlb_tbl_map_single() gave while one call ran."""

    needed: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)


class TreeHistory:
    """One pool of a tree on which calls run in order.

    ``machine`` and the operations have every field of the simulator's histories.
    """

    def __init__(
        self, kernel: SourceKernel, path: Path, machine: Mapping[str, int]
    ) -> None:
        self._path, self._kernel = path, kernel
        page = machine["page_size"]
        granule = machine["granule"] if path.has_granule else page
        self.cell = Cell(page, granule, path, machine["min_align_mask"])
        self._program = kernel.program(page)
        layout = Layout(
            u64(machine["pool_start"]),
            machine["nslabs"],
            machine["nareas"],
            u64(machine["seg_boundary_mask"]),
        )
        self._machine = Machine(self._program, self.cell, layout)
        self._state = self._machine.start_state.fork(TRUE)
        prepare(self._machine, self._state, machine["start_index"])
        self._noted = _Noted()
        self._live: dict[str | int, Live] = {}
        self._in_hand: Live | None = None
        self._slots = kernel.geometry(page)
        self._judge = Judge(self.cell, machine, self._slots)
        self._hook()

    def _hook(self) -> None:
        search = self._kernel.reader(self.cell.page_size).search.function
        hooks = self._machine.hooks
        hooks[search.name] = self._search(search)
        single = self._program.function("swiotlb_tbl_map_single")
        if single is not None:
            hooks[single.name] = self._bounce(single)
        hooks["iommu_iova_to_phys"] = self._translate
        hooks["__iommu_dma_unmap"] = lambda state, arguments, node: NOTHING

    def _search(self, function: c.Function) -> Any:
        def search(state: State, arguments: list[Value], node: c.Call) -> Value:
            asked = named(self._machine, function, arguments, node)["alloc_size"]
            size = int(self._machine.as_word(asked, node))
            self._noted.needed.append(-(-size >> self._slots.shift))
            value = self._machine.invoke(function, arguments, state, node)
            self._noted.found.append(int(self._machine.as_word(value, node)))
            return value

        return search

    def _bounce(self, function: c.Function) -> Any:
        def bounce(state: State, arguments: list[Value], node: c.Call) -> Value:
            value = self._machine.invoke(function, arguments, state, node)
            word = self._machine.as_word(value, node)
            self._noted.returned.append(int(word) & ((1 << 64) - 1))
            return value

        return bounce

    def _translate(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        """Of the mapping in hand: all of them get the same IOVA."""
        if len(arguments) != 2:
            raise self._machine.fail(node, "2 arguments")
        handle = int(self._machine.as_word(arguments[1], node))
        in_hand = [] if self._in_hand is None else self._in_hand.run.translated
        for iova, physical, size in in_hand:
            if iova <= handle < iova + size:
                return u64(physical + handle - iova)
        return u64(0)

    def _call(self, function: c.Function, values: dict[str, Value]) -> Value:
        machine = self._machine
        machine.events.clear()
        arguments = machine.bind(function, machine.common() | values)
        return machine.invoke(function, arguments, self._state, c.Empty(function.line))

    # Calls.

    def run(self, op: Record, number: int) -> Record:
        """Run one operation; a record as the simulator's histories give."""
        name = number if op["mapping"] is None else op["mapping"]
        self._judge.broken = []
        outcome: Record | None = None
        if op["op"] == "map":
            outcome = self._map(op, name)
        elif op["op"] in ("sync", "unmap") and name in self._live:
            outcome = getattr(self, f"_{op['op']}")(op, name)
        elif name in self._live:
            outcome = {"ok": True}
        lists = read_lists(self._machine, self._state)
        return {
            "op": op["op"],
            "mapping": name,
            "outcome": outcome,
            "broken": self._judge.broken,
            "invariant": self._judge.invariant(lists),
            "live": [live.fields() for live in self._live.values()],
        }

    def _map(self, op: Record, name: str | int) -> Record:
        before = read_lists(self._machine, self._state)
        self._noted = _Noted()
        alloc = self._path is Path.ALLOC
        request = Request(u64(0 if alloc else op["orig_addr"]), u64(op["size"]))
        function = self._kernel.entry(self._path, self.cell.page_size)
        if function is None:
            raise HistoryRefused(f"op {name}: this tree has no path {self._path}")
        values = entry_values(self._machine, request) | _directed(op["direction"])
        try:
            result = self._call(function, values)
        except Endless:
            self._judge.report("halts", "the search does not end")
            needed = self._noted.needed[-1]
            return Outcome(False, True, nslots=needed, hang=True).fields()
        return self._mapped(op, name, result, before)

    def _mapped(
        self, op: Record, name: str | int, result: Value, before: list[int]
    ) -> Record:
        noted, ok = self._noted, succeeded(result, self._path)
        needed = noted.needed[-1] if noted.needed else None
        sz = printed(self._machine)
        outcome = Outcome(ok, bool(noted.needed), nslots=needed, sz=sz)
        slot = next((index for index in noted.found if index >= 0), None)
        if not ok:
            return outcome.fields()
        run = Run(outcome, page=page_address(result))
        collect(self._machine, run)
        live = Live(name, op["direction"], op["orig_addr"], op["size"], run)
        live.handle = int(result.cast(result.ctype)) if isinstance(result, Word) else 0
        live.result = result
        if slot is not None:
            start = int(self._machine.layout.start) + slot * self._slots.size
            tlb = noted.returned[-1] if noted.returned else start
            live.run.outcome = replace(outcome, slot=slot, tlb_addr=tlb)
            live.taken = range(slot, slot + noted.needed[-1])
            after = read_lists(self._machine, self._state)
            self._judge.mapping(live, self._live, before, after)
        self._live[name] = live
        return live.run.outcome.fields()

    def _sync(self, op: Record, name: str | int) -> Record:
        live = self._in_hand = self._live[name]
        if not live.bounced or self._path is Path.ALLOC:
            return {"ok": True}
        device = op["direction"] == FOR_DEVICE
        offset = op["offset"]
        length = live.size - offset if op["length"] is None else op["length"]
        if offset < 0 or length <= 0 or offset + length > live.size:
            raise HistoryRefused(f"sync of '{name}': the range is not inside it")
        function = self._named((SYNCS[self._path] + ("device" if device else "cpu"),))
        moved = u64(live.handle + offset)
        values = {**at_device(moved), "size": u64(length)}
        self._call(function, values | _directed(live.direction))
        run = Run(Outcome(ok=True, bounced=True))
        collect(self._machine, run)
        self._judge.sync(live, run, offset, length, device)
        return {"ok": True}

    def _unmap(self, op: Record, name: str | int) -> Record:
        live = self._in_hand = self._live[name]
        before = read_lists(self._machine, self._state)
        used = used_slots(self._machine, self._state)
        handle = u64(live.handle)
        values: dict[str, Value] = {
            **at_device(handle),
            "page": live.result if isinstance(live.result, Address) else NOTHING,
            "size": u64(live.size),
        }
        self._call(self._named(UNMAPS[self._path]), values | _directed(live.direction))
        after = read_lists(self._machine, self._state)
        del self._live[name]
        freed = 0
        if live.bounced:
            run = Run(Outcome(ok=True, bounced=True))
            collect(self._machine, run)
            freed = self._judge.unmapping(live, run, before, after)
            self._judge.used(live, used, used_slots(self._machine, self._state))
        return {"ok": True, "freed": freed, "warning": None}

    def _named(self, names: tuple[str, ...]) -> c.Function:
        for name in names:
            function = self._program.function(name)
            if function is not None:
                return function
        need = f"a definition of {names[-1]}()"
        raise NotUnderstood("kernel/dma/swiotlb.c", 0, names[-1], need)


def _directed(direction: str) -> dict[str, Value]:
    word = Word(IN_C[DIRECTIONS.index(direction)], U32)
    return {"dir": word, "direction": word}


def run_tree_history(
    kernel: SourceKernel, machine: Mapping[str, int], ops: list[Record]
) -> list[Record]:
    """Run ``ops`` on a new pool of ``kernel``: one path, the device's own mask.

    Raises HistoryRefused for other histories.
    """
    maps = [op for op in ops if op["op"] == "map"]
    paths = {op["path"] for op in maps}
    masks = {op["min_align_mask"] for op in maps} - {None, machine["min_align_mask"]}
    if len(paths) != 1 or masks:
        raise HistoryRefused(
            f"a tree's history takes one path and one mask: {', '.join(sorted(paths))}"
        )
    path = Path(paths.pop())
    why = kernel.unsupported(path)
    if why is not None:
        raise HistoryRefused(f"path {path}: {why}")
    story = TreeHistory(kernel, path, machine)
    return [story.run(op, number) for number, op in enumerate(ops)]
