# SPDX-License-Identifier: GPL-2.0-only
"""Counterexamples of built-in states, run in the concrete simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bounceproof.models.request import Cell, Path
from bounceproof.models.state import KernelState
from bounceproof.simulator.single import SingleRequest, simulate
from bounceproof.solver.minimum import Point
from bounceproof.solver.properties import Property


def single_request(cell: Cell, point: Point) -> SingleRequest:
    """The request that ``point`` stands for in ``cell``."""
    return SingleRequest(
        page_size=cell.page_size,
        path=cell.path.value,
        granule=cell.granule,
        min_align_mask=cell.min_align_mask,
        seg_boundary_mask=point["seg_boundary_mask"],
        pool_start=point["pool_start"],
        nslabs=point["area_nslabs"] * point["nareas"],
        nareas=point["nareas"],
        start_index=point["start_index"],
        orig_addr=point["orig_addr"],
        size=point["size"],
    )


def outcome_of(state: KernelState, cell: Cell, point: Point) -> dict[str, Any]:
    """What the simulator says of ``point``."""
    return simulate(state, [single_request(cell, point)])[0]


def _misplaced(cell: Cell, point: Point, outcome: dict[str, Any]) -> bool:
    if not outcome["ok"] or not outcome["bounced"]:
        return False
    tlb, slot_start = outcome["tlb_addr"], point["pool_start"] + outcome["slot"] * 2048
    if cell.path is Path.ALLOC:
        pages = -(-point["size"] // cell.page_size)
        whole = cell.page_size << (pages - 1).bit_length()
        page = point["size"] >= cell.page_size and tlb % cell.page_size != 0
        asked = bool(outcome["asked_align"])
        return page or (asked and slot_start % whole != 0)
    granule = cell.granule if cell.path is Path.IOMMU else 1
    lost = (tlb ^ point["orig_addr"]) & cell.min_align_mask
    return bool(lost) or slot_start % granule != 0


def shows(prop: Property, state: KernelState, cell: Cell, point: Point) -> bool:
    """Whether the simulator shows that ``point`` breaks ``prop``."""
    outcome = outcome_of(state, cell, point)
    if prop is Property.FITS:
        return not outcome["ok"]
    if prop is Property.HALTS:
        return bool(outcome["hang"])
    asked = state.alloc_align.name != "NONE"
    return _misplaced(cell, point, {**outcome, "asked_align": asked})


def confirmer(
    prop: Property, state: KernelState
) -> tuple[Callable[[Cell, Point], dict[str, Any]], Callable[[Cell, Point], bool]]:
    """The two callbacks that a :class:`~bounceproof.solver.check.Hunt` takes."""

    def run(cell: Cell, point: Point) -> dict[str, Any]:
        return outcome_of(state, cell, point)

    def confirm(cell: Cell, point: Point) -> bool:
        return shows(prop, state, cell, point)

    return run, confirm
