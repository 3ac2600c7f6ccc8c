# SPDX-License-Identifier: GPL-2.0-only
"""When a request breaks each property of the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import Property as Property
from bounceproof.models.contract import applies as applies
from bounceproof.models.formulas.lifetime import DIRECTIONS, HasLife, Placed
from bounceproof.models.formulas.outcome import Outcome, misaligned, outcome
from bounceproof.models.formulas.pools import serving
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell, KernelModel, Path, Request
from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
)
from bounceproof.solver.contract import live, searches
from bounceproof.solver.contract.domain import Variables
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.terms import term_id

Violation = Callable[[KernelModel, Cell, Variables], Truth]


def _placed(
    model: KernelModel, cell: Cell, space: Variables, result: Outcome
) -> Placed:
    if not isinstance(model, HasLife):
        raise NoClosedForm("the kernel's mappings have no life that can be asked")
    life = model.life(cell)
    return Placed(life, cell, space.request, result.mapping, result.pool, result.slot)


def _fits(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """A request that needs a bounce buffer gets none from an empty pool.

    Masks that a built-in state refuses for every request are left out: no size is
    within a limit for them.  Source: the callers' limits in models.formulas.limits.
    """
    result = _outcome(model, cell, space)
    if isinstance(model, BuiltinKernel) and _refuses_all(cell, space, result):
        return FALSE
    return ~result.ok


def refuses_every_request(model: KernelModel, cell: Cell) -> bool:
    """Whether a built-in state refuses the cell's mask, for any size and address.

    Source: __iommu_dma_map(), drivers/iommu/dma-iommu.c, v6.9.
    """
    if not isinstance(model, BuiltinKernel) or cell.path is Path.ALLOC:
        return False
    one = Request(Word(cell.page_size, U64), Word(1, U64))
    return model.mapping(cell, one).refused.raw is True


def _refuses_all(cell: Cell, space: Variables, result: Outcome) -> bool:
    """Whether every request of the cell is refused, whatever its size and address."""
    refused = result.mapping.refused
    if isinstance(refused.raw, bool):
        return refused.raw
    name = f"refused {cell.path} page {cell.page_size} granule {cell.granule}"
    taken = space.constraint & result.mapping.bounced & ~refused
    return ask(Query(name, taken)).status is Status.UNSAT


def _aligned(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """A mapping that the driver gets lies where its masks forbid."""
    result = _outcome(model, cell, space)
    mapped = result.ok & result.mapping.bounced
    placed = misaligned(cell, space.request, result.mapping, space.pool, result.slot)
    return (mapped & placed) | result.unfinished


Live = Callable[[Placed, Variables], Truth]
_LIVE: dict[Property, tuple[Live, ...]] = {
    Property.OWNED: (live.owned_broken,),
    Property.EXCLUSIVE: (live.exclusive_broken,),
    Property.INBOUNDS: (
        live.copy_strays,
        live.whole_copy_strays,
        live.zeroing_strays,
    ),
    Property.RETURNED: (live.returned_broken,),
    Property.CLEAN: (
        live.sync_loses,
        live.original_lost,
        live.write_lost,
        live.stale_padding,
    ),
}
"""A live property is broken where any of its parts is."""
_WIDER: dict[Live, tuple[Live, ...]] = {
    live.copy_strays: (live.copy_moved, live.copy_longer, live.data_overflows),
    live.sync_loses: (live.copy_short, live.copy_misplaced),
}
"""Parts that do not depend on the slot, each in simpler ones that imply it."""


def broken_anywhere(
    prop: Property, model: KernelModel, cell: Cell, space: Variables
) -> tuple[Truth, ...]:
    """When a mapping at any slot that the code's predicate accepts breaks ``prop``.

    Several ways, to be refuted one by one.  More than any search can return from any
    pool, so where none is possible the property holds whatever the pool holds.  Empty
    for properties of the search itself, and for a pool whose list[] goes on past its
    end, where more depends on the slot than the ways say.
    """
    if prop not in _LIVE and prop is not Property.ALIGNED:
        return ()
    mapping = model.mapping(cell, space.request)
    pool = serving(model, cell, mapping, space.pool)
    if pool.partial and not pool.list_clamped:
        return ()
    slot, possible = searches.any_slot(model, cell, space, mapping)
    mapped = mapping.bounced & ~mapping.refused
    if prop is Property.ALIGNED:
        bad = misaligned(cell, space.request, mapping, pool, slot)
        return (mapped & possible & bad,)
    if not isinstance(model, HasLife) or cell.path is Path.LINK:
        return ()
    built = isinstance(model, BuiltinKernel)
    life = model.life(cell)
    placed = Placed(life, cell, space.request, mapping, pool, slot)
    ways: dict[int, Truth] = {}
    for part in _LIVE[prop]:
        anywhere = possible
        if part in _WIDER:
            anywhere = TRUE if built else searches.inside(space, mapping, slot)
        for way in _WIDER.get(part, (part,)):
            for asked in [space] if built else _by_direction(space):
                bad = mapped & anywhere & way(placed, asked)
                ways[term_id(bad)] = bad
    return tuple(ways.values())


def others_touched(model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """When a mapping at any slot that the code's predicate accepts has to do with a
    slot of another's, where what is said of one alone is not said of all."""
    if not isinstance(model, HasLife):
        raise NoClosedForm("the kernel's mappings have no life that can be asked")
    mapping = model.mapping(cell, space.request)
    pool = serving(model, cell, mapping, space.pool)
    slot, possible = searches.any_slot(model, cell, space, mapping)
    mapped = mapping.bounced & ~mapping.refused & possible
    life = model.life(cell)
    placed = Placed(life, cell, space.request, mapping, pool, slot)
    return mapped & live.others_touched(placed, space)


def _by_direction(space: Variables) -> list[Variables]:
    """``space`` for each direction: code that branches on it is then plainer."""
    if "direction" not in space.extra:
        return [space]
    return [
        replace(space, extra={**space.extra, "direction": Word(at, UNSIGNED_INT)})
        for at in range(len(DIRECTIONS))
    ]


def _outcome(model: KernelModel, cell: Cell, space: Variables) -> Outcome:
    return outcome(model, cell, space.request, space.pool, space.areas)


def _live(prop: Property, model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """A mapping that the driver gets breaks a part of ``prop``."""
    result = _outcome(model, cell, space)
    placed = _placed(model, cell, space, result)
    bad = FALSE
    for part in _LIVE[prop]:
        bad = bad | part(placed, space)
    return (result.ok & result.mapping.bounced & bad) | result.unfinished


_BROKEN: dict[Property, Violation] = {
    Property.FITS: _fits,
    Property.FINDS: searches.finds_broken,
    Property.HALTS: searches.halts_broken,
    Property.ALIGNED: _aligned,
    **{prop: partial(_live, prop) for prop in _LIVE},
}
_UNFINISHED: dict[Property, Violation] = {
    Property.FINDS: searches.finds_unfinished,
    Property.HALTS: searches.halts_broken,
}


def broken(prop: Property, model: KernelModel, cell: Cell, space: Variables) -> Truth:
    """When a request of ``cell`` breaks ``prop``, the domain aside.

    Raises NoClosedForm where the question cannot be put.
    """
    return _BROKEN[prop](model, cell, space)


def unfinished(
    prop: Property, model: KernelModel, cell: Cell, space: Variables
) -> Truth:
    """Where :func:`broken` counts a search that was not followed to its end."""
    if prop in _UNFINISHED:
        return _UNFINISHED[prop](model, cell, space)
    return _outcome(model, cell, space).unfinished
