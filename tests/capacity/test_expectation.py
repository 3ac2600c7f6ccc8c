# SPDX-License-Identifier: GPL-2.0-only
"""Rates of failure, and what is said of their certainty."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from bounceproof.audit.estimates import design_effect, estimate, wilson
from bounceproof.audit.expectation import Load, expect, sizes, smallest
from bounceproof.models.capacity.boot import BootPool
from bounceproof.models.capacity.mix import Group
from bounceproof.models.catalog import kernel_state
from bounceproof.models.request import Cell, Path

STATE = kernel_state("v6.12")
DIRECT = Cell(4096, 4096, Path.DIRECT, 0xFFF)
SHORT = Load(cpus=4, calls=40_000)


def _group(count: int, size: int, offset: int | None = 0) -> Group:
    return Group("a", DIRECT, count, size, size, 1, offset, 512)


def test_wilson_holds_the_true_rate_as_often_as_it_says() -> None:
    dice, rate, trials = random.Random(3), 0.03, 200
    inside = 0
    for _ in range(2000):
        seen = sum(dice.random() < rate for _ in range(trials)) / trials
        low, high = wilson(seen, trials)
        inside += low <= rate <= high
    assert 0.93 < inside / 2000 < 0.97


def test_runs_that_differ_widen_the_interval() -> None:
    alike, apart = [(1000, 10)] * 20, [(1000, 0)] * 19 + [(1000, 200)]
    assert design_effect(alike) == 1.0
    assert design_effect(apart) > 100
    even, odd = estimate(alike), estimate(apart)
    assert (even.rate, odd.rate) == (0.01, 0.01)
    assert odd.high - odd.low > 5 * (even.high - even.low)


def test_no_failure_still_has_an_upper_bound() -> None:
    seen = estimate([(5000, 0)] * 20)
    assert seen.low == 0 < seen.high < 1e-4


def test_what_fits_never_fails_and_what_does_not_always_does() -> None:
    room = expect(STATE, [_group(32, 128 << 10)], BootPool(2048, 4), SHORT)
    assert room.total.failures == 0
    assert room.peak <= 2048
    tight = expect(STATE, [_group(64, 128 << 10)], BootPool(2048, 4), SHORT)
    assert tight.total.rate > 0.3
    assert tight.peak == 2048


def test_the_same_seed_gives_the_same_history() -> None:
    groups = [_group(40, 128 << 10, None), _group(200, 4096)]
    pools = [expect(STATE, groups, BootPool(4096, 4), SHORT) for _ in range(2)]
    assert pools[0] == pools[1]
    other = Load(cpus=4, calls=40_000, seed=2)
    assert expect(STATE, groups, BootPool(4096, 4), other) != pools[0]


def test_the_pool_for_a_rate_is_the_first_that_surely_has_it() -> None:
    tried = list(smallest(STATE, [_group(64, 128 << 10)], SHORT, 1e-2, 4))
    assert [found.total.high <= 1e-2 for found in tried] == [False] * (
        len(tried) - 1
    ) + [True]
    assert tried[-1].pool == BootPool(4096, 4)


@pytest.mark.parametrize("restricted", [False, True])
def test_ten_sizes_at_most_around_what_was_asked(restricted: bool) -> None:
    found = sizes(1 if restricted else 8, 32768, restricted)
    assert 5 <= len(found) <= 10
    assert any(pool.nslabs > 32768 for pool in found)
    assert all(pool.nslabs % (128 * pool.nareas) == 0 for pool in found)


def test_compiled_or_not_the_history_is_the_same() -> None:
    code = (
        "from tests.capacity.test_expectation import *\n"
        "from tests.capacity.test_expectation import _group\n"
        "from tests.capacity.test_native import _history, _rows\n"
        "from bounceproof.simulator.capacity.replay import replay\n"
        "import numpy as np\n"
        "few = Load(cpus=4, calls=4000)\n"
        "groups = [_group(40, 128 << 10, None), _group(200, 4096)]\n"
        "print(expect(STATE, groups, BootPool(4096, 4), few))\n"
        "rows = np.array(_rows(_history('6.12', 800)), dtype=np.int64).T.copy()\n"
        "print(replay(STATE, 4096, 1 << 31, 1024, 4, rows).slots.tolist())\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "BOUNCEPROOF_JIT": jit},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for jit in ("0", "1")
    ]
    assert told[0] == told[1]
