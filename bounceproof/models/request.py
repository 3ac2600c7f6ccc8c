# SPDX-License-Identifier: GPL-2.0-only
"""What a driver asks for, and what the kernel makes of it before it searches."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.outcome import Outcome
from bounceproof.models.reach.rules import Untrusted
from bounceproof.models.words.word import Truth, Word


class Path(StrEnum):
    """The way into swiotlb.

    ``direct``: dma-direct streaming, bouncing forced.  ``iommu``: dma-iommu page or
    scatterlist mapping of an untrusted device.  ``alloc``: swiotlb_alloc() from a
    restricted pool, with orig_addr 0.  ``link``: dma_iova_link() of an untrusted
    device, of which the first piece that bounces is modelled: the unaligned head, or
    the tail where there is none.
    """

    DIRECT = "direct"
    IOMMU = "iommu"
    ALLOC = "alloc"
    LINK = "link"

    @property
    def has_granule(self) -> bool:
        """Whether the IOMMU's granule plays a part."""
        return self in (Path.IOMMU, Path.LINK)


class PoolKind(StrEnum):
    """Which of the pools that a mapping may come from is asked about.

    ``default``: the pool of the boot, or a restricted one.  ``grown``: one that
    swiotlb_dyn_alloc() added.  ``transient``: the one that swiotlb_find_slots() makes
    for a single request when no other pool has room.
    """

    DEFAULT = "default"
    GROWN = "grown"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The part of a request that is a plain number in every query.

    ``page_size`` and ``granule`` in bytes (granule equals page_size where the path
    has none), ``min_align_mask`` the device's mask, ``pool_kind`` the pool asked about.
    """

    page_size: int
    granule: int
    path: Path
    min_align_mask: int
    pool_kind: PoolKind = PoolKind.DEFAULT

    @property
    def page_shift(self) -> int:
        return self.page_size.bit_length() - 1


@dataclass(frozen=True, slots=True)
class Request:
    """One mapping: ``orig_addr`` (phys_addr_t) and ``size`` (size_t, bytes)."""

    orig_addr: Word
    size: Word


@dataclass(frozen=True, slots=True)
class Pool:
    """The pool searched, all of its areas alike.

    ``start`` phys_addr_t, ``area_nslabs`` unsigned int (slots), ``start_index``
    (area->index) unsigned int, ``seg_boundary_mask`` unsigned long.  ``one_segment``
    is a promise of the caller that the pool lies within one segment of the device,
    so that no run of slots can span a boundary.  ``bound`` is the most slots an area
    has where the loop is to be unrolled, 0 for the closed form.  ``partial``: its one
    area is no whole number of slot sets; ``list_clamped``: list[] ends with it all the
    same, which says something of partial areas alone.  ``geometry``: its slots.
    """

    start: Word
    area_nslabs: Word
    start_index: Word
    seg_boundary_mask: Word
    one_segment: bool = False
    bound: int = 0
    partial: bool = False
    list_clamped: bool = False
    geometry: SlotGeometry = MAINLINE


@dataclass(frozen=True, slots=True)
class Mapping:
    """The request as the slot search receives it.

    ``bounced``: it needs a bounce buffer.  ``refused``: it fails whatever the pool
    holds.  ``alloc_align_mask``: the mask the caller passes, unsigned int.
    ``padding``: bytes before the data, of the allocation's first slot (unsigned
    int).  ``total``: bytes searched for (size_t).  ``printed``: the size in "swiotlb
    buffer is full" (size_t).  ``nslots``: slots searched for (unsigned int).
    ``orig_addr``, ``size``: what is bounced, the request or a piece of it.
    """

    bounced: Truth
    refused: Truth
    alloc_align_mask: Word
    padding: Word
    total: Word
    printed: Word
    nslots: Word
    orig_addr: Word
    size: Word


class Counting(StrEnum):
    """What a counted search counts up to the slots of its area.

    ``steps``: every step, whole; ``to_end``: of a step over the area's end only what
    is left of the area; ``turns``: one for each turn of the loop.
    """

    STEPS = "steps"
    TO_END = "steps inside the area"
    TURNS = "turns"


class Passes(StrEnum):
    """Where a counted search gives up: back at its start, or after all of the area
    once more from slot 0."""

    TO_START = "back at the start"
    WHOLE = "after a whole second pass"


class Wrap(StrEnum):
    """Where a step over the area's end leads: to slot 0, or as far past it."""

    TO_ZERO = "to slot 0"
    MODULO = "as far past slot 0"


class Jump(StrEnum):
    """How the stride is taken: added, or up to the next multiple of it."""

    ADD = "by the stride"
    ROUND_UP = "to the next multiple of the stride"


