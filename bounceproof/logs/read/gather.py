# SPDX-License-Identifier: GPL-2.0-only
"""Events as they are found: a bounded number, those that come often kept."""

from __future__ import annotations

import re
from typing import Final

from bounceproof.logs.read.messages import Event, Message
from bounceproof.logs.told.facts import Facts

MOST_EVENTS: Final = 4096
_MOST_KEYS: Final = 1 << 14
_MOST_STRANGERS: Final = 1 << 16
Tail: Final = re.compile(
    rb"\(sz: (\d{1,20}) bytes\)"
    rb"(?:, total (\d{1,20}) \(slots\), used (\d{1,20}) \(slots\)|(?!,))"
)
"""What follows the device in a whole "swiotlb buffer is full": sz, total, used."""
Key = tuple[bytes, bytes, bytes | None]
_ADDRESS: Final = re.compile(
    rb"(?:overflow|DMA addr|swiotlb addr) (?:0x)?([0-9a-f]{1,16})\+"
    rb"|bounce map: [0-9a-f]+@([0-9a-f]{1,16}) "
)
_BEFORE: Final = 96


def address_key(lines: bytes, at: int) -> tuple[Key, int] | None:
    """What tells the event of a line with an address around ``at``, and the address;
    None where a line's time cannot be told from its device."""
    start = lines.rfind(b"\n", 0, at) + 1
    found = _ADDRESS.search(lines, max(start, at - _BEFORE), at + _BEFORE)
    stamp = lines.rfind(b"] ", start, at) if found else -1
    if found is None or stamp < 0:
        return None
    end = lines.find(b"\n", found.end())
    group = 1 if found[1] else 2
    before, after = lines[stamp : found.start(group)], lines[found.end(group) : end]
    return (before, after, b"address"), int(found[group], 16)


def full_key(lines: bytes, start: int, head: int, tail: re.Match[bytes]) -> Key:
    """What tells one event from another: the two words before the message, sz, total.

    ``head``: where the device ends; the line begins at ``start``.
    """
    last = lines.rfind(b" ", start, head)
    first = lines.rfind(b" ", start, last) if last > start else -1
    return lines[max(first + 1, start) : head], tail[1], tail[2]


class Gathered:
    """The events of a log, at most :data:`MOST_EVENTS` at a time.

    ``dropped``: lines of the events that were given up.  ``here``: whether the
    present boot has any.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.here = False
        self._boot = 0
        self._events: dict[tuple[object, ...], Event] = {}
        self._quick: dict[Key, Event] = {}
        self._strangers: set[int] | None = None

    def new_boot(self) -> None:
        """What comes now belongs to another boot."""
        self._boot += 1
        self.here = False
        self._quick.clear()

    def known(self, key: Key) -> Event | None:
        """The event of a line whose like was remembered."""
        return self._quick.get(key)

    def turned_away(self, key: Key) -> bool:
        """Whether a line of a new event is not to be kept: where events were given
        up already, one is kept from its second line on."""
        if self._strangers is None:
            return False
        stranger = hash(key)
        if stranger in self._strangers:
            return False
        if len(self._strangers) >= _MOST_STRANGERS:
            self._strangers.clear()
        self._strangers.add(stranger)
        self.dropped += 1
        return True

    def remember(self, lines: bytes, head: int, at: int, event: Event) -> None:
        """Know the like of this line again, if it is whole in itself."""
        tail = Tail.match(lines, at)
        if tail is None or event.message.device is None:
            return
        start = lines.rfind(b"\n", 0, max(head, 0)) + 1
        device = event.message.device.encode()
        if lines[start:head].endswith(device):
            self.keep(full_key(lines, start, head, tail), event)

    def keep(self, key: Key, event: Event) -> None:
        """Know lines of this key as lines of ``event``."""
        if len(self._quick) >= _MOST_KEYS:
            self._quick.clear()
        self._quick[key] = event

    def put(self, message: Message, facts: Facts, line: int) -> Event:
        """The event of ``message``, a new one where it is the first."""
        self.here = True
        key = (self._boot, *message.key)
        event = self._events.get(key)
        if event is None:
            if len(self._events) >= MOST_EVENTS:
                self._give_up()
            event = self._events[key] = Event(message, facts, line)
        return event

    def _give_up(self) -> None:
        """Forget the half of the events that came least often, the latest first."""
        often = sorted(self._events.items(), key=lambda item: -item[1].count)
        kept = often[: MOST_EVENTS // 2]
        self.dropped += sum(event.count for _, event in often[MOST_EVENTS // 2 :])
        self._events = dict(sorted(kept, key=lambda item: item[1].line))
        left = {id(event) for _, event in kept}
        self._quick = {key: e for key, e in self._quick.items() if id(e) in left}
        self._strangers = self._strangers or set()

    def all(self) -> list[Event]:
        """The events in order of appearance."""
        return sorted(self._events.values(), key=lambda event: event.line)
