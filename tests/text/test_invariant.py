# SPDX-License-Identifier: GPL-2.0-only
"""``invariant``: text, JSON, exit codes and bad input."""

from __future__ import annotations

import pytest

from bounceproof.solver.histories.builtin import LEMMAS
from tests.conftest import Run

NAMES = [lemma.__name__ for lemma in LEMMAS]


def test_text_names_each_lemma_and_what_is_assumed(run: Run) -> None:
    result = run("invariant")
    assert result.code == 0
    assert "v7.3.4: holds" in result.out
    for name in (*NAMES, "places"):
        assert f"  {name} holds: " in result.out
    assert "  returned holds for nvme" in result.out
    assert "Assumed: the lock of the area" in result.out
    assert all(len(line) <= 75 for line in result.out.splitlines())


def test_json_of_a_pool_that_ends_inside_a_slot_set(run: Run) -> None:
    result = run("invariant", "v7.3.4", "--pool", "partial", "--json")
    kernel = result.json["kernels"][0]
    assert (result.code, kernel["verdict"], kernel["returned"]) == (1, "broken", None)
    broken = [p for p in kernel["lemmas"] if p["verdict"] == "broken"]
    assert [p["lemma"] for p in kernel["lemmas"]] == NAMES
    assert [(p["lemma"], p["failed"]) for p in broken] == [("freeing", "reads")]
    assert broken[0]["counterexample"]["nslabs"] == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["v6.6x"], "unknown kernel 'v6.6x'"),
        (["--device", "nvm"], "--device: unknown device 'nvm'"),
        (["--pool", "round"], "--pool"),
        (["--timeout", "0"], "--timeout"),
    ],
)
def test_bad_input(run: Run, arguments: list[str], named: str) -> None:
    result = run("invariant", *arguments)
    assert (result.code, result.out) == (2, "")
    assert named in result.err
    assert result.err.count("\n") == 1
