# SPDX-License-Identifier: GPL-2.0-only
"""A kernel state that notes which of its decision points are read.

An answer depends on nothing else of the state: kernels that have these in common give
the same formula, and the same answer.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bounceproof.models.kernels.state import DECISION_POINTS, KernelState

Reads = tuple[tuple[str, object], ...]
"""Decision points with the values that an answer depends on."""
_POINTS = frozenset(DECISION_POINTS)


class Noted(KernelState):
    """A state whose decision points are noted as they are read."""

    __slots__ = ("_read",)
    _read: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name in _POINTS:
            object.__getattribute__(self, "_read").add(name)
        return object.__getattribute__(self, name)


def noted(state: KernelState) -> Noted:
    """``state``, of which nothing has been read."""
    copy: Noted = object.__new__(Noted)
    object.__setattr__(copy, "_read", set())
    for field in fields(KernelState):
        object.__setattr__(copy, field.name, getattr(state, field.name))
    return copy


def reads_of(state: Noted) -> Reads:
    """What was read of ``state`` so far."""
    names = set(object.__getattribute__(state, "_read"))
    return tuple((name, getattr(state, name)) for name in sorted(names))


def everything(state: KernelState) -> Reads:
    """As if all of ``state`` had been read."""
    return tuple((name, getattr(state, name)) for name in DECISION_POINTS)


def agrees(state: KernelState, reads: Reads) -> bool:
    """Whether ``state`` has every value that was read."""
    return all(getattr(state, name) == value for name, value in reads)
