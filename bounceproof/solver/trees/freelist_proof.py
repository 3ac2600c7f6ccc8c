# SPDX-License-Identifier: GPL-2.0-only
"""A tree's own code keeps list[], used and index right, whatever is mapped when.

Two calls, taking slots and giving them back, each in any pool whose list[] is right:
what the code leaves is right again, and exactly the call's slots are taken or free.
So it is after every history of calls, which begin with an empty pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from weakref import WeakKeyDictionary

from bounceproof.models.formulas.freelist import FreeList
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.words.word import (
    FALSE,
    INT,
    S64,
    TRUE,
    U32,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
    ite,
    minimum,
)
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.lemmas.lemma import alike
from bounceproof.solver.lemmas.slots import PoolShape, slot
from bounceproof.solver.smt.terms import variable
from bounceproof.solver.trees.freelist_pool import AnyPool
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_of
from bounceproof.source.errors import SourceError
from bounceproof.source.eval.outside import SIZED_BY_PAGES
from bounceproof.source.extract.freelist_code import (
    After,
    Founding,
    Releasing,
    Taking,
    releasing_function,
)
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.machine import initialiser
from bounceproof.source.extract.search import Shape
from bounceproof.source.extract.slot_machine import SlotMachine
from bounceproof.source.program.calls import reachable
from bounceproof.source.program.program import Program
from bounceproof.source.tree.tree import Tree

Code = Callable[[AnyPool], Taking | Releasing | Founding]
SECONDS = 5.0
_CODE = FreeList(UNSIGNED_INT, clamped=True)
TAKING = "taking slots"
RELEASING = "giving slots back"
FOUNDING = "making a pool"
MODEL = "what list[] is to be"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be shown of what a call leaves."""

    name: str
    shown: Truth
    assumed: Truth = TRUE


@dataclass(frozen=True, slots=True)
class ListProof:
    """What is proved of one call of a tree's code, or of the model.

    ``proved``: the claims that are; ``left``: the fields of a slot that a release may
    not leave as the pool began, if it is proved.  ``failed``: the claim that is not,
    with the place in the code, and ``case``, a pool for which it fails, if one is
    known.
    """

    call: str
    where: str
    proved: tuple[str, ...] = ()
    left: frozenset[str] = field(default_factory=frozenset)
    failed: str | None = None
    case: dict[str, int] | None = None

    @property
    def holds(self) -> bool:
        """Whether every claim is proved."""
        return self.failed is None

    @property
    def verdict(self) -> Verdict:
        """A claim that is not proved is not refuted by that."""
        return Verdict.HOLDS if self.holds else Verdict.UNKNOWN


def _list(pool: AnyPool, machine: SlotMachine, after: After) -> Iterator[Claim]:
    """list[] of any slot is what the model says.

    That is shown of the call's slots and of the free ones before them; others are left
    alone.
    """

    def now(at: Word) -> Word:
        return after.record.value(machine.list_key, pool.narrow(at)).cast(U32)

    given, step = pool.given, pool.few("step")
    at = given.first + step
    right = now(at).eq(pool.left(pool.place + step))
    yield Claim("list[] of the call's slots", right, step < given.nslots)
    at = given.first - 1 - step
    right = now(at).eq(pool.left(pool.place - 1 - step))
    yield Claim("list[] of the free slots before them", right, step < pool.back)
    offset, alone = variable("offset", U32), TRUE
    far = pool.narrow(given.first - pool.place + offset)
    for write in after.record.of(machine.list_key):
        alone = alone & ~write.covers(far)
    before, behind = (
        offset < pool.place - pool.back,
        offset >= pool.place + given.nslots,
    )
    yield Claim("list[] of other slots", alone, before | behind)


def model_claims(pool: AnyPool) -> Iterator[Claim]:
    """What the model says list[] is to be is right again, and tells who is free."""
    zero, size, step = Word(0, U32), pool.set_size, pool.few("step")
    place, end = pool.place, pool.place + pool.given.nslots
    for offset, exists in (
        (place + step, step < pool.given.nslots),
        (place - 1 - step, step < pool.back),
        (step, step < place - pool.back),
        (end + step, end + step < size),
    ):
        now, then = pool.left(offset), pool.left(offset + 1)
        free, inside = pool.held(offset).ne(0), offset - place < pool.given.nslots
        free = free & ~inside if pool.taking else free | inside
        beyond = ite((offset + 1).eq(size), zero, then)
        right = (now.eq(0) | now.eq(beyond + 1)) & (now <= size - offset)
        yield Claim("which slots are free", alike(now.ne(0), free), exists)
        yield Claim("a right list[]", right, exists)


