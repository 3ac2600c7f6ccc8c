# SPDX-License-Identifier: GPL-2.0-only
"""Upper bounds of bit vectors, read off how they are built.

They decide comparisons with constants that need no solver, so that code which tests
for an error that cannot be is not followed down both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from bounceproof.solver.smt.parts import bits_of, is_number, key_of, kind_of, parts_of

Term = Any
_MOST_KEPT = 50_000
_known: dict[int, tuple[Term, int]] = {}


def upper_bound(term: Term) -> int:
    """The largest unsigned value that ``term`` may have, or a larger number."""
    held = _known.get(key_of(term))
    if held is not None:
        return held[1]
    if len(_known) >= _MOST_KEPT:
        _known.clear()
    todo = [term]
    while todo:
        part = todo[-1]
        rule = _RULES.get(kind_of(part))
        below = () if rule is None else parts_of(part)
        open_ = [p for p in below if bits_of(p) and key_of(p) not in _known]
        if open_:
            todo.extend(open_)
            continue
        top: int = (1 << bits_of(part)) - 1
        bound = top if rule is None else min(top, rule(part, top))
        _known[key_of(todo.pop())] = part, bound
    return _known[key_of(term)][1]


def _numeral(term: Term, top: int) -> int:
    return int(term.as_long())


def _inner(term: Term, top: int) -> int:
    return upper_bound(parts_of(term)[0])


def _sign_extended(term: Term, top: int) -> int:
    inner = parts_of(term)[0]
    negative: bool = upper_bound(inner) >> (bits_of(inner) - 1) != 0
    return top if negative else upper_bound(inner)


def _concatenated(term: Term, top: int) -> int:
    bound = 0
    for part in parts_of(term):
        bound = (bound << bits_of(part)) + upper_bound(part)
    return bound


def _extracted(term: Term, top: int) -> int:
    low: int = term.params()[1]
    return upper_bound(parts_of(term)[0]) >> low


def _sum(term: Term, top: int) -> int:
    """Above ``top`` it may wrap, and is anything."""
    return sum(upper_bound(part) for part in parts_of(term))


def _product(term: Term, top: int) -> int:
    bound = 1
    for part in parts_of(term):
        bound *= upper_bound(part)
    return bound


def _conjunction(term: Term, top: int) -> int:
    return min(upper_bound(part) for part in parts_of(term))


def _disjunction(term: Term, top: int) -> int:
    widest = max(upper_bound(part) for part in parts_of(term))
    return (1 << widest.bit_length()) - 1


def _chosen(term: Term, top: int) -> int:
    return max(upper_bound(parts_of(term)[1]), upper_bound(parts_of(term)[2]))


def _shifted_left(term: Term, top: int) -> int:
    if not is_number(parts_of(term)[1]):
        return top
    shift: int = min(parts_of(term)[1].as_long(), bits_of(term))
    return upper_bound(parts_of(term)[0]) << shift


def _shifted_right(term: Term, top: int) -> int:
    if not is_number(parts_of(term)[1]):
        return upper_bound(parts_of(term)[0])
    shift: int = min(parts_of(term)[1].as_long(), bits_of(term))
    return upper_bound(parts_of(term)[0]) >> shift


_RULES: dict[int, Callable[[Term, int], int]] = {
    z3.Z3_OP_BNUM: _numeral,
    z3.Z3_OP_ZERO_EXT: _inner,
    z3.Z3_OP_SIGN_EXT: _sign_extended,
    z3.Z3_OP_CONCAT: _concatenated,
    z3.Z3_OP_EXTRACT: _extracted,
    z3.Z3_OP_BADD: _sum,
    z3.Z3_OP_BMUL: _product,
    z3.Z3_OP_BAND: _conjunction,
    z3.Z3_OP_BOR: _disjunction,
    z3.Z3_OP_BXOR: _disjunction,
    z3.Z3_OP_ITE: _chosen,
    z3.Z3_OP_BSHL: _shifted_left,
    z3.Z3_OP_BLSHR: _shifted_right,
}


def decided_less(a: Term, b: Term, bits: int, signed: bool) -> bool | None:
    """``a < b`` where the bounds decide it, else None."""
    if not is_number(a) and not is_number(b):
        return None
    most = upper_bound(a), upper_bound(b)
    if signed and max(most) >= 1 << (bits - 1):
        return None
    if is_number(b) and most[0] < most[1]:
        return True
    if is_number(a) and most[0] >= most[1]:
        return False
    return False if most[1] == 0 else None


def decided_equal(a: Term, b: Term) -> bool | None:
    """``a == b`` where the bounds decide it, else None."""
    for one, two in ((a, b), (b, a)):
        if is_number(two) and upper_bound(one) < two.as_long():
            return False
    return None


def low_zeros(term: Term) -> int:
    """Low bits of ``term`` that are 0 whatever its value."""
    kind, bits = kind_of(term), bits_of(term)
    if is_number(term):
        value = int(term.as_long())
        return bits if value == 0 else (value & -value).bit_length() - 1
    if kind == z3.Z3_OP_CONCAT:
        last = parts_of(term)[-1]
        below = low_zeros(last)
        rest = parts_of(term)[:-1]
        return below + low_zeros(rest[-1]) if below == bits_of(last) else below
    if kind == z3.Z3_OP_BMUL:
        return min(bits, sum(low_zeros(part) for part in parts_of(term)))
    if kind == z3.Z3_OP_BAND:
        return max(low_zeros(part) for part in parts_of(term))
    if kind == z3.Z3_OP_ZERO_EXT:
        return low_zeros(parts_of(term)[0])
    if kind == z3.Z3_OP_BSHL and is_number(parts_of(term)[1]):
        return min(bits, int(parts_of(term)[1].as_long()))
    return 0


def split_shift(term: Term, shift: Term) -> Term | None:
    """``term >> shift``, unsigned, with the addends apart that lose no bit by it.

    None where ``term`` is no such sum, or may wrap.
    """
    if not is_number(shift):
        return None
    sum_ = z3.simplify(term)
    if kind_of(sum_) != z3.Z3_OP_BADD or _sum(sum_, 0) >> bits_of(sum_):
        return None
    count = int(shift.as_long())
    whole = [part for part in parts_of(sum_) if low_zeros(part) >= count]
    rest = [part for part in parts_of(sum_) if low_zeros(part) < count]
    if not whole or not count:
        return None
    shifted = [z3.LShR(part, shift) for part in whole]
    if rest:
        shifted.append(z3.LShR(_added(rest), shift))
    return _added(shifted)


def _added(parts: list[Term]) -> Term:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
