# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own code does to list[], used and index when it takes and gives back.

The search is entered as any of its turns finds the pool; the release is any call of the
function that gives slots back.  Which slots they are is a name, not a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bounceproof.models.words.word import S64, TRUE, U32, U64, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import walk
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import (
    Address,
    Location,
    Pointer,
    Poison,
    State,
    Value,
)
from bounceproof.source.eval.paths import Outcome, merge_all
from bounceproof.source.extract.machine import INITIALISERS, initialiser
from bounceproof.source.extract.record import Record
from bounceproof.source.extract.search import Shape, search_function
from bounceproof.source.extract.slot_machine import Change, Judge, SlotMachine, Touch
from bounceproof.source.program.calls import reachable
from bounceproof.source.program.program import Program
from bounceproof.source.program.unread import words_in

_FILE = "kernel/dma/swiotlb.c"
_ADDRESS, _WIDE = "tlb_addr", U64.bits
_SIZES = ("alloc_size", "mapping_size", "size")
_SLOTS = frozenset({"slots", "io_tlb_slot", "io_tlb_list"})
_KEPT = ("list", "used", "io_tlb_list", "io_tlb_used")


@dataclass(frozen=True, slots=True)
class After:
    """What a call leaves.

    ``bugs``: where the kernel would stop on the way.  ``result``: the slot it names,
    None for a release.  ``used`` and ``index``: whose area's was written, None where
    there is one pool without areas, and the value.
    """

    function: c.Function
    bugs: tuple[Truth, ...]
    result: Word | None
    record: Record
    touches: tuple[Touch, ...]
    used: tuple[Word | None, Word]
    index: tuple[Word | None, Word]


