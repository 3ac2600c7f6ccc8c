# SPDX-License-Identifier: GPL-2.0-only
"""Among equally small requests, one that fails from every start index comes first.

A request that fails from one index of many is met once in a while; one that fails from
every index is met each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bounceproof.models.request import Cell, PoolKind
from bounceproof.models.words.word import Word
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Hunt
from bounceproof.solver.smt.minimum import Minimum
from bounceproof.solver.smt.universal import Undecided, Universal

_OF_AN_EMPTY_POOL = frozenset(Property) - {Property.FINDS, Property.HALTS}
"""Properties that a request breaks in a pool that does not depend on the index."""
_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Best:
    """The smallest counterexample so far: its cell, the limit there in bytes, and
    whether it is one from every start index."""

    cell: Cell
    limit: int
    found: Minimum
    every_index: bool = False


def prefer_every_index(
    hunt: Hunt, best: Best, broken: Iterable[tuple[Cell, int]]
) -> Best:
    """One of the same size that breaks it from every start index, or ``best``.

    ``broken`` are the cells, with their limits in bytes, in which one is known.
    """
    domain = hunt.domain
    if hunt.prop not in _OF_AN_EMPTY_POOL or domain.start_index is not None:
        return best
    if domain.bound or domain.pool_kind is PoolKind.TRANSIENT:
        return best
    if not best.found.proved:
        return best
    try:
        asked = _asked(hunt, best.cell, best.limit, best.found.point["size"])
        if not asked.possible():
            return best
        if asked.contradiction(best.found.point) is None:
            return replace(best, every_index=True)
        return _smallest(hunt, best, broken)
    except Undecided:
        return best


def _smallest(hunt: Hunt, best: Best, broken: Iterable[tuple[Cell, int]]) -> Best:
    found: list[Best] = []
    for cell, limit in broken:
        asked = _asked(hunt, cell, limit, best.found.point["size"])
        smallest = asked.smallest() if asked.possible() else None
        if smallest is not None and hunt.confirm(cell, smallest.point):
            proved = best.found.proved and smallest.proved
            known = Minimum(smallest.point, proved, smallest.reason)
            found.append(Best(cell, limit, known, every_index=True))
    return min(found, key=_place, default=best)


def _place(best: Best) -> tuple[int, ...]:
    point = best.found.point
    return point["orig_addr"], point["start_index"]


def _asked(hunt: Hunt, cell: Cell, limit: int, size: int) -> Universal:
    space = hunt.space(cell, limit)
    fields, pool = space.ordered(), space.pool
    asked = space.constraint & hunt.question(cell, space)
    asked = asked & fields["size"].eq(Word(size, fields["size"].ctype))
    within = pool.start_index < pool.area_nslabs
    name = f"{hunt.prop} {cell.path} page {cell.page_size} granule {cell.granule}"
    seconds = min(hunt.seconds, _SECONDS)
    return Universal(name, asked, within, "start_index", fields, seconds)
