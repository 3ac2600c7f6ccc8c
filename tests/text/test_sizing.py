# SPDX-License-Identifier: GPL-2.0-only
"""The examples of the page on sizing print what it shows."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bounceproof.simulator import compile as _compiled  # noqa: F401
from tests.conftest import Run
from tests.text.test_readme import BLOCK

PAGE = Path(__file__).parents[2] / "docs" / "operators-sizing.md"
EXAMPLES = BLOCK.findall(PAGE.read_text())


def test_there_are_two() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_example(run: Run, command: str, shown: str) -> None:
    assert run(*shlex.split(command.replace("\\\n", " "))).out == shown
