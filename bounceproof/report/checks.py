# SPDX-License-Identifier: GPL-2.0-only
"""``check`` as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bounceproof.models.lifetime import DIRECTIONS
from bounceproof.models.request import KernelModel, PoolKind, RunsItself
from bounceproof.report.domain import asked_of, domain_json, domain_text
from bounceproof.report.judged import (
    answer_json,
    judged_text,
    label,
    proved_names,
    proved_text,
    tool_text,
)
from bounceproof.report.request import Extras, kernel_line, tell, with_pool
from bounceproof.report.text import size_both, size_text, table, title, wrap
from bounceproof.solver.ask import Checked
from bounceproof.solver.confirm import single_request
from bounceproof.solver.properties import meaning
from bounceproof.solver.verdict import Counterexample, Finding, Verdict


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
    return {"kernel": label(kernel), **request, **example.outcome, **more}


def finding_json(kernel: KernelModel, finding: Finding) -> dict[str, Any]:
    """One property as the JSON contract has it, and the limit and cells behind it."""
    example = finding.counterexample
    fields = None if example is None else counterexample_fields(kernel, example)
    return {
        "property": finding.prop.value,
        "verdict": finding.verdict.shown,
        "counterexample": fields,
        "confirmed": finding.confirmed,
        "minimum": None if example is None else example.minimum,
        "message": None
        if example is None or fields is None
        else kernel_line(fields, fields, example.taken),
        "reason": finding.reason,
        "seconds": round(finding.seconds, 3),
        "limit": None if example is None else example.limit,
        "note": finding.note,
        "cells": [
            {
                "page_size": c.cell.page_size,
                "path": c.cell.path.value,
                "granule": c.cell.granule,
                "min_align_mask": c.cell.min_align_mask,
                "limit": c.limit,
                "verdict": c.verdict.shown,
                "reason": c.reason,
            }
            for c in finding.cells
        ],
    }


def as_json(result: Checked) -> str:
    """One JSON object, schema 1."""
    fields = {
        "kernel": label(result.model),
        "domain": domain_json(asked_of(result)),
        "verdict": result.verdict.shown,
        "properties": [finding_json(result.model, f) for f in result.findings],
        "proved": proved_names(result),
    }
    return answer_json("check", fields, [result.model])


def _cell_rows(finding: Finding) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for c in finding.cells:
        granule = size_text(c.cell.granule) if c.cell.path.has_granule else "-"
        rows.append(
            (
                size_text(c.cell.page_size),
                c.cell.path.value,
                granule,
                f"{c.cell.min_align_mask:#x}",
                size_both(c.limit),
                c.verdict.shown,
            )
        )
    return rows


def _most_cells(rows: list[tuple[str, ...]]) -> list[str]:
    head = ("page", "path", "granule", "mask", "limit", "verdict")
    if len(rows) <= 12:
        return table([head, *rows])
    other = [row for row in rows if row[-1] != Verdict.HOLDS.value]
    if not other:
        return [f"  {len(rows)} cells of page, path, granule and mask; all hold"]
    counts = Counter(row[-1] for row in rows)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return [*table([head, *other[:12]]), f"  ({len(rows)} cells: {told})"]


def finding_text(
    model: KernelModel, finding: Finding, kind: PoolKind = PoolKind.DEFAULT
) -> list[str]:
    """One property: the verdict, the cells, and the counterexample if any."""
    head = f"{finding.prop.value}: {finding.verdict.shown.upper()}"
    lines = [head, wrap(meaning(finding.prop, kind), "  ")]
    if finding.reason is not None:
        lines.append(wrap(f"reason: {finding.reason}", "  ", "    "))
    lines += _most_cells(_cell_rows(finding)) if finding.cells else []
    example = finding.counterexample
    if example is None:
        return lines if finding.note is None else [*lines, wrap(finding.note, "  ")]
    rank = "The smallest" if example.minimum else "A (not proved smallest)"
    seen = "confirmed" if finding.confirmed else "NOT CONFIRMED"
    own = isinstance(model, RunsItself)
    where = "by running the tree's own code" if own else "in the simulator"
    lines += [
        "",
        wrap(
            f"{rank} counterexample, {seen} {where}; "
            f"driver's limit {size_both(example.limit)}:",
            "  ",
        ),
    ]
    if finding.note is not None:
        lines.append(wrap(finding.note, "  "))
    request = single_request(example.cell, example.point).fields()
    more = Extras(example.taken, example.history)
    return lines + tell(model, example.cell, request, example.outcome, more)


def as_text(result: Checked) -> str:
    """``check`` for a reader."""
    model = result.model
    lines = [*title(f"check {label(model)}: {result.verdict.shown}"), ""]
    lines += judged_text([model])
    for finding in result.findings:
        lines += [*finding_text(model, finding, result.domain.pool_kind), ""]
    lines += proved_text(result)
    lines += [*domain_text(asked_of(result)), *tool_text([model])]
    return "\n".join(lines)
