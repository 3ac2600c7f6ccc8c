# SPDX-License-Identifier: GPL-2.0-only
"""A line at the bottom of a terminal, for those who wait."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, TextIO
from weakref import WeakSet

from bounceproof.solver.contract.watch import STOPS_AT_FORK

if TYPE_CHECKING:
    from rich.console import Console

FIRST = 1.0
"""Seconds before anything is shown."""
OFTEN = 0.25
"""Seconds between two lines."""
_FEW = 3
"""Answers before anything is said of the time left."""
_BAR = 20


def time_left(done: int, asked: int, took: float) -> str | None:
    """How long the rest takes if it is like what is done, None where that is a guess.

    Questions differ by a hundred times, so it is rounded, and never below a second.
    """
    if done < _FEW or done >= asked:
        return None
    left = took / done * (asked - done)
    if left < 90:
        near = 5 if left > 10 else 1
        return f"about {max(1, round(left / near) * near)} s left"
    return f"about {round(left / 60)} min left"


class StatusLine:
    """Shows on ``stream`` what is done, after a second; nothing where that is no
    terminal, or ``quiet``.

    As a context manager it keeps the time, and takes the line away at the end.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._started = monotonic()
        self._heard: tuple[str, int, int] = ("", 0, 0)
        self._shown = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._console: Console | None = None

    def __enter__(self) -> StatusLine:
        if self.seen:
            _LINES.add(self)
            self._tick()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _LINES.discard(self)
        self.pause()
        self.clear()

    @property
    def seen(self) -> bool:
        """Whether anybody watches: a terminal that can take a line back."""
        terminal = self._stream is not None and self._stream.isatty()
        return not self._quiet and terminal and os.environ.get("TERM") != "dumb"

    def __call__(self, text: str, done: int = 0, asked: int = 0) -> None:
        """Show ``text``, and that of ``asked`` questions ``done`` are answered."""
        self._heard = text, min(done, asked), asked

    def counted(self, done: int, asked: int) -> None:
        """Show that of ``asked`` questions ``done`` are answered."""
        self("", done, asked)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            self._write("\r\x1b[K")

    def pause(self) -> None:
        """Stop keeping the time, until :meth:`resume`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ended.set()
            thread.join()

    def resume(self) -> None:
        """Keep the time again."""
        if self._thread is None:
            self._tick()

    def _tick(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(
            target=self._run, name=STOPS_AT_FORK, daemon=True
        )
        self._thread.start()

    def _run(self) -> None:
        wait = max(self._started + FIRST - monotonic(), 0)
        while not self._ended.wait(wait):
            self._write(f"\r\x1b[K{self._line()}")
            self._shown, wait = True, OFTEN

    def _line(self) -> str:
        """What was heard last and the time, as a bar and text that fit the line."""
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        if self._console is None:
            self._console = Console(file=self._stream, highlight=False)
        console, (text, done, asked) = self._console, self._heard
        took = monotonic() - self._started
        parts = [text, f"{round(took)} s"]
        bar = _BAR if asked and console.width > 2 * _BAR else 0
        if asked:
            parts.insert(0, f"{done} of {asked} questions")
            parts.append(time_left(done, asked, took) or "")
        told = Text(", ".join(part for part in parts if part), style="dim")
        told.truncate(max(console.width - bar - 2, 1))
        with console.capture() as drawn:
            if bar:
                progress = ProgressBar(asked, done, bar, complete_style="cyan")
                console.print(progress, end="")
                console.print(" ", end="")
            console.print(told, end="", no_wrap=True)
        return drawn.get().replace("\n", " ")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


_LINES: WeakSet[StatusLine] = WeakSet()


def _before_fork() -> None:
    for line in list(_LINES):
        line.pause()


def _after_fork() -> None:
    for line in list(_LINES):
        line.resume()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_LINES.clear
    )
