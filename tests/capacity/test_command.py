# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof capacity`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bounceproof.simulator import compile as _compiled  # noqa: F401
from tests.conftest import Run

SMALL = ("--nslabs", "256", "--min-align-mask", "0xfff")


def _ask(run: Run, *arguments: str) -> dict[str, object]:
    answer: dict[str, object] = run("capacity", "v6.12", *arguments, "--json").json
    return answer


def test_one_used_slot_in_each_slot_set_blocks_a_whole_one(run: Run) -> None:
    found = run("capacity", "v7.3.4", "--mapping", "virtio-blk/256K@0", "--json").json
    assert found["emptiest"]["used"] == found["pool"]["nslabs"] // 128 == 256
    assert found["verdict"] == "holds"
    text = run("capacity", "v7.3.4", "--mapping", "virtio-blk/256K@0").out
    assert "(0.8 %)" in text
    assert text.rstrip().splitlines()[-1] == "On the command line: swiotlb=128,1"


def test_two_to_a_slot_set_unless_something_came_before(run: Run) -> None:
    found = run("capacity", "v6.12", *SMALL, "--mapping", "128K@0:4", "--json")
    anything, mix = found.json["carried"]
    assert (anything["together"]["most"], mix["together"]["most"]) == (2, 4)
    assert (anything["mix"]["verdict"], mix["mix"]["verdict"]) == ("broken", "holds")
    assert found.code == 1
    assert anything["least"]["pool"]["nslabs"] == 512
    assert mix["least"]["pool"]["nslabs"] == 256


def test_an_unaligned_buffer_takes_a_slot_set_of_its_own(run: Run) -> None:
    found = run("capacity", "v6.12", *SMALL, "--mapping", "128K@0x800:2", "--json")
    assert [c["together"]["most"] for c in found.json["carried"]] == [2, 2]
    assert (found.code, found.json["verdict"]) == (0, "holds")


def test_areas_are_searched_one_by_one(run: Run) -> None:
    pool = ("--nslabs", "512", "--nareas", "4", "--cpus", "4")
    found = run("capacity", "v6.12", *pool, "--mapping", "128K@0:2", "--json")
    scopes = {
        (c["before"], c["overlapping"]): (c["together"]["most"], c["mix"]["verdict"])
        for c in found.json["carried"]
    }
    assert scopes == {
        ("anything", True): (1, "broken"),
        ("anything", False): (4, "holds"),
        ("nothing but the mix", True): (2, "holds"),
        ("nothing but the mix", False): (8, "holds"),
    }
    assert found.code == 1


def test_the_history_fails_in_simulate_too(run: Run, tmp_path: Path) -> None:
    for mapping in ("128K@0:4", "2K@0x800:9", "4K:5"):
        file = tmp_path / "history.json"
        found = run(
            "capacity", "v6.12", *SMALL, "--mapping", mapping,
            "--history-out", str(file), "--json",
        ).json  # fmt: skip
        calls = run("simulate", "v6.12", "--history", str(file), "--json").json
        outcomes = [call["outcome"]["ok"] for call in calls["calls"]]
        assert outcomes == [True] * (len(outcomes) - 1) + [False]
        live = len(calls["calls"][-2]["live"])
        assert live == found["carried"][0]["together"]["most"]
        assert all(call["invariant"] is None for call in calls["calls"])


def test_a_restricted_pool_is_as_large_as_it_must_be(run: Run) -> None:
    found = run(
        "capacity", "v6.12", "--restricted", "--nslabs", "2048", "--path", "alloc",
        "--device", "generic", "--min-align-mask", "0", "--mapping", "64K:24",
        "--json",
    )  # fmt: skip
    assert found.json["pool"] == {"nslabs": 2048, "nareas": 1, "bytes": 4 << 20}
    least = found.json["carried"][0]["least"]
    assert least["pool"]["nslabs"] % 128 == 0
    assert least["smaller"]["nslabs"] == least["pool"]["nslabs"] - 128
    assert least["smaller"]["verdict"] == "broken"


def test_what_never_maps_is_said_to(run: Run) -> None:
    found = run(
        "capacity", "v6.12", "--path", "iommu", "--granule", "4K", "--device",
        "generic", "--min-align-mask", "0xffff", "--mapping", "6K", "--json",
    )  # fmt: skip
    assert (found.code, found.json["verdict"]) == (1, "broken")
    assert "refuses every mapping" in found.json["never"]
    assert found.json["carried"] == []


