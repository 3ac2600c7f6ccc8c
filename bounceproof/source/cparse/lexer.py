# SPDX-License-Identifier: GPL-2.0-only
"""C preprocessing tokens, with comments taken out and lines kept."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\f\v]+)
  | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[A-Za-z0-9_.])*)
  | (?P<string>L?"(?:[^"\\\n]|\\.)*"|L?'(?:[^'\\\n]|\\.)*')
  | (?P<op>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&^|]=|\#\#|.)
    """,
    re.X,
)


class Token(NamedTuple):
    """``kind``: name, number, string or op; ``space``: blank before it."""

    kind: str
    text: str
    space: bool = False


def tokenize(line: str) -> list[Token]:
    """The tokens of one logical line without comments."""
    tokens: list[Token] = []
    space = False
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or "op"
        if kind == "space":
            space = True
            continue
        tokens.append(Token(kind, match.group(), space))
        space = False
    return tokens


def spell(tokens: list[Token]) -> str:
    """Source text of ``tokens``; tokens that would fuse are kept apart."""
    out: list[str] = []
    for token in tokens:
        if token.space or (out and _fuses(out[-1], token.text)):
            out.append(" ")
        out.append(token.text)
    return "".join(out)


def _fuses(left: str, right: str) -> bool:
    a, b = left[-1:], right[:1]
    word = (a.isalnum() or a == "_") and (b.isalnum() or b == "_")
    return word or (a == b and a in "+-&|<>=#") or (b == "=" and a in "+-*/%&|^<>=!")


_COMMENT = re.compile(
    r"""//(?:[^\n\\]|\\.|\\\n)*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""",
    re.S,
)

_COMMENT_BEGUN = re.compile(_COMMENT.pattern + r"|/\*", re.S)


def strip_comments(text: str) -> str:
    """``text`` with every comment as one blank, line breaks kept."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return " " + "\n" * found.count("\n") if found[0] == "/" else found

    return _COMMENT.sub(blank, text)


def open_comment(text: str) -> int | None:
    """The line, from 1, of a comment that does not end; None if all do."""
    for match in _COMMENT_BEGUN.finditer(text):
        if match.group() == "/*":
            return text.count("\n", 0, match.start()) + 1
    return None


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with backslash continuations joined; each with its number from 1."""
    lines: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, line in enumerate(strip_comments(text).split("\n"), 1):
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        lines.append((start, pending + line))
        pending, start = "", 0
    if pending:
        lines.append((start, pending))
    return lines
