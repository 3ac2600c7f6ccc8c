# SPDX-License-Identifier: GPL-2.0-only
"""Who can meet what is broken: live, latent or model only, by configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.formulas.search import NotRead
from bounceproof.models.kernels.releases import LATEST
from bounceproof.models.reach.judge import (
    DRIVERS_MASKS,
    by_parts,
    one_set_areas,
    reached,
)
from bounceproof.models.reach.records import RECORDS, record_of
from bounceproof.models.reach.rules import Reach, Reached, Record
from bounceproof.models.request import Cell, KernelModel, MarksUntrusted
from bounceproof.report.configurations import configurations
from bounceproof.report.text import table, wrap
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample.confirm import only_by_partial_sync

ONE_SET = "only an area of one slot set"
Met = tuple[Reached, list[Cell]]


def rules_of(model: KernelModel) -> Record | None:
    """The record of a built-in kernel, or what a tree's text says; None where unknown.

    Of a tree the rule of untrusted devices is read, and the rest taken from the newest
    release.
    """
    if isinstance(model, BuiltinKernel):
        return record_of(model.name)
    rule = model.untrusted() if isinstance(model, MarksUntrusted) else None
    return None if rule is None else replace(RECORDS[LATEST.name], untrusted=rule)


def met(model: KernelModel, cells: Iterable[Cell]) -> list[Met]:
    """Who meets ``cells``, those that are met alike together, live ones first."""
    record = rules_of(model)
    if record is None:
        return []
    found: dict[Reached, list[Cell]] = {}
    for cell in cells:
        found.setdefault(reached(record, cell, _masks(model, cell)), []).append(cell)
    order = list(Reach)
    return sorted(found.items(), key=lambda one: order.index(one[0].reach))


def _masks(model: KernelModel, cell: Cell) -> tuple[int, ...]:
    """What the kernel's own nvme-pci sets, where that decides."""
    if cell.min_align_mask in DRIVERS_MASKS:
        return ()
    try:
        return (model.nvme_align_mask(cell.page_size),)
    except NotRead:
        return ()


def _broken(finding: Finding) -> list[Cell]:
    return [c.cell for c in finding.cells if c.verdict is Verdict.BROKEN]


def _pools(model: KernelModel, finding: Finding) -> str | None:
    """Which machines have the pool that a finding needs; None for any machine."""
    if ONE_SET not in (finding.note or "") or not isinstance(model, BuiltinKernel):
        return None
    record = rules_of(model)
    return None if record is None else one_set_areas(record)


def _met_by(model: KernelModel, finding: Finding) -> list[Met]:
    """Who meets what is broken; a break by a partial sync alone, on its own path."""
    example, found = finding.counterexample, met(model, _broken(finding))
    if example is None or not only_by_partial_sync(
        finding.prop, model, example.cell, example.point
    ):
        return found
    parted: dict[Reached, list[Cell]] = {}
    for one, cells in found:
        for cell in cells:
            alike = cell.path is example.cell.path
            parted.setdefault(by_parts(one, cell) if alike else one, []).append(cell)
    order = list(Reach)
    return sorted(parted.items(), key=lambda one: order.index(one[0].reach))


def reach_json(model: KernelModel, finding: Finding) -> list[dict[str, Any]]:
    """Each group of broken configurations with its class and who meets it."""
    every = [cell.cell for cell in finding.cells]
    return [
        {
            "reach": one.reach.value,
            "who": one.who,
            "configurations": configurations(cells, every),
            "pools": _pools(model, finding),
        }
        for one, cells in _met_by(model, finding)
    ]


def reach_text(model: KernelModel, findings: Iterable[Finding]) -> list[str]:
    """``Who can meet it``: a row for each property and class; empty where unknown."""
    rows: list[tuple[str, ...]] = []
    for finding in findings:
        name = finding.prop.value
        for part in reach_json(model, finding):
            where = f"{part['configurations']}: {part['who']}"
            pools = f"; pools: {part['pools']}" if part["pools"] else ""
            rows.append((name, part["reach"], where + pools))
            name = ""
    return ["", wrap("Who can meet it:"), *table(rows)] if rows else []
