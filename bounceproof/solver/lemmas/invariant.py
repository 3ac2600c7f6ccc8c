# SPDX-License-Identifier: GPL-2.0-only
"""list[] and used stay sound through every history of calls, of any length.

Each loop has an invariant at its head, at any slot: it holds on entry, a turn of the
loop keeps it, and where the loop ends it gives the next step what it needs.  Queries
speak of one slot and its neighbour, so the size of the pool is a symbol.  Assumed: the
area's lock is held around each call, as the code does; and the property ``returned``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bounceproof.models.formulas.freelist import LAST_OF_SET, FreeList, io_tlb_offset
from bounceproof.models.words.word import (
    INT,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.solver.lemmas.lemma import Lemma, Obligation, alike, owed
from bounceproof.solver.lemmas.slots import (
    SET_BITS,
    Call,
    PoolShape,
    SlotPool,
    Where,
    few,
    slot,
)
from bounceproof.solver.smt.terms import variable

ZERO = Word(0, UNSIGNED_INT)
At = Callable[[Word], Word]


def established(code: FreeList, shape: PoolShape) -> Lemma:
    """An empty pool is sound."""
    pool = SlotPool.of(shape)
    place = variable("place", CType(SET_BITS, False)).cast(UNSIGNED_INT)
    j = slot("slot set", SET_BITS) | place

    def initial(index: Word) -> Word:
        wide = index.cast(UNSIGNED_LONG)
        return code.initial(wide, pool.nslabs.cast(UNSIGNED_LONG))

    free = initial(j).ne(0)
    right = pool.sound(j, initial(j), initial(j + 1)) & free
    fields = {**pool.fields, "slot": j}
    due = Obligation("any slot", pool.legal & pool.has(j), right, fields)
    text = "an empty pool's list[] is sound and calls every slot free"
    return Lemma("established", text, (due,))


def run(code: FreeList, shape: PoolShape) -> Lemma:
    """list[first] >= nslots: these slots are free, in one slot set and one area.

    By induction over the slots from ``first``: list[first + k] is list[first] - k.
    """
    call = Call.of(code, shape, Where.ANY)
    pool, before, s, k = call.pool, call.before, call.first, slot("k")
    here = s + k
    start, now = before.at(s).cast(UNSIGNED_INT), before.at(here).cast(UNSIGNED_INT)
    head = pool.legal & pool.has(s) & pool.has(here) & (here >= s)
    head = head & call.was_sound(s) & call.was_sound(here)
    turn = head & now.eq(start - k) & (k + 1 < start)
    after = before.at(here + 1).cast(UNSIGNED_INT)
    further = ~pool.last(here) & after.eq(start - (k + 1)) & after.ne(0)
    asked = code.enough(before.at(s), call.nslots) & (call.nslots >= 1)
    inside = (call.end <= pool.area_end) & (call.nslots <= pool.set_end(s) - s)
    first = pool.legal & call.in_area() & call.was_sound(s) & asked
    reached = start.ne(0) & (call.nslots <= start)
    text = (
        "where list[first] >= nslots the slots are free, in one slot set and one area"
    )
    more = {**call.fields, "k": k}
    return Lemma(
        "run",
        text,
        (
            owed("next slot", turn, further, more, before),
            owed("all", first, inside & reached, call.fields, before),
        ),
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """The head of a loop over slots: ``turns`` made so far, the loop's variable ``i``.

    ``now`` is list[] there, of which the loop's invariant says what it holds.
    """

    call: Call
    turns: Word
    i: Word
    now: At

    def stored(self, value: Word) -> Word:
        """list[] at the slot asked about, after the turn stored ``value`` at ``i``."""
        j = self.call.other
        here = j.eq(self.i.cast(UNSIGNED_INT))
        return ite(here, value.cast(self.call.code.entry), self.now(j))

    def owed(self, name: str, assumed: Truth, shown: Truth) -> Obligation:
        """An obligation of the loop."""
        fields = {**self.call.fields, "turns": self.turns}
        return owed(name, assumed, shown, fields, self.call.before)


def marked_at(call: Call, upto: Word) -> At:
    """list[] where the slots from the first to before ``upto`` are marked."""

    def at(index: Word) -> Word:
        done = index - call.first < upto - call.first
        return ite(done, call.code.marked(), call.before.at(index))

    return at


def marking(code: FreeList, shape: PoolShape) -> Lemma:
    """The loop that marks slots as taken."""
    call, turns = Call.of(code, shape, Where.ANY), few("turns")
    i, j = call.first + turns, call.other
    turn = Turn(call, turns, i, marked_at(call, i))
    head = call.placed() & (turns <= call.nslots)
    goes = code.marking(i, call.first, call.nslots)
    kept = turn.stored(code.marked()).eq(marked_at(call, i + 1)(j))
    inside = call.inside(i) & (turns + 1 <= call.nslots)
    return Lemma(
        "marking",
        "the marking loop writes 0 to exactly the slots taken, and ends",
        (
            turn.owed("turn", head & goes, kept & inside),
            turn.owed("writes", head & goes & call.in_area(), call.pool.area_has(i)),
            turn.owed("end", head & ~goes, turns.eq(call.nslots)),
        ),
    )


@dataclass(frozen=True, slots=True)
class Join:
    """The loop downwards from the slot before ``call.first``, in C type ``ctype``.

    ``start`` is the count it begins with, ``base`` list[] as it finds it.
    """

    call: Call
    ctype: CType
    start: Word
    base: At

    def at(self, turns: Word) -> At:
        """list[] after ``turns`` turns."""
        call = self.call

        def at(index: Word) -> Word:
            ahead = (call.first - index + self.start).cast(call.code.entry)
            return ite(self.joined(index, turns), ahead, self.base(index))

        return at

    def joined(self, index: Word, turns: Word) -> Truth:
        return self.call.first - 1 - index < turns

    def passed(self, index: Word, turns: Word) -> Truth:
        """What the loop saw where it has been: free slots, none the last of a set."""
        free = self.call.before.at(index).ne(0)
        saw = free & io_tlb_offset(index).ne(LAST_OF_SET)
        return self.joined(index, turns).implies(saw)

    def turn(self, turns: Word) -> Turn:
        i = (self.call.first - 1 - turns).cast(self.ctype)
        return Turn(self.call, turns, i, self.at(turns))

    def count(self, turns: Word) -> Word:
        return (self.start + turns).cast(self.ctype)

    def bounded(self, turns: Word) -> Truth:
        """It never leaves the slot set of ``first``."""
        return turns <= (self.call.first & LAST_OF_SET)


def _joining(join: Join, assumed: Truth, begins: Word) -> tuple[Obligation, ...]:
    """The obligations of a loop downwards; ``begins`` is the code's first count."""
    call, code, j = join.call, join.call.code, join.call.other
    turns = few("turns")
    turn = join.turn(turns)
    i = turn.i.cast(UNSIGNED_INT)
    head = assumed & join.bounded(turns) & join.passed(j, turns)
    goes = code.joining(turn.i, turn.now(i))
    count = code.counted(join.count(turns))
    again = turn.stored(count).eq(join.at(turns + 1)(j))
    again = again & join.bounded(turns + 1) & join.passed(j, turns + 1)
    again = again & count.cast(UNSIGNED_INT).eq(join.start + turns + 1)
    reads = head & io_tlb_offset(turn.i).ne(LAST_OF_SET) & call.in_area()
    reads = reads & call.placed()
    same = begins.cast(UNSIGNED_INT).eq(join.start)
    return (
        owed("first count", assumed, same, call.fields, call.before),
        turn.owed("reads", reads, call.pool.area_has(i)),
        turn.owed("turn", head & goes, again),
    )


