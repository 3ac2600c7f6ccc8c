# SPDX-License-Identifier: GPL-2.0-only
"""fio's JSON: block sizes and queue depths of its jobs.  Source: fio(1)."""

from __future__ import annotations

import json
import re
from typing import Any

from bounceproof.traces.events import Kind, Trace, TraceError

_SIZE = re.compile(r"(\d+)\s*([kmg]?)(?:i?b)?", re.I)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DEFAULT_BLOCK = "4k"
MOST_JOBS = 1 << 16


def _size(source: str, text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    value = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if not value:
        raise TraceError(f"{source}: block size '{text}'")
    return value


def _number(source: str, options: dict[str, Any], name: str) -> int:
    text = str(options.get(name, "1"))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise TraceError(f"{source}: {name} '{text}' is not from 1 to {MOST_JOBS}")
    return int(text)


def _blocks(source: str, options: dict[str, Any]) -> set[tuple[int, int]]:
    """Least and most bytes of reads and writes."""
    ranges = options.get("bsrange") or options.get("blocksize_range")
    text = ranges or options.get("bs") or options.get("blocksize") or _DEFAULT_BLOCK
    found = set()
    for part in str(text).split(","):
        if not part:
            continue
        ends = [_size(source, end) for end in part.split("-")]
        if len(ends) > 2 or ends[0] > ends[-1]:
            raise TraceError(f"{source}: block size '{part}'")
        found.add((ends[0], ends[-1]))
    return found


def read(source: str, text: str) -> Trace:
    """The mix of fio's jobs.  Raises TraceError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{source}: no JSON: {error}") from None
    jobs = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(jobs, list) or not jobs:
        raise TraceError(f"{source}: no jobs in it, as fio's JSON has them")
    shared = data.get("global options", {})
    kinds = []
    for number, job in enumerate(jobs):
        own = job.get("job options", {}) if isinstance(job, dict) else None
        if not isinstance(own, dict) or not isinstance(shared, dict):
            raise TraceError(f"{source}: job {number} has no options")
        kinds += _kinds(source, {**shared, **own}, str(job.get("jobname", number)))
    return Trace(source, tuple(kinds))


def _kinds(source: str, options: dict[str, Any], name: str) -> list[Kind]:
    depth = _number(source, options, "iodepth")
    grouped = str(options.get("group_reporting", "0")) != "0"
    jobs = _number(source, options, "numjobs") if grouped else 1
    found = sorted(_blocks(source, options))
    return [Kind(name, depth * jobs, least, most) for least, most in found]
