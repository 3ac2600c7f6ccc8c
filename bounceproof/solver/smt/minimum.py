# SPDX-License-Identifier: GPL-2.0-only
"""The smallest model of a formula: field by field, most significant first."""

from __future__ import annotations

from dataclasses import dataclass

import z3

from bounceproof.models.words.word import FALSE, TRUE, Truth, Word
from bounceproof.solver.smt.engine import Answer, Query, Status, answer_of, ask
from bounceproof.solver.smt.terms import formula

Point = dict[str, int]


@dataclass(frozen=True, slots=True)
class Minimum:
    """The smallest ``point``, and whether a query for a smaller one was unsat."""

    point: Point
    proved: bool
    reason: str | None = None


def value_of(model: z3.ModelRef, word: Word) -> int:
    """The number ``word`` has in ``model``."""
    if isinstance(word.raw, int):
        return word.raw
    return int(model.eval(word.raw, model_completion=True).as_long())


def point_of(model: z3.ModelRef, fields: dict[str, Word]) -> Point:
    """The number each field has in ``model``."""
    return {name: value_of(model, word) for name, word in fields.items()}


def smaller(fields: dict[str, Word], point: Point) -> Truth:
    """Lexicographically below ``point``."""
    before, equal = FALSE, TRUE
    for name, word in fields.items():
        bound = Word(point[name], word.ctype)
        before = before | (equal & (word < bound))
        equal = equal & word.eq(bound)
    return before


def _smallest(
    solver: z3.Solver, name: str, word: Word, start: int
) -> tuple[int, Answer | None]:
    """Smallest value of ``word``; an answer only where the solver gave up."""
    low, high = 0, start
    while low < high:
        middle = (low + high) // 2
        within = formula(word <= Word(middle, word.ctype))
        answer = answer_of(solver, f"minimum {name}", within)
        if answer.status is Status.UNKNOWN:
            return high, answer
        if answer.model is None:
            low = middle + 1
        else:
            high = min(middle, value_of(answer.model, word))
    return high, None


def minimise(
    name: str,
    question: Truth,
    fields: dict[str, Word],
    known: z3.ModelRef,
    seconds: float,
) -> Minimum:
    """The lexicographically smallest solution of ``question``, from a known one.

    ``proved`` is false, with a reason, where the solver gave up on the way.
    """
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", max(1, round(seconds * 1000)))
    solver.add(formula(question))
    point = point_of(known, fields)
    for field, word in fields.items():
        if isinstance(word.raw, int):
            continue
        value, trouble = _smallest(solver, field, word, point[field])
        solver.add(formula(word.eq(Word(value, word.ctype))))
        if trouble is not None:
            return Minimum(point, False, trouble.reason)
        answer = answer_of(solver, f"minimum {field}")
        if answer.model is None:
            return Minimum(point, False, answer.reason or f"{field} lost its model")
        point = point_of(answer.model, fields)
    below = ask(Query(f"{name}: smaller", question & smaller(fields, point)), seconds)
    return Minimum(point, below.status is Status.UNSAT, below.reason)
