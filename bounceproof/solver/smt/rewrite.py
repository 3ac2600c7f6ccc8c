# SPDX-License-Identifier: GPL-2.0-only
"""A question in plainer words: the same truth, with less for a solver to find out.

Code that is followed step by step goes from addresses to slots and back.  What it adds
it subtracts again, what it widens it narrows; a solver that has only bits to look at
must find that out anew.  Here it is read off the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import z3

from bounceproof.solver.smt.bounds import upper_bound
from bounceproof.solver.smt.linear import Sum, without_common
from bounceproof.solver.smt.parts import (
    bits_of,
    is_false,
    is_not,
    is_number,
    is_true,
    key_of,
    kind_of,
    parts_of,
    same,
)

Term = Any
_LESS = {
    z3.Z3_OP_ULT: (False, False, True),
    z3.Z3_OP_UGT: (False, True, True),
    z3.Z3_OP_ULEQ: (False, False, False),
    z3.Z3_OP_UGEQ: (False, True, False),
    z3.Z3_OP_SLT: (True, False, True),
    z3.Z3_OP_SGT: (True, True, True),
    z3.Z3_OP_SLEQ: (True, False, False),
    z3.Z3_OP_SGEQ: (True, True, False),
}
"""Comparisons: whether signed, of swapped sides, and strict."""
_ROUNDS = 4
"""What one round makes plain may be a fact for the next."""


def plain(question: z3.BoolRef) -> z3.BoolRef:
    """A formula that is true wherever ``question`` is, and nowhere else."""
    for _ in range(_ROUNDS):
        plainer = _plainer(question)
        if plainer.eq(question):
            break
        question = plainer
    return question


def _plainer(question: z3.BoolRef) -> z3.BoolRef:
    """``question`` with its conjuncts as facts for each other."""
    conjuncts = list(_conjuncts(question))
    facts = {}
    for one in conjuncts:
        core, truth = (parts_of(one)[0], False) if is_not(one) else (one, True)
        facts[key_of(core)] = core, z3.BoolVal(truth)
    plainer = _Plain(facts)
    return _and([plainer.conjunct(one) for one in conjuncts])


def _conjuncts(term: Term) -> Iterator[Term]:
    rest = [term]
    while rest:
        one = rest.pop()
        if kind_of(one) == z3.Z3_OP_AND:
            rest += reversed(parts_of(one))
        elif not is_true(one):
            yield one


class _Plain:
    """Terms made plainer, each once; ``facts`` are terms with their known truth."""

    def __init__(self, facts: dict[int, tuple[Term, Term]]) -> None:
        self._facts = facts
        self._made: dict[int, tuple[Term, Term]] = {}
        self._sums: dict[int, tuple[Term, Sum]] = {}

    def conjunct(self, term: Term) -> Term:
        """One of the facts itself: only below its top the others may stand in."""
        core = parts_of(term)[0] if is_not(term) else term
        for part in parts_of(core):
            self._prepare(part)
        made = self._truth(core)
        return _not(made) if is_not(term) else made

    def _prepare(self, term: Term) -> None:
        """Make what ``term`` is built of first, so that nothing goes deep."""
        rest = [(term, False)]
        while rest:
            one, ready = rest.pop()
            if ready:
                self._plain(one)
            elif key_of(one) not in self._made:
                rest.append((one, True))
                rest += [(part, False) for part in parts_of(one)]

    def _plain(self, term: Term) -> Term:
        held = self._made.get(key_of(term))
        if held is not None:
            return held[1]
        if key_of(term) in self._facts:
            made = self._facts[key_of(term)][1]
        elif bits_of(term):
            made = self._sum(term).term()
        else:
            made = self._truth(term)
        self._made[key_of(term)] = term, made
        return made

    # Truths.

    def _truth(self, term: Term) -> Term:
        kind = kind_of(term)
        if kind in _LESS:
            return self._compared(term, *_LESS[kind])
        if kind == z3.Z3_OP_EQ and bits_of(parts_of(term)[0]):
            return self._equal(term)
        kids = [self._plain(part) for part in parts_of(term)]
        rule = _TRUTHS.get(kind)
        return rule(kids) if rule else _rebuilt(term, kids)

    def _compared(self, term: Term, signed: bool, swapped: bool, strict: bool) -> Term:
        sums = [self._sum(part) for part in parts_of(term)]
        room = 1 << (sums[0].bits - signed)
        if max(one.bound for one in sums) >= room:
            return _rebuilt(term, [self._plain(part) for part in parts_of(term)])
        a, b = without_common(*(reversed(sums) if swapped else sums))
        if a.bound + strict <= b.constant:
            return z3.BoolVal(True)
        if a.constant + strict > b.bound:
            return z3.BoolVal(False)
        less = z3.ULT if strict else z3.ULE
        return less(a.term(), b.term())

    def _equal(self, term: Term) -> Term:
        a, b = (self._sum(part) for part in parts_of(term))
        unlike = Sum.total(a.bits, [(a, 1), (b, -1)])
        if not unlike.parts:
            return z3.BoolVal(unlike.constant == 0)
        return _rebuilt(term, [self._plain(part) for part in parts_of(term)])

    # Words.

    def _sum(self, term: Term) -> Sum:
        held = self._sums.get(key_of(term))
        if held is None:
            for part in parts_of(term):
                self._prepare(part)
            rule = _SUMS.get(kind_of(term))
            made = rule(self, term) if rule else None
            held = term, self._other(term) if made is None else made
            self._sums[key_of(term)] = held
        return held[1]

    def _other(self, term: Term) -> Sum:
        kids = [self._plain(part) for part in parts_of(term)]
        return Sum.of(_rebuilt(term, kids) if kids else term)

    def _added(self, term: Term) -> Sum:
        return Sum.total(bits_of(term), [(self._sum(x), 1) for x in parts_of(term)])

    def _subtracted(self, term: Term) -> Sum:
        first, *others = (self._sum(part) for part in parts_of(term))
        return Sum.total(bits_of(term), [(first, 1), *((one, -1) for one in others)])

    def _negated(self, term: Term) -> Sum:
        return Sum.total(bits_of(term), [(self._sum(parts_of(term)[0]), -1)])

    def _multiplied(self, term: Term) -> Sum | None:
        factors = [self._sum(part) for part in parts_of(term)]
        times = [one.constant for one in factors if not one.parts]
        if len(times) != len(factors) - 1:
            return None
        other = next(one for one in factors if one.parts)
        return Sum.total(bits_of(term), [(other, reduce(lambda a, b: a * b, times))])

    def _shifted_left(self, term: Term) -> Sum | None:
        count = self._sum(parts_of(term)[1])
        if count.parts:
            return None
        times = 1 << min(count.constant, bits_of(term))
        return Sum.total(bits_of(term), [(self._sum(parts_of(term)[0]), times)])

    def _shifted_right(self, term: Term) -> Sum | None:
        count = self._sum(parts_of(term)[1])
        return None if count.parts else self._shifted(parts_of(term)[0], count.constant)

    def _divided(self, term: Term) -> Sum | None:
        by = self._sum(parts_of(term)[1])
        if by.parts or by.constant.bit_count() != 1:
            return None
        return self._shifted(parts_of(term)[0], by.constant.bit_length() - 1)

    def _shifted(self, term: Term, count: int) -> Sum:
        """``term`` >> ``count``: where it cannot wrap, whole parts come out apart."""
        value = self._sum(term)
        if value.bound >> count == 0:
            return Sum(value.bits, {})
        if value.wraps or not count:
            return Sum.of(z3.LShR(value.term(), count)) if count else value
        whole, rest = value.parted(count)
        shifted = [(_halved(x, f, count)) for x, f in whole.parts.values()]
        below = Sum(value.bits, {})
        if rest.bound >> count:
            below = Sum.of(z3.LShR(rest.term(), count))
        above = Sum(value.bits, {}, whole.constant >> count)
        return Sum.total(value.bits, [*shifted, (below, 1), (above, 1)])

    def _widened(self, term: Term) -> Sum | None:
        """Zero or sign extension: where it cannot wrap, part by part."""
        value, more = (
            self._sum(parts_of(term)[0]),
            bits_of(term) - parts_of(term)[0].size(),
        )
        signed = kind_of(term) == z3.Z3_OP_SIGN_EXT
        if value.bound >= 1 << (value.bits - signed):
            return None
        return value.mapped(bits_of(term), lambda part: self._wide(part, more))

    def _wide(self, term: Term, more: int) -> Sum:
        """``term``, widened by ``more`` zeros."""
        kind, bits = kind_of(term), bits_of(term) + more
        if kind == z3.Z3_OP_ZERO_EXT:
            inner = parts_of(term)[0]
            return Sum.of(z3.ZeroExt(bits - bits_of(inner), inner))
        if kind == z3.Z3_OP_EXTRACT and term.params()[1] == 0:
            whole = parts_of(term)[0]
            if bits_of(whole) == bits and upper_bound(whole) >> bits_of(term) == 0:
                return self._sum(whole)
        return Sum.of(z3.ZeroExt(more, term) if more else term)

    def _extracted(self, term: Term) -> Sum | None:
        high, low = term.params()
        if low:
            return None
        value = self._sum(parts_of(term)[0])
        return value.mapped(high + 1, lambda part: self._narrow(part, high + 1))

    def _narrow(self, term: Term, bits: int) -> Sum:
        """The low ``bits`` of ``term``."""
        if bits_of(term) == bits:
            return self._sum(term)
        kind = kind_of(term)
        if kind in (z3.Z3_OP_ZERO_EXT, z3.Z3_OP_SIGN_EXT):
            inner = parts_of(term)[0]
            if bits_of(inner) >= bits:
                return self._narrow(inner, bits)
            extend = z3.ZeroExt if kind == z3.Z3_OP_ZERO_EXT else z3.SignExt
            return Sum.of(extend(bits - bits_of(inner), inner))
        return Sum.of(z3.Extract(bits - 1, 0, term))

    def _masked(self, term: Term) -> Sum | None:
        sums = [self._sum(part) for part in parts_of(term)]
        masks = [one.constant for one in sums if not one.parts]
        rest = [one for one in sums if one.parts]
        if not masks or len(rest) > 1:
            return None
        mask = reduce(lambda a, b: a & b, masks)
        return _under(rest[0], mask) if rest else Sum(bits_of(term), {}, mask)

    def _chosen(self, term: Term) -> Sum | None:
        condition = self._plain(parts_of(term)[0])
        if is_true(condition):
            return self._sum(parts_of(term)[1])
        return self._sum(parts_of(term)[2]) if is_false(condition) else None


def _halved(term: Term, factor: int, count: int) -> tuple[Sum, int]:
    """``term`` * ``factor`` >> ``count``, where no bit is lost, with its factor."""
    times = min(count, (factor & -factor).bit_length() - 1)
    rest = count - times
    return Sum.of(z3.LShR(term, rest) if rest else term), factor >> times


def _under(value: Sum, mask: int) -> Sum:
    """``value`` & ``mask``: multiples of a power of two above all of it leave."""
    value = value.parted(mask.bit_length())[1]
    if mask & (mask + 1) == 0 and value.bound <= mask:
        return value
    single = value.single
    if single is not None and kind_of(single) == z3.Z3_OP_BAND:
        inner, *other = parts_of(single)
        if len(other) == 1 and is_number(other[0]):
            both = mask & other[0].as_long()
            return Sum.of(inner & z3.BitVecVal(both, value.bits))
    if not value.parts:
        return Sum(value.bits, {}, value.constant & mask)
    return Sum.of(value.term() & z3.BitVecVal(mask, value.bits))


_SUMS: dict[int, Callable[[_Plain, Term], Sum | None]] = {
    z3.Z3_OP_BNUM: lambda plainer, term: Sum.of(term),
    z3.Z3_OP_BADD: _Plain._added,
    z3.Z3_OP_BSUB: _Plain._subtracted,
    z3.Z3_OP_BNEG: _Plain._negated,
    z3.Z3_OP_BMUL: _Plain._multiplied,
    z3.Z3_OP_BSHL: _Plain._shifted_left,
    z3.Z3_OP_BLSHR: _Plain._shifted_right,
    z3.Z3_OP_BUDIV: _Plain._divided,
    z3.Z3_OP_ZERO_EXT: _Plain._widened,
    z3.Z3_OP_SIGN_EXT: _Plain._widened,
    z3.Z3_OP_EXTRACT: _Plain._extracted,
    z3.Z3_OP_BAND: _Plain._masked,
    z3.Z3_OP_ITE: _Plain._chosen,
}


def _not(term: Term) -> Term:
    if is_true(term) or is_false(term):
        return z3.BoolVal(is_false(term))
    return parts_of(term)[0] if is_not(term) else z3.Not(term)


def _and(kids: list[Term]) -> Term:
    return _joined(kids, True, z3.And)


def _or(kids: list[Term]) -> Term:
    return _joined(kids, False, z3.Or)


def _joined(kids: list[Term], neutral: bool, join: Callable[..., Term]) -> Term:
    """``kids`` without repetition and what is ``neutral``; a term and its opposite, or
    the other truth, decide."""
    passed, decides = (is_true, is_false) if neutral else (is_false, is_true)
    kept = {key_of(x): x for x in kids if not passed(x)}
    opposite = any(is_not(x) and key_of(parts_of(x)[0]) in kept for x in kept.values())
    if opposite or any(decides(x) for x in kept.values()):
        return z3.BoolVal(not neutral)
    found = list(kept.values())
    if not found:
        return z3.BoolVal(neutral)
    return join(found) if len(found) > 1 else found[0]


def _choose(kids: list[Term]) -> Term:
    condition, yes, no = kids
    if is_true(condition) or is_false(condition):
        return yes if is_true(condition) else no
    return z3.If(condition, yes, no)


_TRUTHS: dict[int, Callable[[list[Term]], Term]] = {
    z3.Z3_OP_AND: _and,
    z3.Z3_OP_OR: _or,
    z3.Z3_OP_NOT: lambda kids: _not(kids[0]),
    z3.Z3_OP_ITE: _choose,
}


def _rebuilt(term: Term, kids: list[Term]) -> Term:
    """``term`` with other operands, a number where all of them are."""
    known = all(is_number(x) or is_true(x) or is_false(x) for x in kids)
    if not known and all(map(same, kids, parts_of(term))):
        return term
    make = term.decl()
    if kind_of(term) == z3.Z3_OP_CONCAT:
        made = z3.Concat(*kids)
    elif not kids or len(kids) == make.arity():
        made = make(*kids)
    else:
        made = reduce(make, kids)
    return z3.simplify(made) if known else made
