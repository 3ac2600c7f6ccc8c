# SPDX-License-Identifier: GPL-2.0-only
"""A line as a message, and like messages as one event."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from bounceproof.logs.read.course import Course
from bounceproof.logs.read.kinds import (
    FIRST,
    HEADLESS,
    LAST,
    TOTALS_SINCE,
    Form,
    Kind,
    Version,
)
from bounceproof.logs.told.facts import Facts

MOST_ADDRESSES: Final = 16
_NO_DEVICE: Final = {"kernel", "DMA", "DMAR", "swiotlb", "TLB", "PCI-DMA", "syncing"}
_DIGITS, _SHOWN, _NAME = 20, 240, 64
_DEVICE = re.compile(r"[^\s\"\\;=>]+$")
_DRIVER = re.compile(r"[\w.+-]+$")


@dataclass(frozen=True, slots=True)
class Message:
    """One message.  ``sz`` in bytes, ``total`` and ``used`` in slots; ``address``: what
    was to be mapped, or the bounce buffer's; ``mask`` and ``limit``: the device's.

    ``cut``: the log has only a part of the line.  ``text`` starts at the device.
    ``since`` and ``until``: the releases that print this form.
    """

    kind: Kind
    driver: str | None = None
    device: str | None = None
    sz: int | None = None
    total: int | None = None
    used: int | None = None
    cut: bool = False
    text: str = ""
    address: int | None = None
    mask: int | None = None
    limit: int | None = None
    since: Version = FIRST
    until: Version = LAST

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for messages of one event."""
        return (self.kind, self.driver, self.device, self.sz, self.total, self.cut)

    @property
    def reach(self) -> int | None:
        """The highest address the device can use; None where the line does not say."""
        if self.mask is None:
            return None
        return min(self.mask, self.limit) if self.limit else self.mask


@dataclass(slots=True)
class Event:
    """Messages that differ in ``used`` and address alone, in one boot.

    ``line``: the first.  ``addresses``: (orig_addr, bytes) that the lines told.
    ``companions``: events that other lines of the same failures told.
    """

    message: Message
    facts: Facts
    line: int
    count: int = 0
    course: Course = field(default_factory=Course)
    addresses: set[tuple[int, int]] = field(default_factory=set)
    companions: list[Event] = field(default_factory=list)

    def add(self, message: Message, prefix: bytes, times: int) -> None:
        """One more line of this event, which stands for ``times``."""
        self.count += times
        if message.used is not None:
            self.course.add(message.used, prefix)
        if message.address is not None and len(self.addresses) < MOST_ADDRESSES:
            self.addresses.add((message.address, message.sz or 0))


def _number(groups: dict[str, str | None], name: str, base: int = 10) -> int | None:
    value = groups.get(name)
    if value is None or len(value) > _DIGITS:
        return None
    try:
        return int(value, base)
    except ValueError:
        return None


def printable(text: str) -> str:
    """A text that may go to a terminal, at most 240 characters."""
    text = text[:_SHOWN]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)


def who_before(head: str) -> tuple[str | None, str | None, str]:
    """Driver and device that a line names before a message, and the words that do."""
    if not head.endswith(": "):
        return None, None, ""
    words = head[-2 * _NAME - 2 : -2].rsplit(" ", 2)
    named = _DEVICE.search(words[-1])
    if named is None or named[0] in _NO_DEVICE or named[0].endswith("]"):
        return None, None, ""
    device, driver = named[0], None
    if len(words) > 1 and len(device) == len(words[-1]):
        found = _DRIVER.search(words[-2])
        driver = found[0] if found else None
    text = f"{driver} {device}: " if driver else f"{device}: "
    return driver, printable(device)[:_NAME], text


def _message(form: Form, found: re.Match[str], head: str) -> Message:
    driver, device, named = who_before(head)
    groups = found.groupdict()
    device = device or printable(groups.get("at") or "")[:_NAME] or None
    total = _number(groups, "total")
    since, until = form.since, form.until
    if form.kind is Kind.FULL:
        since, until = (TOTALS_SINCE, until) if total is not None else (since, (5, 1))
    size = _number(groups, "sz")
    return Message(
        kind=form.kind,
        driver=driver,
        device=device,
        sz=_number(groups, "hexsz", 16) if size is None else size,
        total=total,
        used=_number(groups, "used"),
        text=printable((named + found[0]).strip()),
        address=_number(groups, "addr", 16),
        mask=_number(groups, "mask", 16),
        limit=_number(groups, "limit", 16),
        since=since,
        until=until,
    )


def message_in(form: Form, line: str, at: int) -> tuple[Message, int] | None:
    """The message of ``form`` around ``at`` and where it ends; None without one."""
    for found in form.pattern.finditer(line):
        if found.start() <= at < found.end():
            return _message(form, found, line[: found.start()]), found.end()
    return None


def unfinished(message: Message, rest: str) -> bool:
    """Whether ``rest``, what follows it on its line, shows that totals are missing."""
    return message.kind is Kind.FULL and message.total is None and rest[:1] == ","


def remains(line: str, at: int) -> Message:
    """What is left of a "swiotlb buffer is full" that the log cut."""
    rest = line[at : at + 80]
    found = HEADLESS.search(line[max(at - 8, 0) :])
    size = re.search(r"\(sz: (\d+) bytes", rest)
    groups = found.groupdict() if found else {}
    return Message(
        kind=Kind.FULL,
        sz=int(size[1]) if size and len(size[1]) <= _DIGITS else None,
        total=_number(groups, "total"),
        used=_number(groups, "used"),
        cut=True,
        text=printable(rest),
    )
