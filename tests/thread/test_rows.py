# SPDX-License-Identifier: GPL-2.0-only
"""The rows of the February 2024 thread."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MACHINE, Run

KIB = 1024


def check(run: Run, kernel: str, *more: str) -> dict[str, Any]:
    data = run("check", kernel, "--json", "--property", "fits", *MACHINE, *more).json
    answer: dict[str, Any] = data["properties"][0]
    assert data["verdict"] == answer["verdict"]
    return answer


def simulate(run: Run, kernel: str, address: int, size: int) -> dict[str, Any]:
    where = ("--orig-addr", hex(address), "--size", str(size))
    data: dict[str, Any] = run("simulate", kernel, "--json", *MACHINE, *where).json
    return data


def assert_smallest(answer: dict[str, Any]) -> None:
    assert answer["confirmed"] is True
    assert answer["minimum"] is True


def test_t1_v6_6_is_broken_and_its_limit_is_2_mib(run: Run) -> None:
    answer = check(run, "v6.6")
    assert answer["verdict"] == "broken"
    assert answer["limit"] == 2048 * KIB
    assert_smallest(answer)


def test_t1_320_kib_512_bytes_into_a_granule_fails(run: Run) -> None:
    outcome = simulate(run, "v6.6", 0x10200, 327680)
    assert (outcome["ok"], outcome["sz"]) == (False, 327680)


def test_t1_granule_aligned_is_not_bounced_and_the_text_says_so(run: Run) -> None:
    outcome = simulate(run, "v6.6", 0x10000, 327680)
    assert (outcome["ok"], outcome["bounced"]) == (True, False)
    rest = ("slot", "nslots", "tlb_addr", "sz")
    assert all(outcome[name] is None for name in rest)
    text = run("simulate", "v6.6", "--size", "327680", "--orig-addr", "0x10000").out
    assert "no bounce buffer is needed" in text


def test_t2_one_patch_leaves_sz_262144(run: Run) -> None:
    answer = check(run, "v6.6+nicolin-v1-1")
    assert answer["verdict"] == "broken"
    assert answer["limit"] == 258048
    assert "(sz: 262144 bytes)" in answer["message"]
    assert_smallest(answer)


def test_t3_both_patches_hold(run: Run) -> None:
    name = "v6.6+nicolin-v1-1+nicolin-v1-2"
    result = run("prove", name, "--json", "--property", "fits", *MACHINE)
    answer = result.json["properties"][0]
    assert (result.code, answer["verdict"]) == (0, "holds")
    assert [cell["limit"] for cell in answer["cells"]] == [192 * KIB]
    assert result.json["base_properties"][0]["verdict"] == "broken"


def test_t4_will_v3_is_worse_for_512_bytes(run: Run) -> None:
    result = run("prove", "v6.6+will-v3", "--json", "--property", "fits", *MACHINE)
    worse = result.json["worse"][0]
    assert worse["verdict"] == "broken"
    assert worse["counterexample"]["size"] == 512
    assert worse["counterexample"]["sz"] == 65536
    assert_smallest(worse)


def test_t4_the_masks_are_in_the_arithmetic(run: Run) -> None:
    text = run("prove", "v6.6+will-v3", "--property", "fits", "--verbose", *MACHINE).out
    assert "alloc_align_mask 0xffff, iotlb_align_mask 0x800" in text


@pytest.mark.parametrize(
    ("kernel", "ok", "sz"),
    [("v6.6+will-v3-mask7ff", False, 65536), ("v6.6+will-v3", True, None)],
)
def test_t5_the_edited_mask(run: Run, kernel: str, ok: bool, sz: int | None) -> None:
    outcome = simulate(run, kernel, 0x105774600, 512)
    assert (outcome["ok"], outcome["sz"]) == (ok, sz)


def test_t6_align_down_holds(run: Run) -> None:
    answer = check(run, "v6.6+nicolin-align-down")
    assert answer["verdict"] == "holds"
    assert [cell["limit"] for cell in answer["cells"]] == [192 * KIB]


@pytest.mark.parametrize(
    ("kernel", "limit"),
    [
        ("v6.6+will-v3+will-draft-4", 2048 * KIB),
        ("v6.6+will-v3+will-draft-4+nicolin-v1-1", 252 * KIB),
    ],
)
def test_t7_the_draft_needs_a_padded_buffer_to_fail(
    run: Run, kernel: str, limit: int
) -> None:
    answer = check(run, kernel)
    found = answer["counterexample"]
    assert (answer["verdict"], answer["limit"]) == ("broken", limit)
    assert (found["size"], found["orig_addr"], found["sz"]) == (197120, 0x10004, 262144)
    assert_smallest(answer)


def test_t7_passes_what_the_thread_ran_block_aligned_buffers(run: Run) -> None:
    kernel = "v6.6+will-v3+will-draft-4+nicolin-v1-1"
    assert check(run, kernel, "--addr-step", "2K")["verdict"] == "holds"


@pytest.mark.parametrize(
    ("kernel", "verdict"), [("v6.9", "broken"), ("v6.10", "holds"), ("v6.12", "holds")]
)
def test_t8_rounding_in_the_callee_closes_it(
    run: Run, kernel: str, verdict: str
) -> None:
    assert check(run, kernel)["verdict"] == verdict
