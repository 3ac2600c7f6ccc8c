# SPDX-License-Identifier: GPL-2.0-only
"""A store keeps what it was given; what it cannot keep it says in one line."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bounceproof.audit.cells import Identity
from bounceproof.audit.codec import encode
from bounceproof.audit.store import SCHEMA, Store, Stored, StoreError, default_path
from bounceproof.solver.contract.verdict import Verdict
from tests.audit.questions import finding_of

MINE = Identity("1", "abc", "z")
ANSWER = Stored(finding_of("fits"), 60.0)


def filled(path: Path, count: int = 3) -> Path:
    with Store(path) as store:
        for number in range(count):
            store.put(f"key{number}", {"q": number}, MINE, ANSWER)
    return path


def edit(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement, values)
    db.close()


def test_what_was_put_is_there_after_opening_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "new" / "folder" / "store")
    with Store(path) as store:
        assert store.load(MINE) == {f"key{number}": ANSWER for number in range(3)}


@pytest.mark.parametrize("part", ["tool", "sources", "solver"])
def test_answers_of_another_identity_stay_and_are_not_used(
    tmp_path: Path, part: str
) -> None:
    path = filled(tmp_path / "store")
    with Store(path) as store:
        assert store.load(replace(MINE, **{part: "other"})) == {}
        assert len(store.load(MINE)) == 3


def test_what_was_not_decided_serves_no_longer_timeout() -> None:
    assert ANSWER.serves(1e6)
    unknown = Stored(finding_of("fits", Verdict.UNKNOWN), 5.0)
    assert unknown.serves(5.0)
    assert not unknown.serves(6.0)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"PRAGMA user_version = {SCHEMA + 1}", "written by another version (schema 2"),
        ("PRAGMA user_version = 0", "written by another version (schema 0"),
        ("PRAGMA application_id = 7", "a database, but not a store of audits"),
    ],
)
def test_another_version_is_told_and_left_alone(
    tmp_path: Path, statement: str, message: str
) -> None:
    path = filled(tmp_path / "store")
    edit(path, statement)
    before = path.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert path.read_bytes() == before


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    edit(path, "CREATE TABLE mine (a)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a store of audits"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database\n" * 99, b"\x00" * 5000, b"SQL"])
def test_what_is_no_database_is_told_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "store"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="not a database"):
        Store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("keep", [100, 4096, 5000, 9000])
def test_a_truncated_store_is_told(tmp_path: Path, keep: int) -> None:
    path = filled(tmp_path / "store", 40)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError) as error, Store(path) as store:
        store.load(MINE)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_every_damaged_page_is_told_or_harmless(tmp_path: Path) -> None:
    path = filled(tmp_path / "store", 40)
    whole = path.read_bytes()
    for start in range(0, len(whole), 4096):
        damaged = whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :]
        path.write_bytes(damaged)
        with pytest.raises(StoreError), Store(path) as store:
            store.load(MINE)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", json.dumps({**encode(ANSWER.finding), "prop": "x"})]
)
def test_a_damaged_answer_is_told(tmp_path: Path, text: str) -> None:
    path = filled(tmp_path / "store")
    edit(path, "UPDATE answers SET finding = ? WHERE key = 'key1'", text)
    with Store(path) as store, pytest.raises(StoreError, match="damaged"):
        store.load(MINE)


def test_a_read_only_store_has_its_answers(tmp_path: Path) -> None:
    path = filled(tmp_path / "store")
    path.chmod(0o444)
    with Store(path) as store:
        assert store.read_only
        assert len(store.load(MINE)) == 3
        assert "read-only, and lacks 2 of the answers" in str(store.lacks(2))
    path.chmod(0o644)
    with Store(path) as store:
        assert len(store.load(MINE)) == 3


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a file"):
        Store(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        Store(tmp_path / "file" / "store")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.touch()
    assert filled(path).stat().st_size


def test_two_audits_may_share_a_store(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as one, Store(tmp_path / "store") as two:
        one.put("a", {}, MINE, ANSWER)
        two.put("b", {}, MINE, ANSWER)
        two.put("a", {}, MINE, ANSWER)
        assert set(one.load(MINE)) == {"a", "b"}


def test_the_default_place_is_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "bounceproof" / "audit.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_path() == tmp_path / ".cache" / "bounceproof" / "audit.sqlite"
