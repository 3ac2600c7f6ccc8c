# SPDX-License-Identifier: GPL-2.0-only
"""A slot set drawn as text, 64 slots a line, with the key to its marks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.report.text import table, width

_MARGIN = 9
_MOST_PAST = 16
KEY = {
    "#": "slot of the mapping",
    "p": "padding slot of the mapping",
    "!": "slot at fault",
    "+": "slot wanted",
    "x": "slot wanted, past the end",
    "o": "slot in use",
    "|": "admissible slot",
    ".": "any other slot",
}
"""What each mark stands for, the one that hides others first."""


@dataclass(frozen=True, slots=True)
class Slots:
    """What there is to draw of one slot set, by pool-wide slot.

    ``first``: its first slot.  ``size``: its slots, fewer than ``geometry`` has in a
    transient pool.  ``mapping``: the run of the mapping, the first ``padding`` of them
    padding.  ``wanted``: the run that the search did not give.  ``admissible``,
    ``used`` and ``fault`` may have slots of other sets.
    """

    first: int
    size: int
    mapping: range = range(0)
    padding: int = 0
    wanted: range = range(0)
    admissible: Iterable[int] = ()
    used: Iterable[tuple[int, int]] = ()
    fault: Iterable[int] = ()
    geometry: SlotGeometry = field(default=MAINLINE)

    @property
    def end(self) -> int:
        return self.first + self.size

    def past(self) -> int:
        """How many slots of a run lie past the end of the set."""
        runs = [run.stop for run in (self.mapping, self.wanted) if len(run)]
        return max([stop - self.end for stop in runs], default=0)


def marks_of(slots: Slots) -> list[str]:
    """The mark of each slot of the set, see :data:`KEY`."""
    marks = ["."] * slots.size

    def put(mark: str, places: Iterable[int]) -> None:
        for place in places:
            if slots.first <= place < slots.end:
                marks[place - slots.first] = mark

    put("|", slots.admissible)
    for low, high in slots.used:
        put("o", range(max(low, slots.first), min(high + 1, slots.end)))
    put("+", slots.wanted)
    put("#", slots.mapping)
    put("p", slots.mapping[: slots.padding])
    put("!", slots.fault)
    return marks


def draw(slots: Slots) -> list[str]:
    """The slots in rows, and a key to the marks that occur."""
    marks, past = marks_of(slots), max(slots.past(), 0)
    across = 64 if width() >= _MARGIN + 64 else 32
    lines = [
        f"{slots.first + at:8} {''.join(marks[at : at + across])}"
        for at in range(0, slots.size, across)
    ]
    if past:
        more = "..." if past > _MOST_PAST else ""
        lines.append(f"{'':{_MARGIN}}{'x' * min(past, _MOST_PAST)}{more}")
    seen = set(marks) | ({"x"} if past else set())
    key = [(mark, text) for mark, text in KEY.items() if mark in seen]
    return [*lines, *table(key, " " * _MARGIN)]