def _joined(
    join: Join, assumed: Truth, free: Truth, where: Where
) -> tuple[Obligation, ...]:
    """Where the loop downwards ends, list[] is sound and calls ``free`` what is."""
    call, j, pool = join.call, join.call.other, join.call.pool
    turns, after = few("turns"), j + 1
    turn = join.turn(turns)
    now, i = turn.now, turn.i.cast(UNSIGNED_INT)
    head = assumed & join.bounded(turns)
    head = head & join.passed(j, turns) & join.passed(after, turns)
    joined, inside = join.joined(j, turns), call.inside(j)
    if where is not Where.ANY:
        here = joined if where is Where.BEFORE else inside
        right = pool.sound(j, now(j), now(after), call.set_end)
        return (turn.owed(f"sound {where}", head & here, right),)
    over, near = head & ~call.code.joining(turn.i, now(i)), joined | inside
    elsewhere = over & ~near & call.was_sound(j) & call.placed()
    same_set = pool.set_end(j).eq(call.set_end)
    return (
        turn.owed("free", over, alike(now(j).ne(0), free)),
        turn.owed("near", head & near & call.placed(), same_set),
        turn.owed("sound", elsewhere, pool.sound(j, now(j), now(after))),
    )


def taken(code: FreeList, shape: PoolShape) -> Lemma:
    """The loop downwards after marking."""
    due: list[Obligation] = []
    for where in Where:
        call = Call.of(code, shape, where)
        join = Join(call, UNSIGNED_INT, ZERO, marked_at(call, call.end))
        free = call.before.at(call.other).ne(0) & ~call.inside(call.other)
        if where is Where.ANY:
            due += _joining(join, call.sized(), code.before_taken())
        due += _joined(join, call.sized(), free, where)
    text = "after slots are taken list[] is sound, and exactly these are no longer free"
    return Lemma("taken", text, tuple(due))


