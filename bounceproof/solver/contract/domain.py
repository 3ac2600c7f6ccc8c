# SPDX-License-Identifier: GPL-2.0-only
"""The requests a question speaks of: fixed values, and ranges for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bounceproof.models.constants import (
    LOW_MEMORY_LIMIT,
    MAX_AREA_SLOTS,
    MAX_PHYS_BITS,
    PAGE_SIZES,
)
from bounceproof.models.formulas.lifetime import BIDIRECTIONAL
from bounceproof.models.formulas.pools import lacks_pool, largest_nslabs
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Path,
    Pool,
    PoolKind,
    Request,
)
from bounceproof.models.requests.devices import Device
from bounceproof.models.words.word import (
    TRUE,
    U64,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    CType,
    Truth,
    Word,
)
from bounceproof.solver.smt.terms import variable


@dataclass(frozen=True, slots=True)
class Domain:
    """What is asked about; None ranges over all that the kernel and device allow.

    Sizes and addresses in bytes, ``nslabs`` in slots of the pool, ``start_index`` in
    slots of an area.  Buffers in the first page are asked about only where
    ``page_zero`` says so or ``orig_addr`` is fixed: memblock hands none out there, and
    x86 keeps its low memory to itself (memblock_find_in_range_node(), mm/memblock.c;
    early_reserve_memory(), arch/x86/kernel/setup.c, v7.3).
    """

    device: Device
    page_size: int | None = None
    granule: int | None = None
    path: Path | None = None
    min_align_mask: int | None = None
    seg_boundary_mask: int | None = None
    pool_start: int | None = None
    nslabs: int | None = None
    nareas: int | None = None
    start_index: int | None = None
    orig_addr: int | None = None
    size: int | None = None
    size_step: int | None = None
    addr_step: int | None = None
    bound: int = 0
    pool_kind: PoolKind = PoolKind.DEFAULT
    page_zero: bool = False

    def paths(self) -> tuple[Path, ...]:
        """The paths asked about; a granule alone asks about dma-iommu."""
        if self.path is not None:
            return (self.path,)
        wanted = self.device.paths
        return tuple(p for p in wanted if p.has_granule or self.granule is None)

    def cells(self, model: KernelModel) -> Iterator[Cell]:
        """Every cell of the domain that ``model`` has, largest pages first."""
        pages = PAGE_SIZES if self.page_size is None else (self.page_size,)
        for page in sorted(pages, reverse=True):
            for path in self.paths():
                lacking = lacks_pool(model, self.pool_kind, path)
                if model.unsupported(path) is None and lacking is None:
                    yield from self._of_page(model, page, path)

    def left_out(self, model: KernelModel) -> tuple[tuple[Path, str], ...]:
        """The paths that ``model`` has no cell of, each with the reason."""
        found = []
        for path in self.paths():
            reason = model.unsupported(path)
            reason = reason or lacks_pool(model, self.pool_kind, path)
            if reason is not None:
                found.append((path, reason))
        return tuple(found)

    def _of_page(self, model: KernelModel, page: int, path: Path) -> Iterator[Cell]:
        masks = self.device.masks(model, page)
        if self.min_align_mask is not None:
            masks = (self.min_align_mask,)
        granules = [g for g in PAGE_SIZES if g <= page]
        if self.granule is not None:
            granules = [self.granule] if self.granule <= page else []
        if not path.has_granule:
            granules = [page]
        for granule in sorted(granules, reverse=True):
            for mask in masks:
                yield Cell(page, granule, path, mask, self.pool_kind)

    def first_address(self, cell: Cell) -> int:
        """The lowest ``orig_addr`` asked about in ``cell``, in bytes."""
        if self.page_zero or self.orig_addr is not None or cell.path is Path.ALLOC:
            return 0
        return cell.page_size

    def boundary(self) -> int | None:
        """The segment boundary mask, or None where it ranges."""
        if self.seg_boundary_mask is not None:
            return self.seg_boundary_mask
        return self.device.seg_boundary_mask


@dataclass(frozen=True, slots=True)
class Variables:
    """The symbols of one cell, in the order in which a counterexample is made small.

    ``areas`` is how many areas a search has to try (1 or 2, see
    :func:`~.formulas.outcome.search_areas`).  ``extra`` has the symbols that
    one property needs: ``free_slot`` (slots of the area), ``direction`` (0 to_device,
    1 from_device, 2 bidirectional), ``sync_offset`` and ``sync_size`` (bytes, inside
    what is bounced).
    """

    request: Request
    pool: Pool
    nareas: Word
    areas: int
    constraint: Truth
    extra: dict[str, Word]

    def ordered(self) -> dict[str, Word]:
        """Field name to symbol or number, most significant first."""
        return {
            "size": self.request.size,
            "orig_addr": self.request.orig_addr,
            "start_index": self.pool.start_index,
            **self.extra,
            "area_nslabs": self.pool.area_nslabs,
            "nareas": self.nareas,
            "pool_start": self.pool.start,
            "seg_boundary_mask": self.pool.seg_boundary_mask,
        }


@dataclass(slots=True)
class _Builder:
    """Symbols for what ranges, numbers for what is fixed, and their constraints."""

    geometry: SlotGeometry
    constraint: Truth = field(default=TRUE)

    def require(self, truth: Truth) -> None:
        self.constraint = self.constraint & truth

    def word(
        self, name: str, fixed: int | None, ctype: CType, bits: int, step: int = 1
    ) -> Word:
        """``fixed``, or any multiple of ``step`` below 2**bits."""
        if fixed is not None:
            return Word(fixed, ctype)
        shift = (step & -step).bit_length() - 1
        if bits <= shift:
            return Word(0, ctype)
        narrow = variable(name, CType(bits - shift, False)).cast(ctype)
        word = narrow << shift
        if step >> shift != 1:
            self.require((word % Word(step, ctype)).eq(0))
        return word


def _is_mask(word: Word) -> Truth:
    return (word & (word + 1)).eq(0)


def _is_power(word: Word) -> Truth:
    return (word & (word - 1)).eq(0) & word.ne(0)


def _request(b: _Builder, domain: Domain, cell: Cell, limit: int) -> Request:
    size_step = domain.size_step or domain.device.size_step
    addr_step = domain.addr_step or domain.device.addr_step
    fixed_address = domain.orig_addr
    if cell.path is Path.ALLOC:
        size_step, fixed_address = max(size_step, cell.page_size), 0
    largest = min(limit, 1 << MAX_PHYS_BITS)
    size = b.word("size", domain.size, U64, largest.bit_length(), size_step)
    address = b.word("orig_addr", fixed_address, U64, MAX_PHYS_BITS, addr_step)
    b.require((size > 0) & (size <= Word(largest, U64)))
    first = domain.first_address(cell)
    if first:
        b.require(address >= Word(first, U64))
    b.require(address + size <= Word(1 << MAX_PHYS_BITS, U64))
    return Request(address, size)


def _areas(b: _Builder, domain: Domain) -> tuple[Word, Word, int]:
    """Slots of an area, number of areas, areas to search."""
    slot_set, bits = b.geometry.segsize, MAX_AREA_SLOTS.bit_length()
    if domain.nslabs is not None and domain.nareas is not None:
        slots = Word(domain.nslabs // domain.nareas, UNSIGNED_INT)
        return slots, Word(domain.nareas, UNSIGNED_INT), min(domain.nareas, 2)
    slots = b.word("area_nslabs", None, UNSIGNED_INT, bits, slot_set)
    b.require((slots >= slot_set) & (slots <= MAX_AREA_SLOTS))
    if domain.nslabs is None:
        count = 1 if domain.nareas is None else domain.nareas
        if count > 1:
            b.require(_is_power(slots))
        return slots, Word(count, UNSIGNED_INT), min(count, 2)
    areas = b.word("nareas", None, UNSIGNED_INT, bits)
    b.require(_is_power(areas) & (areas <= domain.nslabs // slot_set))
    b.require((areas * slots).eq(Word(domain.nslabs, UNSIGNED_INT)))
    return slots, areas, 2


def _transient(b: _Builder, domain: Domain, cell: Cell) -> Pool:
    """Where a transient pool lies; the request decides the rest."""
    start = b.word("pool_start", domain.pool_start, U64, MAX_PHYS_BITS, cell.page_size)
    boundary = b.word("seg_boundary_mask", domain.boundary(), U64, 64)
    b.require(_is_mask(boundary.cast(UNSIGNED_LONG)))
    one = (domain.boundary() or 0) >= b.geometry.set_bytes - 1
    slots, index = Word(b.geometry.segsize, UNSIGNED_INT), Word(0, UNSIGNED_INT)
    return Pool(start, slots, index, boundary, one, domain.bound, geometry=b.geometry)


def _require_grown(b: _Builder, cell: Cell, start: Word, nslabs: Word) -> None:
    """A grown pool's size and place, as swiotlb_alloc_pool() gives them."""
    length = nslabs << b.geometry.shift
    most = largest_nslabs(cell.page_size, b.geometry)
    b.require(_is_power(nslabs) & (nslabs <= most))
    b.require(start.ne(0) & (start & (length - 1)).eq(0))
    b.require(start + length <= Word(1 << MAX_PHYS_BITS, U64))


