# SPDX-License-Identifier: GPL-2.0-only
"""A pool of very small slot sets, every history of which can be tried."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bounceproof.models.capacity.mix import Shape

OTHERS = -1
Live = frozenset[tuple[int, int, int]]
"""Slot, slots and group of each live mapping."""
State = tuple[Live, tuple[int, ...]]


@dataclass(frozen=True)
class Tiny:
    """``areas`` areas of ``sets`` slot sets of ``segsize`` slots.

    ``whole``: a stride over the end of the area counts only what is left of it.
    """

    segsize: int
    sets: int
    areas: int
    whole: bool = False

    @property
    def slots(self) -> int:
        return self.segsize * self.sets

    def search(self, live: Live, area: int, index: int, shape: Shape) -> int:
        """The slot that a search takes in one area, or -1."""
        base = area * self.slots
        taken = {s for slot, n, _ in live for s in range(slot, slot + n)}
        checked = 0
        while checked < self.slots:
            right = (index - shape.first) % shape.period == 0
            run = range(base + index, base + index + shape.nslots)
            fits = index % self.segsize + shape.nslots <= self.segsize
            if right and fits and taken.isdisjoint(run):
                return index
            step = shape.period if right else 1
            left = self.slots - index
            checked += min(step, left) if self.whole else step
            index = index + step if step < left else 0
        return -1

    def mapped(self, state: State, shape: Shape, group: int, cpu: int) -> State | None:
        """The state after a mapping from ``cpu``, None where it fails."""
        live, indices = state
        for turn in range(self.areas):
            area = (cpu + turn) % self.areas
            slot = self.search(live, area, indices[area], shape)
            if slot >= 0:
                after = slot + shape.nslots
                indices = (
                    *indices[:area],
                    after if after < self.slots else 0,
                    *indices[area + 1 :],
                )
                held = (area * self.slots + slot, shape.nslots, group)
                return live | {held}, indices
        return None

    def states(
        self, shapes: Sequence[Shape], others: Sequence[Shape], counts: Sequence[int]
    ) -> Iterator[State]:
        """Every state that histories reach, ``counts`` the most live of each group."""
        start: State = frozenset(), (0,) * self.areas
        seen, todo = {start}, deque([start])
        while todo:
            state = todo.popleft()
            yield state
            for after in self._after(state, shapes, others, counts):
                if after not in seen:
                    seen.add(after)
                    todo.append(after)

    def _after(
        self,
        state: State,
        shapes: Sequence[Shape],
        others: Sequence[Shape],
        counts: Sequence[int],
    ) -> Iterator[State]:
        live, indices = state
        for held in live:
            yield live - {held}, indices
        for group, kinds in ((None, shapes), (OTHERS, others)):
            for shape in kinds:
                of = shape.group if group is None else OTHERS
                count = sum(held[2] == of for held in live)
                if of != OTHERS and count >= counts[of]:
                    continue
                for cpu in range(self.areas):
                    after = self.mapped(state, shape, of, cpu)
                    if after is not None:
                        yield after
