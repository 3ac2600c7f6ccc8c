# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a mix, and as a history for the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from bounceproof.audit.expectation import HIGH, Column, Expected, expect_trace
from bounceproof.models.capacity.boot import BootPool
from bounceproof.models.capacity.mix import Group
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Cell, Path
from bounceproof.models.requests.devices import Device
from bounceproof.simulator.capacity.replay import PATHS, UNMAP
from bounceproof.traces.events import Event, Kind, Trace, bucket

PAGE, POOL_START = 4096, 1 << 31


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace on one device: ``groups``, one for each of the trace's kinds.

    Requests above ``limit`` bytes are mapped in pieces, as the block layer splits them.
    ``offset``: where in a page every buffer starts; None: where the trace says, or
    anywhere.
    """

    trace: Trace
    groups: tuple[Group, ...]
    limit: int
    offset: int | None

    def calls(self) -> tuple[Column, Column]:
        """The events as :mod:`bounceproof.simulator.capacity.replay` takes them, and
        the group of each."""
        places = {
            (kind.device, bucket(kind.most)): number
            for number, kind in enumerate(self.trace.kinds)
        }
        live: dict[str, tuple[int, list[int]]] = {}
        rows: list[tuple[int, ...]] = []
        of: list[int] = []
        names = 0
        for event in self.trace.events:
            if not event.size:
                number, pieces = live.pop(event.key)
                rows += [(UNMAP, 0, 0, 0, 0, 0, name) for name in pieces]
                of += [number] * len(pieces)
                continue
            number = places[event.device, bucket(event.size)]
            made = self._pieces(event, self.groups[number], names)
            live[event.key] = number, [row[-1] for row in made]
            names += len(made)
            rows += made
            of += [number] * len(made)
        columns = np.array(rows, dtype=np.int64).T.copy()
        return columns, np.array(of, dtype=np.int64)

    def _pieces(self, event: Event, group: Group, name: int) -> list[tuple[int, ...]]:
        cell = group.cell
        about = (PATHS[cell.path.value], cell.granule, cell.min_align_mask)
        at = 0 if cell.path is Path.ALLOC else HIGH + self._offset(event, group)
        return [
            (*about, at + done, min(event.size - done, self.limit), event.cpu, name + k)
            for k, done in enumerate(range(0, event.size, self.limit))
        ]

    def _offset(self, event: Event, group: Group) -> int:
        if self.offset is not None:
            return self.offset
        if event.offset is not None:
            return event.offset % group.modulus
        ways = group.modulus // group.addr_step
        return crc32(f"{event.key} {event.time}".encode()) % ways * group.addr_step


def _group(
    kind: Kind, cell: Cell, device: Device, limit: int, offset: int | None
) -> Group:
    most = min(kind.most, limit)
    pieces = -(-kind.most // limit)
    least = min(kind.least, most)
    if pieces > 1:
        least = min(least, kind.most % limit or limit)
    known = offset
    if known is None and cell.min_align_mask < PAGE and not cell.path.has_granule:
        known = kind.offset
    whole = least % device.size_step == most % device.size_step == 0
    return Group(
        kind.device,
        cell,
        kind.count * pieces,
        least,
        most,
        device.size_step if whole and most > least else 1,
        known,
        device.addr_step,
    )


def traced(
    trace: Trace, cell: Cell, device: Device, limit: int, offset: int | None
) -> Traced:
    """``trace`` as mappings of ``device`` in ``cell``, of at most ``limit`` bytes."""
    groups = tuple(_group(kind, cell, device, limit, offset) for kind in trace.kinds)
    return Traced(trace, groups, limit, offset)


def expect_history(state: KernelState, of: Traced, pool: BootPool) -> Expected:
    """Run the history of a trace on ``pool``."""
    calls, groups = of.calls()
    page = of.groups[0].cell.page_size
    count = len(of.groups)
    return expect_trace(state, page, calls, groups, count, pool, POOL_START)
