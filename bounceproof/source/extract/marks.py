# SPDX-License-Identifier: GPL-2.0-only
"""Loops that mark slots, passed over where what they write does not matter."""

from __future__ import annotations

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import walk
from bounceproof.source.eval.memory import Poison, State
from bounceproof.source.extract.machine import Machine


class MarkingMachine(Machine):
    """A machine that passes over loops that write to slots and to variables alone.

    The variables must not be read afterwards; a loop without any slot written is run,
    since what it computes matters.
    """

    def passes_over(self, node: c.Loop, state: State) -> bool:
        """Whether the loop was passed over; what it assigns is then unknown."""
        names: set[str] = set()
        marks = False
        for found in walk(node):
            if isinstance(found, c.Return | c.Goto):
                return False
            if not isinstance(found, c.Assign | c.Update):
                continue
            if isinstance(found.target, c.Name) and found.target.local:
                names.add(found.target.name)
            elif isinstance(found.target, c.Member | c.Index) and self.in_sink(
                found.target, state
            ):
                marks = True
            else:
                return False
        if not marks or not only_computes(self, node):
            return False
        frame = state.frames[state.frame]
        for name in names:
            frame[(state.frame, name)] = Poison("a loop passed over assigns it")
        self.event("marks", state, line=node.line)
        return True


def only_computes(machine: Machine, node: c.Loop) -> bool:
    """Whether what a loop calls writes to nothing but callees' variables."""
    calls = (part for part in walk(node) if isinstance(part, c.Call))
    return all(machine.changes_nothing(call) for call in calls)
