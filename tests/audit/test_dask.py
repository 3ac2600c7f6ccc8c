# SPDX-License-Identifier: GPL-2.0-only
"""The audit on a real Dask cluster: a scheduler and two workers on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bounceproof.audit.cells import identity
from bounceproof.audit.cluster import DaskExecutor
from bounceproof.audit.executors import ExecutorError, Job
from tests.audit.processes import SUMMARY, audit_process, keys_of_lines, rows
from tests.audit.questions import units_of

pytest.importorskip("distributed")

ARGUMENTS = [
    *("--kernel", "v6.12", "--kernel", "v7.3.4"),
    *("--property", "fits", "--property", "halts", "--property", "aligned"),
    *("--path", "iommu", "--path", "direct"),
]
UNITS = units_of("v6.12", "v7.3.4")


@dataclass
class Cluster:
    """Processes of a cluster in one folder."""

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        program = f"from distributed.cli.dask_{command[0]} import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *command[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def start_scheduler(self) -> None:
        file = self.folder / "scheduler.json"
        self.scheduler = self.start(
            *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(file)),
        )
        deadline = time.monotonic() + 30
        while not self.address:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            if file.exists() and file.read_text():
                self.address = json.loads(file.read_text())["address"]

    def start_worker(self) -> None:
        self.workers.append(
            self.start(
                *("worker", self.address, "--nthreads", "1", "--no-nanny"),
                *("--no-dashboard", "--local-directory", str(self.folder)),
            )
        )

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    try:
        made.start_scheduler()
        made.start_worker()
        made.start_worker()
        yield made
    finally:
        made.stop()


def test_a_cluster_of_two_loses_a_worker_and_no_cell(
    cluster: Cluster, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    process = audit_process([*ARGUMENTS, "--dask", cluster.address], store)
    assert process.stdout is not None
    for _ in range(4):
        assert process.stdout.readline()
    cluster.workers[0].send_signal(signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
    assert len(rows(store)) == len(UNITS)
    local = audit_process(ARGUMENTS, store)
    again, _ = local.communicate(timeout=60)
    summary = SUMMARY.match(again.splitlines()[-1])
    assert summary is not None
    assert int(summary[2]) == len(UNITS)
    assert out.splitlines()[-3:-1] == again.splitlines()[-3:-1]


def test_a_lost_scheduler_is_told_and_no_cell_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    process = audit_process([*ARGUMENTS, "--dask", cluster.address], store)
    assert process.stdout is not None
    text = "".join(process.stdout.readline() for _ in range(4))
    assert cluster.scheduler is not None
    cluster.scheduler.send_signal(signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err.count("\n")) == (2, 1), err
    assert err.startswith(f"bounceproof: --dask {cluster.address}: ")
    assert set(keys_of_lines(text + out, UNITS)) <= set(rows(store))
    assert rows(store)


def test_no_scheduler_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    executor = DaskExecutor(address, patience=1.0)
    with pytest.raises(ExecutorError, match=f"--dask {address}: no scheduler there"):
        list(executor.run([Job(UNITS[0].query(), 60.0)], identity()))


@pytest.mark.parametrize("address", ["nonsense", "foo://1", "tcp://", "::"])
def test_no_address_is_told(tmp_path: Path, address: str) -> None:
    process = audit_process([*ARGUMENTS, "--dask", address], tmp_path / "store")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"bounceproof: --dask {address}: no scheduler there: ")
    assert err.count("\n") == 1


def test_no_worker_is_told(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start_scheduler()
        executor = DaskExecutor(cluster.address, patience=1.0)
        with pytest.raises(ExecutorError, match="no worker for 1 seconds"):
            list(executor.run([Job(UNITS[0].query(), 60.0)], identity()))
    finally:
        cluster.stop()
