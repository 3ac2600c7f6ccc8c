# SPDX-License-Identifier: GPL-2.0-only
"""Whole-process times of T1, T3 and a tree, and the engine against the same loop in C.

Everything is measured in this one run, the two engines in turn, so that the ratios
hold on a machine whose speed drifts.  Both make room for their results each time.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.catalog import kernel_state
from bounceproof.simulator.batch import INPUTS, Batch, run_batch

REQUESTS = 1_000_000
ROUNDS = 7
MACHINE = [
    *("--page-size", "64K", "--granule", "64K", "--path", "iommu"),
    *("--nslabs", "32768", "--nareas", "1"),
]
COMMANDS = {
    "--help": ["--help"],
    "T1, check v6.6": ["check", "v6.6", "--property", "fits", *MACHINE],
    "T3, prove both patches": [
        "prove",
        "v6.6+nicolin-v1-1+nicolin-v1-2",
        "--property",
        "fits",
        *MACHINE,
    ],
    "check v6.6, whole domain": ["check", "v6.6", "--property", "fits"],
    "prove v6.12, any area": [
        "prove",
        "v6.12",
        "--property",
        "fits",
        "--path",
        "iommu",
    ],
}

KERNELS = Path(__file__).parents[1] / "build" / "kernels"
CELL = ["--page-size", "64K", "--granule", "64K", "--path", "iommu"]
TREE_QUESTIONS = {
    "fits, one cell": ["--property", "fits", *CELL],
    "clean, one cell": ["--property", "clean", *CELL],
    "all nine, one cell": CELL,
    "all nine, every cell": [],
}


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def process_times() -> None:
    print(f"{'whole process':28} {'min':>7} {'median':>7} {'max':>7}  seconds")
    for name, arguments in COMMANDS.items():
        command = ["bounceproof", *arguments]
        times = [
            seconds(
                lambda c=command: subprocess.run(c, capture_output=True, check=False)
            )
            for _ in range(ROUNDS)
        ]
        low, middle, high = min(times), statistics.median(times), max(times)
        print(f"{name:28} {low:7.3f} {middle:7.3f} {high:7.3f}")


def tree_times() -> None:
    """Seconds of the processors and of the clock, for questions about a tree."""
    tree = KERNELS / "linux-source-6.12.tar.xz"
    if not tree.is_file():
        print("\nno tree of 6.12: make kernels")
        return
    print(f"\n{'check ' + tree.name:36} {'CPU':>7} {'clock':>7}  seconds")
    for name, arguments in TREE_QUESTIONS.items():
        before, started = spent_below(), time.perf_counter()
        command = ["bounceproof", "check", str(tree), *arguments]
        subprocess.run(command, capture_output=True, check=False)
        took = time.perf_counter() - started
        print(f"{name:36} {spent_below() - before:7.1f} {took:7.1f}")


def spent_below() -> float:
    """CPU seconds of the processes that this one started and that ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def requests() -> Batch:
    rng = np.random.default_rng(6)
    fixed = {
        "page_size": 65536,
        "path": 1,
        "granule": 65536,
        "min_align_mask": 4095,
        "seg_boundary_mask": 0xFFFFFFFF,
        "pool_start": 0xBD800000,
        "nslabs": 32768,
        "nareas": 1,
    }
    columns = {k: np.full(REQUESTS, v, dtype=np.int64) for k, v in fixed.items()}
    columns["start_index"] = rng.integers(0, 32768, REQUESTS)
    columns["orig_addr"] = rng.integers(0, 1 << 46, REQUESTS) * 4
    columns["size"] = rng.integers(1, 505, REQUESTS) * 512
    return Batch(columns)


def compile_loop(folder: Path) -> ctypes.CDLL:
    library = folder / "loop.so"
    source = Path(__file__).with_name("loop.c")
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True
    )
    return ctypes.CDLL(str(library))


def run_c(
    library: ctypes.CDLL, rows: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    pointer = ctypes.POINTER(ctypes.c_int64)
    library.run(
        rows.ctypes.data_as(pointer),
        ctypes.c_int64(len(rows)),
        ctypes.c_int64(32768),
        out.ctypes.data_as(pointer),
    )


def engines() -> None:
    batch, state = requests(), kernel_state("v6.12")
    rows = np.ascontiguousarray(np.stack([batch.columns[n] for n in INPUTS], axis=1))
    out = np.empty((REQUESTS, 8), dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        library = compile_loop(Path(folder))
        answer = run_batch(state, batch)
        run_c(library, rows, out)
        bounced = answer["bounced"] == 1
        for column, name in enumerate(("ok", "bounced", "slot", "nslots", "tlb_addr")):
            assert np.array_equal(out[bounced, column], answer[name][bounced]), name
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(seconds(lambda: run_batch(state, batch)))
            theirs.append(seconds(lambda: run_c(library, rows, np.empty_like(out))))
    ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
    print(f"\na batch of {REQUESTS} requests on one core, v6.12")
    print(f"engine       {REQUESTS / statistics.median(mine):12,.0f} requests a second")
    print(
        f"C, gcc -O2   {REQUESTS / statistics.median(theirs):12,.0f} requests a second"
    )
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"time, engine / C: min {low:.2f}, median {middle:.2f}, max {high:.2f}")


if __name__ == "__main__":
    process_times()
    tree_times()
    engines()
