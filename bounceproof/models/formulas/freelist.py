# SPDX-License-Identifier: GPL-2.0-only
"""How list[], used and index change when slots are taken and given back.

Sources: swiotlb_init_io_tlb_pool(), swiotlb_search_pool_area() and
swiotlb_release_slots(), kernel/dma/swiotlb.c, v6.8 on, and what was there before:
find_slots() and swiotlb_tbl_unmap_single() in v5.10, swiotlb_init_io_tlb_mem() and
swiotlb_do_find_slots() to v6.5.  Each loop is given by its start, the test that lets it
go on, and what it stores, so that it can be run and reasoned about alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.kernels.state import KernelState, ListInit, PadSlots
from bounceproof.models.words.word import (
    INT,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_SHORT,
    CType,
    Truth,
    Word,
    align,
    ite,
    minimum,
)

LAST_OF_SET = IO_TLB_SEGSIZE - 1


def io_tlb_offset(index: Word) -> Word:
    """A slot's place in its slot set (unsigned long)."""
    return index.cast(UNSIGNED_LONG) & LAST_OF_SET


@dataclass(frozen=True, slots=True)
class FreeList:
    """The code of one state.  Slots and counts, unless said otherwise.

    ``entry``: the type of an element of list[].  ``clamped``: an empty pool's list[]
    ends with the pool.  Taking counts slots in unsigned int, releasing in int; used is
    unsigned long, index and area_nslabs are unsigned int.
    """

    entry: CType
    clamped: bool

    def initial(self, slot: Word, nslabs: Word) -> Word:
        """list[slot] of an empty pool; ``slot`` and ``nslabs`` are unsigned long."""
        run = IO_TLB_SEGSIZE - io_tlb_offset(slot)
        return (minimum(run, nslabs - slot) if self.clamped else run).cast(self.entry)

    def refuses(self, nslots: Word, area_nslabs: Word, used: Word) -> Truth:
        """Whether the search is given up before it starts."""
        return nslots > area_nslabs - used

    def enough(self, entry: Word, nslots: Word) -> Truth:
        """Whether an element of list[] lets the search take its slot."""
        return entry >= nslots

    def marking(self, i: Word, first: Word, nslots: Word) -> Truth:
        """Whether the loop from ``first`` upwards marks slot ``i`` as taken."""
        return i < first + nslots

    def marked(self) -> Word:
        """What it stores."""
        return Word(0, self.entry)

    def joining(self, i: Word, entry: Word) -> Truth:
        """Whether either loop downwards, from the slot before, goes on at ``i``.

        ``entry`` is list[i], read where the slot is not the last of a slot set.
        """
        return io_tlb_offset(i).ne(LAST_OF_SET) & entry.ne(0)

    def before_taken(self) -> Word:
        """The count that the loop downwards starts from when slots were taken."""
        return Word(0, UNSIGNED_INT)

    def following(self, first: Word, nslots: Word) -> Truth:
        """Whether a release counts on from list[first + nslots], not from 0."""
        set_end = align(first + 1, Word(IO_TLB_SEGSIZE, INT))
        return first + nslots < set_end

    def freeing(self, i: Word, first: Word) -> Truth:
        """Whether the loop from the last slot downwards frees slot ``i``."""
        return i >= first

    def counted(self, count: Word) -> Word:
        """``++count``, as every loop but the marking one stores it."""
        return count + 1

    def used_after_take(self, used: Word, nslots: Word) -> Word:
        """used, after ``nslots`` (unsigned int) were taken."""
        return used + nslots

    def used_after_release(self, used: Word, nslots: Word) -> Word:
        """used, after ``nslots`` (int) were given back."""
        return used - nslots

    def index_after_take(self, index: Word, nslots: Word, area_nslabs: Word) -> Word:
        """area->index, after slots were taken from ``index`` of the area on."""
        following = index + nslots
        return ite(following < area_nslabs, following, Word(0, UNSIGNED_INT))

    def area_of(self, first: Word, area_nslabs: Word) -> Word:
        """The area whose used a release counts down; ``first`` is int."""
        return first // area_nslabs


def free_list(state: KernelState) -> FreeList:
    """The code of ``state``; pad_slots made list[] an array of unsigned short."""
    short = state.pad_slots is not PadSlots.NONE
    return FreeList(
        UNSIGNED_SHORT if short else UNSIGNED_INT,
        state.list_init is ListInit.CLAMPED,
    )
