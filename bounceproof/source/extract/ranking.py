# SPDX-License-Identifier: GPL-2.0-only
"""That a search ends which no rule says: a ranking of its turns, guessed and proved.

A ranking is a list of measures, natural numbers made of a variable each.  The first
never grows from one head of a loop to the next; the turns that leave it as it is do
not let the second grow, and so on, until no turn is left that could be taken for ever.
Calls in numbers guess the measures and what holds at the heads; only a proof for all
inputs counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import numpy as np

from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    U64,
    UNSIGNED_INT,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.cut import Arrival, Head
from bounceproof.source.extract.obligations import bounds_of, teller
from bounceproof.source.extract.prover import Obligation, Prover, Refusal
from bounceproof.source.extract.relation import (
    Bounds,
    CountForm,
    IndexForm,
    Relation,
    Told,
    Values,
)
from bounceproof.source.extract.samples import (
    Numbers,
    Sample,
    flag_array,
    number_array,
    random_sample,
)
from bounceproof.source.extract.search_cut import (
    SearchInputs,
    SearchMachine,
    SearchRun,
)
from bounceproof.source.extract.told import Tellings

_SAMPLES = 1500
_MOST_MEASURES = 4
_LIKELY_BYTES = 300 << 10


class Way(StrEnum):
    """What falls from turn to turn."""

    DOWN = "the variable"
    UP = "what the variable can still grow by"
    AHEAD = "the slots ahead until the search is back at its start"
    BEHIND = "the slots behind until the search is back at its start"
    STILL_AHEAD = "the slots ahead, none at the start"
    STILL_BEHIND = "the slots behind, none at the start"


@dataclass(frozen=True, slots=True)
class Measure:
    """A natural number (u64) that variable ``name`` gives."""

    way: Way
    name: str

    def value(self, values: Values, bounds: Bounds) -> Word:
        own, slots, start = values[self.name], bounds.area_nslabs, bounds.start
        if self.way in (Way.DOWN, Way.UP):
            return _natural(own, self.way is Way.UP)
        index = own.cast(UNSIGNED_INT)
        ahead, behind = start - index, index - start
        match self.way:
            case Way.AHEAD:
                left = ite(index < start, ahead, ahead + slots)
            case Way.STILL_AHEAD:
                left = ite(index <= start, ahead, ahead + slots)
            case Way.BEHIND:
                left = ite(index > start, behind, behind + slots)
            case _:
                left = ite(index >= start, behind, behind + slots)
        return left.cast(U64)


def _natural(own: Word, rising: bool) -> Word:
    """A variable's value in the order of its type, or, ``rising``, in the other."""
    bits = own.ctype.bits
    plain = own.cast(CType(bits, False)).cast(U64)
    flipped = (1 << (bits - 1) if own.ctype.signed else 0) ^ (
        (1 << bits) - 1 if rising else 0
    )
    return plain ^ Word(flipped, U64)


class Limit(StrEnum):
    """What a variable stays below at a head."""

    SLOTS = "the slots of the area"
    PAST = "one more than the slots of the area"
    TWO = "2"

    def keeps(self, own: Word, bounds: Bounds) -> Truth:
        slots = bounds.area_nslabs.cast(U64)
        plain = own.cast(CType(own.ctype.bits, False)).cast(U64)
        match self:
            case Limit.SLOTS:
                return plain < slots
            case Limit.PAST:
                return plain <= slots
            case Limit.TWO:
                return plain < 2


@dataclass(frozen=True, slots=True)
class Kept:
    """What holds at the heads: ``limits`` by head and variable, and what is told."""

    limits: tuple[tuple[int, str, Limit], ...]
    told: dict[int, Told]

    def at(self, number: int, values: Values, bounds: Bounds) -> Truth:
        """Whether it holds of ``values`` at the head ``number``."""
        told = Relation(IndexForm.INDEX, "", CountForm.NEVER, told=self._of(number))
        held = told.alike(values, bounds)
        for head, name, limit in self.limits:
            if head == number:
                known = name in values
                held = held & (limit.keeps(values[name], bounds) if known else FALSE)
        return held

    def named(
        self, number: int, values: Values, bounds: Bounds
    ) -> Iterator[tuple[str, Truth]]:
        """What is kept at a head, one by one, with a name."""
        told = Kept((), self.told)
        yield "what is told", told.at(number, values, bounds)
        for one in self.limits:
            if one[0] == number:
                yield _name(one), Kept((one,), {}).at(number, values, bounds)

    def without(self, refusal: Refusal) -> Kept:
        """What is kept but for the limits that a refusal names."""
        left = tuple(one for one in self.limits if _name(one) not in refusal.reason)
        return Kept(left, self.told)

    def _of(self, number: int) -> Told:
        return self.told.get(number, Told())


def _name(limit: tuple[int, str, Limit]) -> str:
    number, name, most = limit
    return f"{name}@{number} is below {most}"


