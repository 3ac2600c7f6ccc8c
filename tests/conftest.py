# SPDX-License-Identifier: GPL-2.0-only
"""Shared fixtures: the command line run in this process, and no network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bounceproof.cli.main import main
from tests.schemas import validate

MACHINE = [
    "--page-size",
    "64K",
    "--granule",
    "64K",
    "--path",
    "iommu",
    "--device",
    "nvme",
    "--nslabs",
    "32768",
    "--nareas",
    "1",
]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed and its exit code."""

    command: str
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, which the schema of its command allows."""
        value = json.loads(self.out)
        validate(self.command, value)
        return value


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is as wide as where nobody says how wide, and nobody has defaults."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("BOUNCEPROOF_NO_DEFAULTS", "1")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run ``bounceproof`` with these arguments."""

    def command(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capfd.readouterr()
        code = ended.value.code
        code = code if isinstance(code, int) else 1
        return Result(arguments[0], code, captured.out, captured.err)

    return command


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that opens a connection beyond this machine fails."""
    real = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1")
        if not local:
            raise AssertionError(f"a test tried to connect to {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out: by their marks, and for want of a tree."""
    asked = str(terminalreporter.config.getoption("markexpr", ""))
    for mark, target in (("slow", "make soak"), ("trees", "make trees")):
        if f"not {mark}" in asked:
            line = f"left out: tests marked {mark}: {target}"
            terminalreporter.write_line(line, yellow=True)
    missing: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if "linux-source-" in reason:
            reason = reason.removeprefix("Skipped: ")
            missing[reason] = missing.get(reason, 0) + 1
    for reason, count in sorted(missing.items()):
        line = f"left out: {count} test(s) of a whole kernel tree: {reason}"
        terminalreporter.write_line(line, yellow=True)
