# SPDX-License-Identifier: GPL-2.0-only
"""A machine whose pool holds anything, and whose loops are proved instead of turned.

Every element of list[], of the other fields of a slot and of an area is what a
:class:`Judge` says it may be; the judge, who has a solver, also says what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bounceproof.models.request import Cell, Path
from bounceproof.models.words.word import INT, TRUE, U32, U64, CType, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import (
    Address,
    Location,
    Pointer,
    State,
    Value,
)
from bounceproof.source.eval.paths import Outcome
from bounceproof.source.extract.any_pool import stated_fields
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.machine import POOL_START, Layout, u64
from bounceproof.source.extract.record import Key, Stretch, element_of, key_of
from bounceproof.source.extract.record_machine import RecordMachine
from bounceproof.source.program.program import Program

Change = Callable[[Word], Word]


@dataclass(frozen=True, slots=True)
class Given:
    """A pool, one of its areas, and the slots that a call is about.

    ``start``: bytes; ``area``: its number, ``base``: its first slot; ``first`` and
    ``nslots``: the slots, counted in the pool; ``used`` and ``index``: the area's.
    """

    start: Word
    nslabs: Word
    nareas: Word
    area_nslabs: Word
    area: Word
    base: Word
    first: Word
    nslots: Word
    used: Word
    index: Word


class Judge(Protocol):
    """Who knows what may be, and what follows from it."""

    given: Given

    def fresh(self, name: str, ctype: CType) -> Word:
        """Any value at all."""
        ...

    def entry(self, field: str, element: Word, ctype: CType) -> Word:
        """What a field of an element holds before the call."""
        ...

    def counts(self) -> Iterable[Word]:
        """How often a loop may turn (unsigned int), the likeliest first."""
        ...

    def turn(self) -> Word:
        """Any number of turns (unsigned int)."""
        ...

    def follows(self, assumed: Truth, shown: Truth) -> bool:
        """Whether ``shown`` holds in every pool for which ``assumed`` does."""
        ...

    def difference(self, a: Word, b: Word) -> int | None:
        """``a - b``, where that may be one number whatever the call: a guess."""
        ...

    def narrow(self, element: Word) -> Word:
        """The low half of an element (S64), an unsigned int, in few words."""
        ...

    def abstraction(self, values: Sequence[Word]) -> Change | None:
        """How to call the values that are first, nslots or base by these names."""
        ...

    def in_area(self, element: Word) -> Truth:
        """Whether the area has the slot (S64)."""
        ...

    def found(self, reached: Truth) -> bool:
        """Whether list[] says the slots are free where a search took them for it.

        From here on that is assumed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Touch:
    """A field of ``element`` (S64) is read or written where ``condition`` holds."""

    condition: Truth
    key: Key
    element: Word
    written: bool


