# SPDX-License-Identifier: GPL-2.0-only
"""Random requests of a cell, with the columns that some properties need besides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SIZE
from bounceproof.models.formulas.lifetime import DIRECTIONS
from bounceproof.models.request import Cell
from bounceproof.models.words.word import U64, UNSIGNED_INT, Word
from bounceproof.simulator.compile import unsigned64
from bounceproof.solver.compare.differ_sample import COUNT, sample
from bounceproof.solver.contract.domain import Domain, Variables, variables
from bounceproof.solver.smt.minimum import Point

Column = NDArray[np.int64]
SEED = 20240214


def drawn(domain: Domain, cell: Cell, limits: tuple[int, int]) -> Variables:
    """Columns of requests of ``cell``; ``constraint`` says which are in the domain.

    ``limits`` are the drivers' in bytes.  All extra symbols are drawn too.
    """
    space = variables(domain, cell, max(limits))
    found = sample(domain, cell, space, limits)
    assert found is not None
    pool = replace(found.pool, bound=domain.bound)
    valid, rng = found.constraint, np.random.default_rng(SEED)
    if domain.bound:
        valid = valid & (pool.area_nslabs <= domain.bound)
    extra = _extra(rng, found)
    end = extra["sync_offset"] + extra["sync_size"]
    valid = valid & (end <= found.request.size)
    return replace(found, pool=pool, constraint=valid, extra=extra)


def _extra(rng: np.random.Generator, space: Variables) -> dict[str, Word]:
    slots, size = _column(space.pool.area_nslabs), _column(space.request.size)
    start = _column(space.pool.start_index)
    near = start - rng.integers(0, IO_TLB_SEGSIZE, COUNT)
    chosen = rng.random(COUNT)
    slot = np.where(chosen < 0.5, rng.integers(0, slots), np.maximum(near, 0))
    slot = np.where(chosen < 0.1, 0, slot)
    chosen = rng.random(COUNT)
    offset = rng.integers(0, size)
    offset = np.where(chosen < 0.4, offset // IO_TLB_SIZE * IO_TLB_SIZE, offset)
    offset = np.where(chosen < 0.2, 0, offset)
    left = size - offset
    length = np.where(rng.random(COUNT) < 0.3, left, rng.integers(1, left + 1))
    return {
        "free_slot": Word(slot.astype(np.uint64), UNSIGNED_INT),
        "direction": Word(
            rng.integers(0, len(DIRECTIONS), COUNT).astype(np.uint64), UNSIGNED_INT
        ),
        "sync_offset": Word(offset.astype(np.uint64), U64),
        "sync_size": Word(length.astype(np.uint64), U64),
    }


def _column(value: Word) -> Column:
    whole = np.broadcast_to(np.asarray(value.raw, dtype=np.uint64), (COUNT,))
    return np.asarray(whole.astype(np.int64))


def points(space: Variables, chosen: NDArray[np.bool_], count: int) -> list[Point]:
    """The ``count`` chosen requests with the smallest areas, then sizes."""
    fields = {name: _column(word) for name, word in space.ordered().items()}
    places = np.flatnonzero(chosen)
    keys = (fields["size"][places], fields["area_nslabs"][places])
    first = places[np.lexsort(keys)][:count]
    return [
        {name: unsigned64(column[i]) for name, column in fields.items()} for i in first
    ]
