# SPDX-License-Identifier: GPL-2.0-only
"""Words over Z3 bit vectors.  Importing this module registers them."""

from __future__ import annotations

from typing import Any

import z3

from bounceproof.models.word import CType, Truth, Word, register_algebra

Term = Any


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
        return a >> n if signed else z3.LShR(a, n)

    def resize(self, a: Term, old: int, new: int, signed: bool) -> Term:
        if new < old:
            return z3.Extract(new - 1, 0, a)
        return z3.SignExt(new - old, a) if signed else z3.ZeroExt(new - old, a)

    def less(self, a: Term, b: Term, bits: int, signed: bool) -> Term:
        return a < b if signed else z3.ULT(a, b)

    def equal(self, a: Term, b: Term, bits: int) -> Term:
        return a == b

    def both(self, a: Term, b: Term) -> Term:
        return z3.And(a, b)

    def either(self, a: Term, b: Term) -> Term:
        return z3.Or(a, b)

    def negate(self, a: Term) -> Term:
        return z3.Not(a)

    def select(self, c: Term, a: Term, b: Term) -> Term:
        return z3.If(c, a, b)


_ALGEBRA = TermAlgebra()
register_algebra(z3.BitVecRef, _ALGEBRA)
register_algebra(z3.BoolRef, _ALGEBRA)


def variable(name: str, ctype: CType) -> Word:
    """A Word that the solver may give any value of ``ctype``."""
    return Word(z3.BitVec(name, ctype.bits), ctype)


def formula(truth: Truth) -> Term:
    """The Z3 formula of a Truth, constant or not."""
    return z3.BoolVal(truth.raw) if isinstance(truth.raw, bool) else truth.raw
