# SPDX-License-Identifier: GPL-2.0-only
"""Closed forms for a limit over page size, granule and min_align_mask.

A form is a slot set less one or two terms; the simplest that gives the right number
in every cell is taken.  The cells are all that a form is claimed for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bounceproof.models.constants import IO_TLB_SIZE, SLOT_SET_BYTES

SLOT = IO_TLB_SIZE


@dataclass(frozen=True, slots=True)
class Known:
    """A cell and its limit, all in bytes."""

    page_size: int
    granule: int
    min_align_mask: int
    limit: int


@dataclass(frozen=True, slots=True)
class Term:
    """Bytes that a limit loses: how to compute them, as C, as sympy, how simple."""

    value: Callable[[Known], int]
    c: str
    sympy: Callable[[Any], Any]
    weight: int


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A slot set less ``terms``; ``text``, ``latex`` and ``c`` are the same form."""

    terms: tuple[Term, ...]
    text: str
    latex: str
    c: str

    def value(self, known: Known) -> int:
        """The limit in bytes that the form gives for a cell."""
        return SLOT_SET_BYTES - sum(term.value(known) for term in self.terms)


class _Symbols:
    """The sympy symbols of a form, made when they are needed."""

    def __init__(self) -> None:
        import sympy

        self.sympy = sympy
        self.page = sympy.Symbol("P", positive=True, integer=True)
        self.granule = sympy.Symbol("G", positive=True, integer=True)
        self.mask = sympy.Symbol("m", nonnegative=True, integer=True)


def _roundup(mask: int) -> int:
    return -(-mask // SLOT) * SLOT


_BASE = (
    Term(lambda k: SLOT, "IO_TLB_SIZE", lambda s: SLOT, 1),
    Term(
        lambda k: _roundup(k.min_align_mask),
        "roundup(min_align_mask, IO_TLB_SIZE)",
        lambda s: SLOT * s.sympy.ceiling(s.mask / SLOT),
        2,
    ),
    Term(
        lambda k: k.min_align_mask & ~(SLOT - 1),
        "(min_align_mask & ~(IO_TLB_SIZE - 1))",
        lambda s: SLOT * s.sympy.floor(s.mask / SLOT),
        2,
    ),
    Term(
        lambda k: k.min_align_mask + 1, "(min_align_mask + 1)", lambda s: s.mask + 1, 2
    ),
    Term(
        lambda k: k.min_align_mask + 1 if k.min_align_mask else 0,
        "(min_align_mask ? min_align_mask + 1 : 0)",
        lambda s: s.sympy.Piecewise((0, s.sympy.Eq(s.mask, 0)), (s.mask + 1, True)),
        2,
    ),
    Term(
        lambda k: k.min_align_mask + 1 if k.min_align_mask >= SLOT else 0,
        "(min_align_mask >= IO_TLB_SIZE ? min_align_mask + 1 : 0)",
        lambda s: s.sympy.Piecewise((s.mask + 1, s.mask >= SLOT), (0, True)),
        3,
    ),
    Term(
        lambda k: 2 * max(k.min_align_mask + 1, SLOT) - SLOT,
        "(2 * max(min_align_mask + 1, IO_TLB_SIZE) - IO_TLB_SIZE)",
        lambda s: 2 * s.sympy.Max(s.mask + 1, SLOT) - SLOT,
        4,
    ),
    Term(
        lambda k: min(k.min_align_mask + 1, SLOT) if k.min_align_mask else 0,
        "(min_align_mask ? min(min_align_mask + 1, IO_TLB_SIZE) : 0)",
        lambda s: s.sympy.Piecewise(
            (0, s.sympy.Eq(s.mask, 0)), (s.sympy.Min(s.mask + 1, SLOT), True)
        ),
        4,
    ),
)
_PAGE = (
    Term(lambda k: k.page_size, "PAGE_SIZE", lambda s: s.page, 2),
    Term(
        lambda k: 2 * k.page_size - SLOT,
        "(2 * PAGE_SIZE - IO_TLB_SIZE)",
        lambda s: 2 * s.page - SLOT,
        4,
    ),
    Term(lambda k: 2 * k.page_size, "2 * PAGE_SIZE", lambda s: 2 * s.page, 3),
    Term(
        lambda k: k.page_size - SLOT,
        "(PAGE_SIZE - IO_TLB_SIZE)",
        lambda s: s.page - SLOT,
        3,
    ),
)
_GRANULE = (
    Term(lambda k: k.granule, "granule", lambda s: s.granule, 1),
    Term(
        lambda k: k.granule if k.min_align_mask else 0,
        "(min_align_mask ? granule : 0)",
        lambda s: s.sympy.Piecewise((0, s.sympy.Eq(s.mask, 0)), (s.granule, True)),
        2,
    ),
    Term(lambda k: 2 * k.granule, "2 * granule", lambda s: 2 * s.granule, 2),
    Term(
        lambda k: k.granule - SLOT,
        "(granule - IO_TLB_SIZE)",
        lambda s: s.granule - SLOT,
        2,
    ),
)


def _larger(a: Term, b: Term) -> Term:
    return Term(
        lambda k: max(a.value(k), b.value(k)),
        f"max({a.c}, {b.c})",
        lambda s: s.sympy.Max(a.sympy(s), b.sympy(s)),
        a.weight + b.weight + 1,
    )


def _whole(known: list[Known]) -> Term:
    constant = SLOT_SET_BYTES - known[0].limit
    return Term(lambda k: constant, f"{constant}", lambda s: constant, 8)


def _candidates(known: list[Known], has_granule: bool) -> Iterator[tuple[Term, ...]]:
    atoms = [*_BASE, *(_GRANULE if has_granule else ()), *_PAGE]
    maxima = [_larger(a, b) for a, b in combinations(atoms, 2)]
    one = [*atoms, *maxima, _whole(known)]
    forms: list[tuple[Term, ...]] = [(), *((term,) for term in one)]
    forms += list(combinations(one, 2))
    forms += [(a, b, c) for a, b in combinations(atoms, 2) for c in atoms]
    yield from sorted(forms, key=lambda form: (sum(t.weight for t in form), len(form)))


def fit(known: list[Known], has_granule: bool) -> ClosedForm | None:
    """The simplest form that gives every limit in ``known``, or None."""
    for terms in _candidates(known, has_granule) if known else ():
        lost = (SLOT_SET_BYTES - k.limit for k in known)
        if all(
            sum(term.value(k) for term in terms) == bytes_lost
            for k, bytes_lost in zip(known, lost, strict=True)
        ):
            return _written(terms)
    return None


def _written(terms: tuple[Term, ...]) -> ClosedForm:
    symbols = _Symbols()
    expression = symbols.sympy.Integer(SLOT_SET_BYTES)
    for term in terms:
        expression = expression - term.sympy(symbols)
    c = " - ".join(["IO_TLB_SEGSIZE * IO_TLB_SIZE", *(term.c for term in terms)])
    latex = symbols.sympy.latex(expression)
    return ClosedForm(terms, str(expression), latex, c)
