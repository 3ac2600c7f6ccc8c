# SPDX-License-Identifier: GPL-2.0-only
"""One failure that several lines tell, told once."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.read.kinds import Kind
from bounceproof.logs.read.messages import Event

_ABOUT_THE_SAME: Final = (
    Kind.OUT_OF_SPACE,
    Kind.REACH,
    Kind.BOUNCE_MAP,
    Kind.COHERENT,
    Kind.PANIC,
)
_ONCE_A_BOOT: Final = (Kind.POOL_FAILED, Kind.NO_GROWTH, Kind.UNDECRYPTED)
_VTD_PAGE: Final = 4096


def _same_size(full: int | None, other: Event) -> bool:
    """Whether the second line is about a mapping that the first printed as ``full``.

    VT-d's own bouncing (v5.4 to v5.10) asks for whole pages of 4 KiB.
    """
    size = other.message.sz
    if size is None or full is None:
        return other.message.kind is Kind.PANIC
    if other.message.kind is Kind.BOUNCE_MAP:
        return -(-size // _VTD_PAGE) * _VTD_PAGE == full
    return size == full


def _main(event: Event, mains: list[Event]) -> Event | None:
    """The "swiotlb buffer is full" that ``event`` goes with, None where it is alone."""
    for main in mains:
        same_device = event.message.device in (None, main.message.device)
        alike = same_device and _same_size(main.message.sz, event)
        if alike and main.facts is event.facts:
            return main
    return None


def _as_search(event: Event) -> bool:
    return event.message.kind is Kind.FULL and not event.message.cut


def paired(seen: list[Event]) -> list[Event]:
    """Events without those that another one's lines tell as well; addresses that the
    others told go to it."""
    mains = [event for event in seen if _as_search(event)]
    by_device: dict[object, list[Event]] = {}
    for event in mains:
        by_device.setdefault(event.message.device, []).append(event)
    kept = []
    once: dict[tuple[int, Kind], Event] = {}
    for event in seen:
        main: Event | None = None
        kind = event.message.kind
        if kind in _ONCE_A_BOOT:
            main = once.get((id(event.facts), kind))
            once.setdefault((id(event.facts), kind), event)
        if kind in _ABOUT_THE_SAME:
            near = by_device.get(event.message.device, [])
            main = _main(event, mains if event.message.device is None else near)
        if main is None:
            kept.append(event)
            continue
        main.companions.append(event)
        main.addresses |= event.addresses
    return kept
