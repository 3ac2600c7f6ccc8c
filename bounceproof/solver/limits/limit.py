# SPDX-License-Identifier: GPL-2.0-only
"""The largest size that every request may have without breaking ``fits``.

For each cell the solver gives the smallest size that some request fails with; the
limit is one step less.  It is sound, as no smaller size fails, and tight, as the
request found fails in the simulator too.  A larger size may well fit again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from time import monotonic

from bounceproof.models.formulas.pools import lies_right
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import Cell, Path, PoolKind
from bounceproof.models.words.word import SIZE_T, Truth, Word
from bounceproof.solver.compare.differ_side import Side
from bounceproof.solver.contract.domain import Domain, Variables, variables
from bounceproof.solver.contract.properties import Property, broken
from bounceproof.solver.contract.verdict import NO_REQUEST, Verdict, Watch, unwatched
from bounceproof.solver.limits.limit_form import ClosedForm, Known, fit
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT, Answer, Query, Status, ask
from bounceproof.solver.smt.minimum import Point, minimise, point_of
from bounceproof.solver.trees.started import unproved_start

MASKS = (0xFFFF, 0xFFF, 0)
"""The min_align_masks asked about where none is given and the device allows more."""


def largest(geometry: SlotGeometry) -> int:
    """The largest size asked about, in bytes: more than a slot set never fits."""
    return 2 * geometry.set_bytes


class Areas(StrEnum):
    """Which areas a limit is for: one slot set alone is special to the search."""

    LARGER = "areas of two slot sets or more"
    ONE_SET = "areas of one slot set"
    GIVEN = "the areas given"
    OWN = "the pool made for the request"


@dataclass(frozen=True, slots=True)
class CellLimit:
    """One cell: the largest safe size, and the request that fails one step above.

    ``safe`` in bytes, None where no size up to :func:`largest` fails or the answer is
    unknown; ``used`` is the limit the driver uses.  ``sound``: no size up to ``safe``
    fails.  ``tight``: the request at ``point`` fails in the simulator too.  ``asked``:
    some request lies in the cell.
    """

    cell: Cell
    areas: Areas
    used: int
    safe: int | None
    point: Point | None
    sound: bool
    tight: bool
    reason: str | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Every cell's limit, and for each path and kind of area the form that fits all."""

    side: Side
    domain: Domain
    step: int
    cells: tuple[CellLimit, ...]
    forms: dict[tuple[Path, Areas], ClosedForm | None]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Broken where the driver's limit is above the safe one."""
        if any(c.point is not None and not c.tight for c in self.cells):
            return Verdict.DISAGREE
        if any(c.safe is not None and c.used > c.safe for c in self.cells):
            return Verdict.BROKEN
        asked = [c for c in self.cells if c.asked]
        if not asked or any(not c.sound for c in asked):
            return Verdict.UNKNOWN
        return Verdict.HOLDS


def cells_of(side: Side, domain: Domain) -> list[Cell]:
    """The cells asked about: every mask of :data:`MASKS` below the granule.

    A mask given, or the device's own where it is not nvme's, is asked about alone.
    """
    device = domain.device
    own = domain.min_align_mask is not None or device.min_align_mask is not None
    if own:
        return list(domain.cells(side.model))
    found = []
    for mask in MASKS:
        for cell in replace(domain, min_align_mask=mask).cells(side.model):
            if not cell.path.has_granule or mask < cell.granule:
                found.append(cell)
    return sorted(found, key=lambda c: (c.path.value, -c.page_size, -c.granule))


def _kinds(domain: Domain) -> tuple[Areas, ...]:
    if domain.pool_kind is PoolKind.TRANSIENT:
        return (Areas.OWN,)
    if domain.nslabs is not None or domain.nareas is not None:
        return (Areas.GIVEN,)
    return Areas.LARGER, Areas.ONE_SET


def _restricted(areas: Areas, space: Variables) -> Truth:
    slots, segsize = space.pool.area_nslabs, space.pool.geometry.segsize
    if areas is Areas.ONE_SET:
        return space.constraint & slots.eq(segsize)
    if areas is Areas.LARGER:
        return space.constraint & (slots > segsize)
    return space.constraint


