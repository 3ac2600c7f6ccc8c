# SPDX-License-Identifier: GPL-2.0-only
"""The mutants of a kernel state: one decision point changed to one other value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, get_type_hints

from bounceproof.models.kernels.releases import RELEASES
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState


@dataclass(frozen=True, slots=True)
class Mutant:
    """``base`` with decision point ``point`` changed to ``value``.

    ``names`` are the built-in states that are like ``base`` in every decision point.
    """

    base: KernelState
    point: str
    value: Any
    names: tuple[str, ...]

    @property
    def state(self) -> KernelState:
        return self.base.with_(self.label, **{self.point: self.value})

    @property
    def was(self) -> str:
        """The value that the decision point has in ``base``, as a word."""
        return word(getattr(self.base, self.point))

    @property
    def now(self) -> str:
        return word(self.value)

    @property
    def label(self) -> str:
        return f"{self.base.name} {self.point} {self.now}"


def word(value: Any) -> str:
    """A value of a decision point as tables show it: a member's name, or a number."""
    return value.name if isinstance(value, StrEnum) else str(value)


@cache
def domain_of(point: str) -> tuple[Any, ...]:
    """Every value of ``point``: the members of its enum, both truth values, or the
    numbers that occur in built-in states with half the least and twice the largest."""
    kind = get_type_hints(KernelState)[point]
    if issubclass(kind, StrEnum):
        return tuple(kind)
    if kind is bool:
        return (False, True)
    numbers = sorted({getattr(state, point) for state in RELEASES})
    return (numbers[0] // 2, *numbers, numbers[-1] * 2)


def groups(states: Iterable[KernelState]) -> list[tuple[KernelState, ...]]:
    """States, those with equal decision points together, in order."""
    found: dict[tuple[Any, ...], list[KernelState]] = {}
    for state in states:
        found.setdefault(tuple(state.decisions().values()), []).append(state)
    return [tuple(alike) for alike in found.values()]


def mutants(states: Iterable[KernelState] = RELEASES) -> Iterator[Mutant]:
    """Every mutant of ``states``, decision point by decision point.

    States with equal decision points have their mutants in common.
    """
    alike = groups(states)
    for point in DECISION_POINTS:
        for value in domain_of(point):
            for group in alike:
                if getattr(group[0], point) != value:
                    names = tuple(state.name for state in group)
                    yield Mutant(group[0], point, value, names)
