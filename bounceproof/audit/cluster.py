# SPDX-License-Identifier: GPL-2.0-only
"""A Dask cluster as an executor; needs the extra ``dask``."""

from __future__ import annotations

import asyncio
import importlib
import logging
import queue
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from time import monotonic
from typing import Any

from bounceproof.audit.cells import Identity
from bounceproof.audit.executors import (
    ExecutorError,
    Job,
    Outcome,
    Take,
    every,
    outcome_of,
)
from bounceproof.audit.worker import answer

Client = Any
Future = Any
_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 10.0


def _hush() -> None:
    """Silence Dask's loggers: what goes wrong is told in one line by the caller."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """The workers behind the scheduler at ``address``, such as tcp://host:8786.

    Dask gives the jobs of a lost worker to another; a job that loses several has an
    error.  ``patience``: seconds to wait for a scheduler, and for a worker whenever
    there is none.
    """

    address: str
    patience: float = 30.0

    def run(
        self, jobs: Sequence[Job], identity: Identity, take: Take = every
    ) -> Generator[Outcome, None, None]:
        taken = [index for index in range(len(jobs)) if take(index)]
        if not taken:
            return
        client = self._connect()
        try:
            done: queue.SimpleQueue[Future] = queue.SimpleQueue()
            indexes: dict[Future, int] = {}
            for index in taken:
                job = jobs[index]
                future = client.submit(answer, job.query, job.seconds, pure=False)
                indexes[future] = index
            for future in indexes:
                future.add_done_callback(done.put)
            for _ in taken:
                future = self._next(client, done)
                yield self._outcome(client, future, indexes.pop(future), identity)
        finally:
            client.close(timeout=5)

    def _fail(self, why: str) -> ExecutorError:
        return ExecutorError(f"--dask {self.address}: {why}")

    def _connect(self) -> Client:
        try:
            distributed = importlib.import_module("distributed")
        except ImportError:
            raise self._fail("needs Dask: pip install 'bounceproof[dask]'") from None
        _hush()
        try:
            asyncio.run(self._probe())
            return distributed.Client(
                self.address, timeout=self.patience, set_as_default=False
            )
        except (OSError, ValueError, TypeError) as error:
            why = " ".join(str(error).split())
            raise self._fail(f"no scheduler there: {why}") from None

    async def _probe(self) -> None:
        """Connect once: a client that cannot connect lingers when it is given up."""
        core = importlib.import_module("distributed.comm.core")
        security = importlib.import_module("distributed.security").Security()
        how = security.get_connection_args("client")
        timeout = min(self.patience, _CONNECT_SECONDS)
        comm = await core.connect(self.address, timeout=timeout, **how)
        await comm.close()

    def _missing(self, client: Client) -> str | None:
        """What is missing for work to go on, or None."""
        if client.status != "running":
            return "no scheduler"
        return None if client.scheduler_info()["workers"] else "no worker"

    def _next(self, client: Client, done: queue.SimpleQueue[Future]) -> Future:
        """The next finished future; gives up where nobody is left to finish any."""
        seen = monotonic()
        while True:
            try:
                return done.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                missing = self._missing(client)
                if missing is None:
                    seen = monotonic()
                elif monotonic() - seen > self.patience:
                    why = f"{missing} for {self.patience:g} seconds"
                    raise self._fail(why) from None

    def _outcome(
        self, client: Client, future: Future, index: int, identity: Identity
    ) -> Outcome:
        """A future's outcome, fetched from the worker that holds it."""
        while True:
            try:
                result = future.result(timeout=self.patience)
                who = f"--dask {self.address}: a worker"
                return outcome_of(index, result, identity, who)
            except TimeoutError:
                missing = self._missing(client)
                if missing is not None:
                    raise self._fail(missing) from None
            except ExecutorError:
                raise
            except (Exception, asyncio.CancelledError) as error:
                return self._trouble(index, error)

    def _trouble(self, index: int, error: BaseException) -> Outcome:
        if type(error).__name__ == "KilledWorker":
            return Outcome(index, error="its Dask workers were lost, one by one")
        if isinstance(error, OSError | CancelledError | asyncio.CancelledError):
            raise self._fail("the scheduler was lost or dropped the work") from None
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise self._fail(f"a worker cannot answer: {why}") from None
