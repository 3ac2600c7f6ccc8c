# SPDX-License-Identifier: GPL-2.0-only
"""Who waits at a terminal sees how far it is; a pipe sees nothing; Ctrl-C ends all."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bounceproof.report import progress
from bounceproof.report.progress import StatusLine, time_left

QUESTION = ("check", "v6.9")
LONG = 120.0


class Terminal:
    """A command at a terminal of its own, 100 columns wide."""

    def __init__(self, *words: str, **settings: str) -> None:
        environment = {
            **os.environ,
            "COLUMNS": "100",
            "TERM": "xterm",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **settings,
        }
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            command = [sys.executable, "-m", "bounceproof", *words]
            os.execve(sys.executable, command, environment)
        self.out = b""

    def until(self, done: Callable[[bytes], bool]) -> None:
        """Read until ``done`` with what was read, or the end."""
        stop = time.monotonic() + LONG
        while not done(self.out) and time.monotonic() < stop:
            if not select.select([self.terminal], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.terminal, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.out += data

    def interrupt(self) -> None:
        os.write(self.terminal, b"\x03")

    def ended(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return code


def processes_below(pid: int) -> list[int]:
    """The processes that ``pid`` started and that still run."""
    done = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in done.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("whole_group", [True, False])
def test_an_interrupt_ends_the_workers_too(whole_group: bool) -> None:
    terminal = Terminal(*QUESTION)
    terminal.until(lambda out: b"questions" in out)
    workers = processes_below(terminal.pid)
    if whole_group:
        terminal.interrupt()
    else:
        os.kill(terminal.pid, signal.SIGINT)
    assert terminal.ended() == -signal.SIGINT
    stop = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < stop:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    assert b"Traceback" not in terminal.out


def test_a_terminal_sees_a_bar_that_is_taken_away() -> None:
    terminal = Terminal(*QUESTION, "--page-size", "64K")
    terminal.until(lambda out: b"Details" in out)
    assert terminal.ended() == 1
    before, _, after = terminal.out.partition(b"check v6.9: broken")
    assert b" of 36 questions, " in before
    assert b"questions" not in after
    assert before.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("more", [("--quiet",), ()])
def test_quiet_and_dumb_terminals_see_none(more: tuple[str, ...]) -> None:
    settings = {} if more else {"TERM": "dumb"}
    terminal = Terminal("limit", "v6.6", "--path", "direct", *more, **settings)
    terminal.until(lambda out: b"Asked of" in out)
    terminal.ended()
    assert b"\x1b" not in terminal.out


def test_no_color_is_respected() -> None:
    terminal = Terminal(*QUESTION, NO_COLOR="1")
    terminal.until(lambda out: b"questions" in out)
    terminal.interrupt()
    terminal.ended()
    assert b"questions" in terminal.out
    assert b"\x1b[9" not in terminal.out
    assert b"\x1b[3" not in terminal.out


def test_a_pipe_sees_nothing() -> None:
    with Path(os.devnull).open("w") as stream:
        assert not StatusLine(stream).seen


@pytest.mark.parametrize(
    ("done", "asked", "took", "told"),
    [
        (2, 9, 4.0, None),
        (9, 9, 4.0, None),
        (3, 9, 3.0, "about 6 s left"),
        (10, 63, 10.0, "about 55 s left"),
        (10, 63, 60.0, "about 5 min left"),
        (62, 63, 5.0, "about 1 s left"),
    ],
)
def test_the_time_left(done: int, asked: int, took: float, told: str | None) -> None:
    assert time_left(done, asked, took) == told


def test_nothing_is_shown_in_the_first_second() -> None:
    assert progress.FIRST >= 1


@pytest.mark.parametrize("columns", [45, 60, 120])
def test_columns_are_respected(columns: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bounceproof", "simulate", "v6.9", "--size", "4K"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": str(columns)},
    )
    lines = [x for x in done.stdout.splitlines() if not x.startswith("bounceproof ")]
    assert max(map(len, lines)) <= columns
