# SPDX-License-Identifier: GPL-2.0-only
"""Small linear programs in exact numbers: over fractions, and over whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import z3

from bounceproof.errors import Undecided


def lightest(rows: Sequence[Sequence[int]], costs: Sequence[int]) -> list[Fraction]:
    """Numbers x >= 0 of the least ``costs`` . x with ``row`` . x >= 1 for every row.

    Raises Undecided where the solver finds none.
    """
    optimize = z3.Optimize()
    names = [z3.Real(f"x[{number}]") for number in range(len(costs))]
    optimize.add(*(name >= 0 for name in names))
    for row in rows:
        optimize.add(_sum(row, names) >= 1)
    optimize.minimize(_sum(costs, names))
    if optimize.check() != z3.sat:
        raise Undecided("the solver finds no weights")
    model = optimize.model()
    return [_fraction(model, name) for name in names]


def fewest(
    rows: Sequence[Sequence[int]],
    most: Sequence[int],
    costs: Sequence[int],
    total: int,
    seconds: float,
) -> list[int] | None:
    """Whole numbers n >= 0 that add up to ``total``, of the least ``costs`` . n, with
    each ``row`` . n at most its number in ``most``.

    None where there are none, or the solver does not say within ``seconds``.
    """
    solver = z3.Optimize()
    solver.set("timeout", max(1, round(seconds * 1000)))
    names = [z3.Int(f"n[{number}]") for number in range(len(costs))]
    solver.add(*(name >= 0 for name in names), z3.Sum(names) == total)
    for row, bound in zip(rows, most, strict=True):
        solver.add(_sum(row, names) <= bound)
    solver.minimize(_sum(costs, names))
    if solver.check() != z3.sat:
        return None
    model = solver.model()
    return [model.eval(name, model_completion=True).as_long() for name in names]


def _sum(factors: Sequence[int], names: Sequence[Any]) -> Any:
    return z3.Sum([n * name for n, name in zip(factors, names, strict=True)])


def _fraction(model: Any, name: Any) -> Fraction:
    value = model.eval(name, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())
