# SPDX-License-Identifier: GPL-2.0-only
"""The calls of a mapping's life, and what each of them leaves and does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bounceproof.models.formulas.lifetime import (
    BIDIRECTIONAL,
    FROM_DEVICE,
    TO_DEVICE,
    Range,
)
from bounceproof.models.request import Path
from bounceproof.models.words.word import Truth, Word, ite
from bounceproof.source.eval.core import Event
from bounceproof.source.eval.memory import State, Value
from bounceproof.source.extract.record import Key, Record

IN_C = {TO_DEVICE: 1, FROM_DEVICE: 2, BIDIRECTIONAL: 0}
"""enum dma_data_direction, include/linux/dma-direction.h, by DIRECTIONS' index."""
Sync = tuple[int, str]
UNMAPS: dict[Path, tuple[str, ...]] = {
    Path.DIRECT: ("dma_direct_unmap_phys", "dma_direct_unmap_page"),
    Path.IOMMU: ("iommu_dma_unmap_phys", "iommu_dma_unmap_page"),
    Path.ALLOC: ("swiotlb_free",),
}
SYNCS: dict[Path, str] = {
    Path.DIRECT: "dma_direct_sync_single_for_",
    Path.IOMMU: "iommu_dma_sync_single_for_",
}
GIVEN_BACK = (
    "swiotlb_tbl_unmap_single",
    "__swiotlb_tbl_unmap_single",
    "swiotlb_release_slots",
)
"""What gives a buffer back while it is being mapped: the mapping then fails."""


@dataclass(frozen=True, slots=True)
class Story:
    """A mapping that was made: what it left, what happened, and what came of it."""

    state: State
    record: Record
    events: tuple[Event, ...]
    result: Value


@dataclass(frozen=True, slots=True)
class Step:
    """A memcpy(), memset() or iommu_map() of ``size`` bytes where ``condition``."""

    condition: Truth
    to: Word
    other: Word
    size: Word

    @property
    def range(self) -> Range:
        """The bytes at ``to``; none where it does not happen."""
        return self.to, ite(self.condition, self.to + self.size, self.to)


@dataclass(frozen=True, slots=True)
class Stage:
    """``what`` is done, what it left in the slots, what happened, and its result.

    ``before``: how many of the writes to a field are older.  ``sync``: of a mapping of
    which direction and for whom, None where it is none.
    """

    what: str
    record: Record
    events: tuple[Event, ...]
    result: Value
    before: Mapping[Key, int] = field(default_factory=dict)
    sync: Sync | None = None


def at_device(address: Word) -> dict[str, Value]:
    """The device's address, by the names its parameter has."""
    return dict.fromkeys(("addr", "dma_addr", "dma_handle", "handle"), address)
