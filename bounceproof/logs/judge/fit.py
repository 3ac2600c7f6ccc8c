# SPDX-License-Identifier: GPL-2.0-only
"""Which requests an empty pool satisfies, and how full a pool must be to refuse one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bounceproof.logs.judge.printing import (
    HIGH,
    Truths,
    Values,
    as_array,
    map_requests,
    residue_modulus,
)
from bounceproof.logs.judge.profile import Profile
from bounceproof.models.constants import (
    IO_TLB_SEGSIZE,
    IO_TLB_SHIFT,
    IO_TLB_SIZE,
    NO_SEG_BOUNDARY,
    SLOT_SET_BYTES,
)
from bounceproof.models.formulas.outcome import misaligned, outcome
from bounceproof.models.formulas.search import geometry
from bounceproof.models.request import Cell, KernelModel, Pool, Request, SearchRule
from bounceproof.models.words.word import SIZE_T, U64, UNSIGNED_INT, UNSIGNED_LONG, Word

LOW: Final = IO_TLB_SIZE - 1
POOL_START: Final = 1 << 31
MANY_SETS: Final = 4
_LARGE, _SLOTS = 31, (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Fit:
    """For each request: an empty pool satisfies it from ``some`` start index, from
    ``every`` one; ``nslots`` slots searched for; ``large`` where T >= PAGE_SIZE."""

    some: Truths
    every: Truths
    nslots: NDArray[np.int64]
    large: Truths


def rules(model: KernelModel, cell: Cell) -> tuple[SearchRule, SearchRule]:
    """The search rules below and from PAGE_SIZE on of a streaming mapping."""
    (mask,) = model.alloc_align_masks(cell)
    return model.search_rule(cell, mask, False), model.search_rule(cell, mask, True)


def _starts(area_nslabs: int) -> Values:
    """Start indexes that stand for all: areas look alike from every slot set."""
    if area_nslabs <= MANY_SETS * IO_TLB_SEGSIZE:
        return np.arange(area_nslabs, dtype=np.uint64)
    first = np.arange(2 * IO_TLB_SEGSIZE, dtype=np.uint64)
    last = np.arange(area_nslabs - 2 * IO_TLB_SEGSIZE, area_nslabs, dtype=np.uint64)
    return np.concatenate([first, last])


def _keys(
    pair: tuple[SearchRule, SearchRule], residues: Values, large: Truths, n: Values
) -> Values:
    """Equal for requests that the search cannot tell apart."""
    small_mask, large_mask = (np.uint64(rule.compare_mask) for rule in pair)
    bits = residues & np.where(large, large_mask, small_mask)
    odd = (bits & np.uint64(LOW)) != 0
    bits = (bits & ~np.uint64(LOW)) | odd.astype(np.uint64)
    slots = np.minimum(n, np.uint64(_SLOTS))
    side = large.astype(np.uint64) << np.uint64(_LARGE)
    keys: Values = (bits << np.uint64(32)) | side | slots
    return keys


def _grid(
    residues: Values, sizes: Values, area_nslabs: int
) -> tuple[Request, Pool, tuple[int, int]]:
    """Every request from every start index, a row a request."""
    starts = _starts(area_nslabs)
    address = np.repeat(residues + np.uint64(HIGH), len(starts))
    request = Request(Word(address, U64), Word(np.repeat(sizes, len(starts)), SIZE_T))
    pool = Pool(
        Word(POOL_START, U64),
        Word(area_nslabs, UNSIGNED_INT),
        Word(np.tile(starts, len(residues)), UNSIGNED_INT),
        Word(NO_SEG_BOUNDARY, UNSIGNED_LONG),
        one_segment=True,
    )
    return request, pool, (len(residues), len(starts))


def _search(
    model: KernelModel, cell: Cell, residues: Values, sizes: Values, area_nslabs: int
) -> Truths:
    """Found or not, a row a request, a column a start index."""
    request, pool, shape = _grid(residues, sizes, area_nslabs)
    with np.errstate(over="ignore"):
        raw = outcome(model, cell, request, pool).found.raw
    return as_array(raw, (shape[0] * shape[1],), np.bool_).reshape(shape)


def fit_requests(
    model: KernelModel, cell: Cell, residues: Values, sizes: Values, area_nslabs: int
) -> Fit:
    """What an empty pool does with each request, from every start index.

    The pool starts at a multiple of every mask, as memblock places it where masks
    stay below a page.  Raises NoClosedForm.
    """
    mapping = map_requests(model, cell, residues, sizes)
    n = as_array(mapping.nslots.raw, residues.shape, np.uint64)
    total = as_array(mapping.total.raw, residues.shape, np.uint64)
    large = total >= cell.page_size
    keys = _keys(rules(model, cell), residues, large, n)
    _, where, back = np.unique(keys, return_index=True, return_inverse=True)
    found = _search(model, cell, residues[where], sizes[where], area_nslabs)
    back = back.reshape(-1)
    some, every = np.any(found, axis=1), np.all(found, axis=1)
    return Fit(
        np.asarray(some)[back],
        np.asarray(every)[back],
        n.astype(np.int64),
        np.asarray(large),
    )


@dataclass(frozen=True, slots=True)
class Visited:
    """The places in a slot set that a search visits: one of ``places`` modulo
    ``step``, and each the first of ``block``.

    ``granted``: slot sets in each area where it may leave some out, None where
    nothing is known of the places.
    """

    places: tuple[int, ...]
    step: int
    block: int
    granted: int | None


def _visited(rule: SearchRule, residue: int) -> Visited:
    shape, stride = geometry(rule, True), rule.stride
    place = ((residue & rule.compare_mask) >> IO_TLB_SHIFT) % shape.period
    even = rule.aligned_start and IO_TLB_SEGSIZE % stride == 0
    if even and stride % shape.period == 0 and shape.block == 1:
        return Visited((place,), stride, 1, int(rule.counted and place != 0))
    if not rule.counted:
        return Visited((), 1, 1, None)
    if stride in (1, shape.period):
        granted = int(place != 0 and stride != 1)
        return Visited((place,), shape.period, shape.block, granted)
    if shape.block != 1:
        return Visited((), 1, 1, None)
    return Visited(tuple(range(place, shape.step, shape.period)), shape.step, 1, 2)


def _piercing(visited: Visited, place: int, nslots: int) -> int:
    """Fewest used slots that leave no place for ``nslots`` in one slot set."""
    count, last = 0, -1
    for start in range(IO_TLB_SEGSIZE - nslots + 1):
        inside = (start - place) % visited.step < visited.block
        if inside and start > last:
            count, last = count + 1, start + nslots - 1
    return count


def _fewest(count: int, sets: int, areas: int, granted: int) -> int:
    """Used slots of an area that is empty cannot refuse anything, so one at least."""
    return areas * max(1, (sets // areas - granted) * count)


@lru_cache(maxsize=65536)
def _fewest_used(
    rule: SearchRule, wanted: int, nslots: int, total: int, nareas: int | None
) -> int:
    sets = total // IO_TLB_SEGSIZE
    visited = _visited(rule, wanted)
    if not sets or nslots > IO_TLB_SEGSIZE:
        return 0
    counts = [nareas] if nareas else [1 << k for k in range(sets.bit_length())]
    fitting = [areas for areas in counts if areas <= sets]
    if not fitting:
        return 0
    if visited.granted is None:
        return min(fitting)
    count = min(_piercing(visited, place, nslots) for place in visited.places)
    return min(_fewest(count, sets, areas, visited.granted) for areas in fitting)


def fewest_used(
    rule: SearchRule, residue: int, nslots: int, total: int, nareas: int | None
) -> int:
    """Used slots below which a pool of ``total`` slots cannot refuse a request that
    an empty one always satisfies.

    A slot set refuses it only if a used slot lies in every place where it could
    start.  A search that may leave out places around its start is granted the slot
    sets there; ``nareas`` None stands for every number of areas.
    """
    wanted = residue & rule.compare_mask & ~LOW
    return _fewest_used(rule, wanted, nslots, total, nareas)


def _probes(cell: Cell, profile: Profile, limit: int) -> tuple[Values, Values]:
    """Residues and sizes that stand for all requests of at most ``limit`` bytes.

    More slots are harder, and slots grow with the size and with the bits of orig_addr
    below a slot: the largest size of each number of slots, the smallest and largest
    such bits.
    """
    step, addr = profile.size_step, profile.addr_step
    slots = np.arange(0, residue_modulus(cell), IO_TLB_SIZE, dtype=np.uint64)
    low = np.array([0, addr, (LOW // addr) * addr], dtype=np.uint64)
    residues = (slots[:, None] + low[None, :]).reshape(-1)
    most = limit // step * step
    sizes = np.arange(IO_TLB_SIZE, most + 1, IO_TLB_SIZE, dtype=np.uint64)
    ends = [step, cell.page_size - step, cell.page_size, most]
    inside = [e for e in ends if 0 < e <= most and e % step == 0]
    sizes = np.unique(np.concatenate([sizes, np.array(inside, dtype=np.uint64)]))
    grid = np.meshgrid(residues, sizes // np.uint64(step) * np.uint64(step))
    flat_sizes = np.maximum(grid[1].reshape(-1), np.uint64(step))
    return grid[0].reshape(-1), flat_sizes


def _hardest(
    model: KernelModel, cell: Cell, residues: Values, sizes: Values
) -> NDArray[np.intp]:
    """One request of the most slots for each way the search can treat one."""
    mapping = map_requests(model, cell, residues, sizes)
    n = as_array(mapping.nslots.raw, residues.shape, np.uint64)
    total = as_array(mapping.total.raw, residues.shape, np.uint64)
    bounced = as_array(mapping.bounced.raw, residues.shape, np.bool_)
    keys = _keys(rules(model, cell), residues, total >= cell.page_size, n * 0)
    order: NDArray[np.intp] = np.lexsort((n, keys))
    order = order[bounced[order]]
    if not len(order):
        return order
    last = np.append(keys[order][1:] != keys[order][:-1], True)
    hardest: NDArray[np.intp] = order[last]
    return hardest


def all_fit(
    model: KernelModel, cell: Cell, profile: Profile, limit: int, area_nslabs: int
) -> bool:
    """Whether an empty pool satisfies every request of at most ``limit`` bytes.

    Raises NoClosedForm.
    """
    if limit > SLOT_SET_BYTES:
        return False
    residues, sizes = _probes(cell, profile, limit)
    hardest = _hardest(model, cell, residues, sizes)
    if not len(hardest):
        return True
    fit = fit_requests(model, cell, residues[hardest], sizes[hardest], area_nslabs)
    return bool(fit.every.all())


def keeps_alignment(
    model: KernelModel, cell: Cell, profile: Profile, limit: int, area_nslabs: int
) -> bool:
    """Whether what is mapped, up to ``limit`` bytes, is aligned as asked.

    Raises NoClosedForm.
    """
    residues, sizes = _probes(cell, profile, min(limit, SLOT_SET_BYTES))
    hardest = _hardest(model, cell, residues, sizes)
    request, pool, _ = _grid(residues[hardest], sizes[hardest], area_nslabs)
    with np.errstate(over="ignore"):
        here = outcome(model, cell, request, pool)
        lost = misaligned(cell, request, here.mapping, pool, here.slot)
        return not np.any(here.found.raw & lost.raw)


def largest_that_fits(
    model: KernelModel, cell: Cell, profile: Profile, area_nslabs: int, unit: int
) -> int:
    """The largest multiple of ``unit`` up to which every request fits, in bytes."""
    low, high = 0, SLOT_SET_BYTES // unit
    while low < high:
        middle = (low + high + 1) // 2
        if all_fit(model, cell, profile, middle * unit, area_nslabs):
            low = middle
        else:
            high = middle - 1
    return low * unit
