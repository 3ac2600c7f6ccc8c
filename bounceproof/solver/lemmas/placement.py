# SPDX-License-Identifier: GPL-2.0-only
"""A mapping's place in any pool is one it can have in an empty pool.

Properties of a live mapping are asked of the place that a search of an empty pool
returns, for every start index.  That speaks of every pool, because each slot that a
search can return, whatever the pool holds, is the first that the loop comes by from
some start index; and an empty pool has room there, for list[] had (``run``).
"""

from __future__ import annotations

from bounceproof.models.formulas.search import Area, NoClosedForm, Search, geometry
from bounceproof.models.request import Cell, KernelModel, Pool, SearchRule
from bounceproof.models.words.word import (
    PHYS_ADDR_T,
    U64,
    UNSIGNED_INT,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.lemmas.lemma import Lemma, Obligation, alike
from bounceproof.solver.lemmas.slots import POOL_SLOTS, SET_BITS, slot
from bounceproof.solver.smt.terms import variable

ZERO = Word(0, UNSIGNED_INT)
TEXT = (
    "whatever the pool holds, a search returns a slot that it returns from an empty "
    "pool for some start index, or that lies alike in the first area"
)


def _search(rule: SearchRule, comparing: bool, base: Word, start: Word) -> Search:
    """A search from ``start`` of the area at ``base``."""
    page = 12
    pool_start = variable("pool_start", CType(64 - page, False)).cast(PHYS_ADDR_T)
    area = slot("area_nslabs", SET_BITS)
    boundary = variable("seg_boundary_mask", U64)
    pool = Pool(pool_start << page, area, start, boundary)
    orig_addr = variable("orig_addr", PHYS_ADDR_T)
    return Search(rule, Area(pool, base), orig_addr, comparing)


def _next(search: Search, index: Word, steps: int) -> Word:
    """The index ``steps`` further, wrapped as wrap_area_index() does."""
    on = index + steps
    return ite(on >= search.area.pool.area_nslabs, ZERO, on)


def _reached(search: Search, index: Word) -> Truth:
    """What the loop keeps about its index, where the search starts aligned.

    The next slot that the predicate accepts lies to the stride as the first does.
    """
    stride = Word(search.rule.stride - 1, UNSIGNED_INT)
    first = search.next_admissible(ZERO)
    alike = ((search.next_admissible(index) - first) & stride).eq(0)
    return (index < search.area.pool.area_nslabs) & alike


def _aligned(rule: SearchRule, comparing: bool, name: str) -> list[Obligation]:
    """The loop that starts at area->index aligned up to the stride."""
    index, start = slot("index"), slot("start_index")
    search = _search(rule, comparing, ZERO, start)
    area = search.area.pool.area_nslabs
    legal = area.ne(0) & (area <= POOL_SLOTS) & search.possible()
    fields = {"area_nslabs": area, "index": index, "start_index": start}
    began, head = search.start_aligned(), legal & _reached(search, index)
    accepted = search.accepts(index)
    place = index - search.next_admissible(ZERO)
    back = _search(rule, comparing, ZERO, place)
    first = back.start_aligned()
    comes = first.eq(place) & (place < area) & back.next_admissible(first).eq(index)
    onward = _reached(search, _next(search, index, 1))
    jump = _reached(search, _next(search, index, rule.stride))
    steps = [
        ("start", legal & (start < area), _reached(search, began)),
        ("next stride", head & accepted, jump),
        ("comes by", head & accepted, comes),
    ]
    if search.geometry.block < search.geometry.period:
        steps.append(("next slot", head & ~accepted, onward))
    return [Obligation(f"{name}: {n}", a, s, fields) for n, a, s in steps]


def _raw(rule: SearchRule, comparing: bool, name: str) -> list[Obligation]:
    """The loop that starts at area->index itself: it starts at any slot."""
    index = slot("index")
    search = _search(rule, comparing, ZERO, index)
    area = search.area.pool.area_nslabs
    fields = {"area_nslabs": area, "index": index}
    comes = search.start_aligned().eq(index)
    return [Obligation(f"{name}: comes by", index < area, comes, fields)]


def _alike(rule: SearchRule, comparing: bool, name: str) -> Obligation:
    """The predicate says of a slot in any area what it says of it in the first."""
    index, base = slot("index"), slot("area_base", SET_BITS)
    first = _search(rule, comparing, ZERO, ZERO).accepts(index)
    here = _search(rule, comparing, base, ZERO).accepts(index)
    legal = (base <= POOL_SLOTS) & (index <= POOL_SLOTS)
    fields = {"area_base": base, "index": index}
    return Obligation(f"{name}: any area", legal, alike(first, here), fields)


def _rules(model: KernelModel, cells: list[Cell]) -> dict[SearchRule, None]:
    return {
        model.search_rule(cell, mask, large): None
        for cell in cells
        for mask in model.alloc_align_masks(cell)
        for large in (False, True)
    }


def places(model: KernelModel, domain: Domain) -> Lemma:
    """The lemma for every search rule of ``model`` in ``domain``."""
    due: list[Obligation] = []
    missing = None
    for number, rule in enumerate(_rules(model, list(domain.cells(model)))):
        for comparing in (True, False) if rule.skip_zero else (True,):
            name = f"rule {number}, stride {rule.stride}"
            try:
                geometry(rule, comparing)
                if rule.aligned_start and rule.stride & (rule.stride - 1):
                    raise NoClosedForm(f"aligned to a stride of {rule.stride}")
            except NoClosedForm as reason:
                missing = f"{name}: {reason}"
                continue
            loop = _aligned if rule.aligned_start else _raw
            due += [*loop(rule, comparing, name), _alike(rule, comparing, name)]
    return Lemma("places", TEXT, tuple(due), missing)
