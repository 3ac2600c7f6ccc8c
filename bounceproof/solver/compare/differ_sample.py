# SPDX-License-Identifier: GPL-2.0-only
"""Random requests of a domain, so that the solver need not look for what is common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import (
    LOW_MEMORY_LIMIT,
    MAX_PHYS_BITS,
)
from bounceproof.models.request import Cell, Path, Pool, Request
from bounceproof.models.words import arrays as _arrays
from bounceproof.models.words.word import U64, UNSIGNED_INT, CType, Truth, Word
from bounceproof.solver.contract.domain import Domain, Variables

_ALGEBRA = _arrays.ArrayAlgebra
COUNT = 6000
Column = NDArray[np.int64]


def _mixed(rng: np.random.Generator, *columns: Any) -> Column:
    """Each value from one of the columns."""
    chosen = rng.integers(0, len(columns), COUNT)
    return np.choose(chosen, [np.broadcast_to(c, COUNT) for c in columns])


def _sizes(
    rng: np.random.Generator, domain: Domain, cell: Cell, limits: tuple[int, int]
) -> Column:
    step = domain.size_step or domain.device.size_step
    if cell.path is Path.ALLOC:
        step = max(step, cell.page_size)
    largest = min(max(limits), 1 << MAX_PHYS_BITS)
    smallest = min(*limits, 1 << MAX_PHYS_BITS)
    drawn = _mixed(
        rng,
        rng.integers(1, largest + 1, COUNT),
        rng.integers(1, smallest + 1, COUNT),
        rng.integers(1, min(largest, 1 << 18) + 1, COUNT),
        smallest - rng.integers(0, 16, COUNT) * step,
        rng.integers(1, 9, COUNT) * step,
        rng.integers(1, 33, COUNT) * cell.granule,
    )
    return np.clip(drawn // step * step, step, largest // step * step)


def _addresses(rng: np.random.Generator, domain: Domain, cell: Cell) -> Column:
    step = domain.addr_step or domain.device.addr_step
    high = rng.integers(0, 1 << (MAX_PHYS_BITS - 24), COUNT) << 23
    low = rng.integers(0, 1 << 17, COUNT)
    drawn = _mixed(rng, high + low, high + (low >> 11 << 11), high, low, low & 0x7FF, 0)
    return np.asarray((drawn + domain.first_address(cell)) // step * step)


def _pool(
    rng: np.random.Generator, domain: Domain, cell: Cell, space: Variables
) -> dict[str, Column]:
    fixed = space.pool.area_nslabs.raw
    geometry = space.pool.geometry
    slots = geometry.segsize * _mixed(rng, 1, 2, 4, 1 << rng.integers(0, 10, COUNT))
    if isinstance(fixed, int):
        slots = np.full(COUNT, fixed)
    areas = space.nareas.raw
    room = LOW_MEMORY_LIMIT - (slots * areas << geometry.shift)
    start = rng.integers(cell.page_size, np.maximum(room, cell.page_size) + 1)
    start = np.maximum(start // cell.page_size, 1) * cell.page_size
    index = _mixed(
        rng, rng.integers(0, slots), 0, 1, rng.integers(0, 128, COUNT), slots - 1
    )
    return {"area_nslabs": slots, "pool_start": start, "start_index": index}


def sample(
    domain: Domain, cell: Cell, space: Variables, limits: tuple[int, int]
) -> Variables | None:
    """The symbols of ``space`` as columns of random values, or None.

    The constraint says which of them are in the domain.

    None where the domain has symbols that are not drawn here: several areas whose
    number ranges, or any besides the request's and the pool's.
    """
    if not isinstance(space.nareas.raw, int) or space.nareas.raw != 1 or space.extra:
        return None
    rng = np.random.default_rng(20240213)
    given = {
        "size": _sizes(rng, domain, cell, limits),
        "orig_addr": _addresses(rng, domain, cell),
        **_pool(rng, domain, cell, space),
        "seg_boundary_mask": (1 << rng.integers(9, 33, COUNT)) - 1,
    }
    types = {"area_nslabs": UNSIGNED_INT, "start_index": UNSIGNED_INT}

    def word(name: str) -> Word:
        symbol = space.ordered()[name]
        if isinstance(symbol.raw, int):
            return symbol
        ctype: CType = types.get(name, U64)
        return Word(given[name].astype(np.uint64), ctype)

    pool = Pool(
        word("pool_start"),
        word("area_nslabs"),
        word("start_index"),
        word("seg_boundary_mask"),
        space.pool.one_segment,
        geometry=space.pool.geometry,
    )
    request = Request(word("orig_addr"), word("size"))
    valid = _valid(domain, cell, request, pool, max(limits))
    return Variables(request, pool, space.nareas, space.areas, valid, {})


def _valid(
    domain: Domain, cell: Cell, request: Request, pool: Pool, largest: int
) -> Truth:
    """What :func:`~.contract.domain.variables` requires of a request."""
    end = request.orig_addr + request.size
    valid = (request.size > 0) & (request.size <= Word(largest, U64))
    valid = valid & (end <= Word(1 << MAX_PHYS_BITS, U64))
    valid = valid & (request.orig_addr >= Word(domain.first_address(cell), U64))
    valid = valid & (pool.start_index < pool.area_nslabs)
    if domain.pool_start is None:
        length = pool.area_nslabs.cast(U64) << pool.geometry.shift
        valid = valid & (pool.start + length <= Word(LOW_MEMORY_LIMIT, U64))
    return valid


def column(raw: Any) -> NDArray[np.bool_]:
    """A raw truth value, of numbers or of columns, as one column."""
    return np.array(np.broadcast_to(np.asarray(raw, dtype=bool), COUNT))
