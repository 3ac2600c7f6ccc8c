# SPDX-License-Identifier: GPL-2.0-only
"""The solver behind proofs about a tree's code."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.words.word import FALSE, CType, Truth, Word
from bounceproof.solver.lemmas.lemma import Entries
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import value_of
from bounceproof.solver.smt.reshape import is_false, true_in, without_products
from bounceproof.solver.smt.terms import formula, variable
from bounceproof.source.extract.prover import Array, Obligation, Refusal


@dataclass(frozen=True, slots=True)
class SolverProver:
    """The :class:`~bounceproof.source.extract.prover.Prover` that asks the solvers.

    ``seconds``: how long one question may take.
    """

    seconds: float = 24.0

    def fresh(self, name: str, ctype: CType) -> Word:
        return variable(name, ctype)

    def array(self, name: str, ctype: CType, bits: int) -> Array:
        return Entries(name, ctype, min(ctype.bits, bits))

    def impossible(
        self, due: list[Obligation], known: Truth, fields: dict[str, Word]
    ) -> Refusal | None:
        """Ask with products of variables taken for anything first: that is more."""
        broken = FALSE
        for one in due:
            broken = broken | one.broken
        if is_false(formula(broken)):
            return None
        name, question = "proof of a search", known & broken
        wider = Truth(without_products(formula(question)))
        if ask(Query(name, wider), self.seconds).status is Status.UNSAT:
            return None
        answer = ask(Query(name, question), self.seconds)
        if answer.status is Status.UNSAT:
            return None
        if answer.model is None:
            return Refusal(answer.reason or f"{name}: no answer")
        model = answer.model
        case = {field: value_of(model, word) for field, word in fields.items()}
        failed = [one.name for one in due if true_in(model, one.broken)]
        return Refusal(f"{', '.join(failed)}: {_told(case)}", case)


def _told(case: dict[str, int]) -> str:
    return ", ".join(f"{name} {value:#x}" for name, value in case.items())
