# SPDX-License-Identifier: GPL-2.0-only
"""Lines of the tracepoint swiotlb:swiotlb_bounced, and of unmaps beside it.

perf, trace-cmd and tracefs print its fields as ``dev_name: NAME ... dev_addr=HEX
size=BYTES``; a bpftrace program does as well if it is told to (docs/operators-sizing.md
has one).  A line with the word "unmap" and a ``dev_addr`` ends a mapping.  Source:
include/trace/events/swiotlb.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bounceproof.traces.events import (
    MOST_EVENTS,
    Event,
    Kind,
    Trace,
    TraceError,
    ended,
)

_NAME = re.compile(r"dev_name[:=]\s*(\S+)")
_ADDRESS = re.compile(r"dev_addr[:=]\s*(?:0x)?([0-9a-fA-F]+)")
_SIZE = re.compile(r"\bsize[:=]\s*(\d+)")
_TIME = re.compile(r"(?:^|\s)(\d+\.\d+):")
_CPU = re.compile(r"\[(\d+)\]|\bcpu[:=]\s*(\d+)")


def _event(line: str, number: int) -> Event | None:
    address, size = _ADDRESS.search(line), _SIZE.search(line)
    goes = "unmap" in line
    if address is None or (size is None and not goes):
        return None
    name, when, cpu = _NAME.search(line), _TIME.search(line), _CPU.search(line)
    at = int(address[1], 16)
    return Event(
        float(when[1]) if when else float(number),
        int(cpu[1] or cpu[2]) if cpu else 0,
        name[1] if name else "",
        f"{at:x}",
        0 if goes or size is None else int(size[1]),
        at,
    )


def read(source: str, lines: Iterable[str], depth: int | None) -> Trace:
    """The trace in ``lines``.

    Where no unmap is in it, ``depth`` mappings of each device are live at most; a
    TraceError where that is not known.
    """
    events: list[Event] = []
    for number, line in enumerate(lines):
        event = _event(line, number)
        if event is not None:
            events.append(event)
        if len(events) > MOST_EVENTS:
            raise TraceError(f"{source}: more than {MOST_EVENTS} events")
    if not events:
        raise TraceError(f"{source}: no line with dev_addr and size")
    if any(not event.size for event in events):
        return ended(source, events)
    if depth is None:
        raise TraceError(
            f"{source}: has no unmaps; --depth must say how many mappings of a device "
            f"are live at once"
        )
    kinds = []
    for device in dict.fromkeys(event.device for event in events):
        sizes = [event.size for event in events if event.device == device]
        kinds.append(Kind(device, depth, min(sizes), max(sizes)))
    return Trace(source, tuple(kinds))
