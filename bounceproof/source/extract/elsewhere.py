# SPDX-License-Identifier: GPL-2.0-only
"""The proof that a mapping's slots are treated alike in every area of a pool.

What becomes of a mapping is read in the first area.  Here it is evaluated again, in any
area of any size, at the same slot of the pool: no step of it may tell the two apart.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from bounceproof.models.constants import MAX_AREA_SLOTS, NO_SEG_BOUNDARY
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.lifetime import Placed
from bounceproof.models.request import Cell, Mapping, Pool, Request
from bounceproof.models.word import (
    FALSE,
    S64,
    TRUE,
    U32,
    U64,
    CType,
    Truth,
    Word,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.core import Event
from bounceproof.source.eval.memory import Address, State, Value
from bounceproof.source.extract.cut import Fresh
from bounceproof.source.extract.live_machine import LiveMachine
from bounceproof.source.extract.prover import Obligation, Prover, Refusal
from bounceproof.source.extract.record import Record, Write
from bounceproof.source.extract.search import Shape
from bounceproof.source.program.program import Program

if TYPE_CHECKING:
    from bounceproof.source.extract.life import SourceLife

_SEEN = frozenset(("copy", "fill", "iommu_map"))
_AREA_BITS = 11


class Place(NamedTuple):
    """An area, the slots that each has, and an index ``inside`` it (unsigned int)."""

    area: Word
    area_nslabs: Word
    inside: Word

    @property
    def slot(self) -> Word:
        """The slot in the pool."""
        return self.area * self.area_nslabs + self.inside


def any_place(fresh: Fresh) -> Place:
    """The place that proofs here are about."""
    slots = CType(MAX_AREA_SLOTS.bit_length(), False)
    return Place(
        fresh("any area", CType(_AREA_BITS, False)).cast(U32),
        fresh("area_nslabs", slots).cast(U32),
        fresh("index in the area", slots).cast(U32),
    )


class ElsewhereMachine(LiveMachine):
    """A :class:`LiveMachine` whose mapping lies in any area, of any number of slots."""

    def __init__(
        self, program: Program, cell: Cell, shape: Shape, fresh: Fresh
    ) -> None:
        super().__init__(program, cell, shape, fresh)
        self.nareas = fresh("nareas", CType(_AREA_BITS + 1, False)).cast(U32)
        self.where = any_place(fresh)

    @property
    def known(self) -> Truth:
        """The place lies in the area, and the area in the pool."""
        area, slots, inside = self.where
        return (inside < slots) & (area < self.nareas)

    def begin(self, pool: Pool, slot: Word, room: Word | None = None) -> State:
        state = super().begin(pool, slot, room)
        self._set(state, "area_nslabs", self.where.area_nslabs)
        return state

    def _set(self, state: State, name: str, value: Value) -> None:
        self.poke(state, self.pool, self.pool_tag, name, value)

    @property
    def index(self) -> Word:
        return self.where.inside

    def _found(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        names = [name for _, name, _ in self.shape.function.parameters]
        told = [
            self.where.area.cast(word.ctype)
            if name == "area_index" and isinstance(word, Word)
            else word
            for name, word in zip_longest(names, arguments)
        ]
        if "area_index" not in names or len(told) != len(arguments):
            raise self.fail(node, "a search that is told its area")
        before = self.peek(state, self.pool, self.pool_tag, "nareas")
        self._set(state, "nareas", self.nareas)
        value = super()._found(state, told, node)
        self._set(state, "nareas", before)
        return value


def any_placed(
    prover: Prover,
    near: SourceLife,
    cell: Cell,
    geometry: SlotGeometry,
    request: Request,
    mapping: Mapping,
) -> tuple[Placed, Truth]:
    """A mapping at any slot of any pool, and what is known of it."""
    shift, slot = cell.page_size.bit_length() - 1, any_place(prover.fresh).slot
    start = prover.fresh("pool_start", CType(32 - shift, False)).cast(U64) << shift
    most, none = Word(MAX_AREA_SLOTS, U32), Word(0, U32)
    boundary = Word(NO_SEG_BOUNDARY, U64)
    pool = Pool(start, most, none, boundary, geometry=geometry)
    known = mapping.bounced & ~mapping.refused & start.ne(0)
    known = known & (mapping.total <= geometry.set_bytes) & mapping.nslots.ne(0)
    known = known & (slot <= most - geometry.segsize)
    return Placed(near, cell, request, mapping, pool, slot), known


def prove_elsewhere(
    prover: Prover, near: SourceLife, far: SourceLife, placed: Placed, known: Truth
) -> Refusal | None:
    """None where making a mapping is the same in another area as in the first.

    Syncs and the end are left out: they read what the mapping left in its slots, and
    what the end makes of list[], used and index is proved in
    :mod:`~bounceproof.source.extract.freelist_code`.  Raises NotUnderstood.
    """
    machine = far.machine
    assert isinstance(machine, ElsewhereMachine)
    element = prover.fresh("any slot", S64)
    ours, theirs = (life.steps(placed) for life in (near, far))
    due = []
    for one, other in zip(ours, theirs, strict=True):
        broken = _records(one.record, other.record, machine.areas[0], element)
        broken = broken | _events(one.events, other.events)
        broken = broken | _differ(one.result, other.result)
        broken = broken | _unlike(_stops(one.events), _stops(other.events))
        due.append(Obligation(f"{one.what}, in every area", broken))
    size, orig = placed.request.size, placed.request.orig_addr
    fields = {"size": size, "orig_addr": orig, "slot": placed.slot}
    fields |= machine.where._asdict()
    known = known & machine.known
    answers = (prover.impossible([one], known, fields) for one in due)
    return next((refusal for refusal in answers if refusal is not None), None)


def _records(one: Record, other: Record, areas: object, element: Word) -> Truth:
    """Where the writes to slots are not the same, one by one."""
    broken = FALSE
    for key in sorted({*one.writes, *other.writes}):
        if key[0] == areas:
            continue
        if len(one.of(key)) != len(other.of(key)):
            return TRUE
        for first, second in zip(one.of(key), other.of(key), strict=True):
            broken = broken | _writes(first, second, element)
    return broken


def _writes(one: Write, other: Write, element: Word) -> Truth:
    if (one.value is None) != (other.value is None):
        return TRUE
    broken = _unlike(one.condition, other.condition)
    differs = one.first.ne(other.first) | one.last.ne(other.last)
    if one.value is not None and other.value is not None:
        written = one.covers(element) & _differ(
            one.value(element), other.value(element)
        )
        differs = differs | written
    return broken | (one.condition & differs)


def _events(one: tuple[Event, ...], other: tuple[Event, ...]) -> Truth:
    """Where what is copied, filled and mapped is not the same, one by one."""
    ours, theirs = ([e for e in events if e.kind in _SEEN] for events in (one, other))
    if [e.kind for e in ours] != [e.kind for e in theirs]:
        return TRUE
    broken = FALSE
    for first, second in zip(ours, theirs, strict=True):
        broken = broken | _unlike(first.condition, second.condition)
        given = first.data.get("arguments", ()), second.data.get("arguments", ())
        for a, b in zip_longest(*given):
            broken = broken | (first.condition & _differ(a, b))
    return broken


def _stops(events: tuple[Event, ...]) -> Truth:
    """Where the kernel meets BUG()."""
    stops = FALSE
    for event in events:
        if event.kind == "bug":
            stops = stops | event.condition
    return stops


def _unlike(one: Truth, other: Truth) -> Truth:
    return (one & ~other) | (other & ~one)


def _differ(one: Value | None, other: Value | None) -> Truth:
    """Where two values are not the same number."""
    if isinstance(one, Address) and isinstance(other, Address):
        there = _unlike(one.there, other.there)
        return there | (one.there & one.word.ne(other.word))
    if isinstance(one, Word) and isinstance(other, Word):
        same = one.ctype == other.ctype
        return one.ne(other) if same else TRUE
    return Truth(one != other)
