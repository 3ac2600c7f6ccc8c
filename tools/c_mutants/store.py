# SPDX-License-Identifier: GPL-2.0-only
"""Truths and answers in SQLite, one row each, so that a run can be resumed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path as File
from types import TracebackType
from typing import Any, Self

import bounceproof

_TABLE = """
CREATE TABLE IF NOT EXISTS kept (
    key TEXT PRIMARY KEY, what TEXT NOT NULL, value TEXT NOT NULL)
"""
_HERE = File(__file__).parent
_OURS = ("slices.py", "truth.py")


def _digest(files: Iterable[File], root: File) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def truth_sources() -> str:
    """A name for what a truth depends on beside its mutant."""
    files = [*(_HERE / "driver").glob("*.c"), *(_HERE / name for name in _OURS)]
    native = File(bounceproof.__file__).parent / "source" / "native"
    return _digest([*files], _HERE) + _digest(native.glob("*.py"), native)


@cache
def tool_sources() -> str:
    """A name for what an answer of bounceproof depends on beside its question."""
    root = File(bounceproof.__file__).parent
    return _digest(root.rglob("*.py"), root)


def key_of(*parts: str) -> str:
    """The store's key for a question made of ``parts``."""
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()


class Store:
    """Values by key in one SQLite file; a context manager."""

    def __init__(self, path: File) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        self._db.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def get(self, key: str) -> Any:
        """The value kept under ``key``, or None."""
        ask = "SELECT value FROM kept WHERE key = ?"
        row = self._db.execute(ask, (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, what: str, value: Any) -> None:
        """Keep ``value``; on the disk when this returns."""
        row = (key, what, json.dumps(value))
        self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", row)
