# SPDX-License-Identifier: GPL-2.0-only
"""One whole mapping, run on a real pool by the tree's own C."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.words.word import TRUE, U32, U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import Endless
from bounceproof.source.eval.arguments import named
from bounceproof.source.eval.memory import NOTHING, Address, Pointer, State, Value
from bounceproof.source.extract.machine import Layout, Machine, u64
from bounceproof.source.program.program import Program

_FULL = "swiotlb buffer is full"


@dataclass(frozen=True, slots=True)
class PoolNumbers:
    """A pool as plain numbers: bytes, slots, areas.

    ``start_index`` is area->index of every area; ``busy`` the slots, pool-wide, that
    are taken before the mapping.
    """

    start: int
    nslabs: int
    nareas: int = 1
    start_index: int = 0
    seg_boundary_mask: int = (1 << 64) - 1
    busy: frozenset[int] = frozenset()


@dataclass(slots=True)
class Run:
    """A mapping that was run: its ``outcome`` and the memory it left.

    ``lists``: list[] of every slot; ``copies``: the copies it made, as (destination,
    source, bytes); ``fills``: (address, bytes); ``mapped``: what the IOMMU was told to
    map, (physical address, bytes), and ``translated``, (IOVA, physical address, bytes);
    ``page``: the address of the page that
    swiotlb_alloc() hands out.
    """

    outcome: Outcome
    lists: list[int] = field(default_factory=list)
    copies: list[tuple[int, int, int]] = field(default_factory=list)
    fills: list[tuple[int, int]] = field(default_factory=list)
    mapped: list[tuple[int, int]] = field(default_factory=list)
    translated: list[tuple[int, int, int]] = field(default_factory=list)
    page: int | None = None


class Runner:
    """Runs mappings of one cell on pools of one layout, on machines ``made`` so."""

    made: ClassVar[type[Machine]] = Machine

    def __init__(
        self,
        program: Program,
        cell: Cell,
        entry: c.Function,
        search: str,
        geometry: SlotGeometry = MAINLINE,
    ) -> None:
        self._program, self._cell, self._entry = program, cell, entry
        self._search = search
        self._geometry = geometry
        self._prepared: dict[tuple[int, int, int, int], Machine] = {}

    def _machine(self, pool: PoolNumbers) -> Machine:
        key = pool.start, pool.nslabs, pool.nareas, pool.seg_boundary_mask
        if key not in self._prepared:
            layout = Layout(
                u64(pool.start), pool.nslabs, pool.nareas, u64(pool.seg_boundary_mask)
            )
            self._prepared.clear()
            self._prepared[key] = self.made(self._program, self._cell, layout)
        return self._prepared[key]

    def run(self, orig_addr: int, size: int, pool: PoolNumbers) -> Run:
        """Map ``size`` bytes at ``orig_addr``; raises what the code raises."""
        machine = self._machine(pool)
        state = machine.start_state.fork(TRUE)
        prepare(machine, state, pool.start_index)
        if pool.busy:
            _take(machine, state, pool, self._geometry)
        machine.events.clear()
        found: list[int] = []
        needed: list[int] = []
        returned: list[int] = []

        def search(state: State, arguments: list[Value], node: c.Call) -> Value | None:
            function = self._program.function(self._search)
            if function is None:
                return None
            asked = named(machine, function, arguments, node)["alloc_size"]
            needed.append(self._slots(machine, state, machine.as_word(asked, node)))
            value = machine.invoke(function, arguments, state, node)
            found.append(int(machine.as_word(value, node)))
            return value

        def bounce(state: State, arguments: list[Value], node: c.Call) -> Value | None:
            function = self._program.function("swiotlb_tbl_map_single")
            if function is None:
                return None
            if returned and self._cell.path is Path.LINK:
                return u64(pool.start)
            returned.append(-1)
            value = machine.invoke(function, arguments, state, node)
            returned[-1] = int(machine.as_word(value, node)) & ((1 << 64) - 1)
            return value

        machine.hooks = {self._search: search, "swiotlb_tbl_map_single": bounce}
        if self._cell.path is Path.LINK:
            machine.hooks["dma_iova_unlink"] = lambda state, arguments, node: NOTHING
        request = Request(u64(orig_addr), u64(size))
        arguments = machine.bind(self._entry, entry_values(machine, request))
        node = c.Empty(self._entry.line)
        try:
            result = machine.invoke(self._entry, arguments, state, node)
        except Endless:
            hung = Outcome(False, bounced=True, nslots=needed[-1], hang=True)
            return Run(hung)
        run = self._report(machine, state, result, found, returned)
        nslots = needed[-1] if needed else None
        run.outcome = replace(run.outcome, nslots=nslots)
        return run

    def _slots(self, machine: Machine, state: State, size: Word) -> int:
        value = machine.run("nr_slots", [size], state.fork(TRUE))
        return int(machine.as_word(value, c.Empty(0)))

    def _report(
        self,
        machine: Machine,
        state: State,
        result: Value,
        found: list[int],
        returned: list[int],
    ) -> Run:
        bounced = bool(returned or found)
        ok = succeeded(result, self._cell.path)
        run = Run(Outcome(ok, bounced))
        collect(machine, run)
        if not bounced:
            return run
        slot = next((index for index in found if index >= 0), None)
        run.outcome = replace(run.outcome, sz=printed(machine))
        run.lists = read_lists(machine, state)
        if not ok or slot is None:
            return run
        start = int(machine.layout.start)
        start += slot * self._geometry.size
        tlb = returned[-1] if returned else start
        run.outcome = replace(run.outcome, slot=slot, tlb_addr=tlb)
        run.page = page_address(result)
        return run


def succeeded(result: Value, path: Path) -> bool:
    """Whether an entry point's result is a mapping."""
    if isinstance(result, Word) and path is Path.LINK:
        return int(result) == 0
    if isinstance(result, Word):
        return int(result.cast(U64)) != (1 << 64) - 1
    return not (isinstance(result, Pointer) and result.at is None)


