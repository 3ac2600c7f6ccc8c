# SPDX-License-Identifier: GPL-2.0-only
"""Text that can be pasted into a mail: ASCII, at most 75 columns, commands included."""

from __future__ import annotations

import json
import shlex
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from bounceproof.report.text import WIDTH, printable

_HISTORY = " <<'END'"


def ascii_only(text: str) -> str:
    """``text`` in ASCII: accents dropped, whatever else is not ASCII escaped."""
    apart = unicodedata.normalize("NFKD", printable(text))
    plain = "".join(c for c in apart if not unicodedata.combining(c))
    return plain.encode("ascii", "backslashreplace").decode("ascii")


def folded(lines: Iterable[str]) -> list[str]:
    """Lines with those that are too long folded, words too if nothing else helps."""
    kept: list[str] = []
    for line in (ascii_only(part) for text in lines for part in text.split("\n")):
        if len(line) <= WIDTH:
            kept.append(line.rstrip())
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        kept += textwrap.wrap(
            line.strip(), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  "
        )
    return kept


def _quoted(word: str) -> str:
    """A word as the shell takes it, in ASCII alone."""
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape")
    plain = (
        chr(c) if 32 <= c < 127 and c not in b"\\'" else f"\\{c:03o}" for c in data
    )
    return f"$'{''.join(plain)}'"


def _pieces(word: str, room: int) -> list[str]:
    """A word as the shell takes it, in pieces that each fit a line."""
    short = len(word)
    while any(len(piece) > room for piece in _cut(word, short)):
        short = (short + 1) // 2
    return _cut(word, short)


def _cut(word: str, length: int) -> list[str]:
    parts = (word[at : at + length] for at in range(0, len(word), max(length, 1)))
    return [_quoted(part) for part in parts]


def command_folded(line: str) -> list[str]:
    """A shell command over lines that end in a backslash, to be pasted as it stands."""
    ends = _HISTORY if line.endswith(_HISTORY) else ""
    words, room = shlex.split(line.removesuffix(_HISTORY)), WIDTH - 2
    lines, now = list[str](), ""
    for word in words:
        first, *others = _pieces(word, room - 4) or ["''"]
        if now and len(now) + 1 + len(first) > room:
            lines.append(f"{now} \\")
            now = f"    {first}"
        else:
            now = f"{now} {first}" if now else first
        for piece in others:
            lines.append(f"{now}\\")
            now = piece
    if ends and len(now) + len(ends) > WIDTH:
        lines.append(f"{now} \\")
        now = "   "
    return [*lines, f"{now}{ends}"]


def commands_folded(lines: Sequence[str]) -> list[str]:
    """What :func:`command_lines` gives: a command, and a history behind it if any."""
    first, *others = lines
    if not others:
        return command_folded(first)
    history, *end = others
    told = json.dumps(json.loads(history), indent=1)
    return [*command_folded(first), *told.split("\n"), *end]
