# SPDX-License-Identifier: GPL-2.0-only
"""An audit: what the store has is taken from there, the rest is asked and kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from bounceproof.audit.cells import AuditError, Unit, identity, key_of
from bounceproof.audit.codec import NotDecodable, decode
from bounceproof.audit.executors import Executor, Job, Outcome
from bounceproof.audit.store import Store, Stored
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict

Progress = Callable[[int, int], None]
Query = dict[str, Any]
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: its question and the answer.

    ``stored``: the answer was in the store when the audit began.
    """

    unit: Unit
    finding: Finding
    stored: bool


def no_progress(done: int, asked: int) -> None:
    """Shows nothing."""


@dataclass(slots=True)
class Audit:
    """The lines of ``units``, in order, each once its answer is in the store.

    Units that ask the same question share an answer.  ``seconds``: for each solver
    query.  ``progress`` is told how many of the questions to ask are answered.
    """

    units: list[Unit]
    store: Store
    executor: Executor
    seconds: float
    progress: Progress = no_progress
    _answers: dict[str, Finding] = field(default_factory=dict)

    def lines(self) -> Generator[Line, None, None]:
        """Every line.  Raises AuditError where the store or all workers fail."""
        whose = identity()
        queries = [unit.query() for unit in self.units]
        keys = [key_of(query, whose) for query in queries]
        for key, answer in self.store.load(whose).items():
            if answer.serves(self.seconds):
                self._answers[key] = answer.finding
        stored = set(self._answers)
        asked = dict(zip(keys, queries, strict=True))
        missing = {k: q for k, q in asked.items() if k not in stored}
        if missing and self.store.read_only:
            raise self.store.lacks(len(missing))
        with closing(self._ask(missing)) as answered:
            for unit, key in zip(self.units, keys, strict=True):
                while key not in self._answers:
                    next(answered)
                yield Line(unit, self._answers[key], key in stored)

    def _ask(self, missing: dict[str, Query]) -> Generator[None, None, None]:
        """Answer the questions in ``missing`` and keep the answers, one a step.

        What another process is answering is left to it, and taken from the store.
        """
        self.progress(0, len(missing))
        left = missing
        while left:
            others: list[str] = []
            with closing(self._answered(left, others)) as here:
                for _ in here:
                    self._collect(others)
                    self.progress(self._count(missing), len(missing))
                    yield
            if len(self._left(left)) == len(left) and not others:
                told = f"{len(missing)} questions, but no answer to some of them"
                raise AuditError(told)
            while others:
                if not self._collect(others):
                    sleep(_LOOK_SECONDS)
                self.progress(self._count(missing), len(missing))
                yield
            left = self._left(left)
        self.progress(len(missing), len(missing))
        yield

    def _answered(
        self, asked: dict[str, Query], others: list[str]
    ) -> Generator[None, None, None]:
        """Ask what no other process does; ``others`` gets the keys of the rest."""
        keys, whose = list(asked), identity()
        jobs = [Job(query, self.seconds) for query in asked.values()]

        def take(index: int) -> bool:
            return self._take(keys[index], others)

        with closing(self.executor.run(jobs, whose, take)) as outcomes:
            for outcome in outcomes:
                key = keys[outcome.index]
                finding, final = _finding(outcome, jobs[outcome.index])
                if final:
                    answer = Stored(finding, self.seconds)
                    self.store.put(key, asked[key], whose, answer)
                self.store.release(key)
                self._answers[key] = finding
                yield

    def _take(self, key: str, others: list[str]) -> bool:
        """Whether to ask ``key``: nobody does, and nobody has in the meantime."""
        if not self.store.claim(key):
            others.append(key)
            return False
        if self._found(key):
            self.store.release(key)
            return False
        return True

    def _found(self, key: str) -> bool:
        """Take the answer to ``key`` from the store, if there is one that serves."""
        kept = self.store.find(key)
        if kept is not None and kept.serves(self.seconds):
            self._answers[key] = kept.finding
        return key in self._answers

    def _collect(self, others: list[str]) -> bool:
        """Take from ``others`` what was answered, and what its process left unanswered;
        whether there was any."""
        done = [key for key in others if self._found(key) or self.store.claim(key)]
        for key in done:
            others.remove(key)
            if self._found(key):
                self.store.release(key)
        return bool(done)

    def _left(self, asked: dict[str, Query]) -> dict[str, Query]:
        return {key: q for key, q in asked.items() if key not in self._answers}

    def _count(self, asked: dict[str, Query]) -> int:
        return len(asked) - len(self._left(asked))


def _finding(outcome: Outcome, job: Job) -> tuple[Finding, bool]:
    """What an outcome says, and whether asking again would say the same."""
    error = outcome.error
    try:
        if error is None:
            return decode(Finding, outcome.finding), True
    except NotDecodable as reason:
        error = str(reason)
    prop = Property(job.query["property"])
    unknown = Verdict.UNKNOWN
    return Finding(prop, unknown, (), None, None, error, None, 0.0), False
