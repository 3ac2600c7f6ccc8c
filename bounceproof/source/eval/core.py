# SPDX-License-Identifier: GPL-2.0-only
"""What expressions and statements share: memory, errors, events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bounceproof.models.words.word import Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import KernelBug, NotUnderstood, UninitialisedRead
from bounceproof.source.eval.memory import (
    Location,
    Object,
    Pointer,
    Poison,
    Sometimes,
    State,
    Value,
    in_bits,
)
from bounceproof.source.eval.paths import PathEnds
from bounceproof.source.eval.variables import place_of
from bounceproof.source.program.program import Program


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens where ``condition`` holds: ``kind`` and its data."""

    kind: str
    condition: Truth
    data: dict[str, Any] = field(default_factory=dict)


Hook: TypeAlias = Callable[[State, list[Value], c.Call], Value | None]


class Core(ABC):
    """Memory and errors of one evaluation of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.objects: dict[int, Object] = {}
        self.zeroed: set[int] = set()
        self.globals: dict[str, tuple[Location, c.Type]] = {}
        self.events: list[Event] = []
        self.hooks: dict[str, Hook] = {}
        self.quiet = False
        self.given: dict[str, Value] = {}
        self.file = ""
        self.entered = "", 0
        self.local_types: dict[str, c.Type] = {}
        self.writes = 0
        self.steps = 0
        self._enumerators: dict[str, Word] = {}
        self._lost = False

    def fail(self, node: c.Node, need: str) -> NotUnderstood:
        """The error for ``node``, with its place and text; outside every function that
        of the last one entered."""
        place = (self.file, node.line) if self.file else self.entered
        text = node.text if isinstance(node, c.Unknown) else ""
        return NotUnderstood(*place, text or self.program.text(*place), need)

    def event(self, kind: str, state: State, **data: Any) -> None:
        """Record that something happens in ``state``."""
        if not self.quiet:
            self.events.append(Event(kind, state.condition, data))

    def bug(self, condition: Truth, state: State, node: c.Node) -> None:
        """The kernel stops where ``condition`` holds."""
        if condition.raw is False:
            return
        text = self.program.text(self.file, node.line)
        if condition.raw is True and state.condition.raw is True:
            raise KernelBug(self.file, node.line, text)
        inside = State(state.condition & condition)
        self.event("bug", inside, text=text, file=self.file, line=node.line)
        self._lost = True
        if condition.raw is True:
            raise PathEnds
        state.condition = state.condition & ~condition

    def new(self, name: str, kind: c.Type, *, zeroed: bool = True) -> int:
        """A new object; returns its number."""
        number = len(self.objects) + 1
        self.objects[number] = Object(name, kind, zeroed)
        if zeroed:
            self.zeroed.add(number)
        return number

    def load(self, state: State, at: Location, kind: c.Type, node: c.Node) -> Value:
        """Read a location."""
        root = at[0]
        frame = root < 0
        if frame:
            held = state.frames[root].get(at)
        else:
            reader = self.objects[root].read
            held = reader(state, at) if reader else None
            held = state.memory.get(at) if held is None else held
            held = self.objects[root].initial.get(at[1:]) if held is None else held
        if held is None:
            held = self._absent(state, at, kind, node)
        if isinstance(held, Sometimes) and (state.condition & ~held.assigned).never():
            return held.value
        if isinstance(held, Poison):
            raise self.fail(node, f"a value that is known: {held.why}")
        return held

    def _absent(self, state: State, at: Location, kind: c.Type, node: c.Node) -> Value:
        if at[0] < 0:
            if (*at[:2], "=0") in state.frames[at[0]]:
                return zero_of(kind, self.fail(node, "a type that is known"))
            text = self.program.text(self.file, node.line)
            name = str(at[1]).split("#")[0]
            raise UninitialisedRead(
                self.file, node.line, text, f"a value for `{name}`: it is not assigned"
            )
        thing = self.objects[at[0]]
        if any(isinstance(part, Word) for part in at[1:]):
            raise self.fail(node, "an index that is a plain number")
        if thing.zeroed:
            return zero_of(kind, self.fail(node, "a type that is known"))
        path = ".".join(str(part) for part in (thing.name, *at[1:]))
        raise self.fail(node, f"a stated value for {path}")

    def store(
        self,
        state: State,
        at: Location,
        kind: c.Type,
        value: Value,
        node: c.Node,
        bits: int | None = None,
    ) -> Value:
        """Write a location; returns the value as it is held there."""
        held = self.convert(value, kind, node)
        if isinstance(held, Word):
            held = in_bits(held, bits)
        root = at[0]
        if root < 0:
            state.frames[root][at] = held
            return held
        if self.objects[root].fixed:
            name = self.objects[root].name
            raise self.fail(node, f"an assignment to {name} that is seen as one")
        writer = self.objects[root].write
        if writer is not None:
            writer(state, at, held)
            return held
        if any(isinstance(part, Word) for part in at[1:]):
            raise self.fail(node, "an index that is a plain number")
        self.writes += 1
        state.memory[at] = held
        return held

    def global_place(self, expr: c.Name, state: State) -> tuple[Location, c.Type]:
        """Where the global ``expr`` is kept; made on its first use."""
        name = expr.name
        if name not in self.globals:
            at = place_of(self, expr, state)
            self.globals[name] = at, self.objects[at[0]].type
        return self.globals[name]

    @abstractmethod
    def convert(self, value: Value, kind: c.Type, node: c.Node) -> Value: ...

    @abstractmethod
    def value(self, expr: c.Expr, state: State) -> Value: ...

    @abstractmethod
    def call(self, expr: c.Call, state: State) -> Value: ...

    @abstractmethod
    def run_inline(self, block: c.Block, state: State) -> None: ...


def zero_of(kind: c.Type, error: NotUnderstood) -> Value:
    """The value of zeroed memory of type ``kind``."""
    if isinstance(kind, c.IntType):
        return Word(0, kind.ctype)
    if isinstance(kind, c.PointerType):
        return Pointer(None, kind.to)
    raise error
