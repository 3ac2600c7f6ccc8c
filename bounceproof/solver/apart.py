# SPDX-License-Identifier: GPL-2.0-only
"""Pages of different sizes asked at the same time, each part in a process of its own.

What is asked of one page size does not depend on another, nor does what is read of a
tree for it; so the parts are put together as if one process had asked them in turn.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from bounceproof.models.constants import PAGE_SIZES
from bounceproof.solver.domain import Domain
from bounceproof.solver.verdict import (
    LEADING,
    NO_CELL,
    NO_REQUEST,
    CellVerdict,
    Finding,
    Verdict,
    overall,
)

Part = Callable[[Domain], tuple[Finding, ...]]
_WORTHWHILE = 3
_job: tuple[Part, list[Domain]] | None = None


def parts_of(domain: Domain, properties: int) -> list[Domain]:
    """A domain for each page size, where that is worth a process."""
    alone = threading.active_count() == 1 and "fork" in _ways()
    cores = os.cpu_count() or 1
    if domain.page_size is not None or not alone or cores < 2:
        return [domain]
    if properties < _WORTHWHILE or multiprocessing.parent_process() is not None:
        return [domain]
    return [replace(domain, page_size=page) for page in sorted(PAGE_SIZES)[::-1]]


def _ways() -> list[str]:
    return multiprocessing.get_all_start_methods()


def ask_apart(part: Part, domains: list[Domain]) -> list[tuple[Finding, ...]] | None:
    """The findings of each of ``domains``, in order; None where a process failed.

    Whoever is told None asks everything itself, and meets the error there.
    """
    global _job  # noqa: PLW0603  (what a forked child finds)
    _job = part, domains
    context = multiprocessing.get_context("fork")
    workers = min(len(domains), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        return list(pool.map(_run, range(len(domains))))
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    except (Exception, BrokenProcessPool):
        return None
    finally:
        _job = None
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(number: int) -> tuple[Finding, ...]:
    assert _job is not None
    part, domains = _job
    return part(domains[number])


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
    return tuple(point[name] for name in LEADING)