class Taking:
    """The search of a tree, from any turn that finds a slot to its end."""

    def __init__(self, program: Program, shape: Shape, judge: Judge) -> None:
        self.machine = SlotMachine(program, judge)
        self._judge, self._shape = judge, shape
        self._untouched: dict[Location, Value] = {}

    def run(self) -> After:
        """What it leaves; raises NotUnderstood."""
        machine, function, fresh = self.machine, self._shape.function, self._judge.fresh
        state = machine.begin()
        values: dict[str, Value] = {
            **machine.common(),
            "area_index": self._judge.given.area,
            "orig_addr": fresh("orig_addr", U64),
            "alloc_size": fresh("alloc_size", U64),
            "alloc_align_mask": fresh("alloc_align_mask", U32),
            "tbl_dma_addr": fresh("tbl_dma_addr", U64),
        }
        arguments = machine.bind(function, values)
        node = c.Empty(function.line)
        value = machine.invoke(function, arguments, state, node, self._body)
        return _after(machine, function, value, state)

    def _body(self, state: State) -> list[Outcome]:
        block, shape = self._shape.function.body, self._shape
        self.machine.watched = block
        self._untouched = dict(state.memory)
        state = self._to_loop(state)
        self._keeps_inside(state)
        self._finds_nothing({shape.position + 1: state})
        self._any_turn(state)
        ends = [
            outcome
            for outcome in self._turn(state)
            if outcome.kind not in ("next", "continue")
        ]
        if not ends:
            raise self._fail("a turn that ends the search")
        if len({(end.kind, end.detail) for end in ends if end.kind != "return"}) > 1:
            raise self._fail("one way to take a slot")
        if ends[0].kind == "return":
            raise self._fail("a loop that ends where slots are taken")
        merged = merge_all([end.state for end in ends])
        if not self._judge.found(merged.condition):
            raise self._fail("a slot whose list[] is long enough")
        merged.condition = TRUE
        start = shape.position + 1
        if ends[0].kind == "goto":
            start = self._label(str(ends[0].detail))
        return self.machine._run_from(block, {start: merged})

    def _label(self, label: str) -> int:
        labels = self._shape.function.body.labels
        if label not in labels:
            raise self._fail(f"the label {label} at top level")
        return labels[label]

    def _fail(self, need: str) -> NotUnderstood:
        return self.machine.fail(self._shape.loop, need)

    def _to_loop(self, state: State) -> State:
        """Run what is before the loop, but for what leaves early."""
        machine, shape = self.machine, self._shape
        for statement in self._shape.function.body.body[: shape.position]:
            state = self._going(machine.execute(statement, state))
        machine.name_values(state)
        machine.watched = None
        if shape.loop.init is not None:
            state = self._going(machine.execute(shape.loop.init, state))
        return state

    def _finds_nothing(self, pending: dict[int, State]) -> None:
        """A search that ends without a slot leaves the pool as it was."""
        machine = self.machine
        outer, touches = machine.record, machine.touches
        machine.record, machine.touches = outer.copy(), []
        try:
            ends = {position: state.fork(TRUE) for position, state in pending.items()}
            for state in ends.values():
                self._any_turn(state)
            for end in machine._run_from(self._shape.function.body, ends):
                self._unchanged(end.state)
        finally:
            machine.record, machine.touches = outer, touches

    def _unchanged(self, state: State) -> None:
        if self.machine.record.writes or state.memory != self._untouched:
            raise self._fail("a search that changes nothing until it finds a slot")

    def _going(self, outcomes: list[Outcome]) -> State:
        for end in outcomes:
            if end.kind == "goto":
                self._finds_nothing({self._label(str(end.detail)): end.state})
            elif end.kind == "return":
                self._unchanged(end.state)
        going = [outcome.state for outcome in outcomes if outcome.kind == "next"]
        if len(going) != 1:
            raise self._fail("a way to the loop that every request takes")
        return going[0]

    def _keeps_inside(self, state: State) -> None:
        """The loop's index is one of the area's, at its first turn and at each."""
        inside = self._judge.given.area_nslabs.cast(U64)
        if not self._judge.follows(state.condition, self._index(state) < inside):
            raise self._fail("a search that starts in its area")
        machine = self.machine
        outer, touches = machine.record, machine.touches
        machine.record, machine.touches = outer.copy(), []
        try:
            again = state.fork(TRUE)
            self._any_turn(again)
            for outcome in self._turn(again):
                self._stays(outcome, inside)
                self._unchanged(outcome.state)
        finally:
            machine.record, machine.touches = outer, touches

    def _stays(self, outcome: Outcome, inside: Word) -> None:
        if outcome.kind not in ("next", "continue"):
            return
        state = outcome.state
        if self._shape.loop.step is not None:
            self.machine.value(self._shape.loop.step, state)
        if not self._judge.follows(state.condition, self._index(state) < inside):
            raise self._fail("a search that stays in its area")

    def _index(self, state: State) -> Word:
        machine, name = self.machine, self._shape.index
        held = machine.load(
            state, (state.frame, name), machine.local_types[name], self._shape.loop
        )
        return machine.as_word(held, self._shape.loop).cast(U64)

    def _any_turn(self, state: State) -> None:
        """The state at the head of the turn that comes to the slot."""
        machine, frame = self.machine, state.frames[state.frame]
        for node in walk(self._shape.loop):
            if isinstance(node, c.Assign | c.Update) and isinstance(
                node.target, c.Name
            ):
                at = (state.frame, node.target.name)
                held = frame.get(at)
                if isinstance(held, Word):
                    frame[at] = self._judge.fresh(node.target.name, held.ctype)
                elif held is not None:
                    frame[at] = Poison("the search changes it")
        given, at = self._judge.given, (state.frame, self._shape.index)
        place, kind = given.first - given.base, machine.local_types[self._shape.index]
        machine.store(state, at, kind, place, self._shape.loop)

    def _turn(self, state: State) -> list[Outcome]:
        return self.machine.execute(self._shape.loop.body, state)


class Releasing:
    """The function of a tree that gives slots back."""

    def __init__(self, program: Program, judge: Judge) -> None:
        self.machine = SlotMachine(program, judge)
        self._judge, self._program = judge, program

    def run(self) -> After:
        """What it leaves; raises NotUnderstood."""
        machine, judge = self.machine, self._judge
        function = releasing_function(self._program)
        state = machine.begin()
        common = machine.common()
        values: dict[str, Value] = {
            name: judge.fresh(
                _ADDRESS if kind.ctype.bits == _WIDE else name, kind.ctype
            )
            for _, name, kind in function.parameters
            if isinstance(kind, c.IntType) and name not in (*common, *_SIZES)
        }
        values |= {name: judge.fresh(name, U64) for name in _SIZES}
        machine.watched = function.body
        arguments = machine.bind(function, {**common, **values})
        machine.invoke(function, arguments, state, c.Empty(function.line))
        if machine.unnamed:
            text = self._program.text(function.file, function.line)
            need = "variables for the slots that are given back"
            raise NotUnderstood(function.file, function.line, text, need)
        return _after(machine, function, None, state)