def test_what_never_bounces_needs_no_pool(run: Run) -> None:
    found = run(
        "capacity", "v6.12", "--path", "iommu", "--granule", "4K", "--mapping", "8K@0"
    )
    assert found.code == 0
    assert "needs a bounce buffer" in found.out


def test_a_search_without_a_closed_form_has_no_guarantee(run: Run) -> None:
    found = run("capacity", "v6.8.3", "--device", "virtio-blk", "--mapping", "8K")
    assert (found.code, found.out) == (3, "")
    assert found.err.count("\n") == 1


def test_the_rule_of_encrypted_guests(run: Run) -> None:
    found = _ask(run, "--mapping", "4K:8", "--memory", "8G", "--cpus", "16")
    assert found["guest"] == {"nslabs": 262144, "nareas": 16, "bytes": 512 << 20}
    assert found["pool"] == found["guest"]


def test_random_histories_and_a_plot(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rates.svg"
    arguments = ["--mapping", "128K:16", "--calls", "40000", "--rate", "0.01"]
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        found = run("capacity", "v6.12", *arguments, "--plot", str(file))
        assert (found.code, found.err.count("\n")) == (2, 1)
        assert "bounceproof[plot]" in found.err
    else:
        arguments += ["--plot", str(file)]
    expected = _ask(run, *arguments)["expected"]
    assert isinstance(expected, dict)
    pools = expected["pools"]
    assert 3 <= len(pools) <= 10
    for pool in pools:
        total = pool["total"]
        assert 0 <= total["low"] <= total["rate"] <= total["high"] <= 1
    assert expected["enough"]["total"]["high"] <= 0.01
    if file.exists():
        assert file.read_text().startswith("<?xml")


BAD = [
    ((), "--mapping: no mapping in it"),
    (("--mapping", ""), "--mapping ''"),
    (("--mapping", "4K:0"), "count 0"),
    (("--mapping", "0:1"), "size 0"),
    (("--mapping", "8K-4K"), "size 4K"),
    (("--mapping", "1M"), "size 1M is not from 1 to 258048"),
    (("--mapping", "floppy/4K"), "unknown device 'floppy'"),
    (("--mapping", "4K@x"), "address 'x'"),
    (("--mapping", "4K:9999999"), "count 9999999"),
    (("--mapping", "4K", "--nslabs", "100"), "--nslabs 100"),
    (("--mapping", "4K", "--nslabs", "256", "--nareas", "4"), "--nareas 4"),
    (("--mapping", "4K", "--nslabs", "2M"), "--nslabs 2M"),
    (("--mapping", "4K", "--swiotlb", "many"), "--swiotlb 'many'"),
    (("--mapping", "4K", "--swiotlb", "0"), "--swiotlb 0"),
    (("--mapping", "4K", "--memory", "1K"), "--memory 1K"),
    (("--mapping", "4K", "--cpus", "0"), "--cpus 0"),
    (("--mapping", "4K", "--restricted"), "--restricted"),
    (("--mapping", "4K", "--rate", "0"), "--rate 0.0: not between"),
    (("--mapping", "4K", "--rate", "1.5"), "--rate 1.5"),
    (("--mapping", "4K", "--rate", "nan"), "--rate nan"),
    (("--mapping", "4K", "--rate", "1e-9"), "show no rate below"),
    (("--mapping", "4K", "--expect", "--busy", "1"), "--busy 1.0"),
    (("--mapping", "4K", "--expect", "--calls", "1"), "--calls 1"),
    (("--mapping", "4K", "--plot", "rates.pdf"), "--plot 'rates.pdf'"),
    (("--mapping", "4K", "--plot", "/none/rates.svg"), "no such folder"),
    (("--mapping", "4K", "--path", "link"), "--path link"),
    (("--mapping", "4K", "--device", "generic"), "min_align_mask; say which"),
    (("--mapping", "4K", "--history-out", "/none/h.json"), "--history-out"),
    (("--trace", "/none/trace"), "--trace '/none/trace'"),
    (("--trace", "/none/trace", "--mapping", "4K"), "and --mapping as well"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    found = run("capacity", "v6.12", *arguments)
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert told in found.err, json.dumps(found.err)
