# SPDX-License-Identifier: GPL-2.0-only
"""Whether two kernels treat a mapping alike from its placement to its end."""

from __future__ import annotations

from collections.abc import Iterator

from bounceproof.models.constants import (
    LOW_MEMORY_LIMIT,
    MAX_AREA_SLOTS,
    MAX_PHYS_BITS,
)
from bounceproof.models.formulas.lifetime import DIRECTIONS, HasLife, Placed, Range
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, KernelModel, Path, Pool, Request
from bounceproof.models.words.word import (
    FALSE,
    PHYS_ADDR_T,
    SIZE_T,
    TRUE,
    U64,
    UNSIGNED_INT,
    CType,
    Truth,
    Word,
)
from bounceproof.solver.smt.terms import variable

Question = tuple[str, Truth]
SLOW_MASK = 0xFFF
_SLOT_BITS = MAX_AREA_SLOTS.bit_length() - 1


class LifeSpace:
    """Any mapping of ``cell`` at any slot that has room for it.

    ``fields``: its symbols, most significant first; ``constraint``: what holds.
    """

    def __init__(self, cell: Cell, geometry: SlotGeometry) -> None:
        pages = LOW_MEMORY_LIMIT.bit_length() - cell.page_shift
        page = variable("pool_page", CType(pages, False)).cast(U64)
        slot = variable("slot", CType(_SLOT_BITS, False)).cast(UNSIGNED_INT)
        address = variable("orig_addr", PHYS_ADDR_T)
        if cell.path is Path.ALLOC:
            address = Word(0, PHYS_ADDR_T)
        self.cell, self.slot = cell, slot
        self.request = Request(address, _size("size", geometry))
        self.behind = _size("sync_behind", geometry)
        self.length = _size("sync_size", geometry)
        self.offset = Word(0, SIZE_T)
        start = page << cell.page_shift
        nothing = Word(0, UNSIGNED_INT)
        slots = Word(MAX_AREA_SLOTS, UNSIGNED_INT)
        self.pool = Pool(start, slots, nothing, Word(~0, U64), geometry=geometry)

    @property
    def fields(self) -> dict[str, Word]:
        """The symbols of a difference, most significant first."""
        return {
            "size": self.request.size,
            "orig_addr": self.request.orig_addr,
            "slot": self.slot,
            "sync_offset": self.offset,
            "sync_size": self.length,
            "pool_start": self.pool.start,
        }

    def begin(self, model: KernelModel) -> None:
        """Let syncs range over the mapping of ``model``.

        Their place behind the first slot's start is the symbol, so that its slot and
        its offset there are plain bits.
        """
        mapping = model.mapping(self.cell, self.request)
        self.offset = self.behind - mapping.padding.cast(SIZE_T)

    def constraint(self) -> Truth:
        """Sizes and addresses that are physical, a sync inside the mapping."""
        top, size = Word(1 << MAX_PHYS_BITS, U64), self.request.size
        physical = (size > 0) & (self.request.orig_addr < top)
        if self.cell.path is Path.ALLOC:
            physical = physical & (size & (self.cell.page_size - 1)).eq(0)
        most = Word(self.pool.geometry.set_bytes, SIZE_T)
        inside = (self.offset < most) & (self.length > 0)
        inside = inside & (self.offset + self.length <= size)
        return physical & inside & self.pool.start.ne(0)

    def placed(self, model: KernelModel) -> tuple[Placed, Truth]:
        """The mapping in ``model``, and where it is one that fits a slot set."""
        assert isinstance(model, HasLife)
        mapping = model.mapping(self.cell, self.request)
        life = model.life(self.cell)
        placed = Placed(life, self.cell, self.request, mapping, self.pool, self.slot)
        geometry = self.pool.geometry
        least, most = mapping.nslots > 0, mapping.nslots <= geometry.segsize
        fits = mapping.total <= Word(geometry.set_bytes, SIZE_T)
        room = self.slot <= Word(MAX_AREA_SLOTS - geometry.segsize, UNSIGNED_INT)
        live = mapping.bounced & ~mapping.refused & least & most & fits & room
        return placed, live & self._granted(model, placed)

    def _granted(self, model: KernelModel, placed: Placed) -> Truth:
        """Where swiotlb_alloc() hands out what the search found."""
        if self.cell.path is not Path.ALLOC:
            return TRUE
        masks = model.alloc_align_masks(self.cell)
        if not model.search_rule(self.cell, masks[0], large=True).page_check:
            return TRUE
        return (placed.start & (self.cell.page_size - 1)).eq(0)


def _size(name: str, geometry: SlotGeometry) -> Word:
    """Any size up to a slot set's: larger ones find no slots."""
    bits = geometry.set_bytes.bit_length()
    return variable(name, CType(bits, False)).cast(SIZE_T)


