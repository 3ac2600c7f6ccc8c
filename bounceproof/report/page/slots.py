# SPDX-License-Identifier: GPL-2.0-only
"""A slot set laid out: rows of 64 slots, runs of one mark, where granules begin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from bounceproof.report.picture import KEY, Slots, marks_of

ACROSS = 64
CLASSES = {
    "#": "mapped",
    "p": "padding",
    "!": "fault",
    "+": "wanted",
    "x": "past",
    "o": "used",
    "|": "admissible",
    ".": "other",
}
"""What a style sheet calls each mark."""
MOST_PAST = 2 * ACROSS


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` slots of one mark from ``column`` on; ``first``: pool-wide."""

    mark: str
    kind: str
    column: int
    count: int
    first: int

    @property
    def told(self) -> str:
        """What the run is, for who points at it."""
        last = self.first + self.count - 1
        where = (
            f"slot {self.first}" if self.count == 1 else f"slots {self.first}-{last}"
        )
        return f"{where}: {KEY[self.mark]}"


@dataclass(frozen=True, slots=True)
class Row:
    """Slots of one row; ``granules``: the columns at which one begins.

    ``past``: these lie past the end of the slot set.
    """

    first: int
    count: int
    runs: tuple[Run, ...]
    granules: tuple[int, ...]
    past: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A slot set; ``key``: mark, class and meaning of those that occur.

    ``granule``: bytes, None where the path has none.
    """

    rows: tuple[Row, ...]
    key: tuple[tuple[str, str, str], ...]
    granule: int | None
    told: str


def _row(first: int, marks: list[str], begins: set[int], past: bool) -> Row:
    runs, column = [], 0
    for mark, group in groupby(marks):
        count = len(list(group))
        runs.append(Run(mark, CLASSES[mark], column, count, first + column))
        column += count
    granules = tuple(c for c in range(len(marks)) if first + c in begins)
    return Row(first, len(marks), tuple(runs), granules, past)


def _told(runs: list[Run]) -> str:
    """The picture in words, for who does not see it."""
    return "; ".join(run.told for run in runs if run.mark != ".") or "no slot is marked"


def layout(slots: Slots, pool_start: int, granule: int | None) -> Layout:
    """The slot set of a pool at ``pool_start``; ``granule`` in bytes, or None."""
    marks, past = marks_of(slots), min(max(slots.past(), 0), MOST_PAST)
    size = slots.geometry.size
    begins: set[int] = set()
    if granule is not None and granule > size:
        every = range(slots.first, slots.end + past)
        begins = {at for at in every if (pool_start + at * size) % granule == 0}
    rows = [
        _row(slots.first + at, marks[at : at + ACROSS], begins, False)
        for at in range(0, slots.size, ACROSS)
    ]
    if past:
        beyond = ["x"] * past
        rows += [
            _row(slots.end + at, beyond[at : at + ACROSS], begins, True)
            for at in range(0, past, ACROSS)
        ]
    runs = [run for row in rows for run in row.runs]
    seen = {run.mark for run in runs}
    key = tuple((m, CLASSES[m], text) for m, text in KEY.items() if m in seen)
    return Layout(tuple(rows), key, granule if begins else None, _told(runs))
