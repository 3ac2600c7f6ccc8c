# SPDX-License-Identifier: GPL-2.0-only
"""Traces: what is read of them, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bounceproof.traces.events import Kind, Trace, TraceError
from bounceproof.traces.read import read_trace
from tests.conftest import Run

BLKPARSE = """\
  8,16   1   1     0.000000000   697  Q   W 2048 + 8 [worker]
  8,16   1   2     0.000001000   697  D   W 2048 + 8 [worker]
  8,16   2   3     0.000002000   697  D  RA 4096 + 256 [fio]
  8,16   0   9     0.000002100   697  D FWFS [worker]
  8,16   0  10     0.000002200   697  D  DS 9000 + 4096 [trim]
  8,16   3   4     0.000002500   697  D   R 8192 + 8 [fio]
  8,16   1   5     0.001000000     0  C   W 2048 + 8 [0]
  8,16   2   6     0.002000000     0  C  RA 4096 + 256 [0]
  8,16   3   7     0.002500000     0  C   R 777 + 8 [0]
CPU0 (sdb):
 Reads Queued:           2,      132KiB  Writes Queued:           1,        4KiB
"""
FIO = {
    "fio version": "fio-3.36",
    "global options": {"iodepth": "32", "bs": "128k"},
    "jobs": [
        {"jobname": "seq", "job options": {"numjobs": "4", "group_reporting": ""}},
        {"jobname": "rand", "job options": {"bsrange": "4k-64k", "iodepth": "8"}},
    ],
}
FIO_TEXT = "note: both iodepth >= 1\n" + json.dumps(FIO)
TRACEPOINT = """\
 kworker-41 [002] d..1. 12.100001: swiotlb_bounced: dev_name: 0000:00:04.0 \
dma_mask=ffffffffffffffff dev_addr=10a000800 size=4096 FORCE
 kworker-41 [003] d..1. 12.100009: swiotlb_bounced: dev_name: 0000:00:04.0 \
dma_mask=ffffffffffffffff dev_addr=10b000800 size=65536 FORCE
"""
UNMAPS = """\
map dev_name=nvme0 cpu=1 dev_addr=0x1000 size=4096
map dev_name=nvme0 cpu=1 dev_addr=0x3000 size=4096
unmap dev_name=nvme0 cpu=2 dev_addr=0x1000
map dev_name=nvme0 cpu=1 dev_addr=0x5000 size=131072
unmap dev_name=nvme0 cpu=2 dev_addr=0x9000
"""


def _read(text: str, depth: int | None = None) -> Trace:
    return read_trace("--trace 't'", io.BytesIO(text.encode()), None, depth)


def test_blkparse_maps_from_issue_to_completion() -> None:
    trace = _read(BLKPARSE)
    assert trace.kinds == (
        Kind("8,16", 2, 4096, 4096),
        Kind("8,16", 1, 131072, 131072),
    )
    assert [event.size for event in trace.events] == [4096, 131072, 4096, 0, 0]
    assert [event.cpu for event in trace.events] == [1, 2, 3, 1, 2]
    assert trace.unended == 1


def test_fio_tells_depth_and_sizes() -> None:
    assert _read(FIO_TEXT).kinds == (
        Kind("seq", 128, 131072, 131072),
        Kind("rand", 8, 4096, 65536),
    )


def test_the_tracepoint_needs_a_depth() -> None:
    assert _read(TRACEPOINT, 16).kinds == (Kind("0000:00:04.0", 16, 4096, 65536),)
    with pytest.raises(TraceError, match="--depth"):
        _read(TRACEPOINT)


def test_unmaps_beside_the_tracepoint_make_a_history() -> None:
    trace = _read(UNMAPS)
    assert trace.kinds == (
        Kind("nvme0", 2, 4096, 4096, 0),
        Kind("nvme0", 1, 131072, 131072, 0),
    )
    assert [event.size for event in trace.events] == [4096, 4096, 0, 131072]


def _job(**options: str) -> str:
    return json.dumps({"jobs": [{"job options": options}]})


BAD = [
    "",
    "nothing of the kind\n",
    "\0\1\2blktrace",
    "{",
    '{"jobs": []}',
    '{"jobs": [7]}',
    _job(bs="0"),
    _job(bs="64k-4k"),
    _job(bs="huge"),
    _job(iodepth="-1"),
    _job(iodepth="9" * 5000),
    "[" * 100_000,
    '{"jobs": ' + "[" * 100_000,
    "  8,0 1 1 0.000000000 697 Q W 2048 + 8 [worker]\n",
    "unmap dev_addr=0x1000\n",
]


@pytest.mark.parametrize("text", BAD)
def test_a_bad_trace_is_one_line(run: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "trace"
    file.write_text(text)
    found = run("capacity", "v6.12", "--trace", str(file))
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert str(file) in found.err


def test_a_folder_is_no_trace(run: Run, tmp_path: Path) -> None:
    found = run("capacity", "v6.12", "--trace", str(tmp_path))
    assert (found.code, found.err.count("\n")) == (2, 1)


def test_a_trace_is_run_on_pools(run: Run, tmp_path: Path) -> None:
    lines = [
        f" 8,0 {k % 4} {k} 0.{k:09d} 1 D R {k * 256} + 256 [fio]" for k in range(64)
    ]
    lines += [f" 8,0 0 {k} 1.{k:09d} 0 C R {k * 256} + 256 [0]" for k in range(64)]
    file = tmp_path / "trace"
    file.write_text("\n".join(lines))
    arguments = ("--trace", str(file), "--offset", "0", "--cpus", "4", "--expect")
    found = run("capacity", "v6.12", *arguments, "--json").json
    assert [group["count"] for group in found["mix"]] == [64]
    rows = found["expected"]["pools"]
    by_size = {row["nslabs"]: row["total"]["failures"] for row in rows}
    assert by_size[2048] == 32
    assert by_size[4096] == 0
    assert {row["total"]["attempts"] for row in rows} == {64}
