# SPDX-License-Identifier: GPL-2.0-only
"""Words follow C, and every algebra says the same."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from bounceproof.models.words import arrays as _arrays
from bounceproof.models.words.word import (
    S16,
    S32,
    S64,
    U16,
    U32,
    U64,
    CType,
    Word,
    align,
    ite,
    literal_type,
)
from bounceproof.solver.smt.minimum import value_of
from bounceproof.solver.smt.terms import formula

assert _arrays.ArrayAlgebra
TYPES = [S16, U16, S32, U32, S64, U64]
BINARY: list[Callable[[Any, Any], Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.and_,
    operator.or_,
    operator.xor,
    operator.lshift,
    operator.rshift,
    operator.floordiv,
    operator.mod,
]
COMPARE: list[Callable[[Any, Any], Any]] = [
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    Word.eq,
    Word.ne,
]
values = st.integers(0, (1 << 64) - 1) | st.integers(0, 70)


def in_array(word: Word) -> Word:
    return Word(np.array([word.raw], dtype=np.uint64), word.ctype)


def in_term(word: Word) -> Word:
    return Word(z3.BitVecVal(word.raw, word.ctype.bits), word.ctype)


def number(word: Word) -> int:
    if isinstance(word.raw, np.ndarray):
        return int(word.raw.ravel()[0])
    solver = z3.SimpleSolver()
    assert solver.check() == z3.sat
    return value_of(solver.model(), word)


@given(
    values,
    values,
    st.sampled_from(TYPES),
    st.sampled_from(TYPES),
    st.sampled_from(BINARY),
)
def test_algebras_agree(
    a: int, b: int, left: CType, right: CType, op: Callable[[Any, Any], Any]
) -> None:
    x, y = Word(a, left), Word(b, right)
    if op in (operator.lshift, operator.rshift):
        y = Word(b % 64, U32)
    if op in (operator.floordiv, operator.mod) and not y.raw:
        y = Word(3, right)
    plain = op(x, y)
    for other in (op(in_array(x), in_array(y)), op(in_term(x), in_term(y))):
        assert other.ctype == plain.ctype
        assert number(other) == plain.raw


@given(
    values,
    values,
    st.sampled_from(TYPES),
    st.sampled_from(TYPES),
    st.sampled_from(COMPARE),
)
def test_comparisons_agree(
    a: int, b: int, left: CType, right: CType, op: Callable[[Any, Any], Any]
) -> None:
    x, y = Word(a, left), Word(b, right)
    plain = bool(op(x, y))
    assert bool(np.all(op(in_array(x), in_array(y)).raw)) == plain
    assert z3.is_true(z3.simplify(formula(op(in_term(x), in_term(y))))) == plain


@given(values, st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_casts_agree(a: int, old: CType, new: CType) -> None:
    word = Word(a, old)
    assert number(in_array(word).cast(new)) == word.cast(new).raw
    assert number(in_term(word).cast(new)) == word.cast(new).raw


@pytest.mark.parametrize(
    ("word", "number_", "ctype"),
    [
        (Word(5, U32) - Word(7, S32), 4294967294, U32),
        (Word(5, U16) - Word(7, U16), -2, S32),
        (Word(-1, S32) + Word(1, U64), 0, U64),
        (~Word(0x7FF, S32) & Word(1 << 40, U64), 1 << 40, U64),
        (~Word(0x7FF, U32) & Word(1 << 40, U64), 0, U64),
        (Word(-8, S32) >> 1, -4, S32),
        (Word(-7, S32) // 2, -3, S32),
        (Word(-7, S32) % 2, -1, S32),
        (Word(1, S32) << 31, -(1 << 31), S32),
        (align(Word(70, U32), Word(31, U32)), 96 & ~30, U32),
    ],
)
def test_c_semantics(word: Word, number_: int, ctype: CType) -> None:
    assert (int(word), word.ctype) == (number_, ctype)


def test_signed_is_below_unsigned_minus_one() -> None:
    assert bool(Word(5, U32) < Word(-1, S32))
    assert not bool(Word(5, S32) < Word(-1, S32))


def test_constants_have_the_type_c_gives_them() -> None:
    assert [literal_type(v) for v in (1, 1 << 31, 1 << 63)] == [S32, S64, U64]


def test_symbols_have_no_truth_value() -> None:
    symbol = Word(z3.BitVec("x", 32), U32)
    with pytest.raises(TypeError):
        bool(symbol.eq(1))
    with pytest.raises(TypeError):
        int(symbol)
    assert ite(symbol.eq(1), Word(1, U32), Word(2, U32)).ctype == U32
