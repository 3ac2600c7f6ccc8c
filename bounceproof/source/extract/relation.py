# SPDX-License-Identifier: GPL-2.0-only
"""How a loop's variables tell where the search is: hypotheses, to be proved.

Of every head of the code's loops a :class:`Relation` names the variable that gives the
index in the area, and what gives the slots or turns counted so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from bounceproof.models.loop import LoopState
from bounceproof.models.word import TRUE, U64, UNSIGNED_INT, Truth, Word, ite, minimum
from bounceproof.source.cparse import syntax as c
from bounceproof.source.extract.cut import Head

ZERO, ONE = Word(0, UNSIGNED_INT), Word(1, UNSIGNED_INT)


class IndexForm(StrEnum):
    """What a variable has to do with the index."""

    INDEX = "the index"
    SLOT = "the slot in the pool"
    UNWRAPPED = "the index, before the wrap"
    FROM_START = "the distance from the start"
    PASS = "the pass: from the start, then from 0"


class CountForm(StrEnum):
    """What tells how much was counted; some need no variable of their own."""

    COUNT = "the count"
    LEFT = "what is left"
    FLAG = "not 0 after the first turn"
    NEVER = "nothing: the end is tested after each turn"
    FIRST_PASS = "the index, from the start to the area's end"
    SECOND_PASS = "the index, from 0 to the start"
    BY_PASS = "the index, in the pass that another variable tells"
    PASS = "the pass, at its beginning"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What relations speak of: slots of the area, its first slot in the pool, the
    index that the search starts at, and the count that it ends at (unsigned int)."""

    area_nslabs: Word
    base: Word
    start: Word
    most: Word


@dataclass(frozen=True, slots=True)
class Relation:
    """The index is given by variable ``name``, the count by ``count_name``.

    ``going``: the search has not ended where the code is at the head, since it tests
    its end at the end of each turn.
    """

    form: IndexForm
    name: str
    count: CountForm
    count_name: str | None = None
    going: bool = False

    def sane(self, values: dict[str, Word], bounds: Bounds) -> Truth:
        """What is left is no more than all, where it cannot be below 0."""
        own = values.get(self.count_name or self.name)
        if self.count is not CountForm.LEFT or own is None or own.ctype.signed:
            return TRUE
        return own <= bounds.area_nslabs.cast(U64)

    def state(self, values: dict[str, Word], bounds: Bounds) -> LoopState | None:
        """The state of the search, or None where a variable has no value."""
        if self.name not in values or (self.count_name or self.name) not in values:
            return None
        raw = values[self.name].cast(UNSIGNED_INT)
        return LoopState(self._index(raw, bounds), self._count(values, raw, bounds))

    def _index(self, raw: Word, bounds: Bounds) -> Word:
        slots = bounds.area_nslabs
        match self.form:
            case IndexForm.INDEX:
                return raw
            case IndexForm.SLOT:
                return raw - bounds.base
            case IndexForm.UNWRAPPED:
                return ite(raw >= slots, ZERO, raw)
            case IndexForm.FROM_START:
                ahead = bounds.start + raw
                return ite(ahead >= slots, ahead - slots, ahead)
            case IndexForm.PASS:
                return ite(raw.eq(0), bounds.start, ZERO)

    def _count(self, values: dict[str, Word], raw: Word, bounds: Bounds) -> Word:
        slots, start = bounds.area_nslabs, bounds.start
        own = values[self.count_name or self.name]
        match self.count:
            case CountForm.COUNT:
                return own.cast(UNSIGNED_INT)
            case CountForm.LEFT:
                return slots - own.cast(UNSIGNED_INT)
            case CountForm.FLAG:
                return ite(own.nonzero(), ONE, ZERO)
            case CountForm.NEVER:
                return ZERO
            case CountForm.FIRST_PASS:
                return minimum(raw, slots) - start
            case CountForm.SECOND_PASS:
                return slots - start + minimum(raw, slots)
            case CountForm.BY_PASS:
                before = ite(own.nonzero(), slots, ZERO)
                return before + minimum(raw, slots) - start
            case CountForm.PASS:
                return ite(raw <= ONE, ite(raw.eq(0), ZERO, slots - start), bounds.most)


def index_relations(head: Head) -> Iterator[tuple[IndexForm, str]]:
    """Every way in which a variable of ``head`` may give the index."""
    for form in IndexForm:
        if form is not IndexForm.PASS:
            for name in head.values:
                yield form, name


def count_relations(
    head: Head, form: IndexForm, name: str, counted: bool, changed: set[str]
) -> Iterator[Relation]:
    """Every way in which the count of a search that is ``counted`` may be told.

    ``changed``: the variables that any of the search's loops changes.
    """
    if form is IndexForm.PASS:
        yield Relation(form, name, CountForm.PASS)
        return
    tells = _counts(head, form, name, counted, changed)
    after = isinstance(head.node, c.Loop) and head.node.kind == "do"
    if not after:
        yield from tells
    if counted:
        again = _counts(head, form, name, counted, changed)
        yield from (replace(relation, going=True) for relation in again)
    elif after:
        yield from tells


def _counts(
    head: Head, form: IndexForm, name: str, counted: bool, changed: set[str]
) -> Iterator[Relation]:
    others = [other for other in head.values if other != name]
    if form is IndexForm.FROM_START:
        others = [name, *others]
    if not counted:
        yield Relation(form, name, CountForm.NEVER)
        yield from (Relation(form, name, CountForm.FLAG, other) for other in others)
        return
    for other in others:
        yield Relation(form, name, CountForm.COUNT, other)
        yield Relation(form, name, CountForm.LEFT, other)
    yield Relation(form, name, CountForm.FIRST_PASS)
    yield Relation(form, name, CountForm.SECOND_PASS)
    for other in sorted(changed & (head.known.keys() - head.values.keys())):
        yield Relation(form, name, CountForm.BY_PASS, other)
