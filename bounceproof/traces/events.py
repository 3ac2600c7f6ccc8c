# SPDX-License-Identifier: GPL-2.0-only
"""What a trace tells: mappings that come and go, or how many of what size there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bounceproof.errors import InputError

PAGE = 4096
MOST_EVENTS = 4_000_000


class TraceError(InputError):
    """A trace that cannot be read; the message names it and the line."""


@dataclass(frozen=True, slots=True)
class Event:
    """One mapping of ``size`` bytes that comes, or, with size 0, goes.

    ``key`` names it from when it comes to when it goes; ``offset`` is its address
    where the trace has it.
    """

    time: float
    cpu: int
    device: str
    key: str
    size: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """At most ``count`` live mappings of ``least`` to ``most`` bytes.

    ``offset``: where in a page of 4096 bytes all of them start, None where they differ
    or the trace does not say.
    """

    device: str
    count: int
    least: int
    most: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """``events`` in order, none where the trace tells only of ``kinds``.

    ``lines``: how many lines were read; ``open``: mappings that never went.
    """

    source: str
    kinds: tuple[Kind, ...]
    events: tuple[Event, ...] = ()
    unended: int = 0


def bucket(size: int) -> int:
    """Sizes up to the same power of two are one kind."""
    return max(size - 1, 1).bit_length()


def kinds_of(events: Sequence[Event]) -> tuple[Kind, ...]:
    """The most live mappings of each kind, and their sizes."""
    live: dict[str, tuple[str, int]] = {}
    count: dict[tuple[str, int], int] = {}
    most: dict[tuple[str, int], Kind] = {}
    for event in events:
        if not event.size:
            gone = live.pop(event.key, None)
            if gone is not None:
                count[gone] -= 1
            continue
        kind = event.device, bucket(event.size)
        live[event.key] = kind
        count[kind] = count.get(kind, 0) + 1
        at = None if event.offset is None else event.offset % PAGE
        known = most.get(kind, Kind(event.device, 0, event.size, event.size, at))
        most[kind] = replace(
            known,
            offset=at if at == known.offset else None,
            count=max(known.count, count[kind]),
            least=min(known.least, event.size),
            most=max(known.most, event.size),
        )
    return tuple(most[kind] for kind in sorted(most))


def ended(source: str, events: Sequence[Event]) -> Trace:
    """The trace of ``events``, those left out that go without having come.

    Raises TraceError for one without a mapping.
    """
    live: set[str] = set()
    kept = []
    for event in events:
        if not event.size and event.key not in live:
            continue
        if event.size and event.key in live:
            kept.append(replace(event, size=0))
        kept.append(event)
        (live.add if event.size else live.discard)(event.key)
    if not any(event.size for event in kept):
        raise TraceError(f"{source}: no mapping in it")
    return Trace(source, kinds_of(kept), tuple(kept), len(live))
