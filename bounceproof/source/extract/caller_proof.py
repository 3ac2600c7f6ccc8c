# SPDX-License-Identifier: GPL-2.0-only
"""The proof that a mapping is what its entry point makes of the request, for every one.

It covers the arguments that each search is given, the loop over the areas, which must
come to every one before it gives up, and what the entry point returns for any slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from bounceproof.models.constants import (
    MAX_AREA_SLOTS,
    MAX_AREAS,
    MAX_PHYS_BITS,
    MAX_POOL_SLOTS,
)
from bounceproof.models.formulas.outcome import linkable
from bounceproof.models.request import Cell, Mapping, Path, Request
from bounceproof.models.words.word import (
    FALSE,
    INT,
    TRUE,
    U32,
    U64,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import Address, Value
from bounceproof.source.extract.any_pool import AnyPool
from bounceproof.source.extract.caller import (
    CallerMachine,
    CallerRun,
    SearchCall,
    word_of,
)
from bounceproof.source.extract.cut import Arrival, Return
from bounceproof.source.extract.prover import Obligation, Prover, Refusal

MOST_BYTES = 1 << 49
"""The most bytes that a search is asked for."""
_MOST_ORDERS = 12
_BIDIRECTIONAL_TO_FROM = 2


@dataclass(frozen=True, slots=True)
class AreaOrder:
    """How the loop over areas tells where it is: ``name`` is the area itself, or
    where ``distance`` how many areas from ``first`` on it has passed."""

    name: str
    distance: bool
    first: Word


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one entry point: any request to any pool, and its mapping."""

    cell: Cell
    request: Request
    pool: AnyPool
    mapping: Mapping
    masks: tuple[int, ...]
    page_check: bool
    other_area: Word
    known: Truth


def any_pool(prover: Prover, page_size: int) -> tuple[AnyPool, Truth]:
    """Any pool, and what is known of it."""

    def word(name: str, bits: int, ctype: CType) -> Word:
        return prover.fresh(name, CType(bits, False)).cast(ctype)

    shift = page_size.bit_length() - 1
    slots, areas = MAX_AREA_SLOTS.bit_length(), MAX_AREAS.bit_length()
    pool = AnyPool(
        start=word("pool_start", MAX_PHYS_BITS - shift, U64) << shift,
        area_nslabs=word("area_nslabs", slots, U32),
        nareas=word("nareas", areas, U32),
        cpu=word("cpu", areas - 1, U32),
        direction=word("direction", 2, U32),
    )
    known = (pool.area_nslabs >= 1) & (pool.area_nslabs <= MAX_AREA_SLOTS)
    power = (pool.nareas & (pool.nareas - 1)).eq(0)
    known = known & pool.nareas.ne(0) & power & (pool.nareas <= MAX_AREAS)
    directed = pool.direction <= _BIDIRECTIONAL_TO_FROM
    return pool, known & pool.start.ne(0) & directed


def any_request(
    prover: Prover, cell: Cell, page_size: int
) -> tuple[Request, AnyPool, Word, Truth]:
    """A request to any pool, an area of it, and what is known of them."""

    def word(name: str, bits: int, ctype: CType) -> Word:
        return prover.fresh(name, CType(bits, False)).cast(ctype)

    address = word("orig_addr", MAX_PHYS_BITS, U64)
    if cell.path is Path.ALLOC:
        address = Word(0, U64)
    size = word("size", MAX_PHYS_BITS + 1, U64)
    pool, known = any_pool(prover, page_size)
    other = word("any area", MAX_AREAS.bit_length(), U32)
    top = Word(1 << MAX_PHYS_BITS, U64)
    known = known & (size > 0) & (size <= top) & (address + size <= top)
    known = known & (other < pool.nareas)
    return Request(address, size), pool, other, known


