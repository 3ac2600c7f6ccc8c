# SPDX-License-Identifier: GPL-2.0-only
"""Random cuts and edits of text, from a seed."""

from __future__ import annotations

import random
import re

_TOKEN = re.compile(r"\w+|->|\+\+|--|<<|>>|[<>=!]=|&&|\|\||\s+|.", re.S)
_ODD = (
    *(
        "0",
        "-1",
        "NULL",
        "(",
        "(((",
        ")",
        "{",
        "}",
        "*",
        "&",
        "",
        "~0UL",
        "'ab'",
        '"s"',
    ),
    *(
        "u8",
        "struct",
        "sizeof",
        "->x",
        "[3]",
        "?",
        ":",
        "goto x",
        "#",
        "void",
        "return",
    ),
    *(
        "-~" * 300 + "1",
        "(" * 120 + "1" + ")" * 120,
        "1.5",
        "if",
        "do",
        "\\",
        "\t",
        "@@",
    ),
)


def edited(text: str, dice: random.Random) -> str:
    """``text`` with one cut or edit of a line or a token."""
    if len(text) < 4:
        return text
    kind = dice.randrange(6)
    if kind == 0:
        return text[: dice.randrange(len(text))]
    if kind < 3:
        return _lines_edited(text.split("\n"), dice, drop=kind == 1)
    tokens = _TOKEN.findall(text)
    at = dice.randrange(len(tokens))
    if kind == 3:
        tokens[at] = ""
    else:
        other = dice.choice(tokens) if kind == 4 else dice.choice(_ODD)
        tokens[at] = f" {other} " if dice.random() < 0.5 else tokens[at] + other
    return "".join(tokens)


def _lines_edited(lines: list[str], dice: random.Random, *, drop: bool) -> str:
    at = dice.randrange(len(lines))
    count = dice.choice((1, 1, 2, 5))
    if drop:
        del lines[at : at + count]
    else:
        first = dice.randrange(len(lines))
        lines[at:at] = lines[first : first + count]
    return "\n".join(lines)
