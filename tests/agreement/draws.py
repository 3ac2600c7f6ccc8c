# SPDX-License-Identifier: GPL-2.0-only
"""Random requests, and both answers to them as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import LOW_MEMORY_LIMIT, PAGE_SIZES
from bounceproof.models.formulas.outcome import outcome
from bounceproof.models.kernels.state import Areas, KernelState
from bounceproof.models.request import Cell, Path, Pool, Request
from bounceproof.models.words import arrays as _arrays
from bounceproof.models.words.word import U32, U64, CType, Truth, Word
from bounceproof.simulator.batch import OUTPUTS, Batch, run_batch
from bounceproof.simulator.compile import signed64
from bounceproof.simulator.single import PATH_CODES

assert _arrays.ArrayAlgebra
Columns = dict[str, NDArray[Any]]
BOUNDARY_BITS = (10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 24, 32, 32, 64, 64)


@dataclass(frozen=True, slots=True)
class Draw:
    """A cell, a pool shape, and many requests of it."""

    cell: Cell
    boundary: int
    nslabs: int
    nareas: int
    batch: Batch

    @property
    def one_segment(self) -> bool:
        return self.boundary >= LOW_MEMORY_LIMIT - 1


def _shape(rng: np.random.Generator, state: KernelState) -> tuple[int, int]:
    nareas = int(rng.choice([1, 1, 2, 4]))
    if nareas == 1 or state.areas is Areas.SINGLE:
        return 128 * int(rng.integers(1, 12)), 1
    return 128 * nareas * int(2 ** rng.integers(0, 4)), nareas


def _sizes(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    near = (rng.integers(0, 66, count) << 12) + rng.integers(-3, 4, count)
    anything = rng.integers(1, 300 * 1024, count)
    return np.maximum(np.where(rng.random(count) < 0.4, near, anything), 1)


def _addresses(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    anything = rng.integers(0, 1 << 48, count)
    near = (rng.integers(0, 1 << 20, count) << 11) + rng.integers(-2, 3, count)
    drawn = np.where(rng.random(count) < 0.3, np.abs(near), anything)
    return np.where(rng.random(count) < 0.05, 0, drawn)


def draw(rng: np.random.Generator, state: KernelState, count: int) -> Draw:
    """``count`` requests of one random cell that ``state`` has."""
    model = BuiltinKernel(state)
    path = rng.choice([p for p in Path if model.unsupported(p) is None])
    page = int(rng.choice(PAGE_SIZES))
    granules = [g for g in PAGE_SIZES if g <= page]
    granule = int(rng.choice(granules)) if Path(path).has_granule else page
    cell = Cell(page, granule, Path(path), int((1 << rng.integers(0, 17)) - 1))
    boundary = (1 << int(rng.choice(BOUNDARY_BITS))) - 1
    nslabs, nareas = _shape(rng, state)

    def same(value: int) -> NDArray[np.int64]:
        return np.full(count, signed64(value), dtype=np.int64)

    columns = {
        "page_size": same(page),
        "path": same(PATH_CODES[cell.path.value]),
        "granule": same(granule),
        "min_align_mask": same(cell.min_align_mask),
        "seg_boundary_mask": same(boundary),
        "pool_start": rng.integers(1, (1 << 20) - (1 << 13), count) << 12,
        "nslabs": same(nslabs),
        "nareas": same(nareas),
        "start_index": rng.integers(0, nslabs // nareas, count),
        "orig_addr": same(0) if cell.path is Path.ALLOC else _addresses(rng, count),
        "size": _sizes(rng, count),
    }
    return Draw(cell, boundary, nslabs, nareas, Batch(columns))


def formula_columns(state: KernelState, drawn: Draw, bound: int = 0) -> Columns:
    """The formulas' answer, in the simulator's columns.

    In closed form, or unrolled for areas of at most ``bound`` slots.
    """
    given, count = drawn.batch.columns, len(drawn.batch)

    def word(name: str, ctype: CType) -> Word:
        return Word(
            given[name].astype(np.uint64) & np.uint64((1 << ctype.bits) - 1), ctype
        )

    pool = Pool(
        word("pool_start", U64),
        Word(drawn.nslabs // drawn.nareas, U32),
        word("start_index", U32),
        Word(drawn.boundary, U64),
        drawn.one_segment,
        bound,
    )
    request = Request(word("orig_addr", U64), word("size", U64))
    areas = min(drawn.nareas, 2)
    answer = outcome(BuiltinKernel(state), drawn.cell, request, pool, areas)

    def column(value: Word | Truth) -> NDArray[np.int64]:
        return np.broadcast_to(np.asarray(value.raw), (count,)).astype(np.int64)

    ok, hang = column(answer.ok), column(answer.hang)
    bounced = column(answer.mapping.bounced)
    placed = (ok == 1) & (bounced == 1)
    full = (bounced == 1) & (column(answer.found) == 0) & (hang == 0)
    prints = full & (drawn.cell.path is not Path.ALLOC)
    return {
        "ok": ok,
        "bounced": bounced,
        "slot": np.where(placed, column(answer.slot), -1),
        "nslots": np.where(bounced == 1, column(answer.mapping.nslots), -1),
        "tlb_addr": np.where(placed, column(answer.tlb_addr), 0),
        "sz": np.where(prints, column(answer.mapping.printed), -1),
        "hang": hang,
    }


def disagreement(state: KernelState, drawn: Draw, bound: int = 0) -> str | None:
    """The first request on which the two answers differ in any field, or None."""
    formula, loop = formula_columns(state, drawn, bound), run_batch(state, drawn.batch)
    for name in OUTPUTS:
        if name == "refused":
            continue
        differ = np.flatnonzero(formula[name] != loop[name])
        if len(differ):
            i = int(differ[0])
            request = {k: int(v[i]) for k, v in drawn.batch.columns.items()}
            values = f"formula {formula[name][i]}, loop {loop[name][i]}"
            return f"{state.name} {drawn.cell} {name}: {values} for {request}"
    return None