class CallerProof:
    """The obligations of one run of an entry point, under an order of the areas for
    each loop over them, by the number of its head."""

    def __init__(
        self,
        machine: CallerMachine,
        run: CallerRun,
        asked: Asked,
        orders: dict[int, AreaOrder],
    ) -> None:
        self._machine, self._run, self._asked = machine, run, asked
        self._orders = orders

    def at_entry(self) -> Iterator[Obligation]:
        """That the loops begin as :attr:`invariant` says, which is not assumed."""
        for arrival in self._run.run.arrivals:
            began = arrival.condition & arrival.origin.eq(0)
            inside = self._within(arrival.target, arrival.values)
            yield Obligation("the way to the first area", began & ~inside)

    @property
    def invariant(self) -> Truth:
        """What holds at the loops' heads, and of what searches return."""
        known = self.calls_known
        for head in self._run.run.heads:
            known = known & self._within(head.number, head.known)
        return known

    @property
    def calls_known(self) -> Truth:
        """What is known of the request, the pool and what searches return."""
        known = self._asked.known
        if not self._machine.has_areas:
            known = known & self._asked.pool.nareas.eq(1)
        for call in self._run.calls:
            slot = call.result.cast(INT)
            inside = (slot >= 0) & (slot < MAX_POOL_SLOTS)
            known = known & (inside | slot.eq(Word(-1, INT)))
            known = known & (self._first(call) | self._in_granule(call))
        return known

    # The order of the areas.

    def _within(self, head: int, values: dict[str, Word]) -> Truth:
        order, areas = self._orders[head], self._asked.pool.nareas
        at = values[order.name].cast(U32)
        return at <= areas if order.distance else at < areas

    def _turn_of(self, head: int, area: Word) -> Word:
        """How many areas come before ``area``."""
        first, areas = self._orders[head].first, self._asked.pool.nareas
        return ite(area >= first, area - first, area + areas - first)

    def _passed(self, head: int, values: dict[str, Word]) -> Word:
        """How many areas have been searched at the head."""
        order = self._orders[head]
        place = values[order.name].cast(U32)
        return place if order.distance else self._turn_of(head, place)

    def _covered(self, head: int, calls: list[SearchCall]) -> Truth:
        """The area in question is searched, before the head or in its turn."""
        other = self._asked.other_area
        if not head:
            covered = FALSE
        else:
            known = self._run.run.heads[head - 1].known
            covered = self._turn_of(head, other) < self._passed(head, known)
        for call in calls:
            area = word_of(call.given, "area_index", Word(0, INT)).cast(U32)
            here = call.condition & call.origin.eq(head)
            covered = covered | (here & area.eq(other))
        return covered

    # The obligations.

    def all(self) -> Iterator[Obligation]:
        """Every obligation, under :attr:`invariant`."""
        wrote = "list[] and areas are left to the search"
        yield Obligation(wrote, self._run.wrote)
        yield Obligation("the kernel does not stop", self._run.stopped)
        for call in self._run.calls:
            yield Obligation("what is searched for", self._misgiven(call))
            size = word_of(call.given, "alloc_size", Word(0, U64))
            nothing = call.condition & size.eq(0)
            yield Obligation("a size that is searched for", nothing)
        for arrival in self._run.run.arrivals:
            broken = arrival.condition & ~self._arrives(arrival)
            yield Obligation("the way from area to area", broken)
        for end in self._run.run.returns:
            yield from self._of_return(end)
        yield from self._of_masks()

    def _misgiven(self, call: SearchCall) -> Truth:
        mapping, pool = self._asked.mapping, self._asked.pool
        given = call.given
        none = Word(0, U64)
        right = word_of(given, "alloc_size", none).eq(mapping.total)
        orig = word_of(given, "orig_addr", none)
        right = right & orig.eq(mapping.orig_addr)
        if "alloc_align_mask" in given:
            mask = word_of(given, "alloc_align_mask", Word(0, U32))
            right = right & mask.eq(mapping.alloc_align_mask)
        if "tbl_dma_addr" in given:
            right = right & word_of(given, "tbl_dma_addr", none).eq(pool.start)
        if "area_index" in given:
            area = word_of(given, "area_index", Word(0, INT))
            right = right & (area >= 0) & (area.cast(U32) < pool.nareas)
        for name in ("pool", "mem"):
            if name in given:
                right = right & Truth(self._machine.same_pool(given[name]))
        for name in ("dev", "hwdev"):
            if name in given:
                right = right & Truth(self._machine.same_device(given[name]))
        return self._first(call) & call.condition & ~right

    def _first(self, call: SearchCall) -> Truth:
        """Of dma_iova_link() the first piece alone is modelled."""
        if self._asked.cell.path is not Path.LINK:
            return TRUE
        earlier = FALSE
        for other in self._run.calls:
            if other is call:
                break
            earlier = earlier | other.condition
        return ~earlier

    def _in_granule(self, call: SearchCall) -> Truth:
        """The slot of a later piece of dma_iova_link() starts a granule: that is what
        it is searched for with, and the piece is not asked about."""
        shift = self._machine.slot_geometry.shift
        slot = call.result.cast(INT)
        start = self._asked.pool.start + (slot.cast(U64) << shift)
        return (slot < 0) | (start & (self._asked.cell.granule - 1)).eq(0)

    @staticmethod
    def _found(calls: list[SearchCall]) -> Truth:
        found = FALSE
        for call in calls:
            found = found | (call.condition & (call.result.cast(INT) >= 0))
        return found

    def _arrives(self, arrival: Arrival) -> Truth:
        """The loop begins with no area searched, and goes on after one in vain."""
        target, calls = arrival.target, self._run.calls[: arrival.seen]
        done = self._passed(target, arrival.values)
        again = arrival.origin.eq(target)
        covered = again & self._covered(target, calls)
        behind = ~(self._turn_of(target, self._asked.other_area) < done) | covered
        before = self._passed(target, self._run.run.heads[target - 1].known)
        went = FALSE
        for call in calls:
            here = call.condition & call.origin.eq(target)
            went = went | (here & (call.result.cast(INT) >= 0))
        moves = ~again | (done > before)
        return self._within(target, arrival.values) & behind & moves & ~(again & went)

    def _of_return(self, end: Return) -> Iterator[Obligation]:
        mapping, found = self._asked.mapping, self._found(self._run.calls)
        failed = self._machine.failed(end.value) | self._unmappable()
        plain = end.condition & ~mapping.bounced
        searched = FALSE
        for call in self._run.calls:
            searched = searched | call.condition
        unlike = (failed & ~mapping.refused) | (~failed & mapping.refused)
        yield Obligation("what needs no bounce buffer", plain & (unlike | searched))
        bounced = end.condition & mapping.bounced
        lost = bounced & ~found
        covered = FALSE
        for head in range(len(self._run.run.heads) + 1):
            here = end.origin.eq(head)
            covered = covered | (here & self._covered(head, self._run.calls))
        too_large = mapping.total > self._machine.slot_geometry.set_bytes
        covered = covered | too_large | mapping.refused
        yield Obligation("every area is searched", lost & ~(failed & covered))
        for call in self._run.calls:
            here = bounced & call.condition & (call.result.cast(INT) >= 0)
            wrong = self._wrong(call, end.value, failed)
            yield Obligation("what is made of a slot", self._first(call) & here & wrong)

    def _wrong(self, call: SearchCall, value: Value, failed: Truth) -> Truth:
        """Whether the result is not what the mapping says of the slot found."""
        asked, shift = self._asked, self._machine.slot_geometry.shift
        start = asked.pool.start + (call.result.cast(INT).cast(U64) << shift)
        tlb_addr = start + asked.mapping.padding
        given = ~asked.mapping.refused & linkable(asked.cell, asked.mapping, tlb_addr)
        if asked.cell.path is Path.ALLOC:
            page = Word(asked.cell.page_size - 1, U64)
            if asked.page_check:
                given = given & (start & page).eq(0)
            handed = value.word if isinstance(value, Address) else Word(0, U64)
            whole = start & ~page
            return (failed & given) | (~failed & (~given | handed.ne(whole)))
        number = self._run.calls.index(call)
        if number >= len(self._run.bounces):
            return TRUE
        condition, word = self._run.bounces[number]
        kept = (self._led(value, tlb_addr) ^ tlb_addr) & asked.cell.min_align_mask
        placed = word.cast(U64).ne(tlb_addr) | kept.ne(0)
        placed = condition & ~failed & placed
        return (self._all_found() & failed & given) | (~failed & ~given) | placed

    def _unmappable(self) -> Truth:
        """Whether iommu_map() refuses what it is told: no whole granules.

        Source: iommu_map_nosync(), drivers/iommu/iommu.c, v7.3.
        """
        refused, low = FALSE, self._asked.cell.granule - 1
        for condition, iova, phys, size in self._run.maps:
            whole = ((iova | phys | size) & low).eq(0)
            refused = refused | (condition & ~whole)
        return refused

    def _led(self, value: Value, otherwise: Word) -> Word:
        """The address that the device's leads to, where it is told of one."""
        if not isinstance(value, Word) or self._asked.cell.path is Path.LINK:
            return otherwise
        if not self._asked.cell.path.has_granule:
            return value.cast(U64)
        led = otherwise
        for condition, iova, phys, _ in self._run.maps:
            led = ite(condition, phys + (value.cast(U64) - iova), led)
        return led

    def _all_found(self) -> Truth:
        """Whether no search on the way was in vain; dma_iova_link() makes several."""
        if self._asked.cell.path is not Path.LINK:
            return TRUE
        found = TRUE
        for call in self._run.calls:
            found = found & (~call.condition | (call.result.cast(INT) >= 0))
        return found

    def _of_masks(self) -> Iterator[Obligation]:
        """Sizes that fit a slot set have a known mask, and none is too large."""
        mapping = self._asked.mapping
        small = mapping.total <= self._machine.slot_geometry.set_bytes
        known = FALSE
        for mask in self._asked.masks:
            known = known | mapping.alloc_align_mask.eq(Word(mask, U32))
        live = mapping.bounced & ~mapping.refused
        yield Obligation("the masks that are asked for", live & small & ~known)
        yield Obligation("what is asked for", live & (mapping.total > MOST_BYTES))


