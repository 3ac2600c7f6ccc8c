# SPDX-License-Identifier: GPL-2.0-only
"""Sums of bit vectors with constant factors, so that what cancels does so in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import z3

from bounceproof.solver.smt.bounds import low_zeros, upper_bound
from bounceproof.solver.smt.parts import bits_of, is_number, key_of

Term = Any


@dataclass(frozen=True, slots=True)
class Sum:
    """``constant`` and ``parts``, terms with factors by the terms' ids, mod 2^bits."""

    bits: int
    parts: dict[int, tuple[Term, int]]
    constant: int = 0

    @classmethod
    def of(cls, term: Term) -> Sum:
        """``term`` as the only part, or its value where it is a number."""
        if is_number(term):
            return cls(bits_of(term), {}, term.as_long())
        return cls(bits_of(term), {key_of(term): (term, 1)})

    @classmethod
    def total(cls, bits: int, addends: Iterable[tuple[Sum, int]]) -> Sum:
        """All ``addends``, each times its factor."""
        parts: dict[int, tuple[Term, int]] = {}
        constant, modulus = 0, 1 << bits
        for addend, times in addends:
            constant += addend.constant * times
            for key, (term, factor) in addend.parts.items():
                held = parts.get(key, (term, 0))[1]
                parts[key] = term, (held + factor * times) % modulus
        kept = {key: part for key, part in parts.items() if part[1]}
        return cls(bits, kept, constant % modulus)

    @property
    def bound(self) -> int:
        """The largest value of the sum of natural numbers; it may not fit the bits."""
        most = sum(upper_bound(term) * factor for term, factor in self.parts.values())
        return most + self.constant

    @property
    def wraps(self) -> bool:
        """Whether it may: else the bit vector is the sum of natural numbers."""
        return self.bound >> self.bits != 0

    @property
    def single(self) -> Term | None:
        """The only part, where it is one, once, and nothing else."""
        if len(self.parts) != 1 or self.constant:
            return None
        term, factor = next(iter(self.parts.values()))
        return term if factor == 1 else None

    def mapped(self, bits: int, change: Callable[[Term], Sum]) -> Sum:
        """The sum, mod 2^``bits``, of the parts as ``change`` makes them."""
        changed = [(change(term), factor) for term, factor in self.parts.values()]
        return Sum.total(bits, [*changed, (Sum(bits, {}, self.constant), 1)])

    def parted(self, shift: int) -> tuple[Sum, Sum]:
        """What is a multiple of 2^``shift`` in every part, and the rest below."""
        whole: dict[int, tuple[Term, int]] = {}
        rest: dict[int, tuple[Term, int]] = {}
        for key, (term, factor) in self.parts.items():
            zeros = low_zeros(term) + (factor & -factor).bit_length() - 1
            (whole if zeros >= shift else rest)[key] = term, factor
        below = self.constant & ((1 << shift) - 1)
        above = self.constant - below
        return Sum(self.bits, whole, above), Sum(self.bits, rest, below)

    def term(self) -> Term:
        """The sum as a term."""
        found = None
        for _, (term, factor) in sorted(self.parts.items()):
            if factor == (1 << self.bits) - 1:
                found = -term if found is None else found - term
                continue
            part = _times(term, factor)
            found = part if found is None else found + part
        if found is None:
            return z3.BitVecVal(self.constant, self.bits)
        return found + self.constant if self.constant else found


def _times(term: Term, factor: int) -> Term:
    if factor & (factor - 1):
        return term * factor
    return term << (factor.bit_length() - 1) if factor > 1 else term


def without_common(a: Sum, b: Sum) -> tuple[Sum, Sum]:
    """``a`` and ``b`` less what both have, as natural numbers."""
    both = min(a.constant, b.constant)
    mine, theirs = dict(a.parts), dict(b.parts)
    for key in mine.keys() & theirs.keys():
        (term, one), (_, two) = mine[key], theirs[key]
        shared = min(one, two)
        mine[key], theirs[key] = (term, one - shared), (term, two - shared)
    left, right = (
        {key: part for key, part in parts.items() if part[1]}
        for parts in (mine, theirs)
    )
    return (
        Sum(a.bits, left, a.constant - both),
        Sum(b.bits, right, b.constant - both),
    )
