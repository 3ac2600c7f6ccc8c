# SPDX-License-Identifier: GPL-2.0-only
"""Histories in which the pool is full and a mapping gets a transient one."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from bounceproof.models.catalog import kernel_state
from bounceproof.simulator.history.run import Machine, run_history
from bounceproof.simulator.history.types import HistoryError, MachineConfig
from bounceproof.simulator.single import SingleRequest, simulate
from tests.histories.cases import random_case

START = 1 << 40
MACHINE = {"nslabs": 128, "min_align_mask": 0xFFF, "transient_start": START}
FULL: dict[str, Any] = {
    "op": "map",
    "mapping": "full",
    "orig_addr": 1 << 44,
    "size": 128 << 11,
    "min_align_mask": 0,
}


def mapped(name: str, **fields: Any) -> dict[str, Any]:
    return {"op": "map", "mapping": name, "orig_addr": 5 << 30, "size": 6000, **fields}


def test_a_full_pool_gives_way_to_a_transient_one() -> None:
    machine = Machine(kernel_state("v6.12"), MachineConfig.of(MACHINE))
    machine.run(FULL)
    before = machine.memory.read(5 << 30, 6000)
    record = machine.run(mapped("m"))
    assert record["broken"] == []
    assert record["outcome"]["pool_start"] == START
    assert record["outcome"]["tlb_addr"] == START
    pool = machine.live["m"].home
    assert pool is not machine.pool
    assert pool.config.nslabs == 3
    assert np.array_equal(pool.memory.view(START, START + 6000), before)
    machine.run({"op": "device_write", "mapping": "m", "offset": 5999, "value": 7})
    record = machine.run({"op": "unmap", "mapping": "m"})
    assert record["outcome"]["freed"] == 3
    assert record["broken"] == []
    assert machine.transient.live == []
    assert list(machine.memory.read((5 << 30) + 5999, 1)) == [7]
    assert machine.pool.used == [128]


def test_pools_lie_side_by_side_at_their_order() -> None:
    ops = [FULL, mapped("a", size=2048), mapped("b", size=9000, orig_addr=6 << 30)]
    records = run_history(kernel_state("v6.12"), MACHINE, ops)
    starts = [r["outcome"].get("pool_start") for r in records]
    assert starts == [None, START, START + 0x4000]
    assert records[-1]["live"][-1]["pool_start"] == START + 0x4000


def test_pages_are_beside_the_default_pool() -> None:
    config = {**MACHINE, "pool_start": 1 << 30, "transient_start": (1 << 30) - 4096}
    ops = [FULL, mapped("a", size=8192)]
    record = run_history(kernel_state("v6.12"), config, ops)[-1]
    assert record["outcome"]["pool_start"] == (1 << 30) + (128 << 11)


def test_a_slot_past_the_pool_shows() -> None:
    ops = [FULL, mapped("a", orig_addr=(5 << 30) + 0x800), mapped("b", size=512)]
    last = {"op": "unmap", "mapping": "a"}
    records = run_history(kernel_state("v6.6"), MACHINE, [*ops, last])
    seen = {fault["property"] for r in records for fault in r["broken"]}
    assert {"inbounds", "returned"} <= seen
    records = run_history(kernel_state("v6.6.9"), MACHINE, ops)
    assert records[1]["outcome"]["ok"] is False
    assert records[1]["outcome"]["sz"] == 6000


@pytest.mark.parametrize("kernel", ["v6.6", "v6.6.35", "v6.8.1", "v6.12", "v7.3.4"])
def test_the_mapping_is_the_single_request(kernel: str) -> None:
    rng, state = Random(7), kernel_state(kernel)
    for _ in range(150):
        pa = rng.randrange(1 << 12, 1 << 24) & -rng.choice((1, 512, 2048, 4096))
        fields: dict[str, Any] = {
            "path": rng.choice(("direct", "iommu")),
            "orig_addr": (5 << 30) + pa,
            "size": rng.randrange(1, 1 << rng.randrange(1, 19)),
        }
        config = {**MACHINE, "page_size": 65536, "granule": 65536}
        got = run_history(state, config, [FULL, mapped("m", **fields)])[-1]["outcome"]
        got.pop("pool_start", None)
        shape = {"nslabs": 0, "nareas": 1, "start_index": 0, "pool_start": START}
        request = SingleRequest(
            page_size=65536,
            granule=65536,
            min_align_mask=0xFFF,
            seg_boundary_mask=(1 << 64) - 1,
            pool_kind="transient",
            **shape,
            **fields,
        )
        assert got == simulate(state, [request])[0].fields()


@pytest.mark.parametrize("kernel", ["v6.10", "v6.12.107", "v7.3.4"])
def test_random_histories_keep_the_contract(kernel: str) -> None:
    state, transient = kernel_state(kernel), 0
    for seed in range(120):
        machine, ops = random_case(state, seed, 60)
        run = Machine(state, MachineConfig.of({**machine, "transient_start": START}))
        for op in ops:
            record = run.run(op)
            assert {fault["property"] for fault in record["broken"]} <= {"finds"}
            transient += "pool_start" in (record["outcome"] or {})
        assert run.fault is None
    assert transient > 20


def test_coherent_allocations_get_none() -> None:
    op = mapped("a", path="alloc", size=4096, orig_addr=0)
    record = run_history(kernel_state("v6.12"), MACHINE, [FULL, op])[-1]
    assert record["outcome"]["ok"] is False


@pytest.mark.parametrize(
    ("kernel", "start", "named"),
    [
        ("v6.5", START, "v6.5 has no transient pools"),
        ("v6.12", 100, "transient_start is out of range"),
        ("v6.12", 1 << 60, "transient_start is out of range"),
    ],
)
def test_bad_input(kernel: str, start: int, named: str) -> None:
    with pytest.raises(HistoryError, match=named):
        run_history(kernel_state(kernel), {"transient_start": start}, [])
