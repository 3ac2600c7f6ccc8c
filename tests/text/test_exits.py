# SPDX-License-Identifier: GPL-2.0-only
"""No crash, closed stream or error of ours ends with 0 or 1, and each is one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bounceproof.cli import check as command
from bounceproof.errors import BounceproofError, one_line
from tests.conftest import Run

PROGRAM = f"{sys.executable} -m bounceproof"
ASKED = ("--property", "fits", "--path", "direct", "--page-size", "4K")


def shell(line: str) -> tuple[int, str]:
    """Exit code and standard error of a line, in which ``bp`` is the command."""
    words = ["bash", "-c", line.replace("bp ", f"{PROGRAM} ")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def families(kind: type[BounceproofError]) -> list[type[BounceproofError]]:
    return [kind, *(k for sub in kind.__subclasses__() for k in families(sub))]


def test_no_error_has_the_code_of_a_verdict() -> None:
    codes = {kind.exit_code for kind in families(BounceproofError)}
    assert not codes & {0, 1}


@pytest.mark.parametrize(
    "line",
    [
        "yes '{}' | head -99999 | bp simulate v6.6 --batch - | head -1 >&2",
        "bp simulate v6.6 | true",
        "bp --help | true",
    ],
)
def test_a_reader_that_leaves_ends_the_command(line: str) -> None:
    code, _ = shell(f"{line}; exit ${{PIPESTATUS[-2]}}")
    assert code == 141


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bp simulate v6.6 >&-", "standard output: closed"),
        ("bp check v6.12 --property halts >&-", "standard output: closed"),
        ("bp simulate v6.6 >/dev/full", "standard output: No space left on device"),
        ("bp simulate v6.6 --batch - <&-", "--batch '-': standard input is closed"),
        ("bp simulate v6.6 --history - <&-", "--history '-': standard input is"),
        ("bp explain <&-", "explain '-': standard input is closed"),
        ("bp simulate v6.6 --batch /tmp", "--batch '/tmp': Is a directory"),
        ("bp simulate v6.6 --history /tmp", "--history '/tmp': Is a directory"),
    ],
)
def test_closed_streams_and_folders_are_input_errors(line: str, told: str) -> None:
    code, errors = shell(line)
    assert code == 2
    assert errors.startswith(f"bounceproof: {told}")
    assert errors.count("\n") == 1


def test_without_standard_error_the_code_is_the_same() -> None:
    assert shell("bp check v6.6 --sise 2>&-") == (2, "")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("z3", ("check", "v6.12", *ASKED)),
        ("sympy", ("limit", "v6.12", "--path", "direct", "--page-size", "4K")),
        ("numba", ("simulate", "v6.6", "--batch", "/dev/null")),
        ("tree_sitter", ("check", ".", *ASKED)),
        ("unidiff", ("check", ".", *ASKED)),
    ],
)
def test_a_missing_module_is_named(module: str, arguments: tuple[str, ...]) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv[0] = 'bounceproof'\n"
        "from bounceproof.__main__ import run; run()"
    )
    words = [sys.executable, "-c", code, *arguments]
    compiled = {**os.environ, "BOUNCEPROOF_JIT": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=compiled
    )
    assert done.returncode == 4
    assert done.stderr.startswith(f"bounceproof: the Python module {module}")
    assert done.stderr.count("\n") == 1


def crash(*arguments: object) -> None:
    raise ZeroDivisionError("a\nb")


def test_an_error_of_ours_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "model_of", crash)
    result = run("check", "v6.6")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith(
        "bounceproof: an error of bounceproof's own: ZeroDivisionError: a b (test_exits"
    )
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("words", [("--debug", "check"), ("check", "--debug")])
def test_debug_shows_the_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(command, "model_of", crash)
    result = run(*words, "v6.6")
    assert result.code == 4
    assert result.err.startswith("Traceback")
    assert "in crash" in result.err


def test_an_interrupt_while_modules_load_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "bounceproof", "kernels"],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": f"{tmp_path}:{root}"},
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--timeout", "nan"), "--timeout 'nan': not a number of seconds"),
        (("--timeout", "inf"), "--timeout 'inf': not a number of seconds"),
        (("--timeout", "9" * 5000), "--timeout '9999"),
        (("--size", "9" * 5000), "--size '9999"),
        (("--size", "0x" + "f" * 5000), "--size '0xfff"),
        (("--size-step", str(1 << 64)), "--size-step 18446744073709551616: not a"),
        (("--addr-step", str(1 << 64)), "--addr-step 18446744073709551616: not a"),
        (("--nareas", str(1 << 32)), "--nareas 4294967296: not a power of two below"),
    ],
)
def test_numbers_beyond_reason(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run("check", "v6.12", *ASKED, *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"bounceproof: {told}")
    assert result.err.count("\n") == 1
    assert len(result.err) < 200


@pytest.mark.parametrize("words", [("--size-step", "4G"), ("--nareas", str(1 << 31))])
def test_steps_and_areas_that_leave_no_request(run: Run, words: list[str]) -> None:
    result = run("check", "v6.12", *ASKED, *words)
    assert result.code == 3
    assert "no request" in result.out


def test_the_theorem_is_not_about_granules_below_a_slot(run: Run) -> None:
    result = run("theorem", "v6.9", "--granule", "1K")
    assert (result.code, result.err.count("\n")) == (2, 1)


def test_a_message_is_cut() -> None:
    assert one_line("a\n b") == "a b"
    assert len(one_line("x" * 5000)) == 600
