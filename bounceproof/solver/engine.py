# SPDX-License-Identifier: GPL-2.0-only
"""Ask a named question; the answer is sat, unsat or unknown with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import z3

from bounceproof.models.word import Truth
from bounceproof.solver.plain import plain
from bounceproof.solver.second import Second, available, decide, second_version
from bounceproof.solver.terms import formula


class Status(StrEnum):
    """What a solver says."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Query:
    """A question: is ``question`` possible?  ``name`` appears in every report."""

    name: str
    question: Truth


@dataclass(frozen=True, slots=True)
class Answer:
    """``model`` where sat, ``reason`` where unknown."""

    status: Status
    model: z3.ModelRef | None = None
    reason: str | None = None


DEFAULT_TIMEOUT = 60.0
SOON = 0.3
"""Seconds after which a question is put in plainer words, to the second solver."""
z3.set_param("ctrl_c", False)


def solver_version() -> str:
    """The versions of the solvers that answer."""
    return f"z3 {z3.get_version_string()}, {second_version()}"


def solver_versions() -> dict[str, str | None]:
    """Solver to its version, None where it is not installed."""
    second = second_version().removeprefix("bitwuzla ") if available() else None
    return {"z3": z3.get_version_string(), "bitwuzla": second}


def _solver(seconds: float) -> z3.Solver:
    steps = ("simplify", "propagate-values", "solve-eqs", "elim-uncnstr")
    solver = z3.Then(*steps, "bit-blast", "sat").solver()
    solver.set("timeout", max(1, round(seconds * 1000)))
    return solver


def ask(
    query: Query, seconds: float = DEFAULT_TIMEOUT, soon: float = SOON
) -> Answer:
    """One answer to ``query``, within ``seconds``; after ``soon`` in plainer words."""
    if isinstance(query.question.raw, bool) and not query.question.raw:
        return Answer(Status.UNSAT)
    question = formula(query.question)
    answer = _first(query.name, question, min(seconds, soon))
    if answer.status is not Status.UNKNOWN or seconds <= soon:
        return answer
    return _after(query.name, question, seconds - soon)


def _first(
    name: str, question: z3.BoolRef, seconds: float, *given: z3.BoolRef
) -> Answer:
    """What Z3 says within ``seconds``."""
    solver = _solver(seconds)
    solver.add(question, *given)
    return answer_of(solver, name)


def _after(name: str, question: z3.BoolRef, seconds: float) -> Answer:
    """What is said of the plainer question; Z3 confirms values of the first one."""
    plainer = plain(question)
    said, values = decide(plainer, seconds)
    if said is Second.UNABLE:
        return _first(name, plainer, seconds)
    if said is Second.UNSAT:
        return Answer(Status.UNSAT)
    if said is Second.UNKNOWN:
        return Answer(Status.UNKNOWN, reason=f"{name}: timeout")
    answer = _first(name, question, seconds, *values)
    if answer.status is Status.UNSAT:
        return Answer(Status.UNKNOWN, reason=f"{name}: the solvers disagree")
    return answer


def answer_of(solver: z3.Solver, name: str, *assumptions: z3.BoolRef) -> Answer:
    """Run ``solver`` and name what it says."""
    status = Status(str(solver.check(*assumptions)))
    if status is Status.SAT:
        return Answer(status, solver.model())
    if status is Status.UNKNOWN:
        return Answer(status, reason=f"{name}: {solver.reason_unknown()}")
    return Answer(status)
