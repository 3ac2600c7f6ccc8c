# SPDX-License-Identifier: GPL-2.0-only
"""One pass over a log: every message, and the facts of the boot it belongs to.

Each anchor is searched in whole blocks, so lines without one cost nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from bounceproof.logs.errors import LogError
from bounceproof.logs.read.gather import Gathered, Tail, address_key, full_key
from bounceproof.logs.read.kinds import ADDRESSED, FORMS, FULL_FORM, Form, Kind
from bounceproof.logs.read.messages import (
    MOST_ADDRESSES,
    Event,
    Message,
    message_in,
    remains,
    unfinished,
)
from bounceproof.logs.read.pairs import paired
from bounceproof.logs.read.stream import Block, Source, blocks
from bounceproof.logs.read.wrapped import line_at, rejoined, text_of
from bounceproof.logs.told.facts import Facts
from bounceproof.logs.told.hints import BOOT, HINTS, Hint

MOST_BOOTS: Final = 256
MOST_CUT: Final = 64
_LINE: Final = 4096
_HEAD: Final = b": swiotlb buffer is full "
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[")
_LAST_REPEATED = re.compile(r"last message (?:repeated|buffered) (\d{1,9}) times")
_AGAIN: Final = b"last message "


@dataclass(slots=True)
class Scan:
    """What a log holds: events in order of appearance, boots, lines cut.

    ``dropped``: lines of events that came seldom, in a log of very many events.
    ``ends_early``: why the log was not read to its end, None where it was.
    """

    seen: list[Event] = field(default_factory=list)
    boots: list[Facts] = field(default_factory=lambda: [Facts()])
    cut_lines: list[int] = field(default_factory=list)
    bytes_read: int = 0
    dropped: int = 0
    ends_early: str | None = None


Place = tuple[int, Form | Hint | None]
_ANY_TIME: Final[list[tuple[bytes, Form | Hint | None]]] = [
    *((form.anchor, form) for form in FORMS),
    *((hint.anchor, hint) for hint in HINTS if not hint.early),
    (_AGAIN, None),
]
_EARLY: Final[list[tuple[bytes, Form | Hint | None]]] = [
    (hint.anchor, hint) for hint in HINTS if hint.early
]
_EARLY_BLOCKS: Final = 4
_SHORTEST_NAME: Final = 6


def _places(block: Block, early: bool) -> list[Place]:
    """Where the anchors are, in order; ``early``: a boot may be here."""
    places: list[Place] = []
    lines, end = block.lines, block.end
    for anchor, what in [*_ANY_TIME, *_EARLY] if early else _ANY_TIME:
        at = lines.find(anchor, block.begin, end)
        while at >= 0:
            places.append((at, what))
            at = lines.find(anchor, at + len(anchor), end)
    places.sort(key=lambda place: place[0])
    return places


class Scanner:
    """Collects events and facts block by block."""

    def __init__(self) -> None:
        self.scan = Scan()
        self.events = Gathered()
        self._counted = (0, 1)
        self._last: tuple[Event, Message, int] | None = None
        self._early = _EARLY_BLOCKS

    def block(self, block: Block) -> None:
        """Read one block."""
        self._counted = (block.begin, block.first_line)
        self._last = None
        if block.lines.find(BOOT.anchor, block.begin, block.end) >= 0:
            self._early = _EARLY_BLOCKS
        places = _places(block, self._early > 0)
        self._early -= 1
        for at, what in places:
            if what is FULL_FORM and self._quick(block, at):
                continue
            if what in ADDRESSED and self._quick_address(block.lines, at):
                continue
            if isinstance(what, Hint):
                self._fact(what, block, at)
            elif isinstance(what, Form):
                self._message(what, block, at)
            else:
                self._again(block, at)

    def _quick(self, block: Block, at: int) -> bool:
        """Count a whole "swiotlb buffer is full" of an event that is known already."""
        lines, head = block.lines, at - len(_HEAD)
        if head < 0 or lines[head:at] != _HEAD:
            return False
        start = lines.rfind(b"\n", max(head - _LINE, 0), head) + 1
        tail = Tail.match(lines, at)
        if tail is None or lines.find(b"repeated ", start, head) >= 0:
            return False
        key = full_key(lines, start, head, tail)
        seen = self.events.known(key)
        if seen is None:
            return self.events.turned_away(key)
        seen.count += 1
        if tail[3] is not None:
            seen.course.add(int(tail[3]), lines[start:head])
        return True

    def _quick_address(self, lines: bytes, at: int) -> bool:
        """Count a line with an address of an event that is known already."""
        found = address_key(lines, at)
        seen = self.events.known(found[0]) if found else None
        if found is None or seen is None:
            return False
        seen.count += 1
        if len(seen.addresses) < MOST_ADDRESSES:
            seen.addresses.add((found[1], seen.message.sz or 0))
        return True

    def _fact(self, hint: Hint, block: Block, at: int) -> None:
        found = hint.pattern.search(line_at(block.lines, at)[0])
        if found is None and hint.spans:
            found = hint.pattern.search(rejoined(block.lines, at)[0])
        if found is None:
            return
        if hint is BOOT:
            self._boot(found["release"])
        hint.read(self.scan.boots[-1], found)

    def _boot(self, release: str) -> None:
        """A banner starts a boot, unless it repeats the one just read."""
        before = self.scan.boots[-1]
        if before.release is None or before.version_from != "banner":
            if before.release in (None, release) or not self.events.here:
                return
        elif before.release == release and not self.events.here:
            return
        self._forget_quiet_boots()
        self.scan.boots.append(Facts())
        self.events.new_boot()

    def _forget_quiet_boots(self) -> None:
        if len(self.scan.boots) >= MOST_BOOTS:
            told = {id(seen.facts) for seen in self.events.all()}
            kept = [facts for facts in self.scan.boots if id(facts) in told]
            self.scan.boots[:] = kept[-MOST_BOOTS // 2 :]

    def _message(self, form: Form, block: Block, at: int) -> None:
        message, before = _parsed(form, block.lines, at)
        if message is None:
            return
        repeated = _REPEATED.search(before)
        times = int(repeated[1]) if repeated else 1
        if message.cut and message.sz is None:
            self._cut(block, at)
        line = self._line_number(block, at)
        event = self.events.put(message, self.scan.boots[-1], line)
        if message.cut and message.sz is not None and event.count == 0:
            self._cut(block, at)
        event.add(message, before.encode("utf-8", "replace"), times)
        if form is FULL_FORM and not message.cut:
            self.events.remember(block.lines, at - len(_HEAD), at, event)
        if form in ADDRESSED and times == 1:
            found = address_key(block.lines, at)
            if found and found[1] == message.address and message.device:
                self.events.keep(found[0], event)
        self._last = (event, message, at)

    def _cut(self, block: Block, at: int) -> None:
        if len(self.scan.cut_lines) < MOST_CUT:
            self.scan.cut_lines.append(self._line_number(block, at))

    def _again(self, block: Block, at: int) -> None:
        """syslogd's "last message repeated N times" after a message of ours."""
        if self._last is None:
            return
        event, message, before = self._last
        found = _LAST_REPEATED.search(line_at(block.lines, at)[0])
        if found and block.raw.count(b"\n", before, at) <= 1:
            event.add(message, b"", int(found[1]))

    def _line_number(self, block: Block, at: int) -> int:
        """The line at ``at``, counted on from the last place asked for."""
        before, line = self._counted
        line += block.raw.count(b"\n", before, at)
        self._counted = (at, line)
        return line


