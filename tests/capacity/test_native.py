# SPDX-License-Identifier: GPL-2.0-only
"""Histories on kernels' own compiled functions, beside the simulator."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

from bounceproof.models.capacity.mix import Group
from bounceproof.models.catalog import kernel_state
from bounceproof.models.request import Cell, Path
from bounceproof.simulator.capacity.replay import PATHS, UNMAP, replay
from bounceproof.solver.capacity.asked import Asked, Before
from bounceproof.solver.capacity.guarantee import of_mix, together
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.native.native_history import Call, run_native_history
from tests.source.test_debian import PACKAGES, QUICK, source, trees

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
CELL = Cell(4096, 4096, Path.DIRECT, 0xFFF)
START, NSLABS = 1 << 31, 2048
ENDLESS = ("5.10", "6.1")
"""Kernels whose search may not end where orig_addr has a mask's bit of a slot."""
SERIES = [
    series if series in QUICK else pytest.param(series, marks=trees)
    for series in PACKAGES
]


def _history(series: str, count: int) -> list[Call]:
    """Mappings of any sizes, at any places, by four CPUs; enough to fill the pool."""
    dice, live = random.Random(series), dict[int, Call]()
    plain = series in ENDLESS
    calls: list[Call] = []
    for name in range(count):
        if live and dice.random() < 0.45:
            gone = live.pop(dice.choice(list(live)))
            calls.append((False, *gone[1:]))
            continue
        mask = 0 if plain else dice.choice((0, 0xFFF))
        at = (1 << 32) + (0 if plain else 512 * dice.randrange(16))
        size = dice.choice((512, 4096, 20000, 128 << 10))
        call = live[name] = (True, mask, at, size, dice.randrange(4), name)
        calls.append(call)
    return calls


def _rows(calls: list[Call]) -> list[tuple[int, ...]]:
    direct = PATHS["direct"]
    return [
        (direct if maps else UNMAP, 4096, mask, at, size, cpu, name)
        for maps, mask, at, size, cpu, name in calls
    ]


@pytest.mark.parametrize("series", SERIES)
def test_compiled_code_maps_where_the_simulator_does(series: str) -> None:
    calls, nareas = _history(series, 4000), 1 if series == "5.10" else 4
    pool = PoolNumbers(START, NSLABS, nareas)
    found = run_native_history(source(series), CELL, pool, calls)
    rows = np.array(_rows(calls), dtype=np.int64).T.copy()
    state = kernel_state(PACKAGES[series])
    ran = replay(state, 4096, START, NSLABS, nareas, rows)
    mapped = [maps for maps, *_ in calls]
    assert found == ran.slots[np.array(mapped)].tolist()
    assert sum(slot < 0 for slot in found) > 100


def test_a_guarantee_ends_where_compiled_code_fails() -> None:
    group = Group("a", CELL, 40, 128 << 10, 128 << 10, 1, 0)
    asked = Asked(source("7.3"), (group,), NSLABS, 4, START, native=True)
    anything, mix = (together(asked, before) for before in Before)
    assert (anything.most, mix.most) == (16, 32)
    assert anything.shown is not None
    assert mix.shown is not None
    assert (anything.shown.live, mix.shown.live) == (16, 32)
    found = of_mix(asked, Before.MIX)
    assert (found.verdict, found.shown is None) == (Verdict.BROKEN, False)
    unrun = Asked(source("7.3"), (group,), NSLABS, 4, START)
    assert of_mix(unrun, Before.MIX).verdict is Verdict.UNKNOWN
