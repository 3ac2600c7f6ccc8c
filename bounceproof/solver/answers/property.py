# SPDX-License-Identifier: GPL-2.0-only
"""One property, of areas of every size where the search has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.formulas.search import NoClosedForm, NoSearchRule, NotRead
from bounceproof.models.request import Cell, KernelModel
from bounceproof.solver.answers.parallel import together
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import (
    CellVerdict,
    Finding,
    Hunt,
    Verdict,
)
from bounceproof.solver.counterexample.bounded import hunt_bounded
from bounceproof.solver.counterexample.find import (
    Open,
    empty_cell,
    found_in,
    hunt,
    hunt_where,
)

if TYPE_CHECKING:
    from bounceproof.solver.concrete.directed import Directed

UNROLLED_SLOTS = 256
RANKED = "a measure of the loop's own variables falls with each turn; no rule says more"


def unanswered(
    prop: Property, reason: str, cells: tuple[tuple[Cell, int], ...] = ()
) -> Finding:
    open_ = tuple(CellVerdict(*pair, Verdict.UNKNOWN, reason) for pair in cells)
    return Finding(prop, Verdict.UNKNOWN, open_, None, None, reason, None, 0.0)


def ask_property(
    wanted: Hunt,
    hunter: Callable[[], Directed | None] = lambda: None,
    ends: Callable[[Cell], bool] = lambda cell: False,
) -> Finding:
    """The cells that can be asked for every area, and the others as far as they can."""
    found, left = hunt_where(wanted)
    parts = [] if found is None else [found]
    ended = _ended(wanted, left, ends)
    if ended is not None:
        parts.append(ended)
        left = {c: e for c, e in left.items() if c not in {v.cell for v in ended.cells}}
    for ruled in (True, False):
        cells = [c for c, e in left.items() if isinstance(e, NoSearchRule) is not ruled]
        if cells:
            why = str(left[cells[0]])
            rest = tuple(pair for pair in wanted.cells if pair[0] in cells)
            part = _open(replace(wanted, cells=rest), why, ruled, hunter)
            parts.append(part if len(rest) == len(wanted.cells) else _whole(part, rest))
    if len(parts) == 1:
        return parts[0]
    every = together(parts)
    order = [cell for cell, _ in wanted.cells]
    cells_in_order = sorted(every.cells, key=lambda told: order.index(told.cell))
    return replace(every, cells=tuple(cells_in_order))


def _ended(wanted: Hunt, left: Open, ends: Callable[[Cell], bool]) -> Finding | None:
    """The cells of ``left`` whose search is proved to end; None where none is."""
    if wanted.prop is not Property.HALTS:
        return None
    started = monotonic()
    ruleless = [c for c, error in left.items() if isinstance(error, NoSearchRule)]
    proved = [
        empty_cell(wanted, cell, limit) or CellVerdict(cell, limit, Verdict.HOLDS)
        for cell, limit in wanted.cells
        if cell in ruleless and ends(cell)
    ]
    if not proved:
        return None
    found = found_in(wanted, tuple(proved), None, started)
    return replace(found, note=RANKED if found.verdict is Verdict.HOLDS else None)


def ends_of(model: KernelModel) -> Callable[[Cell], bool]:
    """Whether a tree's search is proved to end, by cell."""
    if isinstance(model, BuiltinKernel):
        return lambda cell: False
    from bounceproof.source.kernel.kernel import SourceKernel

    tree: object = model

    def ends(cell: Cell) -> bool:
        try:
            return isinstance(tree, SourceKernel) and tree.search_ends(cell)
        except (InputError, NotRead, RecursionError):
            return False

    return ends


def _whole(found: Finding, cells: tuple[tuple[Cell, int], ...]) -> Finding:
    """``found`` with a verdict for each of ``cells``."""
    told = {cell.cell for cell in found.cells}
    why = found.reason or "another cell is broken; not asked any further"
    more = (CellVerdict(c, n, Verdict.UNKNOWN, why) for c, n in cells if c not in told)
    return replace(found, cells=(*found.cells, *more))


def _open(
    wanted: Hunt, why: str, ruled: bool, hunter: Callable[[], Directed | None]
) -> Finding:
    """A hunt in numbers, then small areas, where no closed form says the search."""
    directed = hunter()
    found = None if directed is None else directed.hunt(wanted, why)
    if found is not None:
        return found
    if directed is not None and directed.where:
        why = f"{why}; {directed.where}"
    return _bounded(wanted, why) if ruled else hunt_bounded(wanted, why)


def directed_of(model: KernelModel, domain: Domain) -> Directed | None:
    """A hunt in numbers, for a kernel that runs on its own code."""
    if isinstance(model, BuiltinKernel):
        return None
    from bounceproof.solver.concrete.directed import Directed
    from bounceproof.source.kernel.confirm import TreeKernel

    tree: object = model
    return Directed(tree, domain) if isinstance(tree, TreeKernel) else None


def _bounded(wanted: Hunt, why: str) -> Finding:
    """The question for small areas, the loop unrolled; none broken is no proof."""
    if wanted.domain.bound or wanted.prop in (Property.FINDS, Property.HALTS):
        return unanswered(wanted.prop, why, wanted.cells)
    small = replace(wanted.domain, bound=UNROLLED_SLOTS)
    try:
        found = hunt(replace(wanted, domain=small, anywhere=None))
    except NoClosedForm as error:
        return unanswered(wanted.prop, str(error), wanted.cells)
    if found.counterexample is not None:
        example = replace(found.counterexample, minimum=False)
        bound = f"asked for areas up to {UNROLLED_SLOTS} slots alone: {why}"
        note = bound if found.note is None else f"{found.note}; {bound}"
        return replace(found, counterexample=example, note=note)
    if found.verdict is not Verdict.HOLDS:
        return found
    reason = f"holds for areas up to {UNROLLED_SLOTS} slots; beyond: {why}"
    return replace(found, verdict=Verdict.UNKNOWN, reason=reason)
