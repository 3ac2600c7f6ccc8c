# SPDX-License-Identifier: GPL-2.0-only
"""Walking the syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from bounceproof.source.cparse import syntax as c

_SLOTS: dict[type, tuple[str, ...]] = {}


def walk(node: object) -> Iterator[c.Node]:
    """``node`` and every node below it, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, c.Node):
            yield current
            kind = type(current)
            if kind not in _SLOTS:
                _SLOTS[kind] = tuple(f.name for f in fields(current))
            children = [getattr(current, name) for name in _SLOTS[kind]]
            stack += reversed(children)
        elif isinstance(current, list | tuple):
            stack += reversed(current)


def calls_in(node: object) -> list[str]:
    """The names called below ``node``, in source order."""
    return [
        found.function.name
        for found in walk(node)
        if isinstance(found, c.Call) and isinstance(found.function, c.Name)
    ]


def calls_of(function: c.Function) -> tuple[str, ...]:
    """The names called in the body of ``function``, walked once."""
    if function.called is None:
        function.called = tuple(calls_in(function.body))
    return function.called
