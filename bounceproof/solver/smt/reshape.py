# SPDX-License-Identifier: GPL-2.0-only
"""Z3 terms taken apart, rewritten and read, for rooms that import no solver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import z3

from bounceproof.models.words.word import Truth, Word
from bounceproof.solver.smt.terms import formula

Term = Any
Model: TypeAlias = z3.ModelRef


def term_of(word: Word) -> Term:
    """A Word as a term, constant or not."""
    if isinstance(word.raw, int):
        return z3.BitVecVal(word.raw, word.ctype.bits)
    return word.raw


def simplified(term: Term) -> Term:
    """An equal term, in Z3's own normal form."""
    return z3.simplify(term)


def substituted(term: Term, pairs: Iterable[tuple[Term, Term]]) -> Term:
    """``term`` with the second of each pair for the first, all at once."""
    return z3.substitute(term, *pairs)


def is_true(term: Term) -> bool:
    """Whether a term is the constant true, once simplified."""
    return bool(z3.is_true(z3.simplify(term)))


def is_false(term: Term) -> bool:
    """Whether a term is the constant false, once simplified."""
    return bool(z3.is_false(z3.simplify(term)))


def true_in(model: Model, truth: Truth) -> bool:
    """Whether ``truth`` is so in a model, what it leaves open at its default."""
    return bool(z3.is_true(model.eval(formula(truth), model_completion=True)))


def number_at(term: Term, numbers: dict[str, int]) -> int:
    """The value of a bit vector where its variables are ``numbers``; the others are 0.

    A variable is known by what stands before ``#`` and ``[`` in its name.
    """
    known = [
        (part, z3.BitVecVal(numbers.get(_plain(name), 0), part.size()))
        for name, part in variables(term).items()
        if z3.is_bv(part)
    ]
    return int(z3.simplify(z3.substitute(term, *known)).as_long())


def _plain(name: str) -> str:
    return name.split("#")[0].split("[")[0]


def parts(term: Term) -> Iterator[Term]:
    """The subterms of a term, itself among them, each once."""
    seen: set[int] = set()
    todo = [term]
    while todo:
        part = todo.pop()
        if part.get_id() not in seen:
            seen.add(part.get_id())
            todo.extend(part.children())
            yield part


def variables(term: Term) -> dict[str, Term]:
    """The variables of a term, by name."""
    return {
        part.decl().name(): part
        for part in parts(term)
        if z3.is_const(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED
    }


def quotients(term: Term) -> list[Term]:
    """The divisions in a term."""
    kinds = (z3.Z3_OP_BUDIV, z3.Z3_OP_BSDIV)
    return [part for part in parts(term) if part.decl().kind() in kinds]


def without_products(question: Term) -> Term:
    """``question`` with each product of two variables as a variable of its own."""
    found = [
        part
        for part in parts(question)
        if z3.is_app_of(part, z3.Z3_OP_BMUL)
        and sum(not z3.is_bv_value(child) for child in part.children()) > 1
    ]
    swaps = [
        (term, z3.BitVec(f"product {number}", term.size()))
        for number, term in enumerate(found)
    ]
    return z3.substitute(question, *swaps) if swaps else question
