# SPDX-License-Identifier: GPL-2.0-only
"""Any pool whose list[] is right, for code whose calls are to keep it right.

list[] holds for each free slot the free slots from it to the end of its slot set, and 0
for each taken one.  What that says of the elements that code reads is said pair by
pair, so that pools and histories of every size are spoken of at once.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, count

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.words.word import (
    S64,
    TRUE,
    U32,
    U64,
    UNSIGNED_INT,
    CType,
    Truth,
    Word,
    ite,
    minimum,
)
from bounceproof.solver.lemmas.lemma import Entries
from bounceproof.solver.lemmas.slots import (
    POOL_SLOTS,
    PoolShape,
    SlotPool,
    few,
    slot,
)
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.reshape import (
    is_true,
    number_at,
    quotients,
    simplified,
    substituted,
    variables,
)
from bounceproof.solver.smt.terms import formula, variable
from bounceproof.source.extract.slot_machine import Change, Given

AREA_BITS = 24
_WIDE = ("nslabs", "area_nslabs", "area_base", "index")
_ZERO = Word(0, UNSIGNED_INT)
_START, _OFFSET = 1 << 32, 0x200


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers by which the code's own variables are told: a call, and what it is given.

    ``of``: by the name of a variable.
    """

    first: int
    nslots: int
    base: int
    of: dict[str, int]


def _samples(pads: bool, geometry: SlotGeometry) -> tuple[Sample, ...]:
    """Two calls, unlike in all their numbers."""
    made = []
    for first, nslots, area, sets, offset, mask in (
        (647, 9, 3, 8, _OFFSET, 0xFFF),
        (1290, 23, 1, 5, 0, 0),
    ):
        pad = 3 if pads else 0
        size = (nslots << geometry.shift) - offset
        address = _START + ((first + pad) << geometry.shift) + offset
        of = {
            "start": _START,
            "tlb_addr": address,
            "min_align_mask": mask,
            "alloc_size": size,
            "pad_slots": pad,
            "area": area,
            "area_nslabs": sets,
            "nslabs": sets * 8,
            "first": first,
            "nslots": nslots,
            "back": 2 + area,
            "area_base": area * sets,
        }
        base = area * sets * geometry.segsize
        made.append(Sample(first, nslots, base, of))
    return tuple(made)


def _number(word: Word, sample: Sample) -> int:
    """The value of ``word`` in a sample; what that does not name is 0."""
    return (
        int(word.raw) if isinstance(word.raw, int) else number_at(word.raw, sample.of)
    )


