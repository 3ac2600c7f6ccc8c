# SPDX-License-Identifier: GPL-2.0-only
"""Counterexamples, run in the concrete simulator or on a tree's own code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SIZE, SLOT_SET_BYTES
from bounceproof.models.contract import LIVE, Property
from bounceproof.models.formulas.lifetime import DIRECTIONS
from bounceproof.models.formulas.outcome import cases
from bounceproof.models.formulas.search import (
    Area,
    NoClosedForm,
    NoSearchRule,
    NotRead,
    Search,
)
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Path,
    Pool,
    PoolKind,
    Request,
    RunsItself,
)
from bounceproof.models.words.word import U64, UNSIGNED_INT, Word
from bounceproof.simulator.history.types import MAX_FILLED_SLOTS
from bounceproof.simulator.occupancy import (
    Runs,
    rule_accepts,
    runs_of,
)
from bounceproof.simulator.single import SingleRequest
from bounceproof.solver.contract.run import run_history, run_request, runs_histories
from bounceproof.solver.contract.searches import odd_run
from bounceproof.solver.contract.verdict import Shown
from bounceproof.solver.smt.minimum import Point

LEFT_OVER = 0xA5
"""What an earlier mapping left in the pool, where a history starts."""
LARGEST_HISTORY_BYTES = 1 << 30
MOST_SLOTS_RUN = 1 << 18
"""Slots of a pool that a tree's own code sets up in half a minute."""
FULL_STARTS = (1 << 32, 1 << 34)
FILLER_STARTS = (1 << 44, 1 << 45)


def single_request(cell: Cell, point: Point) -> SingleRequest:
    """The request that ``point`` stands for in ``cell``."""
    transient = cell.pool_kind is PoolKind.TRANSIENT
    return SingleRequest(
        page_size=cell.page_size,
        path=cell.path.value,
        granule=cell.granule,
        min_align_mask=cell.min_align_mask,
        seg_boundary_mask=point["seg_boundary_mask"],
        pool_start=point["pool_start"],
        nslabs=0 if transient else point["area_nslabs"] * point["nareas"],
        nareas=point["nareas"],
        start_index=point["start_index"],
        orig_addr=point["orig_addr"],
        size=point["size"],
        pool_kind=cell.pool_kind.value,
    )


def taken_slots(
    prop: Property, model: KernelModel, cell: Cell, point: Point
) -> Runs | None:
    """The slots in use where ``prop`` breaks at ``point``; None for an empty pool."""
    if cell.pool_kind is PoolKind.TRANSIENT:
        return None
    hunted = isinstance(model, RunsItself) and "free_slot" in point
    if prop is Property.FINDS or (hunted and prop is not Property.FITS):
        return _all_but(point, point["free_slot"], _asked(model, cell, point))
    if prop is Property.HALTS:
        if "free_every" in point:
            slots, every = range(_slots(point)), point["free_every"]
            return runs_of(slot for slot in slots if slot % every)
        try:
            return _blocking(model, cell, point)
        except NoSearchRule:
            needed = _asked(model, cell, point)
            return _all_but(
                point, int(odd_run(needed, model.geometry(cell.page_size))), needed
            )
    return None


def _asked(model: KernelModel, cell: Cell, point: Point) -> Word:
    """How many slots the request of ``point`` needs."""
    request = Request(Word(point["orig_addr"], U64), Word(point["size"], U64))
    return model.mapping(cell, request).nslots


def _all_but(point: Point, first: int, nslots: Word) -> Runs:
    """All slots of the pool but ``nslots`` from ``first`` on."""
    last = first + int(nslots)
    slots = range(_slots(point))
    return runs_of(slot for slot in slots if not first <= slot < last)


def _slots(point: Point) -> int:
    return point["area_nslabs"] * point["nareas"]


def _blocking(model: KernelModel, cell: Cell, point: Point) -> Runs | None:
    """Slots to take so that no visited slot fits and enough slots stay free."""
    slots = point["area_nslabs"]
    request = Request(Word(point["orig_addr"], U64), Word(point["size"], U64))
    geometry = model.geometry(cell.page_size)
    pool = Pool(
        Word(point["pool_start"], U64),
        Word(slots, UNSIGNED_INT),
        Word(point["start_index"], UNSIGNED_INT),
        Word(point["seg_boundary_mask"], U64),
        geometry=geometry,
    )
    mapping = model.mapping(cell, request)
    needed = int(mapping.nslots)
    visited: set[int] = set()
    for case in cases(model, cell, mapping):
        if bool(case.guard):
            area = Area(pool, Word(0, UNSIGNED_INT))
            search = Search(case.rule, area, mapping.orig_addr, case.comparing)
            for leg in search.visits().legs:
                first, second, limit = int(leg.first), int(leg.second), int(leg.limit)
                if bool(leg.active) and first < limit:
                    visited |= {first, *range(second, limit, leg.step)}
    if needed > geometry.segsize:
        return None
    if needed <= slots - len(visited):
        return runs_of(visited)
    middle = geometry.segsize - needed
    return runs_of(range(middle, slots, geometry.segsize))


