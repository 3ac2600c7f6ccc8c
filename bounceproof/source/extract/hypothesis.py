# SPDX-License-Identifier: GPL-2.0-only
"""Which rule a tree's search may follow, guessed from calls in numbers.

Nothing here is ground for an answer: a hypothesis counts once the
:mod:`~bounceproof.source.extract.obligations` that it makes are proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from bounceproof.models.request import Counting, Jump, Passes, SearchRule, Wrap
from bounceproof.models.words.word import INT, U32, U64, CType, Word
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.cut import Head
from bounceproof.source.extract.obligations import Obligations, bounds_of
from bounceproof.source.extract.relation import (
    Bounds,
    CountForm,
    IndexForm,
    Relation,
    Telling,
    Told,
    count_relations,
    index_relations,
)
from bounceproof.source.extract.samples import (
    Lists,
    Numbers,
    Sample,
    all_free,
    flag_array,
    many,
    none_free,
    number_array,
    plain_inputs,
    random_sample,
)
from bounceproof.source.extract.search_cut import (
    SearchInputs,
    SearchMachine,
    SearchRun,
    Teller,
    nothing_told,
)
from bounceproof.source.extract.told import Indices, Tellings

_SAMPLES = 1500
_MANY_SLOTS = 1 << 20
_APART = 64
_BITS = 64


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A rule, and how the variables at each head tell the state of its loop."""

    rule: SearchRule
    relations: dict[int, Relation]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One call of a run: where a slot is returned, which, and out of which head."""

    found: Numbers
    slot: Numbers
    origin: Numbers


def _seen(run: SearchRun, count: int) -> _Seen:
    found = np.zeros(count, dtype=bool)
    slot = np.zeros(count, dtype=np.uint64)
    origin = np.zeros(count, dtype=np.uint64)
    for end in run.run.returns:
        if not isinstance(end.value, Word):
            continue
        value = end.value.cast(INT)
        here = flag_array(end.condition & (value >= 0), count)
        slot = np.where(here, number_array(value, count), slot)
        origin = np.where(here, number_array(end.origin, count), origin)
        found = found | here
    return _Seen(found, slot, origin)


class Guesser:
    """Guesses for one machine, that is for one program and device."""

    def __init__(self, machine: SearchMachine) -> None:
        self._machine = machine
        self._tellings = Tellings(machine)
        self._last: tuple[SearchRule, dict[int, Relation]] | None = None

    def hypotheses(
        self, align_mask: int, totals: tuple[int, int]
    ) -> Iterator[Hypothesis]:
        """Those that no sample refutes, the kind that was right last time first.

        Sizes lie from ``totals[0]`` up to ``totals[1]`` bytes.
        """
        shift = self._machine.slot_geometry.shift
        sample = random_sample(_SAMPLES, align_mask, totals, shift)
        tame = random_sample(_SAMPLES, align_mask, totals, shift, tame=True)
        masks, stopped, bounds = self._masks(align_mask, totals[0])
        constants = self._constants(tame)
        for indices in self._indices(align_mask, totals[0], constants):
            rule = replace(masks, stride=_stride(stopped, bounds, indices))
            if not rule.stride:
                continue
            told = self._tellings.twins(tame, indices, constants)
            teller = self._tellings.teller(sample, indices, told)
            run = self._run(sample, teller)
            for found in self._fitting(run, sample, indices, rule, told):
                self._last = found.rule, found.relations
                yield found

    def _run(self, sample: Sample, teller: Teller = nothing_told) -> SearchRun:
        return self._machine.search(sample.given, sample.fresh, sample.slots, teller)

    def _constants(self, sample: Sample) -> dict[int, Told]:
        if self._last is None:
            return self._tellings.constants(sample)
        every = self._last[1].items()
        return {k: Told(constants=r.told.constants) for k, r in every}

    def _fitting(
        self,
        run: SearchRun,
        sample: Sample,
        indices: Indices,
        masks: SearchRule,
        told: dict[int, Told],
    ) -> Iterator[Hypothesis]:
        """The kinds of loop, and the ways to count, that no call contradicts."""
        last = self._last
        for steps in _steps(masks, last):
            plain = {
                k: Relation(form, name, CountForm.NEVER, told=told.get(k, Told()))
                for k, (form, name) in indices.items()
            }
            if not _goes(self._machine, run, sample, Hypothesis(steps, plain)):
                continue
            for rule in _ends(steps, last):
                for relations in _relations(run, sample, plain, rule, last):
                    found = Hypothesis(rule, relations)
                    if _stands(self._machine, run, sample, found):
                        yield found

    # Which variable is the index.

    def _indices(
        self, align_mask: int, total: int, constants: dict[int, Told]
    ) -> Iterator[Indices]:
        """The ways in which variables can give the index, one for each head."""
        if self._last is not None:
            yield {k: (r.form, r.name) for k, r in self._last[1].items()}
        run, seen, values, bounds = self._apart(align_mask, total, constants)
        ways = []
        for head in run.run.heads:
            here = seen.found & (seen.origin == head.number)
            found = [
                (form, name)
                for form, name in index_relations(head)
                if (head.number, name) in values
                and _gives(form, values[head.number, name], seen, here, bounds)
            ]
            passes = [(IndexForm.PASS, name) for name in head.values]
            ways.append(found or passes)
        for chosen in product(*ways):
            yield {n + 1: way for n, way in enumerate(chosen)}

    def _apart(
        self, align_mask: int, total: int, constants: dict[int, Told]
    ) -> tuple[SearchRun, _Seen, dict[tuple[int, str], Word], Bounds]:
        """Calls in which every variable that is no constant has values of its own."""
        count, slots = 512, 1 << 16
        dice = np.random.default_rng(7)
        given: dict[tuple[int, str], Word] = {}
        shift = np.uint64(self._machine.slot_geometry.shift)

        def fresh(name: str, ctype: CType) -> Word:
            numbers = dice.integers(1, slots // _APART, count, dtype=np.uint64)
            numbers = numbers * np.uint64(_APART)
            few = dice.integers(0, 2, count, dtype=np.uint64)
            kind = dice.integers(0, 4, count)
            ways = (numbers, numbers << shift, few, numbers + np.uint64(slots))
            plain, _, head = name.rpartition("@")
            given[int(head), plain] = many(np.choose(kind, ways), ctype)
            return given[int(head), plain]

        none = many(np.zeros(count, np.uint64))
        inputs = replace(
            plain_inputs(align_mask, total, slots, none, none),
            area=many(dice.integers(0, 3, count, dtype=np.uint64), INT),
            index=many(dice.integers(0, slots // _APART, count) * _APART, U32),
        )
        sample = Sample(count, inputs, fresh, all_free())
        run = self._run(sample, self._tellings.teller(sample, {}, constants))
        for number, told in constants.items():
            for name in told.names:
                given.pop((number, name), None)
        return run, _seen(run, count), given, bounds_of(self._machine, inputs, None)

    # Which slots it takes.

    def _masks(
        self, align_mask: int, total: int
    ) -> tuple[SearchRule, SearchRun, Bounds]:
        """The masks from slot 0 of area 0, and calls that find it taken."""
        bits = [1 << bit for bit in range(_BITS)]
        none = [0] * _BITS
        tlb, orig = many(bits + none + bits), many(bits + bits + none)
        inputs = plain_inputs(align_mask, total, _MANY_SLOTS, tlb, orig)
        found = _seen(self._at_first(inputs, all_free()), 3 * _BITS).found
        allowed, matched, waived = found.reshape(3, _BITS)
        zero = sum(b for b, flag in zip(bits, allowed, strict=True) if not flag)
        compare = sum(b for b, flag in zip(bits, matched, strict=True) if not flag)
        told = [at for at, bit in enumerate(bits) if bit & compare & ~zero]
        run = self._at_first(inputs, none_free())
        known = run.run.heads[0].known if run.run.heads else {}
        shown = {name.split("#")[0]: word for name, word in known.items()}
        rule = SearchRule(
            zero_mask=zero,
            compare_mask=compare,
            skip_zero=bool(told) and all(waived[at] for at in told),
            stride=0,
            aligned_start=False,
            counted=True,
            fall_through=False,
            page_check=False,
            alloc_align_mask=_shown(shown, "alloc_align_mask", align_mask),
            iotlb_align_mask=_shown(shown, "iotlb_align_mask", compare),
        )
        return rule, run, bounds_of(self._machine, inputs, None)

    def _at_first(self, inputs: SearchInputs, slots: Lists) -> SearchRun:
        """Calls in the first turn of their loops."""

        def fresh(name: str, ctype: CType) -> Word:
            return Word(0, ctype)

        def as_they_come(head: Head, before: dict[str, Word]) -> dict[str, Word]:
            return {name: before[name] for name in head.values if name in before}

        return self._run(Sample(3 * _BITS, inputs, fresh, slots), as_they_come)


def _stride(run: SearchRun, bounds: Bounds, indices: Indices) -> int:
    """Where a slot leads that is admissible and does not fit, in calls from slot 0."""
    longest = 0
    for arrival in run.run.arrivals:
        form, name = indices[arrival.target]
        if name not in arrival.values:
            continue
        back = arrival.condition & arrival.origin.eq(arrival.target)
        here = flag_array(back, 3 * _BITS)
        index = _index(form, arrival.values[name], bounds)
        steps = number_array(index, 3 * _BITS)[here]
        longest = max([longest, *(int(step) for step in steps)])
    return longest


def _shown(known: dict[str, Word], name: str, otherwise: int) -> int:
    raw = known[name].raw if name in known else otherwise
    return int(raw) if isinstance(raw, int) else otherwise


def _index(form: IndexForm, value: Word, bounds: Bounds) -> Word:
    state = Relation(form, "i", CountForm.NEVER).state({"i": value}, bounds)
    assert state is not None
    return state.index


def _gives(
    form: IndexForm, value: Word, seen: _Seen, here: Numbers, bounds: Bounds
) -> bool:
    """Whether the slot returned is the one at that index, in every call ``here``."""
    count = len(here)
    slot = number_array(bounds.base + _index(form, value, bounds), count)
    return bool(here.any()) and bool((slot[here] == seen.slot[here]).all())


_Last = tuple[SearchRule, dict[int, Relation]] | None
_STEPS = ("aligned_start", "wrap", "jump")
_ENDS = ("counted", "counting", "passes")


def _alike(rule: SearchRule, last: SearchRule, names: tuple[str, ...]) -> SearchRule:
    return replace(rule, **{name: getattr(last, name) for name in names})


def _steps(masks: SearchRule, last: _Last) -> Iterator[SearchRule]:
    """Every way from slot to slot with these masks and this stride."""
    if last is not None:
        yield _alike(masks, last[0], _STEPS)
    for jump, wrap, aligned in product(Jump, Wrap, (False, True)):
        yield replace(masks, jump=jump, wrap=wrap, aligned_start=aligned)


def _ends(steps: SearchRule, last: _Last) -> Iterator[SearchRule]:
    """Every way to count and to end."""
    if last is not None:
        yield _alike(steps, last[0], _ENDS)
    for passes, counting in product(Passes, Counting):
        yield replace(steps, counted=True, counting=counting, passes=passes)
    yield replace(steps, counted=False)


def _relations(
    run: SearchRun,
    sample: Sample,
    plain: dict[int, Relation],
    rule: SearchRule,
    last: _Last,
) -> Iterator[dict[int, Relation]]:
    if last is not None and last[0].counted == rule.counted:
        yield last[1]
    ways = []
    for head in run.run.heads:
        own = plain[head.number]
        telling = _telling(run, sample, head, own)
        tells = count_relations(head, own.form, own.name, rule.counted, telling)
        ways.append([replace(relation, told=own.told) for relation in tells])
    for chosen in product(*ways):
        yield {number + 1: relation for number, relation in enumerate(chosen)}


def _telling(run: SearchRun, sample: Sample, head: Head, own: Relation) -> Telling:
    changed = {name for other in run.run.heads for name in other.values}
    known = {own.name, *own.told.names}
    others = [name for name in head.values if name not in known]
    flags = [n for n in others if _is_flag(run, sample, head, n)]
    passes = sorted(changed & (head.known.keys() - head.values.keys()))
    return Telling(others, flags, passes)


def _is_flag(run: SearchRun, sample: Sample, head: Head, name: str) -> bool:
    """Whether no call puts anything but 0 or 1 into a variable of the head."""
    for arrival in run.run.arrivals:
        value = arrival.values.get(name)
        if arrival.target == head.number and value is not None:
            kept = arrival.origin.eq(head.number) & (head.values[name].cast(U64) > 1)
            odd = arrival.condition & (value.cast(U64) > 1) & ~kept
            if flag_array(odd, sample.count).any():
                return False
    return True


def _due(
    machine: SearchMachine, run: SearchRun, sample: Sample, found: Hypothesis
) -> Obligations:
    return Obligations(
        machine, run, sample.given, sample.slots, found.rule, found.relations
    )


def _goes(
    machine: SearchMachine, run: SearchRun, sample: Sample, found: Hypothesis
) -> bool:
    """Whether the index goes nowhere in a call where the rule's would not."""
    try:
        strays = _due(machine, run, sample, found).strays()
        return not any(flag_array(stray, sample.count).any() for stray in strays)
    except NotUnderstood:
        return False


def _stands(
    machine: SearchMachine, run: SearchRun, sample: Sample, found: Hypothesis
) -> bool:
    """Whether no call of the sample breaks an obligation."""
    try:
        due = _due(machine, run, sample, found)
        if any(flag_array(one.broken, sample.count).any() for one in due.at_entry()):
            return False
        known = flag_array(due.invariant, sample.count)
        turning = known & flag_array(due.turning, sample.count)
        return bool(turning.any()) and not any(
            (known & flag_array(one.broken, sample.count)).any() for one in due.all()
        )
    except NotUnderstood:
        return False