@dataclass(frozen=True, slots=True)
class SearchRule:
    """The slot search for one cell, alloc_align_mask and side of PAGE_SIZE.

    A slot at DMA address ``d`` is admissible where ``d & zero_mask`` is 0 and
    ``d & compare_mask`` equals ``orig_addr & compare_mask``; the latter is waived
    for orig_addr 0 where ``skip_zero``.  The search steps by one slot from an
    inadmissible slot and by ``stride`` slots from one that does not fit.
    ``aligned_start``: it starts at area->index aligned up to the stride.
    ``counted``: it ends when the steps reach the area's slots, else when the index
    comes back to the start.  ``fall_through``: an inadmissible slot is tested too.
    ``page_check``: the result fails unless it is page aligned.
    ``iotlb_align_mask`` is the value the kernel's variable of that name ends with.
    ``counting``, ``wrap``, ``jump`` and ``passes`` say how steps are counted and taken;
    one step of the loop is :func:`bounceproof.models.formulas.loop.turn`.
    """

    zero_mask: int
    compare_mask: int
    skip_zero: bool
    stride: int
    aligned_start: bool
    counted: bool
    fall_through: bool
    page_check: bool
    alloc_align_mask: int
    iotlb_align_mask: int
    counting: Counting = Counting.STEPS
    wrap: Wrap = Wrap.TO_ZERO
    jump: Jump = Jump.ADD
    passes: Passes = Passes.TO_START

    @property
    def canonical(self) -> SearchRule:
        """The same search, with what plays no part in it as in every such rule."""
        alike = self
        if not self.compare_mask:
            alike = replace(alike, skip_zero=False)
        if self.stride == 1:
            alike = replace(alike, aligned_start=False, jump=Jump.ADD)
        return alike


class KernelModel(Protocol):
    """What a query asks of a kernel, built in or read from source."""

    @property
    def name(self) -> str: ...

    def geometry(self, page_size: int) -> SlotGeometry:
        """The kernel's slots, for ``page_size`` bytes a page."""
        ...

    def unsupported(self, path: Path) -> str | None:
        """Why requests cannot take ``path`` in this kernel, or None."""
        ...

    def nvme_align_mask(self, page_size: int) -> int:
        """The min_align_mask nvme-pci sets, for ``page_size`` bytes a page."""
        ...

    def max_mapping_size(self, cell: Cell) -> int:
        """dma_max_mapping_size() in bytes for a device that bounces."""
        ...

    def opt_mapping_size(self, cell: Cell) -> int:
        """dma_opt_mapping_size() in bytes; the maximum where there is no such call."""
        ...

    def nvme_limit(self, cell: Cell) -> int:
        """nvme-pci's max_hw_sectors in bytes, for a controller without MDTS."""
        ...

    def mapping(self, cell: Cell, request: Request) -> Mapping:
        """The request as the slot search receives it."""
        ...

    def alloc_align_masks(self, cell: Cell) -> tuple[int, ...]:
        """Every alloc_align_mask that :meth:`mapping` can give in ``cell`` for a size
        that fits a slot set; larger sizes fit nowhere."""
        ...

    def search_rule(self, cell: Cell, alloc_align_mask: int, large: bool) -> SearchRule:
        """The slot search, for T >= PAGE_SIZE where ``large``."""
        ...


@runtime_checkable
class RunsItself(Protocol):
    """A kernel that confirms counterexamples on its own code."""

    def run_numbers(
        self, cell: Cell, numbers: Dictionary[str, int], taken: list[tuple[int, int]]
    ) -> Outcome:
        """What comes of one request.

        ``numbers`` has orig_addr, size, pool_start, nslabs, nareas, start_index and
        seg_boundary_mask; ``taken`` are runs of slots in use, first and last.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A line (from 1) of a file of the tree, and ``what`` happens there."""

    file: str
    line: int
    what: str


@runtime_checkable
class SaysWhereItBreaks(Protocol):
    """A kernel that can say at which lines of its code a property breaks."""

    def breaks_at(
        self,
        prop: str,
        cell: Cell,
        numbers: Dictionary[str, int],
        taken: list[tuple[int, int]],
    ) -> tuple[Place, ...]:
        """Lines that the request leads to, the one where ``prop`` breaks first.

        Arguments as of :meth:`RunsItself.run_numbers`.
        """
        ...


@runtime_checkable
class Doubtful(Protocol):
    """A kernel that can be asked although nothing is proved of what it leaves alone."""

    def doubted(self) -> KernelModel | None:
        """The kernel without that proof, None where it is proved or was not asked.

        What holds of it holds of nothing; what its own code shows is shown.
        """
        ...


@runtime_checkable
class RunsHistories(Protocol):
    """A kernel that runs histories of calls on its own code."""

    def geometry(self, page_size: int) -> SlotGeometry:
        """See :class:`KernelModel`."""
        ...

    def run_history(
        self, machine: Dictionary[str, Any], ops: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """One record for each of ``ops``, as the simulator's histories give.

        ``machine`` and ``ops`` have every field, the defaults filled in.
        """
        ...


@runtime_checkable
class MarksUntrusted(Protocol):
    """A kernel of which it can be told which devices it marks untrusted."""

    def untrusted(self) -> Untrusted | None:
        """The rule for PCI devices; None where it is no known one."""
        ...


@runtime_checkable
class Configured(Protocol):
    """A kernel that is more than its name on the command line."""

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Options that go with the name, and their values."""
        ...
