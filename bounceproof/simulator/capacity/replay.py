# SPDX-License-Identifier: GPL-2.0-only
"""A history of mappings and releases, run as it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.kernels.state import KernelState
from bounceproof.simulator import codes as c
from bounceproof.simulator.capacity.calls import (
    empty_pool,
    give_back,
    map_one,
    numbers,
)
from bounceproof.simulator.compile import ENABLED, compiled

PATHS = {"direct": c.DIRECT, "iommu": c.IOMMU, "alloc": c.ALLOC}
UNMAP = -1
COLUMNS = ("path", "granule", "min_align_mask", "orig_addr", "size", "cpu", "mapping")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a history did: ``slots``, each call's slot, NOT_FOUND where a mapping
    failed; ``used`` slots at its end, ``peak`` at most, ``live`` mappings, ``failed``
    calls."""

    slots: NDArray[np.int64]
    used: int
    peak: int
    live: int
    failed: int


@compiled
def _run(
    k: Any,
    page: int,
    pool_start: int,
    pool: Any,
    calls: Any,
    held: Any,
    found: Any,
) -> tuple[int, int]:
    failed, taken, peak = 0, 0, 0
    for number in range(calls.shape[1]):
        name = calls[6, number]
        if calls[0, number] == UNMAP:
            taken -= held[1, name]
            if held[1, name] > 0:
                give_back(pool, held[0, name], held[1, name])
            held[1, name] = 0
            continue
        slot, n = map_one(
            k,
            pool,
            page,
            calls[0, number],
            calls[1, number],
            calls[2, number],
            calls[3, number],
            calls[4, number],
            pool_start,
            calls[5, number],
        )
        held[0, name], held[1, name] = slot, n
        found[number] = slot
        failed += slot < 0
        taken += n
        peak = max(peak, taken)
    return failed, peak


def replay(
    state: KernelState,
    page_size: int,
    pool_start: int,
    nslabs: int,
    nareas: int,
    calls: NDArray[np.int64],
) -> Ran:
    """Run ``calls``, a column a call with the rows of :data:`COLUMNS`.

    ``path`` is of :data:`PATHS`, or :data:`UNMAP`; ``mapping`` a number that no live
    mapping has, below the number of calls.
    """
    pool = empty_pool(nslabs, nareas)
    found = np.zeros(calls.shape[1], np.int64)
    held = numbers(np.zeros((2, calls.shape[1] + 1), np.int64))
    codes = c.codes(state)
    k: Any = codes if ENABLED else codes.tolist()
    failed, peak = _run(k, page_size, pool_start, pool, numbers(calls), held, found)
    live = int((held[1] > 0).sum())
    return Ran(found, int(pool[4].sum()), int(peak), live, int(failed))
