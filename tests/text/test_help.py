# SPDX-License-Identifier: GPL-2.0-only
"""Each ``--help`` has exit codes and an example that works; the glossary its words."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from bounceproof.cli.main import COMMANDS
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.report.picture import KEY
from tests.conftest import Run

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
OF_A_TREE = ("conform", "bisect", "b4-check")
LOG = b"nvme 0000:00:01.0: swiotlb buffer is full (sz: 262144 bytes)\n"


def example(run: Run, command: str) -> list[str]:
    told = run(command, "--help").out
    [line] = re.findall(r"(?m)^ +Example:\n +(?:dmesg \| )?bounceproof (.*)$", told)
    return shlex.split(line)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_says_the_exit_codes(run: Run, command: str) -> None:
    told = run(command, "--help").out
    for code in (0, 2, 4):
        assert re.search(rf"(?m)^ +{code}  ", told)
    assert example(run, command)[0] == command


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {*OF_A_TREE, "audit"}))
def test_the_example_works(
    run: Run, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LOG)))
    result = run(*example(run, command))
    assert result.err == ""
    assert result.code in (0, 1)
    assert result.out


def test_the_example_of_an_audit_works(run: Run, tmp_path: Path) -> None:
    words = (*example(run, "audit"), "--property", "halts", "--jobs", "1")
    assert run(*words, "--store", str(tmp_path / "store")).code == 0


@pytest.mark.parametrize("command", ["check", "prove"])
def test_it_explains_the_properties(run: Run, command: str) -> None:
    told = run(command, "--help").out
    for prop in Property:
        assert re.search(rf"(?m)^ +{prop} +{re.escape(CONTRACT[prop].briefly)}$", told)
    assert list(CONTRACT) == list(Property)


def test_the_glossary_has_the_words_of_verdicts() -> None:
    text = GLOSSARY.read_text()
    for word in ("holds", "broken", "unknown", "no request", "same", "killed"):
        assert f"`{word}`" in text
    assert KEY["|"] in text
