# SPDX-License-Identifier: GPL-2.0-only
"""The standard streams, which may be closed, full, or left by their reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import BinaryIO

from bounceproof.errors import BounceproofError, InputError, OutputError, PipeClosed
from bounceproof.report.text import printable


def keep_descriptors() -> None:
    """Fill what is closed of descriptors 0 to 2, so that no file opened gets them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def output_error(error: OSError | ValueError) -> BounceproofError:
    """What it means that standard output took nothing."""
    if isinstance(error, BrokenPipeError):
        return PipeClosed()
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return OutputError(f"standard output: {reason}")


def require_output() -> None:
    """Raise OutputError where there is no standard output, before work is done."""
    if sys.stdout is None:
        raise OutputError("standard output: closed")


def say(text: str) -> None:
    """Print ``text`` and a line's end.  Raises OutputError or PipeClosed.

    Control characters, as names of files may have them, are shown and not sent.
    """
    require_output()
    encoding = sys.stdout.encoding or "utf-8"
    plain = "\n".join(printable(line) for line in text.split("\n"))
    shown = plain.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(f"{shown}\n")
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise output_error(error) from None


def say_bytes(data: bytes) -> None:
    """Write ``data`` as it is.  Raises OutputError or PipeClosed."""
    require_output()
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        raise output_error(error) from None


def complain(text: str) -> None:
    """One line on standard error, where there is one."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"bounceproof: {printable(text)}\n")
        sys.stderr.flush()


def settle_output() -> None:
    """Send what is left in standard output's buffer nowhere if it cannot be written.

    The interpreter would write it again at its end, and change the exit code.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def standard_input(option: str) -> BinaryIO:
    """Standard input as bytes; InputError with ``option`` where it is closed."""
    if sys.stdin is None:
        raise InputError(f"{option} '-': standard input is closed")
    return sys.stdin.buffer
