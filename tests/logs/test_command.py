# SPDX-License-Identifier: GPL-2.0-only
"""``explain`` as people and machines call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bounceproof.logs.errors import LogError
from tests.logs.helpers import FULL, THREAD_BOOT, invoke, run_json, run_text, scanned
from tests.logs.test_shapes import FORMS


def test_json_fields() -> None:
    answer = run_json(THREAD_BOOT + FULL)
    assert (answer["schema"], answer["command"]) == (1, "explain")
    (message,) = answer["messages"]
    assert message["sz"] == 262144
    assert message["verdict"] == "could-never-fit-at-its-address"
    assert message["kernel"] == "v6.6"
    assert message["approximated"] is False
    assert message["cells"][0]["granule"] == 65536
    assert message["advice"] and message["look_up"] and message["fixes"]


@pytest.mark.parametrize("line", [FULL, *FORMS])
def test_text_is_75_columns(line: str) -> None:
    code, text = run_text(THREAD_BOOT + line)
    assert code == 0
    assert max(len(row) for row in text.splitlines()) <= 75
    assert text.isascii()


def test_options_override_the_log() -> None:
    answer = run_json(
        THREAD_BOOT + FULL,
        "--kernel",
        "v6.12",
        "--page-size",
        "16K",
        "--granule",
        "16384",
        "--device",
        "nvme",
        "--path",
        "iommu",
    )
    (message,) = answer["messages"]
    assert message["kernel"] == "v6.12"
    cells = [*message["cells"], *message["excluded"]]
    assert [(c["page_size"], c["granule"], c["path"]) for c in cells] == [
        (16384, 16384, "iommu")
    ]


def test_messages_that_differ_in_used_slots_are_one_block() -> None:
    lines = [FULL.replace("used 128", f"used {used}") for used in range(500)]
    answer = run_json(THREAD_BOOT + "\n".join(lines))
    (message,) = answer["messages"]
    assert message["count"] == 500
    assert (message["course"]["least"], message["course"]["most"]) == (0, 499)
    assert answer["left_out"] == 0


def test_many_messages_are_cut_down() -> None:
    lines = [FULL.replace("262144", str(size)) for size in range(4096, 4196)]
    lines += [FULL.replace("262144", "8192")] * 5
    answer = run_json(THREAD_BOOT + "\n".join(lines))
    assert len(answer["messages"]) == 8
    assert 8192 in [message["sz"] for message in answer["messages"]]
    assert answer["left_out"] == 93


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nonexistent/log"], "No such file"),
        (["/"], "Is a directory"),
        (["-"], "standard input: no line of swiotlb"),
        (["-", "--kernel", "v6.66"], "unknown kernel 'v6.66'"),
        (["-", "--kernel", "6.66"], "--kernel '6.66': no such release"),
        (["-", "--kernel", "0"], "--kernel '0': no such release"),
        (["-", "--page-size", "8K"], "--page-size 8K"),
        (["-", "--granule", "3"], "--granule 3"),
        (["-", "--device", "nvmee"], "did you mean nvme"),
    ],
)
def test_errors_are_one_line(arguments: list[str], says: str) -> None:
    result = invoke(arguments, "nothing\n")
    assert result.exit_code == 2
    assert says in result.output
    assert result.output.count("\n") == 1


def test_granule_above_the_page() -> None:
    code, text = run_text(FULL, "--page-size", "4K", "--granule", "64K")
    assert code == 2
    assert "--granule 65536: larger than the page size, 4096" in text


def test_file(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(THREAD_BOOT + FULL)
    result = invoke([str(log)])
    assert result.exit_code == 0
    assert "could never fit at its address" in " ".join(result.output.split())


@pytest.mark.parametrize("sz", ["0", "-1", "9" * 30, str(1 << 63)])
def test_sizes_beyond_belief(sz: str) -> None:
    (message,) = run_json(FULL.replace("262144", sz))["messages"]
    assert message["verdict"] is None
    assert message["note"]


@pytest.mark.parametrize(("total", "used"), [("0", "0"), ("64", "9999"), ("7", "3")])
def test_odd_totals(total: str, used: str) -> None:
    line = FULL.replace("32768", total).replace("used 128", f"used {used}")
    code, _ = run_text(THREAD_BOOT + line)
    assert code == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(FULL)), st.integers(0, len(FULL)))
def test_any_damage_is_a_message_or_one_error(noise: bytes, a: int, b: int) -> None:
    piece = FULL.encode()[min(a, b) : max(a, b)]
    try:
        scan = scanned(noise + piece + noise)
    except LogError as error:
        assert "\n" not in str(error)
        return
    assert all(seen.message.text.isprintable() for seen in scan.seen)