def page_address(result: Value) -> int | None:
    """The address of the page that was returned, if one was."""
    return int(result.word) if isinstance(result, Address) else None


def printed(machine: Machine) -> int | None:
    """The size in the message that the buffer is full, if one was printed."""
    for event in machine.events:
        if event.kind == "log" and _FULL in event.data["text"]:
            for number in event.data["numbers"]:
                if isinstance(number, Word):
                    return int(number.cast(U64))
    return None


def collect(machine: Machine, run: Run) -> None:
    """Add the copies, fills and IOMMU mappings of the machine's events."""
    node = c.Empty(0)
    for event in machine.events:
        if event.kind not in ("copy", "fill", "iommu_map"):
            continue
        values = event.data["arguments"]
        numbers = [
            int(machine.as_word(value, node))
            if isinstance(value, Word | Address)
            else 0
            for value in values
        ]
        if event.kind == "copy" and event.data["function"] == "memcpy":
            run.copies.append((numbers[0], numbers[1], numbers[2]))
        elif event.kind == "fill":
            run.fills.append((numbers[0], numbers[2]))
        elif event.kind == "iommu_map":
            run.mapped.append((numbers[2], numbers[3]))
            run.translated.append((numbers[1], numbers[2], numbers[3]))


def prepare(machine: Machine, state: State, start_index: int) -> None:
    """Set area->index of every area."""
    index = Word(start_index, U32)
    for area in range(machine.layout.nareas):
        machine.poke_area(state, area, "index", index)


def _take(
    machine: Machine, state: State, pool: PoolNumbers, geometry: SlotGeometry
) -> None:
    lists = read_lists(machine, state)
    run = 0
    for slot in reversed(range(pool.nslabs)):
        last = (slot + 1) % geometry.segsize == 0 or slot + 1 == pool.nslabs
        run = 0 if slot in pool.busy else (0 if last else run) + 1
        lists[slot] = run
    for slot, value in enumerate(lists):
        _write_list(machine, state, slot, value)
    each = pool.nslabs // pool.nareas
    for area in range(pool.nareas):
        used = sum(1 for slot in pool.busy if slot // each == area)
        machine.poke_area(state, area, "used", u64(used))


def _write_list(machine: Machine, state: State, slot: int, value: int) -> None:
    word = Word(value, U32)
    if machine.single:
        state.memory[(machine.slots[0], slot)] = word
    else:
        at = (machine.slots[0], slot)
        machine.poke(state, at, "io_tlb_slot", "list", word)


def read_lists(machine: Machine, state: State) -> list[int]:
    """list[] of every slot."""
    root = machine.slots[0]
    tail = () if machine.single else ("list",)
    lists: list[int] = []
    for slot in range(machine.layout.nslabs):
        held = state.memory.get((root, slot, *tail))
        lists.append(int(held) if isinstance(held, Word) else 0)
    return lists


def used_slots(machine: Machine, state: State) -> int:
    """used of all areas, or of the pool where it has none."""
    if "io_tlb_used" in machine.program.globals:
        at, kind = machine.global_place(c.Name(0, "io_tlb_used"), state)
        return int(
            machine.as_word(machine.load(state, at, kind, c.Empty(0)), c.Empty(0))
        )
    if "io_tlb_area" not in machine.program.structs:
        used = machine.peek(state, machine.pool, machine.pool_tag, "used")
        return int(machine.as_word(used, c.Empty(0)))
    total = 0
    for area in range(machine.layout.nareas):
        held = state.memory.get((machine.areas[0], area, "used"))
        total += int(held) if isinstance(held, Word) else 0
    return total


def entry_values(machine: Machine, request: Request) -> dict[str, Value]:
    """Arguments of the entry points, by the names of their parameters."""
    page = u64(machine.cell.page_size)
    orig = request.orig_addr.cast(U64)
    frame = orig & ~(page - 1)
    if machine.cell.path is Path.ALLOC:
        return {**machine.common(), "size": request.size.cast(U64)}
    if machine.cell.path is Path.LINK:
        size = request.size.cast(U64)
        first: dict[str, Value] = {
            "state": machine.iova_state,
            "phys": orig,
            "offset": u64(0),
        }
        return {**machine.common(), **first, "size": size}
    return {
        **machine.common(),
        "phys": orig,
        "paddr": orig,
        "page": Address(frame, c.StructType("page")),
        "offset": orig - frame,
        "size": request.size.cast(U64),
    }
