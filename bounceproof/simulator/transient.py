# SPDX-License-Identifier: GPL-2.0-only
"""Many requests, each in the transient pool that the kernel makes for it.

Source: swiotlb_find_slots(), swiotlb_alloc_pool() and swiotlb_init_io_tlb_pool(),
kernel/dma/swiotlb.c, v6.6 on: nr_slots(T) slots in one area, area->index 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import (
    IO_TLB_SEGSIZE,
    IO_TLB_SHIFT,
    MAX_PAGE_ORDER,
    OTHER_MAX_PAGE_ORDER,
)
from bounceproof.models.kernels.state import KernelState, Pools
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import ENABLED, below, compiled, wrap64

INPUTS = (
    "page_size",
    "path",
    "granule",
    "min_align_mask",
    "seg_boundary_mask",
    "pool_start",
    "orig_addr",
    "size",
)
OUTPUTS = ("ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang", "nslabs")


@compiled
def new_list(lst: Any, nslabs: int, clamped: bool) -> None:
    """list[] of a pool of ``nslabs`` slots, as it is made."""
    for i in range(nslabs):
        run = IO_TLB_SEGSIZE - i % IO_TLB_SEGSIZE
        lst[i] = min(run, nslabs - i) if clamped else run


@compiled
def _one(
    k: Any,
    lst: Any,
    checks_size: bool,
    most: int,
    page: int,
    path: int,
    granule: int,
    m: int,
    bm: int,
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
        return int(not refused), 0, -1, -1, 0, -1, 0, 0
    n = e.nr_slots(total) & e.U32
    too_large = below(IO_TLB_SEGSIZE << IO_TLB_SHIFT, total)
    if too_large and checks_size:
        return 0, 1, -1, n, 0, printed, 0, 0
    nslabs = min(n, most)
    new_list(lst, nslabs, k[c.LIST_INIT] == c.LIST_CLAMPED)
    slot = e.search_area(k, lst, 0, nslabs, 0, 0, page, m, given, pa, total, start, bm)
    if slot < 0:
        sz = -1 if slot == e.NO_END else printed
        return 0, 1, -1, n, 0, sz, int(slot == e.NO_END), nslabs
    tlb = wrap64(start + (slot << IO_TLB_SHIFT) + padding)
    linked = path != c.LINK or (tlb & (granule - 1)) == head
    if refused or not linked:
        return 0, 1, -1, n, 0, -1, 0, nslabs
    return 1, 1, slot, n, tlb, -1, 0, nslabs


@compiled
def _run(k: Any, lst: Any, checks_size: bool, most: Any, a: Any, out: Any) -> None:
    for r in range(a.shape[1]):
        row = _one(
            k,
            lst,
            checks_size,
            most[r],
            a[0, r],
            a[1, r],
            a[2, r],
            a[3, r],
            a[4, r],
            a[5, r],
            a[6, r],
            a[7, r],
        )
        for field in range(8):
            out[field, r] = row[field]


def most_slots(page_size: int) -> int:
    """Slots of the largest pool that MAX_PAGE_ORDER allows."""
    order = MAX_PAGE_ORDER.get(page_size, OTHER_MAX_PAGE_ORDER)
    return (page_size >> IO_TLB_SHIFT) << order


def run_transient(
    state: KernelState, columns: dict[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.int64]]:
    """Map each request, a row of ``columns`` (as :data:`INPUTS`), in a pool of its own.

    ``pool_start`` is where the page allocator put it.  Returns int64 columns named as
    :data:`OUTPUTS`: those of :func:`bounceproof.simulator.batch.run_batch`, and the
    slots of the pool, 0 where none is made.
    """
    rows = np.array([columns[name] for name in INPUTS], dtype=np.int64)
    pages = rows[0]
    most = np.array([most_slots(int(page)) for page in pages], dtype=np.int64)
    out = np.empty((len(OUTPUTS), rows.shape[1]), dtype=np.int64)
    lst = np.zeros(int(most.max(initial=0)), dtype=np.int16)
    checks_size, codes = state.pools is Pools.DYNAMIC_SIZE_CHECK, c.codes(state)
    if ENABLED:
        _run(codes, lst, checks_size, most, rows, out)
    else:
        for r, row in enumerate(rows.T.tolist()):
            limit = int(most[r])
            out[:, r] = _one(codes.tolist(), lst, checks_size, limit, *row)
    return dict(zip(OUTPUTS, out, strict=True))
