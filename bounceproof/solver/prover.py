# SPDX-License-Identifier: GPL-2.0-only
"""The solver behind proofs about a tree's code."""

from __future__ import annotations

from dataclasses import dataclass

import z3

from bounceproof.models.word import FALSE, CType, Truth, Word
from bounceproof.solver.engine import Query, Status, ask
from bounceproof.solver.lemma import Entries
from bounceproof.solver.minimum import value_of
from bounceproof.solver.terms import formula, variable
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
        if z3.is_false(z3.simplify(formula(broken))):
            return None
        name, question = "proof of a search", known & broken
        wider = Truth(_without_products(formula(question)))
        if ask(Query(name, wider), self.seconds).status is Status.UNSAT:
            return None
        answer = ask(Query(name, question), self.seconds)
        if answer.status is Status.UNSAT:
            return None
        if answer.model is None:
            return Refusal(answer.reason or f"{name}: no answer")
        model = answer.model
        case = {field: value_of(model, word) for field, word in fields.items()}
        failed = [
            one.name
            for one in due
            if z3.is_true(model.eval(formula(one.broken), model_completion=True))
        ]
        return Refusal(f"{', '.join(failed)}: {_told(case)}", case)


def _told(case: dict[str, int]) -> str:
    return ", ".join(f"{name} {value:#x}" for name, value in case.items())


def _without_products(question: z3.BoolRef) -> z3.BoolRef:
    """``question`` with each product of two variables as a variable of its own."""
    seen: set[int] = set()
    stack, found = [question], []
    while stack:
        term = stack.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        children = term.children()
        stack.extend(children)
        open_ = [part for part in children if not z3.is_bv_value(part)]
        if z3.is_app_of(term, z3.Z3_OP_BMUL) and len(open_) > 1:
            found.append(term)
    swaps = [
        (term, z3.BitVec(f"product {number}", term.size()))
        for number, term in enumerate(found)
    ]
    return z3.substitute(question, *swaps) if swaps else question
