# SPDX-License-Identifier: GPL-2.0-only
"""An audit asks what it must, once, keeps it, and shows it in order."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bounceproof.audit import run
from bounceproof.audit.cells import Identity, identity, key_of
from bounceproof.audit.run import Audit, Line
from bounceproof.audit.store import Store, Stored, StoreError
from bounceproof.solver.contract.verdict import Verdict
from tests.audit.questions import Ready, finding_of, units_of

UNITS = units_of("v6.6", "v6.6.9", "v6.7")
DISTINCT = len(units_of("v6.6", "v6.6.9"))


def audited(path: Path, executor: Ready, seconds: float = 60.0) -> list[Line]:
    with Store(path) as store:
        return list(Audit(UNITS, store, executor, seconds).lines())


def test_lines_come_in_order_and_equal_questions_are_asked_once(tmp_path: Path) -> None:
    executor = Ready()
    lines = audited(tmp_path / "store", executor)
    assert [line.unit for line in lines] == UNITS
    assert all(line.finding.prop is line.unit.prop for line in lines)
    assert len(executor.asked) == DISTINCT
    assert not any(line.stored for line in lines)


def test_nothing_is_asked_again(tmp_path: Path) -> None:
    audited(tmp_path / "store", Ready())
    executor = Ready()
    lines = audited(tmp_path / "store", executor, 600.0)
    assert executor.asked == []
    assert all(line.stored for line in lines)


def test_a_stopped_audit_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Ready()
    with Store(tmp_path / "store") as store:
        lines = Audit(UNITS, store, first, 60.0).lines()
        with closing(lines):
            next(lines)
        done = len(store.load(identity()))
    second = Ready()
    audited(tmp_path / "store", second)
    assert done > 0
    assert len(second.asked) == DISTINCT - done


@pytest.mark.parametrize("part", ["tool", "sources", "solver"])
def test_another_tool_or_solver_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    audited(tmp_path / "store", Ready())
    other: Identity = replace(identity(), **{part: "other"})
    monkeypatch.setattr(run, "identity", lambda: other)
    executor = Ready()
    audited(tmp_path / "store", executor)
    assert len(executor.asked) == DISTINCT


def test_unknown_is_asked_again_with_more_time_only(tmp_path: Path) -> None:
    path = tmp_path / "store"
    audited(path, Ready(Verdict.UNKNOWN), 5.0)
    same, more = Ready(Verdict.UNKNOWN), Ready()
    audited(path, same, 5.0)
    assert same.asked == []
    lines = audited(path, more, 50.0)
    assert len(more.asked) == DISTINCT
    assert {line.finding.verdict for line in lines} == {Verdict.HOLDS}


def test_an_error_is_unknown_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "store"
    lines = audited(path, Ready(error="the worker was lost"))
    assert {line.finding.verdict for line in lines} == {Verdict.UNKNOWN}
    assert {line.finding.reason for line in lines} == {"the worker was lost"}
    executor = Ready()
    audited(path, executor)
    assert len(executor.asked) == DISTINCT


def test_an_audit_ends_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "store", list[Line]()
    real = Store.put

    def put(
        self: Store, key: str, query: dict[str, Any], mine: Identity, answer: Stored
    ) -> None:
        if self.kept == 5:
            with self._errors():
                raise sqlite3.OperationalError("database or disk is full")
        real(self, key, query, mine, answer)

    monkeypatch.setattr(Store, "put", put)
    with (
        pytest.raises(StoreError) as error,
        Store(path) as store,
        closing(Audit(UNITS, store, Ready(), 60.0).lines()) as lines,
    ):
        seen.extend(lines)
    monkeypatch.undo()
    assert str(error.value) == (
        f"{path}: database or disk is full; 5 answers finished now are kept"
    )
    with Store(path) as store:
        assert len(store.load(identity())) == 5
    executor = Ready()
    audited(path, executor)
    assert len(executor.asked) == DISTINCT - 5


def test_progress_counts_what_is_asked(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with Store(tmp_path / "store") as store:
        audit = Audit(UNITS, store, Ready(), 60.0, lambda *now: told.append(now))
        list(audit.lines())
    assert told == [(count, DISTINCT) for count in range(DISTINCT + 1)]


_OTHER = """
import sys
from pathlib import Path
from bounceproof.audit.store import Store
with Store(Path(sys.argv[1])) as store:
    print([store.claim(key) for key in sys.argv[2:]], flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(path: Path, keys: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that answers these keys, until it is ended."""
    command = [sys.executable, "-c", _OTHER, str(path), *keys]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{[True] * len(keys)}\n"
        yield process
        process.kill()


def test_what_another_audit_asks_is_left_to_it(tmp_path: Path) -> None:
    path, executor = tmp_path / "store", Ready()
    keys = list(dict.fromkeys(key_of(unit.query(), identity()) for unit in UNITS))
    with another(path, keys[:2]), Store(path) as store:
        lines = Audit(UNITS[2:], store, executor, 60.0).lines()
        assert next(lines).unit == UNITS[2]
        assert not store.claim(keys[0])
        mine = Audit(UNITS[:1], store, executor, 60.0)
        asked = mine._ask({keys[0]: UNITS[0].query()})
        store.put(
            keys[0], UNITS[0].query(), identity(), Stored(finding_of("fits"), 60.0)
        )
        next(asked)
        assert mine._answers[keys[0]] == finding_of("fits")
    assert UNITS[0].query() not in executor.asked


def test_what_another_audit_answered_in_the_meantime_is_taken(tmp_path: Path) -> None:
    executor, mine = Ready(), identity()
    with Store(tmp_path / "store") as store, Store(tmp_path / "store") as theirs:

        def answer_the_rest(done: int, asked: int) -> None:
            for unit in UNITS if done == 1 else ():
                query = unit.query()
                if store.find(key_of(query, mine)) is None:
                    found = Stored(finding_of(unit.prop), 60.0)
                    theirs.put(key_of(query, mine), query, mine, found)

        lines = Audit(UNITS, store, executor, 60.0, answer_the_rest).lines()
        assert [line.unit for line in lines] == UNITS
    assert len(executor.asked) == 1


def test_what_a_killed_audit_left_is_asked(tmp_path: Path) -> None:
    path, executor = tmp_path / "store", Ready()
    keys = list(dict.fromkeys(key_of(unit.query(), identity()) for unit in UNITS))
    with another(path, keys[:2]) as process, Store(path) as store:
        lines = Audit(UNITS, store, executor, 60.0, told := Killing(process)).lines()
        assert [line.unit for line in lines] == UNITS
    assert told.killed
    assert len(executor.asked) == DISTINCT


@dataclass
class Killing:
    """Kills a process once all but what it holds is answered."""

    process: subprocess.Popen[str]
    killed: bool = False

    def __call__(self, done: int, asked: int) -> None:
        if done == asked - 2 and not self.killed:
            self.process.kill()
            self.process.wait()
            self.killed = True
