# SPDX-License-Identifier: GPL-2.0-only
"""Who answers which question now: locks that end with the process that holds them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None

_OFFSETS = (1 << 62) - 1


class Claims:
    """Locks on bytes of the file ``path``, one byte a key.

    Where the system has no such locks, every claim is granted: an answer is then asked
    for twice at worst.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def close(self) -> None:
        """Give up every claim."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def take(self, key: str) -> bool:
        """Whether the key, hexadecimal, is now this process's: no other has it."""
        if fcntl is None or not self._opened():
            return True
        assert self._file is not None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True
        return True

    def drop(self, key: str) -> None:
        """Give up the claim on ``key``."""
        if fcntl is not None and self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(key))

    def _opened(self) -> bool:
        if self._file is None:
            with suppress(OSError):
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        return self._file is not None


def _offset(key: str) -> int:
    return int(key[:16], 16) & _OFFSETS
