# SPDX-License-Identifier: GPL-2.0-only
"""``limit`` as text and as JSON."""

from __future__ import annotations

from typing import Any

from bounceproof.report.configurations import name
from bounceproof.report.domain import (
    Asked,
    asked,
    asked_text,
    domain_json,
    paths_left_out,
)
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, label, tool_text
from bounceproof.report.request import reproduced, with_pool
from bounceproof.report.text import size_both, size_text, table, title, wrap
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.counterexample.confirm import single_request
from bounceproof.solver.limits.limit import MASKS, CellLimit, Limits
from bounceproof.solver.limits.limit_form import ClosedForm


def _form_json(form: ClosedForm | None) -> dict[str, str] | None:
    if form is None:
        return None
    return {"text": form.text, "latex": form.latex, "c": form.c}


def _cell_json(result: Limits, limit: CellLimit) -> dict[str, Any]:
    cell, request = limit.cell, None
    if limit.point is not None:
        side, fields = result.side, single_request(cell, limit.point).fields()
        made = with_pool(side.model, fields, side.simulate(cell, limit.point))
        request = {"kernel": label(side.model), **made}
    return {
        "page_size": cell.page_size,
        "path": cell.path.value,
        "granule": cell.granule,
        "min_align_mask": cell.min_align_mask,
        "areas": limit.areas.value,
        "limit": limit.safe,
        "used": limit.used,
        "sound": limit.sound,
        "tight": limit.tight,
        "one_step_more": request,
        "reason": limit.reason,
    }


def fields(result: Limits) -> dict[str, Any]:
    """The JSON fields of ``limit``."""
    forms = [
        {"path": path.value, "areas": areas.value, "form": _form_json(form)}
        for (path, areas), form in result.forms.items()
    ]
    return {
        "kernel": label(result.side.model),
        "domain": domain_json(_asked(result)),
        "verdict": result.verdict.shown,
        "forms": forms,
        "cells": [_cell_json(result, limit) for limit in result.cells],
        "seconds": round(result.seconds, 3),
        **about([result.side.model]),
    }


def _asked(result: Limits) -> Asked:
    cells = dict.fromkeys(limit.cell for limit in result.cells if limit.asked)
    every = dict.fromkeys(limit.cell for limit in result.cells)
    empty = [cell for cell in every if cell not in cells]
    out = paths_left_out(result.domain, [result.side.model])
    return asked(result.domain, cells, empty, out)


def _safe(limit: CellLimit) -> str:
    if limit.safe is not None:
        return size_both(limit.safe)
    if not limit.asked:
        return "no request"
    return "unknown" if limit.reason else "no limit found"


def _judged(limit: CellLimit) -> str:
    if not limit.asked:
        return "not asked"
    if limit.safe is None:
        return limit.reason or "nothing fails"
    if not limit.tight:
        return "NOT CONFIRMED in the simulator"
    if limit.used > limit.safe:
        return "too high"
    return "the same" if limit.used == limit.safe else "lower"


def _rows(limits: list[CellLimit]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("page", "granule", "mask", "limit", "the driver's limit")
    ]
    for limit in limits:
        cell = limit.cell
        rows.append(
            (
                size_text(cell.page_size),
                size_text(cell.granule) if cell.path.has_granule else "-",
                f"{cell.min_align_mask:#x}",
                _safe(limit),
                f"{size_text(limit.used)}, {_judged(limit)}",
            )
        )
    return rows


def _form_lines(form: ClosedForm | None) -> list[str]:
    if form is None:
        return ["  no form tried gives the limit in every configuration: see the table"]
    return [
        *table([("C", form.c), ("LaTeX", form.latex)]),
        "  the same number in every configuration below",
    ]


def _proof_lines(limits: list[CellLimit]) -> list[str]:
    limits = [limit for limit in limits if limit.asked]
    proved = [limit for limit in limits if limit.sound and limit.tight]
    if not limits:
        text = "no request is in the domain"
    elif len(proved) == len(limits):
        text = "no size up to the limit fails, and one step more fails in the simulator"
    else:
        text = f"{len(limits) - len(proved)} are not decided"
    return [wrap(f"each configuration: {text}", "  ", "    ")]


def _example(result: Limits, limits: list[CellLimit]) -> list[str]:
    """The first cell whose driver's limit is too high, with a request that fails."""
    high = [x for x in limits if x.safe is not None and x.used > x.safe]
    for limit in high[:1]:
        if limit.point is None or not limit.tight:
            continue
        fields = single_request(limit.cell, limit.point).fields()
        above = f"  one step above the limit, {name(limit.cell)}, it fails:"
        shown = reproduced(result.side.model, fields)
        return ["", wrap(above.strip(), "  ", "    "), "", *shown]
    return []


_HEADS = {
    Verdict.HOLDS: "the driver's limit is safe",
    Verdict.BROKEN: "the driver's limit is too high",
    Verdict.UNKNOWN: "unknown",
    Verdict.DISAGREE: "solver and simulator disagree",
}


def as_text(result: Limits) -> str:
    """``limit`` for a reader."""
    model = result.side.model
    lines = [*title(f"limit {label(model)}: {_HEADS[result.verdict]}"), ""]
    lines += judged_text([model])
    lines.append(
        wrap(
            "The largest size that every request may have so that an empty pool "
            f"satisfies it, in steps of {result.step} bytes. P is the page size, G the "
            "granule, m the min_align_mask."
        )
    )
    for (path, areas), form in result.forms.items():
        here = [x for x in result.cells if x.cell.path is path and x.areas is areas]
        lines += ["", f"path {path.value}, {areas.value}:", *_form_lines(form)]
        lines += [*_proof_lines(here), *table(_rows(here)), *_example(result, here)]
    masks = {limit.cell.min_align_mask for limit in result.cells}
    if masks == set(MASKS) and any(x.cell.path.has_granule for x in result.cells):
        lines += ["", wrap("Masks above the granule are left out on paths with one.")]
    lines += ["", *asked_text(_asked(result)), *tool_text([model])]
    return "\n".join(lines)


def answer(result: Limits) -> Answer:
    """``limit`` in any format."""
    return Answer("limit", lambda: fields(result), lambda verbose: as_text(result))
