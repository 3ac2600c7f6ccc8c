# SPDX-License-Identifier: GPL-2.0-only
"""A property over every cell of a domain: holds, or the smallest counterexample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from bounceproof.models.formulas.pools import lies_right
from bounceproof.models.formulas.search import NoClosedForm, NotRead
from bounceproof.models.request import Cell, KernelModel, PoolKind
from bounceproof.models.words.word import Truth
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import (
    Property,
    broken,
    broken_anywhere,
    unfinished,
)
from bounceproof.solver.contract.verdict import (
    LEADING,
    NO_CELL,
    NO_REQUEST,
    CellVerdict,
    Counterexample,
    Finding,
    Hunt,
    Question,
    Verdict,
)
from bounceproof.solver.counterexample.caveats import narrow
from bounceproof.solver.counterexample.every_index import Best, prefer_every_index
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point, minimise, smaller


def cells_with_limits(
    model: KernelModel, domain: Domain
) -> tuple[tuple[Cell, int], ...]:
    """Every cell of the domain with the driver's limit there, in bytes."""
    return tuple(
        (cell, domain.device.max_size(model, cell)) for cell in domain.cells(model)
    )


def _refuted(hunt: Hunt, cell: Cell, space: Variables, name: str) -> bool:
    """Whether every wider violation is impossible; no answer counts as possible."""
    ways = () if hunt.anywhere is None else hunt.anywhere(cell, space)
    for way in ways:
        query = Query(f"{name}: anywhere", space.constraint & way)
        if ask(query, hunt.seconds).status is not Status.UNSAT:
            return False
    return bool(ways)


def refuted(hunt: Hunt, cell: Cell, limit: int) -> bool:
    """Whether the question is impossible in a cell; no answer is not."""
    space = hunt.space(cell, limit)
    name = f"{hunt.prop} {cell.path} page {cell.page_size} granule {cell.granule}"
    if _refuted(hunt, cell, space, name):
        return True
    violation = space.constraint & hunt.question(cell, space)
    return ask(Query(name, violation), hunt.seconds).status is Status.UNSAT


def _search_cell(
    hunt: Hunt, cell: Cell, limit: int, best: Best | None
) -> tuple[CellVerdict, Best | None]:
    space = hunt.space(cell, limit)
    name = f"{hunt.prop} {cell.path} page {cell.page_size} granule {cell.granule}"
    empty = empty_cell(hunt, cell, limit)
    if empty is not None:
        return empty, best
    if _refuted(hunt, cell, space, name):
        return CellVerdict(cell, limit, Verdict.HOLDS), best
    violation = space.constraint & hunt.question(cell, space)
    answer = ask(Query(name, violation), hunt.seconds)
    if answer.status is Status.UNSAT:
        return CellVerdict(cell, limit, Verdict.HOLDS), best
    if answer.model is None:
        return CellVerdict(cell, limit, Verdict.UNKNOWN, answer.reason), best
    fields = space.ordered()
    if best is not None:
        leading = {name: fields[name] for name in LEADING}
        violation = violation & smaller(leading, best.found.point)
        answer = ask(Query(f"{name}: smaller", violation), hunt.seconds)
    if answer.model is not None:
        found = minimise(name, violation, fields, answer.model, hunt.seconds)
        best = Best(cell, limit, found)
    elif answer.status is Status.UNKNOWN and best is not None:
        best = replace(best, found=replace(best.found, proved=False))
    return CellVerdict(cell, limit, Verdict.BROKEN), best


def empty_cell(hunt: Hunt, cell: Cell, limit: int) -> CellVerdict | None:
    """What to say of a cell in which no request lies, or may lie; else None."""
    space = hunt.space(cell, limit)
    name = f"{hunt.prop} domain page {cell.page_size} granule {cell.granule}"
    answer = ask(Query(name, space.constraint), hunt.seconds)
    if answer.status is Status.UNKNOWN:
        return CellVerdict(cell, limit, Verdict.UNKNOWN, answer.reason)
    if answer.status is Status.UNSAT:
        return CellVerdict(cell, limit, Verdict.NO_REQUEST, NO_REQUEST)
    return None


def _undecided(cells: tuple[CellVerdict, ...]) -> str | None:
    """Why cells of which none is broken do not make a proof; None where they do."""
    for cell in cells:
        if cell.verdict is Verdict.UNKNOWN:
            return cell.reason or "no answer"
    if any(cell.verdict is Verdict.HOLDS for cell in cells):
        return None
    return NO_REQUEST if cells else NO_CELL


