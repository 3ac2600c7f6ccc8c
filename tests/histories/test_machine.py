# SPDX-License-Identifier: GPL-2.0-only
"""The machine: outcomes, bytes, the list[] invariant, random histories, bad input."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import numpy as np
import pytest

from bounceproof.models.catalog import STATES, kernel_state
from bounceproof.simulator.history.checks import PROPERTIES
from bounceproof.simulator.history.memory import OriginalMemory, PoolMemory
from bounceproof.simulator.history.run import Machine, run_history
from bounceproof.simulator.history.slots import invariant
from bounceproof.simulator.history.types import HistoryError, MachineConfig
from bounceproof.simulator.single import SingleRequest, simulate
from tests.histories.cases import fuzz, paths_of, random_case

K = 1024
KEEPS_ALL_BUT_FINDS = ("v6.10", "v6.12", "v6.12.107", "v7.2.13", "v7.3.4")
UNTIL_START = {"clean", "aligned", "owned", "halts"}
ONE_MASK = {"clean", "aligned", "owned", "returned", "exclusive", "finds"}
SPLIT_MASKS = {"clean", "aligned", "owned", "finds"}
MAY_BREAK = {
    "v5.10.223": {"halts"},
    "v5.16": UNTIL_START,
    "v6.0": UNTIL_START,
    "v6.1.192": UNTIL_START | {"finds"},
    "v6.2.12": UNTIL_START,
    **dict.fromkeys(("v6.3", "v6.5", "v6.6", "v6.6.9", "v6.7", "v6.8.1"), ONE_MASK),
    "v6.6.24": SPLIT_MASKS,
    "v6.8.3": SPLIT_MASKS,
    "v6.6.35": {"clean", "owned", "finds"},
    "v6.9": {"clean", "owned", "finds"},
    **{kernel: {"finds"} for kernel in KEEPS_ALL_BUT_FINDS},
}


def requests(seed: int, kernel: str, count: int) -> list[SingleRequest]:
    rng = Random(seed)
    found: list[SingleRequest] = []
    while len(found) < count:
        machine, ops = random_case(kernel_state(kernel), rng.randrange(1 << 30), 4)
        for op in ops:
            if op["op"] != "map":
                continue
            fields: dict[str, Any] = {n: op[n] for n in ("path", "orig_addr", "size")}
            fields |= {n: v for n, v in machine.items() if n not in _NOT_ASKED}
            found.append(SingleRequest(**fields))
    return found[:count]


_NOT_ASKED = ("fill", "uninitialised")


@pytest.mark.parametrize("kernel", list(STATES))
def test_first_map_is_the_single_request(kernel: str) -> None:
    asked = requests(1, kernel, 150)
    expected = simulate(kernel_state(kernel), asked)
    for request, outcome in zip(asked, expected, strict=True):
        machine = request.fields()
        op = {n: machine.pop(n) for n in ("path", "orig_addr", "size")}
        record = run_history(kernel_state(kernel), machine, [{"op": "map", **op}])[0]
        got = record["outcome"]
        if got["bounced"] and not got["ok"] and not outcome.ok:
            got = got | {"sz": outcome.sz}
        assert got == outcome.fields()


@pytest.mark.parametrize("kernel", list(STATES))
def test_random_histories_keep_what_their_state_keeps(kernel: str) -> None:
    seen = fuzz(kernel_state(kernel), range(300), 80)
    assert set(seen.broken) <= MAY_BREAK[kernel]
    assert seen.unsound == 0 or "returned" in MAY_BREAK[kernel]
    assert seen.operations > 10_000


BREAKS = {
    "v5.10.223": {"halts"},
    "v5.16": {"clean", "aligned", "owned", "halts"},
    "v6.1.192": {"clean", "aligned", "owned", "halts"},
    "v6.6": {"clean", "aligned", "owned", "returned", "exclusive", "finds"},
    "v6.6.24": {"clean", "aligned", "owned"},
    "v6.9": {"clean", "owned"},
    "v6.9+kelley-callee-rounds": {"clean", "inbounds"},
    "v6.8.3+petr-prepad-v2": {"returned"},
}


@pytest.mark.parametrize("kernel", list(BREAKS))
def test_random_histories_find_what_is_broken(kernel: str) -> None:
    seen = fuzz(kernel_state(kernel), range(250), 80)
    assert BREAKS[kernel] <= set(seen.broken)
    json.dumps(seen.as_json())


def test_a_report_is_json() -> None:
    machine, ops = random_case(kernel_state("v6.6"), 2, 70)
    records = run_history(kernel_state("v6.6"), machine, ops)
    assert json.loads(json.dumps(records)) == records
    faults = {fault["property"] for r in records for fault in r["broken"]}
    assert faults
    assert faults <= set(PROPERTIES)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", list(STATES))
def test_hundred_thousand_random_histories(kernel: str) -> None:
    seen = fuzz(kernel_state(kernel), range(100_000), 20)
    assert set(seen.broken) <= MAY_BREAK[kernel]
    assert seen.unsound == 0 or "returned" in MAY_BREAK[kernel]


@pytest.mark.parametrize("kernel", ["v6.2.12", "v6.12"])
def test_unmapping_everything_restores_the_pool(kernel: str) -> None:
    config = MachineConfig(min_align_mask=0xFFF, nslabs=512, nareas=4)
    machine = Machine(kernel_state(kernel), config)
    empty = list(machine.pool.lst)
    rng = Random(5)
    for i in range(40):
        at = (1 + i << 20) + rng.randrange(1 << 12)
        op = {"op": "map", "mapping": i, "size": rng.randrange(1, 20 * K)}
        machine.run(op | {"orig_addr": at, "cpu": rng.randrange(8)})
        assert machine.fault is None
    names = list(machine.live)
    assert len(names) > 20
    rng.shuffle(names)
    for name in names:
        record = machine.run({"op": "unmap", "mapping": name})
        assert record["broken"] == []
    assert list(machine.pool.lst) == empty
    assert machine.pool.used == [0] * 4
    assert all(size == 0 for size in machine.pool.alloc_size)


def test_start_area_is_the_cpus() -> None:
    ops = [
        {"op": "map", "size": K, "orig_addr": (1 + cpu) << 20, "cpu": cpu}
        for cpu in (2, 0, 6, 3)
    ]
    records = run_history(kernel_state("v6.12"), {"nslabs": 512, "nareas": 4}, ops)
    assert [r["outcome"]["slot"] for r in records] == [256, 0, 257, 384]
    assert [len(r["live"]) for r in records] == [1, 2, 3, 4]


def test_areas_below_a_slot_set_lend_each_other_slots() -> None:
    machine = {"nslabs": 128, "nareas": 2, "start_index": 50}
    ops: list[dict[str, Any]] = [
        {"op": "map", "size": 100 * K, "orig_addr": 1 << 20},
        {"op": "map", "size": 28 * K, "orig_addr": 2 << 20, "cpu": 1},
        {"op": "map", "size": 28 * K, "orig_addr": 3 << 20, "cpu": 1},
        {"op": "unmap", "mapping": 0},
    ]
    records = run_history(kernel_state("v6.0"), machine, ops)
    assert [r["outcome"]["slot"] for r in records[:3]] == [50, 114, 100]
    assert all(r["invariant"] is None and not r["broken"] for r in records)


def test_newer_kernels_limit_areas_to_slot_sets() -> None:
    machine = {"nslabs": 128, "nareas": 2}
    with pytest.raises(HistoryError, match="divides 128 slots into 1 at most, not 2"):
        run_history(kernel_state("v6.12"), machine, [])
    run_history(kernel_state("v6.1.192"), machine, [])


def test_bytes_come_and_go() -> None:
    config = MachineConfig(min_align_mask=0xFFF)
    machine = Machine(kernel_state("v6.12"), config)
    at = (5 << 30) + 0x123
    before = machine.memory.read(at, 5000)
    op = {"op": "map", "mapping": "a", "size": 5000, "orig_addr": at}
    tlb = machine.run(op)["outcome"]["tlb_addr"]
    assert np.array_equal(machine.pool.memory.view(tlb, tlb + 5000), before)
    machine.run({"op": "device_write", "mapping": "a", "offset": 4000, "value": 3})
    assert np.array_equal(machine.memory.read(at, 5000), before)
    machine.run({"op": "unmap", "mapping": "a"})
    after = machine.memory.read(at, 5000)
    assert np.array_equal(after[:4000], before[:4000])
    assert list(after[4000:4003]) == [3, 4, 5]


def test_the_iommu_stops_the_device() -> None:
    ops: list[dict[str, Any]] = [
        {"op": "map", "mapping": 0, "path": "iommu", "size": 100, "orig_addr": 256},
        {"op": "device_write", "mapping": 0, "offset": -16, "length": 16},
        {"op": "device_write", "mapping": 0, "offset": 3996, "length": 100},
        {"op": "device_write", "mapping": 0, "offset": 4000, "length": 97},
        {"op": "unmap", "mapping": 0},
        {"op": "unmap", "mapping": 0},
    ]
    records = run_history(kernel_state("v6.12"), {"min_align_mask": 0xFFF}, ops)
    assert [r["outcome"]["ok"] for r in records[:5]] == [True, True, False, False, True]
    assert records[5]["outcome"] is None


def test_aligned_request_needs_no_bounce() -> None:
    op = {"op": "map", "path": "iommu", "size": 8192, "orig_addr": 1 << 40}
    write = {"op": "device_write", "mapping": 0, "offset": 8, "length": 2, "value": 1}
    machine = Machine(kernel_state("v6.12"), MachineConfig())
    assert machine.run(op)["outcome"]["bounced"] is False
    machine.run(write)
    assert list(machine.memory.read((1 << 40) + 8, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("lst", "used", "fault"),
    [
        (list(range(128, 0, -1)), [0], None),
        ([0, 0, *range(126, 0, -1)], [2], None),
        ([0, 0, *range(126, 0, -1)], [1], "used of area 0 is 1"),
        ([1, 0, *range(126, 0, -1)], [1], None),
        ([2, 0, *range(126, 0, -1)], [1], "list[0] is 2"),
        ([*range(128, 1, -1), 2], [0], "list[127] is 2"),
    ],
)
def test_invariant(lst: list[int], used: list[int], fault: str | None) -> None:
    said = invariant(np.array(lst, dtype=np.int32), used, 128, 1)
    assert said is None if fault is None else str(said).startswith(fault)


def test_memory_over_chunks_and_the_end_of_addresses() -> None:
    memory = OriginalMemory()
    for at in (0xFFF0, (1 << 64) - 8):
        before = memory.read(at, 20)
        assert before.all()
        memory.write(at, np.arange(20, dtype=np.uint8))
        assert list(memory.read(at, 20)) == list(range(20))
    pool = PoolMemory(4096, 100, 1)
    pool.write(4090, np.arange(10, dtype=np.uint8))
    assert list(pool.data[:5]) == [6, 7, 8, 9, 1]
    assert len(pool.view(0, 4096)) == 0


@pytest.mark.parametrize(
    ("machine", "op", "named"),
    [
        ({"nslabs": 0}, {}, "nslabs"),
        ({"nslabs": 1 << 40}, {}, "nslabs"),
        ({"nslabs": 1 << 18, "fill": 1}, {}, "fill"),
        ({"nareas": 2}, {}, "areas?, not 2|one area"),
        ({"granule": 65536}, {}, "granule"),
        ({"min_align_mask": 5}, {}, "min_align_mask"),
        ({"pool_start": 100}, {}, "pool_start"),
        ({"slots": 3}, {}, "unknown field 'slots'"),
        ({"nslabs": "many"}, {}, "nslabs"),
        ({"nslabs": True}, {}, "nslabs"),
        ({}, {"op": "steal"}, "op 0: op is not one of"),
        ({}, {"op": "map"}, "op 0: map needs size"),
        ({}, {"op": "map", "size": 0}, "size"),
        ({}, {"op": "map", "size": 1.5}, "size"),
        ({}, {"op": "map", "size": 1, "color": 2}, "color"),
        ({}, {"op": "map", "size": 1, "path": "iommu"}, "path"),
        ({}, {"op": "map", "size": 1, "direction": "up"}, "direction"),
        ({}, {"op": "map", "size": 2, "orig_addr": (1 << 64) - 1}, "size"),
        ({}, {"op": "unmap", "mapping": "x"}, "never mapped"),
        ({}, {"op": "unmap"}, "needs mapping"),
        ({}, {"op": "unmap", "mapping": []}, "mapping"),
        ({}, [], "object"),
    ],
)
def test_bad_input(machine: dict[str, Any], op: Any, named: str) -> None:
    with pytest.raises(HistoryError, match=named) as raised:
        run_history(kernel_state("v5.10.223"), machine, [op])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("offset", [-1, 90])
def test_sync_outside_the_mapping(offset: int) -> None:
    ops = [
        {"op": "map", "mapping": 0, "size": 100, "orig_addr": 4096},
        {
            "op": "sync",
            "mapping": 0,
            "offset": offset,
            "length": 20,
            "direction": "for_cpu",
        },
    ]
    with pytest.raises(HistoryError, match="op 1: sync of 20 bytes"):
        run_history(kernel_state("v6.12"), {}, ops)


def test_paths() -> None:
    assert paths_of(kernel_state("v5.10.223")) == ("direct",)
    assert paths_of(kernel_state("v6.12")) == ("direct", "iommu", "alloc")
