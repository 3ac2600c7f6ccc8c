# SPDX-License-Identifier: GPL-2.0-only
"""``prove`` as text and as JSON: first what changed, then how it was found."""

from __future__ import annotations

from typing import Any

from bounceproof.models.request import PoolKind
from bounceproof.report.checks import finding_json, finding_text
from bounceproof.report.domain import asked_of, cell_text, domain_json, domain_text
from bounceproof.report.judged import (
    answer_json,
    judged_text,
    label,
    proved_text,
    tool_text,
)
from bounceproof.report.text import size_text, table, title, wrap
from bounceproof.solver.ask import Proved
from bounceproof.solver.changes import Change, Changed, changes
from bounceproof.solver.verdict import Counterexample, Finding, Verdict

_SECTIONS = {
    Change.FIXED: "Fixed",
    Change.STILL_BROKEN: "Still broken",
    Change.REGRESSED: "Regressed",
    Change.UNDECIDED: "Not decided",
    Change.HOLDS_NOW: "Hold now",
    Change.HOLDS: "Hold in both",
}
_ALWAYS = (Change.FIXED, Change.STILL_BROKEN, Change.REGRESSED)


def _names(found: tuple[Changed, ...], change: Change) -> list[str]:
    return [one.prop.value for one in found if one.change is change]


def _change_json(found: Changed) -> dict[str, Any]:
    return {
        "property": found.prop.value,
        "base": found.base.verdict.shown,
        "kernel": found.kernel.verdict.shown,
        "change": found.change.value,
        "newly_broken_cells": [cell_text(cell.cell) for cell in found.cells],
    }


def as_json(result: Proved) -> str:
    """One JSON object, schema 1: as ``check``, with the base and what changed."""
    base, kernel = result.base.model, result.kernel.model
    found = changes(result)
    fields = {
        "kernel": label(kernel),
        "base": label(base),
        "domain": domain_json(asked_of(result.kernel, result.base)),
        "verdict": result.kernel.verdict.shown,
        "fixed": _names(found, Change.FIXED),
        "still_broken": _names(found, Change.STILL_BROKEN),
        "regressed": _names(found, Change.REGRESSED),
        "undecided": _names(found, Change.UNDECIDED),
        "changes": [_change_json(one) for one in found],
        "properties": [finding_json(kernel, f) for f in result.kernel.findings],
        "base_properties": [finding_json(base, f) for f in result.base.findings],
        "worse": [finding_json(kernel, f) for f in result.worse],
    }
    return answer_json("prove", fields, [kernel])


def _limits(finding: Finding) -> str:
    limits = sorted({cell.limit for cell in finding.cells}, reverse=True)
    return ", ".join(size_text(limit) for limit in limits)


def _pool(example: Counterexample) -> str:
    point = example.point
    if example.cell.pool_kind is PoolKind.TRANSIENT:
        return f"transient pool at {point['pool_start']:#x}"
    index, slots = point["start_index"], point["area_nslabs"]
    return f"start index {index}, {slots} slots an area"


def _base_line(finding: Finding) -> str:
    example = finding.counterexample
    text = f"{finding.prop.value}: {finding.verdict.shown}"
    if finding.cells:
        text += f" (limit {_limits(finding)})"
    if finding.reason is not None:
        text += f"; {finding.reason}"
    if example is None:
        return text
    point, cell = example.point, example.cell
    rank = "smallest" if example.minimum else "not proved smallest"
    what = (
        f"; {rank}: {point['size']} bytes at {point['orig_addr']:#x}, "
        f"{_pool(example)}, path {cell.path.value}, page {size_text(cell.page_size)}"
    )
    logged = example.outcome["sz"]
    return text + what + (f", sz {logged}" if logged is not None else "")


def _size(finding: Finding) -> str:
    """A verdict in a column of the table, with the size that fails."""
    example = finding.counterexample
    size = "" if example is None else f", {example.point['size']} bytes"
    return f"{finding.verdict.shown}{size}"