def _broken_finding(
    hunt: Hunt, cells: tuple[CellVerdict, ...], best: Best, started: float
) -> Finding:
    point = best.found.point
    shown = hunt.simulate(best.cell, point)
    confirmed = hunt.confirm(best.cell, point)
    undecided = any(cell.verdict is Verdict.UNKNOWN for cell in cells)
    if not confirmed and hunt.among_others:
        return _unshown(hunt, cells, point, started)
    example = Counterexample(
        best.cell,
        best.limit,
        point,
        shown.outcome,
        best.found.proved and not undecided,
        shown.taken,
        shown.history,
        best.every_index,
    )
    return Finding(
        hunt.prop,
        Verdict.BROKEN if confirmed else Verdict.DISAGREE,
        cells,
        example,
        confirmed,
        None
        if confirmed
        else "solver and simulator disagree, an error of bounceproof's own: "
        "the simulator does not show what the solver found",
        narrow(hunt, best.cell, best.found.point),
        monotonic() - started,
    )


def _unshown(
    hunt: Hunt, cells: tuple[CellVerdict, ...], point: Point, started: float
) -> Finding:
    """What other mappings may have in their slots breaks it; no history shows how."""
    told = ", ".join(f"{name} {value:#x}" for name, value in point.items())
    reason = f"no history of calls shows what the solver finds possible: {told}"
    open_ = tuple(
        replace(cell, verdict=Verdict.UNKNOWN, reason=reason)
        if cell.verdict is Verdict.BROKEN
        else cell
        for cell in cells
    )
    took = monotonic() - started
    return Finding(hunt.prop, Verdict.UNKNOWN, open_, None, None, reason, None, took)


Open = dict[Cell, NoClosedForm]
"""Cells that cannot be asked for every area, with why not."""


def hunt(wanted: Hunt) -> Finding:
    """Ask every cell; the smallest counterexample of all is minimised and confirmed.

    A cell whose code cannot be read is unknown.  Raises NotRead where all are, and
    NoClosedForm where a cell cannot be asked.
    """
    found, left = hunt_where(wanted)
    if found is None or left:
        raise next(iter(left.values()))
    return found


def hunt_where(wanted: Hunt) -> tuple[Finding | None, Open]:
    """:func:`hunt` in the cells that can be asked for every area; and the others.

    Raises NotRead where the code of every cell cannot be read.
    """
    started = monotonic()
    best: Best | None = None
    verdicts: list[CellVerdict] = []
    unread: dict[Cell, NotRead] = {}
    left: Open = {}
    for number, (cell, limit) in enumerate(wanted.cells, 1):
        wanted.watch(f"{wanted.prop}, configuration {number}")
        try:
            verdict, best = _search_cell(wanted, cell, limit, best)
        except NoClosedForm as error:
            left[cell] = error
            continue
        except NotRead as error:
            unread[cell] = error
            verdict = CellVerdict(cell, limit, Verdict.UNKNOWN, str(error))
        verdicts.append(verdict)
    if left and len(left) == len(wanted.cells):
        return None, left
    if unread and len(unread) == len(wanted.cells):
        raise next(iter(unread.values()))
    if best is not None:
        broken = [(v.cell, v.limit) for v in verdicts if v.verdict is Verdict.BROKEN]
        best = prefer_every_index(wanted, best, broken)
    kept = tuple(p for p in wanted.cells if p[0] not in unread and p[0] not in left)
    return found_in(replace(wanted, cells=kept), tuple(verdicts), best, started), left


def found_in(
    wanted: Hunt, cells: tuple[CellVerdict, ...], best: Best | None, started: float
) -> Finding:
    """What verdicts of cells come to, with the best counterexample among them."""
    if best is not None:
        return _broken_finding(wanted, cells, best, started)
    reason = _undecided(cells)
    outcome = Verdict.HOLDS if reason is None else Verdict.UNKNOWN
    took = monotonic() - started
    return Finding(wanted.prop, outcome, cells, None, None, reason, None, took)


def anywhere_question(
    prop: Property, model: KernelModel
) -> Callable[[Cell, Variables], tuple[Truth, ...]]:
    """The wider violations of ``prop``, for :class:`Hunt`."""

    def question(cell: Cell, space: Variables) -> tuple[Truth, ...]:
        return broken_anywhere(prop, model, cell, space)

    return question


def unfinished_question(prop: Property, model: KernelModel) -> Question:
    """Where the search that ``prop`` asks about was left, for :class:`Hunt`."""

    def question(cell: Cell, space: Variables) -> Truth:
        return unfinished(prop, model, cell, space)

    return question


def property_question(prop: Property, model: KernelModel) -> Question:
    """The violation of ``prop`` in ``model``, for :class:`Hunt`."""

    def question(cell: Cell, space: Variables) -> Truth:
        return broken(prop, model, cell, space)

    return question


def placement_question(model: KernelModel, domain: Domain) -> Question | None:
    """Where ``model`` can have put the pool asked about, None where the domain says."""
    if domain.pool_kind is not PoolKind.TRANSIENT:
        return None

    def question(cell: Cell, space: Variables) -> Truth:
        mapping = model.mapping(cell, space.request)
        return lies_right(model, cell, mapping, space.pool)

    return question
