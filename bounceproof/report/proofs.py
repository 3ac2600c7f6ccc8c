# SPDX-License-Identifier: GPL-2.0-only
"""``prove`` as text and as JSON."""

from __future__ import annotations

import json

from bounceproof.models.request import PoolKind
from bounceproof.report.checks import (
    domain_json,
    domain_text,
    finding_json,
    finding_text,
)
from bounceproof.report.text import size_text, title, wrap
from bounceproof.solver.ask import Proved
from bounceproof.solver.verdict import Counterexample, Finding, Verdict


def as_json(result: Proved) -> str:
    """One JSON object, schema 1: as ``check``, with the base and what got worse."""
    base, kernel = result.base.model, result.kernel.model
    return json.dumps(
        {
            "schema": 1,
            "command": "prove",
            "kernel": kernel.name,
            "base": base.name,
            "domain": domain_json(result.kernel.domain),
            "verdict": result.kernel.verdict.shown,
            "properties": [finding_json(kernel, f) for f in result.kernel.findings],
            "base_properties": [finding_json(base, f) for f in result.base.findings],
            "worse": [finding_json(kernel, f) for f in result.worse],
        }
    )


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
    if example is None:
        return text
    point, cell = example.point, example.cell
    what = (
        f"; smallest: {point['size']} bytes at {point['orig_addr']:#x}, "
        f"{_pool(example)}, path {cell.path.value}, page {size_text(cell.page_size)}"
    )
    logged = example.outcome["sz"]
    return text + what + (f", sz {logged}" if logged is not None else "")


def _worse_lines(result: Proved) -> list[str]:
    if not result.worse:
        return ["nothing: every property holds"]
    lines = []
    for finding in result.worse:
        if finding.verdict is Verdict.HOLDS:
            lines.append(
                wrap(
                    f"{finding.prop.value}: nothing got worse: no request within both "
                    "limits is right in the base and wrong here"
                )
            )
        else:
            lines += ["", f"WORSE, right in {result.base.name}, wrong here:"]
            kind = result.kernel.domain.pool_kind
            lines += finding_text(result.kernel.model, finding, kind)
    return lines


def as_text(result: Proved) -> str:
    """``prove`` for a reader."""
    base, kernel = result.base.model, result.kernel.model
    lines = [*title(f"prove {kernel.name}: {result.kernel.verdict.shown}"), ""]
    if base != kernel:
        lines.append(f"The base, {base.name}:")
        lines += [wrap(_base_line(f), "  ", "    ") for f in result.base.findings]
        lines += ["", f"The kernel, {kernel.name}:"]
    for finding in result.kernel.findings:
        lines += [*finding_text(kernel, finding, result.kernel.domain.pool_kind), ""]
    if base != kernel:
        lines += ["What got worse:", *_worse_lines(result), ""]
    return "\n".join([*lines, *domain_text(result.kernel.domain)])
