# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's own code leaves of list[] and used: a proof, or a history of calls.

Which slots come back is asked cell by cell.  That taking and giving back slots keeps
list[], used and index right, whatever slots they are, is proved once for the tree.
Where it is not, histories of calls are run on the code: one that ends with a wrong
list[] breaks ``returned``, and none is no proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from bounceproof.models.constants import HV_HYP_PAGE_SIZE
from bounceproof.models.formulas.search import NoSearchRule
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Path, RunsHistories, RunsItself
from bounceproof.simulator.history.types import complete_history
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Counterexample, Finding, Verdict
from bounceproof.solver.counterexample.confirm import single_request
from bounceproof.solver.lemmas.slots import PoolShape
from bounceproof.solver.smt.minimum import Point
from bounceproof.solver.trees.freelist_proof import ListProof, prove_lists
from bounceproof.source.errors import SourceError
from bounceproof.source.extract.freelist_code import stray
from bounceproof.source.kernel.kernel import SourceKernel, calls_of_a_mapping

Ops = list[dict[str, Any]]
HISTORIES, CALLS = 4, 40
_SLOTS = (1, 1, 2, 3, 5, 16, 31, 32, 33, 64, 96, 127, 128)
_POOL_START, _SETS = 1 << 28, 2
_BOUNDARY = (1 << 64) - 1
_Known = dict[tuple[int, PoolShape], tuple[ListProof, ...]]
_KNOWN: WeakKeyDictionary[SourceKernel, _Known] = WeakKeyDictionary()


def _machine(model: RunsHistories, cell: Cell, nareas: int) -> dict[str, Any]:
    return {
        "page_size": cell.page_size,
        "granule": cell.granule,
        "min_align_mask": cell.min_align_mask,
        "seg_boundary_mask": _BOUNDARY,
        "pool_start": _POOL_START,
        "nslabs": _SETS * model.geometry(cell.page_size).segsize,
        "nareas": nareas,
        "start_index": 0,
    }


def _calls(
    model: RunsHistories, cell: Cell, dice: Random, case: dict[str, int] | None
) -> Ops:
    """Maps and unmaps in random order, of sizes around those of slot sets.

    Every other mapping has the size of ``case``, where there is one.
    """
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
        slots = dice.choice(sizes)
        if case is not None and number % 2:
            slots = case["nslots"]
        size = slots * geometry.size - dice.choice((0, 0, 512))
        ops.append(_map(cell, number, size, dice.getrandbits(20) << 9))
        live.append(number)
    return ops


def _around(cell: Cell, case: dict[str, int], geometry: SlotGeometry) -> Iterator[Ops]:
    """The case itself: its slots, the free ones before, what is behind in the set."""
    segsize, size = geometry.segsize, geometry.size
    place = case["first"] % segsize
    slots, back = case["nslots"], min(case["back"], place)
    parts = [place - back, back, slots, segsize - place - slots]
    named = [(name, part) for name, part in enumerate(parts) if part > 0]
    if slots > segsize:
        return
    low = cell.min_align_mask & (size - 1)
    for orders in ((1, 2), (2, 1), (2, 3), (3, 2), (1, 2, 2), (1, 3, 2, 2)):
        ops, live, at = [], set(), 0
        for name, part in named:
            orig = (1 << 30) + ((at * size) & cell.min_align_mask)
            ops.append(_map(cell, name, part * size, orig & ~low))
            live.add(name)
            at += part
        for name in orders:
            if name in live:
                ops.append({"op": "unmap", "mapping": name})
                live.discard(name)
            elif name == 2:
                orig = (1 << 30) + ((place * size) & cell.min_align_mask)
                ops.append(_map(cell, 9, slots * size, orig & ~low))
        yield ops


