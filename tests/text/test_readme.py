# SPDX-License-Identifier: GPL-2.0-only
"""The README's examples print what it shows, and its table is what check says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import MACHINE, Run

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(?ms)^```\n\$ bounceproof ((?:[^\n]*\\\n)*[^\n]*)\n(.*?)^```$")
ROW = re.compile(r"(?m)^\| `([^`]+)` \| ([^|]+) \| \*\*(\w+)\*\* \|")
EXAMPLES = BLOCK.findall(README.read_text())
ROWS = ROW.findall(README.read_text())


def test_there_are_examples_and_rows() -> None:
    assert len(EXAMPLES) >= 2
    assert len(ROWS) >= 10


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_example(run: Run, command: str, shown: str) -> None:
    assert run(*shlex.split(command.replace("\\\n", " "))).out == shown


@pytest.mark.parametrize(("kernel", "limit", "verdict"), ROWS)
def test_row(run: Run, kernel: str, limit: str, verdict: str) -> None:
    result = run("check", kernel, "--json", "--property", "fits", *MACHINE)
    answer = result.json["properties"][0]
    sizes = [cell["limit"] for cell in answer["cells"]]
    amount, unit = limit.split()
    assert sizes == [int(amount) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit]]
    assert answer["verdict"] == verdict