@dataclass(frozen=True, slots=True)
class Freed:
    """A release: ``count`` that it goes on from, and list[] as it frees slots."""

    call: Call
    count: Word

    @property
    def follows(self) -> Truth:
        call = self.call
        return call.code.following(call.first.cast(INT), call.nslots.cast(INT))

    def at(self, turns: Word) -> At:
        """list[] after ``turns`` slots are freed."""
        call = self.call

        def at(index: Word) -> Word:
            done = call.end - 1 - index < turns
            ahead = (call.end - index + self.count).cast(call.code.entry)
            return ite(done, ahead, call.before.at(index))

        return at

    def behind(self) -> Word:
        """list[] behind the slots, where the slot set goes on there, or 0."""
        beyond = self.call.before.at(self.call.end).cast(UNSIGNED_INT)
        return ite(self.call.nslots < self.call.room, beyond, ZERO)

    def fits(self) -> Truth:
        """The slots and those counted behind them lie in one slot set."""
        return self.total <= self.call.room

    @property
    def total(self) -> Word:
        """The count after the last slot is freed."""
        return self.count + self.call.nslots

    def assumed(self, *indexes: Word) -> Truth:
        """A live mapping is given back: its slots are taken."""
        call = self.call
        truth = call.sized() & self.fits()
        for index in indexes:
            truth = truth & call.inside(index).implies(call.before.at(index).eq(0))
        return truth


def freeing(code: FreeList, shape: PoolShape) -> Lemma:
    """What a release reads behind its slots, and the loop that frees them."""
    call, turns = Call.of(code, shape, Where.ANY), few("turns")
    freed, j = Freed(call, few("count")), call.other
    i = (call.end - 1 - turns).cast(INT)
    turn = Turn(call, turns, i, freed.at(turns))
    head = freed.assumed(j) & (turns <= call.nslots)
    goes = code.freeing(i, call.first.cast(INT))
    count = code.counted((freed.count + turns).cast(INT))
    kept = turn.stored(count).eq(freed.at(turns + 1)(j))
    kept = kept & count.cast(UNSIGNED_INT).eq(freed.count + turns + 1)
    inside = call.inside(i.cast(UNSIGNED_INT)) & (turns + 1 <= call.nslots)
    live, end = call.placed(), call.end
    goes_on = call.nslots < call.room
    sound = goes_on.implies(call.was_sound(end))
    behind = replace(freed, count=freed.behind())
    area = call.pool.area_has(end)
    fields = call.fields
    return Lemma(
        "freeing",
        "a release reads slots of its area alone, frees exactly its slots, and ends",
        (
            owed("reads", live & freed.follows & call.in_area(), area, fields),
            owed("follows", live, alike(freed.follows, goes_on), fields),
            owed("count", live & sound, behind.fits(), fields, call.before),
            turn.owed("turn", head, kept),
            turn.owed("writes", head & goes, inside),
            turn.owed("end", head & ~goes & call.placed(), turns.eq(call.nslots)),
        ),
    )


def released(code: FreeList, shape: PoolShape) -> Lemma:
    """The loop downwards after freeing."""
    due: list[Obligation] = []
    for where in Where:
        call = Call.of(code, shape, where)
        freed, j = Freed(call, few("count")), call.other
        assumed = freed.assumed(j, j + 1)
        counted = assumed & freed.count.eq(freed.behind())
        join = Join(call, INT, freed.total, freed.at(call.nslots))
        free = call.before.at(j).ne(0) | call.inside(j)
        if where is Where.ANY:
            due += _joining(join, assumed, freed.total.cast(INT))
        due += _joined(join, counted, free, where)
    text = "after slots are given back list[] is sound, and exactly these became free"
    return Lemma("released", text, tuple(due))
