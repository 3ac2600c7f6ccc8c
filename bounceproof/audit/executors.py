# SPDX-License-Identifier: GPL-2.0-only
"""Where questions are answered: the interface, and processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import bounceproof
from bounceproof.audit.cells import AuditError, Identity

ATTEMPTS = 3


class ExecutorError(AuditError):
    """No worker can be had, or the workers are not of this version."""


@dataclass(frozen=True, slots=True)
class Job:
    """A question as :meth:`~bounceproof.audit.cells.Unit.query` puts it.

    ``seconds``: for each solver query.
    """

    query: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the job with this index: a finding, or an error in one line."""

    index: int
    finding: dict[str, Any] | None = None
    error: str | None = None


Take = Callable[[int], bool]


def every(index: int) -> bool:
    """Takes every job."""
    return True


class Executor(Protocol):
    """Answers jobs somewhere."""

    def run(
        self, jobs: Sequence[Job], identity: Identity, take: Take = every
    ) -> Generator[Outcome, None, None]:
        """One outcome a job, as they come; closing the iterator stops the work.

        ``take``: whether the job with this index is to be done, asked before it is.

        Raises ExecutorError where there are no workers, or none of ``identity``.
        """
        ...


def outcome_of(
    index: int, result: dict[str, Any], identity: Identity, who: str
) -> Outcome:
    """The outcome in a worker's result.  Raises ExecutorError for another identity."""
    same_identity(result["identity"], identity, who)
    return Outcome(index, result.get("finding"), result.get("error"))


def same_identity(theirs: dict[str, str], identity: Identity, who: str) -> None:
    """Raise ExecutorError unless a worker is of this version."""
    if theirs != asdict(identity):
        raise ExecutorError(f"{who} runs {Identity(**theirs)}; this is {identity}")


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    job: int | None = None
    ready: bool = False
    pending: bytes = b""

    def lines(self) -> list[bytes] | None:
        """What the worker wrote since last asked, or None where it ended."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        *lines, self.pending = (self.pending + data).split(b"\n")
        return lines if data else None

    def send(self, index: int, job: Job) -> None:
        """Hand over a job; a worker that just ended shows when it is read from."""
        assert self.process.stdin is not None
        self.job = index
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            self.process.stdin.flush()

    def ended(self) -> str:
        """How the process ended, with the last line it complained of."""
        assert self.process.stderr is not None
        code = self.process.wait()
        last = self.process.stderr.read().decode("utf-8", "replace").strip()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}{': ' + last.splitlines()[-1] if last else ''}"

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


@dataclass(slots=True)
class LocalExecutor:
    """Worker processes of this machine, each started once.

    A job whose worker dies is tried again, three times in all; then it has an error.
    """

    jobs: int
    _workers: list[_Worker] = field(default_factory=list)
    _killed_early: int = 0

    def run(
        self, jobs: Sequence[Job], identity: Identity, take: Take = every
    ) -> Generator[Outcome, None, None]:
        waiting, attempts = deque(range(len(jobs))), Counter[int]()
        with selectors.DefaultSelector() as ready:
            try:
                while True:
                    self._start(ready, len(waiting))
                    if not self._workers:
                        return
                    for key, _ in ready.select():
                        worker: _Worker = key.data
                        lines = worker.lines()
                        if lines is None:
                            ready.unregister(key.fileobj)
                            yield from self._lost(worker, waiting, attempts)
                            continue
                        for line in lines:
                            yield from _heard(worker, json.loads(line), identity)
                            _next(worker, waiting, jobs, take)
            finally:
                for worker in self._workers:
                    worker.stop()
                self._workers.clear()

    def _start(self, ready: selectors.BaseSelector, waiting: int) -> None:
        """Start workers for waiting jobs; end those that have none left."""
        idle = [w for w in self._workers if w.ready and w.job is None]
        starting = sum(not w.ready for w in self._workers)
        for worker in idle:
            assert worker.process.stdout is not None
            ready.unregister(worker.process.stdout)
            self._workers.remove(worker)
            worker.stop()
        room = self.jobs - len(self._workers)
        for _ in range(min(room, waiting - starting)):
            worker = _Worker(_spawn())
            assert worker.process.stdout is not None
            ready.register(worker.process.stdout, selectors.EVENT_READ, worker)
            self._workers.append(worker)

    def _lost(
        self, worker: _Worker, waiting: deque[int], attempts: Counter[int]
    ) -> Iterator[Outcome]:
        self._workers.remove(worker)
        how = worker.ended()
        worker.stop()
        if not worker.ready:
            self._killed_early += 1
            if how.startswith("exit") or self._killed_early == ATTEMPTS:
                raise ExecutorError(f"a worker process did not start: {how}")
        if worker.job is None:
            return
        attempts[worker.job] += 1
        if attempts[worker.job] < ATTEMPTS:
            waiting.appendleft(worker.job)
            return
        why = f"the worker was lost {ATTEMPTS} times ({how})"
        yield Outcome(worker.job, error=why)


def _heard(
    worker: _Worker, said: dict[str, Any], identity: Identity
) -> Iterator[Outcome]:
    if not worker.ready:
        worker.ready = True
        same_identity(said["identity"], identity, "a worker process")
    elif worker.job is not None:
        index, worker.job = worker.job, None
        yield outcome_of(index, said, identity, "a worker process")


def _next(
    worker: _Worker, waiting: deque[int], jobs: Sequence[Job], take: Take
) -> None:
    while waiting:
        index = waiting.popleft()
        if take(index):
            worker.send(index, jobs[index])
            return


def _spawn() -> subprocess.Popen[bytes]:
    package = str(Path(bounceproof.__file__).parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "BOUNCEPROOF_JIT": "0",
    }
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "bounceproof.audit.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise ExecutorError(
            f"a worker process did not start: {error.strerror}"
        ) from None
