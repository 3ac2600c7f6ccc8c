# SPDX-License-Identifier: GPL-2.0-only
"""Ask a named question; the answer is sat, unsat or unknown with a reason."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

import z3

from bounceproof.models.words.word import Truth
from bounceproof.solver.smt.bitwuzla import Second, available, decide, second_version
from bounceproof.solver.smt.rewrite import plain
from bounceproof.solver.smt.terms import formula


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
SMALL = 100
"""Terms of a question that Z3 most often answers before it is put in plainer words."""
SOON, EARLY, LATE, LONG = 0.3, 3.0, 3.0, 30.0
"""Seconds for Z3 with a small question; for the second solver with a plainer one where
there are more than ``LONG``, before Z3 has a turn; and for that turn of Z3."""
_TERMS = z3.Probe("num-exprs")
_MOST_KEPT = 1000
z3.set_param("ctrl_c", False)


class Answered:
    """The last answers that more time would not change, by their very questions.

    Z3 has one term for all that is written alike, as long as the term is kept.
    """

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._known: OrderedDict[int, tuple[z3.BoolRef, Answer]] = OrderedDict()

    def answer(self, question: z3.BoolRef) -> Answer | None:
        """What was answered to ``question``, or None."""
        held = self._known.get(question.get_id())
        if held is None:
            return None
        self._known.move_to_end(question.get_id())
        return held[1]

    def keep(self, question: z3.BoolRef, answer: Answer) -> None:
        """Remember ``answer``, unless it is unknown."""
        if answer.status is Status.UNKNOWN:
            return
        self._known[question.get_id()] = question, answer
        if len(self._known) > self._most:
            self._known.popitem(last=False)


ANSWERED = Answered()


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
    query: Query, seconds: float = DEFAULT_TIMEOUT, as_it_is: bool = False
) -> Answer:
    """One answer to ``query``, within ``seconds``; what was answered is not asked.

    ``as_it_is``: Z3 alone is asked, for to put a long question in plainer words takes
    its time, which ``seconds`` do not bound.
    """
    if isinstance(query.question.raw, bool) and not query.question.raw:
        return Answer(Status.UNSAT)
    question = formula(query.question)
    if as_it_is:
        return _first(query.name, question, seconds)
    answer = ANSWERED.answer(question)
    if answer is None:
        answer = _asked(query.name, question, seconds)
        ANSWERED.keep(question, answer)
    return answer


def _asked(name: str, question: z3.BoolRef, seconds: float) -> Answer:
    """Who answers soonest is asked first; who does not, later and for longer."""
    if _small(question):
        answer = _first(name, question, min(seconds, SOON))
        if answer.status is not Status.UNKNOWN or seconds <= SOON:
            return answer
        seconds -= SOON
    plainer = _plainer(question)
    for theirs, ours in _turns(seconds):
        answered = _after(name, question, plainer, theirs)
        if answered is not None:
            return answered
        if ours:
            answer = _first(name, question, ours)
            if answer.status is not Status.UNKNOWN:
                return answer
    return Answer(Status.UNKNOWN, reason=f"{name}: timeout")


def _plainer(question: z3.BoolRef) -> z3.BoolRef:
    """The question in plainer words, or as it is where it goes too deep for that."""
    try:
        return plain(question)
    except RecursionError:
        return question


def _turns(seconds: float) -> list[tuple[float, float]]:
    """Seconds for the second solver, and then for Z3, turn by turn."""
    if seconds > LONG:
        return [(EARLY, LATE), (seconds - EARLY - LATE, 0.0)]
    ours = LATE if seconds > 2 * LATE else 0.0
    return [(seconds - ours, ours)]


def _small(question: z3.BoolRef) -> bool:
    goal = z3.Goal()
    goal.add(question)
    return bool(_TERMS(goal) <= SMALL)


def _first(
    name: str, question: z3.BoolRef, seconds: float, *given: z3.BoolRef
) -> Answer:
    """What Z3 says within ``seconds``."""
    solver = _solver(seconds)
    solver.add(question, *given)
    return answer_of(solver, name)


def _after(
    name: str, question: z3.BoolRef, plainer: z3.BoolRef, seconds: float
) -> Answer | None:
    """What is said of the plainer question; Z3 confirms values of the first one.

    None where nothing is said within ``seconds``.
    """
    said, values = decide(plainer, seconds)
    if said is Second.UNABLE:
        answer = _first(name, plainer, seconds)
        return None if answer.status is Status.UNKNOWN else answer
    if said is Second.UNSAT:
        return Answer(Status.UNSAT)
    if said is Second.UNKNOWN:
        return None
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
