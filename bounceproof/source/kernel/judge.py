# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's run shows of the contract: by slots taken and bytes touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import Cell, Path
from bounceproof.source.eval.memory import NOTHING, Value
from bounceproof.source.extract.run import Run

Bytes = tuple[int, int]
"""First byte and the byte after the last."""


@dataclass(slots=True)
class Live:
    """A live mapping: the request, the slots it took and what its making did."""

    name: str | int
    direction: str
    orig_addr: int
    size: int
    run: Run
    taken: range = range(0)
    handle: int = 0
    result: Value = NOTHING

    @property
    def bounced(self) -> bool:
        return len(self.taken) > 0

    @property
    def tlb_addr(self) -> int:
        return int(self.run.outcome.tlb_addr or 0)

    @property
    def data(self) -> Bytes:
        """Where the data lies in the pool."""
        return self.tlb_addr, self.tlb_addr + self.size

    def fields(self) -> dict[str, Any]:
        """What a report shows of it."""
        outcome = self.run.outcome
        return {
            "mapping": self.name,
            "direction": self.direction,
            "orig_addr": self.orig_addr,
            "size": self.size,
            "slot": outcome.slot,
            "nslots": outcome.nslots,
            "tlb_addr": outcome.tlb_addr,
        }


_SLOTS = "the mapping's slots are"


def _outside(inner: Bytes, outer: Bytes) -> list[Bytes]:
    """What of ``inner`` is not in ``outer``."""
    before = inner[0], min(inner[1], outer[0])
    after = max(inner[0], outer[1]), inner[1]
    return [span for span in (before, after) if span[0] < span[1]]


def _inside(inner: Bytes, outer: Bytes) -> bool:
    return inner[0] >= inner[1] or outer[0] <= inner[0] <= inner[1] <= outer[1]


def _meet(one: Bytes, two: Bytes) -> bool:
    return max(one[0], two[0]) < min(one[1], two[1])


def expected_lists(free: list[bool], geometry: SlotGeometry = MAINLINE) -> list[int]:
    """list[] of a pool whose free slots are ``free``."""
    lists, run = [0] * len(free), 0
    for slot in reversed(range(len(free))):
        last = (slot + 1) % geometry.segsize == 0
        run = (0 if last else run) + 1 if free[slot] else 0
        lists[slot] = run
    return lists