def outcome_of(prop: Property, model: KernelModel, cell: Cell, point: Point) -> Outcome:
    """What comes of ``point`` where the kernel is run; NotRead for a pool that a tree's
    own code takes minutes to set up."""
    if isinstance(model, RunsItself) and _slots(point) > MOST_SLOTS_RUN:
        told = ", ".join(f"{name} {value:#x}" for name, value in point.items())
        raise NotRead(f"a pool of more than {MOST_SLOTS_RUN} slots is not run: {told}")
    taken = taken_slots(prop, model, cell, point)
    return run_request(model, single_request(cell, point), taken)


def _elsewhere(address: int, choices: tuple[int, int]) -> int:
    """One of ``choices`` that is not within 1 GiB of ``address``."""
    far = abs(address - choices[0]) > LARGEST_HISTORY_BYTES
    return choices[0] if far else choices[1]


def _machine(cell: Cell, request: SingleRequest) -> dict[str, int]:
    """The machine of a history: the pool asked about, or a small one to be full."""
    kept = ("page_size", "min_align_mask", "seg_boundary_mask")
    shape = ("pool_start", "nslabs", "nareas", "start_index")
    machine = {name: getattr(request, name) for name in (*kept, *shape)}
    machine["granule"] = cell.granule
    if cell.pool_kind is PoolKind.TRANSIENT:
        machine["transient_start"] = request.pool_start
        machine["pool_start"] = _elsewhere(request.pool_start, FULL_STARTS)
        machine["nslabs"] = IO_TLB_SEGSIZE
    if machine["nslabs"] <= MAX_FILLED_SLOTS:
        machine["fill"] = LEFT_OVER
    return machine


def _fillers(request: SingleRequest) -> list[dict[str, Any]]:
    """Mappings that fill the default pool, of a slot set or what a segment holds."""
    most = max(IO_TLB_SIZE, (request.seg_boundary_mask + 1) & ~(IO_TLB_SIZE - 1))
    size = min(SLOT_SET_BYTES, most)
    at = _elsewhere(request.orig_addr, FILLER_STARTS)
    return [
        {
            "op": "map",
            "mapping": f"full-{offset // size}",
            "path": "direct",
            "direction": DIRECTIONS[0],
            "orig_addr": at + offset,
            "size": size,
            "min_align_mask": 0,
        }
        for offset in range(0, SLOT_SET_BYTES, size)
    ]


def _beside(cell: Cell, request: SingleRequest) -> dict[str, int]:
    """What a second mapping asks for: in a transient pool, its first slot."""
    if cell.pool_kind is not PoolKind.TRANSIENT:
        return {}
    at = _elsewhere(request.orig_addr, FILLER_STARTS) + LARGEST_HISTORY_BYTES
    return {"orig_addr": at, "size": IO_TLB_SIZE}


def history_of(prop: Property, cell: Cell, point: Point) -> dict[str, Any]:
    """A history of calls that shows what ``point`` breaks: machine and operations.

    A buffer that reaches beyond its slots shows when a second one lies beside it.
    """
    request = single_request(cell, point)
    machine = _machine(cell, request)
    direction = DIRECTIONS[point.get("direction", 2)]
    mapped = {
        "op": "map", "mapping": "m", "path": cell.path.value, "direction": direction,
        "orig_addr": request.orig_addr, "size": request.size,
    }  # fmt: skip
    ops: list[dict[str, Any]] = [mapped]
    if cell.pool_kind is PoolKind.TRANSIENT:
        ops = [*_fillers(request), mapped]
    if prop is Property.EXCLUSIVE:
        ops.append({**mapped, "mapping": "n", **_beside(cell, request)})
    if "sync_offset" in point:
        part = {
            "mapping": "m",
            "offset": point["sync_offset"],
            "length": point["sync_size"],
        }
        reads = direction == DIRECTIONS[0]
        write, to = (
            ("cpu_write", "for_device") if reads else ("device_write", "for_cpu")
        )
        ops.append({"op": write, "value": 90, **part})
        ops.append({"op": "sync", "direction": to, **part})
    return {"machine": machine, "ops": [*ops, {"op": "unmap", "mapping": "m"}]}


def records_of(model: KernelModel, history: dict[str, Any]) -> list[dict[str, Any]]:
    """What ``model`` does in a history of :func:`history_of`, call by call."""
    if not runs_histories(model):
        return []
    return run_history(model, history["machine"], history["ops"])


def _shown_by_history(
    prop: Property, model: KernelModel, cell: Cell, point: Point
) -> bool:
    records = records_of(model, history_of(prop, cell, point))
    return any(b["property"] == prop.value for r in records for b in r["broken"])


