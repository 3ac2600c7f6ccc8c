# SPDX-License-Identifier: GPL-2.0-only
"""A mix of mappings: what is mapped at once, by which device, how often."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import Cell


@dataclass(frozen=True, slots=True)
class Group:
    """Mappings of one device, of which at most ``count`` are live at once.

    Sizes from ``least`` to ``most`` bytes in steps of ``size_step``.  ``offset`` is
    the original address within :attr:`modulus`, None for every multiple of
    ``addr_step``.
    """

    name: str
    cell: Cell
    count: int
    least: int
    most: int
    size_step: int = 1
    offset: int | None = None
    addr_step: int = 1

    @property
    def modulus(self) -> int:
        """Addresses that are alike within this many bytes are treated alike."""
        cell = self.cell
        return max(cell.page_size, cell.granule, cell.min_align_mask + 1)


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """What mappings of a group ask of a slot set.

    ``nslots`` consecutive slots, the first of them ``first`` or a multiple of
    ``period`` later, counted from the start of the slot set.  ``short``: how many
    slots before its starting index the search may leave unvisited.  ``orig_addr`` and
    ``size`` are of one such mapping, in bytes.
    """

    nslots: int
    first: int
    period: int
    short: int
    group: int
    orig_addr: int
    size: int

    def next(self, slot: int) -> int:
        """The first slot from ``slot`` on where such a mapping may start."""
        return slot + (self.first - slot) % self.period

    def places(self, segsize: int) -> range:
        """Where in an empty slot set such a mapping may start."""
        return range(self.first, segsize - self.nslots + 1, self.period)

    def ends(self, slot: int) -> int:
        """The slot after a mapping that starts at ``slot``."""
        return slot + self.nslots
