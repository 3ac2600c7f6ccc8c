# SPDX-License-Identifier: GPL-2.0-only
"""Pools, and what list[] says about one slot: the local form of its invariant.

list[] is sound where every slot's element is 0, or 1 and the element after it, which
counts as 0 at the end of a slot set and of the pool.  By induction from there backwards
that is: 0 for a taken slot, and for a free one the free slots from it to the first that
is taken or to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.formulas.freelist import LAST_OF_SET, FreeList
from bounceproof.models.words.word import UNSIGNED_INT, CType, Truth, Word, ite, minimum
from bounceproof.solver.lemmas.lemma import Entries
from bounceproof.solver.smt.terms import variable

SLOT_BITS = 31
POOL_SLOTS = 1 << 30
SET_BITS = IO_TLB_SEGSIZE.bit_length() - 1


class PoolShape(StrEnum):
    """What pools are spoken of."""

    WHOLE = "whole"
    PARTIAL = "partial"


SHAPES = {
    PoolShape.WHOLE: "pools of up to 2^30 slots in any number of areas, each of whole "
    "slot sets",
    PoolShape.PARTIAL: "pools of up to 2^30 slots in one area, whose last slot set is "
    "cut short, as only restricted pools can be",
}


def slot(name: str, step_bits: int = 0) -> Word:
    """Any number of slots below 2^31, a multiple of 2^``step_bits`` (unsigned int)."""
    narrow = variable(name, CType(SLOT_BITS - step_bits, False))
    return narrow.cast(UNSIGNED_INT) << step_bits


def few(name: str, set_bits: int = SET_BITS) -> Word:
    """Any number of slots that a slot set may have, and some more (unsigned int).

    A slot set has 2^``set_bits``.
    """
    return variable(name, CType(set_bits + 1, False)).cast(UNSIGNED_INT)


def entries(name: str, code: FreeList) -> Entries:
    """A sound list[], or one that a loop made of it: no element above a slot set."""
    return Entries(name, code.entry, SET_BITS + 1)


@dataclass(frozen=True, slots=True)
class SlotPool:
    """A pool and one area of it: ``area_nslabs`` slots from ``base`` (unsigned int)."""

    nslabs: Word
    base: Word
    area_nslabs: Word
    legal: Truth

    @classmethod
    def of(cls, shape: PoolShape, set_bits: int = SET_BITS) -> SlotPool:
        """Any pool of a shape, and any area of it; a slot set has 2^``set_bits``."""
        none = Word(0, UNSIGNED_INT)
        if shape is PoolShape.PARTIAL:
            nslabs = slot("nslabs")
            cut = (nslabs & ((1 << set_bits) - 1)).ne(0) & (nslabs <= POOL_SLOTS)
            return cls(nslabs, none, nslabs, cut)
        nslabs, base = slot("nslabs", set_bits), slot("area_base", set_bits)
        area = slot("area_nslabs", set_bits)
        return cls(nslabs, base, area, nslabs <= POOL_SLOTS)

    @property
    def fields(self) -> dict[str, Word]:
        """What a reader is told about the pool."""
        return {"nslabs": self.nslabs, "area_nslabs": self.area_nslabs}

    @property
    def area_end(self) -> Word:
        return self.base + self.area_nslabs

    @property
    def area_legal(self) -> Truth:
        """The area is one of the pool."""
        inside = (self.area_nslabs <= self.nslabs) & (self.base <= self.nslabs)
        return inside & (self.area_end <= self.nslabs) & self.area_nslabs.ne(0)

    def has(self, index: Word) -> Truth:
        """Whether the pool has the slot."""
        return index < self.nslabs

    def area_has(self, index: Word) -> Truth:
        """Whether the area has the slot."""
        return (index >= self.base) & (index < self.area_end)

    def set_end(self, index: Word) -> Word:
        """The slot after the last of ``index``'s slot set, or of the pool."""
        return minimum((index | LAST_OF_SET) + 1, self.nslabs)

    def last(self, index: Word) -> Truth:
        """Whether nothing is counted beyond ``index``."""
        return self.set_end(index).eq(index + 1)

    def sound(
        self, index: Word, entry: Word, following: Word, end: Word | None = None
    ) -> Truth:
        """Whether ``entry`` at ``index`` is right where ``following`` comes after.

        ``end``: what :meth:`set_end` gives for ``index``, where that is known.
        """
        end = self.set_end(index) if end is None else end
        here, zero = entry.cast(UNSIGNED_INT), Word(0, UNSIGNED_INT)
        beyond = ite(end.eq(index + 1), zero, following.cast(UNSIGNED_INT))
        return (here.eq(0) | here.eq(beyond + 1)) & (here <= end - index)


class Where(StrEnum):
    """Where the slot asked about lies: up to two slot sets before the first slot of a
    call, up to two before its end, or anywhere."""

    BEFORE = "before"
    AMONG = "among"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Call:
    """One call on one area: ``nslots`` slots from pool-wide ``first`` (unsigned int).

    ``before`` is list[] before it; ``other`` any slot of the pool, of which the
    obligations speak, written as a distance from ``first``; ``room`` the slots from
    ``first`` to the end of its slot set.  So most of what is asked does not depend on
    where in the pool ``first`` is, which is what makes it quick to answer.
    """

    code: FreeList
    pool: SlotPool
    before: Entries
    first: Word
    nslots: Word
    other: Word
    room: Word

    @classmethod
    def of(cls, code: FreeList, shape: PoolShape, where: Where) -> Call:
        """Any call, and any slot that lies where said."""
        before, first = entries("list", code), slot("first")
        pool, nslots = SlotPool.of(shape), few("nslots")
        other = {
            Where.BEFORE: first - 1 - few("back"),
            Where.AMONG: first + nslots - 1 - few("left"),
            Where.ANY: first + variable("ahead", UNSIGNED_INT),
        }
        return cls(code, pool, before, first, nslots, other[where], few("room"))

    @property
    def fields(self) -> dict[str, Word]:
        """What a reader is told about the call."""
        about = {"first": self.first, "nslots": self.nslots, "slot": self.other}
        return {**self.pool.fields, **about}

    @property
    def end(self) -> Word:
        return self.first + self.nslots

    def sized(self) -> Truth:
        """The slots are some, in a slot set's room."""
        sized = (self.nslots >= 1) & (self.nslots <= self.room)
        return sized & (self.room <= IO_TLB_SEGSIZE)

    def placed(self) -> Truth:
        """The slots are some, in one slot set; ``other`` exists."""
        pool, ends = self.pool, self.pool.set_end(self.first).eq(self.set_end)
        exist = pool.legal & pool.has(self.first) & pool.has(self.other)
        return self.sized() & ends & exist

    @property
    def set_end(self) -> Word:
        """The slot after the last of the slot set of ``first``."""
        return self.first + self.room

    def in_area(self) -> Truth:
        """The first of the slots is the area's."""
        return self.pool.area_legal & self.pool.area_has(self.first)

    def inside(self, index: Word) -> Truth:
        """Whether ``index`` is one of the slots."""
        return index - self.first < self.nslots

    def was_sound(self, index: Word) -> Truth:
        """list[] was sound at ``index``."""
        before = self.before
        return self.pool.sound(index, before.at(index), before.at(index + 1))
