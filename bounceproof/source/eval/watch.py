# SPDX-License-Identifier: GPL-2.0-only
"""Noticing that a loop does not end."""

from __future__ import annotations

from bounceproof.models.words.word import Word
from bounceproof.source.eval.memory import Location, State, Value

WATCH_FROM = 1024


class Watch:
    """Notices that a loop comes back to a state it had been in (Brent)."""

    def __init__(self) -> None:
        self._held: dict[Location, object] | None = None
        self._writes = -1
        self._next = WATCH_FROM

    def repeats(self, turn: int, state: State, writes: int) -> bool:
        """Whether ``state`` is one seen before, with memory unchanged since."""
        frame, held = state.frames[state.frame], self._held
        if writes != self._writes:
            self._writes, self._held = writes, None
            return False
        if held is not None and len(held) == len(frame):
            same = (held.get(key) == _plain(value) for key, value in frame.items())
            if all(same):
                return True
        if held is None or turn >= self._next:
            self._held = {key: _plain(value) for key, value in frame.items()}
            self._next = 2 * turn
        return False


def _plain(value: Value) -> object:
    return value.raw if isinstance(value, Word) else value
