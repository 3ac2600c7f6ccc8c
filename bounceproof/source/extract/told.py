# SPDX-License-Identifier: GPL-2.0-only
"""Which variables of a loop's head others tell, guessed from calls in numbers.

All that may be is taken for granted first; what a call contradicts is dropped, until
nothing is.  The :mod:`~bounceproof.source.extract.obligations` prove what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from bounceproof.models.words.word import UNSIGNED_INT, Word
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.cut import Arrival, Head
from bounceproof.source.extract.obligations import bounds_of, teller
from bounceproof.source.extract.relation import (
    TWINS,
    WIDE,
    Bounds,
    CountForm,
    IndexForm,
    Relation,
    Told,
    twin,
)
from bounceproof.source.extract.samples import Sample, flag_array
from bounceproof.source.extract.search_cut import SearchMachine, Teller

Indices = dict[int, tuple[IndexForm, str]]


@dataclass(frozen=True, slots=True)
class Tellings:
    """Guesses for one machine what is told at its heads."""

    machine: SearchMachine

    def constants(self, sample: Sample) -> dict[int, Told]:
        """Variables that hold one number whenever the code is at a head."""
        found: dict[int, dict[str, int]] = {}

        def first(head: Head, before: dict[str, Word]) -> dict[str, Word]:
            known = {n: before[n] for n in head.values if n in before}
            plain = {n: w for n, w in known.items() if isinstance(w.raw, int)}
            found[head.number] = {n: int(w.raw) for n, w in plain.items()}
            return plain

        self._arrivals(sample, first)
        told = {k: Told(constants=tuple(own.items())) for k, own in found.items()}
        ways = dict.fromkeys(told, (IndexForm.INDEX, ""))
        return self._settled(sample, ways, told)

    def twins(
        self, sample: Sample, indices: Indices, told: dict[int, Told]
    ) -> dict[int, Told]:
        """What is told at the heads, with the variables that the index tells."""
        teller = self.teller(sample, indices, told)
        run = self.machine.search(sample.given, sample.fresh, sample.slots, teller)
        found: dict[int, Told] = {}
        for head in run.run.heads:
            form, index = indices[head.number]
            known = told.get(head.number, Told())
            others = [n for n in head.values if n != index and n not in known.names]
            pairs = [(name, other) for name in others for other in TWINS]
            kept = () if form is IndexForm.PASS else tuple(pairs)
            found[head.number] = replace(known, twins=kept)
        began = [a for a in run.run.arrivals if _from_entry(a)]
        return self._settled(sample, indices, self._kept(sample, indices, found, began))

    def teller(self, sample: Sample, indices: Indices, told: dict[int, Told]) -> Teller:
        """Sets what is told, and has indices in other units lie in the area."""
        relations = _relations(indices, told)
        bounds = bounds_of(self.machine, sample.given, None)
        plain = teller(relations, bounds)

        def tells(head: Head, before: dict[str, Word]) -> dict[str, Word]:
            form, name = indices.get(head.number, (IndexForm.INDEX, ""))
            more: dict[str, Word] = {}
            if form in WIDE:
                raw = head.values[name]
                index = raw.cast(UNSIGNED_INT)
                more[name] = twin(form, index, bounds).cast(raw.ctype)
                head.values.update(more)
            return {**more, **plain(head, before)}

        return tells

    def _arrivals(self, sample: Sample, told: Teller) -> list[Arrival]:
        """Those of a run, or of as much of it as can be followed."""
        with suppress(NotUnderstood):
            self.machine.search(sample.given, sample.fresh, sample.slots, told)
        return self.machine.cut.arrivals

    def _settled(
        self, sample: Sample, indices: Indices, told: dict[int, Told]
    ) -> dict[int, Told]:
        while any(one.names for one in told.values()):
            arrivals = self._arrivals(sample, self.teller(sample, indices, told))
            kept = self._kept(sample, indices, told, arrivals)
            if kept == told:
                break
            told = kept
        return told

    def _kept(
        self,
        sample: Sample,
        indices: Indices,
        told: dict[int, Told],
        arrivals: Iterable[Arrival],
    ) -> dict[int, Told]:
        """Without what an arrival contradicts."""
        bounds = bounds_of(self.machine, sample.given, None)
        kept = dict(told)
        for arrival in arrivals:
            form, name = indices.get(arrival.target, (IndexForm.INDEX, ""))
            here = kept.get(arrival.target, Told())
            plain = Relation(form, name, CountForm.NEVER)
            right = partial(_stands, plain, arrival, bounds, sample.count)
            constants = (c for c in here.constants if right(Told(constants=(c,))))
            twins = (t for t in here.twins if right(Told(twins=(t,))))
            kept[arrival.target] = Told(tuple(constants), tuple(twins))
        return kept


def _from_entry(arrival: Arrival) -> bool:
    return isinstance(arrival.origin.raw, int) and not arrival.origin.raw


def _relations(indices: Indices, told: dict[int, Told]) -> dict[int, Relation]:
    known = dict.fromkeys(told, (IndexForm.INDEX, "")) | indices
    return {
        number: Relation(form, name, CountForm.NEVER, told=told.get(number, Told()))
        for number, (form, name) in known.items()
    }


def _stands(
    plain: Relation, at: Arrival, bounds: Bounds, count: int, told: Told
) -> bool:
    """Whether no call comes to a head with other values than those told."""
    if told.twins and plain.name not in at.values:
        return False
    relation = replace(plain, told=told)
    strays = at.condition & ~relation.alike(at.values, bounds)
    return not flag_array(strays, count).any()
