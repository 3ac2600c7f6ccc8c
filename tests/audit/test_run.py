# SPDX-License-Identifier: GPL-2.0-only
"""An audit asks what it must, once, keeps it, and shows it in order."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bounceproof.audit import run
from bounceproof.audit.cells import Identity, identity
from bounceproof.audit.run import Audit, Line
from bounceproof.audit.store import Store, Stored, StoreError
from bounceproof.solver.contract.verdict import Verdict
from tests.audit.questions import Ready, units_of

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