def prove_caller(
    machine: CallerMachine, entry: c.Function, asked: Asked, prover: Prover
) -> Refusal | None:
    """None where every obligation is proved.  Raises NotUnderstood."""
    run = machine.map_any(entry, asked.request, asked.pool, prover.fresh)
    refusal: Refusal | None = None
    for orders in _orders(run, asked.pool):
        proof = CallerProof(machine, run, asked, orders)
        fields = {"size": asked.request.size, "orig_addr": asked.request.orig_addr}
        pool = asked.pool
        fields |= {"pool_start": pool.start, "nareas": pool.nareas, "cpu": pool.cpu}
        fields["direction"] = pool.direction
        began = list(proof.at_entry())
        failed = prover.impossible(began, proof.calls_known, fields)
        if failed is None:
            failed = prover.impossible(list(proof.all()), proof.invariant, fields)
        if failed is None:
            return None
        refusal = refusal or failed
    return refusal or Refusal("a loop over areas whose variable tells where it is")


def _orders(run: CallerRun, pool: AnyPool) -> Iterator[dict[int, AreaOrder]]:
    """Every way in which the loops over areas may tell where they are."""
    ways: list[list[AreaOrder]] = []
    local = pool.cpu & (pool.nareas - 1)
    for head in run.run.heads:
        first = next(a.values for a in run.run.arrivals if a.target == head.number)
        here = []
        for name in head.values:
            if name in first:
                here.append(AreaOrder(name, False, first[name].cast(U32)))
                here.append(AreaOrder(name, True, local))
                here.append(AreaOrder(name, True, Word(0, U32)))
        ways.append(here)
    for chosen in islice(product(*ways), _MOST_ORDERS):
        yield {number + 1: order for number, order in enumerate(chosen)}
