# SPDX-License-Identifier: GPL-2.0-only
"""The guarantee against every history there is, in very small pools."""

from __future__ import annotations

import random

import pytest

from bounceproof.models.capacity.blocking import Places, anywhere, single
from bounceproof.models.capacity.mix import Shape
from bounceproof.solver.capacity.asked import Before, places_of, puzzle
from bounceproof.solver.capacity.budget import Puzzle, lightest_area, weigh
from tests.capacity.tiny import OTHERS, Tiny

ANY = 99


def _shape(nslots: int, first: int, period: int, group: int, whole: bool) -> Shape:
    return Shape(nslots, first, period, 0 if whole else first, group, 0, 1)


def _draw(dice: random.Random, segsize: int, groups: int, whole: bool) -> list[Shape]:
    shapes = []
    for group in range(groups):
        for _ in range(dice.choice((1, 1, 2))):
            period = dice.choice([p for p in (1, 1, 2, 4) if p <= segsize])
            first = dice.randrange(period)
            nslots = dice.randint(1, min(segsize - first, 5))
            shapes.append(_shape(nslots, first, period, group, whole))
    return sorted(set(shapes))


def _puzzle(
    tiny: Tiny, shapes: list[Shape], victim: Shape, before: Before, groups: int
) -> Puzzle:
    places = places_of(tuple(shapes), before, tiny.segsize)
    return puzzle(victim, places, before, tiny.sets, groups)


def _together(tiny: Tiny, shapes: list[Shape], before: Before) -> int:
    groups = 1 + max(shape.group for shape in shapes)
    found = []
    for victim in shapes:
        one = _puzzle(tiny, shapes, victim, before, groups)
        ways = lightest_area(one, [1] * groups, tiny.sets)
        found.append(tiny.areas * sum(way.blocked.weight for way in ways))
    return min(found)


def _fewest(tiny: Tiny, shapes: list[Shape], before: Before) -> int:
    """The fewest live mappings of the mix with which the next one fails."""
    groups = 1 + max(shape.group for shape in shapes)
    others = [single()] if before is Before.ANYTHING else []
    fewest = ANY
    for live, indices in tiny.states(shapes, others, [ANY] * groups):
        if any(group == OTHERS for _, _, group in live) or len(live) >= fewest:
            continue
        if any(
            tiny.mapped((live, indices), shape, shape.group, cpu) is None
            for shape in shapes
            for cpu in range(tiny.areas)
        ):
            fewest = len(live)
    return fewest


POOLS = [(8, 1, 1), (4, 2, 1), (4, 1, 2)]


@pytest.mark.parametrize("before", Before)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("pool", POOLS)
def test_no_fewer_mappings_block_a_pool(
    pool: tuple[int, int, int], whole: bool, before: Before
) -> None:
    tiny, dice = Tiny(*pool, whole), random.Random(f"{pool}{whole}")
    for _ in range(12):
        shapes = _draw(dice, tiny.segsize, 1, whole)
        assert _together(tiny, shapes, before) == _fewest(tiny, shapes, before), shapes


@pytest.mark.parametrize("pool", POOLS)
def test_a_mix_of_nothing_else_fails_exactly_where_it_is_said_to(
    pool: tuple[int, int, int],
) -> None:
    tiny, dice = Tiny(*pool), random.Random(f"mix {pool}")
    before, seen = Before.MIX, set()
    for _ in range(40):
        shapes = _draw(dice, tiny.segsize, 2, tiny.whole)
        counts = [dice.randint(1, 4) for _ in range(2)]
        most = [
            weigh(
                _puzzle(tiny, shapes, victim, before, 2),
                [n - (g == victim.group) for g, n in enumerate(counts)],
                tiny.areas,
            ).most
            for victim in shapes
        ]
        guaranteed = max(most) < tiny.sets * tiny.areas
        failed = _fails(tiny, shapes, counts)
        seen.add((guaranteed, failed))
        assert not (guaranteed and failed), (shapes, counts)
    assert {(True, False), (False, True)} <= seen


def _fails(tiny: Tiny, shapes: list[Shape], counts: list[int]) -> bool:
    for live, indices in tiny.states(shapes, [], counts):
        for shape in shapes:
            if sum(held[2] == shape.group for held in live) >= counts[shape.group]:
                continue
            for cpu in range(tiny.areas):
                state = (live, indices)
                if tiny.mapped(state, shape, shape.group, cpu) is None:
                    return True
    return False


def test_the_emptiest_pool_is_as_empty_as_it_says() -> None:
    tiny, victim = Tiny(8, 1, 1), _shape(3, 1, 2, 0, False)
    ones = Places(tuple(anywhere([single()], tiny.segsize)), tiny.segsize)
    one = puzzle(victim, ones, Before.ANYTHING, tiny.sets, 1)
    ways = lightest_area(one, [1], tiny.sets)
    fewest = min(
        sum(n for _, n, _ in live)
        for live, indices in tiny.states([victim], [single()], [0])
        if tiny.mapped((live, indices), victim, 0, 0) is None
    )
    assert sum(way.blocked.weight for way in ways) == fewest
