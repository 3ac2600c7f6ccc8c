# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of loop a tree may have: its closed form equals the loop, turn by turn."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

import pytest

from bounceproof.models.constants import NO_SEG_BOUNDARY
from bounceproof.models.formulas.search import Area, NoClosedForm, Search, search_empty
from bounceproof.models.request import Counting, Jump, Passes, Pool, SearchRule, Wrap
from bounceproof.models.words.word import U32, U64, Word
from tests.closed_form.unrolled import unroll

PLAIN = SearchRule(
    zero_mask=0x7FF,
    compare_mask=0,
    skip_zero=False,
    stride=1,
    aligned_start=False,
    counted=True,
    fall_through=False,
    page_check=False,
    alloc_align_mask=0x7FF,
    iotlb_align_mask=0,
)
KINDS = [
    replace(
        PLAIN,
        counted=counted,
        aligned_start=aligned,
        counting=counting,
        wrap=wrap,
        jump=jump,
        passes=passes,
    )
    for counted, aligned, counting, wrap, jump, passes in product(
        (True, False), (True, False), Counting, Wrap, Jump, Passes
    )
    if counted or (counting is Counting.STEPS and passes is Passes.TO_START)
]
MASKS = ((0x7FF, 0), (0xFFF, 0), (0x7FF, 0x800), (0xFFFF, 0), (0x7FF, 0xF800),
         (0xFFF, 0x3000), (0x7FF, 0x1000))  # fmt: skip


def drawn(dice: Random, kind: SearchRule) -> tuple[SearchRule, int, int]:
    """A rule of a kind, a pool start and an address."""
    zero, compare = dice.choice(MASKS)
    period = ((zero | compare) >> 11) + 1
    stride = dice.choice((1, 2, 8, 32, 64, period, 7, 96))
    rule = replace(kind, zero_mask=zero, compare_mask=compare, stride=stride)
    start = (1 << 20) + 4096 * dice.choice((0, 1, 3, 8))
    return rule, start, dice.choice((4, 0x800, 0x1800, 0xF804, 0x7004))


def search_of(rule: SearchRule, slots: int, start: int, pool: int, orig: int) -> Search:
    words = Pool(
        Word(pool, U64),
        Word(slots, U32),
        Word(start, U32),
        Word(NO_SEG_BOUNDARY, U64),
        one_segment=True,
    )
    return Search(rule, Area(words, Word(0, U32)), Word(orig, U64), True)


def fits(slot: int, slots: int, needed: int) -> bool:
    """Whether a run from ``slot`` ends inside its slot set."""
    return needed <= min(128 - slot % 128, slots)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(KINDS.index(kind)))
def test_visits_and_first_find(kind: SearchRule) -> None:
    dice, asked = Random(repr(kind)), 0
    for _ in range(160):
        rule, pool, orig = drawn(dice, kind)
        slots = dice.choice((40, 128, 200, 256, 640, 768))
        start = dice.randrange(slots)
        search = search_of(rule, slots, start, pool, orig)
        try:
            visits = search.visits()
        except NoClosedForm:
            continue
        seen = unroll(rule, slots, start, pool, orig)
        told = [
            at
            for leg in visits.legs
            for at in range(slots)
            if bool(leg.visits(Word(at, U32)))
        ]
        where = f"{rule} {slots} slots, start {start}, pool {pool:#x}, {orig:#x}"
        assert bool(visits.endless) == seen.endless, where
        if seen.endless:
            assert set(told) == set(seen.visits), where
        else:
            assert list(dict.fromkeys(told)) == list(dict.fromkeys(seen.visits)), where
        if slots % 128 == 0:
            needed = dice.choice((1, 2, 31, 33, 97, 127, 128))
            taken = [at for at in seen.visits if fits(at, slots, needed)]
            found = search_empty(search, Word(needed, U32))
            assert bool(found.found) == bool(taken), where
            assert not taken or int(found.slot) == taken[0], where
        asked += 1
    assert asked or kind.wrap is Wrap.MODULO or kind.passes is Passes.WHOLE
