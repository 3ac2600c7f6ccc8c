# SPDX-License-Identifier: GPL-2.0-only
"""Words over Z3 bit vectors.  Importing this module registers them."""

from __future__ import annotations

from typing import Any

import z3

from bounceproof.models.words.word import CType, Truth, Word, register_algebra
from bounceproof.solver.smt.bounds import (
    decided_equal,
    decided_less,
    split_shift,
    upper_bound,
)

Term = Any
_NEVER_MILLISECONDS = 2000


class TermAlgebra:
    """The word algebra on z3.BitVecRef and z3.BoolRef."""

    def lift(self, value: int, bits: int) -> Term:
        return z3.BitVecVal(value, bits)

    def lift_truth(self, value: bool) -> Term:
        return z3.BoolVal(value)

    def add(self, a: Term, b: Term, bits: int) -> Term:
        return a + b

    def sub(self, a: Term, b: Term, bits: int) -> Term:
        return a - b

    def mul(self, a: Term, b: Term, bits: int) -> Term:
        return a * b

    def div(self, a: Term, b: Term, bits: int, signed: bool) -> Term:
        return a / b if signed else z3.UDiv(a, b)

    def rem(self, a: Term, b: Term, bits: int, signed: bool) -> Term:
        return z3.SRem(a, b) if signed else z3.URem(a, b)

    def and_(self, a: Term, b: Term, bits: int) -> Term:
        return a & b

    def or_(self, a: Term, b: Term, bits: int) -> Term:
        return a | b

    def xor(self, a: Term, b: Term, bits: int) -> Term:
        return a ^ b

    def invert(self, a: Term, bits: int) -> Term:
        return ~a

    def shl(self, a: Term, n: Term, bits: int) -> Term:
        return a << n

    def shr(self, a: Term, n: Term, bits: int, signed: bool) -> Term:
        if signed and upper_bound(a) >> (bits - 1):
            return a >> n
        apart = split_shift(a, n)
        return z3.LShR(a, n) if apart is None else apart

    def resize(self, a: Term, old: int, new: int, signed: bool) -> Term:
        if new < old:
            return z3.Extract(new - 1, 0, a)
        negative = signed and upper_bound(a) >> (old - 1)
        return z3.SignExt(new - old, a) if negative else z3.ZeroExt(new - old, a)

    def less(self, a: Term, b: Term, bits: int, signed: bool) -> Term:
        known = decided_less(a, b, bits, signed)
        if known is not None:
            return known
        return a < b if signed else z3.ULT(a, b)

    def equal(self, a: Term, b: Term, bits: int) -> Term:
        known = decided_equal(a, b)
        return a == b if known is None else known

    def both(self, a: Term, b: Term) -> Term:
        return z3.And(a, b)

    def either(self, a: Term, b: Term) -> Term:
        return z3.Or(a, b)

    def negate(self, a: Term) -> Term:
        return z3.Not(a)

    def select(self, c: Term, a: Term, b: Term) -> Term:
        return z3.If(c, a, b)

    def never(self, a: Term) -> bool:
        solver = z3.Solver()
        solver.set("timeout", _NEVER_MILLISECONDS)
        solver.add(a)
        return bool(solver.check() == z3.unsat)


_ALGEBRA = TermAlgebra()
register_algebra(z3.BitVecRef, _ALGEBRA)
register_algebra(z3.BoolRef, _ALGEBRA)


def variable(name: str, ctype: CType) -> Word:
    """A Word that the solver may give any value of ``ctype``."""
    return Word(z3.BitVec(name, ctype.bits), ctype)


def formula(truth: Truth) -> Term:
    """The Z3 formula of a Truth, constant or not."""
    return z3.BoolVal(truth.raw) if isinstance(truth.raw, bool) else truth.raw


def identical(a: Word, b: Word) -> bool:
    """Whether two Words are written alike, so that they are equal without a solver."""
    if isinstance(a.raw, int) or isinstance(b.raw, int):
        return type(a.raw) is type(b.raw) and a.raw == b.raw
    return a.ctype == b.ctype and bool(a.raw.eq(b.raw))


def term_id(truth: Truth) -> int:
    """A number that formulas have in common while both exist if they are the same."""
    return int(formula(truth).get_id())
