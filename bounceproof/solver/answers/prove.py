# SPDX-License-Identifier: GPL-2.0-only
"""What ``prove`` asks: a base, a kernel, and what got worse between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bounceproof.models.formulas.search import NotRead
from bounceproof.models.request import Cell, KernelModel, PoolKind
from bounceproof.models.words.word import Truth
from bounceproof.solver.answers.check import Checked, check_each, check_kernel
from bounceproof.solver.answers.property import (
    ask_property,
    unanswered,
)
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import Property, applies, broken
from bounceproof.solver.contract.verdict import (
    CellVerdict,
    Finding,
    Hunt,
    Question,
    Shown,
    Verdict,
    Watch,
    exit_code,
    told,
    unwatched,
)
from bounceproof.solver.counterexample.confirm import shown_of, shows
from bounceproof.solver.counterexample.find import (
    cells_with_limits,
    placement_question,
)
from bounceproof.solver.smt.minimum import Point
from bounceproof.solver.trees.started import as_started


@dataclass(frozen=True, slots=True)
class Proved:
    """``prove``: the base, the kernel, and what the base handles better.

    ``worse`` has a finding for each property, broken where some request fares worse.
    ``pairs``: the kernel's cells with the base's that have the same requests.
    """

    base: Checked
    kernel: Checked
    worse: tuple[Finding, ...]
    pairs: dict[Cell, Cell] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        ours = [f for f in self.base.findings if f.verdict is Verdict.DISAGREE]
        every = (*self.kernel.findings, *self.worse, *ours)
        return exit_code(finding.verdict for finding in every)


def _paired_cells(
    base: KernelModel, kernel: KernelModel, domain: Domain
) -> dict[Cell, tuple[Cell, int]]:
    """Kernel cell to base cell, and the smaller of the two limits.

    Cells that the base does not have are left out.
    """
    before = {
        (cell.page_size, cell.granule, cell.path, index): (cell, limit)
        for index, (cell, limit) in _numbered(cells_with_limits(base, domain))
    }
    pairs = {}
    for index, (cell, limit) in _numbered(cells_with_limits(kernel, domain)):
        key = (cell.page_size, cell.granule, cell.path, index)
        if key in before:
            theirs, other = before[key]
            pairs[cell] = theirs, min(limit, other)
    return pairs


def _numbered(
    cells: tuple[tuple[Cell, int], ...],
) -> list[tuple[int, tuple[Cell, int]]]:
    """Cells with their place among those of the same page, granule and path."""
    seen: dict[tuple[int, int, str], int] = {}
    numbered = []
    for cell, limit in cells:
        key = (cell.page_size, cell.granule, cell.path.value)
        seen[key] = seen.get(key, -1) + 1
        numbered.append((seen[key], (cell, limit)))
    return numbered


def _right_before(
    old: KernelModel, found: Finding, pairs: dict[Cell, tuple[Cell, int]]
) -> Finding | None:
    """The kernel's own counterexample, where running it in the base shows it right.

    It is the smallest that got worse where it is the smallest of all.
    """
    example = found.counterexample
    if example is None or not found.confirmed or example.cell not in pairs:
        return None
    cell, limit = pairs[example.cell]
    if example.point["size"] > limit or cell.pool_kind is PoolKind.TRANSIENT:
        return None
    if shows(found.prop, old, cell, example.point):
        return None
    cells = (CellVerdict(example.cell, limit, Verdict.BROKEN),)
    return replace(found, verdict=Verdict.BROKEN, cells=cells, reason=None, note=None)


def _worse(
    prop: Property,
    old: KernelModel,
    new: KernelModel,
    domain: Domain,
    seconds: float,
    watch: Watch = unwatched,
) -> Finding:
    """A request that both drivers may send, that breaks ``prop`` in ``new`` alone."""
    pairs = _paired_cells(old, new, domain)

    def question(cell: Cell, space: Variables) -> Truth:
        was = broken(prop, old, pairs[cell][0], space)
        return broken(prop, new, cell, space) & ~was

    def run(cell: Cell, point: Point) -> Shown:
        return shown_of(prop, new, cell, point)

    def confirm(cell: Cell, point: Point) -> bool:
        now = shows(prop, new, cell, point)
        return now and not shows(prop, old, pairs[cell][0], point)

    cells = tuple(
        (cell, limit) for cell, (_, limit) in pairs.items() if applies(prop, cell.path)
    )
    spot = _both_placements(old, new, pairs, domain)
    hunted = Hunt(prop, domain, cells, question, run, confirm, seconds)
    hunted = replace(hunted, placeable=spot, watch=watch, geometry=new.geometry)
    pages = {cell.page_size for cell, _ in cells}
    return as_started(ask_property(hunted), (old, new), pages)


def _both_placements(
    old: KernelModel,
    new: KernelModel,
    pairs: dict[Cell, tuple[Cell, int]],
    domain: Domain,
) -> Question | None:
    """Where both kernels can have put the pool that each makes for the request."""
    one, other = placement_question(old, domain), placement_question(new, domain)
    if one is None or other is None:
        return None

    def question(cell: Cell, space: Variables) -> Truth:
        return one(pairs[cell][0], space) & other(cell, space)

    return question


def prove_kernel(
    base: KernelModel,
    kernel: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch = unwatched,
) -> Proved:
    """Ask base and kernel, and what got worse between them."""
    if base == kernel:
        only = check_kernel(base, domain, properties, seconds, watch)
        return Proved(only, only, ())
    both = (("base", base), ("kernel", kernel))
    before, after = check_each(both, domain, properties, seconds, watch)
    asked = [found for found in after.findings if found.verdict is not Verdict.HOLDS]
    try:
        pairs = _paired_cells(base, kernel, domain)
    except NotRead as reason:
        open_ = tuple(unanswered(found.prop, str(reason)) for found in asked)
        return Proved(before, after, open_)
    hears = told(watch, "what got worse")
    worse = [
        _right_before(base, found, pairs)
        or _worse(found.prop, base, kernel, domain, seconds, hears)
        for found in asked
    ]
    cells = {cell: theirs for cell, (theirs, _) in pairs.items()}
    return Proved(before, after, tuple(worse), cells)
