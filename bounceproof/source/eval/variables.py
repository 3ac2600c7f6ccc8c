# SPDX-License-Identifier: GPL-2.0-only
"""Variables of a file, and the initial values that their declarations give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bounceproof.models.words.word import Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import Location, Poison, State, Value, in_bits
from bounceproof.source.program.assumptions import STATED_ZERO

if TYPE_CHECKING:
    from bounceproof.source.eval.core import Core

_ELEMENT = re.compile(r"\[\s*(\d+)\s*\]")


def place_of(ev: Core, expr: c.Name, state: State) -> Location:
    """A new object for the variable ``expr``, with what its declaration gives it.

    A variable that code assigns has no value but what a run assigns to it.  Raises
    NotUnderstood where it is not declared, or declared in two files.
    """
    name = expr.name
    declared = ev.program.globals.get(name)
    if declared is None:
        raise ev.fail(expr, f"a declaration of {name}")
    if declared.rival:
        need = f"one variable {name}: {declared.file} and {declared.rival} have one"
        raise ev.fail(expr, need)
    fixed = declared.fixed or not ev.program.assigns(name)
    outer, ev.file = ev.file, declared.file
    values: dict[Location, Value] | None = {}
    try:
        if fixed and declared.value is not None:
            values = _Initial(ev, state).whole(declared.type, declared.value)
    finally:
        ev.file = outer
    zeroed = values is not None and (fixed or name in STATED_ZERO)
    number = ev.new(name, declared.type, zeroed=zeroed)
    ev.objects[number].initial = values or {}
    ev.objects[number].fixed = fixed and name not in STATED_ZERO
    return (number,)


class _Unplaced(NotUnderstood):
    """An initial value of which it is not known where it goes."""


class _Initial:
    """The values that an initialiser gives, by place inside the variable."""

    def __init__(self, ev: Core, state: State) -> None:
        self._ev, self._state = ev, state
        self._values: dict[Location, Value] = {}

    def whole(self, kind: c.Type, value: c.Expr) -> dict[Location, Value] | None:
        """None where one of them cannot be placed: then no part has a value."""
        try:
            self._put((), kind, value, None)
        except _Unplaced:
            return None
        return self._values

    def _put(self, at: Location, kind: c.Type, value: c.Expr, bits: int | None) -> None:
        for place in [place for place in self._values if place[: len(at)] == at]:
            del self._values[place]
        if isinstance(kind, c.ArrayType):
            self._array(at, kind, self._list(value))
        elif isinstance(kind, c.StructType):
            self._struct(at, kind, self._list(value))
        else:
            self._scalar(at, kind, value, bits)

    def _list(self, value: c.Expr) -> c.Initializer:
        if isinstance(value, c.Initializer):
            return value
        raise self._unplaced(value)

    def _unplaced(self, node: c.Node) -> _Unplaced:
        error = self._ev.fail(node, "initial values whose places are known")
        return _Unplaced(error.file, error.line, error.text, error.need)

    def _array(self, at: Location, kind: c.ArrayType, value: c.Initializer) -> None:
        place = 0
        for name, item in value.items:
            if name is not None:
                found = _ELEMENT.fullmatch(name)
                if found is None:
                    raise self._unplaced(value)
                place = int(found[1])
            self._put((*at, place), kind.of, item, None)
            place += 1

    def _struct(self, at: Location, kind: c.StructType, value: c.Initializer) -> None:
        program = self._ev.program
        if _only_zero(value):
            return
        if kind.tag in program.unions or any(name is None for name, _ in value.items):
            raise self._unplaced(value)
        fields = program.structs.get(kind.tag, {})
        for name, item in value.items:
            entry = fields.get(name) if name is not None else None
            if entry is not None:
                self._put((*at, name), entry.type, item, entry.bits)

    def _scalar(
        self, at: Location, kind: c.Type, value: c.Expr, bits: int | None
    ) -> None:
        if isinstance(value, c.Initializer):
            if len(value.items) > 1 or any(name for name, _ in value.items):
                raise self._unplaced(value)
            for _, item in value.items:
                self._scalar(at, kind, item, bits)
            return
        try:
            given = self._ev.value(value, self._state)
            held = self._ev.convert(given, kind, value)
        except NotUnderstood as error:
            held = Poison(error.need)
        self._values[at] = in_bits(held, bits) if isinstance(held, Word) else held


def _only_zero(value: c.Initializer) -> bool:
    """Whether it is {} or {0}, which leave everything 0."""
    plain = [name is None and _is_zero(item) for name, item in value.items]
    return plain in ([], [True])


def _is_zero(item: c.Expr) -> bool:
    return isinstance(item, c.Number) and item.word.raw == 0
