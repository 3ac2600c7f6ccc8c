# SPDX-License-Identifier: GPL-2.0-only
"""The README's examples print what it shows, and its table is what check says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bounceproof.models.contract import Property
from bounceproof.report.picture import KEY
from tests.conftest import MACHINE, Run

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(?ms)^```\n\$ bounceproof ((?:[^\n]*\\\n)*[^\n]*)\n(.*?)^```$")
ROW = re.compile(r"(?m)^\| `([^`]+)` \| ([^|]+) \| \*\*(\w+)\*\* \| (.*?)\|$")
EXAMPLES = BLOCK.findall(README.read_text())
ROWS = ROW.findall(README.read_text())


THREAD = (
    *("--page-size", "64K", "--granule", "64K"),
    *("--nslabs", "32768", "--nareas", "1"),
)
PAIR = "v6.6+nicolin-v1-1+nicolin-v1-2"
DRAFT = "v6.6+will-v3+will-draft-4"
SAID = [
    ("`--addr-step 2K`, and nicolin-v1-1", f"{DRAFT}+nicolin-v1-1", "2K", "holds"),
    ("`--addr-step 2K`, and nicolin-v1-1", DRAFT, "2K", "broken"),
    ("v6.9 and 6.6 with `--addr-step 4K`", "v6.9", "4K", "holds"),
    ("v6.9 and 6.6 with `--addr-step 4K`", "v6.9", "2K", "broken"),
    ("v6.9 and 6.6 with `--addr-step 4K`", "v6.6.35", "4K", "holds"),
    ("v6.9 and 6.6 with `--addr-step 4K`", "v6.6.35", "2K", "broken"),
    ("6.1 holds with `--addr-step 2K`", "v6.1.192", "2K", "holds"),
    ("6.1 holds with `--addr-step 2K`", "v6.1.192", "1K", "broken"),
]
"""A sentence of the README, a kernel, the step of addresses and its verdict."""


@pytest.mark.parametrize(("sentence", "kernel", "step", "verdict"), SAID)
def test_what_it_says_of_aligned_addresses(
    run: Run, sentence: str, kernel: str, step: str, verdict: str
) -> None:
    assert sentence in " ".join(README.read_text().split())
    asked = ("--property", "fits", *THREAD, "--addr-step", step, "--json")
    assert run("check", kernel, *asked).json["verdict"] == verdict


@pytest.mark.parametrize("kernel", [PAIR, "v6.6+nicolin-align-down"])
def test_what_it_says_of_areas_of_one_slot_set(run: Run, kernel: str) -> None:
    asked = ("--property", "fits", "--page-size", "64K", "--granule", "64K", "--json")
    [found] = run("check", kernel, *asked).json["properties"]
    assert found["verdict"] == "broken"
    assert found["note"].startswith("only an area of one slot set breaks it")


def test_it_has_the_properties_and_marks() -> None:
    text = README.read_text()
    for prop in Property:
        assert f"| `{prop}` | " in text
    for mark in set(KEY) - {".", "p"}:
        assert f"`{mark}`" in text


def test_there_are_examples_and_rows() -> None:
    assert len(EXAMPLES) >= 2
    assert len(ROWS) >= 10


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_example(run: Run, command: str, shown: str) -> None:
    assert run(*shlex.split(command.replace("\\\n", " "))).out == shown


REQUEST = re.compile(r"(\d+) bytes at (0x\w+): sz (\d+)")


def request_of(shown: str) -> tuple[int, ...] | None:
    """Size, address and logged size of a row; ``the same`` is that of v6.6."""
    text = ROWS[0][3] if shown.startswith("the same") else shown
    found = REQUEST.search(text)
    return None if found is None else tuple(int(n, 0) for n in found.groups())


@pytest.mark.parametrize(("kernel", "limit", "verdict", "shown"), ROWS)
def test_row(run: Run, kernel: str, limit: str, verdict: str, shown: str) -> None:
    result = run("check", kernel, "--json", "--property", "fits", *MACHINE)
    answer = result.json["properties"][0]
    sizes = [cell["limit"] for cell in answer["cells"]]
    amount, unit = limit.split()
    assert sizes == [int(amount) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit]]
    assert answer["verdict"] == verdict
    example, request = answer["counterexample"], request_of(shown)
    assert (example is None) is (request is None)
    if example is not None:
        assert tuple(example[n] for n in ("size", "orig_addr", "sz")) == request
        assert answer["every_start_index"] is True
