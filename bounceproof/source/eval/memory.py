# SPDX-License-Identifier: GPL-2.0-only
"""Values and memory of the evaluator.

A location is a tuple: a root (an object's number, or a frame's, below 0), then field
names and element numbers.  Stored words have the type of their location already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bounceproof.models.words.word import FALSE, TRUE, CType, Truth, Word, ite
from bounceproof.source.cparse.syntax import Type, VoidType

Location: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer to a location the evaluator knows; NULL where ``at`` is None, and
    where ``there`` does not hold."""

    at: Location | None
    to: Type
    there: Truth = field(default=TRUE, compare=False)


@dataclass(frozen=True, slots=True)
class Address:
    """A pointer that is a number: memory the evaluator holds no content of.  NULL
    where ``there`` does not hold."""

    word: Word
    to: Type
    there: Truth = field(default=TRUE, compare=False)


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """A pointer to the function ``name``, seen from ``file``."""

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """Memory just allocated: its element type is that of the first pointer to it."""

    root: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A string constant."""

    text: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A value that must not be used; ``why`` says so in a few words."""

    why: str


@dataclass(frozen=True, slots=True)
class Sometimes(Poison):
    """A value that was assigned where ``assigned`` holds, and is none elsewhere."""

    value: Value
    assigned: Truth = field(compare=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """The value of a void call."""


Value: TypeAlias = (
    Word | Pointer | Address | FunctionValue | Fresh | Literal | Poison | Nothing
)
NULL = Pointer(None, VoidType())
NOTHING = Nothing()
_ONE_SIDE = "it is assigned on one side of a condition only"
_EITHER = "it points to one thing or another"


@dataclass(slots=True)
class Object:
    """Memory outside functions.

    ``zeroed``: what was not written reads as 0, else it is not stated.  ``read`` and
    ``write``, where given, stand in for its content.  ``initial``: what places inside
    it hold until they are written, on every path.  ``fixed``: nothing writes to it.
    """

    name: str
    type: Type
    zeroed: bool
    read: Callable[[State, Location], Value | None] | None = None
    write: Callable[[State, Location, Value], None] | None = None
    initial: dict[Location, Value] = field(default_factory=dict)
    fixed: bool = False


@dataclass(slots=True)
class State:
    """One path: its condition, memory and frames.  ``frame`` is the current one.

    ``zeroed``: the objects whose unwritten memory is 0, shared by all paths.
    """

    condition: Truth = TRUE
    memory: dict[Location, Value] = field(default_factory=dict)
    frames: dict[int, dict[Location, Value]] = field(default_factory=dict)
    frame: int = 0
    zeroed: set[int] = field(default_factory=set)

    def fork(self, condition: Truth) -> State:
        """A copy that also assumes ``condition``."""
        return State(
            self.condition & condition,
            dict(self.memory),
            {number: dict(frame) for number, frame in self.frames.items()},
            self.frame,
            self.zeroed,
        )

    def become(self, other: State) -> None:
        """Go on as ``other``."""
        self.condition = other.condition
        self.memory = other.memory
        self.frames = other.frames
        self.frame = other.frame
        self.zeroed = other.zeroed


def merge_values(condition: Truth, a: Value, b: Value) -> Value:
    """``condition ? a : b``; Poison for pointers that differ."""
    if a is b:
        return a
    if isinstance(condition.raw, bool):
        return a if condition.raw else b
    if isinstance(a, Word) and isinstance(b, Word) and a.ctype == b.ctype:
        same = type(a.raw) is int and type(b.raw) is int and a.raw == b.raw
        return a if same else ite(condition, a, b)
    if isinstance(a, Address) and isinstance(b, Address):
        there = _chosen(condition, a.there, b.there)
        return Address(ite(condition, a.word, b.word), a.to, there)
    if isinstance(a, Address) and _is_null(b):
        return Address(a.word, a.to, condition & a.there)
    if isinstance(b, Address) and _is_null(a):
        return Address(b.word, b.to, ~condition & b.there)
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        return _merge_pointers(condition, a, b)
    if not isinstance(a, Word) and a == b:
        return a
    if isinstance(a, Sometimes) or isinstance(b, Sometimes):
        return _merge_sometimes(condition, a, b)
    if isinstance(a, Poison):
        return a
    return b if isinstance(b, Poison) else Poison(_EITHER)


def _merge_sometimes(condition: Truth, a: Value, b: Value) -> Value:
    """Of two values of which one may not be there, the one of each side."""
    parts: list[tuple[Value, Truth]] = []
    for value in (a, b):
        if isinstance(value, Sometimes):
            parts.append((value.value, value.assigned))
        elif isinstance(value, Poison):
            return value
        else:
            parts.append((value, TRUE))
    (one, there), (other, too) = parts
    merged = merge_values(condition, one, other)
    if isinstance(merged, Poison):
        return merged
    return Sometimes(_ONE_SIDE, merged, _chosen(condition, there, too))


def _is_null(value: Value) -> bool:
    return isinstance(value, Pointer) and value.at is None


def _chosen(condition: Truth, a: Truth, b: Truth) -> Truth:
    return (condition & a) | (~condition & b)


def _merge_pointers(condition: Truth, a: Pointer, b: Pointer) -> Value:
    if a.at is not None and b.at is not None and a != b:
        return Poison(_EITHER)
    there = [FALSE if pointer.at is None else pointer.there for pointer in (a, b)]
    chosen = _chosen(condition, *there)
    known = a if b.at is None else b
    return known if known.at is None else Pointer(known.at, known.to, chosen)


def _unwritten(like: Value, *, zeroed: bool) -> Value:
    """What memory that one path did not write holds there."""
    if zeroed and isinstance(like, Word):
        return Word(0, like.ctype)
    if zeroed and isinstance(like, Pointer):
        return Pointer(None, like.to)
    return Poison(_ONE_SIDE)


def _on_one_side(assigned: Truth, value: Value) -> Value:
    """``value`` as it is where paths meet of which some assigned nothing."""
    if isinstance(value, Sometimes):
        return Sometimes(_ONE_SIDE, value.value, assigned & value.assigned)
    return value if isinstance(value, Poison) else Sometimes(_ONE_SIDE, value, assigned)


def _merge_maps(
    condition: Truth,
    a: dict[Location, Value],
    b: dict[Location, Value],
    zeroed: set[int],
) -> dict[Location, Value]:
    merged = dict(a)
    for key, value in b.items():
        mine = a.get(key)
        if mine is None and key[0] < 0:
            merged[key] = _on_one_side(~condition, value)
            continue
        if mine is None:
            mine = _unwritten(value, zeroed=key[0] in zeroed)
        if mine is not value:
            merged[key] = merge_values(condition, mine, value)
    for key in a.keys() - b.keys():
        if key[0] < 0:
            merged[key] = _on_one_side(condition, a[key])
            continue
        other = _unwritten(a[key], zeroed=key[0] in zeroed)
        merged[key] = merge_values(condition, a[key], other)
    return merged


def merge_states(condition: Truth, a: State, b: State) -> State:
    """The state that is ``a`` where ``condition`` holds, else ``b``."""
    frames = {
        number: _merge_maps(condition, a.frames[number], b.frames[number], set())
        for number in a.frames.keys() & b.frames.keys()
    }
    memory = _merge_maps(condition, a.memory, b.memory, a.zeroed)
    return State(a.condition | b.condition, memory, frames, a.frame, a.zeroed)


def in_bits(word: Word, bits: int | None) -> Word:
    """What a field of ``word``'s type, of ``bits`` where it is a bit-field, holds."""
    if bits is None:
        return word
    if not word.ctype.signed:
        return word & ((1 << bits) - 1)
    return word.cast(CType(bits, True)).cast(word.ctype)
