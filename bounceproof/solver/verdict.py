# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts, findings, and the question that leads to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import Cell
from bounceproof.models.word import Truth
from bounceproof.solver.domain import Domain, Variables, variables
from bounceproof.solver.engine import DEFAULT_TIMEOUT
from bounceproof.solver.minimum import Point
from bounceproof.solver.properties import EXTRAS, Property

LEADING = ("size", "orig_addr", "start_index")


class Verdict(StrEnum):
    """What is shown to the user, and the exit code that goes with it."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    DISAGREE = "disagree"

    @property
    def shown(self) -> str:
        """What reports say: a disagreement is an error of ours, and no verdict."""
        return "unknown" if self is Verdict.DISAGREE else self.value

    @property
    def exit_code(self) -> int:
        return {"holds": 0, "broken": 1, "unknown": 3, "disagree": 4}[self.value]


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """One cell: the driver's limit in bytes, and what was found there."""

    cell: Cell
    limit: int
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A request that breaks a property; ``outcome`` is the simulator's.

    ``taken`` are the slots in use, as runs of first and last; None for an empty pool.
    ``history`` is the machine and the calls that show it, where one request does not.
    """

    cell: Cell
    limit: int
    point: Point
    outcome: dict[str, Any]
    minimum: bool
    taken: list[tuple[int, int]] | None = None
    history: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A property over a domain: its verdict and what stands behind it.

    ``note`` narrows a broken verdict down; ``reason`` says why it is unknown.
    """

    prop: Property
    verdict: Verdict
    cells: tuple[CellVerdict, ...]
    counterexample: Counterexample | None
    confirmed: bool | None
    reason: str | None
    note: str | None
    seconds: float


Question = Callable[[Cell, Variables], Truth]
Confirm = Callable[[Cell, Point], bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the simulator has to show for a point: see :class:`Counterexample`."""

    outcome: dict[str, Any]
    taken: list[tuple[int, int]] | None = None
    history: dict[str, Any] | None = None


Simulate = Callable[[Cell, Point], Shown]


@dataclass(frozen=True, slots=True)
class Hunt:
    """A question over every cell of a domain, as :func:`hunt` asks it.

    ``question`` gives the violation for a cell's variables; ``simulate`` and
    ``confirm`` run a point in the simulator and say whether it shows the violation.
    ``anywhere``, where there is one, gives wider violations that are quicker to refute.
    ``unfinished`` says where a search that is followed turn by turn had not ended.
    ``placeable``, where there is one, says where the kernel can have put the pool.
    ``geometry`` gives the kernel's slots for a page size.
    """

    prop: Property
    domain: Domain
    cells: tuple[tuple[Cell, int], ...]
    question: Question
    simulate: Simulate
    confirm: Confirm
    seconds: float = DEFAULT_TIMEOUT
    anywhere: Callable[[Cell, Variables], tuple[Truth, ...]] | None = None
    unfinished: Question | None = None
    placeable: Question | None = None
    geometry: Callable[[int], SlotGeometry] = lambda page_size: MAINLINE

    def space(self, cell: Cell, limit: int) -> Variables:
        """The symbols of ``cell``, those that the property needs included."""
        extra, geometry = EXTRAS.get(self.prop, ()), self.geometry(cell.page_size)
        space = variables(self.domain, cell, limit, extra, geometry)
        if self.placeable is None:
            return space
        allowed = space.constraint & self.placeable(cell, space)
        return replace(space, constraint=allowed)
