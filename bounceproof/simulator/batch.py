# SPDX-License-Identifier: GPL-2.0-only
"""Many requests, each mapped and unmapped on an otherwise empty pool.

The list[] of an empty pool is the same for every number of slot sets, and each
request puts back what it took, so one set of arrays serves a whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT
from bounceproof.models.kernels.state import KernelState
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import ENABLED, compiled, wrap64
from bounceproof.simulator.decisions import decisions

Column: TypeAlias = NDArray[np.int64]

INPUTS = (
    "page_size",
    "path",
    "granule",
    "min_align_mask",
    "seg_boundary_mask",
    "pool_start",
    "nslabs",
    "nareas",
    "start_index",
    "orig_addr",
    "size",
)
SPECIALISED = 200_000
"""Requests from which on a function of the state's own is worth its compilation."""
OUTPUTS = ("ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang", "refused")


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests as columns of int64 (64-bit words as two's complement), one length.

    Names and meaning as in :data:`INPUTS`; ``path`` is DIRECT, IOMMU or ALLOC of
    :mod:`bounceproof.simulator.codes`.
    """

    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.columns["size"])


@compiled
def _search(
    k: Any,
    lst: Any,
    page: int,
    m: int,
    given: int,
    pa: int,
    total: int,
    pool_start: int,
    bm: int,
    nslabs: int,
    nareas: int,
    start: int,
) -> int:
    slots = nslabs if nareas == 1 else nslabs // nareas
    for area in range(nareas):
        slot = e.search_area(
            k,
            lst,
            area * slots,
            slots,
            start,
            0,
            page,
            m,
            given,
            pa,
            total,
            pool_start,
            bm,
        )
        if slot != e.NOT_FOUND:
            return slot
    return e.NOT_FOUND


@compiled
def _one(
    k: Any,
    lst: Any,
    alloc_size: Any,
    orig: Any,
    pad: Any,
    page: int,
    path: int,
    granule: int,
    m: int,
    bm: int,
    pool_start: int,
    nslabs: int,
    nareas: int,
    start: int,
    pa: int,
    size: int,
) -> tuple[int, int, int, int, int, int, int, int]:
    head = pa & (granule - 1)
    if path == c.LINK and ((pa | size) & (granule - 1)) != 0:
        pa, size = e.link_piece(pa, size, granule)
    bounced, refused, given, padding, total, printed = e.prologue(
        k, page, path, granule, m, pa, size
    )
    if not bounced:
        return int(not refused), 0, -1, -1, 0, -1, 0, int(refused)
    n = e.nr_slots(total) & e.U32
    slot = _search(
        k, lst, page, m, given, pa, total, pool_start, bm, nslabs, nareas, start
    )
    if slot < 0:
        sz = -1 if path == c.ALLOC or slot == e.NO_END else printed
        return 0, 1, -1, n, 0, sz, int(slot == e.NO_END), int(refused)
    e.take(lst, alloc_size, slot, total, padding & e.LOW)
    e.give_back(lst, alloc_size, orig, pad, slot, n)
    tlb = wrap64(pool_start + (slot << IO_TLB_SHIFT) + padding)
    unchecked = k[c.ALLOC_PAGE_CHECK] != c.PAGE_CHECK_FAIL or path != c.ALLOC
    linked = path != c.LINK or (tlb & (granule - 1)) == head
    if refused or not linked or not (unchecked or (tlb & (page - 1)) == 0):
        return 0, 1, -1, n, 0, -1, 0, int(refused)
    return 1, 1, slot, n, tlb, -1, 0, 0


@compiled
def _run(
    k: Any, lst: Any, alloc_size: Any, orig: Any, pad: Any, a: Any, out: Any
) -> None:
    for r in range(len(a[0])):
        row = _one(
            k,
            lst,
            alloc_size,
            orig,
            pad,
            a[0][r],
            a[1][r],
            a[2][r],
            a[3][r],
            a[4][r],
            a[5][r],
            a[6][r],
            a[7][r],
            a[8][r],
            a[9][r],
            a[10][r],
        )
        for field in range(8):
            out[field, r] = row[field]


def empty_list(nslabs: int) -> NDArray[np.int16]:
    """list[] of an empty pool of ``nslabs`` slots, whole slot sets."""
    slots = np.arange(nslabs, dtype=np.int32)
    return (IO_TLB_SEGSIZE - (slots % IO_TLB_SEGSIZE)).astype(np.int16)


def run_batch(state: KernelState, batch: Batch) -> dict[str, Column]:
    """Map and unmap each request on its own empty pool.

    Returns int64 columns named as :data:`OUTPUTS`.  ``slot``, ``sz`` and, without a
    bounce, ``nslots`` are -1 where they have no value; ``tlb_addr`` counts where
    ``slot`` does.
    """
    count, nslabs = len(batch), int(batch.columns["nslabs"].max(initial=0))
    rows = tuple(np.ascontiguousarray(batch.columns[name]) for name in INPUTS)
    out = np.empty((len(OUTPUTS), count), dtype=np.int64)
    lst, codes = empty_list(nslabs), c.codes(state)
    kinds = (np.int64, np.int64, np.int16)
    sizes, origs, pads = (np.zeros(nslabs, dtype=kind) for kind in kinds)
    if ENABLED:
        known = decisions(state) if count >= SPECIALISED else codes
        _run(known, lst, sizes, origs, pads, rows, out)
    else:
        each = zip(*(row.tolist() for row in rows), strict=True)
        for r, row in enumerate(each):
            out[:, r] = _one(codes.tolist(), lst, sizes, origs, pads, *row)
    return dict(zip(OUTPUTS, out, strict=True))
