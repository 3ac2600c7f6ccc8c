# SPDX-License-Identifier: GPL-2.0-only
"""Where a search lands, and what it leaves out: proved for every area and index.

``lands``: a search takes the first slot that is right from the end of a mapping, from
the start of a slot set, or from the index it started at.  So where mappings may lie
follows from where they may end.  ``gives up``: it fails only if it came by every right
slot, but for one that its last stride may pass over.

A slot is right where the rule accepts its address; where the start is aligned to the
stride, every stride slots, which is the same or fewer.
"""

from __future__ import annotations

from bounceproof.models.capacity.shapes import Lane
from bounceproof.models.constants import IO_TLB_SEGSIZE, SLOT_SET_BYTES
from bounceproof.models.formulas.loop import LoopState, turn
from bounceproof.models.formulas.search import Area, Search
from bounceproof.models.request import Pool, SearchRule
from bounceproof.models.words.word import (
    FALSE,
    PHYS_ADDR_T,
    TRUE,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_SHORT,
    CType,
    Truth,
    Word,
)
from bounceproof.solver.lemmas.lemma import Entries, Lemma, Obligation, alike, owed
from bounceproof.solver.lemmas.slots import POOL_SLOTS, SET_BITS, few, slot
from bounceproof.solver.smt.terms import variable

TEXT = (
    "a search takes the first right slot after the end of a mapping, the start of a "
    "slot set or its starting index, and gives up only after every right slot, but "
    "for one that its last stride may pass over"
)
LAST = IO_TLB_SEGSIZE - 1
PAGE_BITS = 12
NARROW = SLOT_SET_BYTES.bit_length()
ZERO = Word(0, UNSIGNED_INT)
Rules = dict[tuple[SearchRule, bool], Lane]


class _Turns:
    """One search of any area by ``rule``, from any index, and any two slots of it.

    ``bits``: of addresses.  Those of a slot set say where slots are right, which is
    proved of all bits (:func:`_same`); the other obligations take no more.
    """

    def __init__(
        self, rule: SearchRule, comparing: bool, lane: Lane, bits: int = NARROW
    ) -> None:
        self.rule, self.lane = rule, lane
        self.start, self.index, self.other = slot("start"), slot("index"), slot("slot")
        self.nslots = few("nslots")
        self.area_nslabs = slot("area_nslabs", SET_BITS)
        pages = variable("pool_start", CType(bits - PAGE_BITS, False))
        place = pages.cast(PHYS_ADDR_T) << PAGE_BITS
        boundary = Word((1 << 64) - 1, UNSIGNED_LONG)
        pool = Pool(place, self.area_nslabs, self.start, boundary, one_segment=True)
        orig_addr = variable("orig_addr", CType(bits, False)).cast(PHYS_ADDR_T)
        base = slot("area_base", SET_BITS)
        self.search = Search(rule, Area(pool, base), orig_addr, comparing)
        self.list = Entries("list", UNSIGNED_SHORT, SET_BITS + 1)
        self.first = self.search.next_admissible(ZERO)
        legal = (self.area_nslabs <= POOL_SLOTS) & (base <= POOL_SLOTS)
        known = legal & self.search.possible() & (self.start < self.area_nslabs)
        self.known = known & (self.first.eq(0) if lane.at_zero else TRUE)

    @property
    def fields(self) -> dict[str, Word]:
        """What a counterexample is told by."""
        return {
            "area_nslabs": self.area_nslabs,
            "start": self.start,
            "index": self.index,
            "slot": self.other,
            "nslots": self.nslots,
        }

    def right(self, at: Word) -> Truth:
        """Whether a mapping may start at ``at``."""
        apart = Word(self.lane.period - 1, UNSIGNED_INT)
        return ((at - self.first) & apart).eq(0)

    def entry(self, at: Word) -> Word:
        """list[] at a slot of the area."""
        return self.list.at(at).cast(UNSIGNED_INT)

    def sound(self, near: Word, far: Word) -> Truth:
        """What a right list[] says of two slots: free slots are counted alike."""
        apart, here = far - near, self.entry(near)
        reaches = (near < far) & self.same_set(near, far) & (here >= apart)
        room = Word(LAST, UNSIGNED_INT) - (near & LAST) + 1
        return (here <= room) & reaches.implies(here.eq(self.entry(far) + apart))

    def same_set(self, a: Word, b: Word) -> Truth:
        return (a >> SET_BITS).eq(b >> SET_BITS)

    def open(self, at: Word) -> Truth:
        """Whether the other slot was right and all is free from there to ``at``, with
        neither the start of a slot set nor the search's start between them."""
        v, s = self.other, self.start
        between = (v < s) & (s <= at)
        behind = (v < at) & self.same_set(v, at) & ~between & self.right(v)
        return behind & (self.entry(v) >= at - v)

    def passed(self, at: Word) -> Truth:
        """The invariant of the loop: no gap that is left behind has room."""
        return self.open(at).implies(self.entry(self.other) < self.nslots)

    def head(self, at: Word) -> Truth:
        """What else the loop keeps about its index."""
        apart = Word(self.lane.period - 1, UNSIGNED_INT)
        onto = (at & apart).eq(0) if self.lane.at_zero else TRUE
        return (at < self.area_nslabs) & onto


