# SPDX-License-Identifier: GPL-2.0-only
"""What a smallest counterexample alone would hide: how far the trouble reaches."""

from __future__ import annotations

from bounceproof.models.request import Cell, Path, PoolKind
from bounceproof.models.word import Truth
from bounceproof.solver.domain import Variables
from bounceproof.solver.engine import Query, Status, ask
from bounceproof.solver.minimum import Point, minimise
from bounceproof.solver.verdict import Hunt


def narrow(hunt: Hunt, cell: Cell, point: Point) -> str | None:
    """A note on address 0 or areas of one slot set, where the point has them."""
    notes = [_beyond_address_zero(hunt, cell, point), _larger_areas(hunt, cell, point)]
    return "; ".join(note for note in notes if note is not None) or None


def _violation(hunt: Hunt, cell: Cell, space: Variables, extra: Truth) -> Truth:
    return space.constraint & extra & hunt.question(cell, space)


def _beyond_address_zero(hunt: Hunt, cell: Cell, point: Point) -> str | None:
    fixed = hunt.domain.orig_addr is not None
    if point["orig_addr"] or fixed or cell.path is Path.ALLOC:
        return None
    for other, limit in sorted(hunt.cells, key=lambda pair: pair[0] != cell):
        space = hunt.space(other, limit)
        violation = _violation(hunt, other, space, space.request.orig_addr.ne(0))
        name = f"{hunt.prop} beyond orig_addr 0"
        answer = ask(Query(name, violation), hunt.seconds)
        if answer.status is Status.UNKNOWN:
            return None
        if answer.model is not None:
            fields = space.ordered()
            found = minimise(name, violation, fields, answer.model, hunt.seconds)
            return _also(other, found.point)
    return "only orig_addr 0 breaks it: the search takes 0 for no address"


def _also(cell: Cell, point: Point) -> str:
    return (
        f"not only at orig_addr 0, which the search takes for no address: "
        f"{point['size']} bytes at {point['orig_addr']:#x} break it too, with start "
        f"index {point['start_index']}, page {cell.page_size}, path {cell.path.value}, "
        f"granule {cell.granule}"
    )


def _larger_areas(hunt: Hunt, found: Cell, point: Point) -> str | None:
    segsize = hunt.geometry(found.page_size).segsize
    fixed = hunt.domain.nslabs is not None and hunt.domain.nareas is not None
    fixed = fixed or hunt.domain.pool_kind is PoolKind.TRANSIENT
    if fixed or point["area_nslabs"] != segsize:
        return None
    for cell, limit in hunt.cells:
        if hunt.geometry(cell.page_size).segsize != segsize:
            return None
        space = hunt.space(cell, limit)
        larger = space.pool.area_nslabs > segsize
        violation = _violation(hunt, cell, space, larger)
        answer = ask(Query(f"{hunt.prop} in larger areas", violation), hunt.seconds)
        if answer.status is not Status.UNSAT:
            return None
    return (
        "only an area of one slot set breaks it: it holds from "
        f"{2 * segsize} slots an area on"
    )
