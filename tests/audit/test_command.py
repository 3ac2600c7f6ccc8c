# SPDX-License-Identifier: GPL-2.0-only
"""What ``bounceproof audit`` prints, its exit codes, and bad input."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from tests.conftest import Run

CELLS = ["--page-size", "64K", "--path", "direct", "--kernel", "v6.12"]
BROKEN = [*CELLS, "--property", "fits", "--property", "halts"]


@pytest.fixture
def store(tmp_path: Path) -> list[str]:
    return ["--store", str(tmp_path / "store"), "--jobs", "1"]


def test_a_line_a_cell_and_what_narrows_it_down(run: Run, store: list[str]) -> None:
    result = run("audit", *BROKEN, *store)
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines() == [
        "kernel property device page path   limit verdict  smallest",
        "v6.12  fits     nvme   64K  direct 252K  broken   254464 at 0x10e04 [1]",
        "v6.12  halts    nvme   64K  direct 252K  holds",
        "[1] only an area of one slot set breaks it: it holds from 256 slots an area",
        "    on",
        "2 questions: 1 holds, 1 broken; 0 of them from the store",
    ]
    again = run("audit", *BROKEN, *store)
    assert again.out == result.out.replace("; 0 of", "; 2 of")


def test_json_says_of_a_cell_what_check_says(run: Run, store: list[str]) -> None:
    result = run("audit", *BROKEN, *store, "--json").json
    assert (result["schema"], result["command"]) == (1, "audit")
    assert result["verdict"] == "broken"
    assert result["counts"] == {"holds": 1, "broken": 1, "unknown": 0, "disagree": 0}
    cell = result["cells"][0]
    asked = run("check", *CELLS[:4], "v6.12", "--property", "fits", "--json").json
    finding = asked["properties"][0]
    assert {name: cell[name] for name in finding if name != "seconds"} == {
        name: finding[name] for name in finding if name != "seconds"
    }
    where = ("kernel", "device", "page_size", "path", "granule")
    assert [cell[name] for name in where] == ["v6.12", "nvme", 65536, "direct", None]


def test_markdown_has_the_verdicts(run: Run, store: list[str]) -> None:
    result = run("audit", *BROKEN, *store, "--markdown")
    assert result.out.splitlines() == [
        "## nvme",
        "",
        "| kernel | fits | halts |",
        "| --- | --- | --- |",
        "| `v6.12` | **broken** in 1 of 1 | holds |",
        "",
        "| kernel | page | path | limit | fits | halts |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `v6.12` | 64K | direct | 252K | **broken** from 254464 [1] | holds |",
        "",
        "* [1] only an area of one slot set breaks it: it holds from 256 slots an "
        "area on",
    ]


def test_equal_kernels_are_asked_once_and_shown_each(
    run: Run, store: list[str]
) -> None:
    chosen = ["--kernel", "v6.10", *CELLS, "--property", "halts", *store]
    result = run("audit", *chosen, "--json").json
    assert [cell["kernel"] for cell in result["cells"]] == ["v6.10", "v6.12"]
    assert result["cells"][0]["seconds"] == result["cells"][1]["seconds"]
    assert run("audit", *CELLS, "--property", "halts", *store).code == 0


def test_unknown_has_its_reason_and_code(run: Run, store: list[str]) -> None:
    hard = [*CELLS, "--property", "fits", "--timeout", "0.001", *store]
    result = run("audit", *hard)
    assert result.code == 3
    assert re.search(r"unknown  fits \w+ page 65536", result.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--markdown"], "--json and --markdown: choose one"),
        (["--jobs", "2", "--dask", "a"], "--jobs and --dask: choose one"),
        (["--kernel", "v6.66"], "unknown kernel 'v6.66'; did you mean"),
        (["--device", "nvem"], "--device: unknown device 'nvem'; did you mean nvme"),
        (["--page-size", "5000"], "--page-size 5000: not a power of two"),
        (["--granule", "3000"], "--granule 3000: not a power of two"),
        (
            ["--page-size", "4K", "--granule", "64K"],
            "--granule 65536: larger than every page size asked for",
        ),
        (
            ["--path", "direct", "--granule", "4K"],
            "--granule 4K: path direct has no granule",
        ),
        (
            ["--kernel", "v5.10.223", "--path", "iommu"],
            "--path iommu: no configuration of v5.10.223 has it",
        ),
        (["--property", "fit"], "Invalid value for '--property': 'fit' is not one of"),
        (["--jobs", "0"], "Invalid value for '--jobs'"),
        (["--store", "/"], "/: not a file"),
        (["--store", __file__], f"{__file__}: file is not a database"),
    ],
)
def test_one_line_names_the_input(run: Run, arguments: list[str], message: str) -> None:
    result = run("audit", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(f"bounceproof: {message}")
    assert result.err.count("\n") == 1


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True
