# SPDX-License-Identifier: GPL-2.0-only
"""blkparse's default text: a request is mapped when it is issued (D), and unmapped when
it is completed (C) or put back (R).

Its columns: device, CPU, sequence, time, process, action, kind, and of those actions
first sector, "+" and sectors.  Source: blkparse(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bounceproof.traces.events import MOST_EVENTS, Event, Trace, TraceError, ended

SECTOR = 512
LINE = re.compile(
    r"\s*(?P<device>\d+,\d+)\s+(?P<cpu>\d+)\s+\d+\s+(?P<time>\d+\.\d+)\s+\d+\s+"
    r"(?P<action>[A-Z]{1,2})\s+(?P<kind>[A-Z]+)(?:\s+(?P<sector>\d+)"
    r"(?:\s+\+\s+(?P<count>\d+))?)?"
)
_COMES, _GOES = ("D",), ("C", "R")


def read(source: str, lines: Iterable[str]) -> Trace:
    """The trace in ``lines``.  Raises TraceError.

    Discards and flushes move no data; what is not an event, such as the totals at the
    end, is passed over.
    """
    events: list[Event] = []
    seen = 0
    for line in lines:
        match = LINE.match(line)
        seen += match is not None
        if match is None or match["action"] not in (*_COMES, *_GOES):
            continue
        size = int(match["count"] or 0) * SECTOR
        if not size or "D" in match["kind"]:
            continue
        key = f"{match['device']}/{match['sector']}"
        size = size if match["action"] in _COMES else 0
        events.append(
            Event(float(match["time"]), int(match["cpu"]), match["device"], key, size)
        )
        if len(events) > MOST_EVENTS:
            raise TraceError(f"{source}: more than {MOST_EVENTS} events")
    if not seen:
        raise TraceError(f"{source}: no line as blkparse prints them")
    return ended(source, events)
