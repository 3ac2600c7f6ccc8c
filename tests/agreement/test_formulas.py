# SPDX-License-Identifier: GPL-2.0-only
"""The closed forms and the loop on real lists agree in every field."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from bounceproof.models.catalog import STATES, kernel_state
from bounceproof.models.kernels.state import Inadmissible, KernelState
from bounceproof.simulator.batch import OUTPUTS, run_batch
from bounceproof.simulator.decisions import decisions
from tests.agreement.draws import disagreement, draw

THREAD = [
    "v6.6+nicolin-v1-1",
    "v6.6+nicolin-v1-1+nicolin-v1-2",
    "v6.6+nicolin-align-down",
    "v6.6+will-v1",
    "v6.6+will-v3",
    "v6.6+will-v3-mask7ff",
    "v6.6+will-v3+will-draft-4",
    "v6.6+will-v5",
    "v6.2.12+yu-loop-counter",
    "v6.2.12+yu-loop-counter+tesarik-alignment-checks",
]
NAMES = [*STATES, *THREAD]


def assert_agree(name: str, seed: int, cells: int, count: int) -> None:
    rng, state = np.random.default_rng(seed), kernel_state(name)
    for _ in range(cells):
        trouble = disagreement(state, draw(rng, state, count))
        assert trouble is None, trouble


@pytest.mark.parametrize("name", NAMES)
def test_formulas_and_loop_agree(name: str) -> None:
    assert_agree(name, seed=20240213, cells=30, count=1500)


@pytest.mark.parametrize("name", ["v5.10.223", "v6.1.192", "v6.6", "v6.9"])
def test_unrolled_formulas_and_loop_agree(name: str) -> None:
    rng, bound = np.random.default_rng(20240216), 256
    falls = {"inadmissible": Inadmissible.FALL_THROUGH}
    state = kernel_state(name).with_("planted", **falls)
    asked = 0
    while asked < 6:
        drawn = draw(rng, state, 400)
        if drawn.nslabs // drawn.nareas <= bound:
            asked += 1
            trouble = disagreement(state, drawn, bound)
            assert trouble is None, trouble


@pytest.mark.parametrize("name", ["v5.10.223", "v6.1.192", "v6.6+will-v3", "v7.3.4"])
def test_decision_points_that_are_compiled_in_change_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, state = np.random.default_rng(20240217), kernel_state(name)
    for _ in range(8):
        batch = draw(rng, state, 1000).batch
        by_array = run_batch(state, batch)
        with monkeypatch.context() as patched:
            patched.setattr("bounceproof.simulator.batch.SPECIALISED", 0)
            by_type = run_batch(state, batch)
        for field in OUTPUTS:
            assert np.array_equal(by_array[field], by_type[field]), field


def test_each_state_has_a_function_of_its_own() -> None:
    one, other = (decisions(kernel_state(name)) for name in ("v6.6", "v6.12"))
    assert numba.typeof(one) == numba.typeof(decisions(kernel_state("v6.6")))
    assert numba.typeof(one) != numba.typeof(other)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_formulas_and_loop_agree_on_a_million_requests(name: str) -> None:
    assert_agree(name, seed=20240215, cells=200, count=5000)


def test_a_wrong_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceproof.models.formulas import mapping

    monkeypatch.setattr(mapping, "SLOT_LOW_BITS", 0x3FF)
    state: KernelState = kernel_state("v6.6")
    rng = np.random.default_rng(1)
    seen = [disagreement(state, draw(rng, state, 300)) for _ in range(5)]
    assert any(seen)
