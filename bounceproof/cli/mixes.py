# SPDX-License-Identifier: GPL-2.0-only
"""A trace on the command line."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, BinaryIO

from bounceproof.cli.streams import standard_input
from bounceproof.errors import InputError
from bounceproof.models.request import Cell
from bounceproof.models.requests.devices import Device

if TYPE_CHECKING:
    from bounceproof.audit.traced import Traced


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(standard_input("--trace"))
    return FilePath(name).open("rb")


def read_traced(
    name: str,
    kind: str | None,
    depth: int | None,
    offset: int | None,
    cell: Cell,
    device: Device,
    limit: int,
) -> Traced:
    """The trace in the file ``name``, or on standard input.  Raises InputError."""
    from bounceproof.audit.traced import traced
    from bounceproof.traces.read import read_trace

    source = f"--trace '{name}'"
    try:
        with _opened(name) as stream:
            trace = read_trace(source, stream, kind, depth)
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{source}: {error}") from None
    return traced(trace, cell, device, limit, offset)
