# SPDX-License-Identifier: GPL-2.0-only
"""What whoever waits for an answer hears of the questions on the way to it."""

from __future__ import annotations

from typing import Protocol

STOPS_AT_FORK = "stops at fork"
"""The name of threads that are not running while this process forks."""


class Watch(Protocol):
    """Hears, for whoever waits, what is asked next, and that of ``asked`` questions
    ``done`` are answered."""

    def __call__(self, text: str, done: int = 0, asked: int = 0) -> None: ...


def unwatched(text: str, done: int = 0, asked: int = 0) -> None:
    """Nobody waits."""


def told(watch: Watch, who: str, part: int = 0, parts: int = 1) -> Watch:
    """``watch``, which hears of whom something is asked too.

    ``part`` of ``parts`` that have as many questions each.
    """

    def telling(text: str, done: int = 0, asked: int = 0) -> None:
        words = ": ".join(word for word in (who, text) if word)
        watch(words, part * asked + done, parts * asked)

    return telling


def numbered(watch: Watch, asked: int) -> Watch:
    """``watch``, which hears a number: each text it has not heard is a question."""
    heard: set[str] = set()

    def counting(text: str, done: int = 0, asked: int = asked) -> None:
        heard.add(text)
        watch(text, min(len(heard) - 1, asked), asked)

    return counting
