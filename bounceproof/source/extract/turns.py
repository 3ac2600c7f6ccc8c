# SPDX-License-Identifier: GPL-2.0-only
"""A loop over slots, as what one turn of it does.

What a turn assigns is taken to grow by the same step every time, and what it writes to
move on by one element; that is proved of the turn after any number of turns, in which
nothing is read that an earlier one wrote.  How often it turns is guessed and proved:
it goes on before that many turns and ends after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bounceproof.models.words.word import FALSE, S64, TRUE, U32, CType, Truth, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import Location, Pointer, Poison, State, Value
from bounceproof.source.eval.paths import Outcome, merge_all
from bounceproof.source.extract.record import Key, Record, Stretch, Write

if TYPE_CHECKING:
    from bounceproof.source.extract.slot_machine import SlotMachine, Touch

_OTHERWISE = "a loop changes it in another way than by a step"


@dataclass(slots=True)
class Turn:
    """One turn: the state that goes on, the ways out, and what it touched.

    ``above``: it is left by its condition alone, which writes to nothing.
    """

    going: State | None
    exits: list[State]
    out: list[Outcome]
    above: bool = False
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    touches: list[Touch] = field(default_factory=list)

    @property
    def goes(self) -> Truth:
        """Where the loop goes on."""
        return FALSE if self.going is None else self.going.condition


@dataclass(frozen=True, slots=True)
class Moving:
    """The element of a field that the turns write: ``start``, and ``step``."""

    start: Word
    step: int

    def at(self, turn: Word) -> Word:
        return self.start + times(turn.cast(self.start.ctype), self.step)

    def turn(self, element: Word) -> Word:
        """The turn that writes ``element``, unsigned: a large number for none."""
        apart = element - self.start if self.step > 0 else self.start - element
        return apart.cast(CType(apart.ctype.bits, False))


class Turns:
    """A loop at whose head ``state`` is."""

    def __init__(self, machine: SlotMachine, node: c.Loop, state: State) -> None:
        self._machine, self._node, self._judge = machine, node, machine.judge
        self._state, self._base = state.fork(TRUE), state.condition
        self._record: Record = machine.record
        self._steps: dict[Location, int | None] = {}
        self._moving: dict[Key, Moving] = {}
        self._place = machine.file, machine.local_types

    def proved(self) -> list[Outcome]:
        """The ways out of the loop; raises NotUnderstood where there is no proof."""
        before: list[Outcome] = []
        exits: list[State] = []
        if self._node.kind == "do":
            self._first(exits, before)
        self._guess()
        for count in self._judge.counts():
            if self._turns(count):
                return [*before, *self._leave(count, exits)]
        raise self._fail("a loop over slots of which it is proved what it does")

    def _fail(self, need: str) -> Exception:
        return self._machine.fail(self._node, need)

    def _first(self, exits: list[State], out: list[Outcome]) -> None:
        """A do loop's body runs once before its condition is asked."""
        going = self._machine._turn(self._node, self._state, exits, out)
        if going is None or exits or out:
            raise self._fail("a do loop that is not left from within")
        self._state, self._base = going, going.condition

    # One turn.

    def _head(self, turn: Word) -> State:
        """The state before the given turn (unsigned int)."""
        head = self._state.fork(TRUE)
        head.condition = TRUE
        for at, step in self._steps.items():
            frame = head.frames[at[0]]
            frame[at] = self._moved(frame[at], step, turn)
        return head

    def _moved(self, value: Value, step: int | None, turn: Word) -> Value:
        if step is not None and isinstance(value, Word):
            wide = S64 if value.ctype.bits > U32.bits else U32
            return (value.cast(wide) + times(turn.cast(wide), step)).cast(value.ctype)
        if step is not None and isinstance(value, Pointer) and value.at is not None:
            part = _element(value) + times(turn.cast(S64), step)
            return Pointer((*value.at[:-1], part), value.to, value.there)
        return Poison(_OTHERWISE)

    def _run(self, head: State) -> Turn:
        """One turn from ``head``, on what lies before the loop."""
        machine, node = self._machine, self._node
        exits: list[State] = []
        out: list[Outcome] = []
        written = _size(machine.record)
        condition = machine._loop_condition(node, head)
        pure = _size(machine.record) == written
        if condition.raw is not True:
            exits.append(head.fork(~condition))
            head = head.fork(condition)
        if condition.raw is False:
            return Turn(None, exits, out, pure)
        going = machine._turn(node, head, exits, out)
        return Turn(going, exits, out, pure and len(exits) == 1 and not out)

    def _turn(self, turn: Word) -> Turn:
        """The given turn, and what it reads and writes."""
        machine = self._machine
        outer, touches = machine.record, machine.touches
        place = machine.file, machine.local_types
        machine.record, machine.touches = self._record.copy(), []
        machine.file, machine.local_types = self._place
        try:
            made = self._run(self._head(turn))
            for key, writes in machine.record.writes.items():
                new = writes[len(self._record.of(key)) :]
                if new:
                    made.writes[key] = new
            made.touches = machine.touches
        finally:
            machine.record, machine.touches = outer, touches
            machine.file, machine.local_types = place
        return made

    # The guess.

    def _guess(self) -> None:
        zero, one = Word(0, U32), Word(1, U32)
        first = self._turn(zero)
        if first.going is None:
            raise self._fail("a loop that turns")
        if first.going.memory != self._state.memory:
            raise self._fail("a loop that changes slots and its own variables alone")
        for number, frame in self._state.frames.items():
            for at, value in frame.items():
                after = first.going.frames[number].get(at, value)
                if after is not value:
                    self._steps[at] = self._step(value, after)
        second = self._turn(one)
        for key, writes in first.writes.items():
            start = writes[0].first
            then = second.writes.get(key, writes)[0].first
            step = self._judge.difference(then, start)
            if step not in (1, -1):
                raise self._fail("a loop that writes to one slot after the other")
            self._moving[key] = Moving(start, step)

    def _step(self, before: Value, after: Value) -> int | None:
        if isinstance(before, Word) and isinstance(after, Word):
            return self._judge.difference(after, before)
        if isinstance(before, Pointer) and isinstance(after, Pointer):
            if before.at is None or after.at is None:
                return None
            if before.at[:-1] == after.at[:-1]:
                return self._judge.difference(_element(after), _element(before))
        return None

    # The proof.

    def _turns(self, count: Word) -> bool:
        """Whether the loop turns ``count`` times, each time as guessed."""
        ends = self._turn(count)
        if not self._judge.follows(self._base, ~ends.goes):
            return False
        turn = self._judge.turn()
        made = self._turn(turn)
        within = self._base & (turn < count)
        return self._judge.follows(within, made.goes & self._as_guessed(made, turn))

    def _as_guessed(self, made: Turn, turn: Word) -> Truth:
        after, shown = self._head(turn + 1), TRUE
        assert made.going is not None
        for at, step in self._steps.items():
            if step is not None:
                now = made.going.frames[at[0]][at]
                shown = shown & _same(now, after.frames[at[0]][at])
        for key, writes in made.writes.items():
            if key not in self._moving:
                return FALSE
            for write in writes:
                element = self._moving[key].at(turn)
                shown = shown & write.condition.implies(write.first.eq(element))
        for touch in made.touches:
            shown = shown & touch.condition.implies(self._fair(touch, turn))
        return shown

    def _fair(self, touch: Touch, turn: Word) -> Truth:
        """The area has the slot, and no earlier turn wrote what is read."""
        moving = self._moving.get(touch.key)
        if touch.key[0] == self._machine.areas[0]:
            return Truth(touch.written or moving is None)
        inside = self._judge.in_area(touch.element)
        if moving is None or touch.written:
            return inside
        return inside & ~(moving.turn(self._judge.narrow(touch.element)) < turn)

    # What it leaves.

    def _leave(self, count: Word, exits: list[State]) -> list[Outcome]:
        """The ways out after ``count`` turns."""
        machine = self._machine
        machine.record = self._record.copy()
        for key, moving in self._moving.items():
            machine.record.add(key, self._written(key, moving, count))
        ranges = {key: len(writes) for key, writes in machine.record.writes.items()}
        head = self._head(count)
        head.condition = self._base
        made = self._run(head)
        self._forget(ranges, made)
        exits = [*exits, *made.exits]
        ways = [Outcome(merge_all(exits), "next")] if exits else []
        for way in ways:
            if not made.out:
                way.state.condition = self._base
        return [*ways, *made.out]

    def _forget(self, ranges: dict[Key, int], made: Turn) -> None:
        """Drop what the turn that does not happen wrote."""
        for key, writes in self._machine.record.writes.items():
            kept = writes[: ranges.get(key, 0)]
            if made.above:
                del writes[len(kept) :]
            for write in writes[ranges.get(key, 0) :]:
                if not self._judge.follows(self._base, ~write.condition):
                    kept.append(write)
            writes[:] = kept

    def _written(self, key: Key, moving: Moving, count: Word) -> Write:
        value, start = self._value(key, moving), moving.start
        return Stretch(self._base, start, start, value, True, moving.step, count)

    def _value(self, key: Key, moving: Moving) -> Callable[[Word], Word]:
        """What a field holds, by element, where the loop has been."""

        def at(element: Word) -> Word:
            made = self._turn(moving.turn(element).cast(U32))
            held = self._record.value(key, element)
            for write in made.writes.get(key, []):
                if write.value is None:
                    continue
                new = write.value(element).cast(held.ctype)
                held = ite(write.condition, new, held)
            return held

        return at


def _size(record: Record) -> int:
    return sum(len(writes) for writes in record.writes.values())


def times(word: Word, step: int) -> Word:
    """``step`` times ``word``, without a product where there need be none."""
    if step in (1, -1):
        return word if step > 0 else Word(0, word.ctype) - word
    return word * Word(step, word.ctype)


def _element(pointer: Pointer) -> Word:
    part = pointer.at[-1] if pointer.at else 0
    if isinstance(part, Word):
        return part.cast(S64)
    return Word(part if isinstance(part, int) else 0, S64)


def _same(a: Value, b: Value) -> Truth:
    if isinstance(a, Word) and isinstance(b, Word):
        return a.eq(b)
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        if a.at is None or b.at is None or a.at[:-1] != b.at[:-1]:
            return FALSE
        return _element(a).eq(_element(b))
    return FALSE
