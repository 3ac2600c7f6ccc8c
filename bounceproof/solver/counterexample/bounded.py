# SPDX-License-Identifier: GPL-2.0-only
"""A property of a search that no rule says: asked of small areas, followed by turns.

That none of them breaks it is no proof, and is never shown as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic

from bounceproof.errors import InputError
from bounceproof.models.formulas.search import NoClosedForm, NotRead
from bounceproof.models.request import Cell
from bounceproof.models.words.word import Truth
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import (
    CellVerdict,
    Counterexample,
    Finding,
    Hunt,
    Verdict,
)
from bounceproof.solver.smt.engine import Answer, Query, Status, ask
from bounceproof.solver.smt.minimum import minimise

SECONDS = 4.0
"""How long one property may take, whole; the rest of 12 s is for the hunt before it."""
MOST_SLOTS = 1024
_GROWTH = 4
"""An area twice as large takes about this many times as long."""


def hunt_bounded(wanted: Hunt, why: str) -> Finding:
    """Ask ever larger areas while there is time; ``why`` there is no proof.

    The verdict is broken, with a counterexample that was run, or unknown.
    """
    return _Bounded(wanted, why).ask()


@dataclass(slots=True)
class _Open:
    """A cell that is not decided, and why."""

    cell: Cell
    reason: str


class _Bounded:
    """One property over areas of one slot set, of two, of four, ...."""

    def __init__(self, wanted: Hunt, why: str) -> None:
        self._wanted, self._why = wanted, why
        self._started = monotonic()
        self._limits = dict(wanted.cells)

    def _left(self) -> float:
        return SECONDS - (monotonic() - self._started)

    def ask(self) -> Finding:
        done = 0
        for slots, domain in _domains(self._wanted):
            began = monotonic()
            if done and self._left() < _GROWTH * self._last:
                break
            outcome = self._area(slots, replace(self._wanted, domain=domain))
            if isinstance(outcome, Finding):
                return outcome
            if outcome is not None:
                return self._unknown(done, f"areas of {slots} slots: {outcome.reason}")
            done, self._last = slots, monotonic() - began
        return self._unknown(done, "")

    _last = 0.0

    def _area(self, slots: int, hunt: Hunt) -> Finding | _Open | None:
        """None where no cell breaks the property."""
        for number, (cell, limit) in enumerate(hunt.cells):
            hunt.watch(f"{hunt.prop}, configuration {number + 1}")
            if self._left() <= 0:
                left = f"{number} of {len(hunt.cells)} cells asked, the time was up"
                return _Open(cell, left)
            try:
                found = self._cell(hunt, cell, limit)
            except (NoClosedForm, NotRead, InputError) as error:
                return _Open(cell, str(error))
            except RecursionError:
                return _Open(cell, "a question that nests too deeply")
            if found is not None:
                return found
        return None

    def _cell(self, hunt: Hunt, cell: Cell, limit: int) -> Finding | _Open | None:
        space = hunt.space(cell, limit)
        question = space.constraint & hunt.question(cell, space)
        name = f"{hunt.prop} page {cell.page_size} {int(space.pool.area_nslabs)} slots"
        answer = self._asked(name, question)
        if answer.status is Status.UNKNOWN:
            return _Open(cell, "the solver gives up, narrow the domain down")
        if answer.model is None:
            return None
        fields = space.ordered()
        seconds = max(0.5, self._left() / 4)
        point = minimise(name, question, fields, answer.model, seconds).point
        shown = hunt.simulate(cell, point)
        if not hunt.confirm(cell, point):
            return self._unconfirmed(hunt, cell)
        example = Counterexample(
            cell, limit, point, shown.outcome, False, shown.taken, shown.history
        )
        note = f"asked for areas of {int(space.pool.area_nslabs)} slots: {self._why}"
        verdicts = (CellVerdict(cell, limit, Verdict.BROKEN),)
        return self._finding(Verdict.BROKEN, verdicts, example, None, note)

    def _asked(self, name: str, question: Truth) -> Answer:
        """Z3's answer, while there is time: a search of many turns makes long terms."""
        return ask(Query(name, question), max(1.0, self._left()), as_it_is=True)

    def _unconfirmed(self, hunt: Hunt, cell: Cell) -> _Open | Finding:
        """The run does not show it: was the search left before its end?"""
        limit = self._limits[cell]
        space = hunt.space(cell, limit)
        question = space.constraint & hunt.question(cell, space)
        if hunt.unfinished is None:
            return self._disagree(cell)
        ended = ~hunt.unfinished(cell, space)
        answer = self._asked(f"{hunt.prop}: ended", question & ended)
        if answer.model is not None:
            return self._disagree(cell)
        return _Open(cell, "the search goes on longer than it was followed")

    def _disagree(self, cell: Cell) -> Finding:
        reason = (
            "solver and tree disagree, an error of bounceproof's own: running the "
            "tree's code does not show what the solver found"
        )
        verdicts = (CellVerdict(cell, self._limits[cell], Verdict.DISAGREE),)
        return self._finding(Verdict.DISAGREE, verdicts, None, reason, None)

    def _unknown(self, done: int, trouble: str) -> Finding:
        asked = [f"holds for areas up to {done} slots{self._of_which}"] if done else []
        asked += [trouble] if trouble else []
        reason = "; ".join([*asked, f"no proof: {self._why}"])
        every = self._wanted.cells
        cells = tuple(CellVerdict(c, n, Verdict.UNKNOWN, reason) for c, n in every)
        return self._finding(Verdict.UNKNOWN, cells, None, reason, None)

    @property
    def _of_which(self) -> str:
        halts = self._wanted.prop is Property.HALTS
        return " with one free run, from slot 1 on" if halts else ""

    def _finding(
        self,
        verdict: Verdict,
        cells: tuple[CellVerdict, ...],
        example: Counterexample | None,
        reason: str | None,
        note: str | None,
    ) -> Finding:
        confirmed = True if verdict is Verdict.BROKEN else None
        took = monotonic() - self._started
        prop = self._wanted.prop
        return Finding(prop, verdict, cells, example, confirmed, reason, note, took)


def _domains(wanted: Hunt) -> Iterator[tuple[int, Domain]]:
    """Slots of an area, and the domain of such areas, smallest first."""
    domain = wanted.domain
    pages = {cell.page_size for cell, _ in wanted.cells}
    least = slots = max(wanted.geometry(page).segsize for page in pages)
    while slots <= max(MOST_SLOTS, least):
        areas = domain.nareas or 1
        if domain.nslabs is not None:
            areas = domain.nslabs // slots
        fits = domain.nslabs in (None, areas * slots) and domain.nareas in (None, areas)
        if fits and areas & (areas - 1) == 0 and areas:
            yield (
                slots,
                replace(domain, nslabs=slots * areas, nareas=areas, bound=slots),
            )
        slots *= 2
