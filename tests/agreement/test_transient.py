# SPDX-License-Identifier: GPL-2.0-only
"""Transient pools: the formulas and the loop on the list[] made for a request agree."""

from __future__ import annotations

import numpy as np
import pytest

from bounceproof.models.catalog import STATES, kernel_state
from bounceproof.models.formulas import pools
from bounceproof.models.kernels.state import Pools
from tests.agreement.transient import disagreement, draw_transient

FIXED = ["v6.6+will-v1", "v6.6+will-v3", "v6.6+will-v3+will-draft-4", "v6.6+will-v5"]
NAMES = [name for name, s in STATES.items() if s.pools is not Pools.STATIC]


def assert_agree(name: str, seed: int, cells: int, count: int) -> None:
    rng, state = np.random.default_rng(seed), kernel_state(name)
    for _ in range(cells):
        trouble = disagreement(state, draw_transient(rng, state, count))
        assert trouble is None, trouble


@pytest.mark.parametrize("name", [*NAMES, *FIXED])
def test_formulas_and_loop_agree(name: str) -> None:
    assert_agree(name, seed=20230801, cells=30, count=1000)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, *FIXED])
def test_formulas_and_loop_agree_on_a_million_requests(name: str) -> None:
    assert_agree(name, seed=20230802, cells=200, count=5000)


def test_a_pool_one_slot_larger_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pools.minimum
    monkeypatch.setattr(pools, "minimum", lambda a, b: made(a + 1, b))
    rng, state = np.random.default_rng(3), kernel_state("v6.12")
    draws = (draw_transient(rng, state, 300) for _ in range(60))
    assert any(disagreement(state, drawn) for drawn in draws)
