# SPDX-License-Identifier: GPL-2.0-only
"""The closed form of the visits equals the unrolled loop: every start, small areas."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.catalog import STATES, kernel_state
from bounceproof.models.constants import NO_SEG_BOUNDARY
from bounceproof.models.formulas.rule import search_rule
from bounceproof.models.formulas.search import Area, NoClosedForm, Search
from bounceproof.models.request import Cell, Path, Pool, SearchRule
from bounceproof.models.words.word import U32, U64, Word
from tests.closed_form.unrolled import unroll

FIXED = ["v6.6+will-v1", "v6.6+will-v3", "v6.2.12+yu-loop-counter"]
NAMES = [*STATES, *FIXED]
SIZES = (40, 128, 200)


def rules_of(name: str) -> list[SearchRule]:
    state, found = kernel_state(name), set()
    for page in (4096, 65536):
        for mask in (0, 0x7FF, 0xFFF, 0x3FFF, 0xFFFF):
            for given in {0, 4095, page - 1}:
                path = Path.IOMMU if given else Path.DIRECT
                cell = Cell(page, given + 1 if given else page, path, mask)
                for large in (False, True):
                    found.add(search_rule(state, cell, given, large))
    return sorted(found, key=repr)


def closed(rule: SearchRule, slots: int, start: int, pool: int, orig: int) -> Search:
    words = Pool(
        Word(pool, U64), Word(slots, U32), Word(start, U32), Word(NO_SEG_BOUNDARY, U64)
    )
    comparing = orig != 0 or not rule.skip_zero
    return Search(rule, Area(words, Word(0, U32)), Word(orig, U64), comparing)


def places(rule: SearchRule) -> list[tuple[int, int]]:
    """Pool starts and addresses that reach different residues."""
    if not rule.compare_mask:
        return [(1 << 20, 4), ((1 << 20) + 4096, 4)]
    addresses = (0, 4, 0x800, 0x1800, 0xF800, 0x7004)
    return [(1 << 20, a) for a in addresses] + [((1 << 20) + 4096, 0x2804)]


def assert_equal(
    rule: SearchRule, slots: int, start: int, pool: int, orig: int
) -> None:
    seen = unroll(rule, slots, start, pool, orig)
    visits = closed(rule, slots, start, pool, orig).visits()
    told = [
        j for leg in visits.legs for j in range(slots) if bool(leg.visits(Word(j, U32)))
    ]
    where = f"{rule} slots {slots} start {start} pool {pool:#x} orig {orig:#x}"
    assert bool(visits.endless) == seen.endless, where
    if seen.endless:
        assert set(told) == set(seen.visits), where
    else:
        assert told == seen.visits, where


@pytest.mark.parametrize("name", NAMES)
def test_visits_are_those_of_the_loop(name: str) -> None:
    for rule in rules_of(name):
        for pool, orig in places(rule):
            for start in range(0, 40, 3):
                assert_equal(rule, 40, start, pool, orig)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_visits_are_those_of_the_loop_everywhere(name: str) -> None:
    for rule in rules_of(name):
        for slots in SIZES:
            for pool, orig in places(rule):
                for start in range(slots):
                    assert_equal(rule, slots, start, pool, orig)


def test_a_stride_of_zero_has_no_closed_form() -> None:
    rule = replace(rules_of("v6.12")[0], stride=0)
    with pytest.raises(NoClosedForm, match="stride of 0"):
        closed(rule, 128, 0, 1 << 20, 4).visits()
