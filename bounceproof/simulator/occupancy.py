# SPDX-License-Identifier: GPL-2.0-only
"""One request on an area of which some slots are taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.outcome import Outcome
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import signed64, unsigned64
from bounceproof.simulator.history.slots import accepted_run
from bounceproof.simulator.single import PATH_CODES, SingleRequest

Runs = list[tuple[int, int]]


def list_of(nslabs: int, taken: Runs) -> NDArray[np.int16]:
    """list[] of a pool where the slots of ``taken`` (first and last) are in use."""
    free = np.ones(nslabs, dtype=bool)
    for first, last in taken:
        free[first : last + 1] = False
    lst = np.zeros(nslabs, dtype=np.int16)
    run = 0
    for slot in range(nslabs - 1, -1, -1):
        if slot % IO_TLB_SEGSIZE == IO_TLB_SEGSIZE - 1:
            run = 0
        run = run + 1 if free[slot] else 0
        lst[slot] = run
    return lst


def runs_of(slots: Iterable[int]) -> Runs:
    """Slots as runs of first and last, in order."""
    runs: Runs = []
    for slot in sorted(slots):
        if runs and runs[-1][1] == slot - 1:
            runs[-1] = (runs[-1][0], slot)
        else:
            runs.append((slot, slot))
    return runs


def simulate_taken(state: KernelState, request: SingleRequest, taken: Runs) -> Outcome:
    """The outcome of ``request`` on a pool of one area with ``taken`` slots in use."""
    k = c.codes(state)
    path, granule, m = PATH_CODES[request.path], request.granule, request.min_align_mask
    pa, size = signed64(request.orig_addr), signed64(request.size)
    if path == c.LINK and (pa | size) & (granule - 1):
        pa, size = e.link_piece(pa, size, granule)
    bounced, refused, given, padding, total, printed = e.prologue(
        k, request.page_size, path, granule, m, pa, size
    )
    if not bounced:
        return Outcome(ok=not refused, bounced=False)
    lst, used = list_of(request.nslabs, taken), sum(b - a + 1 for a, b in taken)
    slot = e.search_area(
        k, lst, 0, request.nslabs, request.start_index, used, request.page_size,
        m, given, pa, total, signed64(request.pool_start),
        signed64(request.seg_boundary_mask),
    )  # fmt: skip
    failed = Outcome(ok=False, bounced=True, nslots=e.nr_slots(total))
    if slot == e.NO_END:
        return replace(failed, hang=True)
    if slot == e.NOT_FOUND:
        prints = path != c.ALLOC
        return replace(failed, sz=unsigned64(printed) if prints else None)
    tlb = request.pool_start + (slot << e.SHIFT) + padding
    return replace(failed, ok=not refused, slot=slot, tlb_addr=tlb)


def rule_accepts(state: KernelState, request: SingleRequest, slot: int) -> bool:
    """Whether the search's alignment rule accepts a free run at ``slot``.

    The rule is that of :func:`bounceproof.simulator.history.slots.accepted_run`.
    """
    k = c.codes(state)
    path, granule = PATH_CODES[request.path], request.granule
    pa, size = signed64(request.orig_addr), signed64(request.size)
    if path == c.LINK:
        pa, size = e.link_piece(pa, size, granule)
    m, page = request.min_align_mask, request.page_size
    _, _, given, _, total, _ = e.prologue(k, page, path, granule, m, pa, size)
    a, im, stride = e.masks(k, page, m, given, total)
    n, nslabs = e.nr_slots(total), request.nslabs
    lst = list_of(nslabs, [(0, slot - 1), (slot + n, nslabs - 1)])
    boundary = signed64(request.seg_boundary_mask)
    tbl = signed64(request.pool_start & request.seg_boundary_mask)
    run = accepted_run(k, lst, 0, nslabs, n, pa, a, im, stride, tbl, boundary)
    return bool(run == slot)
