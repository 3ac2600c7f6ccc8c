# SPDX-License-Identifier: GPL-2.0-only
"""One pass over a log: every message, and the facts of the boot it belongs to.

Each anchor is searched in whole blocks, so lines without one cost nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from bounceproof.logs.context import BOOT, HINTS, Facts, Hint
from bounceproof.logs.errors import LogError
from bounceproof.logs.kinds import FORMS, HEADLESS, Form, Kind
from bounceproof.logs.stream import Block, blocks

_COLOUR = re.compile(r"(?:\x1b|\\u001[bB]|\\x1b|#033)\[[0-9;]*[mK]")
_NO_DEVICE = {"kernel", "DMA", "swiotlb", "software", "TLB"}
_MEMO: Final = 1 << 16
_LINE: Final = 4096
_DIGITS, _SHOWN, _NAME = 20, 240, 64


@dataclass(frozen=True, slots=True)
class Message:
    """One distinct message.  ``sz`` in bytes, ``total`` and ``used`` in slots.

    ``cut``: the log has only a part of the line.  ``text`` starts at the device.
    """

    kind: Kind
    driver: str | None
    device: str | None
    sz: int | None
    total: int | None
    used: int | None
    cut: bool
    text: str


@dataclass(slots=True)
class Seen:
    """A message with the boot it belongs to, its first line and how often it came."""

    message: Message
    facts: Facts
    line: int
    count: int


@dataclass(slots=True)
class Scan:
    """What a log holds: messages in order of appearance, boots, lines cut."""

    seen: list[Seen] = field(default_factory=list)
    boots: list[Facts] = field(default_factory=lambda: [Facts()])
    cut_lines: list[int] = field(default_factory=list)
    bytes_read: int = 0


def _number(found: re.Match[str], name: str) -> int | None:
    value = found.groupdict().get(name)
    return int(value) if value is not None and len(value) <= _DIGITS else None


def _printable(text: str) -> str:
    text = text[:_SHOWN]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)


def _who(found: re.Match[str]) -> tuple[str | None, str | None]:
    groups = found.groupdict()
    device, driver = groups.get("device"), groups.get("driver")
    if device is None or device in _NO_DEVICE or device.endswith("]"):
        return None, _printable(groups.get("at") or "")[:_NAME] or None
    return driver, _printable(device)[:_NAME]


def _cut_size(text: str) -> int | None:
    """The size of a line cut after it, or None where its digits may be cut."""
    found = re.search(r"\(sz: (\d+) bytes", text)
    return int(found[1]) if found else None


def read_message(form: Form, line: str, anchor_at: int) -> Message:
    """The message of ``form`` in ``line``; the anchor is at ``anchor_at``."""
    for found in form.pattern.finditer(line):
        if found.end() <= anchor_at:
            continue
        driver, device = _who(found)
        sz, total, used = (_number(found, n) for n in ("sz", "total", "used"))
        unfinished = form.kind is Kind.FULL and total is None
        cut = form is HEADLESS or (unfinished and ", tot" in line[found.end() :][:6])
        text = found[0] if device else found[0].split(": ", 1)[-1]
        text = _printable(text.strip())
        return Message(form.kind, driver, device, sz, total, used, cut, text)
    rest = line[anchor_at : anchor_at + 80]
    size = _cut_size(rest) if form.kind is Kind.FULL else None
    return Message(form.kind, None, None, size, None, None, True, _printable(rest))


def _has_head(lines: bytes, at: int) -> bool:
    return lines.startswith(b"swiotlb buffer", max(at - len(b"swiotlb buffer"), 0))


class Scanner:
    """Collects messages and facts block by block."""

    def __init__(self) -> None:
        self.scan = Scan()
        self._index: dict[tuple[int, Message], Seen] = {}
        self._memo: dict[bytes, Seen] = {}
        self._messages = False
        self._counted = (0, 1)

    def block(self, block: Block) -> None:
        """Read one block."""
        self.scan.bytes_read += len(block.raw)
        self._counted = (0, block.first_line)
        for at, what in self._places(block.lines):
            start = block.lines.rfind(b"\n", 0, at) + 1
            end = block.lines.find(b"\n", at)
            end = len(block.lines) if end < 0 else end
            if isinstance(what, Hint):
                self._fact(what, block.lines[max(start, at - _LINE) : end])
            else:
                self._message(what, block, (start, at, end))

    def _places(self, lines: bytes) -> list[tuple[int, Form | Hint]]:
        places: list[tuple[int, Form | Hint]] = []
        for what in (*FORMS, HEADLESS, *HINTS):
            at = lines.find(what.anchor)
            while at >= 0:
                if what is not HEADLESS or not _has_head(lines, at):
                    places.append((at, what))
                at = lines.find(what.anchor, at + len(what.anchor))
        places.sort(key=lambda place: place[0])
        return places

    def _fact(self, hint: Hint, line: bytes) -> None:
        text = _COLOUR.sub("", line[: 2 * _LINE].decode("utf-8", "replace"))
        found = hint.pattern.search(text)
        if found is None:
            return
        if hint is BOOT:
            self._boot(found["release"])
        hint.read(self.scan.boots[-1], found)

    def _boot(self, release: str) -> None:
        """A banner starts a boot, unless it repeats the one just read."""
        before = self.scan.boots[-1].release
        if before is not None and (before != release or self._messages):
            self.scan.boots.append(Facts())
            self._messages = False
            self._memo.clear()

    def _message(self, form: Form, block: Block, place: tuple[int, int, int]) -> None:
        start, at, end = place
        lines = block.lines
        begin = max(start, at - _LINE)
        who = lines.rfind(b" ", begin, max(begin, lines.rfind(b" ", begin, at - 1)))
        who = max(who, begin, lines.rfind(b";", begin, at))
        key = lines[who : min(end, at + _LINE)]
        seen = self._memo.get(key)
        if seen is None:
            message = self._parse(form, lines[begin : min(end, at + _LINE)], at - begin)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            seen = self._memo[key] = self._see(message, block, at)
        seen.count += 1

    def _line_number(self, block: Block, at: int) -> int:
        """The line at ``at``, counted on from the last place asked for."""
        before, line = self._counted
        line += block.raw.count(b"\n", before, at)
        self._counted = (at, line)
        return line

    def _parse(self, form: Form, line: bytes, at: int) -> Message:
        before = _COLOUR.sub("", line[:at].decode("utf-8", "replace"))
        after = _COLOUR.sub("", line[at:].decode("utf-8", "replace"))
        return read_message(form, before + after, len(before))

    def _see(self, message: Message, block: Block, at: int) -> Seen:
        self._messages = True
        boot = len(self.scan.boots) - 1
        seen = self._index.get((boot, message))
        if seen is not None:
            return seen
        line = self._line_number(block, at)
        if message.cut:
            self.scan.cut_lines.append(line)
        seen = Seen(message, self.scan.boots[-1], line, 0)
        self._index[boot, message] = seen
        self.scan.seen.append(seen)
        return seen


def _merged(seen: list[Seen]) -> list[Seen]:
    """Without cut lines that say no more than a whole one of the same boot."""
    whole = {(id(s.facts), s.message.kind) for s in seen if not s.message.cut}
    kept = [
        s
        for s in seen
        if not s.message.cut
        or ((id(s.facts), s.message.kind) not in whole and (s.message.sz is not None))
    ]
    return [replace(s) for s in kept]


def scan_log(stream: BinaryIO, name: str) -> Scan:
    """Read a log to its end; ``name`` is its name in messages.

    Raises LogError where the log cannot be read or has no message of swiotlb.
    """
    scanner = Scanner()
    for block in blocks(stream, name):
        scanner.block(block)
    scan = scanner.scan
    kept = _merged(scan.seen)
    if not scan.bytes_read:
        raise LogError(f"{name}: empty")
    if not kept and scan.cut_lines:
        where = scan.cut_lines[0]
        raise LogError(
            f"{name}: line {where} has a swiotlb message that is cut in the middle:"
            " its size is missing"
        )
    if not kept:
        raise LogError(f"{name}: no line of swiotlb to explain")
    scan.seen = kept
    return scan
