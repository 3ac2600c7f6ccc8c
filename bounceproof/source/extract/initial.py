# SPDX-License-Identifier: GPL-2.0-only
"""What the tree's own initialisation leaves in any slot and in any area.

The function is run with numbers of slots and of areas that are left open.  A loop that
counts over them is run for one turn, at an index that is left open too; what makes that
turn stand for all of them is part of the claims, which a solver has to prove.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Path
from bounceproof.models.words.word import S64, TRUE, U32, U64, CType, Truth, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.pure import is_pure
from bounceproof.source.cparse.walk import walk
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.core import zero_of
from bounceproof.source.eval.memory import (
    Address,
    Location,
    Pointer,
    Poison,
    State,
    Value,
    in_bits,
)
from bounceproof.source.eval.paths import Outcome, PathEnds
from bounceproof.source.extract.any_pool import stated_fields
from bounceproof.source.extract.machine import (
    POOL_START,
    Layout,
    Machine,
    initialiser,
)
from bounceproof.source.program.program import Program

MOST = 1 << 31
"""Slots and areas of a pool are fewer."""
_WIDE = CType(66, True)
_ALONE = "a loop over slots or areas that changes nothing else"
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """What the initialisation is run with: ``index`` (U64) of the slot and of the area
    asked about, the pool's ``start`` (bytes, U64), ``nslabs`` (U64), ``nareas`` (U32),
    and ``stale`` (U64), what memory holds that nothing is known of."""

    index: Word
    start: Word
    nslabs: Word
    nareas: Word
    stale: Word


@dataclass(frozen=True, slots=True)
class Claim:
    """``shown`` follows from ``given``, for every value of what is unknown."""

    what: str
    given: Truth
    shown: Truth


def initial_claims(
    program: Program,
    page_size: int,
    geometry: SlotGeometry,
    unknown: Unknown,
    read: frozenset[str],
) -> tuple[Claim, ...]:
    """That an empty pool of whole slot sets is one: every slot free up to the end of
    its slot set, area->used and area->index 0, the pool's fields those asked for, and
    what else of the names ``read`` it sets the same in every pool.

    Raises NotUnderstood for code that cannot be followed for any index.
    Source: swiotlb_init_io_tlb_pool() and its predecessors, kernel/dma/swiotlb.c.
    """
    cell = Cell(page_size, page_size, Path.DIRECT, 0)
    machine = Opening(program, cell, unknown)
    nslabs, nareas = unknown.nslabs, unknown.nareas
    pool = (nslabs > 0) & (nslabs < MOST) & (nslabs & geometry.set_low).eq(0)
    pool = pool & (nareas > 0) & (nareas < MOST)
    slot, area = pool & (unknown.index < nslabs), unknown.index < nareas.cast(U64)
    room = geometry.segsize - (unknown.index & geometry.set_low)
    claims = [
        Claim(f"the loop: {x.what}", pool & x.given, x.shown) for x in machine.due
    ]
    held = machine.list_of_slot().cast(U64)
    claims.append(Claim("list[] of an empty slot set", slot, held.eq(room)))
    for name in ("used", "index"):
        zero = machine.of_area(name).eq(0)
        claims.append(Claim(f"area->{name} of 0", pool & area, zero))
    fields = [*machine.fields(geometry.shift), *machine.others(read)]
    claims += [Claim(f"the pool's {name}", pool, wanted) for name, wanted in fields]
    return tuple(claims)


class Opening(Machine):
    """A machine that runs the pool's initialisation alone, for any index.

    ``due``: what must hold for one turn of a loop to stand for all.
    """

    def __init__(self, program: Program, cell: Cell, unknown: Unknown) -> None:
        self.unknown = unknown
        self.due: list[Claim] = []
        self.left = State()
        self._held: dict[Key, Word] = {}
        self._stated: set[Location] = set()
        self._counted: set[Key] = set()
        self._turning = False
        super().__init__(program, cell, Layout(unknown.start))

    def _counts(self) -> tuple[Word, Word]:
        return self.unknown.nslabs, self.unknown.nareas

    def _initialise_pool(self, state: State) -> None:
        super()._initialise_pool(state)
        self._refuse_fills()
        self.left = state.fork(TRUE)

    def _refuse_fills(self) -> None:
        for event in self.events:
            arguments = event.data.get("arguments", ())
            if event.kind in ("fill", "copy") and any(
                isinstance(value, Pointer) for value in arguments
            ):
                raise refused(self.program, "slots and areas written field by field")

    # What was left.

    def list_of_slot(self) -> Word:
        """list[] of the slot."""
        if self.single:
            return self._of((self.slots[0],), c.IntType(U32))
        at = self._array("slots", self.slots)
        return self._of((at[0], "list"), self._type("io_tlb_slot", "list"))

    def of_area(self, name: str) -> Word:
        """``used`` or ``index`` of the area, or of a pool that has no areas."""
        if self.has("io_tlb_area", name):
            at = self._array("areas", self.areas)
            return self._of((at[0], name), self._type("io_tlb_area", name))
        if f"io_tlb_{name}" in self.program.globals:
            at, kind = self.global_place(c.Name(0, f"io_tlb_{name}"), self.left)
            value = self.load(self.left, at, kind, self._nowhere)
        else:
            value = self.peek(self.left, self.pool, self.pool_tag, name)
        return self.as_word(value, self._nowhere)

    def fields(self, shift: int) -> list[tuple[str, Truth]]:
        """What the pool says of itself, and whether it is what proofs state of it."""
        unknown = self.unknown
        wanted = {
            **stated_fields(unknown.start, unknown.nslabs, shift),
            "nareas": unknown.nareas,
            "area_nslabs": unknown.nslabs // unknown.nareas.cast(U64),
        }
        found = []
        for name, right in wanted.items():
            at, kind = self._place(name)
            if at is not None and kind is not None:
                value = self.load(self.left, at, kind, self._nowhere)
                found.append((name, self._alike(name, value, right)))
                self._stated.add(at)
        return found

    def _place(self, name: str) -> tuple[Location | None, c.Type | None]:
        """Where a pool holds ``name``: in its struct, or in a variable of its own."""
        entry = self.program.structs.get(self.pool_tag, {}).get(name)
        if entry is not None:
            return (*self.pool, name), entry.type
        if f"io_tlb_{name}" not in self.program.globals:
            return None, None
        return self.global_place(c.Name(0, f"io_tlb_{name}"), self.left)

    def _alike(self, name: str, value: Value, right: Value) -> Truth:
        """Whether a field holds what is stated of it."""
        if isinstance(right, Address):
            if not isinstance(value, Address):
                raise refused(self.program, f"the pool's {name}, an address")
            return value.there & value.word.cast(U64).eq(right.word.cast(U64))
        assert isinstance(right, Word)
        return self.as_word(value, self._nowhere).cast(U64).eq(right.cast(U64))

    def others(self, read: frozenset[str]) -> list[tuple[str, Truth]]:
        """What else of ``read`` the initialisation sets, and whether it is the same in
        a pool of any size, anywhere, as in the smallest one."""
        plain = _Plain(self.program, self.cell, Layout(Word(POOL_START, U64)))
        names = {place[0]: name for name, (place, _) in self.globals.items()}
        found = []
        for at, value in self.left.memory.items():
            name = str(at[-1]) if at[0] == self.memory[0] else names.get(at[0])
            if name in read and at not in self._stated and at[0] not in self.sinks:
                same = _same_as(value, plain.left.memory.get(at))
                if same is None:
                    raise refused(self.program, f"a value of {name} that is plain")
                found.append((name, same))
        return found

    def _array(self, name: str, otherwise: Location) -> Location:
        """Where an array begins, by the pool's own pointer to it."""
        held = self.peek(self.left, self.pool, self.pool_tag, name)
        known = isinstance(held, Pointer) and held.at is not None
        at = held.at if isinstance(held, Pointer) else None
        if not known or at is None or len(at) != 2 or at[1] != 0:
            raise refused(self.program, f"a pointer to the first of the {name}")
        return at

    def _type(self, tag: str, name: str) -> c.Type:
        entry = self.program.structs.get(tag, {}).get(name)
        if entry is None:
            raise refused(self.program, f"a field {name} in struct {tag}")
        return entry.type

    def _of(self, key: Key, kind: c.Type) -> Word:
        held = self._held.get(key)
        return self._before(key, kind) if held is None else held

    def _before(self, key: Key, kind: c.Type) -> Word:
        """What memory holds before anything is written to it."""
        if not isinstance(kind, c.IntType):
            raise refused(self.program, "elements that are numbers")
        root = key[0]
        assert isinstance(root, int)
        zeroed = self.objects[root].zeroed
        return Word(0, kind.ctype) if zeroed else self.unknown.stale.cast(kind.ctype)

    # Elements of arrays.

    def store(
        self,
        state: State,
        at: Location,
        kind: c.Type,
        value: Value,
        node: c.Node,
        bits: int | None = None,
    ) -> Value:
        """Write a location; of an array, note what becomes of the element asked for."""
        if not _is_element(at):
            return super().store(state, at, kind, value, node, bits)
        held = self.convert(value, kind, node)
        if not isinstance(held, Word):
            if isinstance(kind, c.PointerType):
                return held
            raise self.fail(node, "elements that are written field by field")
        held = in_bits(held, bits)
        key, here = _key(at), _element(at).eq(self.unknown.index.cast(S64))
        condition = state.condition
        if self._turning:
            self._owe("each turn writes to its own element", condition, here)
            self._counted.add(key)
        else:
            condition = condition & here
        old = self._of(key, kind)
        self._held[key] = ite(condition, held, old)
        if isinstance(at[1], int) and not self._turning:
            super().store(state, at, kind, held, node, bits)
        return held

    def load(self, state: State, at: Location, kind: c.Type, node: c.Node) -> Value:
        """Read a location; of an array, the element asked for alone."""
        if not _is_element(at):
            return super().load(state, at, kind, node)
        key = _key(at)
        if not self._turning:
            if key in self._counted or isinstance(at[1], Word):
                raise self.fail(node, "no element read that a loop has written")
            return super().load(state, at, kind, node)
        here = _element(at).eq(self.unknown.index.cast(S64))
        self._owe("each turn reads its own element", state.condition, here)
        if isinstance(kind, c.PointerType):
            return zero_of(kind, self.fail(node, "a type that is known"))
        return self._of(key, kind)

    def _owe(self, what: str, given: Truth, shown: Truth) -> None:
        self.due.append(Claim(what, given, shown))

    # Loops.

    def records(self, node: c.Loop, state: State) -> bool:
        """Loops whose condition is open are run for one turn."""
        if node.condition is None or not is_pure(node.condition):
            return False
        if node.kind == "do":
            return False
        return not isinstance(self._asked(node, state.fork(TRUE)).raw, bool)

    def _asked(self, node: c.Loop, state: State) -> Truth:
        assert node.condition is not None
        return self.truth(node.condition, state)

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Run the turn at the index asked for."""
        node = _stepped(node)
        if self._turning or node.condition is None or not is_pure(node.condition):
            raise self.fail(node, "a loop that counts up to a bound, in no other loop")
        name = _counter(node)
        kind = self.local_types.get(name) if name else None
        if name is None or not isinstance(kind, c.IntType):
            raise self.fail(node, "a loop that counts up in steps of one")
        at, index = (state.frame, name), self.unknown.index
        start = self.as_word(self.load(state, at, kind, node), node).cast(_WIDE)
        frame = state.frames[state.frame]
        for changed in _changed(node):
            frame[(state.frame, changed)] = Poison("it changed in a loop over slots")
        here, more = index.cast(kind.ctype), (index + 1).cast(kind.ctype)
        going = self._goes(node, state, at, here)
        fits = here.cast(_WIDE).eq(index.cast(_WIDE)) & (start <= index.cast(_WIDE))
        held = more.cast(_WIDE).eq(index.cast(_WIDE) + 1)
        later = fits & held & self._goes(node, state, at, more)
        self._owe("a bound that is not passed twice", state.condition & later, going)
        end = self._end(node, state, name)
        if end is not None:
            before = start <= end
            self._owe("a start before the end", state.condition, before)
        self._turn_once(node, state.fork(fits & going), at, here, state)
        frame[at] = Poison("it counted a loop over slots")
        return [Outcome(state, "next")]

    def _goes(self, node: c.Loop, state: State, at: Location, value: Word) -> Truth:
        """Whether the loop goes on to the turn with its counter at ``value``."""
        end = self._end(node, state, str(at[1]))
        if end is not None:
            return value.cast(_WIDE) < end
        inside = state.fork(TRUE)
        inside.frames[state.frame][at] = value
        return self._asked(node, inside)

    def _end(self, node: c.Loop, state: State, name: str) -> Word | None:
        """Where a loop ends that goes on while its counter is not equal to that."""
        test = node.condition
        if not isinstance(test, c.Binary) or test.op != "!=":
            return None
        sides = [test.left, test.right]
        others = [s for s in sides if not (isinstance(s, c.Name) and s.name == name)]
        if len(others) != 1:
            return None
        held = state.fork(TRUE)
        held.frames[state.frame][(state.frame, name)] = Poison("the loop counts it")
        return self.word(others[0], held).cast(_WIDE)

    def _turn_once(
        self, node: c.Loop, inside: State, at: Location, here: Word, outer: State
    ) -> None:
        inside.frames[inside.frame][at] = here
        known, before = len(self.objects), inside.fork(TRUE)
        self._turning = True
        try:
            ends = self.execute(node.body, inside)
        except PathEnds:
            ends = []
        finally:
            self._turning = False
        for end in ends:
            if end.kind not in ("next", "continue"):
                raise self.fail(node, "a loop over slots that is not left in its midst")
            made = _unlike(before.memory, end.state.memory)
            if any(place[0] <= known for place in made):
                raise self.fail(node, _ALONE)
            outer.memory.update({place: end.state.memory[place] for place in made})
            self._check_frames(node, before, end.state, at)

    def _check_frames(
        self, node: c.Loop, before: State, after: State, at: Location
    ) -> None:
        own = {(before.frame, name) for name in _changed(node) | _declared(node)}
        for number, frame in before.frames.items():
            changed = _unlike(frame, after.frames.get(number, {}))
            if at in changed or any(place[:2] not in own for place in changed):
                raise self.fail(node, _ALONE)


class _Plain(Machine):
    """A machine with a pool of one size; ``left`` is what its initialisation leaves."""

    def _initialise_pool(self, state: State) -> None:
        super()._initialise_pool(state)
        self.left = state.fork(TRUE)


def _same_as(value: Value, plain: Value | None) -> Truth | None:
    """Whether two values are one; None where that cannot be said."""
    if isinstance(value, Word) and isinstance(plain, Word):
        return value.cast(_WIDE).eq(plain.cast(_WIDE))
    if isinstance(value, Pointer | Address) and value == plain:
        return value.there
    return None


def _is_element(at: Location) -> bool:
    return at[0] > 0 and len(at) > 1 and isinstance(at[1], int | Word)


def _key(at: Location) -> Key:
    return (at[0], *at[2:])


def _element(at: Location) -> Word:
    part = at[1]
    return part.cast(S64) if isinstance(part, Word) else Word(int(part), S64)


def _unlike(one: dict[Location, Value], two: dict[Location, Value]) -> set[Location]:
    """The places that two memories do not hold the very same value in."""
    return {at for at in one.keys() | two.keys() if one.get(at) is not two.get(at)}


def _stepped(node: c.Loop) -> c.Loop:
    """A ``while`` that steps in its last statement, as the ``for`` that it is."""
    body = node.body
    if node.kind != "while" or not isinstance(body, c.Block) or not body.body:
        return node
    last = body.body[-1]
    skips = any(isinstance(part, c.Continue | c.Goto) for part in walk(body))
    if skips or not isinstance(last, c.ExprStatement):
        return node
    rest = c.Block(body.line, body.body[:-1], body.labels)
    return c.Loop(node.line, "for", None, node.condition, last.expr, rest)


def _counter(node: c.Loop) -> str | None:
    """The local that the loop's step adds 1 to, if that is all it does."""
    step = node.step
    if isinstance(step, c.Update) and step.op == "+":
        target: c.Expr = step.target
    elif isinstance(step, c.Assign) and step.op == "+" and _is_one(step.value):
        target = step.target
    else:
        return None
    return target.name if isinstance(target, c.Name) and target.local else None


def _is_one(expr: c.Expr) -> bool:
    return isinstance(expr, c.Number) and expr.word.raw == 1


def _changed(node: c.Loop) -> set[str]:
    """The locals that the loop's body assigns."""
    return {
        found.target.name
        for found in walk(node.body)
        if isinstance(found, c.Assign | c.Update)
        and isinstance(found.target, c.Name)
        and found.target.local
    }


def _declared(node: c.Loop) -> set[str]:
    return {found.name for found in walk(node.body) if isinstance(found, c.Declare)}


def refused(program: Program, need: str) -> NotUnderstood:
    """The error for a pool that does not start out as ``need`` says."""
    function = initialiser(program)
    text = program.text(function.file, function.line)
    return NotUnderstood(function.file, function.line, text, need)
