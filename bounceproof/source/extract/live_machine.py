# SPDX-License-Identifier: GPL-2.0-only
"""A machine on which one mapping lives at a slot that needs no number.

The search is taken to have ended at a given slot; loops over slots are not turned but
recorded as writes to a range.
"""

from __future__ import annotations

from collections.abc import Callable

from bounceproof.models.request import Cell, Pool
from bounceproof.models.words.word import INT, S64, TRUE, U32, U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.arguments import named
from bounceproof.source.eval.memory import Poison, State, Value, in_bits
from bounceproof.source.eval.paths import Outcome, PathEnds
from bounceproof.source.extract.any_pool import stated_fields
from bounceproof.source.extract.cut import Fresh, changed
from bounceproof.source.extract.loops import Loops, Span
from bounceproof.source.extract.machine import POOL_START, Layout, u64
from bounceproof.source.extract.record import Write, element_of, key_of
from bounceproof.source.extract.record_machine import RecordMachine
from bounceproof.source.extract.search import Shape
from bounceproof.source.program.program import Program

_AMPLE = 0xFFFF
_ALL_SLOTS = 1 << 31
"""So many that every slot number is one of the first area."""


class LiveMachine(RecordMachine):
    """A :class:`Machine` whose slots and areas are a :class:`Record`.

    ``slot`` (unsigned int, of area 0) is where the search ends, ``room`` what list[]
    of every slot says.
    """

    def __init__(
        self, program: Program, cell: Cell, shape: Shape, fresh: Fresh
    ) -> None:
        super().__init__(program, cell, Layout(u64(POOL_START)))
        self.shape, self._fresh = shape, fresh
        self.slot = Word(0, U32)
        self.used = fresh("area->used", U64)
        self._any_area({"index": fresh("area->index", U32), "used": self.used})
        self._set_room(Word(_AMPLE, U64))
        self._loops = Loops(self, self.list_key)
        self.hooks["iommu_is_span_boundary"] = lambda state, a, n: Word(0, INT)
        self.hooks[shape.function.name] = self._found

    # Memory.

    def _any_area(self, values: dict[str, Word]) -> None:
        """The area, or a pool without, was searched before and has slots in use."""
        for name, value in values.items():
            held = self.initial.stated.get((self.areas[0], name))
            if held is not None:
                self.initial.stated[self.areas[0], name] = value.cast(held.ctype)
            else:
                self.poke_area(self.start_state, 0, name, value)

    def _set_room(self, room: Word) -> None:
        held = self.initial.stated.get(self.list_key)
        if held is not None:
            self.initial.stated[self.list_key] = room.cast(held.ctype)

    def begin(self, pool: Pool, slot: Word, room: Word | None = None) -> State:
        """A pool in which ``slot`` is the one to be found; the record starts anew."""
        self._set_room(Word(_AMPLE, U64) if room is None else room)
        self.record = self.initial.copy()
        self.slot = slot
        self.events.clear()
        state = self.start_state.fork(TRUE)
        slots = pool.area_nslabs.cast(U64)
        fields = {
            **stated_fields(pool.start, slots, pool.geometry.shift),
            "area_nslabs": u64(_ALL_SLOTS),
        }
        for name, value in fields.items():
            self.poke(state, self.pool, self.pool_tag, name, value)
            self.poke_global(state, f"io_tlb_{name}", value)
        return state

    # The search.

    @property
    def index(self) -> Word:
        """Where in the area the slot is."""
        return self.slot

    def _found(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        """Run the search up to its loop, take the slot, and run what follows."""
        function = self.shape.function
        self.event("search", state, **named(self, function, arguments, node))
        return self.invoke(function, arguments, state, node, self._take)

    def _take(self, state: State) -> list[Outcome]:
        block, shape = self.shape.function.body, self.shape
        before = state.condition
        for statement in block.body[: shape.position]:
            state = self._only(self.execute(statement, state), statement, "next")
        if shape.loop.init is not None:
            state = self._only(self.execute(shape.loop.init, state), shape.loop, "next")
        self._forget(state)
        at = (state.frame, shape.index)
        self.store(state, at, self.local_types[shape.index], self.index, shape.loop)
        ends = [
            outcome
            for outcome in self.execute(shape.loop.body, state)
            if outcome.kind not in ("next", "continue")
        ]
        if not ends:
            raise PathEnds
        if len(ends) > 1:
            raise self.fail(shape.loop, "one way to take a slot")
        self.event("taken", ends[0].state)
        ends[0].state.condition = before
        if ends[0].kind == "return":
            return ends
        start = shape.position + 1
        if ends[0].kind == "goto":
            start = self._label(block, str(ends[0].detail))
        return self._run_from(block, {start: ends[0].state})

    def _forget(self, state: State) -> None:
        """What the loop changes can be anything in the turn that takes the slot."""
        frame = state.frames[state.frame]
        for name in changed(self.shape.loop, self.shape.loop.body):
            held = frame.get((state.frame, name))
            if isinstance(held, Word):
                frame[(state.frame, name)] = self._fresh(name, held.ctype)
            elif held is not None:
                frame[(state.frame, name)] = Poison("the search changes it")

    def _label(self, block: c.Block, label: str) -> int:
        if label not in block.labels:
            raise self.fail(self.shape.loop, f"the label {label} at top level")
        return block.labels[label]

    def _only(self, outcomes: list[Outcome], node: c.Node, kind: str) -> State:
        """The one way on; what leaves before the loop finds no slot."""
        going = [outcome.state for outcome in outcomes if outcome.kind == kind]
        if len(going) != 1:
            raise self.fail(node, "a way to the loop that every request takes")
        return going[0]

    # Loops over slots.

    def records(self, node: c.Loop, state: State) -> bool:
        """Loops that assign to slots, known turns or not, so that all are alike."""
        body = node.body.body if isinstance(node.body, c.Block) else [node.body]
        first = body[0] if body else None
        return (
            isinstance(first, c.ExprStatement)
            and isinstance(first.expr, c.Assign)
            and self.in_sink(first.expr.target, state)
        )

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Record what the loop writes, for the whole range of its counter."""
        name = self._loops.counter(node)
        at = (state.frame, name)
        start = self.load(state, at, self.local_types[name], node)
        span = self._loops.span(node, name, self.as_word(start, node), state)
        statements = node.body.body if isinstance(node.body, c.Block) else [node.body]
        for statement in statements:
            self._pass_statement(statement, name, span, state)
        for name in self._loops.changed(node):
            why = "it changed in a loop over slots"
            state.frames[state.frame][(state.frame, name)] = Poison(why)
        self.event("marks", state, line=node.line)
        return [Outcome(state, "next")]

    def _held_as(
        self,
        given: Callable[[Word], Word],
        kind: c.Type,
        bits: int | None,
        node: c.Node,
    ) -> Callable[[Word], Word]:
        """What a field of type ``kind`` holds of a value ``given`` by element."""

        def held(element: Word) -> Word:
            word = self.as_word(self.convert(given(element), kind, node), node)
            return in_bits(word, bits)

        return held

    def _pass_statement(
        self, statement: c.Statement, name: str, span: Span | None, state: State
    ) -> None:
        if isinstance(statement, c.Empty):
            return
        expr = statement.expr if isinstance(statement, c.ExprStatement) else None
        if not isinstance(expr, c.Assign) or expr.op:
            raise self.fail(statement, "a loop over slots that only assigns to them")
        at, kind, bits = self._loops.target(expr.target, name, state)
        key = key_of(at)
        if at[0] not in self.roots:
            raise self.fail(statement, "a loop over slots that only assigns to them")
        if span is None:
            if key != self.list_key:
                raise self.fail(statement, "a loop whose turns are known")
            return
        shift = element_of(at) - span.start.cast(S64)
        self._loops.check_target(expr.target, name, statement)
        value = None
        if key != self.list_key:
            if not self.changes_nothing(expr.value):
                raise self.fail(statement, "a value that changes nothing else")
            given = self._loops.value(expr.value, name, shift, state)
            value = self._held_as(given, kind, bits, statement)
        first, last = span.first + shift, span.last + shift
        self.record.add(key, Write(state.condition, first, last, value, True))