@dataclass(frozen=True, slots=True)
class _Step:
    """A way from the head ``origin`` to the next, ``arrival``; ``condition`` is where
    it is taken, without the turns that a measure has fallen in."""

    origin: Head
    arrival: Arrival
    condition: Truth

    def value(self, measure: Measure, bounds: Bounds) -> tuple[Word, Word] | None:
        """The measure before and after; None where one of them has no such variable."""
        before, after = self.origin.known, self.arrival.values
        if measure.name not in before or measure.name not in after:
            return None
        return measure.value(before, bounds), measure.value(after, bounds)


class Ranking:
    """A ranking of the turns of the search of one machine."""

    def __init__(self, machine: SearchMachine) -> None:
        self._machine = machine

    def refused(
        self,
        prover: Prover,
        given: SearchInputs,
        known: Truth,
        align_mask: int,
    ) -> Refusal | None:
        """None where the search is proved to end for any call ``given``.

        Raises NotUnderstood for code that cannot be followed.
        """
        shift = self._machine.slot_geometry.shift
        totals = 1, _LIKELY_BYTES
        sample = random_sample(_SAMPLES, align_mask, totals, shift)
        tame = random_sample(_SAMPLES, align_mask, totals, shift, tame=True)
        told = Tellings(self._machine).constants(tame)
        kept = self._kept(sample, told)
        while True:
            measures = self._guessed(sample, kept)
            if measures is None:
                return Refusal("a measure that falls with each turn")
            refusal = self._proved(prover, given, known, kept, measures)
            fewer = kept if refusal is None else kept.without(refusal)
            if fewer == kept:
                return refusal
            kept = fewer

    # Runs.

    def _numbers(self, sample: Sample, kept: Kept) -> tuple[SearchRun, Bounds, Numbers]:
        """Calls in numbers, and those that are at heads in a state that is kept."""
        bounds = bounds_of(self._machine, sample.given, None)
        tells = teller(_relations(kept.told), bounds)
        run = self._machine.search(sample.given, sample.fresh, sample.slots, tells)
        held = TRUE
        for head in run.run.heads:
            held = held & kept.at(head.number, head.known, bounds)
        return run, bounds, flag_array(held, sample.count)

    def _kept(self, sample: Sample, told: dict[int, Told]) -> Kept:
        """What no call contradicts of all that may hold at the heads."""
        run, _, _ = self._numbers(sample, Kept((), told))
        every = tuple(
            (head.number, name, limit)
            for head in run.run.heads
            for name, limit in product(head.values, Limit)
        )
        kept = Kept(every, told)
        while kept.limits:
            run, bounds, held = self._numbers(sample, kept)
            stands = tuple(
                one
                for one in kept.limits
                if not _strays(Kept((one,), {}), run, bounds, held, sample.count)
            )
            if stands == kept.limits:
                break
            kept = Kept(stands, told)
        return kept

    # Measures.

    def _guessed(self, sample: Sample, kept: Kept) -> list[Measure] | None:
        run, bounds, held = self._numbers(sample, kept)
        steps, found = list(_steps(run)), list[Measure]()
        while cyclic := _cyclic(steps, held, sample.count):
            measure = _best(cyclic, _measures(run), bounds, held, sample.count)
            if measure is None or len(found) == _MOST_MEASURES:
                return None
            found.append(measure)
            steps = [_after(step, measure, bounds) for step in cyclic]
        return found

    def _proved(
        self,
        prover: Prover,
        given: SearchInputs,
        known: Truth,
        kept: Kept,
        measures: list[Measure],
    ) -> Refusal | None:
        bits = self._machine.list_type.bits
        slots = prover.array("list", self._machine.list_type, bits)
        bounds = bounds_of(self._machine, given, None)
        tells = teller(_relations(kept.told), bounds)
        run = self._machine.search(given, prover.fresh, slots, tells)
        held = TRUE
        for head in run.run.heads:
            held = held & kept.at(head.number, head.known, bounds)
        fields = {
            f"{name}@{head.number}": value
            for head in run.run.heads
            for name, value in head.values.items()
        }
        entry = list(self._entry(run, bounds, kept))
        known = known & slots.consistent()

        def dead(step: _Step) -> bool:
            due = [Obligation("a step is taken", step.condition)]
            return prover.impossible(due, known & held, {}) is None

        falls = _falls(run, bounds, measures, dead)
        every = [*self._inside(run, bounds, kept), *falls]
        return prover.impossible(entry, known, fields) or prover.impossible(
            every, known & held, fields
        )

    def _entry(
        self, run: SearchRun, bounds: Bounds, kept: Kept
    ) -> Iterator[Obligation]:
        """That what is kept holds where the loops begin."""
        for arrival in run.run.arrivals:
            began = arrival.condition & arrival.origin.eq(0)
            for name, held in kept.named(arrival.target, arrival.values, bounds):
                yield Obligation(name, began & ~held)

    def _inside(
        self, run: SearchRun, bounds: Bounds, kept: Kept
    ) -> Iterator[Obligation]:
        """That it holds after each turn, and that the next search finds its index."""
        for arrival in run.run.arrivals:
            for name, held in kept.named(arrival.target, arrival.values, bounds):
                yield Obligation(name, arrival.condition & ~held)
        for end in run.run.returns:
            index = self._machine.left(end.state, "index").cast(UNSIGNED_INT)
            inside = index < bounds.area_nslabs
            yield Obligation("the index that is left", end.condition & ~inside)