def _summary(found: tuple[Changed, ...]) -> list[str]:
    """What changed: the sections, then property by base and kernel."""
    rows = []
    for change, name in _SECTIONS.items():
        names = _names(found, change)
        if names or change in _ALWAYS:
            rows.append((name, ", ".join(names) or "none"))
    each = [
        (one.prop.value, _size(one.base), _size(one.kernel), one.change.value)
        for one in found
    ]
    head = ("property", "base", "kernel", "change")
    return ["What changed:", *table(rows), "", *table([head, *each]), ""]


def _same_request(finding: Finding, other: Finding) -> bool:
    one, two = finding.counterexample, other.counterexample
    if one is None or two is None:
        return False
    return (one.cell, one.point) == (two.cell, two.point)


def _regression(result: Proved, found: Changed) -> list[str]:
    """Why a property is said to have regressed."""
    prop, lines = found.prop.value, []
    worse, base = found.worse, label(result.base.model)
    if worse is not None and worse.verdict is Verdict.BROKEN:
        lines.append(wrap(f"{prop}: a request that {base} handles right", "  ", "    "))
        if _same_request(worse, found.kernel):
            text = "it is the smallest that the kernel gets wrong, shown below"
            lines.append(wrap(text, "    "))
        else:
            kind = result.kernel.domain.pool_kind
            lines += finding_text(result.kernel.model, worse, kind)
    for cell in found.cells:
        text = f"{prop}: broken now, with limit {size_text(cell.limit)}, in "
        lines.append(wrap(text + cell_text(cell.cell), "  ", "    "))
    return lines


def _regressions(result: Proved, found: tuple[Changed, ...]) -> list[str]:
    lines = []
    for one in found:
        if one.change is Change.REGRESSED:
            lines += [*_regression(result, one), ""]
    return ["What regressed:", *lines] if lines else []


def _undecided(found: tuple[Changed, ...]) -> list[str]:
    """Why nothing can be said of the properties that are not decided."""
    lines = []
    for one in found:
        asked = (one.kernel, one.worse)
        reasons = [f.reason for f in asked if f is not None and f.reason is not None]
        if one.change is Change.UNDECIDED:
            text = "; ".join(dict.fromkeys(reasons)) or "the base has no answer there"
            lines.append(wrap(f"{one.prop.value}: {text}", "  ", "    "))
    return ["What is not decided:", *lines, ""] if lines else []


def _kernel_text(result: Proved, finding: Finding) -> list[str]:
    if finding.verdict is not Verdict.HOLDS or len(finding.cells) <= 1:
        kind = result.kernel.domain.pool_kind
        return [*finding_text(result.kernel.model, finding, kind), ""]
    empty = sum(cell.verdict is Verdict.NO_REQUEST for cell in finding.cells)
    text = f"in {len(finding.cells) - empty} cells of page, path, granule and mask"
    text += f", limits {_limits(finding)}"
    text += f"; no request in {empty} others" if empty else ""
    return [f"{finding.prop.value}: HOLDS", wrap(text, "  "), ""]


def _lost_paths(result: Proved) -> list[str]:
    """A warning where the kernel was asked on fewer paths than its base."""
    before, after = ({c.path for c in r.cells} for r in (result.base, result.kernel))
    lost = ", ".join(sorted(path.value for path in before - after))
    text = f"warning: path {lost} was asked of the base alone: see the domain"
    return [wrap(text, "", "  "), ""] if lost else []


def as_text(result: Proved) -> str:
    """``prove`` for a reader."""
    base, kernel = result.base.model, result.kernel.model
    found = changes(result)
    lines = [*title(f"prove {label(kernel)}: {result.kernel.verdict.shown}"), ""]
    lines += judged_text([kernel])
    if found:
        lines += [*_lost_paths(result), *_summary(found)]
        lines += [*_regressions(result, found), *_undecided(found)]
        lines.append(f"The base, {label(base)}:")
        lines += [wrap(_base_line(f), "  ", "    ") for f in result.base.findings]
        lines += ["", f"The kernel, {label(kernel)}:"]
    for finding in result.kernel.findings:
        lines += _kernel_text(result, finding)
    lines += proved_text(result.kernel)
    asked = asked_of(result.kernel, result.base)
    return "\n".join([*lines, *domain_text(asked), *tool_text([kernel])])
