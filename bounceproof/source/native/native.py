# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own functions, compiled by gcc and run in a child process.

This executes code out of the tree and its patches, so it is never done unasked.  The
child has no network where :mod:`bounceproof.source.native.fence` can take it away, no
files to write, two seconds of CPU time and 1 GiB of memory; that is a fence, not a
jail.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path as FilePath

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path
from bounceproof.source.errors import SourceError
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native import fence
from bounceproof.source.native.native_text import Text

MOST_ROUNDS = 12
_FLAGS = ["-O2", "-w", "-std=gnu11", "-fno-strict-aliasing", "-fwrapv"]
_MISSING = re.compile(
    r"error: '(\w+)' undeclared|undefined reference to [`'](\w+)'"
    r"|implicit declaration of function '(\w+)'"
)
_LINE = re.compile(r"sliced\.c:(\d+):\d+: error")
_ENDED = re.compile(r"^(\w+)=(-?\d+)$", re.M)


class NativeError(SourceError):
    """The tree's functions do not compile or do not run."""


def run_native(
    kernel: SourceKernel, cell: Cell, orig_addr: int, size: int, pool: PoolNumbers
) -> Outcome:
    """Compile and run one mapping; the outcome ``ok bounced slot nslots ...``.

    ``hang`` is True where the CPU limit ends the child.  Raises NativeError.
    """
    program = kernel.program(cell.page_size)
    slots = kernel.geometry(cell.page_size)
    entry = kernel.entry(cell.path, cell.page_size)
    if cell.path is Path.LINK:
        raise NativeError("dma_iova_link() is not run natively")
    if entry is None:
        raise NativeError(f"{kernel.name}: {kernel.unsupported(cell.path)}")
    search = kernel.reader(cell.page_size).search.function
    text = Text(program, cell, entry, search)
    with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
        folder = FilePath(name)
        binary = _build(text, folder, (orig_addr, size, pool))
        return _outcome(_execute(binary, folder), cell, pool, slots)


def _build(
    text: Text, folder: FilePath, request: tuple[int, int, PoolNumbers]
) -> FilePath:
    """Compile; what the program lacks becomes a trap that stops it if reached."""
    complaints = ""
    for _ in range(MOST_ROUNDS):
        complaints = _compile(text.render(*request), folder)
        if not complaints:
            return folder / "sliced"
        before = text.traps
        for name in _MISSING.findall(complaints):
            text.trap_name(next(filter(None, name)))
        if text.traps == before:
            for line in _LINE.findall(complaints):
                text.trap_function(int(line))
        if text.traps == before:
            break
    errors = [line for line in complaints.splitlines() if "error" in line]
    raise NativeError(f"gcc: {(errors or ['it failed'])[0]}")


def _compile(text: str, folder: FilePath) -> str:
    """Compile ``text``; returns what gcc complains about, nothing if it succeeds."""
    source, binary = folder / "sliced.c", folder / "sliced"
    source.write_text(text, encoding="utf-8", errors="surrogateescape")
    command = ["gcc", *_FLAGS, "-o", str(binary), str(source)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=folder,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeError(f"gcc: {error}") from None
    return (done.stderr or "gcc failed, error unknown") if done.returncode else ""


def _execute(binary: FilePath, folder: FilePath) -> str | None:
    """What the program prints; None where its time is up."""
    try:
        done = subprocess.run(
            [str(binary)],
            capture_output=True,
            text=True,
            timeout=5 * fence.CPU_SECONDS,
            check=False,
            cwd=folder,
            env={},
            preexec_fn=fence.put_up,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode in (-24, -9):
        return None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:80]
        raise NativeError(f"the compiled code stopped ({done.returncode}): {said}")
    return done.stdout


def _outcome(
    printed: str | None, cell: Cell, pool: PoolNumbers, slots: SlotGeometry
) -> Outcome:
    if printed is None:
        return Outcome(False, bounced=True, hang=True)
    numbers = {key: int(value) for key, value in _ENDED.findall(printed)}
    outcome = Outcome(bool(numbers["ok"]), bool(numbers["bounced"]))
    if not outcome.bounced:
        return outcome
    sz = numbers["printed"] if numbers["printed"] >= 0 else None
    outcome = replace(outcome, nslots=numbers["need"] or None, sz=sz)
    if not outcome.ok:
        return outcome
    placed = pool.start + numbers["slot"] * slots.size
    tlb = placed if cell.path is Path.ALLOC else numbers["tlb"]
    return replace(outcome, slot=numbers["slot"], tlb_addr=tlb)
