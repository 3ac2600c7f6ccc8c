# SPDX-License-Identifier: GPL-2.0-only
"""The slot search in closed form: which slots the kernel's loop visits, in order.

The admissible slots of an area are blocks of ``block`` slots, one block every
``period`` slots.  Between two visits that do not fit, the loop advances by the stride
and then, slot by slot, to the next admissible slot; so the visits of one pass over the
area are a first slot, a second one, and from there every ``step`` slots (a
:class:`Leg`).  A counted loop makes a pass from its start to the end of the area and
one from 0 until the steps are used up; a loop that ends where it started makes a pass
from 0 up to that point, and where it jumps over it, passes without end.

Positions are slots inside the area, unsigned int; an area has at most 2^20 slots, so
no sum below can wrap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from bounceproof.errors import Undecided
from bounceproof.models.formulas.loop import (
    jumped,
    start_index,
)
from bounceproof.models.formulas.mapping import nr_slots
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import (
    Counting,
    Jump,
    Passes,
    Pool,
    SearchRule,
    Wrap,
)
from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    U64,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    Truth,
    Word,
    ite,
    minimum,
)

MOST_SETS = 8
"""A stride of more slot sets has no closed form here."""


class NoClosedForm(Undecided):
    """The visits of this rule have no closed form here; the message says why."""


class NotRead(Exception):
    """What the code does in a cell is not read off it; the message says why."""


class LimitOpen(NotRead):
    """What the driver's limit is depends on more than the cell; the message says on
    what."""


class NoLife(NotRead, NoClosedForm):
    """How a mapping of a cell ends is not read off the code."""


class NoSearchRule(NoClosedForm):
    """The search steps in a way that no :class:`SearchRule` says."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How admissible slots lie in an area, as plain numbers of slots."""

    period: int
    block: int
    step: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One pass: ``first``, ``second``, then every ``step``, all below ``limit``."""

    active: Truth
    first: Word
    second: Word
    step: int
    limit: Word

    def visits(self, slot: Word) -> Truth:
        """Whether this pass visits ``slot``."""
        later = (slot >= self.second) & _rem(slot - self.second, self.step).eq(0)
        return self.active & (slot < self.limit) & (slot.eq(self.first) | later)

    def at_or_after(self, point: Word) -> Word:
        """The first visit at or after ``point``, the limit aside."""
        if _is_power(self.step):
            later = point + _rem(self.second - point, self.step)
        else:
            ahead = point - self.second + (self.step - 1)
            later = self.second + (ahead - _rem(ahead, self.step))
        found = ite(point <= self.second, self.second, later)
        return ite(point <= self.first, self.first, found)

    def last(self) -> Word:
        """The last visit below the limit; ``first`` must be below it."""
        final = self.limit - 1
        later = final - _rem(final - self.second, self.step)
        return ite(self.second >= self.limit, self.first, later)


@dataclass(frozen=True, slots=True)
class Visits:
    """The passes over one area, in order, and whether the loop never ends."""

    legs: tuple[Leg, ...]
    endless: Truth


def _is_power(value: int) -> bool:
    return value & (value - 1) == 0


def _rem(value: Word, modulus: int) -> Word:
    if _is_power(modulus):
        return value & Word(modulus - 1, UNSIGNED_INT)
    return value % Word(modulus, UNSIGNED_INT)


def geometry(
    rule: SearchRule, comparing: bool, slots: SlotGeometry = MAINLINE
) -> Geometry:
    """Period, block and step of ``rule``; ``comparing`` unless orig_addr is waived.

    Raises NoClosedForm where the slot bits compared have a gap, or where the stride
    would land inside a block at a place that changes from visit to visit.
    """
    if rule.fall_through:
        raise NoClosedForm("the loop tests inadmissible slots too")
    if not rule.stride:
        raise NoClosedForm("a stride of 0 never leaves a slot that does not fit")
    if rule.stride > slots.segsize * MOST_SETS:
        raise NoClosedForm(f"a stride of {rule.stride} slots")
    mask = rule.zero_mask | (rule.compare_mask if comparing else 0)
    bits = mask >> slots.shift
    block = bits & -bits if bits else 1
    period = bits + block if bits else 1
    if period & (period - 1):
        raise NoClosedForm(f"the slot bits compared, {mask:#x}, have a gap")
    landing = rule.stride % period
    inside = {(offset + landing) % period for offset in range(block)}
    if landing and any(0 < place < block for place in inside):
        raise NoClosedForm(f"stride {rule.stride} lands at a changing place in a block")
    _check_kind(rule, block)
    return Geometry(period, block, -(-rule.stride // period) * period)


def _check_kind(rule: SearchRule, block: int) -> None:
    """NoClosedForm for ways of stepping and counting that do not go together."""
    modulo = rule.wrap is Wrap.MODULO and rule.stride > 1
    if modulo and (not rule.counted or rule.counting is not Counting.STEPS):
        raise NoClosedForm("a wrap by modulo that is not counted by steps")
    if modulo and rule.passes is Passes.WHOLE:
        raise NoClosedForm("a wrap by modulo and a whole second pass")
    whole = rule.passes is Passes.WHOLE
    if rule.counting is Counting.TURNS and (whole or block > 1):
        raise NoClosedForm("turns that are counted over blocks or passes")
    odd = rule.jump is Jump.ROUND_UP and (block > 1 or not _is_power(rule.stride))
    if odd and rule.stride > 1:
        raise NoClosedForm(f"rounding up to a multiple of {rule.stride} slots")


@dataclass(frozen=True, slots=True)
class Area:
    """One area of a pool as the search sees it.

    ``base`` is the area's first slot in the pool.  The DMA address of a slot is the
    pool's start within the segment boundary plus IO_TLB_SIZE a slot.
    """

    pool: Pool
    base: Word

    @property
    def slots(self) -> SlotGeometry:
        return self.pool.geometry

    @property
    def tbl_dma_addr(self) -> Word:
        return self.pool.start & self.pool.seg_boundary_mask

    @property
    def max_slots(self) -> Word:
        return (self.pool.seg_boundary_mask >> self.slots.shift) + 1

    def segment_offset(self, slot: Word) -> Word:
        """Slots since the last segment boundary (unsigned long).

        Source: iommu_is_span_boundary(), include/linux/iommu-helper.h.
        """
        index = (self.base + slot).cast(UNSIGNED_LONG)
        return (nr_slots(self.tbl_dma_addr, self.slots) + index) & (self.max_slots - 1)

    def fits_empty(self, slot: Word, nslots: Word) -> Truth:
        """Whether ``nslots`` from ``slot`` fit an empty area: list[] and boundary."""
        run = self.slots.segsize - (slot & self.slots.set_low)
        if self.pool.list_clamped:
            run = minimum(run, self.pool.area_nslabs - slot)
        if self.pool.one_segment:
            return nslots <= run
        spans = self.segment_offset(slot) + nslots.cast(U64) > self.max_slots
        return (nslots <= run) & ~spans


@dataclass(frozen=True, slots=True)
class Search:
    """The search of one area for one orig_addr, by one rule.

    ``comparing``: orig_addr takes part (it is not 0, or 0 is compared like any other).
    """

    rule: SearchRule
    area: Area
    orig_addr: Word
    comparing: bool

    @property
    def geometry(self) -> Geometry:
        return geometry(self.rule, self.comparing, self.area.slots)

    def _compare_mask(self) -> int:
        return self.rule.compare_mask if self.comparing else 0

    def possible(self) -> Truth:
        """Whether any slot can be admissible: the bits asked for do not conflict."""
        low = self.area.slots.low
        dma, compare = self.area.tbl_dma_addr, self._compare_mask()
        clean = (dma & (self.rule.zero_mask & low)).eq(0)
        alike = ((dma ^ self.orig_addr) & (compare & low)).eq(0)
        conflict = (self.orig_addr & (compare & self.rule.zero_mask & ~low)).eq(0)
        return clean & alike & conflict

    def distance(self, slot: Word) -> Word:
        """Slots from the start of the block at or before ``slot`` (below period)."""
        shift = self.area.slots.shift
        wanted = (self.orig_addr & self._compare_mask()) >> shift
        here = (self.area.tbl_dma_addr >> shift) + self.area.base + slot
        period = Word(self.geometry.period - 1, U64)
        return ((here - wanted) & period).cast(UNSIGNED_INT)

    def accepts(self, slot: Word) -> Truth:
        """The predicate itself, bit for bit, on the address of ``slot``."""
        index = (self.area.base + slot).cast(U64)
        address = self.area.tbl_dma_addr + (index << self.area.slots.shift)
        clear = (address & self.rule.zero_mask).eq(0)
        return clear & ((address ^ self.orig_addr) & self._compare_mask()).eq(0)

    def admissible(self, slot: Word) -> Truth:
        """Whether the code's own alignment rule accepts ``slot``."""
        return self.possible() & (self.distance(slot) < self.geometry.block)

    def next_admissible(self, slot: Word) -> Word:
        distance = self.distance(slot)
        ahead = slot + (self.geometry.period - distance)
        return ite(distance < self.geometry.block, slot, ahead)

    def _leg(self, start: Word, limit: Word, active: Truth) -> Leg:
        first = self.next_admissible(start)
        second = self.next_admissible(jumped(self.rule, first))
        return Leg(active & self.possible(), first, second, self.geometry.step, limit)

    def visits(self) -> Visits:
        """The slots the loop visits while nothing fits."""
        return self._counted() if self.rule.counted else self._until_start()

    def _counted(self) -> Visits:
        slots, start = self.area.pool.area_nslabs, self.start_aligned()
        zero = Word(0, UNSIGNED_INT)
        to_end = self._leg(start, slots, TRUE)
        reached = jumped(self.rule, to_end.last())
        past = (to_end.first < slots) & self.possible() & (reached > slots)
        over = ite(past, reached - slots, zero)
        if self.rule.counting is Counting.TURNS:
            left = slots - self._turns_to_end(to_end, start)
            again = self._leg(zero, slots, TRUE)
            limit = minimum(self._reached_within(again, left), slots)
            return Visits((to_end, replace(again, limit=limit)), FALSE)
        if self.rule.wrap is Wrap.MODULO:
            return Visits((to_end, self._leg(over, start, TRUE)), FALSE)
        whole = self.rule.passes is Passes.WHOLE
        limit = slots if whole else start
        if self.rule.counting is Counting.STEPS:
            limit = ite(over < limit, limit - over, zero)
        return Visits((to_end, self._leg(zero, limit, TRUE)), FALSE)

    def _between(self) -> int:
        """Turns from one visit to the next, after the second."""
        return 1 + self.geometry.step - self.rule.stride

    def _turn_of_second(self, leg: Leg, start: Word) -> Word:
        """Turns from ``start`` until the second visit."""
        return leg.first - start + 1 + (leg.second - jumped(self.rule, leg.first))

    def _turns_to_end(self, leg: Leg, start: Word) -> Word:
        """Turns that a leg over the rest of the area takes from ``start``."""
        slots, last = self.area.pool.area_nslabs, leg.last()
        more = _quotient(last - leg.second, leg.step) * self._between()
        to_last = ite(
            last < leg.second,
            leg.first - start,
            self._turn_of_second(leg, start) + more,
        )
        beyond, zero = jumped(self.rule, last), Word(0, UNSIGNED_INT)
        rest = 1 + ite(beyond < slots, slots - beyond, zero)
        visits = (leg.first < slots) & self.possible()
        return ite(visits, to_last + rest, slots - start)

    def _reached_within(self, leg: Leg, turns: Word) -> Word:
        """The slot before which the visits of ``leg`` from 0 lie that are made in
        that many turns."""
        second = self._turn_of_second(leg, Word(0, UNSIGNED_INT))
        each = self._between()
        more = _quotient(turns - second + (each - 1), each)
        later = leg.second + more * leg.step
        near = ite(turns <= leg.first, leg.first, leg.first + 1)
        return ite(turns <= second, near, later)

    def start_aligned(self) -> Word:
        """Where the search starts: as it is or aligned and wrapped, bit for bit."""
        pool = self.area.pool
        return start_index(self.rule, pool.start_index, pool.area_nslabs)

    def _until_start(self) -> Visits:
        slots, wrap = self.area.pool.area_nslabs, self.start_aligned()
        to_end = self._leg(wrap, slots, TRUE)
        from_zero = self._leg(Word(0, UNSIGNED_INT), wrap, wrap.ne(0))
        last = from_zero.last()
        jumps = (from_zero.first < wrap) & (jumped(self.rule, last) > wrap)
        endless = wrap.ne(0) & jumps & self.possible()
        beyond = ite(last.eq(from_zero.first), from_zero.second, last + from_zero.step)
        over = Leg(endless, beyond, beyond + from_zero.step, from_zero.step, slots)
        return Visits((to_end, from_zero, over), endless)


