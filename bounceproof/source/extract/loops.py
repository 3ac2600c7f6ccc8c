# SPDX-License-Identifier: GPL-2.0-only
"""Loops that count over slots, as the range of what they count.

Known are loops that step their counter by one up or down while it is on one side of a
bound that the loop leaves alone; and loops with any condition whose only effect is on
list[].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bounceproof.models.words.word import S64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.pure import is_pure
from bounceproof.source.cparse.walk import walk
from bounceproof.source.eval.memory import Location, State

if TYPE_CHECKING:
    from bounceproof.source.extract.machine import Machine
    from bounceproof.source.extract.record import Key

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Span:
    """What a counter runs through: S64 ``first`` to ``last``, from ``start`` on."""

    start: Word
    first: Word
    last: Word


class Loops:
    """Reads loops on behalf of a machine."""

    def __init__(self, machine: Machine, list_key: Key) -> None:
        self._machine, self._list_key = machine, list_key

    def counter(self, node: c.Loop) -> str:
        """The local that the loop steps by one."""
        step = node.step
        if (
            node.kind != "do"
            and isinstance(step, c.Update)
            and isinstance(step.target, c.Name)
            and step.target.local
        ):
            return step.target.name
        raise self._machine.fail(node, "a loop that counts in steps of one")

    @staticmethod
    def changed(node: c.Loop) -> set[str]:
        """The locals that the loop assigns."""
        return {
            found.target.name
            for found in walk(node)
            if isinstance(found, c.Assign | c.Update)
            and isinstance(found.target, c.Name)
        }

    def span(self, node: c.Loop, name: str, start: Word, state: State) -> Span | None:
        """The counter's range; None where the condition is no bound of it."""
        bounded = self._bounded(node, name)
        if bounded is None:
            return None
        op, limit = bounded
        step = node.step
        up = isinstance(step, c.Update) and step.op == "+"
        if up != (op in ("<", "<=")):
            raise self._machine.fail(node, "a loop that counts towards its bound")
        bound, here = self._machine.word(limit, state).cast(S64), start.cast(S64)
        inside = bound if op in ("<=", ">=") else bound - 1 if up else bound + 1
        return Span(start, here, inside) if up else Span(start, inside, here)

    def _bounded(self, node: c.Loop, name: str) -> tuple[str, c.Expr] | None:
        condition = node.condition
        if not isinstance(condition, c.Binary) or condition.op not in _MIRRORED:
            return None
        changed = self.changed(node)
        for side, other, op in (
            (condition.left, condition.right, condition.op),
            (condition.right, condition.left, _MIRRORED[condition.op]),
        ):
            if not (isinstance(side, c.Name) and side.name == name):
                continue
            names = {n.name for n in walk(other) if isinstance(n, c.Name) and n.local}
            if names & changed or not self._machine.changes_nothing(other):
                raise self._machine.fail(node, "a bound that the loop leaves alone")
            return op, other
        return None

    def target(
        self, expr: c.Expr, name: str, state: State
    ) -> tuple[Location, c.Type, int | None]:
        """Where the loop's next turn writes, its type, and a bit-field's width."""
        if not is_pure(expr):
            raise self._machine.fail(expr, "a target without side effects")
        return self._machine.place(expr, state)

    def check_target(self, expr: c.Expr, name: str, node: c.Node) -> None:
        """The element written moves as the counter does."""
        place = expr
        while isinstance(place, c.Member) and not place.arrow:
            place = place.base
        index = place.index if isinstance(place, c.Index) else None
        parts = [index]
        if isinstance(index, c.Binary) and index.op == "+":
            parts = [index.left, index.right]
        counters = [p for p in parts if isinstance(p, c.Name) and p.name == name]
        others = [
            n.name
            for part in parts
            if part not in counters
            for n in walk(part)
            if isinstance(n, c.Name)
        ]
        if len(counters) != 1 or name in others:
            raise self._machine.fail(node, "an element at the counter, or beside it")

    def value(
        self, expr: c.Expr, name: str, shift: Word, state: State
    ) -> Callable[[Word], Word]:
        """What the loop writes to an element, by element (S64)."""
        machine, held = self._machine, state.fork(state.condition)
        file, types, frame = machine.file, machine.local_types, state.frame

        def at(element: Word) -> Word:
            outer = machine.file, machine.local_types
            machine.file, machine.local_types = file, types
            inside = held.fork(held.condition)
            counter = (element - shift).cast(S64)
            node = c.Empty(expr.line)
            kind = types[name]
            inside.frames[frame][(frame, name)] = machine.convert(counter, kind, node)
            try:
                return machine.word(expr, inside)
            finally:
                machine.file, machine.local_types = outer

        return at