def life_questions(
    built: KernelModel, read: KernelModel, space: LifeSpace
) -> Iterator[Question]:
    """Each way in which the two can differ, by name."""
    space.begin(built)
    one, mine = space.placed(built)
    two, _ = space.placed(read)
    live = space.constraint() & mine
    for name, differ in _differences(one, two, space):
        yield name, live & differ


def _differences(one: Placed, two: Placed, space: LifeSpace) -> Iterator[Question]:
    yield "slots taken", _ranges_differ(one.slots(), two.slots())
    yield "slots tested", _unlike(one.life.overtakes(one), two.life.overtakes(two))
    handed = one.life.handed_out(one), two.life.handed_out(two)
    yield "bytes handed out", _ranges_differ(*handed)
    yield "range mapped", _reach_differs(one, two)
    freed = one.life.release(one), two.life.release(two)
    same = freed[0].first.eq(freed[1].first) & freed[0].nslots.eq(freed[1].nslots)
    whole = freed[0].first.eq(one.slot) & freed[0].nslots.eq(one.mapping.nslots)
    ended = whole & _unlike(freed[0].done, freed[1].done)
    known = [_of_its_own(one, first) for first in (freed[0].first, freed[1].first)]
    yield "slots freed", _unlike(*known) | (known[0] & (~same | ended))
    if space.cell.path is not Path.ALLOC:
        yield from _bytes_differ(one, two, space)


def _of_its_own(placed: Placed, first: Word) -> Truth:
    """Whether a release begins in the mapping's own slots.

    One that begins elsewhere goes by what another mapping has there.
    """
    return (first - placed.slot).cast(UNSIGNED_INT) < placed.mapping.nslots.cast(
        UNSIGNED_INT
    )


def _bytes_differ(one: Placed, two: Placed, space: LifeSpace) -> Iterator[Question]:
    """Copies and zeroing.  The slow ones are asked at the largest granule and with
    the mask of 4 KiB, which has bits of both kinds of padding."""
    cell = space.cell
    slow = cell.granule == cell.page_size and cell.min_align_mask == SLOW_MASK
    for index, name in enumerate(DIRECTIONS):
        direction = Word(index, UNSIGNED_INT)
        kept = [side.life.copied_in(side, direction) for side in (one, two)]
        yield f"bytes copied in {name}", _unlike(*kept)
        if not slow:
            continue
        zeroed = [side.life.zeroed(side, direction) for side in (one, two)]
        yield f"bytes zeroed {name}", _lists_differ(*zeroed)
        for what, differ in _syncs_differ(one, two, direction, space):
            yield f"{what} by a sync {name}", differ


def _ranges_differ(one: Range, two: Range) -> Truth:
    return one[0].ne(two[0]) | one[1].ne(two[1])


def _reach_differs(one: Placed, two: Placed) -> Truth:
    differ = FALSE
    for first in one.life.reach(one):
        for second in two.life.reach(two):
            differ = differ | _ranges_differ(first, second)
    return differ


def _syncs_differ(
    one: Placed, two: Placed, direction: Word, space: LifeSpace
) -> Iterator[Question]:
    """The sizes in three parts, each simpler than that they differ."""
    asked = direction, space.offset, space.length
    mine, theirs = one.life.sync_copy(one, *asked), two.life.sync_copy(two, *asked)
    moved = mine.orig_addr.ne(theirs.orig_addr) | mine.tlb_addr.ne(theirs.tlb_addr)
    yield "bytes copied", mine.size.ne(0) & moved
    cut = mine.size.ne(space.length), theirs.size.ne(space.length)
    yield "size copied in full", ~cut[0] & cut[1]
    yield "size not copied in full", cut[0] & ~cut[1]
    yield "part copied", cut[0] & cut[1] & mine.size.ne(theirs.size)


def _lists_differ(one: tuple[Range, ...], two: tuple[Range, ...]) -> Truth:
    """Ranges in the same order, empty ones alike."""
    if len(one) != len(two):
        return TRUE
    differ = FALSE
    for first, second in zip(one, two, strict=True):
        empty = first[0] >= first[1], second[0] >= second[1]
        both = ~empty[0] & ~empty[1]
        unlike = both & _ranges_differ(first, second)
        differ = differ | unlike | _unlike(*empty)
    return differ


def _unlike(one: Truth, two: Truth) -> Truth:
    if one.raw is FALSE.raw and two.raw is FALSE.raw:
        return FALSE
    if one.raw is TRUE.raw and two.raw is TRUE.raw:
        return FALSE
    return (one & ~two) | (~one & two)
