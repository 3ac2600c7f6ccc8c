# SPDX-License-Identifier: GPL-2.0-only
"""The arguments of a call by the names of the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import Value


class Arguments(Mapping[str, Value]):
    """Arguments by parameter; asked for one there is not, NotUnderstood."""

    def __init__(self, function: c.Function, held: dict[str, Value]) -> None:
        self._function, self._held = function, held

    def __getitem__(self, name: str) -> Value:
        if name not in self._held:
            raise _refusal(self._function, f"a parameter {name}")
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def named(function: c.Function, arguments: Sequence[Value]) -> Arguments:
    """What a call of ``function`` gives it; NotUnderstood for too few or too many."""
    names = [name for _, name, _ in function.parameters]
    if len(arguments) != len(names):
        need = f"a call with {len(names)} arguments, not {len(arguments)}"
        raise _refusal(function, need)
    return Arguments(function, dict(zip(names, arguments, strict=True)))


def _refusal(function: c.Function, need: str) -> NotUnderstood:
    return NotUnderstood(function.file, function.line, f"{function.name}()", need)
