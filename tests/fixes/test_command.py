# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof fix``: text, JSON and exit codes."""

from __future__ import annotations

from tests.conftest import MACHINE, Run

OWNED = (
    *("--page-size", "4K", "--granule", "4K", "--path", "iommu", "--size", "2560"),
    *("--orig-addr", "0x604", "--nslabs", "256", "--nareas", "1", "--start-index", "1"),
)
DIRECT = (
    *("--page-size", "4K", "--path", "direct", "--size", "254464", "--nslabs", "128"),
    *("--orig-addr", "0xe04", "--nareas", "1", "--start-index", "2"),
)


def test_a_set_is_named_with_its_commits(run: Run) -> None:
    result = run("fix", "v6.6.35", "--property", "owned", *OWNED)
    assert result.code == 0
    assert "327e2c97c46a" in result.out
    assert "kernel: v6.6.35+kelley-callee-rounds" in result.out


def test_json_has_the_sets_and_what_refutes_smaller_ones(run: Run) -> None:
    told = run("fix", "v6.6.35", "--property", "owned", *OWNED, "--json").json
    assert told["verdict"] == "holds"
    assert told["asked"] == ["owned"]
    for one in told["sets"]:
        owned = next(p for p in one["properties"] if p["property"] == "owned")
        assert owned["verdict"] == "holds"
        assert one["kernel"].split("+")[1:] == [fix["name"] for fix in one["fixes"]]
    size = len(told["sets"][0]["fixes"])
    assert all(len(way) < size for j in told["smaller"] for way in j["sets"])
    assert all(judged["verdict"] == "broken" for judged in told["smaller"])


def test_verbose_shows_a_request_for_every_smaller_set(run: Run) -> None:
    shown = run("fix", "v6.6.35", "--property", "owned", *OWNED, "--verbose").out
    told = run("fix", "v6.6.35", "--property", "owned", *OWNED, "--json").json
    assert shown.count(" bytes at ") >= len(told["smaller"])
    assert "\n  no fix\n" in shown


def test_where_no_set_does_it_what_stays_broken_is_told(run: Run) -> None:
    result = run("fix", "v6.12", "--property", "fits", *DIRECT)
    assert result.code == 1
    assert result.out.startswith("fix v6.12: no set of known fixes does it")
    assert "known fixes mends it" in result.out
    told = run("fix", "v6.12", "--property", "fits", *DIRECT, "--json").json
    assert told["sets"] == []
    assert [p["property"] for p in told["nearest"]["stays_broken"]] == ["fits"]


def test_a_loss_is_named_and_can_be_allowed(run: Run) -> None:
    words = ("fix", "v6.1.192", "--property", "halts", "--path", "direct")
    words = (*words, "--page-size", "4K", "--nslabs", "128", "--nareas", "1")
    result = run(*words)
    assert result.code == 1
    assert "holds with yu-loop-counter, which breaks finds" in result.out
    allowed = run(*words, "--may-break", "finds")
    assert allowed.code == 0
    assert allowed.out.startswith("fix v6.1.192: yu-loop-counter")


def test_a_state_that_holds_needs_none(run: Run) -> None:
    result = run("fix", "v6.12", "--property", "fits", *OWNED)
    assert result.code == 0
    assert result.out.startswith("fix v6.12: nothing to fix")


def test_of_commits_alone(run: Run) -> None:
    words = ("fix", "v6.6.35", "--property", "fits", *MACHINE, "--orig-addr", "4")
    every, commits = run(*words, "--json").json, run(*words, "--merged", "--json").json
    assert not any(one["merged"] for one in every["sets"])
    ways = [
        [one["kernel"] for one in sets]
        for sets in (every["merged_sets"], commits["sets"])
    ]
    assert ways[0] == ways[1] != []
    assert all(fix["merged"] for one in commits["sets"] for fix in one["fixes"])


def test_bad_input_is_one_line(run: Run) -> None:
    for words in (("v6.6+nonsense",), ("v6.6", "--granule", "3"), ("./nowhere",)):
        result = run("fix", *words)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1
        assert result.out == ""
