# SPDX-License-Identifier: GPL-2.0-only
"""used, area->index and the owners of slots, beside the list[] they go with.

How many slots of an area are taken is a sum, and what is said of it is said of one
summand: the number of taken slots of the area below slot ``x`` is 0 at the area's first
slot, one more behind each taken slot, and used at the area's end.
"""

from __future__ import annotations

from bounceproof.models.constants import MAX_AREA_SLOTS
from bounceproof.models.formulas.freelist import FreeList
from bounceproof.models.words.word import (
    INT,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    Word,
    ite,
)
from bounceproof.solver.lemmas.lemma import Lemma, Obligation, alike, owed
from bounceproof.solver.lemmas.slots import (
    POOL_SLOTS,
    SET_BITS,
    Call,
    PoolShape,
    Where,
    few,
    slot,
)

ZERO = Word(0, UNSIGNED_INT)


def _wide(slots: Word) -> Word:
    return slots.cast(UNSIGNED_LONG)


def early(code: FreeList, shape: PoolShape) -> Lemma:
    """The test of used before the search; used is at most area_nslabs.

    By induction over slots no more of them are taken than there are, ahead of a free
    run and behind it; in the run none is.
    """
    nslots, here = few("nslots"), few("here")
    slots, taken = slot("slots"), slot("taken")
    within = (slots <= POOL_SLOTS) & (taken <= slots) & (here <= 1)
    names = ("taken ahead", "free ahead", "taken behind", "free behind")
    parts = [slot(name) for name in names]
    area, legal = nslots, nslots >= 1
    for part in parts:
        area = area + part
        legal = legal & (part <= POOL_SLOTS) & (area <= POOL_SLOTS)
    used = _wide(parts[0] + parts[2])
    passes = ~code.refuses(nslots, area, used) & (used <= _wide(area))
    fields = {"nslots": nslots, "area_nslabs": area, "used": used}
    grown = Obligation(
        "one slot", within, taken + here <= slots + 1, {"slots": slots, "taken": taken}
    )
    text = "the test of used refuses nothing for which the area has a free run"
    return Lemma("early", text, (grown, Obligation("free run", legal, passes, fields)))


def _within(call: Call, x: Word) -> Word:
    """How many of the call's slots lie below ``x``."""
    ahead = x - call.first
    some = ite(ahead < call.nslots, ahead, call.nslots)
    return ite(x <= call.first, ZERO, some)


def _summand(call: Call, takes: bool) -> Obligation:
    """The number of taken slots grows where it should, slot by slot."""
    j = call.other
    inside, here = call.inside(j), few("here")
    before = inside.implies(here.eq(0 if takes else 1)) & (here <= 1)
    now = ite(inside, Word(1 if takes else 0, UNSIGNED_INT), here)
    change = _within(call, j + 1) - _within(call, j)
    expected = here + change if takes else here - change
    sound = call.placed() & before
    return Obligation("one slot", sound, now.eq(expected), call.fields)


def _sums(call: Call, after: Word, takes: bool) -> tuple[Obligation, ...]:
    """used of the area changes by nslots, that of any other by nothing."""
    pool, used = call.pool, _wide(slot("used"))
    here = call.placed() & call.in_area() & (call.end <= pool.area_end)
    own = _within(call, pool.area_end) - _within(call, pool.base)
    enough = used >= _wide(ZERO if takes else call.nslots)
    wide = _wide(own)
    right = after.eq(used + wide if takes else used - wide)
    other = slot("other_base", SET_BITS), slot("other_end", SET_BITS)
    apart = (other[1] <= pool.base) | (other[0] >= pool.area_end)
    theirs = _within(call, other[1]) - _within(call, other[0])
    elsewhere = here & apart & (other[0] <= other[1])
    return (
        Obligation("used", here & enough, right, call.fields),
        Obligation("used of others", elsewhere, theirs.eq(0), call.fields),
    )


