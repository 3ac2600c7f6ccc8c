# SPDX-License-Identifier: GPL-2.0-only
"""What a smallest counterexample alone would hide: how far the trouble reaches.

A remark that names a request is confirmed as a counterexample is; one about all
requests is proved by a query, and tried on a request that it is about.  What does not
pass is not said.
"""

from __future__ import annotations

from bounceproof.models.request import Cell, Path, PoolKind
from bounceproof.models.words.word import Truth
from bounceproof.solver.contract.domain import Variables
from bounceproof.solver.contract.verdict import Hunt
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point, minimise, point_of

FEW_SETS = 4
"""Slot sets of an area that is soon run through."""


def narrow(hunt: Hunt, cell: Cell, point: Point) -> str | None:
    """A note on address 0 or areas of one slot set, where the point has them."""
    notes = [_beyond_address_zero(hunt, cell, point), _larger_areas(hunt, cell, point)]
    return "; ".join(note for note in notes if note is not None) or None


def _impossible(
    hunt: Hunt, cell: Cell, space: Variables, extra: Truth, name: str
) -> bool:
    """Whether the solver shows that nothing in ``extra`` breaks the property, and a
    request there, where there is one, does not break it when it is run."""
    here = space.constraint & extra
    answer = ask(Query(name, here & hunt.question(cell, space)), hunt.seconds)
    if answer.status is not Status.UNSAT:
        return False
    segsize = hunt.geometry(cell.page_size).segsize
    few = space.pool.area_nslabs <= FEW_SETS * segsize
    some = ask(Query(f"{name}: a request", here & few), hunt.seconds)
    if some.model is None:
        return some.status is Status.UNSAT
    return not hunt.confirm(cell, point_of(some.model, space.ordered()))


def _beyond_address_zero(hunt: Hunt, cell: Cell, point: Point) -> str | None:
    fixed = hunt.domain.orig_addr is not None
    if point["orig_addr"] or fixed or cell.path is Path.ALLOC:
        return None
    name = f"{hunt.prop} beyond orig_addr 0"
    for other, limit in sorted(hunt.cells, key=lambda pair: pair[0] != cell):
        space = hunt.space(other, limit)
        elsewhere = space.request.orig_addr.ne(0)
        if _impossible(hunt, other, space, elsewhere, name):
            continue
        violation = space.constraint & elsewhere & hunt.question(other, space)
        return _another(hunt, other, space, violation, name)
    return "only orig_addr 0 breaks it"


def _another(
    hunt: Hunt, cell: Cell, space: Variables, violation: Truth, name: str
) -> str | None:
    """The smallest request of ``violation``, where running it shows the violation."""
    answer = ask(Query(name, violation), hunt.seconds)
    if answer.model is None:
        return None
    fields = space.ordered()
    found = minimise(name, violation, fields, answer.model, hunt.seconds)
    return _also(cell, found.point) if hunt.confirm(cell, found.point) else None


def _also(cell: Cell, point: Point) -> str:
    granule = f", granule {cell.granule >> 10}K" if cell.path.has_granule else ""
    return (
        f"not only at orig_addr 0: {point['size']} bytes at {point['orig_addr']:#x} "
        f"break it too, with start index {point['start_index']}, path "
        f"{cell.path.value}{granule}, {cell.page_size >> 10}K pages"
    )


def _larger_areas(hunt: Hunt, found: Cell, point: Point) -> str | None:
    segsize = hunt.geometry(found.page_size).segsize
    fixed = hunt.domain.nslabs is not None and hunt.domain.nareas is not None
    fixed = fixed or hunt.domain.pool_kind is PoolKind.TRANSIENT
    bounded = bool(hunt.domain.bound)
    if fixed or bounded or point["area_nslabs"] != segsize:
        return None
    for cell, limit in hunt.cells:
        if hunt.geometry(cell.page_size).segsize != segsize:
            return None
        space = hunt.space(cell, limit)
        larger = space.pool.area_nslabs > segsize
        name = f"{hunt.prop} in larger areas"
        if not _impossible(hunt, cell, space, larger, name):
            return None
    return (
        "only an area of one slot set breaks it: it holds from "
        f"{2 * segsize} slots an area on"
    )
