# SPDX-License-Identifier: GPL-2.0-only
"""Logs as text, scanned and explained."""

from __future__ import annotations

import io
import json
from typing import Any

import click
from click.testing import CliRunner
from click.testing import Result as Ran

from bounceproof.cli.main import main
from bounceproof.logs.explain import Asked, Explanation, explain
from bounceproof.logs.read.scan import Message, Scan, scan_log
from tests.schemas import validate

FULL = (
    "nvme 0000:00:01.0: swiotlb buffer is full (sz: 262144 bytes),"
    " total 32768 (slots), used 128 (slots)"
)
THREAD_BOOT = """\
Booting Linux on physical CPU 0x0000000000 [0x410fd4f0]
Linux version 6.6.0 (builder@host) (gcc) #1 SMP
Dentry cache hash table entries: 2097152 (order: 8, 16777216 bytes, linear)
software IO TLB: area num 8.
software IO TLB: mapped [mem 0x00000000bb800000-0x00000000bf800000] (64MB)
"""


def scanned(log: str | bytes) -> Scan:
    data = log.encode() if isinstance(log, str) else log
    return scan_log(io.BytesIO(data), "log")


def one(log: str | bytes) -> Message:
    """The only message of a log."""
    (seen,) = scanned(log).seen
    return seen.message


def explained(log: str, asked: Asked | None = None) -> list[Explanation]:
    return list(explain(scanned(log), asked or Asked()))


def invoke(arguments: list[str], log: str | bytes = "") -> Ran:
    """``explain`` with these arguments, ``log`` on standard input."""
    command = click.Command("explain", callback=lambda: main(["explain", *arguments]))
    return CliRunner().invoke(command, [], input=log)


def run_json(log: str | bytes, *options: str) -> Any:
    result = invoke(["-", "--json", *options], log)
    assert result.exit_code == 0, result.output
    value = json.loads(result.output)
    validate("explain", value)
    return value


def run_text(log: str | bytes, *options: str) -> tuple[int, str]:
    result = invoke(["-", *options], log)
    return result.exit_code, result.output
