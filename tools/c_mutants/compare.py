# SPDX-License-Identifier: GPL-2.0-only
"""Compiled code against bounceproof, property by property of a mutant's cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tools.c_mutants.ask import Answer
from tools.c_mutants.truth import Truth


class Outcome(StrEnum):
    """How an answer stands beside what the compiled code shows."""

    BOTH_BROKEN = "broken, and so it is"
    BOTH_HOLD = "holds, nothing seen"
    FALSE_HOLDS = "holds, but broken"
    FALSE_BROKEN = "broken, but not shown"
    DEBATABLE = "holds, debatable"
    UNANSWERED = "no answer"
    ERROR = "an error of ours"


@dataclass(frozen=True, slots=True)
class Row:
    """One property of one mutant in one cell; ``changed`` where the unchanged tree's
    compiled code shows something else."""

    tree: str
    number: int
    kind: str
    function: str
    where: str
    prop: str
    outcome: Outcome
    changed: bool


def outcome(prop: str, truth: Truth, answer: Answer, confirmed: bool) -> Outcome:
    """How ``answer`` stands; ``confirmed`` where its counterexample breaks ``prop`` in
    compiled code though no sweep came by it."""
    verdict = answer.verdicts[prop]
    if verdict == "unknown":
        return Outcome.UNANSWERED
    if verdict == "holds":
        if truth.sure(prop):
            return Outcome.FALSE_HOLDS
        return Outcome.DEBATABLE if truth.doubtful(prop) else Outcome.BOTH_HOLD
    if verdict != "broken":
        return Outcome.ERROR
    seen = truth.sure(prop) or truth.doubtful(prop) or confirmed
    return Outcome.BOTH_BROKEN if seen else Outcome.FALSE_BROKEN


def bad(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that must not be."""
    wrong = (Outcome.FALSE_HOLDS, Outcome.FALSE_BROKEN, Outcome.ERROR)
    return (row for row in rows if row.outcome in wrong)
