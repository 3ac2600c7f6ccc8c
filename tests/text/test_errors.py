# SPDX-License-Identifier: GPL-2.0-only
"""Bad input: one line that names option and value, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Run

CASES = [
    (
        ["check", "v6.6", "--granule", "128K"],
        "--granule 128K: larger than the page of 65536 bytes",
    ),
    (
        ["simulate", "v6.6", "--granule", "128K"],
        "--granule 128K: larger than the page of 65536 bytes",
    ),
    (["check", "v6.6", "--granule", "3000"], "--granule 3000: not a power of two"),
    (["check", "v6.6", "--granule", "3K"], "--granule 3K: not a power of two"),
    (["check", "v6.6", "--size", "10"], "--size 10: nvme sends multiples of 512"),
    (["diff", "v6.6", "v6.9", "--orig-addr", "3"], "--orig-addr 3: nvme sends"),
    (
        ["check", "v6.6", "--json", "--format", "text"],
        "--json and --format text: choose one",
    ),
    (
        ["audit", "--markdown", "--json"],
        "--json and --markdown: choose one",
    ),
    (["audit", "--store", ""], "--store '': names no file"),
    (["check", "v6.6", "--format", "xml"], "Invalid value for '--format': 'xml'"),
    (
        ["simulate", "v6.6", "--path", "direct", "--granule", "4K"],
        "--granule 4K: path direct has no granule",
    ),
    (
        ["simulate", "v6.6", "--batch", "-", "--history", "-"],
        "--batch and --history: choose one",
    ),
    (
        ["simulate", "v6.6", "--batch", "-", "--taken", "0"],
        "--batch and --taken: choose one",
    ),
    (
        ["simulate", "v6.6", "--history", "-", "--taken", "0"],
        "--history and --taken: choose one",
    ),
    (
        ["simulate", "v6.6", "--history", "-", "--size", "4K"],
        "--history and --size: the history has its own machine",
    ),
    (
        ["simulate", "v6.6", "--batch", "-", "--format", "text"],
        "--batch and --format text: answers are JSON lines",
    ),
    (["check", "v6.6.100"], "unknown kernel 'v6.6.100'; did you mean v6.6.35?"),
    (["check", "6.8"], "unknown kernel '6.8'; did you mean v6.8.1?"),
    (
        ["check", "v6.6", "--page-size", "5000"],
        "--page-size 5000: not a power of two from 4K to 256K",
    ),
    (
        ["check", "v6.6", "--min-align-mask", "0x1000"],
        "--min-align-mask 0x1000: not 2^k - 1 up to 0xffffffff",
    ),
    (
        ["check", "v6.6", "--seg-boundary-mask", "0xf0"],
        "--seg-boundary-mask 0xf0: not 2^k - 1 up to 0xffffffffffffffff",
    ),
    (
        ["simulate", "v6.6", "--start-index", "32768"],
        "--start-index 32768: outside the area of 32768 slots",
    ),
    (
        ["check", "v6.6", "--nslabs", "100"],
        "--nslabs 100: not a whole number of slot sets of 128 slots",
    ),
    (["check", "v6.6", "--nareas", "3"], "--nareas 3: not a power of two"),
    (["check", "v5.16", "--nareas", "2"], "--nareas 2: v5.16 has one area"),
    (
        ["check", "v5.10.223", "--path", "iommu"],
        "--path iommu: v5.10.223 does not bounce in dma-iommu",
    ),
    (
        ["check", "v6.6", "--size", "12Q"],
        "--size '12Q': not a number (decimal or 0x..., K, M, G)",
    ),
    (["check", "v6.6x"], "unknown kernel 'v6.6x'; did you mean"),
    (["check", "v6.6+will-v33"], "unknown fix 'will-v33'; did you mean will-v3"),
    (
        ["check", "v6.9+will-v3"],
        "will-v3 does not apply to v6.9: predicate is alloc_and_orig_addr",
    ),
    (
        ["check", "v6.6", "--device", "nvem"],
        "--device: unknown device 'nvem'; did you mean nvme",
    ),
    (["chek", "v6.6"], "no command 'chek'; did you mean check"),
    (["check", "v6.6", "--sise", "4K"], "No such option '--sise'"),
    (
        ["simulate", "v6.6", "--batch", "/nonexistent"],
        "--batch '/nonexistent': No such file or directory",
    ),
    (
        ["simulate", "v6.6", "--path", "alloc", "--orig-addr", "4"],
        "--orig-addr 4: swiotlb_alloc() has no address: 0",
    ),
    (
        ["check", "v6.5", "--pool-kind", "transient"],
        "--pool-kind transient: v6.5 has no transient pools",
    ),
    (
        ["prove", "v6.12", "--pool-kind", "grown", "--path", "alloc"],
        "--pool-kind grown: swiotlb_alloc() takes from restricted pools",
    ),
    (
        ["check", "v6.12", "--pool-kind", "transient", "--nslabs", "128"],
        "--nslabs 128: a transient pool is as its request needs it",
    ),
    (
        ["check", "v6.12", "--pool-kind", "grown", "--nslabs", "384"],
        "--nslabs 384: grown pools have a power of two of slots, up to 262144",
    ),
    (
        ["simulate", "v6.12", "--pool-kind", "grown", "--pool-start", "0x10000"],
        "--pool-start 0x10000: grown pools lie at multiples of their size, 67108864",
    ),
    (
        ["simulate", "v6.12", "--pool-kind", "transient", "--start-index", "1"],
        "--start-index 1: the transient pool of this request has 0",
    ),
    (
        [
            *("simulate", "v6.12", "--pool-kind", "transient", "--page-size", "4K"),
            *("--size", "64K", "--pool-start", "0x1000"),
        ],
        "--pool-start 0x1000: the pages of this transient pool lie at multiples of",
    ),
    (
        ["simulate", "v6.12", "--pool-kind", "transient", "--taken", "0"],
        "--taken '0': a transient pool is made empty",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), CASES)
def test_one_line_names_the_input(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(f"bounceproof: {message}")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"size": -1}', "size -1: not from 1"),
        ('{"size": 4096', "Expecting"),
        ("[]", "not a JSON object"),
        ('{"sise": 1}', "sise 1: no such field"),
        ('{"size": "4K"}', 'size "4K": not an integer'),
        ('{"size": true}', "size true: not an integer"),
        ('{"kernel": "v6.66"}', "unknown kernel 'v6.66'"),
        ('{"kernel": 6}', "kernel 6: not a name"),
        ('{"path": "dma"}', 'path "dma": not direct, iommu, alloc or link'),
        ('{"pool_kind": "big"}', 'pool_kind "big": not default, grown or transient'),
        ("\x00\xff", "line 3"),
    ],
)
def test_the_good_lines_before_a_bad_one_are_answered(
    run: Run, tmp_path: Path, line: str, message: str
) -> None:
    batch = tmp_path / "requests"
    batch.write_text(f'{{"size": 512}}\n\n{line}\n{{"size": 1024}}\n', "latin-1")
    result = run("simulate", "v6.6", "--batch", str(batch))
    assert result.code == 2
    assert result.err.startswith("bounceproof: line 3: ")
    assert message in result.err
    assert [json.loads(text)["size"] for text in result.out.splitlines()] == [512]


def test_interrupt_ends_at_once_and_quietly() -> None:
    command = [sys.executable, "-m", "bounceproof", "simulate", "v6.6", "--batch", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        assert b'"ok": true' in process.stdout.readline()
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert err == b""
    assert process.returncode == -signal.SIGINT
    assert time.monotonic() - started < 5


def test_a_line_is_answered_before_the_next_is_sent() -> None:
    command = [sys.executable, "-m", "bounceproof", "simulate", "v6.6", "--batch", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for size in (512, 1024):
            process.stdin.write(b'{"size": %d}\n' % size)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["size"] == size
        process.stdin.close()
    assert process.returncode == 0
