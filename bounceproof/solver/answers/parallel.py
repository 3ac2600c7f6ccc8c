# SPDX-License-Identifier: GPL-2.0-only
"""Pages of different sizes asked at the same time, each part in a process of its own.

What is asked of one page size does not depend on another, nor does what is read of a
tree for it; so the parts are put together as if one process had asked them in turn.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from bounceproof.models.constants import PAGE_SIZES
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import (
    LEADING,
    NO_CELL,
    NO_REQUEST,
    CellVerdict,
    Finding,
    Verdict,
    overall,
)
from bounceproof.solver.contract.watch import STOPS_AT_FORK, Watch

Part = Callable[[Domain, Watch], tuple[Finding, ...]]
_HEARD = struct.Struct("=III")
_OFTEN = 0.2
_MOST = 4096 // _HEARD.size * _HEARD.size
_DIE_WITH_PARENT = 1
_WORTHWHILE = 3
_job: _Job | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """What forked children find: the parts, a pipe to say how far each is, and who
    waits for them."""

    part: Part
    domains: list[Domain]
    pipe: int
    parent: int


def parts_of(domain: Domain, properties: int) -> list[Domain]:
    """A domain for each page size, where that is worth a process."""
    others = [t for t in threading.enumerate() if t.name != STOPS_AT_FORK]
    alone = len(others) == 1 and "fork" in _ways()
    cores = os.cpu_count() or 1
    if domain.page_size is not None or not alone or cores < 2:
        return [domain]
    if properties < _WORTHWHILE or multiprocessing.parent_process() is not None:
        return [domain]
    return [replace(domain, page_size=page) for page in sorted(PAGE_SIZES)[::-1]]


def _ways() -> list[str]:
    return multiprocessing.get_all_start_methods()


def ask_apart(
    part: Part, domains: list[Domain], watch: Watch
) -> list[tuple[Finding, ...]] | None:
    """The findings of each of ``domains``, in order; None where a process failed.

    Whoever is told None asks everything itself, and meets the error there.
    """
    global _job  # noqa: PLW0603  (what a forked child finds)
    heard, said = os.pipe()
    _job = _Job(part, domains, said, os.getpid())
    context = multiprocessing.get_context("fork")
    workers = min(len(domains), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        asked = [pool.submit(_run, number) for number in range(len(domains))]
        _wait(asked, heard, watch)
        return [one.result() for one in asked]
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    except (Exception, BrokenProcessPool):
        return None
    finally:
        _job = None
        pool.shutdown(wait=False, cancel_futures=True)
        os.close(heard)
        os.close(said)


def _wait(asked: list[Future[tuple[Finding, ...]]], heard: int, watch: Watch) -> None:
    """Wait for all, or for the first that fails, and pass on how far they are."""
    os.set_blocking(heard, False)
    counts: dict[int, tuple[int, int]] = {}
    pending = set(asked)
    while pending:
        done, pending = wait(pending, _OFTEN, FIRST_EXCEPTION)
        for one in done:
            one.result()
        with contextlib.suppress(BlockingIOError):
            for number, so_far, total in _HEARD.iter_unpack(os.read(heard, _MOST)):
                counts[number] = so_far, total
        if counts:
            watch("", *(sum(column) for column in zip(*counts.values(), strict=True)))


def _begin() -> None:
    """Let an interrupt, or the end of who waits, end this process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if _job is not None and os.getppid() != _job.parent:
        os._exit(1)


def _run(number: int) -> tuple[Finding, ...]:
    assert _job is not None
    job = _job

    def hears(text: str, done: int = 0, asked: int = 0) -> None:
        os.write(job.pipe, _HEARD.pack(number, done, asked))

    return job.part(job.domains[number], hears)


def together(parts: list[Finding]) -> Finding:
    """One finding for one property, out of its parts.

    A part without a cell of the domain says nothing beside others; one whose cells
    could not be told is unknown.
    """
    asked = [part for part in parts if part.reason != NO_CELL] or parts[:1]
    cells = tuple(cell for part in asked for cell in part.cells)
    verdict = overall(part.verdict for part in asked if not _empty(part))
    chosen = min((p for p in asked if p.verdict is verdict), key=_order, default=None)
    chosen = chosen or asked[0]
    took = max(part.seconds for part in parts)
    if chosen.counterexample is None:
        notes = dict.fromkeys(p.note for p in asked if p.note is not None)
        note = "; ".join(notes) or None
        return replace(chosen, cells=cells, note=note, seconds=took)
    sure = chosen.counterexample.minimum and not _unknown(cells)
    example = replace(chosen.counterexample, minimum=sure)
    return replace(chosen, cells=cells, counterexample=example, seconds=took)


def _empty(part: Finding) -> bool:
    return part.reason == NO_REQUEST


def _unknown(cells: tuple[CellVerdict, ...]) -> bool:
    return any(cell.verdict is Verdict.UNKNOWN for cell in cells)


def _order(part: Finding) -> tuple[int, ...]:
    """Counterexamples in the order of their size."""
    if part.counterexample is None:
        return ()
    point = part.counterexample.point
    size, *rest = (point[name] for name in LEADING)
    return size, not part.counterexample.every_index, *rest
