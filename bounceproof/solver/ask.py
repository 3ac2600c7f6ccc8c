# SPDX-License-Identifier: GPL-2.0-only
"""The questions of ``check`` and ``prove``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import Cell, KernelModel, PoolKind, RunsHistories
from bounceproof.models.search import NoClosedForm, NoSearchRule, NotRead
from bounceproof.models.state import KernelState
from bounceproof.models.word import Truth
from bounceproof.solver.apart import ask_apart, parts_of, together
from bounceproof.solver.bounded import hunt_bounded
from bounceproof.solver.check import (
    Open,
    anywhere_question,
    cells_with_limits,
    empty_cell,
    found_in,
    hunt,
    hunt_where,
    placement_question,
    property_question,
    unfinished_question,
)
from bounceproof.solver.confirm import confirmer, shown_of, shows
from bounceproof.solver.domain import Domain, Variables
from bounceproof.solver.leftovers import with_leftovers
from bounceproof.solver.lists import with_lists
from bounceproof.solver.minimum import Point
from bounceproof.solver.own_slots import OwnSlots
from bounceproof.solver.properties import Property, applies, broken
from bounceproof.solver.started import as_started
from bounceproof.solver.tried import with_trials
from bounceproof.solver.verdict import (
    CellVerdict,
    Counterexample,
    Finding,
    Hunt,
    Question,
    Shown,
    Verdict,
    Watch,
    exit_code,
    numbered,
    overall,
    told,
    unwatched,
)

if TYPE_CHECKING:
    from bounceproof.solver.directed import Directed

UNROLLED_SLOTS = 256
RANKED = "a measure of the loop's own variables falls with each turn; no rule says more"
_OF_ITS_OWN = (
    Property.OWNED,
    Property.EXCLUSIVE,
    Property.INBOUNDS,
    Property.RETURNED,
    Property.CLEAN,
)
"""Properties of live mappings, whose slots must not be another's."""


