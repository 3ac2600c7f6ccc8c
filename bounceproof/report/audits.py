# SPDX-License-Identifier: GPL-2.0-only
"""``audit`` as a table line by line, as JSON, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bounceproof.audit.cells import Unit
from bounceproof.audit.run import Line
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.report.checks import finding_json
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about
from bounceproof.report.text import counted, short_size, width, wrap
from bounceproof.solver.contract import verdict
from bounceproof.solver.contract.verdict import Finding, Verdict

if TYPE_CHECKING:
    from bounceproof.report.machine.cases import Cases

_HEAD = ("kernel", "property", "device", "page", "path", "limit", "verdict")
_LAST = "smallest"
_OF_CELLS = Verdict.NO_REQUEST


def _path(unit: Unit) -> str:
    if unit.granule is None:
        return unit.path.value
    return f"{unit.path.value}/{short_size(unit.granule)}"


def _limit(finding: Finding) -> str:
    limits = {cell.limit for cell in finding.cells}
    return short_size(limits.pop()) if len(limits) == 1 else "-"


class Notes:
    """Numbers for what narrows broken verdicts down, in the order they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, finding: Finding) -> str:
        """The numbers of a finding's notes, such as `` [1]``."""
        notes = (finding.note or "").split("; ")
        marks = [
            f" [{self._numbers.setdefault(note, len(self._numbers) + 1)}]"
            for note in notes
            if note.startswith("only ")
        ]
        return "".join(marks)

    def legend(self) -> list[str]:
        """What the numbers stand for."""
        return [f"[{number}] {note}" for note, number in self._numbers.items()]


def _smallest(finding: Finding, notes: Notes) -> str:
    example = finding.counterexample
    if example is None:
        return finding.reason or ""
    most = "" if example.minimum else "at most "
    point = example.point
    return f"{most}{point['size']} at {point['orig_addr']:#x}{notes.mark(finding)}"


class Table:
    """Lines of equal columns, the last one cut where the line is full."""

    def __init__(self, units: Sequence[Unit]) -> None:
        widest = [
            max(map(len, column))
            for column in zip(
                _HEAD[:5], *(self.names(unit) for unit in units), strict=True
            )
        ]
        self._notes = Notes()
        self._widths = [*widest, len(_HEAD[5]), len(Verdict.DISAGREE.value)]

    @staticmethod
    def names(unit: Unit) -> tuple[str, ...]:
        """The columns that say which cell it is."""
        page = short_size(unit.page_size)
        names = unit.state.name, unit.prop.value, unit.device.name
        return (*names, page, _path(unit))

    def _row(self, cells: tuple[str, ...], last: str) -> str:
        row = " ".join(c.ljust(w) for c, w in zip(cells, self._widths, strict=True))
        room = max(width() - len(row) - 1, len(_LAST))
        cut = last if len(last) <= room else f"{last[: room - 3]}..."
        return f"{row} {cut}".rstrip()

    def head(self) -> str:
        """The names of the columns."""
        return self._row(_HEAD, _LAST)

    def line(self, line: Line) -> str:
        """One cell."""
        finding = line.finding
        answer = (_limit(finding), finding.verdict.shown)
        last = _smallest(finding, self._notes)
        return self._row((*self.names(line.unit), *answer), last)

    def legend(self) -> list[str]:
        """What the numbers in brackets stand for."""
        return [wrap(note, "", "    ") for note in self._notes.legend()]


def overall(lines: Iterable[Line]) -> Verdict:
    """One verdict for all lines."""
    return verdict.overall(line.finding.verdict for line in lines)


def exit_code(lines: Iterable[Line]) -> int:
    """The highest code of all lines."""
    return verdict.exit_code(line.finding.verdict for line in lines)


def counts(lines: Iterable[Line]) -> dict[str, int]:
    """Verdict to number of lines, every verdict named."""
    found = Counter(line.finding.verdict for line in lines)
    return {kind.value: found[kind] for kind in Verdict if kind is not _OF_CELLS}


def summary(lines: Sequence[Line]) -> str:
    """The last line of the table."""
    each = ", ".join(f"{n} {name}" for name, n in counts(lines).items() if n)
    stored = sum(line.stored for line in lines)
    asked = counted(len(lines), "question")
    return f"{asked}: {each}; {stored} of them from the store"


def _json_line(line: Line) -> dict[str, Any]:
    unit = line.unit
    return {
        "kernel": unit.state.name,
        "device": unit.device.name,
        "page_size": unit.page_size,
        "path": unit.path.value,
        "granule": unit.granule,
        "stored": line.stored,
        **finding_json(BuiltinKernel(unit.state), line.finding),
    }


def fields(lines: Sequence[Line]) -> dict[str, Any]:
    """The JSON fields; ``cells`` has what ``check`` says of a property."""
    return {
        "verdict": overall(lines).shown,
        "counts": counts(lines),
        "stored": sum(line.stored for line in lines),
        "cells": [_json_line(line) for line in lines],
        **about(()),
    }


def answer(lines: Sequence[Line], table: Table) -> Answer:
    """``audit`` in any format; of the text, what follows the lines of ``table``."""

    def cases() -> Cases:
        from bounceproof.report.machine.cases import of_audit

        return of_audit(lines)

    return Answer(
        "audit",
        lambda: fields(lines),
        lambda verbose: "\n".join([*table.legend(), summary(lines)]),
        lambda: as_markdown(lines),
        cases,
    )


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _mark(finding: Finding, notes: Notes) -> str:
    if finding.verdict is Verdict.HOLDS:
        return "holds"
    example = finding.counterexample
    size = "" if example is None else f" from {example.point['size']}"
    return f"**{finding.verdict.shown}**{size}{notes.mark(finding)}"


def _overview(lines: Sequence[Line]) -> str:
    """The worst verdict of some lines, and how many have it."""
    worst = overall(lines)
    if worst is Verdict.HOLDS:
        return "holds"
    bad = sum(line.finding.verdict is worst for line in lines)
    return f"**{worst.value}** in {bad} of {len(lines)}"


def as_markdown(lines: Sequence[Line]) -> str:
    """For each device, kernels by properties; then each cell."""
    out: list[str] = []
    notes = Notes()
    for device in dict.fromkeys(line.unit.device.name for line in lines):
        mine = [line for line in lines if line.unit.device.name == device]
        props = list(dict.fromkeys(line.unit.prop for line in mine))
        names = [prop.value for prop in props]
        out += [f"## {device}", ""]
        cells = ("kernel", "page", "path", "limit", *names)
        out += [*_markdown(("kernel", *names), _kernel_rows(mine)), ""]
        out += [*_markdown(cells, _cell_rows(mine, notes)), ""]
    legend = [f"* {note}" for note in notes.legend()]
    return "\n".join([*out, *legend]).rstrip()


def _kernel_rows(lines: Sequence[Line]) -> list[list[str]]:
    rows: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        kernel = rows.setdefault(line.unit.state.name, {})
        kernel.setdefault(line.unit.prop.value, []).append(line)
    return [
        [f"`{kernel}`", *(_overview(some) for some in row.values())]
        for kernel, row in rows.items()
    ]


def _cell_rows(lines: Sequence[Line], notes: Notes) -> list[list[str]]:
    rows: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        unit = line.unit
        cell = (f"`{unit.state.name}`", short_size(unit.page_size), _path(unit))
        rows.setdefault(cell, []).append(line)
    return [
        [*cell, _limit(row[0].finding), *(_mark(line.finding, notes) for line in row)]
        for cell, row in rows.items()
    ]
