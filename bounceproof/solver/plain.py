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

from bounceproof.solver.bounds import upper_bound
from bounceproof.solver.sums import Sum, without_common

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
        core, truth = (one.arg(0), False) if z3.is_not(one) else (one, True)
        facts[core.get_id()] = core, z3.BoolVal(truth)
    plainer = _Plain(facts)
    return _and([plainer.conjunct(one) for one in conjuncts])


def _conjuncts(term: Term) -> Iterator[Term]:
    rest = [term]
    while rest:
        one = rest.pop()
        if z3.is_and(one):
            rest += reversed(one.children())
        elif not z3.is_true(one):
            yield one


class _Plain:
    """Terms made plainer, each once; ``facts`` are terms with their known truth."""

    def __init__(self, facts: dict[int, tuple[Term, Term]]) -> None:
        self._facts = facts
        self._made: dict[int, tuple[Term, Term]] = {}
        self._sums: dict[int, tuple[Term, Sum]] = {}

    def conjunct(self, term: Term) -> Term:
        """One of the facts itself: only below its top the others may stand in."""
        core = term.arg(0) if z3.is_not(term) else term
        for part in core.children():
            self._prepare(part)
        made = self._truth(core)
        return _not(made) if z3.is_not(term) else made

    def _prepare(self, term: Term) -> None:
        """Make what ``term`` is built of first, so that nothing goes deep."""
        rest = [(term, False)]
        while rest:
            one, ready = rest.pop()
            if ready:
                self._plain(one)
            elif one.get_id() not in self._made:
                rest.append((one, True))
                rest += [(part, False) for part in one.children()]

    def _plain(self, term: Term) -> Term:
        held = self._made.get(term.get_id())
        if held is not None:
            return held[1]
        if term.get_id() in self._facts:
            made = self._facts[term.get_id()][1]
        elif z3.is_bv(term):
            made = self._sum(term).term()
        else:
            made = self._truth(term)
        self._made[term.get_id()] = term, made
        return made

    # Truths.

    def _truth(self, term: Term) -> Term:
        kind = term.decl().kind()
        if kind in _LESS:
            return self._compared(term, *_LESS[kind])
        if kind == z3.Z3_OP_EQ and z3.is_bv(term.arg(0)):
            return self._equal(term)
        kids = [self._plain(part) for part in term.children()]
        rule = _TRUTHS.get(kind)
        return rule(kids) if rule else _rebuilt(term, kids)

    def _compared(self, term: Term, signed: bool, swapped: bool, strict: bool) -> Term:
        sums = [self._sum(part) for part in term.children()]
        room = 1 << (sums[0].bits - signed)
        if max(one.bound for one in sums) >= room:
            return _rebuilt(term, [one.term() for one in sums])
        a, b = without_common(*(reversed(sums) if swapped else sums))
        if a.bound + strict <= b.constant:
            return z3.BoolVal(True)
        if a.constant + strict > b.bound:
            return z3.BoolVal(False)
        less = z3.ULT if strict else z3.ULE
        return less(a.term(), b.term())

    def _equal(self, term: Term) -> Term:
        a, b = (self._sum(part) for part in term.children())
        unlike = Sum.total(a.bits, [(a, 1), (b, -1)])
        if not unlike.parts:
            return z3.BoolVal(unlike.constant == 0)
        return _rebuilt(term, [a.term(), b.term()])

    # Words.

    def _sum(self, term: Term) -> Sum:
        held = self._sums.get(term.get_id())
        if held is None:
            rule = _SUMS.get(term.decl().kind())
            made = rule(self, term) if rule else None
            held = term, self._other(term) if made is None else made
            self._sums[term.get_id()] = held
        return held[1]

    def _other(self, term: Term) -> Sum:
        kids = [self._plain(part) for part in term.children()]
        return Sum.of(_rebuilt(term, kids) if kids else term)

    def _added(self, term: Term) -> Sum:
        return Sum.total(term.size(), [(self._sum(x), 1) for x in term.children()])

    def _subtracted(self, term: Term) -> Sum:
        first, *others = (self._sum(part) for part in term.children())
        return Sum.total(term.size(), [(first, 1), *((one, -1) for one in others)])

    def _negated(self, term: Term) -> Sum:
        return Sum.total(term.size(), [(self._sum(term.arg(0)), -1)])

    def _multiplied(self, term: Term) -> Sum | None:
        factors = [self._sum(part) for part in term.children()]
        times = [one.constant for one in factors if not one.parts]
        if len(times) != len(factors) - 1:
            return None
        other = next(one for one in factors if one.parts)
        return Sum.total(term.size(), [(other, reduce(lambda a, b: a * b, times))])

    def _shifted_left(self, term: Term) -> Sum | None:
        count = self._sum(term.arg(1))
        if count.parts:
            return None
        times = 1 << min(count.constant, term.size())
        return Sum.total(term.size(), [(self._sum(term.arg(0)), times)])

    def _shifted_right(self, term: Term) -> Sum | None:
        count = self._sum(term.arg(1))
        return None if count.parts else self._shifted(term.arg(0), count.constant)

    def _divided(self, term: Term) -> Sum | None:
        by = self._sum(term.arg(1))
        if by.parts or by.constant.bit_count() != 1:
            return None
        return self._shifted(term.arg(0), by.constant.bit_length() - 1)

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
        value, more = self._sum(term.arg(0)), term.size() - term.arg(0).size()
        signed = term.decl().kind() == z3.Z3_OP_SIGN_EXT
        if value.bound >= 1 << (value.bits - signed):
            return None
        return value.mapped(term.size(), lambda part: self._wide(part, more))

    def _wide(self, term: Term, more: int) -> Sum:
        """``term``, widened by ``more`` zeros."""
        kind, bits = term.decl().kind(), term.size() + more
        if kind == z3.Z3_OP_ZERO_EXT:
            inner = term.arg(0)
            return Sum.of(z3.ZeroExt(bits - inner.size(), inner))
        if kind == z3.Z3_OP_EXTRACT and term.params()[1] == 0:
            whole = term.arg(0)
            if whole.size() == bits and upper_bound(whole) >> term.size() == 0:
                return self._sum(whole)
        return Sum.of(z3.ZeroExt(more, term) if more else term)

    def _extracted(self, term: Term) -> Sum | None:
        high, low = term.params()
        if low:
            return None
        value = self._sum(term.arg(0))
        return value.mapped(high + 1, lambda part: self._narrow(part, high + 1))

    def _narrow(self, term: Term, bits: int) -> Sum:
        """The low ``bits`` of ``term``."""
        if term.size() == bits:
            return self._sum(term)
        kind = term.decl().kind()
        if kind in (z3.Z3_OP_ZERO_EXT, z3.Z3_OP_SIGN_EXT):
            inner = term.arg(0)
            if inner.size() >= bits:
                return self._narrow(inner, bits)
            extend = z3.ZeroExt if kind == z3.Z3_OP_ZERO_EXT else z3.SignExt
            return Sum.of(extend(bits - inner.size(), inner))
        return Sum.of(z3.Extract(bits - 1, 0, term))

    def _masked(self, term: Term) -> Sum | None:
        sums = [self._sum(part) for part in term.children()]
        masks = [one.constant for one in sums if not one.parts]
        rest = [one for one in sums if one.parts]
        if not masks or len(rest) > 1:
            return None
        mask = reduce(lambda a, b: a & b, masks)
        return _under(rest[0], mask) if rest else Sum(term.size(), {}, mask)

    def _chosen(self, term: Term) -> Sum | None:
        condition = self._plain(term.arg(0))
        if z3.is_true(condition):
            return self._sum(term.arg(1))
        return self._sum(term.arg(2)) if z3.is_false(condition) else None


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
    if single is not None and single.decl().kind() == z3.Z3_OP_BAND:
        inner, *other = single.children()
        if len(other) == 1 and z3.is_bv_value(other[0]):
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
    if z3.is_true(term) or z3.is_false(term):
        return z3.BoolVal(z3.is_false(term))
    return term.arg(0) if z3.is_not(term) else z3.Not(term)


