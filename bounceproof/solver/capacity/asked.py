# SPDX-License-Identifier: GPL-2.0-only
"""A question about a pool: what is mapped, where, and what came before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.capacity.blocking import (
    Places,
    anywhere,
    gaps_missed,
    reached,
    single,
)
from bounceproof.models.capacity.mix import Group, Shape
from bounceproof.models.capacity.shapes import shapes_of
from bounceproof.models.kernels.state import Areas
from bounceproof.models.request import KernelModel
from bounceproof.solver.capacity.budget import Puzzle
from bounceproof.source.kernel.kernel import SourceKernel


class Before(StrEnum):
    """What may have come before: anything at all, or nothing but the mix.

    What came before is over: none of it is live but mappings of the mix.
    """

    ANYTHING = "anything"
    MIX = "nothing but the mix"


@dataclass(frozen=True, slots=True)
class Asked:
    """``groups`` of mappings on a pool of ``nslabs`` slots in ``nareas`` areas.

    ``pool_start`` None: at any page.  ``native``: histories of a tree are run on its
    own compiled code; else none is.
    """

    model: KernelModel
    groups: tuple[Group, ...]
    nslabs: int
    nareas: int
    pool_start: int | None = None
    native: bool = False

    @property
    def page_size(self) -> int:
        return self.groups[0].cell.page_size

    @property
    def segsize(self) -> int:
        """Slots of a slot set."""
        return self.model.geometry(self.page_size).segsize

    @property
    def sets(self) -> int:
        """Slot sets of the pool."""
        return self.nslabs // self.segsize

    @property
    def sets_of_area(self) -> int:
        """Slot sets of each area."""
        return self.sets // self.nareas

    @property
    def counts(self) -> tuple[int, ...]:
        """The most live mappings, by group."""
        return tuple(group.count for group in self.groups)

    def with_pool(self, nslabs: int, nareas: int) -> Asked:
        """The same mix on another pool."""
        return replace(self, nslabs=nslabs, nareas=nareas)

    def pool_starts(self) -> tuple[int, ...]:
        """Where the pool is looked at: one place for each way that it matters."""
        if self.pool_start is not None:
            return (self.pool_start,)
        known: Any = self.model
        return _starts(known, self.groups)

    def shapes(self, pool_start: int) -> tuple[Shape, ...]:
        """The mix's shapes in a pool at ``pool_start``."""
        known: Any = self.model
        return _shapes(known, self.groups, pool_start)


@lru_cache(maxsize=256)
def _shapes(
    model: Any, groups: tuple[Group, ...], pool_start: int
) -> tuple[Shape, ...]:
    return shapes_of(model, groups, pool_start)


@lru_cache(maxsize=16)
def _starts(model: Any, groups: tuple[Group, ...]) -> tuple[int, ...]:
    page = groups[0].cell.page_size
    first, largest = 1 << 31, model.geometry(page).set_bytes
    seen: dict[tuple[tuple[int, ...], ...], int] = {}
    for start in range(first, first + largest, page):
        seen.setdefault(_kinds(_shapes(model, groups, start)), start)
    return tuple(seen.values())


def _kinds(shapes: tuple[Shape, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple((s.nslots, s.first, s.period, s.short, s.group) for s in shapes)


def victims(shapes: tuple[Shape, ...]) -> list[Shape]:
    """The shapes that fail first: of those alike but for their slots, the largest."""
    found: dict[tuple[int, ...], Shape] = {}
    for shape in shapes:
        key = (shape.first, shape.period, shape.short, shape.group)
        if key not in found or found[key].nslots < shape.nslots:
            found[key] = shape
    return sorted(found.values(), reverse=True)


@lru_cache(maxsize=64)
def places_of(shapes: tuple[Shape, ...], before: Before, segsize: int) -> Places:
    """Where mappings of the mix may lie."""
    found = anywhere if before is Before.ANYTHING else reached
    return Places(tuple(found(shapes, segsize)), segsize)


def puzzle(
    victim: Shape, places: Places, before: Before, sets: int, groups: int
) -> Puzzle:
    """To leave ``victim`` no room in an area of ``sets`` slot sets."""
    ends = places.each
    if before is Before.ANYTHING:
        ends = tuple(anywhere([single()], places.segsize))
    missed = gaps_missed(victim, ends, places.segsize, sets)
    return Puzzle(victim, places, tuple(missed), groups)


def has_areas(model: KernelModel) -> bool:
    """Whether the kernel divides pools into areas."""
    if isinstance(model, BuiltinKernel):
        return model.state.areas is not Areas.SINGLE
    assert isinstance(model, SourceKernel)
    return "io_tlb_area" in model.program(4096).structs
