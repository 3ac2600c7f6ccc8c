# SPDX-License-Identifier: GPL-2.0-only
"""A line at the bottom of a terminal, for those who wait."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TextIO

FIRST = 1.0
"""Seconds before anything is shown."""
OFTEN = 0.1
"""Seconds between two lines, at least."""
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

    As a context manager it takes the line away at the end.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._started = monotonic()
        self._last = self._started + FIRST - OFTEN
        self._shown = False

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    @property
    def seen(self) -> bool:
        """Whether anybody watches."""
        return not self._quiet and self._stream is not None and self._stream.isatty()

    def __call__(self, text: str, done: int = 0, asked: int = 0) -> None:
        """Show ``text``, the seconds since the start and, of ``asked`` questions of
        which ``done`` are answered, what is left."""
        now = monotonic()
        if not self.seen or now - self._last < OFTEN:
            return
        self._last, took = now, now - self._started
        parts = [text, f"{round(took)} s"]
        if asked:
            parts.insert(0, f"{done} of {asked} questions")
            left = time_left(done, asked, took)
            parts += [left] if left is not None else []
        self._write(f"{_bar(done, asked)}{', '.join(part for part in parts if part)}")
        self._shown = True

    def counted(self, done: int, asked: int) -> None:
        """Show that ``done`` of ``asked`` questions are answered."""
        if asked:
            self("", done, asked)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write("")
            self._shown = False

    def _write(self, text: str) -> None:
        room = max(shutil.get_terminal_size().columns - 1, 1)
        with suppress(OSError, ValueError):
            self._stream.write(f"\r\x1b[K{_shaded(text[:room])}")
            self._stream.flush()


def _bar(done: int, asked: int) -> str:
    if not asked:
        return ""
    full = _BAR * done // asked
    return f"[{'=' * full}{' ' * (_BAR - full)}] "


def _shaded(text: str) -> str:
    """``text`` dimmed, unless NO_COLOR is set."""
    if not text or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[2m{text}\x1b[0m"