@dataclass(slots=True)
class _Finder:
    side: Side
    domain: Domain
    step: int
    seconds: float

    def _asked(self, cell: Cell) -> tuple[Variables, Truth]:
        model = self.side.model
        geometry = model.geometry(cell.page_size)
        space = variables(self.domain, cell, largest(geometry), (), geometry)
        mapping = model.mapping(cell, space.request)
        placed = lies_right(model, cell, mapping, space.pool)
        return space, placed & broken(Property.FITS, model, cell, space)

    def find(self, cell: Cell, areas: Areas, guesses: set[int]) -> CellLimit:
        """The limit of one cell; ``guesses`` are likely failing sizes."""
        used = self.domain.device.max_size(self.side.model, cell)
        why = unproved_start(self.side.model, (cell.page_size,))
        if why is not None:
            return CellLimit(cell, areas, used, None, None, False, False, why)
        try:
            space, question = self._asked(cell)
        except NoClosedForm as error:
            return CellLimit(cell, areas, used, None, None, False, False, str(error))
        violation = _restricted(areas, space) & question
        size, reason, point = self._smallest(cell, space, violation, guesses)
        if reason is not None:
            return CellLimit(cell, areas, used, None, None, False, False, reason)
        if point is None:
            return self._none_fails(cell, areas, used, _restricted(areas, space))
        tight = self.side.shows(Property.FITS, cell, point)
        return CellLimit(cell, areas, used, size - self.step, point, True, tight)

    def _none_fails(
        self, cell: Cell, areas: Areas, used: int, domain: Truth
    ) -> CellLimit:
        """What to say where no request fails: is there any?"""
        name = f"limit domain page {cell.page_size} granule {cell.granule}"
        answer = ask(Query(name, domain), self.seconds)
        if answer.status is Status.SAT:
            return CellLimit(cell, areas, used, None, None, True, True)
        asked = answer.status is Status.UNKNOWN
        reason = (answer.reason or "no answer") if asked else NO_REQUEST
        return CellLimit(cell, areas, used, None, None, False, False, reason, asked)

    def _smallest(
        self, cell: Cell, space: Variables, violation: Truth, guesses: set[int]
    ) -> tuple[int, str | None, Point | None]:
        """The smallest failing size with its point, or a reason, or neither."""
        name = f"limit {cell.path} page {cell.page_size} granule {cell.granule}"
        size, fields = space.request.size, space.ordered()
        bound, point = largest(space.pool.geometry) + 1, None
        for guess in sorted(guesses):
            here = violation & size.eq(Word(guess, SIZE_T))
            answer = self._in_small_areas(f"{name}: likely size {guess}", here, space)
            if answer.model is not None:
                bound, point = guess, point_of(answer.model, fields)
                break
        below = violation & (size < Word(bound, SIZE_T))
        answer = ask(Query(name, below), self.seconds)
        if answer.status is Status.UNKNOWN:
            return bound, answer.reason or "no answer", None
        if answer.model is None:
            return bound, None, point
        found = minimise(name, below, {"size": size}, answer.model, self.seconds)
        if not found.proved:
            return bound, found.reason or "not proved smallest", None
        smallest = found.point["size"]
        here = violation & size.eq(Word(smallest, SIZE_T))
        answer = self._in_small_areas(f"{name}: tight", here, space)
        if answer.model is None:
            return smallest, answer.reason or "the smallest size lost its model", None
        return smallest, None, point_of(answer.model, fields)

    def _in_small_areas(self, name: str, question: Truth, space: Variables) -> Answer:
        """The answer to ``question``, in an area of few slots where there is one: what
        runs the request step by step is then done soon."""
        few = 4 * space.pool.geometry.segsize
        small = question & (space.pool.area_nslabs <= few)
        answer = ask(Query(name, small), self.seconds)
        if answer.model is not None:
            return answer
        return ask(Query(name, question), self.seconds)


def step_of(domain: Domain, path: Path, page_size: int) -> int:
    """Bytes from one size to the next."""
    step = domain.size_step or domain.device.size_step
    return max(step, page_size) if path is Path.ALLOC else step


def _likely(geometry: SlotGeometry, cell: Cell, step: int) -> int:
    """A failing size that spares the solver a search where it is the smallest."""
    mask = cell.min_align_mask
    return geometry.set_bytes - (mask + 1 if mask else 0) + step


def limits(
    side: Side,
    domain: Domain,
    seconds: float = DEFAULT_TIMEOUT,
    watch: Watch = unwatched,
) -> Limits:
    """The limit of every cell, and closed forms."""
    started = monotonic()
    found: list[CellLimit] = []
    seen: dict[tuple[object, ...], int] = {}
    cells = cells_of(side, domain)
    for number, cell in enumerate(cells, 1):
        watch(f"configuration {number}", number - 1, len(cells))
        step = step_of(domain, cell.path, cell.page_size)
        slots = side.model.geometry(cell.page_size)
        finder = _Finder(side, domain, step, seconds)
        for areas in _kinds(domain):
            alike = (
                (cell.path, areas, cell.granule, cell.min_align_mask),
                (cell.path, areas, cell.page_size, "any mask"),
            )
            guesses = {seen[key] for key in alike if key in seen}
            limit = finder.find(cell, areas, guesses | {_likely(slots, cell, step)})
            found.append(limit)
            if limit.safe is not None:
                seen |= dict.fromkeys(alike, limit.safe + step)
    forms = {
        key: _form(side, found, *key)
        for key in dict.fromkeys((limit.cell.path, limit.areas) for limit in found)
    }
    step = domain.size_step or domain.device.size_step
    return Limits(side, domain, step, tuple(found), forms, monotonic() - started)


def _form(
    side: Side, found: list[CellLimit], path: Path, areas: Areas
) -> ClosedForm | None:
    """The simplest expression that gives the limit of every cell, or None.

    The expressions are written for the slots that every release has.
    """
    wanted = [c for c in found if c.cell.path is path and c.areas is areas]
    sizes = {c.cell.page_size for c in wanted}
    if any(side.model.geometry(size) != MAINLINE for size in sizes):
        return None
    if any(c.safe is None for c in wanted):
        return None
    known = [
        Known(c.cell.page_size, c.cell.granule, c.cell.min_align_mask, c.safe or 0)
        for c in wanted
    ]
    return fit(known, path.has_granule)
