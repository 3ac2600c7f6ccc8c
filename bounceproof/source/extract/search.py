# SPDX-License-Identifier: GPL-2.0-only
"""The slot search, read off the tree's own loop.

The function is run up to its loop and through one turn of it.  A turn in which the
slot's list is long enough leaves the loop exactly where the slot is admissible; one
in which it is 0 shows how far the search steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import Cell
from bounceproof.models.word import FALSE, INT, TRUE, U32, Truth, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in, walk
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import Location, State, Value
from bounceproof.source.extract.machine import POOL_START, Layout, Machine, u64
from bounceproof.source.program.calls import reachable, reachable_calls
from bounceproof.source.program.program import Program

BOUNDARY_TEST = "iommu_is_span_boundary"
MANY_SLOTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the search loop.

    ``leaves``: it ends the search; ``index``: the index after it, ``counted``: the
    count of slots after it (None where there is none), ``first``: the index before.
    """

    leaves: Truth
    index: Word
    counted: Word | None
    first: Word


@dataclass(frozen=True, slots=True)
class Searched:
    """The function with the slot search."""

    function: c.Function


@dataclass(frozen=True, slots=True)
class Shape(Searched):
    """What the loop looks like: its node, and the names of its variables."""

    position: int
    loop: c.Loop
    index: str
    counter: str | None
    limit: c.Expr


_SEARCHED_FOR = frozenset(("orig_addr", "alloc_size"))


def search_function(program: Program) -> c.Function:
    """The function with the slot search: it is told what to search for, and tests the
    segment boundary, itself or in what it calls; the innermost of such functions.

    Raises NotUnderstood where there is none, or where there are two.
    """
    file = "kernel/dma/swiotlb.c"
    inner: dict[str, c.Function] = {}
    for start in ("swiotlb_tbl_map_single", "swiotlb_find_slots"):
        for function in reachable(program, start):
            if _may_search(program, function):
                inner.setdefault(function.name, function)
    found = [f for f in inner.values() if not _calls_one(program, f, inner)]
    if len(found) > 1:
        need = f"one slot search, not {' and '.join(f.name for f in found)}"
        raise NotUnderstood(found[1].file, found[1].line, found[1].name, need)
    if found:
        return found[0]
    need = "a function under swiotlb_tbl_map_single() that tests the segment boundary"
    raise NotUnderstood(file, 0, "the slot search", need)


def _may_search(program: Program, function: c.Function) -> bool:
    told = {name for _, name, _ in function.parameters} >= _SEARCHED_FOR
    if not told or "mapping_size" in {name for _, name, _ in function.parameters}:
        return False
    return BOUNDARY_TEST in reachable_calls(program, function.body, function.file)


def _calls_one(
    program: Program, function: c.Function, among: dict[str, c.Function]
) -> bool:
    """Whether ``function`` calls another of ``among``."""
    called = reachable_calls(program, function.body, function.file)
    return any(name in among for name in called - {function.name})


def _tests_boundary(program: Program, function: c.Function, loop: c.Loop) -> bool:
    """Whether the loop calls, itself or through others, the segment test."""
    names = calls_in(loop)
    return BOUNDARY_TEST in names or any(
        called.name == BOUNDARY_TEST
        for name in names
        for called in reachable(program, name, function.file)
    )


def find_shape(program: Program) -> Shape:
    """The shape of the search loop; NotUnderstood for one the reader does not know."""
    function = search_function(program)
    for position, statement in enumerate(function.body.body):
        if isinstance(statement, c.Loop) and _tests_boundary(
            program, function, statement
        ):
            return _shape(program, function, position, statement)
    raise _unknown(program, function, function.line, "the search loop at top level")


def _unknown(
    program: Program, function: c.Function, line: int, need: str
) -> NotUnderstood:
    text = program.text(function.file, line)
    return NotUnderstood(function.file, line, text, need)


