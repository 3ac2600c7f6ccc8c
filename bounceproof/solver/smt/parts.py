# SPDX-License-Identifier: GPL-2.0-only
"""How terms are built: each is asked of Z3 once, and remembered while there is room.

Going through a question that way takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import z3

Term = Any
_MOST_KEPT = 50_000


class Built(NamedTuple):
    """A term, its number, the ``kind`` of its operation and what it is built of.

    ``bits``: the width of a bit vector, 0 for a truth.
    """

    term: Term
    number: int
    kind: int
    parts: tuple[Term, ...]
    bits: int


_known: dict[int, Built] = {}


def built(term: Term) -> Built:
    """How ``term``, an application of some operation, is built."""
    place: int = term.ast.value
    held = _known.get(place)
    if held is None:
        if len(_known) >= _MOST_KEPT:
            _known.clear()
        context = term.ctx.ref()
        kind = z3.Z3_get_decl_kind(context, z3.Z3_get_app_decl(context, term.ast))
        bits = term.size() if isinstance(term, z3.BitVecRef) else 0
        held = Built(term, term.get_id(), kind, tuple(_operands(term)), bits)
        _known[place] = held
    return held


def _operands(term: Term) -> Iterator[Term]:
    """The operands, those that are known as they are known."""
    context, whole = term.ctx.ref(), term.ast
    for at in range(z3.Z3_get_app_num_args(context, whole)):
        held = _known.get(z3.Z3_get_app_arg(context, whole, at).value)
        yield term.arg(at) if held is None else held.term


def key_of(term: Term) -> int:
    """A number that terms have in common, while both exist, if they are the same."""
    return built(term).number


def kind_of(term: Term) -> int:
    """The kind of operation, a Z3_OP number."""
    return built(term).kind


def parts_of(term: Term) -> tuple[Term, ...]:
    """The operands."""
    return built(term).parts


def bits_of(term: Term) -> int:
    """The width of a bit vector, 0 for a truth."""
    return built(term).bits


def same(one: Term, other: Term) -> bool:
    """Whether two terms are one."""
    return bool(one.ast.value == other.ast.value)


def is_number(term: Term) -> bool:
    """Whether ``term`` is a bit vector's value."""
    return bool(built(term).kind == z3.Z3_OP_BNUM)


def is_true(term: Term) -> bool:
    return bool(built(term).kind == z3.Z3_OP_TRUE)


def is_false(term: Term) -> bool:
    return bool(built(term).kind == z3.Z3_OP_FALSE)


def is_not(term: Term) -> bool:
    return bool(built(term).kind == z3.Z3_OP_NOT)
