# SPDX-License-Identifier: GPL-2.0-only
"""What a fix or patch changes, property by property."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.request import Cell
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import CellVerdict, Finding, Verdict, exit_code


class Change(StrEnum):
    """What became of a property between base and kernel."""

    REGRESSED = "regressed"
    UNDECIDED = "not decided"
    FIXED = "fixed"
    STILL_BROKEN = "still broken"
    HOLDS = "holds in both"
    HOLDS_NOW = "holds now"

    @property
    def verdict(self) -> Verdict:
        """The verdict on "nothing regressed"."""
        if self is Change.REGRESSED:
            return Verdict.BROKEN
        return Verdict.UNKNOWN if self is Change.UNDECIDED else Verdict.HOLDS


@dataclass(frozen=True, slots=True)
class Changed:
    """One property in base and kernel.

    ``worse``: a request within both drivers' limits that the base handles and the
    kernel does not, where the kernel was not proved right; its verdict is broken where
    there is one.  ``cells``: cells of the kernel that are broken although the base's
    holds, or has none, because its driver may send more there.
    """

    prop: Property
    base: Finding
    kernel: Finding
    worse: Finding | None
    change: Change
    cells: tuple[CellVerdict, ...]


def changes(result: Proved) -> tuple[Changed, ...]:
    """Every property asked, in the order asked; empty where there is no other base."""
    worse = {finding.prop: finding for finding in result.worse}
    if result.base is result.kernel:
        return ()
    pairs = zip(result.base.findings, result.kernel.findings, strict=True)
    return tuple(
        _changed(base, kernel, worse.get(kernel.prop), result.pairs)
        for base, kernel in pairs
    )


def regression_exit_code(result: Proved) -> int:
    """0 where it is proved that nothing regressed, 1 where something did, 3 and 4."""
    errors = [
        finding.verdict
        for finding in (*result.base.findings, *result.kernel.findings, *result.worse)
        if finding.verdict is Verdict.DISAGREE
    ]
    return exit_code([*errors, *(found.change.verdict for found in changes(result))])


def _changed(
    base: Finding, kernel: Finding, worse: Finding | None, pairs: dict[Cell, Cell]
) -> Changed:
    more, open_ = _beyond(base, kernel, pairs)
    change = _change(base, kernel, worse)
    if change is not Change.UNDECIDED and open_:
        change = Change.UNDECIDED
    if more:
        change = Change.REGRESSED
    return Changed(kernel.prop, base, kernel, worse, change, more)


def _change(base: Finding, kernel: Finding, worse: Finding | None) -> Change:
    """What became of requests that both drivers may send."""
    if worse is not None and worse.verdict is Verdict.BROKEN:
        return Change.REGRESSED
    if kernel.verdict is Verdict.HOLDS:
        if base.verdict is Verdict.BROKEN:
            return Change.FIXED
        both = base.verdict is Verdict.HOLDS
        return Change.HOLDS if both else Change.HOLDS_NOW
    decided = worse is not None and worse.verdict is Verdict.HOLDS
    broken = kernel.verdict is Verdict.BROKEN
    return Change.STILL_BROKEN if broken and decided else Change.UNDECIDED


def _beyond(
    base: Finding, kernel: Finding, pairs: dict[Cell, Cell]
) -> tuple[tuple[CellVerdict, ...], bool]:
    """Broken cells in which the kernel's driver may send what the base's may not.

    Those where the base's cell is not broken; and whether one is not decided.
    """
    before = {cell.cell: cell for cell in base.cells}
    found: list[CellVerdict] = []
    undecided = False
    for now in kernel.cells:
        if now.verdict is not Verdict.BROKEN:
            continue
        was = before.get(pairs[now.cell]) if now.cell in pairs else None
        if was is not None and was.limit >= now.limit:
            continue
        held = was is not None and was.verdict in (Verdict.HOLDS, Verdict.NO_REQUEST)
        if held or now.cell not in pairs:
            found.append(now)
        elif was is None or was.verdict is not Verdict.BROKEN:
            undecided = True
    return tuple(found), undecided