def _shape(program: Program, function: c.Function, at: int, loop: c.Loop) -> Shape:
    condition = loop.condition
    written = _written(loop)
    found = _end(condition, written)
    if found is not None:
        operator, moving, limit = found
        others = [name for name in written if _stepped(loop, name) and name != moving]
        if loop.kind in ("for", "while") and operator == "<" and len(others) == 1:
            return Shape(function, at, loop, others[0], moving, limit)
        if loop.kind == "do" and operator == "!=":
            return Shape(function, at, loop, moving, None, limit)
    need = "a loop that counts slots or that ends when the index comes back"
    raise _unknown(program, function, loop.line, need)


def _end(
    condition: c.Expr | None, written: list[str]
) -> tuple[str, str, c.Expr] | None:
    """Operator, moving variable and what it is compared with, or None."""
    if not isinstance(condition, c.Binary):
        return None
    turned = {"<": "<", "!=": "!="}, {">": "<", "!=": "!="}
    sides = (condition.left, condition.right), (condition.right, condition.left)
    for (moving, limit), operators in zip(sides, turned, strict=True):
        if (
            isinstance(moving, c.Name)
            and moving.name in written
            and condition.op in operators
        ):
            return operators[condition.op], moving.name, limit
    return None


def _written(loop: c.Loop) -> list[str]:
    """The function's variables that the loop assigns, but for those made in it."""
    own = {node.name for node in walk(loop.body) if isinstance(node, c.Declare)}
    found: dict[str, None] = {}
    for node in walk(loop):
        if (
            isinstance(node, c.Assign | c.Update)
            and isinstance(node.target, c.Name)
            and node.target.name not in own
        ):
            found[node.target.name] = None
    return list(found)


def _stepped(loop: c.Loop, name: str) -> bool:
    """Whether the loop computes ``name`` from its old value."""
    for node in walk(loop.body):
        if (
            isinstance(node, c.Assign)
            and isinstance(node.target, c.Name)
            and node.target.name == name
            and any(isinstance(n, c.Name) and n.name == name for n in walk(node.value))
        ):
            return True
    return False