def _pool(b: _Builder, domain: Domain, cell: Cell) -> tuple[Pool, Word, int]:
    if cell.pool_kind is PoolKind.TRANSIENT:
        return _transient(b, domain, cell), Word(1, UNSIGNED_INT), 1
    slots, nareas, areas = _areas(b, domain)
    grown = cell.pool_kind is PoolKind.GROWN
    low_bits = MAX_PHYS_BITS if grown else LOW_MEMORY_LIMIT.bit_length() - 1
    start = b.word("pool_start", domain.pool_start, U64, low_bits, cell.page_size)
    bits = MAX_AREA_SLOTS.bit_length() - 1
    if isinstance(slots.raw, int):
        bits = (slots.raw - 1).bit_length()
    index = b.word("start_index", domain.start_index, UNSIGNED_INT, bits)
    boundary = b.word("seg_boundary_mask", domain.boundary(), U64, 64)
    length = (slots.cast(U64) * nareas.cast(U64)) << b.geometry.shift
    if grown:
        _require_grown(b, cell, start, slots.cast(U64) * nareas.cast(U64))
    elif domain.pool_start is None:
        low = Word(LOW_MEMORY_LIMIT, U64)
        b.require(start.ne(0) & (length <= low) & (start + length <= low))
    b.require((index < slots) & _is_mask(boundary.cast(UNSIGNED_LONG)))
    one = _one_segment(domain, cell, b.geometry)
    if domain.bound:
        b.require(slots <= domain.bound)
    pool = Pool(start, slots, index, boundary, one, domain.bound, geometry=b.geometry)
    return pool, nareas, areas