def only_by_partial_sync(
    prop: Property, model: KernelModel, cell: Cell, point: Point
) -> bool:
    """Whether ``point`` breaks ``prop`` by a sync of a part, and not without one."""
    parted = point.get("sync_size", point["size"]) < point["size"]
    if not parted or not runs_histories(model):
        return False
    history = history_of(prop, cell, point)
    kept = [op for op in history["ops"] if op["op"] not in ("cpu_write", "sync")]
    records = records_of(model, {**history, "ops": kept})
    return not any(b["property"] == prop.value for r in records for b in r["broken"])


def _accepts(model: KernelModel, cell: Cell, point: Point) -> bool:
    """Whether the kernel's own rule accepts the free run of ``point``.

    Where no rule says what the search does: whether it finds the run when it starts
    there, or takes that place in an area where all is free.
    """
    if isinstance(model, BuiltinKernel):
        request = single_request(cell, point)
        return rule_accepts(model.state, request, point["free_slot"])
    request = single_request(cell, point)
    asked = Request(Word(request.orig_addr, U64), Word(request.size, U64))
    try:
        cases(model, cell, model.mapping(cell, asked))
    except NoClosedForm:
        return _taken_there(model, cell, point)
    return True


def _taken_there(model: KernelModel, cell: Cell, point: Point) -> bool:
    slots = point["area_nslabs"]
    place = point["free_slot"] % slots
    there = {**point, "start_index": place}
    if outcome_of(Property.FINDS, model, cell, there).slot == point["free_slot"]:
        return True
    empty = outcome_of(Property.FITS, model, cell, _without(there, "free_slot"))
    return empty.slot is not None and empty.slot % slots == place


def _without(point: Point, name: str) -> Point:
    return {key: value for key, value in point.items() if key != name}


def _misplaced(model: KernelModel, cell: Cell, point: Point, outcome: Outcome) -> bool:
    tlb, slot = outcome.tlb_addr, outcome.slot
    if not outcome.ok or tlb is None or slot is None:
        return False
    slot_size = model.geometry(cell.page_size).size
    slot_start = point["pool_start"] + slot * slot_size
    if cell.path is Path.ALLOC:
        pages = -(-point["size"] // cell.page_size)
        whole = cell.page_size << (pages - 1).bit_length()
        page = point["size"] >= cell.page_size and tlb % cell.page_size != 0
        asked = (whole - 1) in model.alloc_align_masks(cell)
        return page or (asked and slot_start % whole != 0)
    granule = cell.granule if cell.path.has_granule else 1
    lost = (tlb ^ _piece_address(cell, point)) & cell.min_align_mask
    return bool(lost) or slot_start % granule != 0


def _piece_address(cell: Cell, point: Point) -> int:
    """Where the bounced piece begins: the request's address but for a linked tail."""
    head = point["orig_addr"] % cell.granule
    if cell.path is not Path.LINK or head:
        return point["orig_addr"]
    end = point["orig_addr"] + point["size"]
    return end - end % cell.granule


def refused(model: KernelModel, cell: Cell, point: Point) -> bool:
    """Whether the kernel refuses the device's mask, whatever is asked for."""
    asked = Request(Word(point["orig_addr"], U64), Word(point["size"], U64))
    return bool(model.mapping(cell, asked).refused)


def shows(prop: Property, model: KernelModel, cell: Cell, point: Point) -> bool:
    """Whether the simulator shows that ``point`` breaks ``prop``."""
    if prop in LIVE and cell.path is not Path.LINK:
        return _shown_by_history(prop, model, cell, point)
    outcome = outcome_of(prop, model, cell, point)
    if prop is Property.FITS:
        masked = isinstance(model, BuiltinKernel) and refused(model, cell, point)
        return not outcome.ok and not masked
    if prop is Property.HALTS:
        return bool(outcome.hang)
    if prop is Property.FINDS:
        missed = outcome.slot is None and _accepts(model, cell, point)
        return missed and not refused(model, cell, point)
    if prop is Property.ALIGNED:
        return _misplaced(model, cell, point, outcome)
    return False


def shown_of(prop: Property, model: KernelModel, cell: Cell, point: Point) -> Shown:
    """Outcome, occupancy and history of ``point``, as far as ``prop`` needs them."""
    outcome = outcome_of(prop, model, cell, point)
    told = prop in LIVE and cell.path is not Path.LINK
    told = told and runs_histories(model)
    history = history_of(prop, cell, point) if told else None
    return Shown(outcome, taken_slots(prop, model, cell, point), history)


def confirmer(
    prop: Property, model: KernelModel
) -> tuple[Callable[[Cell, Point], Shown], Callable[[Cell, Point], bool]]:
    """The two callbacks that a :class:`~.contract.verdict.Hunt` takes."""

    def run(cell: Cell, point: Point) -> Shown:
        return shown_of(prop, model, cell, point)

    def confirm(cell: Cell, point: Point) -> bool:
        return shows(prop, model, cell, point)

    return run, confirm
