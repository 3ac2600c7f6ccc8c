# SPDX-License-Identifier: GPL-2.0-only
"""Paths through statements: how they end, meet again and turn back."""

from __future__ import annotations

from typing import NamedTuple

from bounceproof.models.words.word import Truth
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import State, Value, merge_states
from bounceproof.source.eval.watch import WATCH_FROM, Watch


class PathEnds(Exception):
    """The path meets BUG(); nothing follows on it."""


class Outcome(NamedTuple):
    """How a statement ends: ``kind`` is next, break, continue, goto or return."""

    state: State
    kind: str
    detail: str | Value | None = None


class Turns:
    """The turns of one loop, or the jumps back in one block, that go on unasked.

    ``turns`` counts them, ``split`` those from which some path left the loop.
    """

    def __init__(self) -> None:
        self.turns = self.split = 0
        self._condition: object = None
        self._watch = Watch()

    def splits(self, state: State) -> bool:
        """Whether some path has left since the last turn."""
        raw = state.condition.raw
        if isinstance(raw, bool) or raw is self._condition:
            return False
        self._condition = raw
        self.split += 1
        return True

    def repeats(self, state: State, writes: int) -> bool:
        """Whether ``state`` is one seen before."""
        late = self.turns >= WATCH_FROM
        return late and self._watch.repeats(self.turns, state, writes)


def add_path(pending: dict[int, State], position: int, state: State) -> None:
    """Have ``state`` go on at ``position``."""
    if position in pending:
        state = merge_states(state.condition, state, pending[position])
    pending[position] = state


def branch_off(
    pending: dict[int, State], position: int, state: State, condition: Truth
) -> State | None:
    """Have ``state`` go on at ``position`` where ``condition``; returns the rest."""
    if not isinstance(condition.raw, bool):
        add_path(pending, position, state.fork(condition))
        return state.fork(~condition)
    if not condition.raw:
        return state
    add_path(pending, position, state)
    return None


def merge_all(states: list[State]) -> State:
    """The states of paths that meet."""
    merged = states[0]
    for state in states[1:]:
        merged = merge_states(state.condition, state, merged)
    return merged


def rejoin(
    condition: Truth, before: Truth | None, then: list[Outcome], other: list[Outcome]
) -> list[Outcome]:
    """Merge the paths of both sides that go on to the next statement.

    ``before``: the condition of both sides together, None where some path of theirs
    was left.
    """
    one = [o for o in then if o.kind == "next"]
    two = [o for o in other if o.kind == "next"]
    rest = [o for o in (*then, *other) if o.kind != "next"]
    if len(one) != 1 or len(two) != 1:
        return [*one, *two, *rest]
    merged = merge_states(condition, one[0].state, two[0].state)
    if not rest and before is not None:
        merged.condition = before
    return [Outcome(merged, "next"), *rest]


def goes_to(node: c.Block, position: int, outcome: Outcome) -> int | None:
    """Where in ``node`` a path goes on after ``position``, or None if it leaves it."""
    if outcome.kind == "next":
        return position + 1
    if outcome.kind == "goto":
        return node.labels.get(str(outcome.detail))
    return None
