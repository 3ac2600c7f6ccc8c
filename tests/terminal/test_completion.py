# SPDX-License-Identifier: GPL-2.0-only
"""What bash, zsh and fish offer, and the manual page."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bounceproof.cli.complete import SHELLS
from bounceproof.cli.main import COMMANDS, COMPLETE
from tests.conftest import Run
from tools import man_page


def offered(run: Run, monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What bash is offered behind ``line``."""
    monkeypatch.setenv(COMPLETE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    words = len(line.split()) - (not line.endswith(" "))
    monkeypatch.setenv("COMP_CWORD", str(words))
    told = run("behind the cursor")
    assert told.code == 0 and told.err == ""
    return [entry.partition(",")[2] for entry in told.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("bounceproof ch", ["check"]),
        ("bounceproof ", ["check", "prove", "report"]),
        ("bounceproof check ", ["latest", "v6.9"]),
        ("bounceproof check v6.9", ["v6.9"]),
        ("bounceproof check v6.6+will", ["v6.6+will-v3"]),
        ("bounceproof check v6.6+will-v3+will", ["v6.6+will-v3+will-draft-4"]),
        ("bounceproof diff v6.9 v6.1", ["v6.12"]),
        ("bounceproof check v6.9 --page", ["--page-size"]),
        ("bounceproof check v6.9 --device nv", ["nvme"]),
        ("bounceproof check v6.9 --property ha", ["halts"]),
        ("bounceproof report v6.9 v6.1", ["v6.10"]),
    ],
)
def test_what_is_offered(
    run: Run, monkeypatch: pytest.MonkeyPatch, line: str, some: list[str]
) -> None:
    assert {*some} <= {*offered(run, monkeypatch, line)}


def test_a_tree_is_a_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(run, monkeypatch, "bounceproof check ./li") == ["./li"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(run: Run, shell: str) -> None:
    told = run("completion", shell)
    assert told.code == 0 and COMPLETE in told.out
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n"], input=told.out, text=True, check=True)


def test_another_shell_is_bad_input(run: Run) -> None:
    told = run("completion", "tcsh")
    assert told.code == 2 and "tcsh" in told.err


def test_the_manual_page_is_that_of_the_help() -> None:
    written = man_page.PAGE.read_text(encoding="utf-8")
    assert written == man_page.text(), "run: make man"
    for command in COMMANDS:
        name = command.replace("-", "\\-")
        assert f".SS bounceproof {name}" in written


def test_groff_reads_the_manual_page(tmp_path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    asked = ["groff", "-man", "-Tutf8", "-ww", "-z", str(man_page.PAGE)]
    assert subprocess.run(asked, capture_output=True, check=True).stderr == b""