@dataclass(frozen=True, slots=True)
class Checked:
    """``check``: one finding a property."""

    model: KernelModel
    domain: Domain
    findings: tuple[Finding, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells in which a question was put."""
        asked = (c for finding in self.findings for c in finding.cells)
        kept = (c.cell for c in asked if c.verdict is not Verdict.NO_REQUEST)
        return tuple(dict.fromkeys(kept))

    @property
    def empty(self) -> tuple[Cell, ...]:
        """The cells in which no request lies."""
        every = (c.cell for finding in self.findings for c in finding.cells)
        return tuple(dict.fromkeys(c for c in every if c not in self.cells))

    @property
    def name(self) -> str:
        return self.model.name

    def also_confirmed(
        self, run: Callable[[Counterexample], dict[str, Any]]
    ) -> Checked:
        """The findings with each counterexample run once more by ``run``.

        Another outcome than the one shown is a disagreement.
        """
        findings = tuple(_again(finding, run) for finding in self.findings)
        return Checked(self.model, self.domain, findings)

    @property
    def exit_code(self) -> int:
        return exit_code(finding.verdict for finding in self.findings)

    @property
    def holds_by_rule(self) -> bool:
        """Whether a property holds in a cell, one that a ranking does not show."""
        return any(_holds(f) for f in self.findings if RANKED not in (f.note or ""))

    @property
    def holds_by_ranking(self) -> bool:
        """Whether a search is shown to end by a ranking of its turns."""
        return any(_holds(f) for f in self.findings if RANKED in (f.note or ""))

    @property
    def verdict(self) -> Verdict:
        return overall(finding.verdict for finding in self.findings)


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


def _holds(finding: Finding) -> bool:
    return any(cell.verdict is Verdict.HOLDS for cell in finding.cells)


def _again(
    finding: Finding, run: Callable[[Counterexample], dict[str, Any]]
) -> Finding:
    if finding.counterexample is None:
        return finding
    outcome = run(finding.counterexample)
    if outcome == finding.counterexample.outcome:
        note = "compiled and run natively with the same outcome"
        notes = [note] if finding.note is None else [finding.note, note]
        return replace(finding, note="; ".join(notes))
    reason = f"run natively, the outcome is {outcome}"
    return replace(finding, verdict=Verdict.DISAGREE, confirmed=False, reason=reason)


def _unanswered(
    prop: Property, reason: str, cells: tuple[tuple[Cell, int], ...] = ()
) -> Finding:
    open_ = tuple(CellVerdict(*pair, Verdict.UNKNOWN, reason) for pair in cells)
    return Finding(prop, Verdict.UNKNOWN, open_, None, None, reason, None, 0.0)


def _ask(
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


def _ends(model: KernelModel) -> Callable[[Cell], bool]:
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


def _directed(model: KernelModel, domain: Domain) -> Directed | None:
    """A hunt in numbers, for a kernel that runs on its own code."""
    if isinstance(model, BuiltinKernel):
        return None
    from bounceproof.solver.directed import Directed
    from bounceproof.source.kernel.confirm import TreeKernel

    tree: object = model
    return Directed(tree, domain) if isinstance(tree, TreeKernel) else None


def _bounded(wanted: Hunt, why: str) -> Finding:
    """The question for small areas, the loop unrolled; none broken is no proof."""
    if wanted.domain.bound or wanted.prop in (Property.FINDS, Property.HALTS):
        return _unanswered(wanted.prop, why, wanted.cells)
    small = replace(wanted.domain, bound=UNROLLED_SLOTS)
    try:
        found = hunt(replace(wanted, domain=small, anywhere=None))
    except NoClosedForm as error:
        return _unanswered(wanted.prop, str(error), wanted.cells)
    if found.counterexample is not None:
        example = replace(found.counterexample, minimum=False)
        bound = f"asked for areas up to {UNROLLED_SLOTS} slots alone: {why}"
        note = bound if found.note is None else f"{found.note}; {bound}"
        return replace(found, counterexample=example, note=note)
    if found.verdict is not Verdict.HOLDS:
        return found
    reason = f"holds for areas up to {UNROLLED_SLOTS} slots; beyond: {why}"
    return replace(found, verdict=Verdict.UNKNOWN, reason=reason)


def _with_lists(model: KernelModel, found: Finding) -> Finding:
    """Of a tree, slots are a mapping's own only where its list[] is kept right."""
    asked = found.prop in _OF_ITS_OWN and found.verdict is Verdict.HOLDS
    if not asked or not isinstance(model, RunsHistories):
        return found
    return with_lists(model, found)


def check_kernel(
    model: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch = unwatched,
) -> Checked:
    """Ask every property of ``model`` over ``domain``, pages of each size apart.

    What depends on code that cannot be read is unknown, and the reason names it.
    """
    return _each((("", model),), domain, properties, seconds, watch)[0]


def _each(
    models: tuple[tuple[str, KernelModel], ...],
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch,
) -> list[Checked]:
    """:func:`check_kernel` of models with names, one process for all of them: what two
    kernels have in common is asked once."""
    domains = parts_of(domain, len(properties))
    if len(domains) > 1:

        def part(own: Domain, hears: Watch) -> tuple[Finding, ...]:
            checked = _each(models, own, properties, seconds, hears)
            return tuple(found for one in checked for found in one.findings)

        found = ask_apart(part, domains, watch)
        if found is not None:
            every = [together(list(parts)) for parts in zip(*found, strict=True)]
            many = len(properties)
            return [
                Checked(model, domain, tuple(every[at * many : (at + 1) * many]))
                for at, (_, model) in enumerate(models)
            ]
    return [
        _check(model, domain, properties, seconds, _share(watch, models, number))
        for number, (_, model) in enumerate(models)
    ]


def _share(
    watch: Watch, models: tuple[tuple[str, KernelModel], ...], number: int
) -> Watch:
    """``watch``, told of which model something is asked where there are several."""
    if len(models) == 1:
        return watch
    return told(watch, models[number][0], number, len(models))


def _check(
    model: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch,
) -> Checked:
    try:
        every = cells_with_limits(model, domain)
    except NotRead as reason:
        why = str(reason)
        unanswered = tuple(_unanswered(prop, why) for prop in properties)
        return Checked(model, domain, unanswered)
    findings: list[Finding] = []
    directed, ends = cache(partial(_directed, model, domain)), _ends(model)
    questions = sum(applies(p, c.path) for p in properties for c, _ in every)
    watch, own = numbered(watch, questions), OwnSlots(model)
    for prop in properties:
        cells = tuple(pair for pair in every if applies(prop, pair[0].path))
        if every and not cells:
            where = every[0][0].path.value
            findings.append(_unanswered(prop, f"{prop} is not asked on path {where}"))
            continue
        run, confirm = confirmer(prop, model)
        question = property_question(prop, model)
        wider = anywhere_question(prop, model)
        wanted = Hunt(prop, domain, cells, question, run, confirm, seconds, wider)
        wanted = replace(wanted, geometry=model.geometry)
        left = unfinished_question(prop, model)
        where_to = placement_question(model, domain)
        others = prop in _OF_ITS_OWN and not isinstance(model, BuiltinKernel)
        wanted = replace(wanted, unfinished=left, placeable=where_to, watch=watch)
        wanted = replace(wanted, among_others=others)
        try:
            found = with_leftovers(
                model, wanted, _with_lists(model, _ask(wanted, directed, ends))
            )
        except NotRead as reason:
            found = _unanswered(prop, str(reason), cells)
        found = own.checked(wanted, found)
        pages = {cell.page_size for cell, _ in cells}
        started = as_started(found, (model,), pages, wanted)
        findings.append(with_trials(model, domain, started))
    return Checked(model, domain, tuple(findings))


def check_state(
    state: KernelState, domain: Domain, properties: list[Property], seconds: float
) -> Checked:
    """Ask every property of a built-in state over ``domain``."""
    return check_kernel(BuiltinKernel(state), domain, properties, seconds)


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
    return as_started(_ask(hunted), (old, new), pages)


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
    before, after = _each(both, domain, properties, seconds, watch)
    asked = [found for found in after.findings if found.verdict is not Verdict.HOLDS]
    try:
        pairs = _paired_cells(base, kernel, domain)
    except NotRead as reason:
        open_ = tuple(_unanswered(found.prop, str(reason)) for found in asked)
        return Proved(before, after, open_)
    hears = told(watch, "what got worse")
    worse = [
        _right_before(base, found, pairs)
        or _worse(found.prop, base, kernel, domain, seconds, hears)
        for found in asked
    ]
    cells = {cell: theirs for cell, (theirs, _) in pairs.items()}
    return Proved(before, after, tuple(worse), cells)
