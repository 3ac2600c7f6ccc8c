# SPDX-License-Identifier: GPL-2.0-only
"""Big logs, damaged logs, and the borders between reads."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bounceproof.logs.errors import LogError
from bounceproof.logs.read import stream
from bounceproof.logs.read.scan import scan_log
from tests.logs.helpers import FULL, scanned


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 139])
def test_chunk_borders(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    log = "".join(f"noise {i}\n[{i}.0] {FULL}\n" for i in range(20))
    (seen,) = scanned(log).seen
    assert (seen.count, seen.line) == (20, 2)


def test_binary_noise() -> None:
    noise = random.Random(7).randbytes(300_000)
    (seen,) = scanned(noise + b"\n" + FULL.encode() + b"\n" + noise).seen
    assert seen.message.used == 128


def test_nul_bytes_as_after_a_crash() -> None:
    (seen,) = scanned(b"\0" * 5000 + FULL.encode() + b"\0" * 5000).seen
    assert seen.message.device == "0000:00:01.0"


def test_one_endless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LONGEST_LINE", 1 << 16)
    monkeypatch.setattr(stream, "CHUNK", 1 << 14)
    with pytest.raises(LogError, match="no line of swiotlb"):
        scanned(b"x" * (1 << 20))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_with_a_mark(encoding: str) -> None:
    data = ("\ufeff" + FULL + "\r\n").encode(encoding)
    (seen,) = scanned(data).seen
    assert seen.message.sz == 262144


@pytest.mark.parametrize("log", [b"", b"\n", b"nothing here\n", b"\xff" * 99])
def test_nothing_to_explain(log: bytes) -> None:
    with pytest.raises(LogError) as caught:
        scanned(log)
    assert "\n" not in str(caught.value)


def test_read_error() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(LogError, match="disk: Input/output error"):
        scan_log(Broken(), "disk")  # type: ignore[arg-type]


def _many_lines(size: int) -> bytes:
    other = "Feb 13 21:53:55 host kernel: [ 1.5] usb 1-1: new high-speed USB device\n"
    full = "Feb 13 21:53:55 host kernel: [ 1.5] " + FULL + "\n"
    block = (other * 9 + full).encode() * 100
    return block * (size // len(block) + 1)


def _seconds(size: int) -> float:
    data = io.BytesIO(_many_lines(size))
    start = time.process_time()
    scan_log(data, "log")
    return time.process_time() - start


def test_scan_is_fast() -> None:
    assert _seconds(10 << 20) < 1.5


def _distinct_lines(path: Path) -> None:
    with path.open("wb") as log:
        for i in range(1_000_000):
            log.write(
                b"[%7d.%06d] drv%d 0000:%02x:%02x.%d: swiotlb buffer is full"
                b" (sz: %d bytes), total 524288 (slots), used %d (slots)\n"
                % (
                    i // 100,
                    i % 10**6,
                    i % 97,
                    i % 256,
                    i // 256 % 32,
                    i % 8,
                    i,
                    i // 2,
                )
            )


_MEASURED = """
import resource, sys, time
from bounceproof.__main__ import run
start = time.process_time()
try:
    run()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{time.process_time() - start:.2f} {used}", file=sys.stderr)
"""


def _measured(log: Path) -> tuple[float, int]:
    """Seconds of processor time and MiB that ``explain`` takes, as a process."""
    command = [sys.executable, "-c", _MEASURED, "explain", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, mebibytes = done.stderr.split()
    return float(seconds), int(mebibytes)


@pytest.mark.slow
def test_a_hundred_megabytes(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_bytes(_many_lines(100 << 20))
    seconds, mebibytes = _measured(log)
    assert seconds < 6
    assert mebibytes < 200


@pytest.mark.slow
def test_a_million_distinct_failures(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    _distinct_lines(log)
    seconds, mebibytes = _measured(log)
    assert seconds < 16
    assert mebibytes < 200
