# SPDX-License-Identifier: GPL-2.0-only
"""Where a hunt looks: requests and pools around every constant of the code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Path
from bounceproof.solver.contract.domain import Domain
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import walk
from bounceproof.source.program.calls import reachable
from bounceproof.source.program.program import Program

Numbers = NDArray[np.uint64]
MOST_GRID = 1 << 10
MOST_AREA = 1 << 13
_BASE = 1 << 20


def constants(program: Program, *starts: str) -> tuple[int, ...]:
    """The numbers in the code of functions, and of what they can call."""
    found: set[int] = set()
    for start in starts:
        for function in reachable(program, start, unread=[]):
            for node in walk(function.body):
                if isinstance(node, c.Number) and isinstance(node.word.raw, int):
                    found.add(node.word.raw)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Seeds:
    """What is tried in one cell.

    ``numbers``: constants of the code, and of cases that are known to be odd;
    ``limit`` in bytes.
    """

    cell: Cell
    limit: int
    domain: Domain
    geometry: SlotGeometry
    numbers: tuple[int, ...]

    def near(self, most: int) -> list[int]:
        """The numbers, each, plus and minus one, from 0 up to ``most``."""
        every = {n + d for n in self.numbers for d in (-1, 0, 1)}
        return sorted(n for n in every if 0 <= n <= most)

    # Requests.

    def requests(self) -> tuple[Numbers, Numbers]:
        """Addresses and sizes, every pair of both; those around numbers first."""
        pairs = [(o, s) for s in self._sizes() for o in self._addresses()]
        top = 1 << MAX_PHYS_BITS
        kept = [(o, s) for o, s in dict.fromkeys(pairs) if o + s <= top]
        both = np.array(kept, dtype=np.uint64).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def _sizes(self) -> list[int]:
        if self.domain.size is not None:
            return [self.domain.size]
        step = self.domain.size_step or self.domain.device.size_step
        if self.cell.path is Path.ALLOC:
            step = max(step, self.cell.page_size)
        most = min(self.limit, self.geometry.set_bytes * 2)
        slot = self.geometry.size
        near = self.near(most)
        near += [n * slot + d for n in self.near(self.geometry.segsize) for d in (0, 1)]
        found = [n - n % step + up for n in near for up in (0, step)]
        found += [n - n % step for n in self._padded(near)]
        found += [most - most % step, step]
        grid = max(step, -(-most // MOST_GRID) // step * step)
        found += range(grid, most + 1, grid)
        return [n for n in dict.fromkeys(found) if 0 < n <= most]

    def _padded(self, sizes: list[int]) -> list[int]:
        """Sizes that are searched for as ``sizes`` once the padding is added."""
        mask = self.cell.min_align_mask
        low = {mask & a & self.geometry.low for a in self._addresses()}
        low |= {mask & a for a in self._addresses()}
        return [n - pad for n in sizes for pad in low if n > pad]

    def _addresses(self) -> list[int]:
        if self.cell.path is Path.ALLOC:
            return [0]
        if self.domain.orig_addr is not None:
            return [self.domain.orig_addr]
        step = self.domain.addr_step or self.domain.device.addr_step
        granule, page = self.cell.granule, self.cell.page_size
        low = [0, 512, 1024, 2048, 4096, 4096 + 512, granule, page]
        ends = [self.cell.min_align_mask + 1, granule, page]
        found = [_BASE + n for n in low] + [_BASE + n - step for n in ends]
        found += [n for n in self.near(1 << MAX_PHYS_BITS) if n >= _BASE]
        found += [_BASE + n % granule for n in self.numbers if n > page]
        return list(dict.fromkeys(n - n % step for n in found))

    # Pools.

    def areas(self) -> list[int]:
        """Slots of an area, smallest first."""
        segsize, fixed = self.geometry.segsize, self.domain.nslabs
        if fixed is not None:
            return [fixed // (self.domain.nareas or 1)]
        found = {segsize, 2 * segsize, 8 * segsize, 32 * segsize}
        for number in self.near(MOST_AREA):
            found |= {number - number % segsize, number - number % segsize + segsize}
        if (self.domain.nareas or 1) > 1:
            found = {n for n in found if n & (n - 1) == 0}
        return sorted(n for n in found if 0 < n <= MOST_AREA)

    def indices(self, slots: int) -> list[int]:
        """Where the search of an area of ``slots`` begins."""
        if self.domain.start_index is not None:
            return [self.domain.start_index]
        last = self.geometry.segsize - 1
        usual = [0, 1, 5, slots // 2, slots - 1, last, last + 1]
        found = dict.fromkeys([*usual, *self.near(slots)])
        return [n for n in found if n < slots]

    def starts(self, slots: int) -> list[int]:
        """Where pools of ``slots`` lie, in bytes."""
        if self.domain.pool_start is not None:
            return [self.domain.pool_start]
        page, length = self.cell.page_size, slots << self.geometry.shift
        found = [_BASE * 64, page, *self.near((1 << 32) - length)]
        return list(dict.fromkeys(n - n % page for n in found if n >= page))[:6]

    def boundary(self) -> int:
        """The device's segment boundary."""
        known = self.domain.boundary()
        return 0xFFFFFFFF if known is None else known

    def counts(self) -> list[int]:
        """Numbers of areas of a pool that are tried beside one."""
        if self.domain.nareas is not None or self.domain.nslabs is not None:
            return [self.domain.nareas or 1]
        return [4, 16, 64]
