# SPDX-License-Identifier: GPL-2.0-only
"""A line at the bottom of a terminal, for those who wait."""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TextIO

from bounceproof.report.text import WIDTH


class StatusLine:
    """Shows on ``stream`` what is done; nothing where that is no terminal.

    As a context manager it takes the line away at the end.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._started = monotonic()
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

    def __call__(self, text: str) -> None:
        """Show ``text`` and the seconds since the start."""
        took = round(monotonic() - self._started)
        self._write(f"{text}, {took} s"[: WIDTH + 4])
        self._shown = self._shown or self.seen

    @property
    def seen(self) -> bool:
        """Whether anybody watches."""
        return self._stream is not None and self._stream.isatty()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write("")
            self._shown = False

    def _write(self, text: str) -> None:
        if self.seen:
            with suppress(OSError, ValueError):
                self._stream.write(f"\r\x1b[K{text}")
                self._stream.flush()
