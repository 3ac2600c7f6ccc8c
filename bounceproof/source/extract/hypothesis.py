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
from bounceproof.models.word import INT, U32, CType, Word
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.obligations import Obligations
from bounceproof.source.extract.relation import (
    Bounds,
    CountForm,
    IndexForm,
    Relation,
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
)

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
        self._last: tuple[SearchRule, dict[int, Relation]] | None = None

    def hypotheses(
        self, align_mask: int, totals: tuple[int, int]
    ) -> Iterator[Hypothesis]:
        """Those that no sample refutes, the kind that was right last time first.

        Sizes lie from ``totals[0]`` up to ``totals[1]`` bytes.
        """
        sample = random_sample(
            _SAMPLES, align_mask, totals, self._machine.slot_geometry.shift
        )
        run = self._run(sample)
        for indices in self._indices(align_mask, totals[0]):
            masks = self._masks(indices, align_mask, totals[0])
            if not masks.stride:
                continue
            for rule in _kinds(masks, self._last):
                for relations in _relations(run, indices, rule, self._last):
                    found = Hypothesis(rule, relations)
                    if _stands(self._machine, run, sample, found):
                        self._last = rule, relations
                        yield found

    def _run(self, sample: Sample) -> SearchRun:
        return self._machine.search(sample.given, sample.fresh, sample.slots)

    # Which variable is the index.

    def _indices(
        self, align_mask: int, total: int
    ) -> Iterator[dict[int, tuple[IndexForm, str]]]:
        """The ways in which variables can give the index, one for each head."""
        if self._last is not None:
            yield {k: (r.form, r.name) for k, r in self._last[1].items()}
        run, seen, values, bounds = self._apart(align_mask, total)
        ways = []
        for head in run.run.heads:
            here = seen.found & (seen.origin == head.number)
            found = [
                (form, name)
                for form, name in index_relations(head)
                if _gives(form, values[head.number, name], seen, here, bounds)
            ]
            passes = [(IndexForm.PASS, name) for name in head.values]
            ways.append(found or passes)
        for chosen in product(*ways):
            yield {n + 1: way for n, way in enumerate(chosen)}

    def _apart(
        self, align_mask: int, total: int
    ) -> tuple[SearchRun, _Seen, dict[tuple[int, str], Word], Bounds]:
        """Calls in which every variable has values of its own."""
        count, slots = 512, 1 << 16
        dice = np.random.default_rng(7)
        given: dict[tuple[int, str], Word] = {}
        places = np.uint64(_APART)

        def fresh(name: str, ctype: CType) -> Word:
            numbers = dice.integers(1, slots // _APART, count, dtype=np.uint64) * places
            few = dice.integers(0, 2, count, dtype=np.uint64)
            kind = dice.integers(0, 4, count)
            numbers = np.choose(kind, (numbers, numbers, few, numbers + slots))
            plain, _, head = name.rpartition("@")
            given[int(head), plain] = many(numbers, ctype)
            return given[int(head), plain]

        none = many(np.zeros(count, np.uint64))
        inputs = replace(
            plain_inputs(align_mask, total, slots, none, none),
            area=many(dice.integers(0, 3, count, dtype=np.uint64), INT),
            index=many(dice.integers(0, slots // _APART, count) * _APART, U32),
        )
        run = self._run(Sample(count, inputs, fresh, all_free()))
        base = inputs.area.cast(U32) * inputs.area_nslabs
        base = base if self._machine.has_areas else Word(0, U32)
        nslabs = inputs.area_nslabs
        bounds = Bounds(nslabs, base, inputs.index, nslabs)
        return run, _seen(run, count), given, bounds

    # Which slots it takes.

    def _masks(
        self, indices: dict[int, tuple[IndexForm, str]], align_mask: int, total: int
    ) -> SearchRule:
        """The masks and the stride, from slot 0 of area 0."""
        bits = [1 << bit for bit in range(_BITS)]
        none = [0] * _BITS
        tlb, orig = many(bits + none + bits), many(bits + bits + none)
        inputs = plain_inputs(align_mask, total, _MANY_SLOTS, tlb, orig)
        found = _seen(self._at_zero(inputs, indices, all_free()), 3 * _BITS).found
        allowed, matched, waived = found.reshape(3, _BITS)
        zero = sum(b for b, flag in zip(bits, allowed, strict=True) if not flag)
        compare = sum(b for b, flag in zip(bits, matched, strict=True) if not flag)
        told = [at for at, bit in enumerate(bits) if bit & compare & ~zero]
        run = self._at_zero(inputs, indices, none_free())
        known = run.run.heads[0].known if run.run.heads else {}
        shown = {name.split("#")[0]: word for name, word in known.items()}
        return SearchRule(
            zero_mask=zero,
            compare_mask=compare,
            skip_zero=bool(told) and all(waived[at] for at in told),
            stride=self._stride(run, indices),
            aligned_start=False,
            counted=True,
            fall_through=False,
            page_check=False,
            alloc_align_mask=_shown(shown, "alloc_align_mask", align_mask),
            iotlb_align_mask=_shown(shown, "iotlb_align_mask", compare),
        )

    def _at_zero(
        self,
        inputs: SearchInputs,
        indices: dict[int, tuple[IndexForm, str]],
        slots: Lists,
    ) -> SearchRun:
        """Calls that are at index 0, and have counted little."""

        def fresh(name: str, ctype: CType) -> Word:
            plain, _, head = name.rpartition("@")
            at_zero = indices.get(int(head), (None, None))[1] == plain
            return Word(0 if at_zero else 1, ctype)

        return self._run(Sample(3 * _BITS, inputs, fresh, slots))

    def _stride(self, run: SearchRun, indices: dict[int, tuple[IndexForm, str]]) -> int:
        """Where a slot leads that is admissible and does not fit; the last calls."""
        zero = Word(0, U32)
        many_slots = Word(_MANY_SLOTS, U32)
        bounds = Bounds(many_slots, zero, zero, many_slots)
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


def _kinds(
    masks: SearchRule, last: tuple[SearchRule, dict[int, Relation]] | None
) -> Iterator[SearchRule]:
    """Every kind of loop with these masks and this stride."""
    varied = ("aligned_start", "counted", "counting", "wrap", "jump", "passes")
    if last is not None:
        yield replace(masks, **{name: getattr(last[0], name) for name in varied})
    ends = [(True, counting) for counting in Counting] + [(False, Counting.STEPS)]
    for jump, wrap, passes in product(Jump, Wrap, Passes):
        for counted, counting in ends:
            if passes is Passes.WHOLE and not counted:
                continue
            for aligned in (False, True):
                yield replace(
                    masks,
                    aligned_start=aligned,
                    counted=counted,
                    counting=counting,
                    wrap=wrap,
                    jump=jump,
                    passes=passes,
                )


def _relations(
    run: SearchRun,
    indices: dict[int, tuple[IndexForm, str]],
    rule: SearchRule,
    last: tuple[SearchRule, dict[int, Relation]] | None,
) -> Iterator[dict[int, Relation]]:
    if last is not None and last[0].counted == rule.counted:
        yield last[1]
    changed = {name for head in run.run.heads for name in head.values}
    ways = [
        count_relations(head, *indices[head.number], rule.counted, changed)
        for head in run.run.heads
    ]
    for chosen in product(*ways):
        yield {number + 1: relation for number, relation in enumerate(chosen)}


def _stands(
    machine: SearchMachine, run: SearchRun, sample: Sample, found: Hypothesis
) -> bool:
    """Whether no call of the sample breaks an obligation."""
    try:
        due = Obligations(
            machine, run, sample.given, sample.slots, found.rule, found.relations
        )
        if any(flag_array(one.broken, sample.count).any() for one in due.at_entry()):
            return False
        known = flag_array(due.invariant, sample.count)
        return bool(known.any()) and not any(
            (known & flag_array(one.broken, sample.count)).any() for one in due.all()
        )
    except NotUnderstood:
        return False
