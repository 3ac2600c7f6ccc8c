# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of a program call which."""

from __future__ import annotations

from collections.abc import Iterator

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in, calls_of
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.program.program import Program

COPIES = frozenset({"memcpy", "memcpy_from_page", "memcpy_to_page"})


def reachable(
    program: Program,
    start: str,
    file: str = "",
    unread: list[NotUnderstood] | None = None,
) -> Iterator[c.Function]:
    """``start``, as ``file`` sees it, and the functions it can call, nearest first.

    A function that cannot be read is added to ``unread``, and raised where that is
    None: what it calls is not known.
    """
    queue, seen = [(start, file)], {start}
    while queue:
        name, file = queue.pop(0)
        try:
            function = program.function(name, file)
        except NotUnderstood as error:
            if unread is None:
                raise
            unread.append(error)
            continue
        if function is None:
            continue
        yield function
        for called in calls_of(function):
            if called not in seen:
                seen.add(called)
                queue.append((called, function.file))


def reaches(program: Program, start: str, target: str) -> bool:
    """Whether ``start`` can call ``target``, by whatever way.

    What a function that cannot be read calls is taken from its words, and what cannot
    be read of a function's file may be a part of it.  What a function of swiotlb that
    no file defines would call is not known either.
    """
    queue, seen = [(start, "")], {start}
    while queue:
        name, file = queue.pop(0)
        try:
            function = program.function(name, file)
            called = set(calls_of(function)) if function else set()
            if function is None and "swiotlb" in name:
                return True
            file = "" if function is None else function.file
        except NotUnderstood as error:
            called, file = program.words_of(name), error.file
        called |= program.unread_words(file)
        if target in called:
            return True
        queue += [(below, file) for below in called - seen]
        seen |= called
    return False


def copiers(program: Program, search: str) -> list[str]:
    """The functions below swiotlb_tbl_map_single() that copy, and do not search.

    They return nothing: what they copy decides nothing of the mapping.
    """
    return [
        function.name
        for function in reachable(program, "swiotlb_tbl_map_single")
        if isinstance(function.result, c.VoidType)
        and COPIES.intersection(calls_of(function))
        and all(below.name != search for below in reachable(program, function.name))
    ]


def reachable_calls(program: Program, node: object, file: str) -> frozenset[str]:
    """The names of all that is called below ``node``, as ``file`` sees it."""
    names: set[str] = set()
    for name in calls_in(node):
        if name not in names:
            names.add(name)
            for function in reachable(program, name, file):
                names.add(function.name)
                names.update(calls_of(function))
    return frozenset(names)
