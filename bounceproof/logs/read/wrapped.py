# SPDX-License-Identifier: GPL-2.0-only
"""The line around a place, and the same line where mail or a terminal broke it."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4096
_PIECES: Final = 2
_QUOTES = re.compile(r"^(?:\s*[>|:](?=\s|[>|:]))*\s*")
_BEGINS = re.compile(
    r"""
    \[\s*\d+\.\d+\]                          # [   12.345678]
    | \[\s*[A-Z][a-z]{2}[\s\d]               # [Tue Feb 13 ... and [Feb13 21:53]
    | \[\s*\+\d+\.\d+\]                     # [  +0.000004]
    | <\d+>                                  # <4>[   12.3]
    | \d+,\d+,\d+,                           # /dev/kmsg
    | \w{3,5}\.?\s+\d+\s+\d\d:\d\d          # Feb 13 21:53:55, juil. 29 14:38:52
    | \d{4}-\d\d-\d\d[T ]                    # 2024-02-13T21:53:55
    | [a-z]+\s*:[a-z]+\s*:\s                 # kern  :warn  :
    | MESSAGE=|_?[A-Z][A-Z_]+=               # journalctl -o export
    | \{ | \}                                # JSON
    """,
    re.VERBOSE,
)


def _bounds(lines: bytes, at: int) -> tuple[int, int]:
    """The line around ``at``, at most LONGEST bytes to either side."""
    start = lines.rfind(b"\n", max(at - LONGEST, 0), at) + 1
    end = lines.find(b"\n", at, at + LONGEST)
    return (start or max(at - LONGEST, 0)), (
        end if end >= 0 else min(at + LONGEST, len(lines))
    )


def text_of(raw: bytes) -> str:
    """Bytes of a log as text, whatever they are."""
    return raw.decode("utf-8", "replace")


def line_at(lines: bytes, at: int) -> tuple[str, int]:
    """The line around ``at``, and where in it ``at`` is."""
    start, end = _bounds(lines, at)
    before = text_of(lines[start:at])
    return before + text_of(lines[at:end]), len(before)


def begins_entry(text: str) -> bool:
    """Whether a line starts with what logs put before a message."""
    return _BEGINS.match(_unquoted(text)) is not None


def _unquoted(text: str) -> str:
    return text[_QUOTES.match(text).end() :]  # type: ignore[union-attr]


def _next(lines: bytes, at: int) -> tuple[str, int] | None:
    """The line after the one around ``at``, and a place in it; CR LF is two ends."""
    _, end = _bounds(lines, at)
    begin = end + 1
    if lines[begin : begin + 1] == b"\n":
        begin += 1
    if begin >= len(lines) or lines[begin : begin + 1] == b"\n":
        return None
    return line_at(lines, begin)[0], begin


def _previous(lines: bytes, at: int) -> tuple[str, int] | None:
    start, _ = _bounds(lines, at)
    end = start - 1
    if end > 0 and lines[end - 1 : end] == b"\n":
        end -= 1
    if end <= 0 or lines[end - 1 : end] == b"\n":
        return None
    return line_at(lines, end - 1)[0], end - 1


def rejoined(lines: bytes, at: int) -> tuple[str, int]:
    """The line around ``at`` with what was broken off before and after it, marks of
    quotation taken away, and where in it ``at`` is."""
    text, inside = line_at(lines, at)
    plain = _unquoted(text)
    inside = max(inside - (len(text) - len(plain)), 0)
    place, parts = at, [plain]
    for _ in range(_PIECES):
        if begins_entry(parts[0]):
            break
        before = _previous(lines, place)
        if before is None:
            break
        head = _unquoted(before[0]).rstrip()
        parts.insert(0, head)
        inside += len(head) + 1
        place = before[1]
    place = at
    for _ in range(_PIECES):
        after = _next(lines, place)
        if after is None or begins_entry(after[0]):
            break
        parts.append(_unquoted(after[0]))
        place = after[1]
    return _joined(parts, inside)


def _joined(parts: list[str], inside: int) -> tuple[str, int]:
    """One blank between the parts, and between words."""
    whole = " ".join(part.rstrip() for part in parts)
    head = re.sub(r"\s+", " ", whole[:inside])
    return head + re.sub(r"\s+", " ", whole[inside:]), len(head)
