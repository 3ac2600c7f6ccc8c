# SPDX-License-Identifier: GPL-2.0-only
"""Audits that are killed, whole or in part, and audits whose disk fills up."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.audit.processes import (
    SUMMARY,
    audit_process,
    gone,
    keys_of_lines,
    kill_group,
    rows,
    workers_of,
)
from tests.audit.questions import units_of

ARGUMENTS = [
    *("--kernel", "v6.12", "--kernel", "v6.10", "--kernel", "v7.3.4"),
    *("--property", "fits", "--property", "halts", "--property", "aligned"),
    *("--path", "iommu", "--path", "direct", "--jobs", "2"),
]
UNITS = units_of("v6.12", "v6.10", "v7.3.4")
DISTINCT = len(units_of("v6.12", "v7.3.4"))


def finished(store: Path) -> tuple[str, int]:
    """Let an audit end; its output and how many lines it took from the store."""
    process = audit_process(ARGUMENTS, store)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
    summary = SUMMARY.match(out.splitlines()[-1])
    assert summary is not None
    assert int(summary[1]) == len(UNITS)
    return out, int(summary[2])


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_nothing_finished_is_lost(
    tmp_path: Path, seed: int
) -> None:
    store, draw = tmp_path / "store", random.Random(seed)
    before = rows(store)
    for _ in range(4):
        process = audit_process(ARGUMENTS, store)
        assert process.stdout is not None
        text = "".join(process.stdout.readline() for _ in range(draw.randrange(9)))
        time.sleep(draw.random() / 4)
        kill_group(process)
        text += process.communicate(timeout=30)[0]
        after = rows(store)
        assert set(keys_of_lines(text, UNITS)) <= set(after)
        assert before.items() <= after.items()
        before = after
    assert before
    out, stored = finished(store)
    final = rows(store)
    assert before.items() <= final.items()
    assert len(final) == DISTINCT
    assert stored >= len(before)
    again, everything = finished(store)
    assert rows(store) == final
    assert everything == len(UNITS)
    assert again.splitlines()[:-1] == out.splitlines()[:-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_the_command(tmp_path: Path, number: int) -> None:
    process = audit_process(ARGUMENTS, tmp_path / "store")
    assert process.stdout is not None
    process.stdout.readline()
    workers = workers_of(process)
    assert len(workers) == 2
    os.kill(process.pid, number)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while not all(map(gone, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(gone, workers))


def test_a_killed_worker_costs_nothing(tmp_path: Path) -> None:
    process = audit_process(ARGUMENTS, tmp_path / "store")
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
        os.kill(workers_of(process)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
    assert len(rows(tmp_path / "store")) == DISTINCT
    assert "unknown" not in out


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("size", [1, 10000, 60000])
def test_on_a_full_disk_one_line_and_nothing_finished_is_lost(
    tmp_path: Path, size: int
) -> None:
    store = tmp_path / "store"
    process = audit_process(ARGUMENTS, store, preexec_fn=partial(limited, size))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith(f"bounceproof: {store}: ")
    assert err.count("\n") == 1
    before = rows(store) if size > 10000 else {}
    assert bool(before) == (size > 10000)
    assert set(keys_of_lines(out, UNITS)) <= set(before)
    finished(store)
    assert before.items() <= rows(store).items()
    assert len(rows(store)) == DISTINCT
