# SPDX-License-Identifier: GPL-2.0-only
"""Plain text that pastes into a mail at 75 columns, or fits a narrower terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

WIDTH = 75
_NARROWEST, _WIDEST = 45, 200
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
SIZE_MAX = (1 << 64) - 1


_fixed: ContextVar[int | None] = ContextVar("columns", default=None)


@contextmanager
def folded_at(columns: int) -> Iterator[None]:
    """Inside, text is folded at ``columns`` whatever the terminal has."""
    token = _fixed.set(columns)
    try:
        yield
    finally:
        _fixed.reset(token)


def width() -> int:
    """Columns to fold at: COLUMNS, those of a narrow terminal, or 75."""
    fixed = _fixed.get()
    if fixed is not None:
        return fixed
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given[:6]) > 0:
        return min(max(int(given[:6]), _NARROWEST), _WIDEST)
    if sys.stdout is None or sys.stdout.closed or not sys.stdout.isatty():
        return WIDTH
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), WIDTH)


def printable(text: str) -> str:
    """``text`` with what is no printable character, nor a tab, shown as ``\\x1b`` is.

    Names of files and subjects of mails may have anything in them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    wide = 2 if code <= 0xFF else 4 if code <= 0xFFFF else 8
    return f"\\{'xuU'[(wide > 2) + (wide > 4)]}{code:0{wide}x}"


def size_text(size: int) -> str:
    """A size with its unit where it is a whole number of one: ``252 KiB``."""
    if size == SIZE_MAX:
        return "no limit"
    for factor, unit in _UNITS:
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes"


def size_both(size: int) -> str:
    """A size with its unit and in bytes: ``252 KiB (258048)``."""
    text = size_text(size)
    return text if text.endswith("bytes") or size == SIZE_MAX else f"{text} ({size})"


def short_size(size: int) -> str:
    """A size as options take it: ``252K``; of the largest, ``none``: no limit."""
    if size == SIZE_MAX:
        return "none"
    for factor, unit in _UNITS:
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit[0]}"
    return str(size)


def several(words: Iterable[str]) -> str:
    """Words as a sentence names them: ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 slot``, ``2 slots``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def wrap(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Fold ``text`` at :func:`width`; continuation lines get ``hanging``."""
    return textwrap.fill(
        " ".join(text.split()),
        width(),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(rows: Sequence[tuple[str, ...]], indent: str = "  ") -> list[str]:
    """Rows as columns, two blanks apart, the last one folded at :func:`width`."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=False))
        head = f"{indent}{cells}  " if widths else indent
        hanging = " " * len(head)
        lines.append(
            wrap(row[-1], head, hanging).rstrip() if row[-1] else head.rstrip()
        )
    return lines


def title(text: str) -> list[str]:
    """A heading underlined."""
    return [text, "-" * min(len(text), width())]
