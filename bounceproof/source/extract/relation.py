# SPDX-License-Identifier: GPL-2.0-only
"""How a loop's variables tell where the search is: hypotheses, to be proved.

Of every head of the code's loops a :class:`Relation` names the variable that gives the
index in the area, and what gives the slots or turns counted so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bounceproof.models.formulas.loop import LoopState
from bounceproof.models.words.word import (
    FALSE,
    INT,
    TRUE,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
    ite,
    minimum,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.extract.cut import Head

ZERO, ONE = Word(0, UNSIGNED_INT), Word(1, UNSIGNED_INT)
Values = Mapping[str, Word]


class IndexForm(StrEnum):
    """What a variable has to do with the index."""

    INDEX = "the index"
    SLOT = "the slot in the pool"
    UNWRAPPED = "the index, before the wrap"
    FROM_START = "the distance from the start"
    BEYOND = "the index, which goes on behind the area's end"
    BYTES = "the index in bytes"
    ADDRESS = "the address of the slot"
    PASS = "the pass: from the start, then from 0"


TWINS = (IndexForm.INDEX, IndexForm.SLOT, IndexForm.BYTES, IndexForm.ADDRESS)
"""Forms from which the index can be told, and which the index tells."""


class CountForm(StrEnum):
    """What tells how much was counted; some need no variable of their own."""

    COUNT = "the count"
    LEFT = "what is left"
    FLAG = "not 0 after the first turn"
    FRESH = "0 after the first turn"
    NEVER = "nothing: the end is tested after each turn"
    STOP = "the variable that says that the end is reached"
    FIRST_PASS = "the index, from the start to the area's end"
    SECOND_PASS = "the index, from 0 to the start"
    BY_PASS = "the index, in the pass that another variable tells"
    PASS = "the pass, at its beginning"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What relations speak of: slots of the area, its first slot in the pool, the
    index that the search starts at, and the count that it ends at (unsigned int);
    the DMA address of the area's first slot (u64), the slots' size as a shift, and
    what variables are where the loop is first come to."""

    area_nslabs: Word
    base: Word
    start: Word
    most: Word
    address: Word
    shift: int
    began: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """The search has ended where variable ``name`` is 0, or, if ``if_set``, is not."""

    name: str
    if_set: bool

    def ended(self, values: Values) -> Truth:
        own = values[self.name].nonzero()
        return own if self.if_set else ~own


@dataclass(frozen=True, slots=True)
class Told:
    """Variables of a head that are told by others: ``constants``, and ``twins``, which
    the index tells."""

    constants: tuple[tuple[str, int], ...] = ()
    twins: tuple[tuple[str, IndexForm], ...] = ()

    @property
    def names(self) -> set[str]:
        return {name for name, _ in (*self.constants, *self.twins)}


@dataclass(frozen=True, slots=True)
class Relation:
    """The index is given by variable ``name``, the count by ``count_name``.

    ``going``: the search has not ended where the code is at the head, since it tests
    its end at the end of each turn.  ``stop``, where there is one, says whether it has.
    """

    form: IndexForm
    name: str
    count: CountForm
    count_name: str | None = None
    going: bool = False
    stop: Stop | None = None
    told: Told = Told()

    def sane(self, values: Values, bounds: Bounds) -> Truth:
        """What a variable can hold beyond the state that it gives: it is no wider, and
        what is left is no more than all, where it cannot be below 0."""
        same = _fits(values[self.name]) if self.form not in WIDE else TRUE
        if self.form in WIDE:
            place = values[self.name].cast(U64)
            same = twin(self.form, self._index(values, bounds), bounds).eq(place)
        own = values.get(self.count_name or self.name)
        if self.count not in (CountForm.COUNT, CountForm.LEFT) or own is None:
            return same
        same = same & _fits(own)
        if self.count is CountForm.COUNT or own.ctype.signed:
            return same
        return same & (own <= self._began(bounds, bounds.area_nslabs).cast(U64))

    def alike(self, values: Values, bounds: Bounds) -> Truth:
        """Whether the variables that are told by others are what they tell."""
        if not self.told.names <= values.keys():
            return FALSE
        same = TRUE
        for name, value in self.tells(values, bounds).items():
            same = same & values[name].eq(value)
        return same

    def tells(self, values: Values, bounds: Bounds) -> dict[str, Word]:
        """What the variables that are told by others are; ``values`` has them all."""
        found = {n: Word(v, values[n].ctype) for n, v in self.told.constants}
        for name, form in self.told.twins:
            index = self._index(values, bounds)
            found[name] = twin(form, index, bounds).cast(values[name].ctype)
        return found

    def state(self, values: Values, bounds: Bounds) -> LoopState | None:
        """The state of the search, or None where a variable has no value."""
        needed = {self.name, self.count_name or self.name}
        if self.stop is not None:
            needed.add(self.stop.name)
        if not needed <= values.keys():
            return None
        return LoopState(self._index(values, bounds), self._count(values, bounds))

    def _index(self, values: Values, bounds: Bounds) -> Word:
        slots, raw = bounds.area_nslabs, values[self.name].cast(UNSIGNED_INT)
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
            case IndexForm.BEYOND:
                return ite(raw >= slots, raw - slots, raw)
            case IndexForm.BYTES:
                return (values[self.name].cast(U64) >> bounds.shift).cast(UNSIGNED_INT)
            case IndexForm.ADDRESS:
                ahead = values[self.name].cast(U64) - bounds.address
                return (ahead >> bounds.shift).cast(UNSIGNED_INT)
            case IndexForm.PASS:
                return ite(raw.eq(0), bounds.start, ZERO)

    def _began(self, bounds: Bounds, otherwise: Word) -> Word:
        return bounds.began.get(self.count_name or self.name, otherwise).cast(
            UNSIGNED_INT
        )

    def _count(self, values: Values, bounds: Bounds) -> Word:
        slots, start = bounds.area_nslabs, bounds.start
        raw = values[self.name].cast(UNSIGNED_INT)
        own = values[self.count_name or self.name]
        match self.count:
            case CountForm.COUNT:
                return own.cast(UNSIGNED_INT) - self._began(bounds, ZERO)
            case CountForm.LEFT:
                return self._began(bounds, slots) - own.cast(UNSIGNED_INT)
            case CountForm.FLAG:
                return ite(own.nonzero(), ONE, ZERO)
            case CountForm.FRESH:
                return ite(own.nonzero(), ZERO, ONE)
            case CountForm.STOP:
                assert self.stop is not None
                return ite(self.stop.ended(values), ONE, ZERO)
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