class Prober:
    """Runs single turns of the search loop for one cell."""

    def __init__(self, program: Program, cell: Cell, shape: Shape) -> None:
        self.program, self.cell, self.shape = program, cell, shape
        self._fits = 0
        self._machine = Machine(program, cell, Layout(u64(POOL_START)))
        machine = self._machine
        machine.hooks["iommu_is_span_boundary"] = lambda s, a, n: Word(0, INT)
        machine.mark_only()
        machine.objects[machine.slots[0]].read = self._read_slot
        state = machine.start_state
        many = u64(MANY_SLOTS)
        tag = machine.pool_tag
        machine.poke(state, machine.pool, tag, "area_nslabs", many)
        areas = 4 if machine.has(tag, "area_nslabs") else 1
        machine.poke(state, machine.pool, tag, "nslabs", many * areas)
        machine.poke_global(state, "io_tlb_nslabs", many)

    def _read_slot(self, state: State, at: Location) -> Value | None:
        if at[-1] == "list" or self._machine.single:
            field = self.program.structs.get("io_tlb_slot", {}).get("list")
            kind = field.type if field else c.IntType(U32)
            bits = kind.ctype if isinstance(kind, c.IntType) else U32
            return Word(self._fits, bits)
        return None

    def turn(
        self,
        align_mask: int,
        total: Word,
        start: Word,
        orig: Word,
        *,
        fits: bool,
        first: int = 0,
    ) -> Turn:
        """One turn, with the pool at ``start`` and area->index ``first``."""
        machine, shape = self._machine, self.shape
        self._fits = 0xFFFF if fits else 0
        state = machine.start_state.fork(TRUE)
        machine.poke(state, machine.pool, machine.pool_tag, "start", start)
        machine.poke_global(state, "io_tlb_start", start)
        machine.poke_area(state, 0, "index", Word(first, U32))
        frame = self._enter(align_mask, total, start, orig, state)
        if shape.loop.init is not None:
            machine.execute(shape.loop.init, state)
        before = self._local(state, frame, shape.index)
        return self._finish(state, frame, before)

    def ends_as_shaped(self, align_mask: int, total: Word) -> bool:
        """Whether the loop's end is the area's last slot, or where it started."""
        machine, shape = self._machine, self.shape
        state = machine.start_state.fork(TRUE)
        machine.poke_area(state, 0, "index", Word(64, U32))
        frame = self._enter(align_mask, total, u64(0), u64(0), state)
        if shape.loop.init is not None:
            machine.execute(shape.loop.init, state)
        limit = int(machine.word(shape.limit, state))
        if shape.counter is not None:
            start = int(self._local(state, frame, shape.counter))
            return (start, limit) == (0, MANY_SLOTS)
        return limit == int(self._local(state, frame, shape.index))

    def _enter(
        self, align_mask: int, total: Word, start: Word, orig: Word, state: State
    ) -> int:
        """Run the function up to its loop; returns the frame's number."""
        machine, function = self._machine, self.shape.function
        values = {
            **machine.common(),
            "orig_addr": orig,
            "alloc_size": total,
            "alloc_align_mask": Word(align_mask, U32),
            "tbl_dma_addr": start,
        }
        frame = -1
        arguments = machine.bind(function, values)
        machine.file = function.file
        machine.local_types = {}
        state.frame, state.frames = frame, {frame: {}}
        for (name, _, kind), value in zip(function.parameters, arguments, strict=True):
            machine.local_types[name] = kind
            held = machine.convert(value, kind, c.Empty(function.line))
            state.frames[frame][(frame, name)] = held
        machine._frames = frame
        for statement in function.body.body[: self.shape.position]:
            outcomes = machine.execute(statement, state)
            going = [outcome for outcome in outcomes if outcome.kind == "next"]
            if len(going) != 1:
                need = "a way to the loop that every request takes"
                raise _unknown(self.program, function, statement.line, need)
            if going[0].state is not state:
                state.become(going[0].state)
        return frame

    def _local(self, state: State, frame: int, name: str) -> Word:
        machine = self._machine
        kind = machine.local_types[name]
        node = c.Empty(self.shape.loop.line)
        return machine.as_word(machine.load(state, (frame, name), kind, node), node)

    def named(self, state: State, frame: int, name: str) -> int | None:
        """The number a local of that source name holds, if there is one."""
        for known in self._machine.local_types:
            if known.split("#")[0] == name:
                return int(self._local(state, frame, known))
        return None

    def masks(self, align_mask: int, total: int) -> tuple[int | None, int | None]:
        """alloc_align_mask and iotlb_align_mask as the loop finds them."""
        machine = self._machine
        state = machine.start_state.fork(TRUE)
        frame = self._enter(align_mask, u64(total), u64(0), u64(0), state)
        first = self.named(state, frame, "alloc_align_mask")
        return first, self.named(state, frame, "iotlb_align_mask")

    def _finish(self, state: State, frame: int, before: Word) -> Turn:
        machine, shape = self._machine, self.shape
        leaves = FALSE
        index, counted = before, None
        for outcome in machine.execute(shape.loop.body, state):
            ended = outcome.state
            if outcome.kind not in ("next", "continue"):
                leaves = leaves | ended.condition
                continue
            if shape.loop.step is not None:
                machine.value(shape.loop.step, ended)
            after = self._local(ended, frame, shape.index)
            index = after if index is before else _choose(ended, after, index)
            if shape.counter is not None:
                count = self._local(ended, frame, shape.counter)
                counted = count if counted is None else _choose(ended, count, counted)
        return Turn(leaves, index, counted, before)


def _choose(state: State, new: Word, old: Word) -> Word:
    return ite(state.condition, new, old)