class Judge:
    """Collects what is ``broken``: property and text, call by call."""

    def __init__(
        self, cell: Cell, machine: Mapping[str, int], geometry: SlotGeometry
    ) -> None:
        self._geometry = geometry
        self._cell, self._start = cell, machine["pool_start"]
        self.broken: list[dict[str, Any]] = []

    def report(self, prop: str, text: str, *spans: Bytes) -> None:
        """Note one broken property; ``spans`` are the addresses at fault."""
        where = {"spans": [list(span) for span in spans]} if spans else {}
        self.broken.append({"property": prop, "text": text, **where})

    def invariant(self, lists: list[int]) -> str | None:
        """The first slot whose list[] the free slots do not explain."""
        wanted = expected_lists([value > 0 for value in lists], self._geometry)
        for slot, (held, right) in enumerate(zip(lists, wanted, strict=True)):
            if held != right:
                return f"list[{slot}] is {held}, not {right}"
        return None

    def _slots(self, live: Live) -> Bytes:
        size = self._geometry.size
        first = self._start + live.taken.start * size
        return first, first + len(live.taken) * size

    def _handed_out(self, live: Live) -> Bytes:
        page = live.run.page
        if self._cell.path is not Path.ALLOC or page is None:
            return live.data
        return page, page + -(-live.size // self._cell.page_size) * self._cell.page_size

    def reach(self, live: Live) -> Iterable[Bytes]:
        """What the device can reach through the mapping."""
        if not self._cell.path.has_granule:
            return [live.data]
        return [(at, at + size) for at, size in live.run.mapped]

    # The properties.

    def mapping(
        self,
        live: Live,
        others: Mapping[str | int, Live],
        before: list[int],
        after: list[int],
    ) -> None:
        """Judge a mapping just made."""
        slots = self._slots(live)
        for reached in self.reach(live):
            if not _inside(reached, slots):
                text = f"the device reaches {_text(reached)}, {_SLOTS} {_text(slots)}"
                self.report("owned", text, *_outside(reached, slots))
        self._exclusive(live, slots, others, before)
        changed = {i for i, now in enumerate(after) if not now and before[i]}
        if changed != set(live.taken):
            self.report("exclusive", f"{len(changed)} slots were taken")
        if self._cell.path is not Path.ALLOC:
            self._copies_inside(live, live.run)
            self._clean(live)

    def _exclusive(
        self,
        live: Live,
        slots: Bytes,
        others: Mapping[str | int, Live],
        before: list[int],
    ) -> None:
        held = self._handed_out(live)
        if not _inside(held, slots):
            text = f"the caller may use {_text(held)}, {_SLOTS} {_text(slots)}"
            self.report("exclusive", text, *_outside(held, slots))
        in_use = [slot for slot in live.taken if not before[slot]]
        if in_use:
            self.report("exclusive", f"slot {in_use[0]} was in use already")
        for other in others.values():
            if other.bounced and _meet(held, self._handed_out(other)):
                theirs = self._handed_out(other)
                both = max(held[0], theirs[0]), min(held[1], theirs[1])
                text = f"{_text(both)} belongs to mapping {other.name} too"
                self.report("exclusive", text, both)

    def _copies_inside(self, live: Live, run: Run) -> None:
        slots, original = (
            self._slots(live),
            (live.orig_addr, live.orig_addr + live.size),
        )
        for to, source, size in run.copies:
            sides = (to, to + size), (source, source + size)
            here, there = sides if _meet(sides[0], slots) else sides[::-1]
            if not (_inside(here, slots) and _inside(there, original)):
                self.report("inbounds", f"a copy from {source:#x} to {_text(sides[0])}")
        for at, size in run.fills:
            if not _inside((at, at + size), slots):
                text = f"zeroes {_text((at, at + size))}, {_SLOTS} {_text(slots)}"
                self.report("inbounds", text, *_outside((at, at + size), slots))

    def _clean(self, live: Live) -> None:
        data, run = live.data, live.run
        fills = [(at, at + size) for at, size in run.fills]
        for first, end in self.reach(live):
            for padding in ((first, data[0]), (data[1], end)):
                if not any(_inside(padding, fill) for fill in [(0, 0), *fills]):
                    text = f"nothing was written to the padding {_text(padding)}"
                    self.report("clean", text, padding)
        whole = (data[0], live.orig_addr, live.size)
        wiped = any(_meet(fill, data) for fill in fills)
        if whole not in run.copies or wiped:
            self.report("clean", "the buffer does not hold the original's bytes")

    def sync(
        self, live: Live, run: Run, offset: int, length: int, device: bool
    ) -> None:
        """Judge a sync: it copies what it was asked to."""
        self._copies_inside(live, run)
        pool, original = live.tlb_addr + offset, live.orig_addr + offset
        wanted = (pool, original, length) if device else (original, pool, length)
        if not _carries(live.direction, device):
            return
        if run.copies != [wanted]:
            self.report("clean", f"a sync of {length} bytes copied {run.copies}")

    def unmapping(
        self, live: Live, run: Run, before: list[int], after: list[int]
    ) -> int:
        """Judge an unmapping; returns how many slots it freed."""
        if self._cell.path is not Path.ALLOC:
            self._copies_inside(live, run)
        freed = {i for i, now in enumerate(after) if now and not before[i]}
        if freed != set(live.taken):
            self.report("returned", f"frees {len(freed)} of {len(live.taken)} slots")
        wanted = expected_lists(
            [v > 0 or i in live.taken for i, v in enumerate(before)], self._geometry
        )
        if after != wanted and not self.invariant(before):
            at = next(i for i, v in enumerate(wanted) if after[i] != v)
            self.report("returned", f"list[{at}] is {after[at]}, not {wanted[at]}")
        return len(freed)

    def used(self, live: Live, before: int, after: int) -> None:
        """Judge what an unmapping leaves of used, the slots counted as taken."""
        if after != before - len(live.taken):
            self.report("returned", f"used is {after}, and was {before}")


def _carries(direction: str, device: bool) -> bool:
    """Whether a sync in that direction has anything to copy."""
    return direction != ("from_device" if device else "to_device")


def _text(part: Bytes) -> str:
    return f"{part[0]:#x} to {part[1]:#x}"