def _and(kids: list[Term]) -> Term:
    return _joined(kids, True, z3.And)


def _or(kids: list[Term]) -> Term:
    return _joined(kids, False, z3.Or)


def _joined(kids: list[Term], neutral: bool, join: Callable[..., Term]) -> Term:
    """``kids`` without repetition and what is ``neutral``; a term and its opposite, or
    the other truth, decide."""
    kept = {x.get_id(): x for x in kids if not z3.eq(x, z3.BoolVal(neutral))}
    opposite = any(z3.is_not(x) and x.arg(0).get_id() in kept for x in kept.values())
    if opposite or any(z3.eq(x, z3.BoolVal(not neutral)) for x in kept.values()):
        return z3.BoolVal(not neutral)
    found = list(kept.values())
    if not found:
        return z3.BoolVal(neutral)
    return join(found) if len(found) > 1 else found[0]


def _choose(kids: list[Term]) -> Term:
    condition, yes, no = kids
    if z3.is_true(condition) or z3.is_false(condition):
        return yes if z3.is_true(condition) else no
    return z3.If(condition, yes, no)


_TRUTHS: dict[int, Callable[[list[Term]], Term]] = {
    z3.Z3_OP_AND: _and,
    z3.Z3_OP_OR: _or,
    z3.Z3_OP_NOT: lambda kids: _not(kids[0]),
    z3.Z3_OP_ITE: _choose,
}


def _rebuilt(term: Term, kids: list[Term]) -> Term:
    """``term`` with other operands, a number where all of them are."""
    make = term.decl()
    if term.decl().kind() == z3.Z3_OP_CONCAT:
        made = z3.Concat(*kids)
    elif not kids or len(kids) == make.arity():
        made = make(*kids)
    else:
        made = reduce(make, kids)
    known = (z3.is_bv_value(x) or z3.is_true(x) or z3.is_false(x) for x in kids)
    return z3.simplify(made) if all(known) else made
