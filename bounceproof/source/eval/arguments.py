# SPDX-License-Identifier: GPL-2.0-only
"""The arguments of a call by the names of the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.core import Core
from bounceproof.source.eval.memory import Value


class Arguments(Mapping[str, Value]):
    """Arguments by parameter; asked for one there is not, NotUnderstood."""

    def __init__(self, function: c.Function, held: dict[str, Value]) -> None:
        self._function, self._held = function, held

    def __getitem__(self, name: str) -> Value:
        if name not in self._held:
            function = self._function
            text, need = f"{function.name}()", f"a parameter {name}"
            raise NotUnderstood(function.file, function.line, text, need)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def named(
    ev: Core, function: c.Function, arguments: Sequence[Value], call: c.Node
) -> Arguments:
    """What ``call`` gives ``function``; NotUnderstood for too few or too many."""
    names = [name for _, name, _ in function.parameters]
    if len(arguments) != len(names):
        need = f"{len(names)} arguments for {function.name}(), not {len(arguments)}"
        raise ev.fail(call, need)
    return Arguments(function, dict(zip(names, arguments, strict=True)))
