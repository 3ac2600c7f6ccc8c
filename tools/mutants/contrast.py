# SPDX-License-Identifier: GPL-2.0-only
"""A mutant beside its base in one cell: alike by construction, or unlike on a request.

A property notices a mutant where a request breaks it in one of the two and not in the
other; a request that a driver does not send, or a path that a kernel lacks, breaks
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache, reduce
from operator import or_
from typing import Any, cast

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import CONTRACT, LIVE, Property, applies
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState
from bounceproof.models.request import Cell, Mapping, Path, Request, SearchRule
from bounceproof.models.words.word import FALSE, SIZE_T, Truth, Word
from bounceproof.solver.answers.property import UNROLLED_SLOTS
from bounceproof.solver.compare.differ import PairedCell, paired_cells
from bounceproof.solver.compare.differ_kinds import Pair, absent, fares
from bounceproof.solver.compare.differ_side import side_of
from bounceproof.solver.contract.domain import Domain, Variables, variables
from bounceproof.solver.contract.properties import broken, broken_anywhere
from bounceproof.solver.smt.engine import Query, Status, ask
from tools.mutants.draws import drawn

CELLS, MAPS = "cells", "maps"
Parts = tuple[Word | Truth, ...]
ALL_EXTRAS = tuple(
    dict.fromkeys(name for clause in CONTRACT.values() for name in clause.symbols)
)


def judged(path: Path) -> list[Property]:
    """The properties asked on ``path`` whose breach the simulator can show there."""
    linked = path is Path.LINK
    kept = (p for p in Property if not linked or p not in LIVE)
    return [p for p in kept if applies(p, path)]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Base and mutant in one cell of ``domain``."""

    base: BuiltinKernel
    mutant: BuiltinKernel
    domain: Domain
    paired: PairedCell

    @property
    def limits(self) -> tuple[int, int]:
        return self.paired.limit_a, self.paired.limit_b

    @property
    def bounded(self) -> Contrast:
        """The same for small areas alone, where the loop can be unrolled."""
        return replace(self, domain=replace(self.domain, bound=UNROLLED_SLOTS))

    def sides(self) -> tuple[tuple[BuiltinKernel, Cell | None, int], ...]:
        """Base and mutant with their cell and their driver's limit in bytes."""
        (a, b), (first, second) = self.limits, (self.paired.a, self.paired.b)
        return (self.base, first, a), (self.mutant, second, b)

    def space(self, extra: tuple[str, ...]) -> Variables:
        """The symbols of the cell, for requests that either driver sends."""
        return variables(self.domain, self.paired.cell, max(self.limits), extra)

    def drawn(self) -> Variables:
        return drawn(self.domain, self.paired.cell, self.limits)

    def _reads(self, *names: str) -> bool:
        """Whether formulas of these names read what the mutant changes."""
        before, after = self.base.state.decisions(), self.mutant.state.decisions()
        read = reads(self.base.state, self.domain)
        points = frozenset[str]().union(*(read[name] for name in names))
        return any(before[point] != after[point] for point in points)

    def maps_alike(self) -> bool:
        """Whether limit, mapping and search are the same, and so every outcome."""
        if not self._reads(CELLS, MAPS):
            return True
        a, b = self.paired.a, self.paired.b
        if a is None or a != b or len(set(self.limits)) > 1:
            return False
        return _rules(self.base, a) == _rules(self.mutant, a) and self._alike(MAPS)

    def _parts(self, name: str) -> tuple[Parts, Parts]:
        """Base's and mutant's terms of one name; limits and masks must be the same."""
        cell, where = self.paired.cell, self.limits[0]
        mine = _parts(self.base, self.domain, cell, where, name)
        return mine, _parts(self.mutant, self.domain, cell, where, name)

    def _alike(self, name: str) -> bool:
        mine, theirs = self._parts(name)
        return len(mine) == len(theirs) and all(map(_identical, mine, theirs))

    def _ways(self, prop: Property) -> list[tuple[Truth, Truth]] | None:
        """Base's and mutant's ways to break ``prop``, those of a kind together.

        Ways that are one term in one kernel alone have no counterpart each: then all
        of a kernel together.  None where one kernel's ways say nothing.
        """
        mine, theirs = (cast(tuple[Truth, ...], parts) for parts in self._parts(prop))
        if len(mine) == len(theirs):
            return list(zip(mine, theirs, strict=True))
        if not mine or not theirs:
            return None
        return [(reduce(or_, mine), reduce(or_, theirs))]

    def same(self, prop: Property) -> bool:
        """Whether all that ``prop`` depends on is the same formula."""
        return self.maps_alike() and (not self._reads(prop) or self._alike(prop))

    def settled(self, prop: Property, seconds: float) -> bool:
        """Whether the solver proves from the parts alone that ``prop`` is the same.

        The parts of ``inbounds`` imply a breach and are not implied by one, so there
        both kernels must have none; those of the other properties say when there is.
        """
        ways = self._ways(prop) if self.maps_alike() else None
        if ways is None:
            return False
        requests = self.space(ALL_EXTRAS).constraint
        for a, b in ways:
            unlike = a | b if prop is Property.INBOUNDS else (a & ~b) | (b & ~a)
            if _identical(a, b):
                continue
            answer = ask(Query(f"{prop} from its parts", requests & unlike), seconds)
            if answer.status is not Status.UNSAT:
                return False
        return True

    def breaks(self, prop: Property, space: Variables) -> tuple[Truth, Truth]:
        """When a request of ``space`` breaks ``prop`` in the base, and in the mutant.

        Raises NoClosedForm.
        """
        first, second = (_breaks(prop, *side, space) for side in self.sides())
        return first, second

    def outcomes(self, space: Variables) -> Truth:
        """When the outcome, or whether it is sent, is another in the mutant.

        Raises NoClosedForm.
        """
        pair = Pair(*(_fares(*side, space) for side in self.sides()))
        return space.constraint & pair.differs()


