# SPDX-License-Identifier: GPL-2.0-only
"""Which functions code can come to, by the names that it mentions.

A name counts wherever it stands: in a call, a macro, a table of operations.  So what
is left out here is out of reach; what is in may still never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.lexer import logical_lines
from bounceproof.source.cparse.walk import walk
from bounceproof.source.program.program import Program

_NAME = re.compile(r"[A-Za-z_]\w*")
_DEFINE = re.compile(r"\s*#\s*define\s+(\w+)(.*)", re.S)


def mentioned_from(
    program: Program, roots: Iterable[str], beyond: frozenset[str]
) -> frozenset[str]:
    """Every name that ``roots`` lead to, the roots included.

    Names ``beyond`` are what code may call, but is taken as given: they are left out.
    """
    below = _mentions(program)
    seen = set(roots) - beyond
    queue = list(seen)
    while queue:
        for name in below.get(queue.pop(), set()) - seen - beyond:
            seen.add(name)
            queue.append(name)
    return frozenset(seen)


def _mentions(program: Program) -> dict[str, set[str]]:
    """The names in each function, macro and initial value."""
    found: dict[str, set[str]] = {}
    for file, unit in program.units.items():
        for name, text in _macros("\n".join(unit.source)):
            found.setdefault(name, set()).update(_NAME.findall(text))
        for name in program.functions_in(file):
            extent = program.extent(name, file)
            if extent is not None:
                lines = unit.source[extent[0] - 1 : extent[1]]
                found.setdefault(name, set()).update(_NAME.findall("\n".join(lines)))
    for name, variable in program.globals.items():
        names = [n.name for n in walk(variable.value) if isinstance(n, c.Name)]
        found.setdefault(name, set()).update(names)
    return found


def _macros(text: str) -> Iterator[tuple[str, str]]:
    for _, line in logical_lines(text):
        match = _DEFINE.match(line)
        if match:
            yield match[1], match[2]
