# SPDX-License-Identifier: GPL-2.0-only
"""The smallest model of a formula: field by field, most significant first."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import z3

from bounceproof.models.words.word import FALSE, TRUE, Truth, Word
from bounceproof.solver.smt.engine import Answer, Query, Status, answer_of, ask
from bounceproof.solver.smt.terms import formula

Point = dict[str, int]
MOST_SECONDS = 15.0
_MOMENT, _MODEST_SECONDS = 1500, 15.0
_SHIFTS = (24, 16, 12, 8, 4, 2, 1)


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
    solver: z3.Solver, name: str, word: Word, start: int, ends: float
) -> tuple[int, Answer | None]:
    """Smallest value of ``word``; an answer only where the solver gave up."""
    low, high = 0, start
    while low < high:
        if monotonic() > ends:
            return high, Answer(Status.UNKNOWN, reason=f"minimum {name}: timeout")
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


def _modest(
    solver: z3.Solver, fields: dict[str, Word], known: z3.ModelRef
) -> z3.ModelRef:
    """A model whose fields are not needlessly large, the least significant first.

    What is not found in a moment is left as it is.
    """
    solver.set("timeout", _MOMENT)
    model, ends = known, monotonic() + _MODEST_SECONDS
    for field, word in reversed(fields.items()):
        value = value_of(model, word)
        for shift in (value.bit_length(), *_SHIFTS):
            if isinstance(word.raw, int) or monotonic() > ends:
                break
            within = formula(word <= Word(value >> shift, word.ctype))
            answer = answer_of(solver, f"a smaller {field}", within)
            if answer.model is not None:
                model = answer.model
                solver.add(within)
                break
    return model


def minimise(
    name: str,
    question: Truth,
    fields: dict[str, Word],
    known: z3.ModelRef,
    seconds: float,
) -> Minimum:
    """The lexicographically smallest solution of ``question``, from a known one.

    ``proved`` is false, with a reason, where the solver gave up on the way, or the
    whole took longer than :data:`MOST_SECONDS`.
    """
    solver = z3.SolverFor("QF_BV")
    solver.add(formula(question))
    model, ends = known, monotonic() + MOST_SECONDS
    for field, word in fields.items():
        if isinstance(word.raw, int):
            continue
        left = min(seconds, ends - monotonic())
        solver.set("timeout", max(1, round(left * 1000)))
        value, trouble = _smallest(solver, field, word, value_of(model, word), ends)
        if trouble is None:
            solver.add(formula(word.eq(Word(value, word.ctype))))
            trouble = answer_of(solver, f"minimum {field}")
        if trouble.model is None:
            point = point_of(_modest(solver, fields, model), fields)
            return Minimum(point, False, trouble.reason or f"{field} lost its model")
        model = trouble.model
    point = point_of(model, fields)
    seconds = min(seconds, MOST_SECONDS)
    below = ask(Query(f"{name}: smaller", question & smaller(fields, point)), seconds)
    return Minimum(point, below.status is Status.UNSAT, below.reason)