WIDE = (IndexForm.BYTES, IndexForm.ADDRESS)


def _fits(value: Word) -> Truth:
    """Whether the variable holds no more than 32 bits, so that these say all of it."""
    narrow = INT if value.ctype.signed else UNSIGNED_INT
    return value.eq(value.cast(narrow).cast(value.ctype))


def twin(form: IndexForm, index: Word, bounds: Bounds) -> Word:
    """What a variable of ``form`` holds at ``index``: u64, or unsigned int."""
    match form:
        case IndexForm.SLOT:
            return bounds.base + index
        case IndexForm.BYTES:
            return index.cast(U64) << bounds.shift
        case IndexForm.ADDRESS:
            return bounds.address + (index.cast(U64) << bounds.shift)
    return index


def index_relations(head: Head) -> Iterator[tuple[IndexForm, str]]:
    """Every way in which a variable of ``head`` may give the index."""
    for form in IndexForm:
        if form is not IndexForm.PASS:
            for name in head.values:
                yield form, name


@dataclass(frozen=True, slots=True)
class Telling:
    """What may tell the count at a head: ``others``, its variables; ``flags`` of them,
    which are 0 or 1; ``passes``, those of the loops around it."""

    others: list[str]
    flags: list[str]
    passes: list[str]


def count_relations(
    head: Head, form: IndexForm, name: str, counted: bool, telling: Telling
) -> Iterator[Relation]:
    """Every way in which the count of a search that is ``counted`` may be told."""
    if form is IndexForm.PASS:
        yield Relation(form, name, CountForm.PASS)
        return
    if not counted:
        yield from _uncounted(form, name, telling)
        return
    after = isinstance(head.node, c.Loop) and head.node.kind == "do"
    tells = list(_counts(form, name, telling))
    if not after:
        yield from tells
    yield from (replace(relation, going=True) for relation in tells)
    for relation in tells:
        for stop in _stops(telling):
            if stop.name not in (name, relation.count_name):
                yield replace(relation, stop=stop)


def _stops(telling: Telling) -> list[Stop]:
    return [Stop(name, if_set) for name in telling.flags for if_set in (False, True)]


def _uncounted(form: IndexForm, name: str, telling: Telling) -> Iterator[Relation]:
    yield Relation(form, name, CountForm.NEVER)
    for other in telling.flags:
        yield Relation(form, name, CountForm.FLAG, other)
        yield Relation(form, name, CountForm.FRESH, other)
    for stop in _stops(telling):
        yield Relation(form, name, CountForm.STOP, stop=stop)


def _counts(form: IndexForm, name: str, telling: Telling) -> Iterator[Relation]:
    own = form in (IndexForm.FROM_START, IndexForm.BEYOND)
    for other in [name, *telling.others] if own else telling.others:
        yield Relation(form, name, CountForm.COUNT, other)
        yield Relation(form, name, CountForm.LEFT, other)
    yield Relation(form, name, CountForm.FIRST_PASS)
    yield Relation(form, name, CountForm.SECOND_PASS)
    for other in (*telling.flags, *telling.passes):
        yield Relation(form, name, CountForm.BY_PASS, other)
