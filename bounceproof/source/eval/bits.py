# SPDX-License-Identifier: GPL-2.0-only
"""Bitmaps: test_bit(), set_bit() and their kin (include/linux/bitops.h, v6.12).

A word that was written is a word.  Of a bitmap of which only single bits are stated,
as of ``flags`` in struct device, each bit is kept apart, and one that is not stated is
not known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bounceproof.models.words.word import INT, U8, U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.expr import Expressions
from bounceproof.source.eval.memory import NOTHING, Location, Pointer, State, Value

Operation: TypeAlias = Callable[[Expressions, c.Call, State], Value]
_LONG = c.IntType(U64)
_BIT = c.IntType(U8, boolean=True)


def bit_place(bitmap: Location, number: int) -> Location:
    """Where bit ``number`` of a bitmap of single bits is kept."""
    return (*bitmap, number >> 6, f"bit {number & 63}")


def _word_place(
    ev: Expressions, call: c.Call, state: State, first: int
) -> tuple[int, Location]:
    """The number of the bit, and where the word that has it is."""
    if len(call.arguments) <= first + 1:
        raise ev.fail(call, f"at least {first + 2} arguments")
    number = ev.word(call.arguments[first], state)
    if type(number.raw) is not int or int(number) < 0:
        raise ev.fail(call, "the number of a bit that is known")
    bitmap = ev.value(call.arguments[first + 1], state)
    moved = ev.move(bitmap, Word(int(number) >> 6, INT), call)
    if not isinstance(moved, Pointer) or moved.at is None or moved.to != _LONG:
        raise ev.fail(call, "a bitmap that is known")
    return int(number), moved.at


def _whole(ev: Expressions, state: State, at: Location) -> bool:
    """Whether the bitmap's word at ``at`` is kept as a word."""
    held = state.frames[at[0]] if at[0] < 0 else state.memory
    return at in held or at[0] in ev.zeroed


def _read(
    ev: Expressions, call: c.Call, state: State, number: int, at: Location
) -> Word:
    if _whole(ev, state, at):
        word = ev.as_word(ev.load(state, at, _LONG, call), call)
        return ((word >> (number & 63)) & 1).cast(INT)
    place = (*at, f"bit {number & 63}")
    return ev.as_word(ev.load(state, place, _BIT, call), call).cast(INT)


def _put(
    ev: Expressions,
    call: c.Call,
    state: State,
    number: int,
    at: Location,
    bit: Word,
) -> None:
    if _whole(ev, state, at):
        word = ev.as_word(ev.load(state, at, _LONG, call), call)
        one = Word(1 << (number & 63), U64)
        moved = bit.cast(U64) << (number & 63)
        ev.store(state, at, _LONG, (word & ~one) | moved, call)
    else:
        ev.store(state, (*at, f"bit {number & 63}"), _BIT, bit, call)


def _test(ev: Expressions, call: c.Call, state: State) -> Value:
    number, at = _word_place(ev, call, state, 0)
    return _read(ev, call, state, number, at)


def _make(new: int | None, *, returns: bool) -> Operation:
    """Sets a bit to ``new``, or changes it; gives what it was where ``returns``."""

    def operation(ev: Expressions, call: c.Call, state: State) -> Value:
        number, at = _word_place(ev, call, state, 0)
        old = Word(0, INT)
        if returns or new is None:
            old = _read(ev, call, state, number, at)
        bit = Word(new, INT) if new is not None else old ^ 1
        _put(ev, call, state, number, at, bit)
        return old if returns else NOTHING

    return operation


def _assign(ev: Expressions, call: c.Call, state: State) -> Value:
    number, at = _word_place(ev, call, state, 0)
    if len(call.arguments) != 3:
        raise ev.fail(call, "3 arguments")
    bit = ev.truth(call.arguments[2], state).word(INT)
    _put(ev, call, state, number, at, bit)
    return NOTHING


def _both(name: str, operation: Operation) -> dict[str, Operation]:
    """The atomic form and the plain one."""
    return {name: operation, f"__{name}": operation}


BIT_OPERATIONS: dict[str, Operation] = {
    "test_bit": _test,
    "test_bit_acquire": _test,
    **_both("set_bit", _make(1, returns=False)),
    **_both("clear_bit", _make(0, returns=False)),
    **_both("change_bit", _make(None, returns=False)),
    **_both("test_and_set_bit", _make(1, returns=True)),
    **_both("test_and_clear_bit", _make(0, returns=True)),
    **_both("test_and_change_bit", _make(None, returns=True)),
    **_both("assign_bit", _assign),
}