def _bounds(pool: AnyPool, machine: SlotMachine, after: After) -> Iterator[Claim]:
    """No slot of another area is touched; of other mappings', nothing but list[]."""
    shown = TRUE
    for touch in after.touches:
        if touch.key == machine.list_key:
            shown = shown & touch.condition.implies(pool.in_area(touch.element))
    yield Claim("slots of the area", shown)
    shown, any_slot = TRUE, pool.given.first + variable("ahead", U32)
    for key, writes in after.record.writes.items():
        if key == machine.list_key or key[0] == machine.areas[0]:
            continue
        for write in writes:
            shown = shown & write.covers(any_slot).implies(pool.inside(any_slot))
    yield Claim("fields of the mapping's slots", shown)


def _used(pool: AnyPool, machine: SlotMachine, after: After) -> Iterator[Claim]:
    """used of the area changes by the call's slots, no other's."""
    given, (element, value) = pool.given, after.used
    writes = after.record.of((machine.areas[0], "used"))
    before = given.used
    if element is not None:
        before = pool.entry("area.used", element, value.ctype)
    right = _CODE.used_after_take(before.cast(U64), given.nslots)
    if not pool.taking:
        right = _CODE.used_after_release(before.cast(U64), given.nslots.cast(INT))
    yield Claim("used", value.cast(U64).eq(right) & Truth(len(writes) <= 1))
    if pool.taking and element is not None:
        yield Claim("used of the area", element.eq(given.area.cast(S64)))
    if element is None and machine.has("io_tlb_area", "used"):
        yield Claim("used of the area", FALSE)


def _index(pool: AnyPool, machine: SlotMachine, after: After) -> Iterator[Claim]:
    """The next search starts behind the slots taken; a release leaves that alone."""
    given, (element, value) = pool.given, after.index
    if not pool.taking:
        writes = after.record.of((machine.areas[0], "index"))
        kept = (
            value.eq(given.index) if not machine.has("io_tlb_area", "index") else TRUE
        )
        yield Claim("index", kept & Truth(not writes))
        return
    place, slots = given.first - given.base, given.area_nslabs
    right = _CODE.index_after_take(place, given.nslots, slots)
    mine = TRUE if element is None else element.eq(given.area.cast(S64))
    yield Claim("index", value.cast(U32).eq(right) & mine)


def _claims(
    call: str, pool: AnyPool, machine: SlotMachine, after: After
) -> Iterator[Claim]:
    if call == FOUNDING:
        yield from _founding(pool, machine, after)
        return
    yield from _list(pool, machine, after)
    yield from _bounds(pool, machine, after)
    yield from _used(pool, machine, after)
    yield from _index(pool, machine, after)
    if not pool.taking:
        yield from _area(pool, after)
    if after.result is not None:
        yield Claim("the slot returned", after.result.eq(pool.given.first.cast(S64)))


def _left(pool: AnyPool, machine: SlotMachine, after: After) -> frozenset[str]:
    """The fields of a slot that a release may not leave as the pool began."""
    names = set()
    at = pool.given.first + pool.few("ahead")
    for key, stated in machine.initial.stated.items():
        if key == machine.list_key or key[0] == machine.areas[0]:
            continue
        now = after.record.value(key, at)
        if not pool.follows(pool.inside(at), now.eq(stated)):
            names.add(machine.field(key))
    return frozenset(names)


def _area(pool: AnyPool, after: After) -> Iterator[Claim]:
    """A release counts down used of the area that the slots are in, and never stops.

    An area's slots are those from ``area * area_nslabs`` on, so its number is the
    quotient of a slot of it: the code's own division, if it is that one, is called by
    that name.
    """
    element, given = after.used[0], pool.given
    if element is None:
        return
    bugs = FALSE
    for bug in after.bugs:
        bugs = bugs | bug
    shown = pool.divided(element.eq(given.area.cast(S64)) & ~bugs)
    yield Claim("used of the area", shown, given.area < given.nareas)