def _quotient(value: Word, divisor: int) -> Word:
    if _is_power(divisor):
        return value >> (divisor.bit_length() - 1)
    return value // Word(divisor, UNSIGNED_INT)


def _chunk_after(area: Area, slot: Word) -> Word:
    """The next slot after ``slot`` where a slot set or a segment begins."""
    slot_set = (slot | area.slots.set_low) + 1
    ahead = area.max_slots - area.segment_offset(slot)
    boundary = slot.cast(U64) + ahead
    return minimum(boundary, slot_set.cast(U64)).cast(UNSIGNED_INT)


def candidates(area: Area, leg: Leg) -> list[Word]:
    """Visits of ``leg`` among which is the first that fits an empty area, if any.

    What fits depends on a slot's place in its slot set and, where the pool crosses
    segment boundaries, in its segment.  Where the step divides a slot set, the first
    visit in each chunk between two such borders stands for the others.  Where it does
    not, the visits come back to the same places after a while: all are listed.
    """
    segsize, set_low = area.slots.segsize, area.slots.set_low
    if leg.step > segsize or segsize % leg.step:
        return [
            leg.first,
            *(leg.second + leg.step * k for k in range(_turns(area, leg))),
        ]
    if area.pool.one_segment:
        chunks = [(leg.first | set_low) + 1]
    else:
        chunks = [_chunk_after(area, leg.first)]
        for _ in range(3):
            chunks.append(_chunk_after(area, chunks[-1]))
        first_set = (leg.first | set_low) + 1
        chunks += [first_set, first_set + segsize]
    found = [leg.first, *(leg.at_or_after(chunk) for chunk in chunks)]
    if area.pool.one_segment or leg.step < segsize // 2:
        return found
    turns = segsize // leg.step
    return [*found, *(leg.second + leg.step * k for k in range(turns + 1))]


