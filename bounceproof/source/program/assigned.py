# SPDX-License-Identifier: GPL-2.0-only
"""Whether code may assign a variable, by the ways that its name is spelled with.

A spelling that could be an assignment counts as one; what it may be is never decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bounceproof.source.cparse.lexer import logical_lines

_DEFINE = re.compile(r"\s*#\s*define\b")
_PART = r"(?:\s*(?:\[[^\]]*\]|(?:\.|->)\s*\w+))*"
_CHANGE = r"\s*\)*\s*(?:(?:[-+*/%|&^]|<<|>>)?=(?!=)|\+\+|--)"
_SETS = (
    r"\b(?:WRITE_ONCE|smp_store_\w+|xchg\w*|cmpxchg\w*|try_cmpxchg\w*|swap"
    r"|(?:\w+_)?param(?:_\w+)?)\s*\([^;]*?"
)


def may_assign(name: str, texts: Iterable[str], *, array: bool) -> bool:
    """Whether one of ``texts``, C without its declarations of ``name``, may assign the
    variable ``name``, a part of it, or take its address."""
    word = rf"(?<!->)(?<![\w.]){re.escape(name)}\b"
    ways = [
        word + _PART + _CHANGE,
        rf"(?:\+\+|--)\s*\(*\s*{word}",
        rf"(?<!&)&\(*{word}",
        rf"(?<![\w)\]&])(?<![\w)\]]\s)&\s*\(*\s*{word}",
        _SETS + word,
    ]
    if array:
        ways.append(rf"(?<!sizeof\()(?<!ARRAY_SIZE\(){word}(?!\s*\[)")
    change = re.compile("|".join(ways))
    return any(change.search(text) for text in texts if name in text)


def macro_text(source: list[str]) -> str:
    """What the lines ``source`` of a file define as macros, without their names."""
    lines = (line for _, line in logical_lines("\n".join(source)))
    return "\n".join(line for line in lines if _DEFINE.match(line))
