# SPDX-License-Identifier: GPL-2.0-only
"""What notices one mutant: the first property that does, or an outcome, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell
from bounceproof.models.words.word import Truth
from bounceproof.solver.compare.differ import PairedCell
from bounceproof.solver.compare.differ_sample import column
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import broken_anywhere
from bounceproof.solver.counterexample.confirm import shows
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point, point_of
from tools.mutants.cells import domains
from tools.mutants.contrast import Contrast, contrasts, judged, reads
from tools.mutants.draws import drawn, points
from tools.mutants.effect import Effect
from tools.mutants.values import Mutant

SECONDS = 300.0
TRIES = 4


@dataclass(frozen=True, slots=True)
class Noticed:
    """One mutant's fate.

    ``cell`` and ``point`` are where and on which request, None where there is none;
    ``why`` says what stayed open on the way.
    """

    mutant: Mutant
    effect: Effect
    prop: Property | None = None
    device: str | None = None
    cell: Cell | None = None
    point: Point | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A property in one cell: the drawn requests, and which break it on each side."""

    prop: Property
    contrast: Contrast
    space: Variables
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]

    @property
    def rank(self) -> int:
        """Where one side may hold altogether, the property comes first."""
        if not self.before.any():
            return 0
        return 2 if self.after.any() else 1

    def ways(self) -> tuple[tuple[int, NDArray[np.bool_]], ...]:
        """Requests that break it in the mutant alone (1), in the base alone (-1)."""
        return (1, self.after & ~self.before), (-1, self.before & ~self.after)


@dataclass(slots=True)
class _Study:
    """The search for what notices ``mutant``.

    ``open`` are questions without an answer, ``unasked`` those that no formula puts,
    ``left`` those that random requests leave to the solver, ``unlike`` the cells in
    which outcomes may differ.
    """

    mutant: Mutant
    open: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    left: list[tuple[Contrast, Property]] = field(default_factory=list)
    unlike: list[Contrast] = field(default_factory=list)

    def run(self) -> Noticed:
        base = BuiltinKernel(self.mutant.base)
        kernel = BuiltinKernel(self.mutant.state)
        for domain in domains():
            read = reads(self.mutant.base, domain).values()
            if not any(self.mutant.point in points for points in read):
                continue
            for contrast in contrasts(base, kernel, domain):
                if not contrast.maps_alike():
                    self.unlike.append(contrast)
                found = self._sampled(contrast)
                if found is not None:
                    return found
        return self._solved() or self._outcome()

    def _sampled(self, contrast: Contrast) -> Noticed | None:
        """A property that random requests of the cell tell the two apart by."""
        seen = []
        for prop in judged(contrast.paired.cell.path):
            if contrast.same(prop) or contrast.settled(prop, SECONDS):
                continue
            drawn = _seen(prop, contrast) or _seen(prop, contrast.bounded)
            if drawn is None:
                self.unasked.append(f"{_name(contrast, prop)}: no closed form")
            else:
                seen.append(drawn)
        for one in sorted(seen, key=lambda one: one.rank):
            for sign, chosen in one.ways():
                for point in points(one.space, chosen, TRIES):
                    if _confirmed(one.prop, one.contrast, point, sign):
                        return self._told(one.prop, one.contrast, point, sign)
                    self._unconfirmed(one.prop, one.contrast, point)
        self.left += [(one.contrast, one.prop) for one in seen]
        return None

    def _unconfirmed(self, prop: Property, contrast: Contrast, point: Point) -> None:
        self.open.append(f"{_name(contrast, prop)}: not confirmed: {point}")

    def _solved(self) -> Noticed | None:
        """A request that the random ones missed, asked of the solver."""
        for contrast, prop in self.left:
            space = contrast.space(CONTRACT[prop].symbols)
            before, after = contrast.breaks(prop, space)
            if _equal(before, after):
                continue
            if _holds(prop, contrast, 0) and _holds(prop, contrast, 1):
                continue
            name = _name(contrast, prop)
            unlike = (after & ~before) | (before & ~after)
            answer = ask(Query(name, unlike), SECONDS)
            if answer.model is not None:
                point = point_of(answer.model, space.ordered())
                for sign in (1, -1):
                    if _confirmed(prop, contrast, point, sign):
                        return self._told(prop, contrast, point, sign)
                self._unconfirmed(prop, contrast, point)
            elif answer.status is Status.UNKNOWN:
                self.open.append(answer.reason or name)
            if contrast.domain.bound:
                self.open.append(f"{name}: asked of small areas alone")
        return None

    def _told(
        self, prop: Property, contrast: Contrast, point: Point, sign: int
    ) -> Noticed:
        effect = Effect.WORSE if sign > 0 else Effect.BETTER
        if _holds(prop, contrast, 0 if sign > 0 else 1):
            effect = Effect.BREAKS if sign > 0 else Effect.MENDS
        return self._noticed(effect, prop, contrast, point)

    def _noticed(
        self, effect: Effect, prop: Property | None, contrast: Contrast, point: Point
    ) -> Noticed:
        name, cell = contrast.domain.device.name, contrast.paired.cell
        why = tuple(dict.fromkeys(self.open))
        return Noticed(self.mutant, effect, prop, name, cell, point, why)

    def _outcome(self) -> Noticed:
        """No property differs: does an outcome?"""
        why = tuple(dict.fromkeys([*self.open, *self.unasked]))
        if why:
            return Noticed(self.mutant, Effect.UNDECIDED, why=why)
        for contrast in self.unlike:
            point = _outcome_differs(contrast)
            if point is not None:
                return self._noticed(Effect.OUTCOME, None, contrast, point)
        return Noticed(self.mutant, Effect.NOTHING)


