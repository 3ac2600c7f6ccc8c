# SPDX-License-Identifier: GPL-2.0-only
"""``check``: a table of verdicts, a line for each broken property, then the details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bounceproof.models.contract import meaning
from bounceproof.models.formulas.lifetime import DIRECTIONS
from bounceproof.models.request import Cell, KernelModel, PoolKind, RunsItself
from bounceproof.report.configurations import configurations, name
from bounceproof.report.domain import asked_of, asked_text, domain_json, domain_text
from bounceproof.report.formats import Answer
from bounceproof.report.judged import (
    about,
    judged_text,
    label,
    proved_names,
    proved_text,
    tool_text,
)
from bounceproof.report.reach import reach_json, reach_text
from bounceproof.report.request import (
    Extras,
    kernel_line,
    reproduced,
    shown_of,
    told,
    with_pool,
)
from bounceproof.report.text import counted, several, size_both, table, title, wrap
from bounceproof.report.violations import Violation, violation_of
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.verdict import (
    CellVerdict,
    Counterexample,
    Finding,
    Verdict,
)
from bounceproof.solver.counterexample.confirm import single_request

if TYPE_CHECKING:
    from bounceproof.report.machine.cases import Cases

_FACTS = 3
"""Verdicts other than holds that the table names for a property, at most."""


def counterexample_fields(
    kernel: KernelModel, example: Counterexample
) -> dict[str, Any]:
    """Request and outcome fields of a counterexample, the kernel first."""
    numbers = single_request(example.cell, example.point).fields()
    request = with_pool(kernel, numbers, example.outcome)
    more: dict[str, Any] = {}
    if "direction" in example.point:
        more["direction"] = DIRECTIONS[example.point["direction"]]
        more["sync_offset"] = example.point["sync_offset"]
        more["sync_size"] = example.point["sync_size"]
    if example.taken is not None:
        more["taken"] = [list(run) for run in example.taken]
    return {"kernel": label(kernel), **request, **example.outcome.fields(), **more}


def _violation(kernel: KernelModel, finding: Finding) -> Violation | None:
    example = finding.counterexample
    if example is None or not finding.confirmed:
        return None
    numbers = single_request(example.cell, example.point).fields()
    request = with_pool(kernel, numbers, example.outcome)
    shown = shown_of(kernel, example.cell, request)
    return violation_of(finding.prop, kernel, shown, example)


def finding_json(kernel: KernelModel, finding: Finding) -> dict[str, Any]:
    """One property as the JSON contract has it, and the limit and cells behind it."""
    example, violation = finding.counterexample, _violation(kernel, finding)
    fields = None if example is None else counterexample_fields(kernel, example)
    return {
        "property": finding.prop.value,
        "verdict": finding.verdict.shown,
        "counterexample": fields,
        "violation": None if violation is None else violation.text,
        "confirmed": finding.confirmed,
        "minimum": None if example is None else example.minimum,
        "every_start_index": None if example is None else example.every_index,
        "message": None
        if example is None or fields is None
        else kernel_line(fields, example.outcome, example.taken),
        "reason": finding.reason,
        "seconds": round(finding.seconds, 3),
        "limit": None if example is None else example.limit,
        "note": finding.note,
        "reach": reach_json(kernel, finding),
        "cells": [_cell_json(cell) for cell in finding.cells],
    }


def _cell_json(found: CellVerdict) -> dict[str, Any]:
    return {
        "page_size": found.cell.page_size,
        "path": found.cell.path.value,
        "granule": found.cell.granule,
        "min_align_mask": found.cell.min_align_mask,
        "limit": found.limit,
        "verdict": found.verdict.shown,
        "reason": found.reason,
    }


def fields(result: Checked) -> dict[str, Any]:
    """The JSON fields of ``check``."""
    return {
        "kernel": label(result.model),
        "domain": domain_json(asked_of(result)),
        "verdict": result.verdict.shown,
        "properties": [finding_json(result.model, f) for f in result.findings],
        "proved": proved_names(result),
        **about([result.model]),
    }


def _every_cell(result: Checked) -> list[Cell]:
    return list(dict.fromkeys(c.cell for f in result.findings for c in f.cells))


def _with(finding: Finding, verdict: Verdict) -> list[Cell]:
    return [c.cell for c in finding.cells if c.verdict.shown == verdict.shown]


def _beside(finding: Finding) -> str:
    """The remark that narrows a broken verdict down."""
    notes = (finding.note or "").split("; ")
    short = (note.partition(":")[0].removesuffix(" breaks it") for note in notes)
    return "".join(f"; {note}" for note in short if note.startswith("only "))


def _rows(finding: Finding, every: list[Cell]) -> list[tuple[str, ...]]:
    """A property in the table: its verdict, and where it is that one."""
    worst = finding.verdict
    others = (Verdict.BROKEN, Verdict.UNKNOWN)
    kinds = [worst, *(v for v in others if v.shown != worst.shown)]
    rows: list[tuple[str, ...]] = []
    for verdict in kinds[:_FACTS]:
        cells = _with(finding, verdict)
        if cells or verdict is worst:
            where = configurations(cells, every) if cells else ""
            more = _beside(finding) if verdict is Verdict.BROKEN else ""
            prop = "" if rows else finding.prop.value
            rows.append((prop, verdict.shown, f"{where}{more}"))
    return rows


def _counts(findings: Iterable[Finding]) -> str:
    """What is broken and unknown, by name, and how many properties hold."""
    by: dict[str, list[str]] = {}
    for finding in findings:
        by.setdefault(finding.verdict.shown, []).append(finding.prop.value)
    parts = []
    for verdict in (Verdict.BROKEN, Verdict.UNKNOWN):
        names = by.get(verdict.shown, [])
        parts += [f"{verdict.shown.capitalize()}: {', '.join(names)}."] if names else []
    holds, every = len(by.get(Verdict.HOLDS.value, [])), sum(map(len, by.values()))
    verb = "holds" if every == 1 else "hold"
    return " ".join([*parts, f"{holds} of {counted(every, 'property')} {verb}."])


def overview(result: Checked) -> list[str]:
    """The table: a property a row, or more where configurations differ."""
    every = _every_cell(result)
    lines = [wrap(_counts(result.findings)), ""]
    rows = [row for finding in result.findings for row in _rows(finding, every)]
    if len(every) == 1:
        lines[1:1] = [wrap(f"Asked in one configuration: {name(every[0])}.")]
        rows = [(*row[:2], row[2].partition("; ")[2]) for row in rows]
    head = ("property", "verdict", "" if len(every) == 1 else "configurations")
    return [*lines, *table([head, *rows])]


def smallest(kernel: KernelModel, finding: Finding, prefix: str = "") -> str:
    """The counterexample in a line: size, address, what it violates, where."""
    example = finding.counterexample
    assert example is not None
    point, violation = example.point, _violation(kernel, finding)
    at = f"{point['size']} bytes at {point['orig_addr']:#x}"
    if example.cell.pool_kind is PoolKind.TRANSIENT:
        pool = f"transient pool at {point['pool_start']:#x}"
    else:
        one = f"start index {point['start_index']}"
        pool = "every start index" if example.every_index else one
    parts = [f"{at} (limit {example.limit}), {pool}"]
    parts += [violation.text] if violation is not None else []
    if example.outcome.sz is not None:
        parts.append(f"sz {example.outcome.sz}")
    parts.append(name(example.cell))
    return prefix + "; ".join(parts)


def broken_lines(kernel: KernelModel, findings: Iterable[Finding]) -> list[str]:
    """A line for each broken property, then one for each that is not known."""
    findings = list(findings)
    rows = [
        (finding.prop.value, smallest(kernel, finding))
        for finding in findings
        if finding.counterexample is not None
    ]
    lines = ["", f"The smallest request that breaks {label(kernel)}:", *table(rows)]
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        if finding.reason is not None:
            reasons.setdefault(finding.reason, []).append(finding.prop.value)
    why = [(several(props), reason) for reason, props in reasons.items()]
    unknown = ["", "Unknown, because:", *table(why)] if why else []
    return (lines if rows else []) + reach_text(kernel, findings) + unknown


def _limits(finding: Finding) -> list[tuple[str, ...]]:
    """Verdict, limit and configurations of a property, like ones in one row."""
    every = [cell.cell for cell in finding.cells]
    alike: dict[tuple[str, str], list[Cell]] = {}
    for found in finding.cells:
        key = found.verdict.shown, size_both(found.limit)
        alike.setdefault(key, []).append(found.cell)
    order = [verdict.shown for verdict in (Verdict.BROKEN, Verdict.UNKNOWN)]
    keys = sorted(alike, key=lambda key: key[0] not in order)
    return [(*key, configurations(alike[key], every)) for key in keys]


def _seen(model: KernelModel, finding: Finding, example: Counterexample) -> str:
    rank = "The smallest" if example.minimum else "A request, not proved the smallest"
    own = isinstance(model, RunsItself)
    where = "by running the tree's own code" if own else "in the simulator"
    seen = "confirmed" if finding.confirmed else "NOT CONFIRMED"
    return f"{rank}, {seen} {where}; driver's limit {size_both(example.limit)}:"


def counterexample_text(model: KernelModel, finding: Finding) -> list[str]:
    """The counterexample with its arithmetic, picture and command."""
    example = finding.counterexample
    assert example is not None
    point = example.point
    violation = _violation(model, finding)
    at = f"{point['size']} bytes at {point['orig_addr']:#x}"
    why = f": {violation.text}" if violation is not None else ""
    lines = ["", wrap(_seen(model, finding, example), "  ")]
    index = ", from every start index" if example.every_index else ""
    lines += [wrap(f"{at}{index}{why}", "  "), ""]
    request = single_request(example.cell, point).fields()
    more = Extras(example.taken, example.history, violation)
    return lines + told(model, example.cell, request, example.outcome, more)


def command_of(model: KernelModel, example: Counterexample) -> list[str]:
    """The command that shows a counterexample, with its heading."""
    numbers = single_request(example.cell, example.point).fields()
    request = with_pool(model, numbers, example.outcome)
    return reproduced(model, request, Extras(example.taken, example.history))


def finding_text(
    model: KernelModel, finding: Finding, kind: PoolKind = PoolKind.DEFAULT
) -> list[str]:
    """One property in full: verdict, configurations, and the counterexample if any."""
    head = f"{finding.prop.value}: {finding.verdict.shown}"
    lines = [head, wrap(meaning(finding.prop, kind), "  ")]
    if finding.reason is not None:
        lines.append(wrap(f"because: {finding.reason}", "  ", "    "))
    if finding.cells:
        lines += table([("verdict", "limit", "configurations"), *_limits(finding)])
    if finding.note is not None:
        lines.append(wrap(f"note: {finding.note}", "  ", "    "))
    if finding.counterexample is None:
        return lines
    return lines + counterexample_text(model, finding) + reach_text(model, [finding])


def as_text(result: Checked, verbose: bool = False) -> str:
    """``check`` for a reader; in full of one property, or where told so."""
    model, findings = result.model, result.findings
    lines = [*title(f"check {label(model)}: {result.verdict.shown}"), ""]
    lines += judged_text([model])
    detailed = verbose or len(findings) == 1
    if len(findings) > 1:
        lines += [*overview(result), *broken_lines(model, findings), ""]
    for finding in findings if detailed else ():
        lines += [*finding_text(model, finding, result.domain.pool_kind), ""]
    lines += proved_text(result)
    about_domain = domain_text if verbose else asked_text
    lines += about_domain(asked_of(result))
    if not detailed:
        lines.append("Details: --verbose, or --property NAME.")
    return "\n".join([*lines, *tool_text([model])])


def answer(result: Checked) -> Answer:
    """``check`` in any format."""

    def cases() -> Cases:
        from bounceproof.report.machine.cases import of_check

        return of_check(result)

    def mail() -> str:
        from bounceproof.report.mail import of_check

        return of_check(result)

    return Answer(
        "check",
        lambda: fields(result),
        lambda verbose: as_text(result, verbose),
        cases=cases,
        mail=mail,
    )
