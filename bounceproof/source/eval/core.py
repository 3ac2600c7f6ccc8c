# SPDX-License-Identifier: GPL-2.0-only
"""What expressions and statements share: memory, errors, events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bounceproof.models.word import CType, Truth, Word
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
)
from bounceproof.source.eval.paths import PathEnds
from bounceproof.source.program.assumptions import STATED_ZERO
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
        self.local_types: dict[str, c.Type] = {}
        self.writes = 0
        self.steps = 0
        self._enumerators: dict[str, Word] = {}
        self._lost = False

    def fail(self, node: c.Node, need: str) -> NotUnderstood:
        """The error for ``node``, with its place and text."""
        text = node.text if isinstance(node, c.Unknown) else ""
        text = text or self.program.text(self.file, node.line)
        return NotUnderstood(self.file, node.line, text, need)

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
        if name in self.globals:
            return self.globals[name]
        declared = self.program.globals.get(name)
        if declared is None:
            raise self.fail(expr, f"a declaration of {name}")
        stated = declared.fixed or name in STATED_ZERO
        stated = stated or not self.program.assigns(name)
        number = self.new(name, declared.type, zeroed=stated)
        self.globals[name] = (number,), declared.type
        if declared.value is not None:
            outer, self.file = self.file, declared.file
            self._initialise(state, (number,), declared.type, declared.value)
            self.file = outer
        return self.globals[name]

    def _initialise(
        self, state: State, at: Location, kind: c.Type, value: c.Expr
    ) -> None:
        if not isinstance(value, c.Initializer):
            state.memory[at] = self.convert(self.value(value, state), kind, value)
            return
        fields = (
            self.program.structs.get(kind.tag, {})
            if isinstance(kind, c.StructType)
            else {}
        )
        for name, item in value.items:
            entry = fields.get(name) if name is not None else None
            if name is None or entry is None:
                continue
            try:
                self._initialise(state, (*at, name), entry.type, item)
            except NotUnderstood as error:
                state.memory[(*at, name)] = Poison(error.need)

    @abstractmethod
    def convert(self, value: Value, kind: c.Type, node: c.Node) -> Value: ...

    @abstractmethod
    def value(self, expr: c.Expr, state: State) -> Value: ...

    @abstractmethod
    def call(self, expr: c.Call, state: State) -> Value: ...

    @abstractmethod
    def run_inline(self, block: c.Block, state: State) -> None: ...


def in_bits(word: Word, bits: int | None) -> Word:
    """What a field of ``word``'s type, of ``bits`` where it is a bit-field, holds."""
    if bits is None:
        return word
    if not word.ctype.signed:
        return word & ((1 << bits) - 1)
    return word.cast(CType(bits, True)).cast(word.ctype)


def zero_of(kind: c.Type, error: NotUnderstood) -> Value:
    """The value of zeroed memory of type ``kind``."""
    if isinstance(kind, c.IntType):
        return Word(0, kind.ctype)
    if isinstance(kind, c.PointerType):
        return Pointer(None, kind.to)
    raise error
