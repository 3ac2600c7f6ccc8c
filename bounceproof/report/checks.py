# SPDX-License-Identifier: GPL-2.0-only
"""``check`` as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

from bounceproof.models.constants import MAX_AREA_SLOTS, MAX_PHYS_BITS, PAGE_SIZES
from bounceproof.models.lifetime import DIRECTIONS
from bounceproof.models.pools import ASSUMED, largest_nslabs
from bounceproof.models.request import KernelModel, PoolKind, RunsItself
from bounceproof.report.request import Extras, kernel_line, tell, with_pool
from bounceproof.report.text import size_both, size_text, table, title, wrap
from bounceproof.solver.ask import Checked
from bounceproof.solver.confirm import single_request
from bounceproof.solver.domain import Domain
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
    return {"kernel": kernel.name, **request, **example.outcome, **more}


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


def domain_json(domain: Domain) -> dict[str, Any]:
    """The domain asked about: a number where fixed, the range where not."""
    device = domain.device
    ranges: dict[str, Any] = {
        "device": device.name,
        "page_size": domain.page_size or "4096, 16384, 65536",
        "path": ", ".join(path.value for path in domain.paths()),
        "granule": domain.granule or "4096, 16384, 65536, up to the page size",
        "min_align_mask": domain.min_align_mask,
        "seg_boundary_mask": domain.boundary(),
        "pool_start": domain.pool_start,
        "nslabs": domain.nslabs,
        "nareas": domain.nareas,
        "start_index": domain.start_index,
        "orig_addr": domain.orig_addr,
        "size": domain.size,
        "size_step": domain.size_step or device.size_step,
        "addr_step": domain.addr_step or device.addr_step,
    }
    if domain.pool_kind is not PoolKind.DEFAULT:
        ranges["pool_kind"] = f"{domain.pool_kind}: {ASSUMED[domain.pool_kind]}"
    free = {
        "min_align_mask": "2^k - 1 up to 0xffff" if device.any_mask else "the device's",
        "seg_boundary_mask": "any 2^k - 1",
        "pool_start": "any page-aligned pool below 4 GiB",
        "nslabs": f"areas of whole slot sets, up to {MAX_AREA_SLOTS} slots",
        "nareas": "any",
        "start_index": "any",
        "orig_addr": f"multiples of {ranges['addr_step']} below 2^{MAX_PHYS_BITS}",
        "size": f"multiples of {ranges['size_step']} up to the limit",
    }
    free |= _free_of(domain)
    return {k: free[k] if v is None else v for k, v in ranges.items()}


def _free_of(domain: Domain) -> dict[str, str]:
    """The ranges that are other ones for grown and transient pools."""
    if domain.pool_kind is PoolKind.GROWN:
        pages = PAGE_SIZES if domain.page_size is None else (domain.page_size,)
        most = ", ".join(str(largest_nslabs(page)) for page in pages)
        return {
            "pool_start": f"any multiple of the pool's size below 2^{MAX_PHYS_BITS}",
            "nslabs": f"areas of 2^k slots, from 128; pools up to {most} slots",
        }
    if domain.pool_kind is PoolKind.TRANSIENT:
        return {
            "pool_start": f"any block of pages of the order below 2^{MAX_PHYS_BITS}",
            "nslabs": "the request's slots",
            "nareas": "1",
            "start_index": "0",
        }
    return {}


def as_json(result: Checked) -> str:
    """One JSON object, schema 1."""
    return json.dumps(
        {
            "schema": 1,
            "command": "check",
            "kernel": result.name,
            "domain": domain_json(result.domain),
            "verdict": result.verdict.shown,
            "properties": [finding_json(result.model, f) for f in result.findings],
        }
    )


def domain_text(domain: Domain) -> list[str]:
    """What the verdicts speak about, in a few lines."""
    facts = domain_json(domain)
    rows = [(name, _hex(name, value)) for name, value in facts.items()]
    return ["Domain:", *table([(n.replace("_", " "), v) for n, v in rows])]


def _hex(name: str, value: Any) -> str:
    masks = ("min_align_mask", "seg_boundary_mask", "pool_start", "orig_addr")
    return hex(value) if name in masks and isinstance(value, int) else str(value)


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
    kept = [row for row in rows if row[-1] != Verdict.HOLDS.value][:12]
    lines = table([head, *kept]) if kept else []
    return (
        [*lines, f"  ({len(rows)} cells; the others hold)"]
        if kept
        else [f"  {len(rows)} cells of page, path, granule and mask; all hold"]
    )


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
    lines = [*title(f"check {model.name}: {result.verdict.shown}"), ""]
    for finding in result.findings:
        lines += [*finding_text(model, finding, result.domain.pool_kind), ""]
    return "\n".join([*lines, *domain_text(result.domain)])
