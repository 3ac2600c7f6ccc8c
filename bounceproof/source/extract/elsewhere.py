# SPDX-License-Identifier: GPL-2.0-only
"""The proof that a mapping's slots are treated alike in every area of a pool.

What becomes of a mapping is read in a pool of one area.  Here it is evaluated again, in
any area of any size, at the same slot of the pool: no step may tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from bounceproof.models.constants import MAX_AREA_SLOTS, MAX_AREAS, NO_SEG_BOUNDARY
from bounceproof.models.formulas.lifetime import (
    BIDIRECTIONAL,
    FROM_DEVICE,
    TO_DEVICE,
    Placed,
)
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Mapping, Pool, Request
from bounceproof.models.words.word import (
    FALSE,
    INT,
    S64,
    TRUE,
    U32,
    U64,
    CType,
    Truth,
    Word,
    common_type,
    ite,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in
from bounceproof.source.eval.core import Event
from bounceproof.source.eval.memory import Address, State, Value
from bounceproof.source.eval.paths import Outcome
from bounceproof.source.extract.cut import Fresh, forget, only_locals
from bounceproof.source.extract.freelist_code import releasing_function
from bounceproof.source.extract.live_machine import LiveMachine
from bounceproof.source.extract.marks import only_computes
from bounceproof.source.extract.prover import Obligation, Prover, Refusal
from bounceproof.source.extract.record import Key, Record, Write, taken_over
from bounceproof.source.extract.search import Shape
from bounceproof.source.program.program import Program

if TYPE_CHECKING:
    from bounceproof.source.extract.life import SourceLife
    from bounceproof.source.extract.stages import Stage, Sync

_SEEN = frozenset(("copy", "fill", "iommu_map"))
_AREA_BITS, _SLOT_BITS = MAX_AREAS.bit_length() - 1, 31
_LIKE = {
    (TO_DEVICE, "cpu"): (FROM_DEVICE, "cpu"),
    (FROM_DEVICE, "device"): (TO_DEVICE, "device"),
    (BIDIRECTIONAL, "device"): (TO_DEVICE, "device"),
}
"""Syncs, and those of which properties are asked."""
_ONE = Word(1, U32)
_TRIES = 4
"""Conditions behind a search of which it is asked whether they are about its slot."""


class Place(NamedTuple):
    """An area, the slots that each has, its first slot, and an index ``inside`` it
    (unsigned int)."""

    area: Word
    area_nslabs: Word
    base: Word
    inside: Word

    @property
    def slot(self) -> Word:
        """The slot in the pool."""
        return self.base + self.inside

    def product(self, one: Word, other: Word) -> Word | None:
        """The area's first slot where ``one * other`` is that."""
        for area, slots in ((one, other), (other, one)):
            if area.raw is self.area.raw and slots.raw is self.area_nslabs.raw:
                return self.base.cast(common_type(one.ctype, other.ctype))
        return None

    def quotient(self, slot: Word, divisor: Word, other: Word) -> Word | None:
        """The area's number where ``slot / divisor`` is that, else ``other``; None
        where the divisor is not the slots of an area.

        The area has the slots from ``area * area_nslabs`` on, so this is no claim.
        """
        if divisor.raw is not self.area_nslabs.raw:
            return None
        kind = common_type(slot.ctype, divisor.ctype)
        wide, first = slot.cast(kind).cast(U64), self.base.cast(U64)
        here = (wide >= first) & (wide < first + self.area_nslabs.cast(U64))
        return ite(here, self.area.cast(kind), other.cast(kind))


def any_place(fresh: Fresh) -> Place:
    """The place that proofs here are about."""
    slots = CType(MAX_AREA_SLOTS.bit_length(), False)
    return Place(
        fresh("any area", CType(_AREA_BITS, False)).cast(U32),
        fresh("area_nslabs", slots).cast(U32),
        fresh("area's first slot", CType(_SLOT_BITS, False)).cast(U32),
        fresh("index in the area", slots).cast(U32),
    )


