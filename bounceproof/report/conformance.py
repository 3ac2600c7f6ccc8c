# SPDX-License-Identifier: GPL-2.0-only
"""``conform`` as text and JSON."""

from __future__ import annotations

from typing import Any

from bounceproof.models.request import KernelModel
from bounceproof.report.configurations import name
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, label, tool_text
from bounceproof.report.text import counted, title, wrap
from bounceproof.solver.compare.conform import Conformance, Difference
from bounceproof.solver.contract.verdict import Verdict

_HEADS = {
    Verdict.HOLDS: "same",
    Verdict.BROKEN: "different",
    Verdict.UNKNOWN: "unknown",
    Verdict.DISAGREE: "unknown",
}


def _difference_json(found: Difference) -> dict[str, Any]:
    return {
        "what": found.what,
        "page_size": found.cell.page_size,
        "granule": found.cell.granule,
        "path": found.cell.path.value,
        "min_align_mask": found.cell.min_align_mask,
        "built_in": found.built,
        "tree": found.read,
        "input": found.point,
    }


def fields(
    kernel: KernelModel, tree: KernelModel, result: Conformance
) -> dict[str, Any]:
    """The JSON fields of ``conform``."""
    return {
        "kernel": label(kernel),
        "tree": label(tree),
        "verdict": result.verdict.shown,
        "cells": result.cells,
        "compared": result.compared,
        "differences": [_difference_json(d) for d in result.differences],
        "unknown": list(result.unknown),
        **about([kernel, tree]),
    }


def _difference_text(found: Difference) -> list[str]:
    cell = found.cell
    lines = [wrap(f"{found.what}: {found.built} built in, {found.read} in the tree")]
    lines.append(wrap(name(cell), "  "))
    if found.point is not None:
        told = ", ".join(f"{k} {v:#x}" for k, v in found.point.items())
        lines.append(f"  smallest input: {told}")
    return lines


def as_text(kernel: KernelModel, tree: KernelModel, result: Conformance) -> str:
    """``conform`` for a reader; at most twelve differences."""
    models = [kernel, tree]
    names = f"{label(kernel)} {label(tree)}"
    lines = [*title(f"conform {names}: {_HEADS[result.verdict]}"), ""]
    lines += judged_text(models)
    lines.append(
        wrap(
            f"{counted(result.compared, 'comparison')} in "
            f"{counted(result.cells, 'configuration')}: limits, every field of every "
            "search rule, the test of every slot, every step of the mapping, for all "
            "addresses and sizes"
        )
    )
    for found in result.differences[:12]:
        lines += ["", *_difference_text(found)]
    if len(result.differences) > 12:
        lines += ["", f"and {len(result.differences) - 12} more"]
    lines += [wrap(f"unknown: {reason}") for reason in result.unknown[:12]]
    if not result.cells:
        lines.append("unknown: no configuration is in the domain")
    return "\n".join([*lines, *tool_text(models)])


def answer(kernel: KernelModel, tree: KernelModel, result: Conformance) -> Answer:
    """``conform`` in any format."""
    return Answer(
        "conform",
        lambda: fields(kernel, tree, result),
        lambda verbose: as_text(kernel, tree, result),
    )