def _relations(told: dict[int, Told]) -> dict[int, Relation]:
    return {
        number: Relation(IndexForm.INDEX, "", CountForm.NEVER, told=one)
        for number, one in told.items()
    }


def _strays(
    kept: Kept, run: SearchRun, bounds: Bounds, held: Numbers, count: int
) -> bool:
    """Whether a call comes to a head where ``kept`` does not hold."""
    for arrival in run.run.arrivals:
        broken = arrival.condition & ~kept.at(arrival.target, arrival.values, bounds)
        from_entry = flag_array(arrival.origin.eq(0), count)
        if (flag_array(broken, count) & (held | from_entry)).any():
            return True
    return False


def _steps(run: SearchRun) -> Iterator[_Step]:
    """Every way from a head to a head."""
    for arrival in run.run.arrivals:
        for head in run.run.heads:
            taken = arrival.condition & arrival.origin.eq(head.number)
            if not taken.never():
                yield _Step(head, arrival, taken)


def _cyclic(steps: list[_Step], held: Numbers, count: int) -> list[_Step]:
    """The steps that calls take, and that lead back to where they begin."""
    return _back([s for s in steps if (flag_array(s.condition, count) & held).any()])


def _leads(steps: list[_Step], here: int, there: int) -> bool:
    reached = {here}
    while True:
        more = {s.arrival.target for s in steps if s.origin.number in reached}
        if more <= reached:
            return there in reached
        reached |= more


def _measures(run: SearchRun) -> Iterable[Measure]:
    names = {name: None for head in run.run.heads for name in head.values}
    return [Measure(way, name) for way, name in product(Way, names)]


def _best(
    steps: list[_Step],
    measures: Iterable[Measure],
    bounds: Bounds,
    held: Numbers,
    count: int,
) -> Measure | None:
    """The measure that grows in no step and falls in most, if it falls in any."""
    best: tuple[int, Measure | None] = 0, None
    for measure in measures:
        falls = _fallen(steps, measure, bounds, held, count)
        if falls > best[0]:
            best = falls, measure
    return best[1]


def _fallen(
    steps: list[_Step], measure: Measure, bounds: Bounds, held: Numbers, count: int
) -> int:
    falls = 0
    for step in steps:
        values = step.value(measure, bounds)
        if values is None:
            return 0
        before, after = (number_array(value, count) for value in values)
        here = flag_array(step.condition, count) & held
        if (here & (after > before)).any():
            return 0
        falls += int(np.count_nonzero(here & (after < before)))
    return falls


def _after(step: _Step, measure: Measure, bounds: Bounds) -> _Step:
    """The step, where the measure does not fall."""
    values = step.value(measure, bounds)
    assert values is not None
    before, after = values
    return _Step(step.origin, step.arrival, step.condition & ~(after < before))


def _falls(
    run: SearchRun,
    bounds: Bounds,
    measures: list[Measure],
    dead: Callable[[_Step], bool],
) -> Iterator[Obligation]:
    """That no step can be taken for ever.

    A step that leads to no way back is taken once; of the others each measure in turn
    is no larger after than before, and in the end one has fallen.  A measure must be
    there in all of them: those that are proved ``dead`` are left out.
    """
    steps = _back(list(_steps(run)))
    for measure in measures:
        if any(step.value(measure, bounds) is None for step in steps):
            steps = _back([step for step in steps if not dead(step)])
        for step in steps:
            values = step.value(measure, bounds)
            if values is None:
                yield Obligation("a turn without the measure", TRUE)
                return
            before, after = values
            grows = step.condition & (after > before)
            yield Obligation(f"{measure.way} {measure.name} grows", grows)
        steps = [_after(step, measure, bounds) for step in steps]
    for step in steps:
        yield Obligation("a turn that no measure tells", step.condition)


def _back(steps: list[_Step]) -> list[_Step]:
    """The steps that lead back to where they begin."""
    return [s for s in steps if _leads(steps, s.arrival.target, s.origin.number)]


def proved_to_end(
    machine: SearchMachine,
    prover: Prover,
    given: SearchInputs,
    known: Truth,
    align_mask: int,
) -> bool:
    """Whether the search is proved to end, its loops as they are or turned."""
    for turned in (False, True):
        machine.turned = turned
        try:
            if Ranking(machine).refused(prover, given, known, align_mask) is None:
                return True
        except NotUnderstood:
            continue
    return False
