# SPDX-License-Identifier: GPL-2.0-only
"""Finished answers in SQLite, one row a question, committed one by one.

An answer is kept under a key that covers its question, the tool, its sources and the
versions of its solvers, and is not used where any of them is another one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bounceproof.audit.cells import AuditError, Identity
from bounceproof.audit.claims import Claims
from bounceproof.audit.codec import NotDecodable, decode, encode
from bounceproof.solver.contract.verdict import Finding, Verdict

APPLICATION_ID = 0x62707A61
SCHEMA = 1
_BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY, query TEXT NOT NULL,
    tool TEXT NOT NULL, sources TEXT NOT NULL, solver TEXT NOT NULL,
    timeout REAL NOT NULL, verdict TEXT NOT NULL, finding TEXT NOT NULL,
    finished TEXT NOT NULL
)
"""


class StoreError(AuditError):
    """A store that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished answer and the seconds that each of its queries had."""

    finding: Finding
    timeout: float

    def serves(self, timeout: float) -> bool:
        """Whether asking again with ``timeout`` seconds could tell no more."""
        example = self.finding.counterexample
        undecided = self.finding.verdict is Verdict.UNKNOWN or (
            example is not None and not example.minimum
        )
        return not undecided or timeout <= self.timeout


def default_path() -> Path:
    """The store in the user's cache directory.  Raises StoreError without a home."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if Path(cache).is_absolute():
        return Path(cache) / "bounceproof" / "audit.sqlite"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise StoreError(f"no place for the store: {error}; name one") from None
    caches = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return home / caches / "bounceproof" / "audit.sqlite"


class Store:
    """The answers in one SQLite file; a context manager.

    Opening raises StoreError where the file is no store of this schema, is damaged,
    or its disk is full; the other methods where it becomes so.  One that is
    ``read_only`` has its answers, and takes none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = 0
        self._claims = Claims(Path(f"{path}-claims"))
        self.read_only = self._prepare()
        name = f"{path.absolute().as_uri()}?mode=ro" if self.read_only else str(path)
        with self._errors():
            self._db = sqlite3.connect(
                name,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                uri=self.read_only,
            )
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._claims.close()
        self._db.close()

    def claim(self, key: str) -> bool:
        """Whether this process is to answer ``key``: no other process does so now."""
        return self._claims.take(key)

    def release(self, key: str) -> None:
        """Leave ``key`` to others, answered or not."""
        self._claims.drop(key)

    def find(self, key: str) -> Stored | None:
        """The finding kept under ``key``, by whomever; None without one."""
        ask = "SELECT timeout, finding FROM answers WHERE key = ?"
        with self._errors():
            row = self._db.execute(ask, (key,)).fetchone()
        return None if row is None else self._stored(row[0], self._value(row[1]))

    def load(self, identity: Identity) -> dict[str, Stored]:
        """Every finding that this tool with this solver gave, by key."""
        return {
            key: self._stored(timeout, value)
            for key, timeout, value in self.rows(identity)
        }

    def rows(self, identity: Identity) -> Iterator[tuple[str, float, Any]]:
        """Key, seconds a query and the answer, as JSON values, of what is kept."""
        ask = (
            "SELECT key, timeout, finding FROM answers"
            " WHERE tool = ? AND sources = ? AND solver = ?"
        )
        whose = (identity.tool, identity.sources, identity.solver)
        with self._errors():
            rows = self._db.execute(ask, whose).fetchall()
        for key, timeout, text in rows:
            yield key, timeout, self._value(text)

    def put(
        self, key: str, query: dict[str, Any], identity: Identity, answer: Stored
    ) -> None:
        """Keep one finding; when this returns it is on the disk."""
        verdict = answer.finding.verdict.value
        value = encode(answer.finding)
        self.keep(key, query, identity, verdict, value, answer.timeout)

    def keep(
        self,
        key: str,
        query: dict[str, Any],
        identity: Identity,
        verdict: str,
        value: Any,
        timeout: float = 0.0,
    ) -> None:
        """Keep one answer, a JSON value; when this returns it is on the disk.

        ``verdict``: the answer in a word.  ``timeout``: seconds that each of its
        queries had.
        """
        row = {
            "key": key,
            "query": json.dumps(query, sort_keys=True),
            **asdict(identity),
            "timeout": timeout,
            "verdict": verdict,
            "finding": json.dumps(value),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        keep = f"INSERT OR REPLACE INTO answers ({columns}) VALUES ({values})"
        with self._errors():
            self._db.execute(keep, row)
        self.kept += 1

    def _value(self, text: str) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise self._bad(f"damaged: {error}") from None

    def _stored(self, timeout: float, value: Any) -> Stored:
        try:
            return Stored(decode(Finding, value), timeout)
        except NotDecodable as error:
            raise self._bad(f"damaged: {error}") from None

    def lacks(self, count: int) -> StoreError:
        """What to raise where ``count`` answers cannot be kept."""
        return self._bad(f"read-only, and lacks {count} of the answers")

    def _bad(self, why: str) -> StoreError:
        kept = f"; {self.kept} answers finished now are kept" if self.kept else ""
        return StoreError(f"{self.path}: {why}{kept}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._bad(str(error)) from None

    def _prepare(self) -> bool:
        """Whether the store is there and cannot be written to."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                return False
            if not self.path.is_file():
                raise self._bad("not a file")
            writable = self.path.stat().st_mode & 0o222
        except OSError as error:
            raise self._bad(error.strerror or "cannot be opened") from None
        return not writable or not os.access(self.path, os.W_OK)

    def _pragma(self, name: str) -> Any:
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]

    def _open(self) -> None:
        with self._errors():
            if self.read_only:
                self._check()
                return
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN IMMEDIATE")
            self._check()
            # A write, so that a full disk shows before anything is computed.
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")
            self._db.execute("COMMIT")

    def _check(self) -> None:
        owner, schema = self._pragma("application_id"), self._pragma("user_version")
        empty = not self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
        if empty and not self.read_only and owner == schema == 0:
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(_TABLE)
            return
        if owner != APPLICATION_ID:
            raise self._bad("a database, but not a store of audits")
        if schema != SCHEMA:
            raise self._bad(
                f"written by another version (schema {schema}, this one has {SCHEMA})"
            )
        damage = self._pragma("quick_check")
        if damage != "ok":
            raise self._bad(f"damaged: {damage}".splitlines()[0])