def _founding(pool: AnyPool, machine: SlotMachine, after: After) -> Iterator[Claim]:
    """An empty pool's list[] is right, and nothing of it is used."""
    at, given = slot("slot"), pool.given
    now = after.record.value(machine.list_key, at).cast(U32)
    place, slots = at & pool.geometry.set_low, Word(pool.geometry.segsize, U32)
    right = minimum(slots - place, given.nslabs - at)
    yield Claim("list[] of an empty pool", now.eq(right), at < given.nslabs)
    for name, (_, value) in (("used", after.used), ("index", after.index)):
        key, shown = (machine.areas[0], name), value.eq(0)
        if machine.has("io_tlb_area", name):
            area = slot("area")
            shown = after.record.value(key, area.cast(S64)).eq(0)
            shown = (area < given.nareas).implies(shown)
        yield Claim(f"{name} of an empty pool", shown)


def _pool_of(
    program: Program, shape: PoolShape, call: str, geometry: SlotGeometry
) -> AnyPool:
    slots = program.structs.get("io_tlb_slot", {})
    making = call == FOUNDING
    return AnyPool(
        shape,
        areas="io_tlb_area" in program.structs and not making,
        pads="pad_slots" in slots,
        taking=call == TAKING,
        seconds=SECONDS,
        making=making,
        geometry=geometry,
    )


def _proved(call: str, pool: AnyPool, code: Taking | Releasing | Founding) -> ListProof:
    """Run the code, and prove each claim of what it leaves."""
    try:
        after = code.run()
        machine = code.machine
        where = f"{after.function.file}:{after.function.line}"
        proved: list[str] = []
        for claim in _claims(call, pool, machine, after):
            if not pool.follows(claim.assumed, claim.shown):
                reason = f"{where}: {after.function.name}(), {call}: {claim.name}"
                return ListProof(
                    call, where, tuple(proved), failed=reason, case=pool.case
                )
            proved.append(claim.name)
        left: frozenset[str] = frozenset()
        if call == RELEASING:
            left = _left(pool, machine, after)
    except SourceError as error:
        return ListProof(call, "", failed=str(error), case=pool.case)
    return ListProof(call, where, tuple(proved), left)


@cache
def prove_model(
    shape: PoolShape = PoolShape.WHOLE, geometry: SlotGeometry = MAINLINE
) -> ListProof:
    """What the model says list[] is to be after a call is right, for every call."""
    proved: dict[str, None] = {}
    for taking in (True, False):
        pool = AnyPool(
            shape,
            areas=False,
            pads=False,
            taking=taking,
            seconds=60.0,
            geometry=geometry,
        )
        if taking:
            pool.found(pool.listed(pool.given.first) >= pool.given.nslots)
        for claim in model_claims(pool):
            if not pool.follows(claim.assumed, claim.shown):
                failed = f"{MODEL}: {claim.name}"
                return ListProof(MODEL, "", tuple(proved), failed=failed)
            proved[claim.name] = None
    return ListProof(MODEL, "", tuple(proved))


_KNOWN: WeakKeyDictionary[Tree, dict[tuple[str, ...], ListProof]] = WeakKeyDictionary()


def prove_lists(
    program: Program, search: Shape, shape: PoolShape = PoolShape.WHOLE
) -> tuple[ListProof, ...]:
    """The proofs of taking, of giving back and of the beginning, in that order.

    For slot sets other than those of every release the model is proved too.  Raises
    NotUnderstood for a tree that has no such function.
    """
    codes: tuple[tuple[str, c.Function, Code], ...] = (
        (TAKING, search.function, partial(Taking, program, search)),
        (RELEASING, releasing_function(program), partial(Releasing, program)),
        (FOUNDING, initialiser(program), partial(Founding, program)),
    )
    known = _KNOWN.setdefault(program.tree, {})
    geometry = slot_geometry(program)
    proofs = []
    for call, function, code in codes:
        key = (call, shape.value, str(geometry), *_told(program, function))
        if key not in known:
            pool = _pool_of(program, shape, call, geometry)
            known[key] = _proved(call, pool, code(pool))
        proofs.append(known[key])
    if geometry.segsize != MAINLINE.segsize:
        proofs.append(prove_model(shape, SlotGeometry(segsize=geometry.segsize)))
    return tuple(proofs)


def _told(program: Program, function: c.Function) -> tuple[str, ...]:
    """All that a run of the function can depend on, of one configuration or another."""
    code = list(reachable(program, function.name, function.file))
    given = program.enumerators, program.globals, program.structs
    called = {name for part in code for name in calls_of(part)}
    pages = program.page_size if called & SIZED_BY_PAGES else 0
    return str(pages), repr(code), *(repr(part) for part in given)
