# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own code leaves of list[] and used, over histories of calls.

The solver is asked which slots a release gives back; the numbers that it writes are
seen by running the code.  A history that ends with a wrong list[] breaks ``returned``;
none is no proof, and the report says how many calls were run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from bounceproof.models.request import Cell, Path, RunsHistories, RunsItself
from bounceproof.simulator.history_types import complete_history
from bounceproof.solver.confirm import single_request
from bounceproof.solver.minimum import Point
from bounceproof.solver.verdict import Counterexample, Finding, Verdict

Ops = list[dict[str, Any]]
HISTORIES, CALLS = 4, 40
_SLOTS = (1, 1, 2, 3, 5, 16, 31, 32, 33, 64, 96, 127, 128)
_POOL_START, _SETS = 1 << 28, 2
_BOUNDARY = (1 << 64) - 1


def _machine(model: RunsHistories, cell: Cell) -> dict[str, Any]:
    return {
        "page_size": cell.page_size,
        "granule": cell.granule,
        "min_align_mask": cell.min_align_mask,
        "seg_boundary_mask": _BOUNDARY,
        "pool_start": _POOL_START,
        "nslabs": _SETS * model.geometry(cell.page_size).segsize,
        "nareas": 1,
        "start_index": 0,
    }


def _calls(model: RunsHistories, cell: Cell, dice: Random) -> Ops:
    """Maps and unmaps in random order, of sizes around those of slot sets."""
    geometry = model.geometry(cell.page_size)
    sizes = [n for n in _SLOTS if n <= geometry.segsize]
    sizes += [geometry.segsize] if geometry.segsize not in sizes else []
    ops: Ops = []
    live: list[int] = []
    for number in range(CALLS):
        if live and dice.random() < 0.45:
            name = live.pop(dice.randrange(len(live)))
            ops.append({"op": "unmap", "mapping": name})
            continue
        size = dice.choice(sizes) * geometry.size - dice.choice((0, 0, 512))
        ops.append(_map(cell, number, size, dice.getrandbits(20) << 9))
        live.append(number)
    return ops


def _map(cell: Cell, name: int, size: int, orig_addr: int) -> dict[str, Any]:
    if cell.path is Path.ALLOC:
        size = -(-size // cell.page_size) * cell.page_size
        orig_addr = 0
    elif cell.path.has_granule and not (orig_addr | size) % cell.granule:
        orig_addr += 512
    op = {"op": "map", "mapping": name, "path": cell.path.value}
    return {**op, "size": size, "orig_addr": orig_addr}


def _first_fault(model: RunsHistories, cell: Cell, ops: Ops) -> int | None:
    """The first operation after which list[] or used is wrong, or None."""
    records = model.run_history(*complete_history(_machine(model, cell), ops))
    for number, record in enumerate(records):
        seen = any(fault["property"] == "returned" for fault in record["broken"])
        if seen or record["invariant"]:
            return number
    return None


def _shortened(model: RunsHistories, cell: Cell, ops: Ops) -> Ops:
    """The same history without the mappings that it fails without."""
    for name in dict.fromkeys(op["mapping"] for op in ops):
        fewer = [op for op in ops if op["mapping"] != name]
        at = _first_fault(model, cell, fewer) if fewer else None
        if at is not None:
            ops = fewer[: at + 1]
    return ops


def _places(finding: Finding) -> Iterator[tuple[Cell, int]]:
    """One cell a path: list[] knows neither pages nor masks."""
    seen = set()
    for found in finding.cells:
        path = found.cell.path
        if path not in seen and path is not Path.LINK:
            seen.add(path)
            yield found.cell, found.limit


def with_lists(model: RunsHistories, finding: Finding) -> Finding:
    """``finding``, that slots come back, with what histories show of list[]."""
    calls = 0
    for cell, limit in _places(finding):
        dice = Random(cell.page_size)
        for _ in range(HISTORIES):
            ops = _calls(model, cell, dice)
            at = _first_fault(model, cell, ops)
            if at is not None:
                return _broken(model, finding, cell, limit, ops[: at + 1])
            calls += len(ops)
    note = (
        f"which slots come back is proved; what list[] then says was right after each "
        f"of {calls} calls of the tree's own code, which is no proof"
    )
    return replace(finding, note=note)


def _broken(
    model: RunsHistories, finding: Finding, cell: Cell, limit: int, ops: Ops
) -> Finding:
    ops = _shortened(model, cell, ops)
    assert isinstance(model, RunsItself)
    machine = _machine(model, cell)
    last = [op for op in ops if op["op"] == "map"][-1]
    point: Point = {
        "size": last["size"],
        "orig_addr": last["orig_addr"],
        "start_index": 0,
        "area_nslabs": machine["nslabs"],
        "nareas": 1,
        "pool_start": _POOL_START,
        "seg_boundary_mask": _BOUNDARY,
    }
    numbers = single_request(cell, point).fields()
    outcome = model.run_numbers(cell, numbers, [])
    history = {"machine": machine, "ops": ops}
    example = Counterexample(cell, limit, point, outcome, False, None, history)
    note = (
        f"list[] or used is wrong after {len(ops)} calls; the request is the last map"
    )
    return replace(
        finding,
        verdict=Verdict.BROKEN,
        counterexample=example,
        confirmed=True,
        reason=None,
        note=note,
    )