def _map(cell: Cell, name: int, size: int, orig_addr: int) -> dict[str, Any]:
    if cell.path is Path.ALLOC:
        size = -(-size // cell.page_size) * cell.page_size
        orig_addr = 0
    elif cell.path.has_granule and not (orig_addr | size) % cell.granule:
        orig_addr += 512
    op = {"op": "map", "mapping": name, "path": cell.path.value}
    return {**op, "size": size, "orig_addr": orig_addr}


def _first_fault(model: RunsHistories, machine: dict[str, Any], ops: Ops) -> int | None:
    """The first operation after which list[] or used is wrong, or None."""
    records = model.run_history(*complete_history(machine, ops))
    for number, record in enumerate(records):
        seen = any(fault["property"] == "returned" for fault in record["broken"])
        if seen or record["invariant"]:
            return number
    return None


def _shortened(model: RunsHistories, machine: dict[str, Any], ops: Ops) -> Ops:
    """The same history without the mappings that it fails without."""
    for name in dict.fromkeys(op["mapping"] for op in ops):
        fewer = [op for op in ops if op["mapping"] != name]
        at = _first_fault(model, machine, fewer) if fewer else None
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


def list_proofs(
    model: SourceKernel, page_size: int, shape: PoolShape = PoolShape.WHOLE
) -> tuple[ListProof, ...]:
    """What is proved of a tree's calls, for pages of ``page_size`` bytes."""
    known = _KNOWN.setdefault(model, {})
    if (page_size, shape) not in known:
        known[page_size, shape] = _list_proofs(model, page_size, shape)
    return known[page_size, shape]


def _list_proofs(
    model: SourceKernel, page_size: int, shape: PoolShape
) -> tuple[ListProof, ...]:
    try:
        program = model.program(page_size)
        other = stray(program, calls_of_a_mapping())
        if other is not None:
            where = f"{other.file}:{other.line}"
            why = f"{where}: {other.name}() writes to list[] or used, out of turn"
            return (ListProof("other code", where, failed=why),)
        any_device = Cell(page_size, page_size, Path.DIRECT, HV_HYP_PAGE_SIZE - 1)
        return prove_lists(program, model.shape(any_device), shape)
    except (SourceError, NoSearchRule) as error:
        return (ListProof("the search", "", failed=str(error)),)


def with_lists(model: RunsHistories, finding: Finding) -> Finding:
    """``finding``, which holds, with what is proved of list[] and used."""
    assert isinstance(model, SourceKernel)
    sizes = dict.fromkeys(found.cell.page_size for found in finding.cells)
    proofs = [proof for size in sizes for proof in list_proofs(model, size)]
    failed = next((proof for proof in proofs if not proof.holds), None)
    if failed is None:
        where = ", ".join(dict.fromkeys(proof.where for proof in proofs))
        note = f"list[], used and index are proved right after every call ({where})"
        return replace(finding, note=note)
    found = None
    if finding.prop is Property.RETURNED:
        found = _hunted(model, finding, failed.case)
    reason = f"list[] is not proved: {failed.failed}"
    unknown = replace(finding, verdict=Verdict.UNKNOWN, reason=reason)
    return unknown if found is None else found


def _hunted(
    model: RunsHistories, finding: Finding, case: dict[str, int] | None
) -> Finding | None:
    """A history that ends with a wrong list[] or used, or None."""
    for cell, limit in _places(finding):
        dice = Random(cell.page_size)
        drawn = [_calls(model, cell, dice, case) for _ in range(HISTORIES)]
        slots = model.geometry(cell.page_size)
        around = _around(cell, case, slots) if case else ()
        for number, ops in enumerate((*around, *drawn)):
            areas = (1, _SETS)[number % 2]
            at = _first_fault(model, _machine(model, cell, areas), ops)
            if at is not None:
                return _broken(model, finding, cell, limit, ops[: at + 1], areas)
    return None


def _broken(
    model: RunsHistories,
    finding: Finding,
    cell: Cell,
    limit: int,
    ops: Ops,
    areas: int,
) -> Finding:
    assert isinstance(model, RunsItself)
    machine = _machine(model, cell, areas)
    ops = _shortened(model, machine, ops)
    last = [op for op in ops if op["op"] == "map"][-1]
    point: Point = {
        "size": last["size"],
        "orig_addr": last["orig_addr"],
        "start_index": 0,
        "area_nslabs": machine["nslabs"],
        "nareas": areas,
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
