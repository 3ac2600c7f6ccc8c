# SPDX-License-Identifier: GPL-2.0-only
"""A built-in kernel state as a :class:`~bounceproof.models.request.KernelModel`."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.constants import SLOT_SET_BYTES
from bounceproof.models.formulas import limits, mapping, rule
from bounceproof.models.formulas.lifetime import BuiltinLife, Life
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.kernels.state import (
    AllocAlign,
    IommuBounce,
    IovaLink,
    KernelState,
)
from bounceproof.models.request import Cell, Mapping, Path, Request, SearchRule
from bounceproof.models.words.word import SIZE_T, Word


@dataclass(frozen=True, slots=True)
class BuiltinKernel:
    """The arithmetic of one :class:`KernelState`."""

    state: KernelState

    @property
    def name(self) -> str:
        return self.state.name

    def geometry(self, page_size: int) -> SlotGeometry:
        return MAINLINE

    def unsupported(self, path: Path) -> str | None:
        if path is Path.LINK and self.state.iova_link is IovaLink.ABSENT:
            return f"{self.name} has no dma_iova_link()"
        if self.state.iommu_bounce is not IommuBounce.NONE or path is Path.DIRECT:
            return None
        if path is Path.IOMMU:
            return f"{self.name} does not bounce in dma-iommu"
        return f"{self.name} has no swiotlb_alloc()"

    def nvme_align_mask(self, page_size: int) -> int:
        return limits.nvme_align_mask(self.state, page_size)

    def max_mapping_size(self, cell: Cell) -> int:
        return int(limits.max_mapping_size(self.state, cell))

    def opt_mapping_size(self, cell: Cell) -> int:
        return int(limits.opt_mapping_size(self.state, cell))

    def nvme_limit(self, cell: Cell) -> int:
        return int(limits.nvme_limit(self.state, cell))

    def mapping(self, cell: Cell, request: Request) -> Mapping:
        return mapping.prepare(self.state, cell, request)

    def alloc_align_masks(self, cell: Cell) -> tuple[int, ...]:
        if cell.path.has_granule:
            return (cell.granule - 1,)
        ordered = self.state.alloc_align is AllocAlign.PAGE_ORDER
        if cell.path is Path.DIRECT or not ordered:
            return (0,)
        largest = SLOT_SET_BYTES.bit_length()
        sizes = (1 << bits for bits in range(cell.page_shift, largest))
        masks = (mapping.alloc_order_mask(Word(s, SIZE_T), cell) for s in sizes)
        return tuple(sorted({int(mask) for mask in masks}))

    def search_rule(self, cell: Cell, alloc_align_mask: int, large: bool) -> SearchRule:
        return rule.search_rule(self.state, cell, alloc_align_mask, large)

    def life(self, cell: Cell) -> Life:
        return BuiltinLife(self.state)