def _began(it: _Turns, name: str) -> Obligation:
    began = it.search.start_aligned()
    shown = it.passed(began) & it.head(began)
    known = it.known & it.sound(it.other, began)
    return owed(f"{name}: start", known, shown, it.fields, it.list)


def _turned(it: _Turns, name: str) -> Obligation:
    at, accepted = it.index, it.search.accepts(it.index)
    state = LoopState(at, ZERO)
    onward = turn(it.rule, state, accepted, it.area_nslabs).index
    missed = accepted.implies(it.entry(at) < it.nslots)
    known = it.known & it.head(at) & it.passed(at) & missed
    known = known & it.sound(it.other, at) & it.sound(it.other, onward)
    shown = it.passed(onward) & it.head(onward)
    return owed(f"{name}: turn", known, shown, it.fields, it.list)


def _found(it: _Turns, name: str) -> Obligation:
    at = it.index
    found = it.search.accepts(at) & (it.entry(at) >= it.nslots)
    known = it.known & it.head(at) & it.passed(at) & found & it.sound(it.other, at)
    return owed(f"{name}: found", known, ~it.open(at), it.fields, it.list)


def _same(it: _Turns, name: str) -> Obligation:
    shown = alike(it.search.accepts(it.index), it.right(it.index))
    if it.lane.at_zero:
        shown = it.right(it.index).implies(it.search.accepts(it.index))
    return Obligation(f"{name}: right", it.known & it.head(it.index), shown, it.fields)


def _gives_up(it: _Turns, name: str) -> Obligation:
    v, visits, came = it.other, it.search.visits(), FALSE
    for leg in visits.legs:
        came = came | leg.visits(v)
    over = (v < it.start) & (it.start - v <= it.first)
    over = over & (v + it.lane.period < it.area_nslabs)
    left_out = over if it.lane.falls_short else FALSE
    known = it.known & (v < it.area_nslabs) & it.right(v)
    shown = (came | left_out) & ~visits.endless
    return Obligation(f"{name}: gives up", known, shown, it.fields)


def lands(rules: Rules) -> Lemma:
    """The lemma for the rules by which a mix is searched for."""
    due: list[Obligation] = []
    for number, ((rule, comparing), lane) in enumerate(rules.items()):
        name = f"rule {number}, stride {rule.stride}"
        due.append(_same(_Turns(rule, comparing, lane, PHYS_ADDR_T.bits), name))
        for owe in (_began, _turned, _found, _gives_up):
            due.append(owe(_Turns(rule, comparing, lane), name))
    return Lemma("lands", TEXT, tuple(due))
