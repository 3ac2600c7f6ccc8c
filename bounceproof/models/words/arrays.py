# SPDX-License-Identifier: GPL-2.0-only
"""Words over numpy arrays: one formula, a million requests.

Importing this module registers ``numpy.ndarray`` with the word algebra.  Raw values
are uint64 arrays kept below 2**bits; truth values are bool arrays.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.words.word import register_algebra

Values: TypeAlias = NDArray[np.uint64]
Truths: TypeAlias = NDArray[np.bool_]


def _quotient(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """``a // b``; by 0 it is 0, for C leaves that open."""
    with np.errstate(divide="ignore"):
        quotient: NDArray[Any] = a // b
    return quotient


def _mask(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)


def _sign_flip(a: Values, bits: int) -> Values:
    return a ^ np.uint64(1 << (bits - 1))


class ArrayAlgebra:
    """The word algebra on uint64 arrays."""

    def lift(self, value: int, bits: int) -> Values:
        return np.array(value & ((1 << bits) - 1), dtype=np.uint64)

    def lift_truth(self, value: bool) -> Truths:
        return np.array(value)

    def add(self, a: Values, b: Values, bits: int) -> Values:
        return (a + b) & _mask(bits)

    def sub(self, a: Values, b: Values, bits: int) -> Values:
        return (a - b) & _mask(bits)

    def mul(self, a: Values, b: Values, bits: int) -> Values:
        return (a * b) & _mask(bits)

    def _signed(self, a: Values, bits: int) -> NDArray[np.int64]:
        shift = np.uint64(64 - bits)
        return np.right_shift((a << shift).astype(np.int64), np.int64(64 - bits))

    def div(self, a: Values, b: Values, bits: int, signed: bool) -> Values:
        if not signed:
            return _quotient(a, b)
        x, y = self._signed(a, bits), self._signed(b, bits)
        quotient = _quotient(np.abs(x), np.abs(y))
        result = np.where((x < 0) == (y < 0), quotient, -quotient)
        return result.astype(np.uint64) & _mask(bits)

    def rem(self, a: Values, b: Values, bits: int, signed: bool) -> Values:
        if not signed:
            return self.sub(a, self.mul(_quotient(a, b), b, bits), bits)
        return self.sub(a, self.mul(self.div(a, b, bits, True), b, bits), bits)

    def and_(self, a: Values, b: Values, bits: int) -> Values:
        return a & b

    def or_(self, a: Values, b: Values, bits: int) -> Values:
        return a | b

    def xor(self, a: Values, b: Values, bits: int) -> Values:
        return a ^ b

    def invert(self, a: Values, bits: int) -> Values:
        return ~a & _mask(bits)

    def shl(self, a: Values, n: Values, bits: int) -> Values:
        count = np.minimum(n, np.uint64(63))
        return np.where(n < bits, (a << count) & _mask(bits), np.uint64(0))

    def shr(self, a: Values, n: Values, bits: int, signed: bool) -> Values:
        count = np.minimum(n, np.uint64(63))
        if signed:
            shifted = np.right_shift(self._signed(a, bits), count.astype(np.int64))
            return shifted.astype(np.uint64) & _mask(bits)
        return np.where(n < bits, a >> count, np.uint64(0))

    def resize(self, a: Values, old: int, new: int, signed: bool) -> Values:
        wide = self._signed(a, old).astype(np.uint64) if signed else a
        return wide & _mask(new)

    def less(self, a: Values, b: Values, bits: int, signed: bool) -> Truths:
        if signed:
            return np.asarray(_sign_flip(a, bits) < _sign_flip(b, bits))
        return np.asarray(a < b)

    def equal(self, a: Values, b: Values, bits: int) -> Truths:
        return np.asarray(a == b)

    def both(self, a: Truths, b: Truths) -> Truths:
        return a & b

    def either(self, a: Truths, b: Truths) -> Truths:
        return a | b

    def negate(self, a: Truths) -> Truths:
        return ~a

    def select(self, c: Truths, a: Any, b: Any) -> Any:
        return np.where(c, a, b)

    def never(self, a: Truths) -> bool:
        return not np.any(a)


_ALGEBRA = ArrayAlgebra()
register_algebra(np.ndarray, _ALGEBRA)
register_algebra(np.generic, _ALGEBRA)
