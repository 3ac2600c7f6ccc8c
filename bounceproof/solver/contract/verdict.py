# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts, findings, and the question that leads to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell
from bounceproof.models.words.word import Truth
from bounceproof.solver.contract.domain import Domain, Variables, variables
from bounceproof.solver.contract.watch import Watch as Watch
from bounceproof.solver.contract.watch import numbered as numbered
from bounceproof.solver.contract.watch import told as told
from bounceproof.solver.contract.watch import unwatched as unwatched
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT
from bounceproof.solver.smt.minimum import Point

LEADING = ("size", "orig_addr", "start_index")
NO_REQUEST = "no request is in the domain"
NO_CELL = "no configuration is in the domain"


class Verdict(StrEnum):
    """What is shown to the user, and the exit code that goes with it.

    NO_REQUEST is what is said of a cell in which no request lies: nothing was asked.
    """

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    DISAGREE = "disagree"
    NO_REQUEST = "no request"

    @property
    def shown(self) -> str:
        """What reports say: a disagreement is an error of ours, and no verdict."""
        return "unknown" if self is Verdict.DISAGREE else self.value

    @property
    def exit_code(self) -> int:
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.HOLDS: 0,
    Verdict.BROKEN: 1,
    Verdict.UNKNOWN: 3,
    Verdict.NO_REQUEST: 3,
    Verdict.DISAGREE: 4,
}


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict for several: a disagreement, then broken, unknown, holds.

    Of none it is unknown, and cells without a request say nothing beside others.
    """
    present = set(verdicts)
    order = (Verdict.DISAGREE, Verdict.BROKEN, Verdict.UNKNOWN, Verdict.HOLDS)
    return next((verdict for verdict in order if verdict in present), Verdict.UNKNOWN)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The exit code of several verdicts: the highest; that of unknown for none."""
    codes = [verdict.exit_code for verdict in verdicts]
    return max(codes, default=Verdict.UNKNOWN.exit_code)


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """One cell: the driver's limit in bytes, and what was found there.

    ``reason`` says why a verdict is unknown, or that there is no request.
    """

    cell: Cell
    limit: int
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A request that breaks a property; ``outcome`` is the simulator's.

    ``taken`` are the slots in use, as runs of first and last; None for an empty pool.
    ``history`` is the machine and the calls that show it, where one request does not.
    ``every_index``: it breaks the property from every start index of its pool.
    """

    cell: Cell
    limit: int
    point: Point
    outcome: Outcome
    minimum: bool
    taken: list[tuple[int, int]] | None = None
    history: dict[str, Any] | None = None
    every_index: bool = False


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

    outcome: Outcome
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
    ``geometry`` gives the kernel's slots for a page size.  ``among_others``: what
    other mappings hold can be anything, so that a violation may need more than a
    history that is run to confirm it.
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
    watch: Watch = unwatched
    among_others: bool = False

    def space(self, cell: Cell, limit: int) -> Variables:
        """The symbols of ``cell``, those that the property needs included."""
        extra, geometry = CONTRACT[self.prop].symbols, self.geometry(cell.page_size)
        space = variables(self.domain, cell, limit, extra, geometry)
        if self.placeable is None:
            return space
        allowed = space.constraint & self.placeable(cell, space)
        return replace(space, constraint=allowed)