class SlotMachine(RecordMachine):
    """Runs what takes and what releases slots, in a pool that holds anything."""

    def __init__(self, program: Program, judge: Judge) -> None:
        page = program.page_size
        self.judge = judge
        self.touches: list[Touch] = []
        self.bugs: list[Truth] = []
        self.watched: c.Block | None = None
        self._recorded: c.Loop | None = None
        super().__init__(program, Cell(page, page, Path.DIRECT, 0), _layout())
        self.record = self.initial.copy()
        self.record.stated.clear()
        for key, stated in self.initial.stated.items():
            self.record.before[key] = self._held(key, stated.ctype)
        self.hooks["iommu_is_span_boundary"] = lambda state, a, n: judge.fresh(
            "span", INT
        )

    # Memory.

    def _held(self, key: Key, ctype: CType) -> Callable[[Word], Word]:
        name = self.field(key)
        return lambda element: self.judge.entry(name, element, ctype)

    def element(self, state: State, at: Location, written: bool) -> Word:
        """The element of a place: of a slot the low half, as all of it is proved."""
        key, element = key_of(at), element_of(at)
        self.touches.append(Touch(state.condition, key, element, written))
        return element if key[0] == self.areas[0] else self.judge.narrow(element)

    def _read(self, state: State, at: Location) -> Value | None:
        key = key_of(at)
        if key not in self.record.before:
            return None
        return self.record.value(key, self.element(state, at, written=False))

    def _write(self, state: State, at: Location, value: Value) -> None:
        if not isinstance(value, Word):
            return
        element, word = self.element(state, at, written=True), value
        one = Word(1, element.ctype)
        write = Stretch(
            state.condition, element, element, lambda _: word, False, 1, one
        )
        self.record.add(key_of(at), write)

    def begin(self) -> State:
        """Any pool, as the judge has it."""
        given, fresh = self.judge.given, self.judge.fresh
        state = self.start_state.fork(TRUE)
        slots = given.nslabs.cast(U64)
        fields = {
            **stated_fields(given.start, slots, slot_geometry(self.program).shift),
            "nareas": given.nareas,
            "area_nslabs": given.area_nslabs,
        }
        for name, value in fields.items():
            self.poke(state, self.pool, self.pool_tag, name, value)
            self.poke_global(state, f"io_tlb_{name}", value)
        if "io_tlb_area" not in self.program.structs:
            self.poke_area(state, 0, "used", given.used)
            self.poke_area(state, 0, "index", given.index)
        self.poke(state, self.memory, "io_tlb_mem", "nslabs", slots)
        tag = "device_dma_parameters"
        mask, boundary = fresh("min_align_mask", U32), fresh("boundary", U64)
        self.poke(state, self.parameters, tag, "min_align_mask", mask)
        self.poke(state, self.parameters, tag, "segment_boundary_mask", boundary)
        return state

    def area_field(self, state: State, name: str) -> tuple[Word | None, Word]:
        """``used`` or ``index``: whose area's was written (S64), and what it is now.

        None where the pool has no areas or nothing was written.
        """
        node, key = self._nowhere, (self.areas[0], name)
        if f"io_tlb_{name}" in self.program.globals:
            at, kind = self.global_place(c.Name(0, f"io_tlb_{name}"), state)
            return None, self.as_word(self.load(state, at, kind, node), node)
        if "io_tlb_area" not in self.program.structs:
            value = self.peek(state, self.pool, self.pool_tag, name)
            return None, self.as_word(value, node)
        written = self.record.of(key)
        element = written[-1].first if written else element_of((0, 0))
        return (element if written else None), self.record.value(key, element)

    # Evaluation.

    def bug(self, condition: Truth, state: State, node: c.Node) -> None:
        """Go on as if the kernel did not stop, which is to be proved."""
        if isinstance(condition.raw, bool):
            super().bug(condition, state, node)
        else:
            self.bugs.append(state.condition & condition)

    def read_anywhere(self, expr: c.Expr) -> bool:
        """What is read is read under the condition that leads there alone."""
        return False

    def execute(self, statement: c.Statement, state: State) -> list[Outcome]:
        """Run a statement; between those of ``watched`` values get their names."""
        if self.watched is not None and any(
            statement is known for known in self.watched.body
        ):
            self.name_values(state)
        return super().execute(statement, state)

    @property
    def unnamed(self) -> bool:
        """Whether the values that are watched for were never there."""
        return self.watched is not None

    def name_values(self, state: State) -> bool:
        """Call the values of locals by the judge's names, if all of them are there."""
        held = state.frames[state.frame].values()
        words = [value for value in held if isinstance(value, Word)]
        change = self.judge.abstraction(words)
        if change is None:
            return False
        self.watched = None
        for frame in state.frames.values():
            for at, value in frame.items():
                frame[at] = renamed(value, change)
        raw = change(state.condition.word(INT)).ne(0)
        state.condition = state.condition if state.condition.raw is True else raw
        return True

    # Loops.

    def records(self, node: c.Loop, state: State) -> bool:
        """Whether the loop's turns have no number: then it is proved."""
        self._recorded = None if self._turns_known(node, state) else node
        return self._recorded is node

    def _turns_known(self, node: c.Loop, state: State) -> bool:
        if node.condition is None:
            return False
        if node.kind == "do" or isinstance(node.condition, c.Number):
            return isinstance(node.condition, c.Number) and not node.condition.word.raw
        outer, self.quiet = self.quiet, True
        touched = len(self.touches)
        try:
            return isinstance(self.truth(node.condition, state.fork(TRUE)).raw, bool)
        finally:
            self.quiet = outer
            del self.touches[touched:]

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Prove what the loop does."""
        if self._recorded is not node:
            raise self.fail(node, "a loop whose turns are known, or are proved")
        from bounceproof.source.extract.turns import Turns

        return Turns(self, node, state).proved()


def _layout() -> Layout:
    return Layout(u64(POOL_START))


def renamed(value: Value, change: Change) -> Value:
    """``value`` with its words changed."""
    if isinstance(value, Word):
        return change(value)
    if isinstance(value, Address):
        return Address(change(value.word), value.to, value.there)
    if isinstance(value, Pointer) and value.at is not None:
        parts = tuple(change(p) if isinstance(p, Word) else p for p in value.at)
        return Pointer(parts, value.to, value.there)
    return value
