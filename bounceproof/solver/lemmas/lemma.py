# SPDX-License-Identifier: GPL-2.0-only
"""Lemmas: obligations that a solver has to refute the contrary of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

from bounceproof.models.words.word import TRUE, CType, Truth, Word
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point, minimise
from bounceproof.solver.smt.terms import identical, variable


@dataclass(frozen=True, slots=True)
class Obligation:
    """``shown`` follows from ``assumed``; ``fields`` describe a case where not."""

    name: str
    assumed: Truth
    shown: Truth
    fields: dict[str, Word]


@dataclass(frozen=True, slots=True)
class Lemma:
    """A statement in words, and the obligations that make it up.

    ``missing``: why there is no proof to ask for, where there is none.
    """

    name: str
    text: str
    obligations: tuple[Obligation, ...]
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of a lemma.

    Broken where an obligation is: ``failed`` is its name and ``case`` the smallest case
    where what is assumed holds and what is to be shown does not.
    """

    lemma: Lemma
    verdict: Verdict
    failed: str | None
    case: Point | None
    reason: str | None
    seconds: float


class Entries:
    """An array of ``ctype``, of which nothing is known but what is assumed.

    ``bits``: every element that is read is below 2^bits.
    """

    def __init__(self, name: str, ctype: CType, bits: int) -> None:
        self.name = name
        self.ctype = ctype
        self.bits = bits
        self._read: list[tuple[Word, Word]] = []

    def at(self, index: Word) -> Word:
        """The element at ``index``; places written alike are read once."""
        for known, value in self._read:
            if identical(known, index):
                return value
        narrow = CType(self.bits, False)
        value = variable(f"{self.name}[{len(self._read)}]", narrow).cast(self.ctype)
        self._read.append((index, value))
        return value

    def consistent(self) -> Truth:
        """Places that turn out equal have equal values, among those read so far."""
        truth = TRUE
        for number, (index, value) in enumerate(self._read):
            for other, same in self._read[:number]:
                truth = truth & (index.ne(other) | value.eq(same))
        return truth


def owed(
    name: str, assumed: Truth, shown: Truth, fields: dict[str, Word], *read: Entries
) -> Obligation:
    """An obligation about arrays; what was read of them to state it is consistent."""
    for entries in read:
        assumed = assumed & entries.consistent()
    return Obligation(name, assumed, shown, fields)


def alike(a: Truth, b: Truth) -> Truth:
    """Both or neither."""
    return (a & b) | (~a & ~b)


def prove(lemma: Lemma, seconds: float) -> Proof:
    """Ask every obligation, and whether what it assumes is possible at all.

    One that is broken outweighs those without an answer.
    """
    started = monotonic()
    found = Proof(lemma, Verdict.HOLDS, None, None, None, 0.0)
    if lemma.missing is not None:
        found = replace(found, verdict=Verdict.UNKNOWN, reason=lemma.missing)
    for due in lemma.obligations:
        asked = _asked(lemma, due, seconds)
        if found.verdict is Verdict.HOLDS or asked.verdict is Verdict.BROKEN:
            found = asked
        if found.verdict is Verdict.BROKEN:
            break
    return replace(found, seconds=monotonic() - started)


def _asked(lemma: Lemma, due: Obligation, seconds: float) -> Proof:
    name, contrary = f"{lemma.name}: {due.name}", due.assumed & ~due.shown
    answer = ask(Query(name, contrary), seconds)
    if answer.model is not None:
        point = minimise(name, contrary, due.fields, answer.model, seconds).point
        return Proof(lemma, Verdict.BROKEN, due.name, point, None, 0.0)
    domain = ask(Query(f"{name}: assumed", due.assumed), seconds)
    reason = answer.reason or domain.reason
    if domain.status is Status.UNSAT:
        reason = f"{name}: what is assumed is impossible"
    if reason is not None:
        return Proof(lemma, Verdict.UNKNOWN, due.name, None, reason, 0.0)
    return Proof(lemma, Verdict.HOLDS, None, None, None, 0.0)