def notice(mutant: Mutant) -> Noticed:
    """What notices ``mutant``: properties first, in every cell, then outcomes."""
    return _Study(mutant).run()


def _name(contrast: Contrast, prop: Property | None) -> str:
    cell, device = contrast.paired.cell, contrast.domain.device.name
    return (
        f"{prop} {device} {cell.path} page {cell.page_size} granule {cell.granule} "
        f"mask {cell.min_align_mask:#x}"
    )


_drawn = lru_cache(maxsize=64)(drawn)


def _space(contrast: Contrast) -> Variables:
    return _drawn(contrast.domain, contrast.paired.cell, contrast.limits)


def _seen(prop: Property, contrast: Contrast) -> _Seen | None:
    """The drawn requests of the cell, judged; None where there is no formula."""
    space = _space(contrast)
    try:
        before, after = contrast.breaks(prop, space)
    except NoClosedForm:
        return None
    return _Seen(prop, contrast, space, column(before.raw), column(after.raw))


def _confirmed(prop: Property, contrast: Contrast, point: Point, sign: int) -> bool:
    """Whether the simulator shows the breach on one side and not on the other."""
    shown = [
        cell is not None and point["size"] <= limit and shows(prop, model, cell, point)
        for model, cell, limit in contrast.sides()
    ]
    return shown == ([False, True] if sign > 0 else [True, False])


def _equal(before: Truth, after: Truth) -> bool:
    a, b = before.raw, after.raw
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a.eq(b))


def _holds(prop: Property, contrast: Contrast, which: int) -> bool:
    """Whether the solver proves ``prop`` of one side over the whole cell."""
    model, cell, limit = contrast.sides()[which]
    if cell is None:
        return True
    nameless = BuiltinKernel(model.state.with_(""))
    return _proved(prop, nameless, contrast.domain, cell, limit)


@cache
def _proved(
    prop: Property, model: BuiltinKernel, domain: Domain, cell: Cell, limit: int
) -> bool:
    if domain.bound:
        return False
    alone = Contrast(model, model, domain, PairedCell(cell, cell, limit, limit))
    seen = _seen(prop, alone)
    if seen is None or seen.before.any():
        return False
    space = alone.space(CONTRACT[prop].symbols)
    name = f"{_name(alone, prop)}: holds"
    ways = broken_anywhere(prop, model, cell, space)
    if ways and all(_never(space.constraint & way, name) for way in ways):
        return True
    return _never(alone.breaks(prop, space)[0], name)


def _never(truth: Truth, name: str) -> bool:
    return ask(Query(name, truth), SECONDS).status is Status.UNSAT


def _outcome_differs(contrast: Contrast) -> Point | None:
    """A request whose outcome is another, as the simulator shows it."""
    space = _space(contrast)
    for point in points(space, column(contrast.outcomes(space).raw), 1):
        return point
    symbols = contrast.space(())
    answer = ask(Query(_name(contrast, None), contrast.outcomes(symbols)), SECONDS)
    return None if answer.model is None else point_of(answer.model, symbols.ordered())
