# SPDX-License-Identifier: GPL-2.0-only
"""``theorem`` as text and as JSON."""

from __future__ import annotations

from typing import Any

from bounceproof.models.contract import CONTRACT
from bounceproof.models.request import Path
from bounceproof.report.domain import Asked, asked_of, domain_json
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, tool_text
from bounceproof.report.request import reproduced
from bounceproof.report.text import size_text, title, wrap
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.counterexample.confirm import single_request
from bounceproof.solver.limits.conditions import CONDITIONS
from bounceproof.solver.limits.theorem import Side, Theorem, Theorems

_WAYS = {
    Path.IOMMU: "dma-iommu",
    Path.LINK: "dma_iova_link(), of which the first piece that bounces is asked about",
}
_STATEMENT = (
    "For every granule G of 2 KiB or more and every min_align_mask m = 2^k - 1 below "
    "G, every request that an untrusted device sends through {}, of any size "
    "within dma_max_mapping_size(), any address from the second page on, any pool and "
    "start index, keeps the property."
)


def statement(path: Path | None) -> str:
    """What is claimed of a way into dma-iommu."""
    return _STATEMENT.format(_WAYS[path or Path.IOMMU])


def _side_text(side: Side) -> str:
    return " and ".join(condition.text for condition in side)


def _request(result: Theorems, theorem: Theorem) -> dict[str, Any] | None:
    example = theorem.finding.counterexample
    if example is None:
        return None
    request = single_request(example.cell, example.point).fields()
    known = set(request)
    extra = {k: v for k, v in example.point.items() if k not in known}
    extra.pop("area_nslabs", None)
    return {"kernel": result.model.name, **request, **extra}


def _theorem_json(result: Theorems, theorem: Theorem) -> dict[str, Any]:
    finding, example = theorem.finding, theorem.finding.counterexample
    return {
        "property": finding.prop.value,
        "verdict": finding.verdict.shown,
        "counterexample": _request(result, theorem),
        "confirmed": finding.confirmed,
        "minimum": None if example is None else example.minimum,
        "reason": finding.reason,
        "true_if": [[c.name for c in side] for side in theorem.weakest],
        "only_if": [[c.name for c in side] for side in theorem.exact],
        "cells": len(finding.cells),
        "seconds": round(theorem.seconds, 3),
    }


def fields(results: list[Theorems]) -> dict[str, Any]:
    """The JSON fields of ``theorem``."""
    kernels = [
        {
            "kernel": result.model.name,
            "domain": domain_json(_asked(result)),
            "theorems": [_theorem_json(result, t) for t in result.theorems],
        }
        for result in results
    ]
    return {
        "statement": statement(results[0].domain.path),
        "conditions": {c.name: c.text for c in CONDITIONS},
        "kernels": kernels,
        **about([result.model for result in results]),
    }


def _asked(result: Theorems) -> Asked:
    findings = tuple(theorem.finding for theorem in result.theorems)
    return asked_of(Checked(result.model, result.domain, findings))


def _repair(theorem: Theorem) -> list[str]:
    if theorem.finding.verdict is not Verdict.BROKEN:
        return []
    if not theorem.weakest:
        return ["    none of the side conditions of the family makes it hold"]
    lines = ["    holds under one of these conditions, none of which can be weakened:"]
    sides = theorem.weakest
    return lines + [
        wrap(f"- {_side_text(side)}{_only(theorem, side)}", "      ", "        ")
        for side in sides
    ]


def _only(theorem: Theorem, side: Side) -> str:
    return "; else every request is broken" if side in theorem.exact else ""


def _theorem_text(result: Theorems, theorem: Theorem) -> list[str]:
    finding, example = theorem.finding, theorem.finding.counterexample
    lines = [f"  {finding.prop.value}: {finding.verdict.shown}"]
    if finding.reason is not None:
        lines.append(wrap(finding.reason, "    "))
    request, shown = _request(result, theorem), list[str]()
    if example is not None and request is not None:
        point, cell = example.point, example.cell
        kind = "smallest" if example.minimum else "a"
        text = (
            f"{kind} counterexample: {point['size']} bytes at {point['orig_addr']:#x}, "
            f"granule {size_text(cell.granule)}, m {cell.min_align_mask:#x}, page "
            f"{size_text(cell.page_size)}, start index {point['start_index']} of "
            f"{point['area_nslabs']} slots"
        )
        lines.append(wrap(text, "    ", "      "))
        if finding.confirmed:
            shown = ["", *reproduced(result.model, request), ""]
    return lines + _repair(theorem) + shown


def as_text(results: list[Theorems]) -> str:
    """``theorem`` for a reader."""
    lines = [*title("theorem: granule and min_align_mask work together"), ""]
    lines += [wrap(statement(results[0].domain.path)), ""]
    models = [result.model for result in results]
    lines += judged_text(models)
    for result in results:
        lines += [*title(result.model.name)]
        for theorem in result.theorems:
            lines += _theorem_text(result, theorem)
        lines.append("")
    asked = dict.fromkeys(t.finding.prop for r in results for t in r.theorems)
    lines.append("The properties:")
    lines += [wrap(f"{p.value}: {CONTRACT[p].meaning}", "  ", "    ") for p in asked]
    lines += tool_text(models)
    return "\n".join(lines)


def answer(results: list[Theorems]) -> Answer:
    """``theorem`` in any format."""
    return Answer("theorem", lambda: fields(results), lambda verbose: as_text(results))
