# SPDX-License-Identifier: GPL-2.0-only
"""What answers a question: a function for a cluster, a process for this machine.

As a process it reads one JSON object a line from standard input and writes one a
line to standard output, its identity first.  It ends when its input does, also in
the middle of a query: the process that asked is gone.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from dataclasses import asdict
from typing import IO, Any

_ONE_AT_A_TIME = threading.Lock()


def answer(query: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Answer ``query`` with at most ``seconds`` a solver query.

    Returns ``identity`` with ``finding``, or with ``error`` where there was none.
    The solver's default context belongs to one thread at a time.
    """
    os.environ.setdefault("BOUNCEPROOF_JIT", "0")
    from bounceproof.audit.cells import identity, unit_from
    from bounceproof.audit.codec import encode
    from bounceproof.solver.answers.check import check_state

    with _ONE_AT_A_TIME:
        result: dict[str, Any] = {"identity": asdict(identity())}
        try:
            unit = unit_from(query)
            checked = check_state(unit.state, unit.domain(), [unit.prop], seconds)
        except Exception as error:
            return {**result, "error": f"{type(error).__name__}: {error}"}
        return {**result, "finding": encode(checked.findings[0])}


def _read(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _write(out: IO[str], value: dict[str, Any]) -> None:
    out.write(json.dumps(value) + "\n")
    out.flush()


def serve() -> None:
    """Answer the questions of standard input, in turn, until it ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from bounceproof.audit.cells import identity
    from bounceproof.solver.answers import check  # noqa: F401  (paid for before the first job

    _write(out, {"identity": asdict(identity())})
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        _write(out, answer(job["query"], job["seconds"]))


if __name__ == "__main__":
    serve()
