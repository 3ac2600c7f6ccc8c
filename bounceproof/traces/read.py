# SPDX-License-Identifier: GPL-2.0-only
"""A trace file, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bounceproof.traces import blkparse, fio, tracepoint
from bounceproof.traces.events import Trace, TraceError

FORMATS = ("blkparse", "fio", "swiotlb")
MOST_BYTES = 512 << 20
LOOK = 64 << 10


def _kind(head: str) -> str | None:
    if head.lstrip().startswith("{") or '"jobs"' in head:
        return "fio"
    if "dev_addr" in head:
        return "swiotlb"
    if any(blkparse.LINE.match(line) for line in head.split("\n")):
        return "blkparse"
    return None


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def read_trace(
    source: str, stream: BinaryIO, kind: str | None, depth: int | None
) -> Trace:
    """The trace in ``stream``; ``kind`` None: told by what is in it.

    Raises TraceError.
    """
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TraceError(f"{source}: larger than {MOST_BYTES >> 20} MiB")
    if b"\0" in data[:LOOK]:
        why = "binary; blktrace's files must go through blkparse"
        raise TraceError(f"{source}: {why}")
    text = data.decode("utf-8", "replace")
    kind = kind or _kind(text[:LOOK])
    if kind == "fio":
        start = text.find("{")
        return fio.read(source, text[max(start, 0) :])
    if kind == "swiotlb":
        return tracepoint.read(source, _lines(text), depth)
    if kind == "blkparse":
        return blkparse.read(source, _lines(text))
    raise TraceError(f"{source}: not blkparse text, fio JSON or swiotlb_bounced lines")
