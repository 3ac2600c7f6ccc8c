# SPDX-License-Identifier: GPL-2.0-only
"""Random requests in transient pools, and both answers to them as columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.formulas.outcome import outcome
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Path, Pool, PoolKind, Request
from bounceproof.models.words.word import U32, U64, Truth, Word
from bounceproof.simulator.transient import run_transient
from tests.agreement.draws import Columns, Draw, draw

FIELDS = ("ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang")


def draw_transient(rng: np.random.Generator, state: KernelState, count: int) -> Draw:
    """``count`` requests of a cell whose pools can grow, each with a page to lie at."""
    drawn = draw(rng, state, count)
    while drawn.cell.path is Path.ALLOC:
        drawn = draw(rng, state, count)
    page = drawn.cell.page_size
    starts = drawn.batch.columns["pool_start"]
    drawn.batch.columns["pool_start"] = np.maximum(starts & -page, page)
    cell = replace(drawn.cell, pool_kind=PoolKind.TRANSIENT)
    return replace(drawn, cell=cell)


def formula_columns(state: KernelState, drawn: Draw) -> Columns:
    """The closed form's answer, in the simulator's columns."""
    given, count = drawn.batch.columns, len(drawn.batch)
    words = {n: Word(given[n].astype(np.uint64), U64) for n in given}
    pool = Pool(
        words["pool_start"],
        Word(128, U32),
        Word(0, U32),
        Word(drawn.boundary, U64),
        drawn.one_segment,
    )
    request = Request(words["orig_addr"], words["size"])
    answer = outcome(BuiltinKernel(state), drawn.cell, request, pool)

    def column(value: Word | Truth) -> NDArray[np.int64]:
        return np.broadcast_to(np.asarray(value.raw), (count,)).astype(np.int64)

    ok, hang = column(answer.ok), column(answer.hang)
    bounced = column(answer.mapping.bounced)
    placed = (ok == 1) & (bounced == 1)
    full = (bounced == 1) & (column(answer.found) == 0) & (hang == 0)
    return {
        "ok": ok,
        "bounced": bounced,
        "slot": np.where(placed, column(answer.slot), -1),
        "nslots": np.where(bounced == 1, column(answer.mapping.nslots), -1),
        "tlb_addr": np.where(placed, column(answer.tlb_addr), 0),
        "sz": np.where(full, column(answer.mapping.printed), -1),
        "hang": hang,
    }


def disagreement(state: KernelState, drawn: Draw) -> str | None:
    """The first request on which the two answers differ in any field, or None."""
    formula = formula_columns(state, drawn)
    loop = run_transient(state, drawn.batch.columns)
    for name in FIELDS:
        differ = np.flatnonzero(formula[name] != loop[name])
        if len(differ):
            i = int(differ[0])
            request = {k: int(v[i]) for k, v in drawn.batch.columns.items()}
            values = f"formula {formula[name][i]}, loop {loop[name][i]}"
            return f"{state.name} {drawn.cell} {name}: {values} for {request}"
    return None
