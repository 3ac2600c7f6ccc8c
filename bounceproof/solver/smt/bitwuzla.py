# SPDX-License-Identifier: GPL-2.0-only
"""A second solver, Bitwuzla, for what Z3 does not answer soon.

On the equalities of sums that a tree's code leads to it needs a third to a tenth of
Z3's time; on the many small questions Z3's preprocessing is ahead.  Where no wheel of
it is to be had, Z3 answers everything, only later.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.util import find_spec

import z3


class Second(StrEnum):
    """What the second solver says of a question."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"
    UNABLE = "unable"
    """The solver is not there, or the question not in its language."""


@cache
def available() -> bool:
    """Whether the second solver is installed."""
    return find_spec("bitwuzla") is not None


def second_version() -> str:
    """Name and version of the second solver, or that there is none."""
    if not available():
        return "no bitwuzla"
    import bitwuzla

    return f"bitwuzla {bitwuzla.version()}"


def decide(question: z3.BoolRef, seconds: float) -> tuple[Second, list[z3.BoolRef]]:
    """Whether ``question`` is possible, and where it is, its symbols' values.

    The values are equalities with symbols of ``question``, for Z3 to confirm.
    """
    if not available():
        return Second.UNABLE, []
    import bitwuzla

    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, round(seconds * 1000)))
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    own = _told_apart(_symbols(question))
    try:
        parser.parse(_text(z3.substitute(question, *own)), True, False)
    except bitwuzla.BitwuzlaException:
        return Second.UNABLE, []
    engine = parser.bitwuzla()
    result = engine.check_sat()
    if result is bitwuzla.Result.UNSAT:
        return Second.UNSAT, []
    if result is not bitwuzla.Result.SAT:
        return Second.UNKNOWN, []
    values = {
        fun.symbol().strip("|"): engine.get_value(fun).value(10)
        for fun in parser.get_declared_funs()
        if fun.sort().is_bv()
    }
    return Second.SAT, [
        symbol == z3.BitVecVal(int(values[named.decl().name()]), symbol.size())
        for symbol, named in own
        if named.decl().name() in values
    ]


def _told_apart(
    symbols: list[z3.BitVecRef],
) -> list[tuple[z3.BitVecRef, z3.BitVecRef]]:
    """Each of ``symbols`` with one of a name of its own.

    Z3 tells symbols of one name and several widths apart, the language does not.
    """
    return [
        (symbol, z3.BitVec(f"{number} {symbol.decl().name()}", symbol.size()))
        for number, symbol in enumerate(symbols)
    ]


def _text(question: z3.BoolRef) -> str:
    """``question`` in SMT-LIB, without the command that asks it."""
    solver = z3.Solver()
    solver.add(question)
    return str(solver.to_smt2()).replace("(check-sat)", "")


def _symbols(question: z3.BoolRef) -> list[z3.BitVecRef]:
    """The bit-vector symbols of ``question``, each once."""
    seen: set[int] = set()
    found: list[z3.BitVecRef] = []
    rest: list[z3.ExprRef] = [question]
    while rest:
        term = rest.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        rest += term.children()
        if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found += [term] if isinstance(term, z3.BitVecRef) else []
    return found