class _Watched:
    """A kernel state that keeps note of the decision points that are read."""

    def __init__(self, state: KernelState) -> None:
        self.plain = state
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.plain, name)


def watched(state: KernelState) -> tuple[BuiltinKernel, set[str]]:
    """A kernel of ``state``, and the decision points read of it, as they are read."""
    watching = _Watched(state)
    return BuiltinKernel(cast(KernelState, watching)), watching.read


class _Live(BuiltinKernel):
    """A watched kernel of which mapping and search are read without notice."""

    @property
    def _plain(self) -> BuiltinKernel:
        return BuiltinKernel(cast(_Watched, self.state).plain)

    def mapping(self, cell: Cell, request: Request) -> Mapping:
        return self._plain.mapping(cell, request)

    def alloc_align_masks(self, cell: Cell) -> tuple[int, ...]:
        return self._plain.alloc_align_masks(cell)

    def search_rule(self, cell: Cell, alloc_align_mask: int, large: bool) -> SearchRule:
        return self._plain.search_rule(cell, alloc_align_mask, large)


@lru_cache(maxsize=4096)
def reads(state: KernelState, domain: Domain) -> dict[str, frozenset[str]]:
    """The decision points that formulas of ``domain`` read in ``state``, by name:
    :data:`CELLS` which cells there are and their limits, :data:`MAPS` mapping and
    search, and what each property needs besides.

    Another value of any other decision point cannot change an answer there.
    """
    model, read = watched(state)
    found: dict[str, set[str]] = {name: set() for name in (CELLS, MAPS, *Property)}

    def keep(name: str) -> None:
        found[name] |= read & set(DECISION_POINTS)
        read.clear()

    for cell in domain.cells(model):
        limit = domain.device.max_size(model, cell)
        keep(CELLS)
        _rules(model, cell)
        _parts.__wrapped__(model, domain, cell, limit, MAPS)
        keep(MAPS)
        for prop in judged(cell.path):
            _parts.__wrapped__(_Live(model.state), domain, cell, limit, prop)
            keep(prop)
    keep(CELLS)
    return {name: frozenset(points) for name, points in found.items()}


def contrasts(
    base: BuiltinKernel, mutant: BuiltinKernel, domain: Domain
) -> Iterator[Contrast]:
    """Base and mutant in every cell of ``domain`` that one of them has."""
    for paired in paired_cells(side_of(base), side_of(mutant), domain):
        yield Contrast(base, mutant, domain, paired)


def _fares(
    model: BuiltinKernel, cell: Cell | None, limit: int, space: Variables
) -> Any:
    if cell is None:
        return absent(limit, space)
    return fares(model, cell, limit, space, ())


def _breaks(
    prop: Property,
    model: BuiltinKernel,
    cell: Cell | None,
    limit: int,
    space: Variables,
) -> Truth:
    if cell is None:
        return FALSE
    sent = space.request.size <= Word(limit, SIZE_T)
    return space.constraint & sent & broken(prop, model, cell, space)


def _told(rule: SearchRule) -> SearchRule:
    """``rule`` without what it only reports."""
    return replace(rule, alloc_align_mask=0, iotlb_align_mask=0)


def _rules(model: BuiltinKernel, cell: Cell) -> list[tuple[int, SearchRule]]:
    return [
        (mask, _told(model.search_rule(cell, mask, large)))
        for mask in model.alloc_align_masks(cell)
        for large in (False, True)
    ]


@lru_cache(maxsize=4096)
def _parts(
    model: BuiltinKernel, domain: Domain, cell: Cell, limit: int, name: str
) -> Parts:
    """The terms from which, with the rules, all formulas of a cell are built.

    Those of the mapping, on which all depend, or those of one property.
    """
    space = variables(domain, cell, limit, ALL_EXTRAS)
    if name == MAPS:
        mapping = model.mapping(cell, space.request)
        return tuple(getattr(mapping, field.name) for field in fields(mapping))
    prop = Property(name)
    return broken_anywhere(prop, model, cell, space) if prop in LIVE else ()


def _identical(mine: Word | Truth, theirs: Word | Truth) -> bool:
    """Whether both are the same number or the same term."""
    a, b = mine.raw, theirs.raw
    if isinstance(a, int) or isinstance(b, int):
        return type(a) is type(b) and bool(a == b)
    return bool(a.eq(b))
