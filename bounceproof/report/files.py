# SPDX-License-Identifier: GPL-2.0-only
"""Answers that go to files, which are whole or not there."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from bounceproof.errors import InputError


def require_file(option: str, name: str) -> None:
    """Raise InputError, before work is done, where ``name`` can be no file."""
    target = Path(name)
    try:
        if name.endswith("/") or target.is_dir():
            raise InputError(f"{option} '{name}': is a directory")
        if not target.parent.is_dir():
            raise InputError(f"{option} '{name}': no such folder")
    except (OSError, ValueError) as error:
        raise _refused(option, name, error) from None


def require_folder(option: str, name: str) -> None:
    """Raise InputError, before work is done, where ``name`` can be no folder."""
    target = Path(name)
    try:
        there = next(at for at in (target, *target.absolute().parents) if at.exists())
        if not there.is_dir():
            raise InputError(f"{option} '{name}': {there} is no folder")
    except (OSError, ValueError) as error:
        raise _refused(option, name, error) from None


def _refused(option: str, name: str, error: OSError | ValueError) -> InputError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return InputError(f"{option} '{name}': {reason}")


def write_whole(option: str, name: str, text: str) -> None:
    """Write ``text`` to the file ``name``, which ``option`` named.

    Folders on the way to it are made.  It is written beside it first and renamed; a
    device or a pipe is written as it is.
    Raises InputError.
    """
    try:
        target = Path(name)
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(beside, mode)  # noqa: PTH101
            os.replace(beside, target)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                Path(beside).unlink()
            raise
    except (OSError, ValueError) as error:
        raise _refused(option, name, error) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
