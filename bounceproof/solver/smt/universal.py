# SPDX-License-Identifier: GPL-2.0-only
"""The smallest solution of a formula that is one for every value of a variable.

Without quantifiers: what is asked for a few values alone gives candidates, and a
candidate is one where a query for a value that contradicts it is unsat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import z3

from bounceproof.models.words.word import Truth, Word
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Minimum, Point, minimise
from bounceproof.solver.smt.reshape import term_of, variables
from bounceproof.solver.smt.terms import formula

ROUNDS = 12
"""Values that are tried before nothing is said."""


@dataclass(frozen=True, slots=True)
class Universal:
    """``question`` for every value of the word called ``index`` that is ``within``.

    ``fields`` are the words that a solution gives values to, ``index`` among them; the
    question has no other variables, else :meth:`possible` says so.
    """

    name: str
    question: Truth
    within: Truth
    index: str
    fields: dict[str, Word]
    seconds: float

    def _symbol(self) -> Any:
        (symbol,) = variables(term_of(self.fields[self.index])).values()
        return symbol

    def possible(self) -> bool:
        """Whether it can be asked: ``index`` is open, and nothing else is hidden."""
        word = self.fields[self.index]
        if isinstance(word.raw, int) or len(variables(term_of(word))) != 1:
            return False
        own = {n for w in self.fields.values() for n in variables(term_of(w))}
        return set(variables(formula(self.question & self.within))) <= own

    def _at(self, truth: Truth, value: int) -> Truth:
        symbol = self._symbol()
        number = z3.BitVecVal(value, symbol.size())
        return Truth(z3.substitute(formula(truth), (symbol, number)))

    def contradiction(self, point: Point) -> int | None:
        """A value of the index for which ``point`` is no solution; None for none.

        Raises Undecided where the solver gives up.
        """
        wrong = self.within & ~self.question
        for name, word in self.fields.items():
            if name != self.index and not isinstance(word.raw, int):
                wrong = wrong & word.eq(Word(point[name], word.ctype))
        answer = ask(Query(f"{self.name}: another index", wrong), self.seconds)
        if answer.status is Status.UNKNOWN:
            raise Undecided(answer.reason or "no answer")
        if answer.model is None:
            return None
        value = answer.model.eval(self._symbol(), model_completion=True)
        return int(value.as_long())

    def smallest(self) -> Minimum | None:
        """The smallest solution; None where there is none or it was not found."""
        others = {n: w for n, w in self.fields.items() if n != self.index}
        asked = self._at(self.question & self.within, 0)
        for _ in range(ROUNDS):
            answer = ask(Query(f"{self.name}: every index", asked), self.seconds)
            if answer.model is None:
                return None
            found = minimise(self.name, asked, others, answer.model, self.seconds)
            point = {name: found.point.get(name, 0) for name in self.fields}
            value = self.contradiction(point)
            if value is None:
                return Minimum(point, found.proved, found.reason)
            asked = asked & (
                ~self._at(self.within, value) | self._at(self.question, value)
            )
        return None


class Undecided(Exception):
    """The solver gave up; the message says why."""
