# SPDX-License-Identifier: GPL-2.0-only
"""A kernel and what runs its code: what a question about more than one kernel takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, KernelModel
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.counterexample.confirm import outcome_of, shows
from bounceproof.solver.smt.minimum import Point


@dataclass(frozen=True, slots=True)
class Side:
    """A kernel's formulas, and callbacks into what runs its code step by step.

    ``simulate`` gives the outcome of a point on an empty pool; ``shows`` says whether
    the point breaks a property there.
    """

    model: KernelModel
    simulate: Callable[[Cell, Point], Outcome]
    shows: Callable[[Property, Cell, Point], bool]

    @property
    def name(self) -> str:
        return self.model.name


def side_of(model: KernelModel) -> Side:
    """Any kernel, with the simulator or the interpreter that belongs to it."""

    def run(cell: Cell, point: Point) -> Outcome:
        return outcome_of(Property.FITS, model, cell, point)

    def shown(prop: Property, cell: Cell, point: Point) -> bool:
        return shows(prop, model, cell, point)

    return Side(model, run, shown)
