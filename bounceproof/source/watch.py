# SPDX-License-Identifier: GPL-2.0-only
"""Noticing that a loop does not end."""

from __future__ import annotations

from bounceproof.models.word import Word
from bounceproof.source.memory import State

WATCH_FROM = 1024


class Watch:
    """Notices that a loop comes back to a state it had been in (Brent)."""

    def __init__(self) -> None:
        self._held: tuple[object, ...] | None = None
        self._writes = -1
        self._next = WATCH_FROM

    def repeats(self, turn: int, state: State, writes: int) -> bool:
        """Whether ``state`` is one seen before, with memory unchanged since."""
        frame = state.frames[state.frame]
        now = tuple(
            (key, value.raw if isinstance(value, Word) else value)
            for key, value in frame.items()
        )
        if writes == self._writes and now == self._held:
            return True
        if writes != self._writes or turn >= self._next:
            self._held, self._writes, self._next = now, writes, 2 * turn
        return False