def _turns(area: Area, leg: Leg) -> int:
    """How many visits it takes until every place in a slot set has come by.

    With segment boundaries, until this has happened in slot sets that none cuts: the
    places repeat after ``sets`` slot sets, which is odd, and of eight neighbouring slot
    sets none, every one, every second or every fourth is cut, or at most one.
    """
    segsize = area.slots.segsize
    common = gcd(leg.step, segsize)
    turns, sets = segsize // common, leg.step // common
    if area.pool.one_segment:
        return turns
    return max(turns, max(16, 4 * sets) * segsize // leg.step) + 1


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of an empty area returns: a slot, nothing, or no end.

    ``unfinished``: the search was followed for a number of steps and had not ended;
    ``found`` and ``endless`` are then false.
    """

    found: Truth
    slot: Word
    endless: Truth
    unfinished: Truth = FALSE


_NEAR = 4


def _foldable(search: Search) -> bool:
    """Whether all slot sets are alike to the search but for where it starts."""
    step, stride = search.geometry.step, search.rule.stride
    pool = search.area.pool
    whole = pool.geometry.segsize % step == 0 and stride <= step
    return whole and pool.one_segment and not pool.partial


def _folded(search: Search) -> tuple[Search, Word]:
    """The same search in an area of at most four slot sets, and the slots left out.

    An empty area looks alike from every slot set, so only the slot set that the search
    starts in matters, and whether it is the first, the second or the last.  The slots
    left out lie between the second slot set and the one the search starts in.
    """
    pool, shift = search.area.pool, search.area.slots.set_bits
    sets, start = pool.area_nslabs >> shift, pool.start_index >> shift
    near = Word(_NEAR, UNSIGNED_INT)
    fewer, inner = minimum(sets, near), minimum(start, near - 2)
    place = ite((start + 1).eq(sets), fewer - 1, inner)
    within = pool.start_index & pool.geometry.set_low
    small = replace(
        pool, area_nslabs=fewer << shift, start_index=(place << shift) | within
    )
    area = Area(small, Word(0, UNSIGNED_INT))
    return replace(search, area=area), (start - place) << shift


def search_empty(search: Search, nslots: Word) -> Found:
    """The first slot the loop accepts in an empty area for ``nslots`` slots.

    ``slot`` counts from the start of the area.
    """
    if not _foldable(search):
        return _first_of_visits(search, nslots)
    small, left_out = _folded(search)
    near = _first_of_visits(small, nslots)
    ahead = near.slot >= (small.area.pool.start_index & ~search.area.slots.set_low)
    enough = nslots <= search.area.pool.area_nslabs
    slot = ite(ahead, near.slot + left_out, near.slot)
    return Found(near.found & enough, slot, near.endless & enough)


def _first_of_visits(search: Search, nslots: Word) -> Found:
    visits = search.visits()
    found, slot = FALSE, Word(0, UNSIGNED_INT)
    for leg in visits.legs:
        here, place = FALSE, Word(0, UNSIGNED_INT)
        for candidate in candidates(search.area, leg):
            fits = leg.active & (candidate < leg.limit)
            fits = fits & search.area.fits_empty(candidate, nslots)
            better = fits & (~here | (candidate < place))
            place = ite(better, candidate, place)
            here = here | fits
        slot = ite(found, slot, place)
        found = found | here
    enough = nslots <= search.area.pool.area_nslabs
    return Found(found & enough, slot, visits.endless & enough & ~found)
