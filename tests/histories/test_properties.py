# SPDX-License-Identifier: GPL-2.0-only
"""Each property, broken by a state known to break it and kept by one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from bounceproof.models.catalog import kernel_state
from bounceproof.simulator.history.run import run_history

Ops = list[dict[str, Any]]

K = 1024
HIGH = 0x1_0000_0000


def broken(kernel: str, machine: dict[str, Any], ops: Ops) -> set[str]:
    """The properties that break in the history."""
    records = run_history(kernel_state(kernel), machine, ops)
    return {fault["property"] for r in records for fault in r["broken"]}


def mapped(size: int, orig_addr: int = HIGH, **more: Any) -> dict[str, Any]:
    return {"op": "map", "size": size, "orig_addr": orig_addr, **more}


PAGE_AFTER_SLOT: Ops = [
    mapped(2 * K, mapping="stream"),
    {"op": "map", "mapping": "pages", "path": "alloc", "size": 4 * K},
    {"op": "unmap", "mapping": "pages"},
]


def test_double_allocation_of_coherent_pages() -> None:
    machine = {"nslabs": 128}
    faults = broken("v6.6", machine, PAGE_AFTER_SLOT)
    assert {"aligned", "exclusive", "returned"} <= faults
    for kept in ("v6.6.24", "v6.6.35", "v6.9", "v6.12", "v7.3.4"):
        assert broken(kept, machine, PAGE_AFTER_SLOT) == set()


def test_wrong_release_frees_the_neighbour() -> None:
    records = run_history(kernel_state("v6.6"), {"nslabs": 128}, PAGE_AFTER_SLOT)
    assert records[1]["outcome"]["slot"] == 1
    assert records[2]["outcome"]["freed"] == 1
    assert "slot 0 is freed" in records[2]["broken"][0]["text"]


@pytest.mark.parametrize(
    ("kernel", "faults"),
    [("v6.6", {"aligned"}), ("v6.6.24", {"aligned"}), ("v6.12", set())],
)
def test_granule_and_device_mask_together(kernel: str, faults: set[str]) -> None:
    machine = {
        "page_size": 64 * K,
        "granule": 64 * K,
        "min_align_mask": 0xFFF,
        "pool_start": 0x8000_0000,
    }
    at = HIGH + (0x4600 if kernel == "v6.6" else 0x800)
    ops: Ops = [mapped(512, at, path="iommu", direction="to_device")]
    assert broken(kernel, machine, ops) & {"aligned"} == faults


CROSSING: Ops = [mapped(60 * K, HIGH + 0x700, path="iommu", mapping=0)]


@pytest.mark.parametrize("kernel", ["v5.16", "v6.1.192", "v6.6.35", "v6.9"])
def test_rounding_before_padding_shares_a_granule(kernel: str) -> None:
    machine = {"min_align_mask": 0xFFF}
    assert "owned" in broken(kernel, machine, CROSSING)
    assert broken("v6.12", machine, CROSSING) == set()


def partial_write(path: str, at: int = HIGH + 0x200) -> Ops:
    return [
        mapped(3000, at, path=path, direction="from_device", mapping=0),
        {"op": "device_write", "mapping": 0, "length": 1000, "value": 7},
        {"op": "unmap", "mapping": 0},
    ]


@pytest.mark.parametrize(
    ("kernel", "path", "lost"),
    [
        ("v5.16", "direct", True),
        ("v6.0", "direct", False),
        ("v6.9", "direct", False),
        ("v6.9", "iommu", True),
        ("v6.10", "iommu", False),
        ("v6.12", "iommu", False),
    ],
)
def test_partial_device_write(kernel: str, path: str, lost: bool) -> None:
    faults = broken(kernel, {}, partial_write(path))
    assert ("clean" in faults) is lost


def test_refused_mapping_wipes_the_buffer() -> None:
    machine = {"min_align_mask": 0xFFFF}
    ops: Ops = [mapped(3000, path="iommu", direction="from_device")]
    assert broken("v6.9", machine, ops) == {"clean"}
    assert broken("v6.12", machine, ops) == set()
    record = run_history(kernel_state("v6.12"), machine, ops)[0]
    assert record["outcome"]["ok"] is False
    assert record["live"] == []


@pytest.mark.parametrize(
    ("kernel", "stale"), [("v6.6", True), ("v6.9", True), ("v6.10", False)]
)
def test_stale_bytes_in_the_padding(kernel: str, stale: bool) -> None:
    machine = {"min_align_mask": 0xFFF, "fill": 0x5A}
    ops: Ops = [mapped(3 * K, HIGH + 0x400, path="iommu", direction="to_device")]
    assert ("clean" in broken(kernel, machine, ops)) is stale


def test_stale_bytes_come_from_an_earlier_mapping() -> None:
    machine = {"min_align_mask": 0xFFF, "nslabs": 128}
    ops: Ops = [
        mapped(256 * K, mapping="earlier"),
        {"op": "unmap", "mapping": "earlier"},
        mapped(512, HIGH + 0x400, path="iommu"),
    ]
    assert "clean" in broken("v6.9", machine, ops)
    assert "clean" not in broken("v6.12", machine, ops)


PARTIAL_SYNC: Ops = [
    mapped(8 * K, HIGH + 0x600, mapping=0),
    {"op": "device_write", "mapping": 0, "offset": 0x200, "length": 64, "value": 9},
    {
        "op": "sync",
        "mapping": 0,
        "offset": 0x200,
        "length": 64,
        "direction": "for_cpu",
    },
    {"op": "cpu_write", "mapping": 0, "offset": 0x200, "length": 64, "value": 99},
    {
        "op": "sync",
        "mapping": 0,
        "offset": 0x200,
        "length": 64,
        "direction": "for_device",
    },
]


@pytest.mark.parametrize(
    "kernel", ["v5.10.223", "v6.8.3+kelley-partial-sync", "v6.9", "v6.12"]
)
def test_partial_sync_copies(kernel: str) -> None:
    assert broken(kernel, {"min_align_mask": 0xFFF}, PARTIAL_SYNC) == set()


@pytest.mark.parametrize("kernel", ["v5.16", "v6.1.192", "v6.6.35", "v6.8.3"])
def test_partial_sync_below_the_padding_is_lost(kernel: str) -> None:
    records = run_history(kernel_state(kernel), {"min_align_mask": 0xFFF}, PARTIAL_SYNC)
    for record in (records[2], records[4]):
        assert record["broken"][0]["property"] == "clean"
        assert "before the mapping" in record["outcome"]["warning"]


def test_zeroing_past_the_allocation() -> None:
    machine = {"min_align_mask": 0xFFF}
    ops: Ops = [mapped(3 * K, HIGH + 0x400, path="iommu", direction="to_device")]
    assert "inbounds" in broken("v6.9+kelley-callee-rounds", machine, ops)
    assert "inbounds" not in broken("v6.9", machine, ops)
    mended = "v6.9+kelley-callee-rounds+kelley-padding"
    assert broken(mended, machine, ops) == set()


def test_zeroing_past_the_allocation_wipes_the_neighbour() -> None:
    machine = {"min_align_mask": 0xFFF, "start_index": 2}
    ops: Ops = [
        mapped(4 * K, HIGH, direction="to_device", mapping="victim"),
        *[mapped(4 * K, HIGH + (i << 16), mapping=i) for i in range(1, 255)],
        mapped(3 * K, (1 << 40) + 0x400, path="iommu", mapping="zeroes"),
        {"op": "device_read", "mapping": "victim"},
    ]
    records = run_history(kernel_state("v6.9+kelley-callee-rounds"), machine, ops)
    assert records[-2]["outcome"]["slot"] == 0
    assert records[-1]["broken"][0]["property"] == "clean"
    assert "clean" not in broken("v6.12", machine, ops)


def test_list_past_the_end_of_the_pool() -> None:
    machine = {"nslabs": 130, "start_index": 128}
    ops: Ops = [mapped(8 * K)]
    assert "inbounds" in broken("v6.6", machine, ops)
    assert broken("v6.6.9", machine, ops) == set()


PADDED: Ops = [
    mapped(8 * K, HIGH + 0xFA0, path="iommu", mapping=0),
    {"op": "unmap", "mapping": 0},
]


def test_uninitialised_pad_slots() -> None:
    machine = {"min_align_mask": 0xFFF, "uninitialised": 100}
    assert "returned" in broken("v6.8.3+petr-prepad-v2", machine, PADDED)
    for kept in ("v6.8.3+petr-prepad", "v6.9", "v6.12"):
        assert "returned" not in broken(kept, machine, PADDED)


BACK_TO_START: Ops = [mapped(128 * K, HIGH + 0x800, mapping=i) for i in range(4)]


@pytest.mark.parametrize(
    ("kernel", "faults"),
    [
        ("v5.10.223", {"halts"}),
        ("v6.1.192", {"halts"}),
        ("v6.2.12", {"halts"}),
        ("v6.2.12+yu-loop-counter", set()),
        ("v6.12", set()),
    ],
)
def test_search_without_end(kernel: str, faults: set[str]) -> None:
    machine = {"min_align_mask": 0xFFF, "nslabs": 256, "start_index": 10}
    assert broken(kernel, machine, BACK_TO_START) == faults
    last = run_history(kernel_state(kernel), machine, BACK_TO_START)[2]
    assert last["outcome"] is None or last["outcome"]["hang"] is bool(faults)


@pytest.mark.parametrize("kernel", ["v6.9", "v6.12", "v6.12.107", "v7.3.4"])
def test_counted_search_misses_the_first_slots(kernel: str) -> None:
    """The last step before the wrap counts a whole stride but goes only to slot 0."""
    ops: Ops = [mapped(252 * K, HIGH + 0x800)]
    machine = {"min_align_mask": 0xFFF, "nslabs": 128}
    assert broken(kernel, machine | {"start_index": 2}, ops) == {"finds"}
    for start in (0, 1, 3):
        assert broken(kernel, machine | {"start_index": start}, ops) == set()


@pytest.mark.parametrize("kernel", ["v6.9", "v6.12", "v7.3.4"])
def test_counted_search_fails_on_an_empty_pool_after_one_mapping(kernel: str) -> None:
    machine = {"min_align_mask": 0xFFF, "nslabs": 128}
    ops: Ops = [
        mapped(1 * K, HIGH + 0x800, mapping="small"),
        {"op": "unmap", "mapping": "small"},
        mapped(252 * K, HIGH + 0x800),
    ]
    records = run_history(kernel_state(kernel), machine, ops)
    assert records[0]["outcome"]["slot"] == 1
    assert records[2]["outcome"]["ok"] is False
    assert records[2]["broken"][0]["property"] == "finds"


def test_stride_that_skips_slots() -> None:
    """The partial backport steps by 6 slots for a 64 KiB page without alignment."""
    machine = {"page_size": 64 * K, "nslabs": 128}
    ops: Ops = [
        mapped(74 * K, HIGH, mapping=0),
        mapped(64 * K, HIGH + (1 << 20), mapping=1),
        mapped(42 * K, HIGH + (2 << 20), mapping=2),
        mapped(76 * K, HIGH + (3 << 20), mapping=3),
        {"op": "unmap", "mapping": 1},
        mapped(64 * K, HIGH + (4 << 20), mapping=4),
    ]
    assert "finds" in broken("v6.6.24", machine, ops)