def _parsed(form: Form, lines: bytes, at: int) -> tuple[Message | None, str]:
    """The message around ``at`` and what is before it on its line."""
    text, inside = line_at(lines, at)
    found = message_in(form, text, inside)
    if found and found[0].device and not unfinished(found[0], text[found[1] :]):
        return found[0], text[:inside]
    joined, there = rejoined(lines, at)
    again = message_in(form, joined, there)
    if again and _better(again[0], found[0] if found else None):
        return again[0], joined[:there]
    if found:
        cut = unfinished(found[0], text[found[1] :])
        return replace(found[0], cut=cut), text[:inside]
    if form is not FULL_FORM or _is_source(text):
        return None, ""
    if "swiotlb" not in text[:inside] and not text[:inside].endswith("is full "):
        return None, ""
    return remains(text, inside), text[:inside]


def _is_source(text: str) -> bool:
    """Whether a line is the kernel's C code, not what it printed."""
    return "%zd" in text or "%zu" in text or "(sz: N" in text


def _better(again: Message, first: Message | None) -> bool:
    """Whether rejoining lines told more, and a device that can be one."""
    if first is None:
        return True
    device = again.device or ""
    plausible = len(device) >= _SHORTEST_NAME and any(c.isdigit() for c in device)
    new_device = first.device is None and bool(device) and plausible
    if first.device is None and device and not plausible:
        return False
    return new_device or (first.total is None and again.total is not None)


def _whole(seen: list[Event]) -> list[Event]:
    """Without cut lines that say no more than a whole one of the same boot."""
    whole = {(id(s.facts), s.message.kind) for s in seen if not s.message.cut}
    return [
        s
        for s in seen
        if not s.message.cut
        or ((id(s.facts), s.message.kind) not in whole and s.message.sz is not None)
    ]


def _check(scan: Scan, source: Source) -> None:
    """Raise LogError where there is nothing to tell."""
    if not source.size:
        raise LogError(f"{source.name}: empty")
    if scan.seen or any(facts.pool_known for facts in scan.boots):
        return
    if scan.cut_lines:
        raise LogError(
            f"{source.name}: line {scan.cut_lines[0]} has a swiotlb message that is cut"
            " in the middle: its size is missing"
        )
    raise LogError(f"{source.name}: no line of swiotlb to explain")


def scan_log(stream: BinaryIO, name: str) -> Scan:
    """Read a log to its end; ``name`` is its name in messages.

    Raises LogError where the log cannot be read or tells nothing of swiotlb.
    """
    scanner, source = Scanner(), Source(stream, name)
    for block in blocks(source):
        scanner.block(block)
    scan = scanner.scan
    scan.bytes_read, scan.ends_early = source.size, source.cut
    scan.dropped = scanner.events.dropped
    scan.seen = paired(_whole(scanner.events.all()))
    _check(scan, source)
    return scan


__all__ = ["Event", "Facts", "Kind", "Message", "Scan", "scan_log", "text_of"]