class Founding:
    """The function of a tree that makes a pool, of memory that is zeroed."""

    def __init__(self, program: Program, judge: Judge) -> None:
        self.machine = SlotMachine(program, judge)
        self._judge, self._program = judge, program

    def run(self) -> After:
        """What it leaves; raises NotUnderstood."""
        machine, given = self.machine, self._judge.given
        function = initialiser(self._program)
        if machine.single:
            self._allocate_anew()
        values = machine.making() | {
            "start": given.start,
            "nslabs": given.nslabs.cast(U64),
            "nareas": given.nareas,
            "vaddr": Address(given.start, c.VoidType()),
            "tlb": Address(given.start, c.VoidType()),
        }
        arguments = machine.bind(function, values)
        state = machine.begin()
        self._zero(state)
        machine.invoke(function, arguments, state, c.Empty(function.line))
        return _after(machine, function, None, state)

    def _zero(self, state: State) -> None:
        machine = self.machine
        for name in ("used", "index"):
            key = machine.areas[0], name
            if key in machine.initial.stated:
                nothing = Word(0, machine.initial.stated[key].ctype)
                machine.record.before[key] = _always(nothing)
            if "io_tlb_area" not in self._program.structs:
                machine.poke_area(state, 0, name, Word(0, U64))

    def _allocate_anew(self) -> None:
        """The arrays that the code allocates are those that the machine has."""
        machine = self.machine
        roots = iter(sorted(machine.roots - {machine.areas[0]}))

        def allocate(state: State, arguments: list[Value], node: c.Call) -> Value:
            root = next(roots, None)
            kind = None if root is None else machine.objects[root].type
            if root is None or not isinstance(kind, c.ArrayType):
                raise machine.fail(node, "an array that the pool has")
            return Pointer((root, 0), kind.of)

        machine.hooks["memblock_alloc"] = allocate


def _always(word: Word) -> Change:
    return lambda element: word


def _after(
    machine: SlotMachine, function: c.Function, value: Value | None, state: State
) -> After:
    for event in machine.events:
        given = event.data.get("arguments") or [None]
        if event.kind in ("copy", "fill") and isinstance(given[0], Pointer):
            need = "a pool that is written to field by field"
            text = machine.program.text(function.file, function.line)
            raise NotUnderstood(function.file, function.line, text, need)
    result = None
    if value is not None:
        result = machine.as_word(value, c.Empty(function.line)).cast(S64)
    used, index = (machine.area_field(state, name) for name in ("used", "index"))
    bugs, touches = tuple(machine.bugs), tuple(machine.touches)
    return After(function, bugs, result, machine.record, touches, used, index)


def _keeps(function: c.Function) -> bool:
    """Whether the function itself writes to list[] or used."""
    for node in walk(function.body):
        if not isinstance(node, c.Assign | c.Update):
            continue
        place = node.target
        name = place.name if isinstance(place, c.Name | c.Member) else ""
        if isinstance(place, c.Index) and isinstance(place.base, c.Name):
            name = place.base.name
        if name in _KEPT:
            return True
    return False


def keepers(program: Program, start: str) -> Iterator[c.Function]:
    """The functions below ``start`` that write to list[] or used.

    Raises NotUnderstood for one that cannot be read, in a file that speaks of slots.
    """
    unread: list[NotUnderstood] = []
    for function in reachable(program, start, unread=unread):
        if _keeps(function):
            yield function
    for error in unread:
        if error.file == _FILE or _SLOTS & words_in(program.units[error.file].text):
            raise error


def releasing_function(program: Program) -> c.Function:
    """The innermost function below the unmapping that all of its writes are below."""
    start = "swiotlb_tbl_unmap_single"
    if program.function(start) is None:
        start = "__swiotlb_tbl_unmap_single"
    taking = search_function(program).name
    below = {f.name for f in keepers(program, start)} - {taking}
    candidates = [
        function
        for function in reachable(program, start, unread=[])
        if below and below <= {f.name for f in keepers(program, function.name)}
    ]
    if not candidates:
        need = f"what writes to list[] below {start}()"
        raise NotUnderstood(_FILE, 0, "the release of slots", need)
    return candidates[-1]


def stray(program: Program, starts: Iterator[str]) -> c.Function | None:
    """A function below ``starts`` that writes to list[] or used out of turn, or None.

    In turn are the search, the release and what makes a pool.
    """
    makers = [name for name in INITIALISERS if program.function(name)]
    within = [search_function(program).name, releasing_function(program).name, *makers]
    known = {f.name for name in within for f in reachable(program, name, unread=[])}
    for start in starts:
        for function in keepers(program, start):
            if function.name not in known:
                return function
    return None