def _one_segment(domain: Domain, cell: Cell, geometry: SlotGeometry) -> bool:
    """Whether no pool of the domain can cross a segment boundary of the device."""
    mask = domain.boundary()
    if mask is None:
        return False
    if cell.pool_kind is PoolKind.GROWN:
        most = largest_nslabs(cell.page_size, geometry)
        return mask >= (most << geometry.shift) - 1
    if domain.pool_start is None:
        return mask >= LOW_MEMORY_LIMIT - 1
    if domain.nslabs is None:
        return False
    first = domain.pool_start & mask
    return first + (domain.nslabs << geometry.shift) <= mask + 1


def _extra(
    b: _Builder, names: tuple[str, ...], request: Request, limit: int
) -> dict[str, Word]:
    extra: dict[str, Word] = {}
    if "free_slot" in names:
        bits = MAX_AREA_SLOTS.bit_length() - 1
        extra["free_slot"] = b.word("free_slot", None, UNSIGNED_INT, bits)
    if "direction" in names:
        extra["direction"] = b.word("direction", None, UNSIGNED_INT, 2)
        b.require(extra["direction"] <= BIDIRECTIONAL)
    if "sync_offset" in names:
        bits = min(limit.bit_length(), MAX_PHYS_BITS)
        offset = b.word("sync_offset", None, U64, bits)
        size = b.word("sync_size", None, U64, bits)
        b.require((size > 0) & (offset + size <= request.size))
        extra |= {"sync_offset": offset, "sync_size": size}
    return extra


def variables(
    domain: Domain,
    cell: Cell,
    limit: int,
    extra: tuple[str, ...] = (),
    geometry: SlotGeometry = MAINLINE,
) -> Variables:
    """The symbols of ``cell`` and what holds for them; ``limit`` in bytes.

    ``geometry`` is that of the kernel asked about.

    A free pool is page aligned, not at 0, and below 4 GiB, as memblock_alloc_low()
    places it (swiotlb_memblock_alloc(), kernel/dma/swiotlb.c; memblock never hands out
    the first page); one area then stands for any number of like areas.  Grown pools lie
    at multiples of their size anywhere; where a transient one may lie depends on the
    request too, see :func:`bounceproof.models.formulas.pools.placeable`.
    """
    builder = _Builder(geometry)
    request = _request(builder, domain, cell, limit)
    pool, nareas, areas = _pool(builder, domain, cell)
    if pool.one_segment:
        areas = 1
    more = _extra(builder, extra, request, limit)
    return Variables(request, pool, nareas, areas, builder.constraint, more)
