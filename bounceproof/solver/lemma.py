# SPDX-License-Identifier: GPL-2.0-only
"""Lemmas: obligations that a solver has to refute the contrary of."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from bounceproof.models.word import TRUE, CType, Truth, Word
from bounceproof.solver.engine import Query, Status, ask
from bounceproof.solver.minimum import Point, minimise
from bounceproof.solver.terms import identical, variable
from bounceproof.solver.verdict import Verdict


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


def prove(lemma: Lemma, seconds: float) -> Proof:
    """Ask every obligation, and whether what it assumes is possible at all."""
    started = monotonic()
    if lemma.missing is not None:
        return Proof(lemma, Verdict.UNKNOWN, None, None, lemma.missing, 0.0)
    for due in lemma.obligations:
        name = f"{lemma.name}: {due.name}"
        domain = ask(Query(f"{name}: assumed", due.assumed), seconds)
        answer = ask(Query(name, due.assumed & ~due.shown), seconds)
        verdict, case, reason = Verdict.HOLDS, None, domain.reason or answer.reason
        if answer.status is Status.SAT:
            verdict, reason = Verdict.BROKEN, None
            assert answer.model is not None
            contrary = due.assumed & ~due.shown
            found = minimise(name, contrary, due.fields, answer.model, seconds)
            case = found.point
        elif domain.status is Status.UNSAT:
            verdict, reason = Verdict.UNKNOWN, f"{name}: what is assumed is impossible"
        elif Status.UNKNOWN in (domain.status, answer.status):
            verdict = Verdict.UNKNOWN
        if verdict is not Verdict.HOLDS:
            took = monotonic() - started
            return Proof(lemma, verdict, due.name, case, reason, took)
    return Proof(lemma, Verdict.HOLDS, None, None, None, monotonic() - started)
