# SPDX-License-Identifier: GPL-2.0-only
"""What is to be shown so that the code's search is the search of a rule.

The code between two heads of its loops must do what one turn of
:mod:`~.formulas.loop` does: from any state that a head's variables can tell,
for any area, request and ``list[]``.  By induction over the turns the code then visits,
takes and gives up exactly as the rule's loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bounceproof.models.formulas.loop import (
    LoopState,
    accepts,
    ended,
    start_index,
    turn,
)
from bounceproof.models.formulas.mapping import nr_slots
from bounceproof.models.formulas.search import Area
from bounceproof.models.request import Counting, Passes, Pool, SearchRule
from bounceproof.models.words.word import (
    FALSE,
    INT,
    S64,
    TRUE,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
)
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.cut import Arrival, CutRun, Head, Return
from bounceproof.source.extract.prover import Obligation
from bounceproof.source.extract.relation import Bounds, IndexForm, Relation, Values
from bounceproof.source.extract.search_cut import (
    Elements,
    SearchInputs,
    SearchMachine,
    SearchRun,
    Teller,
)

MOST_PASSES = 16


@dataclass(frozen=True, slots=True)
class _Turn:
    """The state at a head, one turn on from it, and what the turn meets."""

    state: LoopState
    after: LoopState
    over: Truth
    hit: Truth
    slot: Word


def bounds_of(
    machine: SearchMachine, given: SearchInputs, rule: SearchRule | None
) -> Bounds:
    """What relations speak of in a call; the start is area->index without a rule."""
    nslabs, start = given.area_nslabs, given.index
    base = given.area.cast(UNSIGNED_INT) * nslabs
    base = base if machine.has_areas else Word(0, UNSIGNED_INT)
    if rule is not None:
        start = start_index(rule, given.index, nslabs)
    whole = rule is not None and rule.passes is Passes.WHOLE
    most = nslabs + (nslabs - start) if whole else nslabs
    shift = machine.slot_geometry.shift
    address = (given.start & given.boundary) + (base.cast(U64) << shift)
    return Bounds(nslabs, base, start, most, address, shift)


def _first_values(run: CutRun, head: Head) -> dict[str, Word]:
    """What variables are where a head is come to straight from the entry."""
    for arrival in run.arrivals:
        origin = arrival.origin.raw
        if arrival.target == head.number and isinstance(origin, int) and not origin:
            return arrival.values
    return {}


def teller(relations: dict[int, Relation], bounds: Bounds) -> Teller:
    """Sets what is told by others at each head; :class:`Obligations` proves it."""

    def told(head: Head, before: dict[str, Word]) -> dict[str, Word]:
        relation = relations.get(head.number)
        if relation is None or not relation.told.names <= head.values.keys():
            return {}
        return relation.tells(head.values, bounds)

    return told


class Obligations:
    """The obligations of one run of the code's search under one hypothesis.

    ``relations`` has the relation of each head, by its number.
    """

    def __init__(
        self,
        machine: SearchMachine,
        run: SearchRun,
        given: SearchInputs,
        slots: Elements,
        rule: SearchRule,
        relations: dict[int, Relation],
    ) -> None:
        self._machine, self._run, self._given = machine, run, given
        self._slots, self._rule, self._relations = slots, rule, relations
        self._geometry = machine.slot_geometry
        self.nslots = nr_slots(given.alloc_size, self._geometry).cast(UNSIGNED_INT)
        self._bounds = bounds_of(machine, given, rule)
        self._start = self._bounds.start
        self._of_head = {
            head.number: replace(self._bounds, began=_first_values(run.run, head))
            for head in run.run.heads
        }
        self._turns = {head.number: self._turn(head) for head in run.run.heads}

    # One turn of the rule's loop.

    def _turn(self, head: Head) -> _Turn:
        bounds = self._of_head[head.number]
        state = self._relations[head.number].state(head.known, bounds)
        if state is None:
            raise NotUnderstood("", head.node.line, "the search", "its variables")
        slots, rule, given = self._given.area_nslabs, self._rule, self._given
        slot = self._bounds.base + state.index
        offset = slot.cast(U64) << self._geometry.shift
        address = (given.start & given.boundary) + offset
        accepted = accepts(rule, address, given.orig_addr)
        return _Turn(
            state,
            turn(rule, state, accepted, slots),
            ended(rule, state, self._start, slots),
            accepted & self._has_room(slot),
            slot,
        )

    def _has_room(self, slot: Word) -> Truth:
        given, nslots = self._given, self.nslots
        index = Word(0, UNSIGNED_INT)
        pool = Pool(
            given.start,
            given.area_nslabs,
            index,
            given.boundary,
            geometry=self._geometry,
        )
        area = Area(pool, Word(0, UNSIGNED_INT))
        spans = area.segment_offset(slot) + nslots.cast(U64) > area.max_slots
        return (self._slots.at(slot.cast(S64)) >= nslots) & ~spans

    # What is known at the heads.

    @property
    def invariant(self) -> Truth:
        """What holds whenever the code is at its heads."""
        known = TRUE
        for head in self._run.run.heads:
            relation = self._relations[head.number]
            state = self._turns[head.number].state
            known = known & self._within(head.number, relation, state, head.known)
        return known

    def _within(
        self, number: int, relation: Relation, state: LoopState, values: Values
    ) -> Truth:
        bounds, ended = self._of_head[number], self._ended(state)
        inside = self._in_area(state) & relation.sane(values, bounds)
        inside = inside & relation.alike(values, bounds)
        if relation.stop is not None:
            said = relation.stop.ended(values)
            inside = inside & ((said & ended) | (~said & ~ended))
        return inside & ~ended if relation.going else inside

    def _in_area(self, state: LoopState) -> Truth:
        slots, rule = self._given.area_nslabs, self._rule
        inside = state.index < slots
        if not rule.counted:
            return inside
        turns = rule.counting is Counting.TURNS
        most = self._bounds.most + (0 if turns else rule.stride - 1)
        return (inside | self._ended(state)) & (state.counted <= most)

    def strays(self) -> Iterator[Truth]:
        """Where the index goes another way than the rule's: for guesses alone."""
        slots = self._given.area_nslabs
        for arrival in self._run.run.arrivals:
            number = arrival.target
            relation, bounds = self._relations[number], self._of_head[number]
            state = relation.state(arrival.values, bounds)
            if state is None or relation.form is IndexForm.PASS:
                continue
            turned = self._turns[number]
            inside = arrival.condition & (state.index < slots)
            onward = arrival.origin.eq(number) & (turned.state.index < slots)
            onward = onward & ~turned.hit & state.index.ne(turned.after.index)
            began = arrival.origin.eq(0) & state.index.ne(self._start)
            yield inside & (onward | (began if number == 1 else FALSE))

    @property
    def turning(self) -> Truth:
        """Where some loop takes another turn."""
        going = FALSE
        for turned in self._turns.values():
            going = going | ~turned.over
        return going

    # The obligations.

    def at_entry(self) -> Iterator[Obligation]:
        """That :attr:`invariant` holds where the loops begin.

        It must not be assumed for that: what can never hold would prove anything.
        """
        for arrival in self._run.run.arrivals:
            began = arrival.condition & arrival.origin.eq(0)
            broken = began & ~self._arrives(arrival)
            yield Obligation(f"the way to {self._named(arrival.target)}", broken)

    def all(self) -> Iterator[Obligation]:
        """Every obligation; where none can be broken, the code's search is the rule's.

        They assume :attr:`invariant`.
        """
        yield Obligation("the kernel does not stop in the search", self._run.stopped)
        for arrival in self._run.run.arrivals:
            yield Obligation(
                f"the way to {self._named(arrival.target)}",
                arrival.condition & ~self._arrives(arrival),
            )
            for marked in arrival.written:
                yield Obligation("slots are written to", arrival.condition & marked)
        for end in self._run.run.returns:
            yield from self._of_return(end)

    def _named(self, number: int) -> str:
        node = self._run.run.heads[number - 1].node
        return f"the loop of line {node.line}"

    def _arrives(self, arrival: Arrival) -> Truth:
        relation = self._relations[arrival.target]
        state = relation.state(arrival.values, self._of_head[arrival.target])
        if state is None:
            return FALSE
        zero = Word(0, UNSIGNED_INT)
        began = self._same(state, LoopState(self._start, zero)) & ~self._full()
        right = arrival.origin.eq(0) & began
        for number, turned in self._turns.items():
            moved = ~turned.over & ~turned.hit & self._same(state, turned.after)
            if number != arrival.target:
                moved = moved | self._passed(arrival, number, turned, state)
            right = right | (arrival.origin.eq(number) & moved)
        return right & self._within(arrival.target, relation, state, arrival.values)

    def _passed(
        self, arrival: Arrival, origin: int, turned: _Turn, state: LoopState
    ) -> Truth:
        """A way from one head to another without a turn; back, no more than a few."""
        alike = state.index.eq(turned.state.index)
        alike = alike & state.counted.eq(turned.state.counted)
        alike = alike | (turned.over & self._ended(state))
        if arrival.target > origin:
            return alike
        before = self._run.run.heads[arrival.target - 1].values
        relation = self._relations[arrival.target]
        rises = FALSE
        for name in before:
            if relation.form is IndexForm.PASS or name != relation.name:
                old, value = before[name].cast(U64), arrival.values[name]
                rises = rises | ((old < MOST_PASSES) & (value.cast(U64) > old))
        return alike & rises

    def _same(self, state: LoopState, wanted: LoopState) -> Truth:
        """Whether two states are alike to the loop."""
        same = state.index.eq(wanted.index)
        one, two = self._ended(state), self._ended(wanted)
        if self._rule.counted:
            return (same & state.counted.eq(wanted.counted)) | (one & two)
        return same & ((one & two) | (~one & ~two))

    def _full(self) -> Truth:
        """More slots are asked for than are free in the area."""
        given = self._given
        left = given.area_nslabs.cast(U64) - given.used.cast(U64)
        return self.nslots.cast(U64) > left

    def _too_many(self) -> Truth:
        """More slots are asked for than a slot set has: a counted search ends."""
        return Truth(self._rule.counted) & (self.nslots > self._geometry.segsize)

    def _of_return(self, end: Return) -> Iterator[Obligation]:
        if not isinstance(end.value, Word):
            raise NotUnderstood("", 0, "the search", "a slot that is returned")
        found = end.condition & (end.value.cast(INT) >= 0)
        lost = end.condition & (end.value.cast(INT) < 0)
        taken, given_up = FALSE, end.origin.eq(0) & (self._full() | self._too_many())
        for number, turned in self._turns.items():
            here = end.origin.eq(number)
            right = end.value.cast(UNSIGNED_INT).eq(turned.slot)
            taken = taken | (here & ~turned.over & turned.hit & right)
            last = ~turned.hit & self._ended(turned.after)
            given_up = given_up | (here & (turned.over | last))
        yield Obligation("a slot is returned", found & ~(taken & self._took(end)))
        minus = end.value.cast(INT).eq(Word(-1, INT))
        nothing = minus & self._kept(end)
        yield Obligation("the search gives up", lost & ~(given_up & nothing))
        for marked in self._run.marked:
            yield Obligation("slots are written to", lost & marked)

    def _ended(self, state: LoopState) -> Truth:
        return ended(self._rule, state, self._start, self._given.area_nslabs)

    def _took(self, end: Return) -> Truth:
        """area->used grows by the slots, area->index stays in the area."""
        used = self._machine.left(end.state, "used").cast(U64)
        index = self._machine.left(end.state, "index").cast(UNSIGNED_INT)
        grown = self._given.used.cast(U64) + self.nslots.cast(U64)
        return used.eq(grown) & (index < self._given.area_nslabs)

    def _kept(self, end: Return) -> Truth:
        """area->used and area->index are as they were."""
        used = self._machine.left(end.state, "used").cast(U64)
        index = self._machine.left(end.state, "index").cast(UNSIGNED_INT)
        return used.eq(self._given.used.cast(U64)) & index.eq(self._given.index)