class PlacedMachine(LiveMachine):
    """A :class:`LiveMachine` of which a mapping at :func:`any_place` is asked.

    It does not ask again whether a slot was found.  ``unstopped`` is a function that is
    taken never to stop the kernel, which is to be proved elsewhere, and ``released``
    which writes it made last; ``due`` what must be impossible for what was made of the
    search to be right.
    """

    def __init__(
        self, program: Program, cell: Cell, shape: Shape, fresh: Fresh
    ) -> None:
        self.where = any_place(fresh)
        self.nareas = fresh("nareas", CType(_AREA_BITS + 1, False)).cast(U32)
        self.unstopped, self._unstopped = "", 0
        self.released: dict[Key, range] = {}
        self._tries = 0
        self.left: list[Record] = []
        self.due: list[Truth] = []
        super().__init__(program, cell, shape, fresh)

    def begin(self, pool: Pool, slot: Word, room: Word | None = None) -> State:
        self.left.clear()
        self.released = {}
        self._tries = 0
        return super().begin(pool, slot, room)

    @property
    def known(self) -> Truth:
        """The place lies in the area, and the area in the pool."""
        area, slots, base, inside = self.where
        known = (inside < slots) & (area < self.nareas)
        return known & (base + slots <= Word(1 << _SLOT_BITS, U32))

    def _found(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        """The slot, by its name; what the search left is in ``left``."""
        before = state.condition
        value = super()._found(state, arguments, node)
        slot = self.as_word(value, node).cast(U32)
        self.due.append(_unlike(before, state.condition))
        self.due.append(before & slot.ne(self.where.slot))
        state.condition, self._tries = before, _TRIES
        self.name_left()
        return self.where.slot.cast(INT)

    def name_left(self) -> None:
        """Keep what the search left in slots."""
        self.left.append(self.record.copy())

    def invoke(
        self,
        function: c.Function,
        arguments: list[Value],
        state: State,
        node: c.Node,
        body: Callable[[State], list[Outcome]] | None = None,
    ) -> Value:
        """Run ``function``, as ever."""
        if function.name != self.unstopped:
            return super().invoke(function, arguments, state, node, body)
        before = {key: len(writes) for key, writes in self.record.writes.items()}
        self._unstopped += 1
        try:
            return super().invoke(function, arguments, state, node, body)
        finally:
            self._unstopped -= 1
            self.released = {
                key: range(before.get(key, 0), len(writes))
                for key, writes in self.record.writes.items()
            }

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Loops over slots, as ever; what others compute of the areas is anything."""
        if only_locals(node) and only_computes(self, node):
            forget(node, state, self._fresh)
            return [Outcome(state, "next")]
        return super().pass_loop(node, state)

    def bug(self, condition: Truth, state: State, node: c.Node) -> None:
        """The kernel stops, but in what is taken never to."""
        if not self._unstopped or isinstance(condition.raw, bool):
            super().bug(condition, state, node)

    def truth(self, expr: c.Expr, state: State) -> Truth:
        """Whether ``expr`` holds; whether a slot was found is known, as one was."""
        found = super().truth(expr, state)
        if not self._tries or isinstance(found.raw, bool):
            return found
        self._tries -= 1
        if (found & self.known).never():
            return FALSE
        return TRUE if (~found & self.known).never() else found


class ElsewhereMachine(PlacedMachine):
    """One whose mapping lies in any area, of any number of slots.

    Where the search leaves what it leaves for ``near``, that is gone on with.
    """

    def __init__(
        self, program: Program, cell: Cell, shape: Shape, fresh: Fresh
    ) -> None:
        self._other_areas, self._any = count(), fresh
        self._search = shape.function.name
        self.near: PlacedMachine | None = None
        super().__init__(program, cell, shape, fresh)

    def begin(self, pool: Pool, slot: Word, room: Word | None = None) -> State:
        state = super().begin(pool, slot, room)
        self._set(state, "area_nslabs", self.where.area_nslabs)
        self._set(state, "nareas", self.nareas)
        return state

    def _set(self, state: State, name: str, value: Value) -> None:
        self.poke(state, self.pool, self.pool_tag, name, value)

    @property
    def index(self) -> Word:
        return self.where.inside

    def arithmetic(self, op: str, left: Value, right: Value, node: c.Node) -> Value:
        """``left op right``; what makes a slot of an area, or an area of a slot, is
        called by its name."""
        known: Word | None = None
        if isinstance(left, Word) and isinstance(right, Word):
            if op == "*":
                known = self.where.product(left, right)
            elif op == "/":
                other = self._any(f"other area#{next(self._other_areas)}", U64)
                known = self.where.quotient(left, right, other)
        return super().arithmetic(op, left, right, node) if known is None else known

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
        self._set(state, "nareas", self.nareas)
        value = super()._found(state, told, node)
        self._set(state, "nareas", _ONE)
        return value

    def name_left(self) -> None:
        super().name_left()
        if self.near is None or len(self.left) > len(self.near.left):
            return
        theirs, areas = self.near.left[len(self.left) - 1], self.areas[0]
        element = self._any("any slot", S64)
        self.due.extend(unlike_records(theirs, self.record, areas, element))
        self.record = taken_over(self.record, theirs, areas)

    def invoke(
        self,
        function: c.Function,
        arguments: list[Value],
        state: State,
        node: c.Node,
        body: Callable[[State], list[Outcome]] | None = None,
    ) -> Value:
        """Run ``function``; what looks for an area finds it first."""
        looks = self._search in calls_in(function.body)
        if looks:
            self._set(state, "nareas", _ONE)
        value = super().invoke(function, arguments, state, node, body)
        if looks:
            self._set(state, "nareas", self.nareas)
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
    nslabs = prover.fresh("nslabs", CType(_SLOT_BITS, False)).cast(U32)
    none, boundary = Word(0, U32), Word(NO_SEG_BOUNDARY, U64)
    pool = Pool(start, nslabs, none, boundary, geometry=geometry)
    known = mapping.bounced & ~mapping.refused & start.ne(0)
    known = known & (mapping.total <= geometry.set_bytes) & mapping.nslots.ne(0)
    end = slot.cast(U64) + mapping.nslots.cast(U64)
    return Placed(near, cell, request, mapping, pool, slot), known & (end <= nslabs)


def prove_elsewhere(
    prover: Prover,
    near: SourceLife,
    far: SourceLife | None,
    placed: Placed,
    known: Truth,
) -> Refusal | None:
    """None where a mapping, its syncs and its end keep to its slots, and are the same
    in any area as at the same slot of a pool of one.

    ``far`` is None where pools have no areas.  Syncs and the end are evaluated in what
    the mapping left there, which is proved to be the same.  What the end makes of
    list[], used and index, and that the release does not stop the kernel,
    :mod:`~bounceproof.solver.trees.freelist_proof` proves.  Raises NotUnderstood.
    """
    machine = near.machine
    assert isinstance(machine, PlacedMachine)
    machine.unstopped = releasing_function(machine.program).name
    offset, length = (prover.fresh(name, U64) for name in ("sync_offset", "sync_size"))
    size, orig = placed.request.size, placed.request.orig_addr
    fields = {"size": size, "orig_addr": orig, "slot": placed.slot}
    fields |= machine.where._asdict()
    known = known & machine.known & (length > 0) & (length <= size)
    known = known & (offset <= size - length)
    for due in _obligations(prover, near, far, placed, (offset, length)):
        refusal = prover.impossible([due], known, fields)
        if refusal is not None:
            return refusal
    return None


def _obligations(
    prover: Prover,
    near: SourceLife,
    far: SourceLife | None,
    placed: Placed,
    part: tuple[Word, Word],
) -> Iterator[Obligation]:
    """What must be impossible, step by step; ``part`` is what is synced."""
    ours, element = near.machine, prover.fresh("any slot", S64)
    assert isinstance(ours, PlacedMachine)
    others = _there(near, far, placed, part)
    synced: dict[Sync, Stage] = {}
    for one in near.steps(placed, *part):
        own = (*ours.due, *_strays(one, placed, ours, element))
        ours.due.clear()
        for broken in own:
            yield Obligation(f"{one.what}, of a mapping's own slots", broken)
        if one.sync is not None:
            synced[one.sync] = one
        if far is None:
            continue
        other, due = next(others)
        for broken in (*due, *_told_apart(one, other, ours.areas[0], element)):
            yield Obligation(f"{one.what}, in every area", broken)
    for broken in _unasked(synced):
        yield Obligation("a sync, of another direction", broken)


def _there(
    near: SourceLife,
    far: SourceLife | None,
    placed: Placed,
    part: tuple[Word, Word],
) -> Iterator[tuple[Stage, tuple[Truth, ...]]]:
    """The steps in another area, and what must be impossible for them to be right."""
    if far is None:
        return
    ours, machine = near.machine, far.machine
    assert isinstance(machine, ElsewhereMachine) and isinstance(ours, PlacedMachine)
    machine.near, machine.unstopped = ours, ours.unstopped
    for stage in far.steps(placed, *part, near):
        due = tuple(machine.due)
        machine.due.clear()
        yield stage, due


def _strays(
    stage: Stage, placed: Placed, machine: PlacedMachine, element: Word
) -> Iterator[Truth]:
    """Where a slot of another mapping is written to, or by a sync one at all.

    list[], and what the release writes, have a proof of their own.
    """
    slot = placed.slot.cast(S64)
    outside = (element < slot) | (element >= slot + placed.mapping.nslots.cast(S64))
    for key, writes in stage.record.writes.items():
        if key == machine.list_key or key[0] == machine.areas[0]:
            continue
        old, made = stage.before.get(key, 0), machine.released.get(key, ())
        for number, write in enumerate(writes):
            if number >= old and (stage.sync is not None or number not in made):
                there = outside if stage.sync is None else TRUE
                yield write.covers(element) & there


def _unasked(synced: dict[Sync, Stage]) -> Iterator[Truth]:
    """Where a sync that no property asks about is not like one that is.

    It may copy nothing where the device only reads, or only writes.
    """
    for sync, asked in _LIKE.items() if synced else ():
        one, other = (
            [e for e in synced[key].events if e.kind in _SEEN] for key in (sync, asked)
        )
        idle = sync[0] != BIDIRECTIONAL
        if idle and not one:
            continue
        yield Truth([e.kind for e in one] != [e.kind for e in other])
        for ours, theirs in zip(one, other, strict=False):
            differs = _unlike(ours.condition, theirs.condition)
            if idle:
                differs = ours.condition & ~theirs.condition
            yield differs | (ours.condition & _given_apart(ours, theirs))


def _given_apart(one: Event, other: Event) -> Truth:
    """Where two events are not given the same."""
    broken = FALSE
    given = one.data.get("arguments", ()), other.data.get("arguments", ())
    for a, b in zip_longest(*given):
        broken = broken | _differ(a, b)
    return broken


def _told_apart(
    one: Stage, other: Stage, areas: object, element: Word
) -> Iterator[Truth]:
    """Where two stages are not the same, one by one, which is soonest answered."""
    yield from unlike_records(one.record, other.record, areas, element)
    yield from _events(one.events, other.events)
    yield _differ(one.result, other.result)
    yield _unlike(_stops(one.events), _stops(other.events))


def unlike_records(
    one: Record, other: Record, areas: object, element: Word
) -> Iterator[Truth]:
    """Where the writes to slots are not the same."""
    for key in sorted({*one.writes, *other.writes}):
        if key[0] == areas:
            continue
        yield Truth(len(one.of(key)) != len(other.of(key)))
        for first, second in zip(one.of(key), other.of(key), strict=False):
            if first is not second:
                yield _writes(first, second, element)


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


def _events(one: tuple[Event, ...], other: tuple[Event, ...]) -> Iterator[Truth]:
    """Where what is copied, filled and mapped is not the same."""
    ours, theirs = ([e for e in events if e.kind in _SEEN] for events in (one, other))
    yield Truth([e.kind for e in ours] != [e.kind for e in theirs])
    for first, second in zip(ours, theirs, strict=False):
        broken = _unlike(first.condition, second.condition)
        yield broken | (first.condition & _given_apart(first, second))


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
