# SPDX-License-Identifier: GPL-2.0-only
"""The pool that a failure met: how large, how full, in how many areas, and whose."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.judge.verdict import PoolSeen
from bounceproof.logs.narrow import Span
from bounceproof.logs.read.messages import Event
from bounceproof.logs.told.facts import Facts
from bounceproof.logs.told.version import Nearest, parse_version

_AREAS_SINCE: Final = (6, 0)


def _areas(facts: Facts, span: Span) -> int | None:
    """Areas of the default pool: one before v6.0, else those of the log, or one for
    each CPU, rounded up to a power of two."""
    version = parse_version(facts.version or "")
    if version is not None and version[:2] < _AREAS_SINCE and facts.nareas is None:
        return 1
    if version is None and span.until < _AREAS_SINCE:
        return 1
    if facts.nareas is not None or facts.cpus is None:
        return facts.nareas
    return 1 << (facts.cpus - 1).bit_length()


def is_restricted(event: Event) -> bool:
    """Whether the pool is the device's own: a restricted pool of just that size, and
    the default pool of another."""
    facts, total = event.facts, event.message.total
    if not facts.restricted or total == facts.nslabs:
        return False
    if total is None:
        return event.message.device in facts.reserved_devices
    return total in [slots for _, slots in facts.restricted]


def pool_at(event: Event, asked: Nearest | None, span: Span) -> PoolSeen:
    """The pool at the time of ``event``, at its emptiest."""
    message, facts, course = event.message, event.facts, event.course
    used = course.least if course.count else None
    if is_restricted(event):
        return PoolSeen(message.total, used, 1, True)
    total = message.total if message.total is not None else facts.nslabs
    areas = _areas(facts, span)
    if areas and total and total // areas < 1:
        areas = None
    return PoolSeen(total, used, areas)
