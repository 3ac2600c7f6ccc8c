# SPDX-License-Identifier: GPL-2.0-only
"""Terms as straight lines of code over unsigned numbers, to be run many times."""

from __future__ import annotations

from typing import Any

import z3

Term = Any
_PLAIN = {
    z3.Z3_OP_BADD: "+",
    z3.Z3_OP_BSUB: "-",
    z3.Z3_OP_BMUL: "*",
    z3.Z3_OP_BAND: "&",
    z3.Z3_OP_BOR: "|",
    z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_AND: " and ",
    z3.Z3_OP_OR: " or ",
}
_LESS = {
    z3.Z3_OP_ULT: (0, 1, False),
    z3.Z3_OP_UGT: (1, 0, False),
    z3.Z3_OP_ULEQ: (1, 0, True),
    z3.Z3_OP_UGEQ: (0, 1, True),
    z3.Z3_OP_SLT: (0, 1, False),
    z3.Z3_OP_SGT: (1, 0, False),
    z3.Z3_OP_SLEQ: (1, 0, True),
    z3.Z3_OP_SGEQ: (0, 1, True),
}
"""Which side is below the other, and whether that is denied."""
_SIGNED = (z3.Z3_OP_SLT, z3.Z3_OP_SGT, z3.Z3_OP_SLEQ, z3.Z3_OP_SGEQ)
_DIVIDES = {
    z3.Z3_OP_BUDIV: "udiv",
    z3.Z3_OP_BUDIV_I: "udiv",
    z3.Z3_OP_BUREM: "urem",
    z3.Z3_OP_BUREM_I: "urem",
    z3.Z3_OP_BSDIV: "sdiv",
    z3.Z3_OP_BSDIV_I: "sdiv",
    z3.Z3_OP_BSREM: "srem",
    z3.Z3_OP_BSREM_I: "srem",
    z3.Z3_OP_BSHL: "left",
    z3.Z3_OP_BLSHR: "right",
    z3.Z3_OP_BASHR: "down",
}


MOST_LINES = 800
"""More take longer to compile than a hunt may take."""


class NotStraight(Exception):
    """Terms of a kind that no code is written for, or too many."""


class Lines:
    """Lines of code that compute terms, each once; ``U`` makes an unsigned number.

    ``names`` has the code for the variables, ``loads`` the place that a variable is
    loaded from: ``element(place, lists)``.  Terms are kept: a number that names one is
    given to another once it is gone.
    """

    def __init__(self, names: dict[int, str], loads: dict[int, Term]) -> None:
        self._names, self._loads = dict(names), loads
        self._kept: list[Term] = []
        self.code: list[str] = []

    def name(self, term: Term, name: str) -> None:
        """Let ``name`` be the code for a variable."""
        self._kept.append(term)
        self._names[term.get_id()] = name

    def of(self, term: Term) -> str:
        """The name of ``term``'s value; NotStraight."""
        self._kept.append(term)
        stack = [term]
        while stack:
            last = stack[-1]
            key = last.get_id()
            if key in self._names:
                stack.pop()
                continue
            place = self._loads.get(key)
            parts = last.children() if place is None else [place]
            if len(self.code) >= MOST_LINES:
                raise NotStraight(f"more than {MOST_LINES} terms")
            missing = [part for part in parts if part.get_id() not in self._names]
            if missing:
                stack.extend(missing)
                continue
            made = [self._names[part.get_id()] for part in parts]
            text = (
                f"element({made[0]}, lists)" if place is not None else _text(last, made)
            )
            self._names[key] = f"x{len(self.code)}"
            self.code.append(f"{self._names[key]} = {text}")
            stack.pop()
        return self._names[term.get_id()]


def _text(term: Term, parts: list[str]) -> str:
    kind = term.decl().kind()
    if z3.is_bv_value(term):
        return f"U({term.as_long()})"
    if z3.is_true(term) or z3.is_false(term):
        return str(z3.is_true(term))
    if kind in _PLAIN:
        joined = _PLAIN[kind].join(parts)
        if not z3.is_bv(term) or kind in _BITWISE:
            return joined
        return f"({joined}) & {_mask(term.size())}"
    if kind in _LESS:
        return _less(kind, term, parts)
    if kind in _DIVIDES:
        bits = term.size()
        return f"{_DIVIDES[kind]}({', '.join(parts)}, U({bits}), {_mask(bits)})"
    return _shape(kind, term, parts)


_BITWISE = (z3.Z3_OP_BAND, z3.Z3_OP_BOR, z3.Z3_OP_BXOR)


def _less(kind: int, term: Term, parts: list[str]) -> str:
    low, high, denied = _LESS[kind]
    sides = [parts[low], parts[high]]
    if kind in _SIGNED:
        sign = f"U({1 << (term.arg(0).size() - 1)})"
        sides = [f"({side} ^ {sign})" for side in sides]
    text = f"{sides[0]} < {sides[1]}"
    return f"not ({text})" if denied else text


def _shape(kind: int, term: Term, parts: list[str]) -> str:
    """Terms that choose, compare or change the width."""
    if kind == z3.Z3_OP_ITE:
        return f"{parts[1]} if {parts[0]} else {parts[2]}"
    if kind == z3.Z3_OP_EQ:
        return f"{parts[0]} == {parts[1]}"
    if kind == z3.Z3_OP_DISTINCT and len(parts) == 2:
        return f"{parts[0]} != {parts[1]}"
    if kind == z3.Z3_OP_NOT:
        return f"not {parts[0]}"
    if kind == z3.Z3_OP_BNOT:
        return f"{parts[0]} ^ {_mask(term.size())}"
    if kind == z3.Z3_OP_BNEG:
        return f"(U(0) - {parts[0]}) & {_mask(term.size())}"
    if kind == z3.Z3_OP_EXTRACT:
        low = term.params()[1]
        return f"({parts[0]} >> U({low})) & {_mask(term.size())}"
    if kind == z3.Z3_OP_ZERO_EXT:
        return parts[0]
    if kind == z3.Z3_OP_SIGN_EXT:
        old = term.arg(0).size()
        sign = f"U({1 << (old - 1)})"
        return f"(({parts[0]} ^ {sign}) - {sign}) & {_mask(term.size())}"
    if kind == z3.Z3_OP_CONCAT:
        return _joined(term, parts)
    raise NotStraight(f"a term {term.decl().name()}")


def _joined(term: Term, parts: list[str]) -> str:
    text, below = [], 0
    for part, name in zip(reversed(term.children()), reversed(parts), strict=True):
        text.append(f"({name} << U({below}))")
        below += part.size()
    return " | ".join(text)


def _mask(bits: int) -> str:
    return f"U({(1 << bits) - 1})"
