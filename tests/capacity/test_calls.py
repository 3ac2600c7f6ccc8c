# SPDX-License-Identifier: GPL-2.0-only
"""The calls on areas against the engine's own loops, history by history."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from bounceproof.models.catalog import STATES
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.capacity.calls import (
    empty_pool,
    find,
    give_back,
    take,
)
from bounceproof.simulator.history.slots import invariant

POOL_START = 1 << 31
MASKS = (0, 0xFFF, 0xFFFF)


def _slow(k: Any, lst: Any, index: Any, used: Any, asked: tuple[int, ...]) -> int:
    """Every area searched by the engine."""
    m, given, pa, total, cpu = asked
    nareas = len(index)
    slots = len(lst) // nareas
    for turn in range(nareas):
        area = (cpu + turn) % nareas
        slot = e.search_area(
            k, lst, area * slots, slots, index[area], used[area], 4096, m, given, pa,
            total, POOL_START, -1,
        )  # fmt: skip
        if slot != e.NOT_FOUND:
            return int(slot)
    return int(e.NOT_FOUND)


def _asked(dice: random.Random, cpus: int) -> tuple[int, ...]:
    m, pa = dice.choice(MASKS), (1 << 32) + 512 * dice.randrange(256)
    size = dice.choice((512, 4096, 9000, 40000, 128 << 10))
    return m, 0, pa, size + (pa & m & 2047), dice.randrange(cpus)


KERNELS = ("v5.10.223", "v6.1.192", "v6.6", "v6.8.3", "v6.12", "v7.3.4")


@pytest.mark.parametrize("name", KERNELS)
def test_a_search_finds_what_the_engine_finds(name: str) -> None:
    state = STATES[name]
    dice, codes = random.Random(state.name), c.codes(state)
    nareas = 1 if state.name == "v5.10.223" else 4
    pool = empty_pool(8 * IO_TLB_SEGSIZE, nareas)
    lst, _, _, index, used = pool
    live: list[tuple[int, int]] = []
    failed = 0
    for _ in range(3000):
        if live and dice.random() < 0.4:
            give_back(pool, *live.pop(dice.randrange(len(live))))
            continue
        m, given, pa, total, cpu = asked = _asked(dice, nareas)
        slot = int(find(codes, pool, 4096, m, given, pa, total, POOL_START, cpu))
        assert slot == _slow(codes, lst, index, used, asked)
        failed += slot < 0
        if slot >= 0:
            nslots = -(-total // 2048)
            take(pool, slot, nslots)
            live.append((slot, nslots))
    assert failed > 50
    assert invariant(lst.astype(np.int32), used.tolist(), len(lst), nareas) is None
