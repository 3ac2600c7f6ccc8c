# SPDX-License-Identifier: GPL-2.0-only
"""Grown and transient pools as text and JSON, and back."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.conftest import Run

OPTIONS = (
    *("page_size", "path", "min_align_mask", "pool_start", "orig_addr", "size"),
    "seg_boundary_mask",
)
TRANSIENT = ["--path", "direct", "--page-size", "4K", "--pool-kind", "transient"]


def test_a_transient_counterexample_and_its_command(run: Run) -> None:
    result = run("check", "v6.12", *TRANSIENT, "--property", "fits")
    assert result.code == 1
    assert "transient, 1 slot in 1 area from 0x1000" in result.out
    assert "the transient\n  pool made for it" in result.out
    again = result.out.split("Reproduce:\n")[1].splitlines()[0]
    repeated = run(*shlex.split(again)[1:])
    assert repeated.code == 0
    assert "  outcome           fails\n" in repeated.out
    assert "  because           no slot of the pool is admissible\n" in repeated.out


def test_json_names_the_pool(run: Run) -> None:
    answer = json.loads(
        run("check", "v6.12", *TRANSIENT, "--property", "fits", "--json").out
    )
    assert answer["domain"]["pool_kind"] == "transient"
    found = answer["properties"][0]["counterexample"]
    assert (found["pool_kind"], found["nslabs"], found["nareas"]) == ("transient", 1, 1)
    plain = json.loads(run("check", "v6.12", "--size", "512", "--json").out)
    assert plain["domain"]["pool_kind"] == "default"


def test_json_lines_go_round(run: Run, tmp_path: Path) -> None:
    batch = tmp_path / "requests"
    asked = [
        {"pool_kind": "transient", "path": "direct", "orig_addr": 0x1004, "size": 9000},
        {"pool_kind": "transient", "path": "direct", "orig_addr": 0x800},
        {"pool_kind": "grown", "page_size": 4096, "granule": 4096},
        {"orig_addr": 0x1004},
    ]
    batch.write_text("\n".join(json.dumps(line) for line in asked))
    first = run("simulate", "v6.12", "--batch", str(batch))
    answers = [json.loads(line) for line in first.out.splitlines()]
    assert [answer["ok"] for answer in answers] == [True, False, True, True]
    assert [answer["nslabs"] for answer in answers] == [5, 1, 2048, 32768]
    batch.write_text(first.out)
    assert run("simulate", "v6.12", "--batch", str(batch)).out == first.out


def test_prove_tells_the_base_by_its_pool(run: Run) -> None:
    kernel = "v6.6+will-v3"
    result = run("prove", kernel, *TRANSIENT, "--property", "fits")
    assert "transient pool at 0x1000" in " ".join(result.out.split())


@pytest.mark.parametrize("kind", ["grown", "transient"])
def test_a_kernel_without_iommu_paths_left(run: Run, kind: str) -> None:
    result = run("simulate", "v6.12", "--pool-kind", kind, "--json")
    answer = json.loads(result.out)
    assert answer["pool_kind"] == kind
    assert answer["ok"] is True


def test_the_limit_of_pools_made_for_one_request(run: Run) -> None:
    result = run("limit", "v6.12", *TRANSIENT, "--json")
    cells = result.json["cells"]
    assert {cell["areas"] for cell in cells} == {"the pool made for the request"}
    for cell in cells:
        failing = cell["one_step_more"]
        assert (failing["nslabs"] > 0) is (failing["size"] <= 256 << 10)
        assert failing["pool_kind"] == "transient"
        asked = [
            word
            for name, value in failing.items()
            if name in OPTIONS
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        one = run("simulate", "v6.12", *asked, "--pool-kind", "transient", "--json")
        assert not one.json["ok"]


@pytest.mark.parametrize("command", [["limit"], ["diff", "v6.6"]])
def test_a_kernel_that_grows_no_pools_has_no_limit_there(
    run: Run, command: list[str]
) -> None:
    result = run(*command, "v6.1.192", "--pool-kind", "grown")
    assert (result.code, result.out) == (2, "")
    assert result.err == "bounceproof: --pool-kind grown: v6.1.192 has no grown pools\n"


def test_a_difference_names_the_pool_and_its_command_shows_it(run: Run) -> None:
    result = run("diff", "v6.6", "v6.12", *TRANSIENT)
    assert result.code == 1
    first = result.out.split("  2. ")[0]
    assert "A maps, B fails" in first
    assert "transient pool from" in first
    assert "start index" not in first
    assert "Pools lie where both kernels can" in " ".join(result.out.split())
    again = first.split("Reproduce:\n")[1].splitlines()[0]
    assert run(*shlex.split(again)[1:]).code == 0
    other = run(*shlex.split(again.replace("v6.6", "v6.12"))[1:])
    assert "fails" in other.out