def counted(code: FreeList, shape: PoolShape) -> Lemma:
    """used keeps to the number of taken slots, index to the area."""
    call = Call.of(code, shape, Where.ANY)
    used, pool = _wide(slot("used")), call.pool
    index = call.first - pool.base
    following = code.index_after_take(index, call.nslots, pool.area_nslabs)
    here = call.placed() & call.in_area()
    taken = code.used_after_take(used, call.nslots)
    released = code.used_after_release(used, call.nslots.cast(INT))
    inside = Obligation("index", here, following < pool.area_nslabs, call.fields)
    return Lemma(
        "counted",
        "used stays the number of taken slots of its area, and index one of its slots",
        (
            _summand(call, True),
            *_sums(call, taken, True),
            _summand(call, False),
            *_sums(call, released, False),
            inside,
            *_areas(code, shape),
        ),
    )


def _areas(code: FreeList, shape: PoolShape) -> tuple[Obligation, ...]:
    """A release counts down used of the area that the slots were taken from.

    One area is never left; several have 2^k slots each.
    """
    first, nslabs = slot("first"), slot("nslabs")
    only = code.area_of(first.cast(INT), nslabs).eq(0)
    due = [Obligation("only area", first < nslabs, only, {"first": first})]
    if shape is PoolShape.PARTIAL:
        return tuple(due)
    for bits in range(SET_BITS, MAX_AREA_SLOTS.bit_length()):
        area, place = slot("area", bits), slot("place")
        size = Word(1 << bits, UNSIGNED_INT)
        found = code.area_of((area + place).cast(INT), size)
        fields = {"area_base": area, "place": place}
        assumed, right = place < size, (found.cast(UNSIGNED_INT) << bits).eq(area)
        due.append(Obligation(f"area of {1 << bits}", assumed, right, fields))
    return tuple(due)


def owners(code: FreeList, shape: PoolShape) -> Lemma:
    """A slot is taken where one live mapping has it, and by one mapping alone.

    Uses what ``run``, ``taken`` and ``released`` show of single slots.  ``other`` is
    any slot, and a mapping other than the call's has the slots from ``theirs``.
    """
    call = Call.of(code, shape, Where.ANY)
    j, free = call.other, call.before.at(call.other).ne(0)
    theirs, count, live = slot("theirs"), few("their nslots"), few("live")
    own, owned = call.inside(j), j - theirs < count
    lives = live.ne(0)
    known = owned.implies(lives) & alike(lives, ~free) & call.placed()
    fields = {**call.fields, "theirs": theirs, "their nslots": count}
    was_free, was_own = own.implies(free), own.implies(lives & ~owned)
    disjoint, left = ~(own & owned), free | own
    return Lemma(
        "owners",
        "a slot is taken where a live mapping has it, and no two mappings share one",
        (
            owed("taken apart", known & was_free, disjoint, fields, call.before),
            owed(
                "taken by one",
                known & was_free,
                alike(lives | own, ~(free & ~own)),
                fields,
                call.before,
            ),
            owed(
                "given back",
                known & was_own,
                alike(lives & ~own, ~left) & owned.implies(~left),
                fields,
                call.before,
            ),
        ),
    )


def needed(code: FreeList, shape: PoolShape) -> Lemma:
    """A release of other slots than the mapping's leaves list[] or used wrong.

    So the property ``returned`` is not only enough but needed.  The slot that shows it
    is the first or the last that one has and the other has not.
    """
    call = Call.of(code, shape, Where.ANY)
    first, count = slot("freed"), few("freed nslots")
    wrong = (first.ne(call.first) | count.ne(call.nslots)) & (count >= 1)
    exists = (first < call.pool.nslabs) & (first + count <= call.pool.nslabs)
    nearer = ite(first < call.first, first, call.first)
    longer = ite(first + count < call.end, first + count, call.end)
    at = ite(first.ne(call.first), nearer, longer)
    freed = at - first < count
    disagree = ~alike(call.inside(at), freed)
    fields = {**call.fields, "freed": first, "freed nslots": count}
    text = "a release of any other slots than the mapping's leaves a slot or used wrong"
    assumed = call.placed() & wrong & exists
    return Lemma("needed", text, (Obligation("slot", assumed, disagree, fields),))
