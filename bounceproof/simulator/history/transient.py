# SPDX-License-Identifier: GPL-2.0-only
"""Transient pools of a live machine: made for one mapping, gone with it.

Source: swiotlb_find_slots(), swiotlb_alloc_pool(), alloc_dma_pages(),
swiotlb_init_io_tlb_pool() and swiotlb_del_transient(), kernel/dma/swiotlb.c, v6.6 on.
"""

from __future__ import annotations

from dataclasses import replace

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT
from bounceproof.models.kernels.state import KernelState, Pools
from bounceproof.simulator import engine as e
from bounceproof.simulator.history.memory import PoolMemory
from bounceproof.simulator.history.pool import LivePool, Request
from bounceproof.simulator.history.types import MachineConfig
from bounceproof.simulator.transient import most_slots


class TransientPools:
    """Where a machine's transient pools come from.

    Each gets pages of its own order at the next multiple of their size, from the
    machine's ``transient_start`` on; none is made where that is 0.  ``live`` are those
    that a mapping has.
    """

    def __init__(self, state: KernelState, config: MachineConfig) -> None:
        self.state = state
        self.config = config
        self.live: list[LivePool] = []
        self._next = config.transient_start

    def _place(self, nslabs: int) -> int:
        """Address of new pages for ``nslabs`` slots, beside the default pool."""
        block = self.config.page_size
        while block < nslabs << IO_TLB_SHIFT:
            block <<= 1
        start = -(-self._next // block) * block
        end = self.config.pool_start + (self.config.nslabs << IO_TLB_SHIFT)
        if start < end and self.config.pool_start < start + block:
            start = -(-end // block) * block
        self._next = start + block
        return start

    def _new(self, nslabs: int) -> LivePool:
        start = self._place(nslabs)
        config = replace(
            self.config, pool_start=start, nslabs=nslabs, nareas=1, start_index=0
        )
        pool = LivePool(self.state, config)
        length = (config.slots_held << IO_TLB_SHIFT) + config.granule
        pool.memory = PoolMemory(start, length, config.fill)
        pool.memory.data[: nslabs << IO_TLB_SHIFT] = 0
        return pool

    def find(self, request: Request) -> tuple[LivePool | None, int]:
        """The pool made for ``request``, None where none is, and the search's answer:
        a slot, NOT_FOUND or NO_END."""
        checks = self.state.pools is Pools.DYNAMIC_SIZE_CHECK
        too_large = request.total > IO_TLB_SEGSIZE << IO_TLB_SHIFT
        if not self.config.transient_start or (checks and too_large):
            return None, e.NOT_FOUND
        pool = self._new(min(request.nslots, most_slots(self.config.page_size)))
        slot, _ = pool.find(request, 0)
        if slot >= 0:
            self.live.append(pool)
        return pool, slot

    def drop(self, pool: LivePool) -> int:
        """Free ``pool`` whole; returns how many slots it had."""
        self.live.remove(pool)
        return pool.config.nslabs
