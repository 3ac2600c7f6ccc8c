# SPDX-License-Identifier: GPL-2.0-only
"""How a loop's variables tell where the search is: hypotheses, to be proved.

Of every head of the code's loops a :class:`Relation` names the variable that gives the
index in the area, and what gives the slots or turns counted so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.loop import LoopState
from bounceproof.models.word import UNSIGNED_INT, Word, ite
from bounceproof.source.extract.cut import Head

ZERO, ONE = Word(0, UNSIGNED_INT), Word(1, UNSIGNED_INT)


class IndexForm(StrEnum):
    """What a variable has to do with the index."""

    INDEX = "the index"
    SLOT = "the slot in the pool"
    UNWRAPPED = "the index, before the wrap"
    FROM_START = "the distance from the start"


class CountForm(StrEnum):
    """What tells how much was counted; the last four need no variable of their own."""

    COUNT = "the count"
    LEFT = "what is left"
    FLAG = "not 0 after the first turn"
    NEVER = "nothing: the end is tested after each turn"
    FIRST_PASS = "the index, from the start to the area's end"
    SECOND_PASS = "the index, from 0 to the start"


OWN = (CountForm.COUNT, CountForm.LEFT, CountForm.FLAG)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What relations speak of: slots of the area, its first slot in the pool, and
    the index that the search starts at (all unsigned int)."""

    area_nslabs: Word
    base: Word
    start: Word


@dataclass(frozen=True, slots=True)
class Relation:
    """``index`` is given by variable ``name``, the count by ``count_name``."""

    form: IndexForm
    name: str
    count: CountForm
    count_name: str | None = None

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
                return ite(raw >= slots, slots, raw) - start
            case CountForm.SECOND_PASS:
                return slots - start + ite(raw >= slots, slots, raw)


def index_relations(head: Head) -> Iterator[tuple[IndexForm, str]]:
    """Every way in which a variable of ``head`` may give the index."""
    for form in IndexForm:
        for name in head.values:
            yield form, name


def count_relations(
    head: Head, form: IndexForm, name: str, counted: bool
) -> Iterator[Relation]:
    """Every way in which the count of a search that is ``counted`` may be told."""
    passes = (CountForm.FIRST_PASS, CountForm.SECOND_PASS)
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
    yield from (Relation(form, name, count) for count in passes)
