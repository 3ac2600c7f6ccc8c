# SPDX-License-Identifier: GPL-2.0-only
"""A live pool: slots, areas and bytes, with the kernel's find and release on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT
from bounceproof.models.kernels.state import (
    KernelState,
    ListInit,
    PadSlots,
    ReleaseSize,
)
from bounceproof.simulator import engine as e
from bounceproof.simulator.codes import codes
from bounceproof.simulator.compile import signed64, unsigned64
from bounceproof.simulator.history import slots as hs
from bounceproof.simulator.history.memory import PoolMemory
from bounceproof.simulator.history.types import MachineConfig

LOW: Final = e.LOW
USHRT_MAX: Final = 0xFFFF


class KernelStoppedError(Exception):
    """The kernel would hit a BUG_ON or run off slots[]; the text says where."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the search is asked: ``given`` the alloc_align_mask, ``total`` bytes."""

    min_align_mask: int
    given: int
    orig_addr: int
    total: int

    @property
    def nslots(self) -> int:
        return int(e.nr_slots(signed64(self.total))) & e.U32


class LivePool:
    """slots[], areas and memory of one pool in one kernel state.

    ``lst``, ``alloc_size``, ``orig``, ``pad`` are slots[]'s fields, ``index`` and
    ``used`` the areas'.  64-bit words are int64.  Beyond nslabs the arrays go on to
    the end of the last slot set, as list[] of older kernels believes the pool does; in
    newer ones what a release reads there is whatever memory lies behind slots[].
    """

    def __init__(self, state: KernelState, config: MachineConfig) -> None:
        self.state = state
        self.config = config
        self.codes = codes(state)
        held = config.slots_held
        slots = np.arange(held)
        runs = IO_TLB_SEGSIZE - slots % IO_TLB_SEGSIZE
        if state.list_init is ListInit.CLAMPED:
            runs = np.minimum(runs, config.nslabs - slots)
            runs[config.nslabs :] = config.uninitialised & USHRT_MAX
        self.lst: Any = runs.astype(np.int32)
        self.alloc_size: Any = np.zeros(held, dtype=np.int64)
        self.orig: Any = np.full(held, e.INVALID_PHYS_ADDR, dtype=np.int64)
        self.pad: Any = np.zeros(held, dtype=np.int64)
        self.index = [config.start_index] * config.nareas
        self.used = [0] * config.nareas
        self.memory = PoolMemory(config.pool_start, held << IO_TLB_SHIFT, config.fill)

    def slot_addr(self, slot: int) -> int:
        """Physical address of a pool-wide slot."""
        return self.config.pool_start + (slot << IO_TLB_SHIFT)

    def slot_of(self, addr: int) -> int:
        """Pool-wide slot of a physical address; may lie outside the pool."""
        return (addr - self.config.pool_start) >> IO_TLB_SHIFT

    def invariant(self) -> str | None:
        """As :func:`bounceproof.simulator.history.slots.invariant`."""
        c = self.config
        return hs.invariant(self.lst, self.used, c.nslabs, c.nareas)

    def _area_order(self, cpu: int) -> list[int]:
        start = cpu & (self.config.nareas - 1)
        return [*range(start, self.config.nareas), *range(start)]

    def _search(self, request: Request, area: int) -> int:
        c = self.config
        return int(
            e.search_area(
                self.codes,
                self.lst,
                area * c.area_nslabs,
                c.area_nslabs,
                self.index[area],
                self.used[area],
                c.page_size,
                request.min_align_mask,
                request.given,
                signed64(request.orig_addr),
                signed64(request.total),
                signed64(c.pool_start),
                signed64(c.seg_boundary_mask),
            )
        )

    def find(self, request: Request, cpu: int) -> tuple[int, int]:
        """Search the areas from ``cpu``'s on: (slot, NOT_FOUND or NO_END; area)."""
        for area in self._area_order(cpu):
            slot = self._search(request, area)
            if slot != e.NOT_FOUND:
                return slot, area
        return e.NOT_FOUND, -1

    def take(self, request: Request, slot: int, area: int) -> int:
        """Mark the slots found at ``slot``; returns how many."""
        c = self.config
        low = request.orig_addr & request.min_align_mask & LOW
        n = int(e.take(self.lst, self.alloc_size, slot, signed64(request.total), low))
        following = slot - area * c.area_nslabs + n
        self.index[area] = following if following < c.area_nslabs else 0
        self.used[area] += n
        return n

    def overlooked(self, request: Request) -> int:
        """A slot that some area could have given to ``request``, or NOT_FOUND."""
        c = self.config
        given, pa = request.given, signed64(request.orig_addr)
        a, im, stride = e.masks(
            self.codes,
            c.page_size,
            request.min_align_mask,
            given,
            signed64(request.total),
        )
        tbl = signed64(c.pool_start & c.seg_boundary_mask)
        for area in range(c.nareas):
            slot = int(
                hs.accepted_run(
                    self.codes,
                    self.lst,
                    area * c.area_nslabs,
                    c.area_nslabs,
                    request.nslots,
                    pa,
                    a,
                    im,
                    stride,
                    tbl,
                    signed64(c.seg_boundary_mask),
                )
            )
            if slot != e.NOT_FOUND:
                return slot
        return e.NOT_FOUND

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.config.slots_held:
            raise KernelStoppedError(f"slots[{index}] does not exist")
        return index

    def first_slot(self, tlb_addr: int, min_align_mask: int) -> int:
        """The slot that swiotlb_release_slots() takes ``tlb_addr`` to start in."""
        offset = tlb_addr & min_align_mask & LOW
        return self._checked(self.slot_of(tlb_addr - offset))

    def release(self, tlb_addr: int, min_align_mask: int, alloc_size: int) -> int:
        """swiotlb_release_slots(); returns how many slots it freed.

        ``alloc_size``: the caller's size, which only older states use.  Raises
        KernelStoppedError.
        """
        offset = tlb_addr & min_align_mask & LOW
        index = self.first_slot(tlb_addr, min_align_mask)
        if self.state.pad_slots is not PadSlots.NONE:
            index = self._checked(index - int(self.pad[index]))
        size = alloc_size
        if self.state.release_size is ReleaseSize.STORED:
            size = unsigned64(self.alloc_size[index])
        n = int(e.nr_slots(signed64(size + offset))) & e.U32
        if index + n > self.config.slots_held:
            raise KernelStoppedError(f"frees {n} slots from slots[{index}] on")
        area = index // self.config.area_nslabs
        if area >= self.config.nareas:
            raise KernelStoppedError(f"BUG_ON: area {area} does not exist")
        e.give_back(self.lst, self.alloc_size, self.orig, self.pad, index, n)
        self.used[area] -= n
        return n
