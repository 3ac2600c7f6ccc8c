# SPDX-License-Identifier: GPL-2.0-only
"""Calls that leave the code: each is taken as :mod:`assumptions` states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bounceproof.models.words.word import INT, U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.pure import is_pure
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.bits import BIT_OPERATIONS
from bounceproof.source.eval.expr import Expressions
from bounceproof.source.eval.linked import LIST_OPERATIONS
from bounceproof.source.eval.memory import (
    NOTHING,
    NULL,
    Address,
    Fresh,
    Literal,
    State,
    Value,
)
from bounceproof.source.program.assumptions import ASSUMPTIONS, Assumption

Treatment: TypeAlias = Callable[[Expressions, c.Call, State], Value]
_PAGE = c.StructType("page")
_VOID = c.VoidType()
IOVA_BASE = 1 << 40


def _plain(ev: Expressions, call: c.Call, state: State) -> None:
    """Evaluate those arguments whose evaluation could matter."""
    for argument in call.arguments:
        if not is_pure(argument) and not _is_place(argument):
            ev.value(argument, state)


def _is_place(expr: c.Expr) -> bool:
    return isinstance(expr, c.Unary) and expr.op == "&" and is_pure(expr.operand)


def _nothing(ev: Expressions, call: c.Call, state: State) -> Value:
    _plain(ev, call, state)
    return NOTHING


def _constant(value: Value) -> Treatment:
    def treatment(ev: Expressions, call: c.Call, state: State) -> Value:
        _plain(ev, call, state)
        return value

    return treatment


def _argument(position: int) -> Treatment:
    def treatment(ev: Expressions, call: c.Call, state: State) -> Value:
        _at_least(ev, call, position + 1)
        return ev.word(call.arguments[position], state).cast(U64)

    return treatment


def _log(ev: Expressions, call: c.Call, state: State) -> Value:
    shown = ""
    numbers: list[Word | None] = []
    for argument in call.arguments:
        try:
            value = ev.value(argument, state)
        except NotUnderstood:
            if not is_pure(argument):
                raise
            value = NOTHING
        if isinstance(value, Literal):
            shown, numbers = value.text, []
        else:
            numbers.append(value if isinstance(value, Word) else None)
    ev.event("log", state, text=shown, numbers=numbers)
    return NOTHING


def _at_least(ev: Expressions, call: c.Call, count: int) -> None:
    if len(call.arguments) < count:
        raise ev.fail(call, f"at least {count} arguments")


def _copy(ev: Expressions, call: c.Call, state: State) -> Value:
    _at_least(ev, call, 3)
    values = [ev.value(argument, state) for argument in call.arguments]
    name = call.function.name if isinstance(call.function, c.Name) else "memcpy"
    ev.event("copy", state, function=name, arguments=values)
    return NOTHING


def _fill(ev: Expressions, call: c.Call, state: State) -> Value:
    _at_least(ev, call, 3)
    values = [ev.value(argument, state) for argument in call.arguments]
    ev.event("fill", state, arguments=values)
    return NOTHING


def _first(ev: Expressions, call: c.Call, state: State) -> Word:
    _at_least(ev, call, 1)
    return ev.word(call.arguments[0], state).cast(U64)


def _address(ev: Expressions, call: c.Call, state: State) -> Value:
    return Address(_first(ev, call, state), _VOID)


def _page(ev: Expressions, call: c.Call, state: State) -> Value:
    shift = ev.program.page_size.bit_length() - 1
    return Address(_first(ev, call, state) << shift, _PAGE)


def _frame_number(ev: Expressions, call: c.Call, state: State) -> Value:
    shift = ev.program.page_size.bit_length() - 1
    return _first(ev, call, state) >> shift


def _fresh(ev: Expressions, call: c.Call, state: State) -> Value:
    return Fresh(ev.new("(allocated)", _VOID))


def _mapped(ev: Expressions, call: c.Call, state: State) -> Value:
    _at_least(ev, call, 4)
    words = [ev.value(argument, state) for argument in call.arguments]
    ev.event("iommu_map", state, arguments=words)
    return Word(0, INT)


def _iova(ev: Expressions, call: c.Call, state: State) -> Value:
    return Word(IOVA_BASE >> 16, U64)


def _given(name: str) -> Treatment:
    def treatment(ev: Expressions, call: c.Call, state: State) -> Value:
        _plain(ev, call, state)
        if name not in ev.given:
            raise ev.fail(call, f"a {name} in the model")
        return ev.given[name]

    return treatment


_TREATMENTS: dict[str, Treatment] = {
    "nothing": _nothing,
    "zero": _constant(Word(0, INT)),
    "one": _constant(Word(1, INT)),
    "null": _constant(NULL),
    "first": _argument(0),
    "second": _argument(1),
    "log": _log,
    "copy": _copy,
    "fill": _fill,
    "address": _address,
    "number": _argument(0),
    "page": _page,
    "pfn": _frame_number,
    "fresh": _fresh,
    "mapped": _mapped,
    "iova": _iova,
    "given:domain": _given("domain"),
    "given:pci": _given("pci"),
}


def _calls(assumption: Assumption) -> list[str]:
    return [] if assumption.treatment == "stated" else assumption.names.split()


OUTSIDE: dict[str, Treatment] = (
    {
        name: _TREATMENTS[assumption.treatment]
        for assumption in ASSUMPTIONS
        for name in _calls(assumption)
    }
    | BIT_OPERATIONS
    | LIST_OPERATIONS
)
SIZED_BY_PAGES: frozenset[str] = frozenset(
    name
    for assumption in ASSUMPTIONS
    if assumption.treatment in ("page", "pfn")
    for name in _calls(assumption)
) | {"get_order"}
"""What gives another value for other pages, though the code that calls it is alike."""
BOUNDARY: frozenset[str] = frozenset(
    name
    for assumption in ASSUMPTIONS
    if assumption.boundary
    for name in _calls(assumption)
)
