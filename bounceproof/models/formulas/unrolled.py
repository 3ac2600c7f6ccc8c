# SPDX-License-Identifier: GPL-2.0-only
"""The slot search on an empty area, turn by turn, for searches in small areas."""

from __future__ import annotations

from bounceproof.models.formulas.loop import LoopState, ended, turn, wrapped
from bounceproof.models.formulas.search import Found, Search, search_empty
from bounceproof.models.words.word import FALSE, TRUE, UNSIGNED_INT, Truth, Word, ite


def unrolled(search: Search, nslots: Word) -> Found:
    """The loop on an empty area, step by step, for areas of at most ``bound`` slots.

    For rules without a closed form.  An endless loop is one that has not come back to
    its start after three passes.
    """
    rule, pool = search.rule, search.area.pool
    zero, slots = Word(0, UNSIGNED_INT), search.area.pool.area_nslabs
    start = search.start_aligned()
    at = LoopState(start, zero)
    found, slot, done = FALSE, zero, FALSE
    least = rule.stride if rule.fall_through else 1
    for _ in range((pool.bound // least + 1) * (1 if rule.counted else 3)):
        accepted = search.accepts(at.index)
        tested = TRUE if rule.fall_through else accepted
        fits = ~done & tested & search.area.fits_empty(at.index, nslots)
        slot, found = ite(fits, at.index, slot), found | fits
        at = _moved(search, at, accepted)
        done = done | fits | ended(rule, at, start, slots)
        if done.raw is True:
            break
    enough = nslots <= slots
    return Found(found & enough, slot, ~done & enough)


def _moved(search: Search, at: LoopState, accepted: Truth) -> LoopState:
    """The state after a turn that finds nothing."""
    if search.rule.fall_through:
        return _fallen(search, at, accepted)
    return turn(search.rule, at, accepted, search.area.pool.area_nslabs)


def _fallen(search: Search, at: LoopState, accepted: Truth) -> LoopState:
    """The state after a turn that does not leave an inadmissible slot alone."""
    rule, slots = search.rule, search.area.pool.area_nslabs
    zero, one = Word(0, UNSIGNED_INT), Word(1, UNSIGNED_INT)
    after = ite(accepted, at.index, wrapped(rule, at.index + one, slots))
    steps = ite(accepted, zero, one) + rule.stride
    counted = at.counted + steps if rule.counted else one
    return LoopState(wrapped(rule, after + rule.stride, slots), counted)


def search_area(search: Search, nslots: Word) -> Found:
    """What the search of an empty area returns, unrolled where the pool says so."""
    if search.area.pool.bound:
        return unrolled(search, nslots)
    return search_empty(search, nslots)
