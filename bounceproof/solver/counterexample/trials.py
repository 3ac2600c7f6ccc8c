# SPDX-License-Identifier: GPL-2.0-only
"""Some requests that a tree's own code is run on before a property is said to hold.

A proof needs no trial; but one that a single run contradicts is an error of ours, and
must never be shown as a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, KernelModel, Path, PoolKind, RunsItself
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import CellVerdict, Finding, Verdict
from bounceproof.solver.counterexample.confirm import MOST_SLOTS_RUN, outcome_of
from bounceproof.solver.smt.minimum import Point

TRIED = (Property.FITS, Property.HALTS)
_START = 1 << 24


def with_trials(model: KernelModel, domain: Domain, finding: Finding) -> Finding:
    """``finding``, or a disagreement where the tree's code is seen to break it."""
    fit = finding.prop in TRIED and domain.pool_kind is PoolKind.DEFAULT
    if not fit or not isinstance(model, RunsItself):
        return finding
    for found in finding.cells:
        if found.verdict is not Verdict.HOLDS:
            continue
        geometry = model.geometry(found.cell.page_size)
        for point in _points(domain, found, geometry):
            if _breaks(model, finding.prop, found.cell, point):
                told = ", ".join(f"{name} {value:#x}" for name, value in point.items())
                reason = (
                    "proof and run disagree, an error of bounceproof's own: the tree's "
                    f"code breaks {finding.prop} for {told}"
                )
                return replace(finding, verdict=Verdict.DISAGREE, reason=reason)
    return finding


def _breaks(model: KernelModel, prop: Property, cell: Cell, point: Point) -> bool:
    if prop is Property.HALTS:
        return bool(outcome_of(Property.FITS, model, cell, point).hang)
    return not outcome_of(prop, model, cell, point).ok


def _points(
    domain: Domain, found: CellVerdict, geometry: SlotGeometry
) -> Iterator[Point]:
    """The largest request and a small one, at awkward addresses and indices, or the
    one request that the domain leaves."""
    step = domain.size_step or domain.device.size_step
    align = domain.addr_step or domain.device.addr_step
    areas = domain.nareas or 1
    slots = geometry.segsize
    if domain.nslabs is not None:
        slots = domain.nslabs // areas
    largest = min(found.limit, geometry.set_bytes) // step * step
    odd = (0x3FFFF & ~(align - 1)) | (1 << 28)
    wanted = ((largest, odd, slots - 1), (step, odd & ~0x7FF | align, 1))
    if found.cell.path is Path.ALLOC:
        page = found.cell.page_size
        wanted = ((largest // page * page, 0, 1), (page, 0, 1))
    for sizes in wanted:
        stated = (domain.size, domain.orig_addr, domain.start_index)
        size, address, index = (
            here if fixed is None else fixed
            for here, fixed in zip(sizes, stated, strict=True)
        )
        small = slots <= 4 * geometry.segsize and slots * areas <= MOST_SLOTS_RUN
        if 0 < size <= found.limit and small:
            yield {
                "size": size,
                "orig_addr": address,
                "start_index": index % slots,
                "area_nslabs": slots,
                "nareas": areas,
                "pool_start": domain.pool_start or _START,
                "seg_boundary_mask": domain.boundary() or (1 << 64) - 1,
            }
