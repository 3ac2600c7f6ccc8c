# SPDX-License-Identifier: GPL-2.0-only
"""The audit command as a process of its own, and what its store holds."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bounceproof.audit.cells import Unit, identity, key_of
from bounceproof.report.audits import Table

SUMMARY = re.compile(r"(\d+) questions?: .*; (\d+) of them from the store$")


def audit_process(
    arguments: Sequence[str], store: Path, **options: Any
) -> subprocess.Popen[str]:
    """``bounceproof audit`` in a process group of its own."""
    command = [sys.executable, "-m", "bounceproof", "audit", "--store", str(store)]
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the command and its workers."""
    os.killpg(process.pid, signal.SIGKILL)


def rows(store: Path) -> dict[str, tuple[int, str]]:
    """Key to row number and time of every answer; a row that is redone moves."""
    if not store.exists():
        return {}
    with sqlite3.connect(store) as db:
        kept = db.execute("SELECT key, rowid, finished FROM answers").fetchall()
    db.close()
    return {key: (row, finished) for key, row, finished in kept}


def keys_of_lines(text: str, units: Sequence[Unit]) -> list[str]:
    """The store's keys of the lines that are printed in full."""
    keys = {Table.names(unit): key_of(unit.query(), identity()) for unit in units}
    whole = text[: text.rfind("\n") + 1].splitlines()
    found = (keys.get(tuple(line.split()[:5])) for line in whole)
    return [key for key in found if key is not None]


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of the command's workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
