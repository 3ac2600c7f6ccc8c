# SPDX-License-Identifier: GPL-2.0-only
"""The processes of this machine as an executor."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bounceproof.audit.cells import Unit, identity
from bounceproof.audit.codec import decode
from bounceproof.audit.executors import ATTEMPTS, ExecutorError, Job, LocalExecutor
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.contract.verdict import Finding
from tests.audit.questions import units_of

UNITS = units_of("v6.12")[-6:]


def jobs_of(units: list[Unit]) -> list[Job]:
    return [Job(unit.query(), 60.0) for unit in units]


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_answer_as_check_does(workers: int) -> None:
    outcomes = list(LocalExecutor(workers).run(jobs_of(UNITS), identity()))
    assert sorted(outcome.index for outcome in outcomes) == list(range(len(UNITS)))
    for outcome in outcomes:
        unit = UNITS[outcome.index]
        here = check_state(unit.state, unit.domain(), [unit.prop], 60).findings[0]
        there = decode(Finding, outcome.finding)
        assert replace(there, seconds=0.0) == replace(here, seconds=0.0)


def test_no_job_needs_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert list(LocalExecutor(2).run([], identity())) == []


def test_a_question_that_fails_is_told_and_the_worker_goes_on() -> None:
    bad = Job({**UNITS[0].query(), "property": "none"}, 60.0)
    jobs = [bad, *jobs_of(UNITS[:1])]
    first, second = LocalExecutor(1).run(jobs, identity())
    assert first.error == "ValueError: 'none' is not a valid Property"
    assert second.finding is not None


def test_workers_of_another_version_are_refused() -> None:
    other = replace(identity(), sources="f" * 64)
    with pytest.raises(ExecutorError, match=r"a worker process runs .* this is"):
        list(LocalExecutor(1).run(jobs_of(UNITS), other))


def test_workers_that_do_not_start_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(ExecutorError, match="did not start: No such file"):
        list(LocalExecutor(2).run(jobs_of(UNITS), identity()))
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho first >&2\necho no memory >&2\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(ExecutorError, match="did not start: exit code 3: no memory"):
        list(LocalExecutor(2).run(jobs_of(UNITS), identity()))


def test_a_worker_killed_as_it_starts_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tally, dying = tmp_path / "tally", tmp_path / "python"
    real = sys.executable
    dying.write_text(
        f'#!/bin/sh\nif [ -e {tally} ]; then exec {real} "$@"; fi\n'
        f"touch {tally}\nkill -9 $$\n"
    )
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    (outcome,) = LocalExecutor(1).run(jobs_of(UNITS[:1]), identity())
    assert outcome.finding is not None
    dying.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(ExecutorError, match="did not start: signal 9"):
        list(LocalExecutor(1).run(jobs_of(UNITS[:1]), identity()))


def test_a_job_that_kills_its_worker_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tally, dying = tmp_path / "tally", tmp_path / "python"
    hello = "import json, dataclasses\nfrom bounceproof.audit.cells import identity\n"
    dying.write_text(
        f"#!{sys.executable}\n{hello}"
        "print(json.dumps({'identity': dataclasses.asdict(identity())}), flush=True)\n"
        f"input()\nopen({str(tally)!r}, 'a').write('x')\n"
        "import os\nos.kill(os.getpid(), 9)\n"
    )
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    outcomes = list(LocalExecutor(2).run(jobs_of(UNITS[:2]), identity()))
    lost = f"the worker was lost {ATTEMPTS} times (signal 9)"
    assert [outcome.error for outcome in outcomes] == [lost, lost]
    assert tally.read_text() == "x" * 2 * ATTEMPTS