class AnyPool:
    """A pool with one call on it, or one that is made; the judge of a tree's code.

    ``back``: how many slots right before the first are free, in its slot set.
    ``taking``: the call takes slots, else a mapping's are given back.  ``geometry``:
    the tree's own slots and slot sets.
    """

    def __init__(
        self,
        shape: PoolShape,
        *,
        areas: bool,
        pads: bool,
        taking: bool,
        seconds: float,
        making: bool = False,
        geometry: SlotGeometry = MAINLINE,
    ) -> None:
        self.geometry = geometry
        self.pool = _pool(shape, areas, geometry)
        self._making = making
        self.shape, self.taking, self._seconds = shape, taking, seconds
        self._chosen = False
        self.back = self.few("back")
        self.place = self.few("place")
        self._areas = areas
        self._samples = _samples(pads, geometry)
        self._entries: dict[str, Entries] = {}
        self._numbers = count()
        self.case: dict[str, int] | None = None
        self.reason: str | None = None
        area = variable("area", CType(AREA_BITS, False)).cast(UNSIGNED_INT)
        self.given = Given(
            start=variable("start", U64),
            nslabs=self.pool.nslabs,
            nareas=variable("nareas", U32),
            area_nslabs=self.pool.area_nslabs,
            area=area if areas else _ZERO,
            base=self.pool.base,
            first=slot("first"),
            nslots=self.few("nslots"),
            used=slot("used").cast(U64),
            index=slot("index"),
        )
        for place in (self.given.first, self._before_run(), self.end):
            self.listed(place)

    @property
    def end(self) -> Word:
        """The slot after the last of the call's."""
        return self.given.first + self.given.nslots

    def few(self, name: str) -> Word:
        """Any number of slots that a slot set may have, and some more."""
        return few(name, self.geometry.set_bits)

    def _before_run(self) -> Word:
        return self.given.first - 1 - self.back

    def listed(self, place: Word) -> Word:
        """list[] before the call, at a slot (unsigned int)."""
        return self.entry("list", self.narrow(place), U32)

    def held(self, offset: Word) -> Word:
        """list[] before the call, by the place in the call's slot set."""
        return self.listed(self.given.first - self.place + offset)

    def left(self, offset: Word) -> Word:
        """What the model says list[] is to be after the call, by that place.

        Source: :class:`~.formulas.freelist.FreeList`, whose loops leave this.
        """
        given, place, held = self.given, self.place, self.held(offset)
        end = place + given.nslots
        before = place - 1 - offset < self.back
        inside = offset - place < given.nslots
        if self.taking:
            return ite(inside, _ZERO, ite(before, place - offset, held))
        behind = ite(
            end < self.set_size, self.listed(given.first + given.nslots), _ZERO
        )
        return ite(before | inside, end - offset + behind, held)

    def inside(self, place: Word) -> Truth:
        """Whether the slot (unsigned int) is one of the call's."""
        return place - self.given.first < self.given.nslots

    # The judge.

    def fresh(self, name: str, ctype: CType) -> Word:
        """Any value of a type."""
        return variable(f"{name}#{next(self._numbers)}", ctype)

    def entry(self, field: str, element: Word, ctype: CType) -> Word:
        """What a field of an element holds before the call."""
        if field not in self._entries:
            bits = self.geometry.set_bits + 1 if field == "list" else ctype.bits
            self._entries[field] = Entries(field, CType(bits, False), bits)
        return self._entries[field].at(element).cast(ctype)

    def counts(self) -> Iterable[Word]:
        """The call's slots, the free ones before them, both, or all but the first."""
        nslots = self.given.nslots
        if self._making:
            return self.given.nslabs, self.given.nareas
        return nslots, self.back, nslots + self.back, nslots - 1

    def turn(self) -> Word:
        """Any number of turns that a loop over a slot set may have made."""
        name = f"turn#{next(self._numbers)}"
        return slot(name) if self._making else self.few(name)

    def difference(self, a: Word, b: Word) -> int | None:
        """``a - b``, if that is the same in each sample: a guess."""
        apart = a.cast(S64) - b.cast(S64)
        if isinstance(apart.raw, int):
            return int(apart)
        found = {_number(apart, sample) for sample in self._samples}
        return int(Word(found.pop(), S64)) if len(found) == 1 else None

    def narrow(self, element: Word) -> Word:
        """The low half of an element, simplified, so that equal ones look it."""
        word = element.cast(U32)
        if isinstance(word.raw, int):
            return word
        return Word(simplified(word.raw), U32)

    def in_area(self, element: Word) -> Truth:
        """Whether the area has the slot (S64)."""
        wide = element.cast(U64)
        return (wide >= self.pool.base.cast(U64)) & (wide < self.pool.area_end)

    def abstraction(self, values: Sequence[Word]) -> Change | None:
        """Names for the values that are the call's slots, and the area's first."""
        pairs = []
        for field in ("first", "nslots", "base"):
            if field == ("first" if self.taking else "base"):
                continue
            if field == "base" and not self._areas:
                continue
            found = self._named(values, field)
            if found is None:
                return None
            pairs.append((found.raw, getattr(self.given, field).cast(found.ctype).raw))

        def change(word: Word) -> Word:
            if isinstance(word.raw, int):
                return word
            return Word(substituted(word.raw, pairs), word.ctype)

        return change

    def _named(self, values: Sequence[Word], field: str) -> Word | None:
        for word in values:
            if not isinstance(word.raw, int) and all(
                _number(word, sample) == getattr(sample, field)
                for sample in self._samples
            ):
                return word
        return None

    def follows(self, assumed: Truth, shown: Truth) -> bool:
        """Whether no pool has ``assumed`` and not ``shown``."""
        contrary = assumed & ~shown
        if contrary.raw is False:
            return True
        named = variables(simplified(formula(contrary)))
        question = contrary & self.domain(named) & self.known(named)
        answer = ask(Query("list[] of the tree", question), self._seconds)
        if answer.status is Status.UNKNOWN:
            self.reason = answer.reason
        if answer.model is not None:
            told = {"first": self.given.first, "nslots": self.given.nslots}
            told |= {"back": self.back, "nslabs": self.given.nslabs}
            self.case = {
                name: answer.model.eval(word.raw, True).as_long()
                for name, word in told.items()
            }
        return answer.status is Status.UNSAT

    def found(self, reached: Truth) -> bool:
        """Whether list[] says the slots are free; from here on it is assumed to."""
        proved = self.follows(reached, self._free())
        self._chosen = True
        return proved

    def _free(self) -> Truth:
        return self.listed(self.given.first) >= self.given.nslots

    def divided(self, truth: Truth) -> Truth:
        """``truth`` with the area's number for the quotient of the call's first slot.

        The area's first slot is the number times area_nslabs, and the area has the
        call's, so that the one is the other.
        """
        raw, changes = formula(truth), []
        for part in quotients(raw):
            sides = (self.given.first, self.given.area_nslabs)
            wide = CType(part.size(), False)
            if all(
                is_true(mine == side.cast(wide).raw)
                for mine, side in zip(part.children(), sides, strict=True)
            ):
                changes.append((part, self.given.area.cast(wide).raw))
        return Truth(substituted(raw, changes))

    # What is known.

    def domain(self, named: Container[str]) -> Truth:
        """What is known of the call, as far as what is ``named`` depends on it.

        Its slots lie in one slot set of the area.
        """
        pool, given = self.pool, self.given
        if self._making:
            return pool.legal & (given.nslabs >= 1) & (given.nareas <= given.nslabs)
        truth = (given.nslots >= 1) & (self.back <= self.place)
        truth = truth & (self.place < self.set_size)
        if self._chosen:
            truth = truth & self._free()
        if self._chosen or not self.taking:
            truth = truth & (self.place + given.nslots <= self.set_size)
        if self.shape is PoolShape.PARTIAL or any(name in named for name in _WIDE):
            truth = truth & pool.legal & pool.area_legal & pool.area_has(given.first)
        if self.shape is PoolShape.PARTIAL or "first" in named:
            truth = truth & self.place.eq(given.first & self.geometry.set_low)
            truth = truth & (given.first < POOL_SLOTS)
        if "index" in named:
            truth = truth & (given.index < pool.area_nslabs)
        return truth

    @property
    def set_size(self) -> Word:
        """How many slots the slot set of the call has (unsigned int)."""
        whole = Word(self.geometry.segsize, UNSIGNED_INT)
        if self.shape is PoolShape.WHOLE:
            return whole
        return minimum(whole, self.given.nslabs - (self.given.first - self.place))

    def offset(self, at: Word) -> Word:
        """Where in the call's slot set a slot lies; a large number elsewhere."""
        return self.narrow(at - self.given.first) + self.place

    def known(self, named: Container[str]) -> Truth:
        """What a right list[] says of the elements that are ``named``."""
        truth = TRUE
        for field, entries in self._entries.items():
            read = [
                pair
                for number, pair in enumerate(entries._read)
                if f"{field}[{number}]" in named
            ]
            if field == "list":
                anchors = [pair for pair in entries._read[:3] if pair not in read]
                truth = truth & self._right([*anchors, *read] if read else [])
                continue
            for (index, value), (other, same) in combinations(read, 2):
                truth = truth & (index.ne(other) | value.eq(same))
            if field == "area.index":
                for _, value in read:
                    truth = truth & (value < self.pool.area_nslabs)
        return truth

    def _right(self, read: list[tuple[Word, Word]]) -> Truth:
        """Of slots of the call's slot set."""
        truth = TRUE
        held = [(self.offset(at), value) for at, value in read]
        for at, value in held:
            truth = truth & (at < self.set_size).implies(self._one(at, value))
        for (a, one), (b, other) in combinations(held, 2):
            truth = truth & self._two(a, one, b, other) & self._two(b, other, a, one)
        return truth

    def _one(self, at: Word, value: Word) -> Truth:
        """What is known of one element, by its place in the slot set."""
        before = self.place - 1 - at
        right = value <= self.set_size - at
        right = right & (before < self.back).implies(value > before)
        right = right & before.eq(self.back).implies(value.eq(0))
        if not self.taking:
            own = at - self.place < self.given.nslots
            right = right & own.implies(value.eq(0))
        return right

    def _two(self, a: Word, held: Word, b: Word, then: Word) -> Truth:
        """What an element says of one at the same place or a later one of the set."""
        ahead = b - a
        near = (a <= b) & (b < self.set_size)
        goes_on = (held > ahead).implies(then.eq(held - ahead))
        return near.implies(goes_on & held.eq(ahead).implies(then.eq(0)))


def _pool(shape: PoolShape, areas: bool, geometry: SlotGeometry) -> SlotPool:
    pool = SlotPool.of(shape, geometry.set_bits)
    if areas:
        return pool
    return SlotPool(pool.nslabs, _ZERO, pool.nslabs, pool.legal)
