# SPDX-License-Identifier: GPL-2.0-only
"""Mails that carry patches: single ones, and mboxes of whole threads."""

from __future__ import annotations

import bz2
import email
import email.header
import email.message
import email.parser
import email.policy
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bounceproof.source.errors import PatchError

MAX_BYTES = 16 << 20
MAX_MAILS = 5_000
_HEADERS = 1 << 16
_MOST_STREAMS = 1000
_MBOX_FROM = re.compile(rb"^From \S.*\d{4}\r?$", re.M)
_HEADER = re.compile(rb"^[\x21-\x39\x3b-\x7e]+:[ \t]")
_NUMBER = re.compile(r"\[[^\]]*?(\d+)/(\d+)\]")
_REPLY = re.compile(r"\s*(re|aw|fwd?)\s*:", re.I)
_TYPES = ("text/plain", "text/x-patch", "text/x-diff")


@dataclass(frozen=True, slots=True)
class Letter:
    """One text that may hold changes: a mail's, or a whole file that is no mail.

    ``name``: the file it came in; ``mail``: its place there, from 1, None where the
    file is not an mbox; ``line``: the line of the file before its text, None where the
    text was encoded; ``number``: (n, total) as its subject numbers it.
    """

    name: str
    text: str
    mail: int | None = None
    subject: str | None = None
    author: str | None = None
    line: int | None = 0
    number: tuple[int, int] | None = None

    @property
    def where(self) -> str:
        """File, mail and subject, for messages."""
        parts = [self.name]
        if self.mail is not None:
            parts.append(f"mail {self.mail}")
        if self.subject:
            parts.append(f"`{self.subject[:72]}`")
        return ": ".join(parts)

    @property
    def is_reply(self) -> bool:
        """Whether the subject says that it answers another mail."""
        return _REPLY.match(self.subject or "") is not None

    def at(self, line: int) -> str:
        """Where ``line`` (from 1) of its text is: in the file, or in what it says."""
        if self.line is None:
            return f"line {line} of its text"
        return f"{self.name}:{self.line + line}"


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, most: int, /) -> bytes: ...


_PACKED: dict[bytes, Callable[[], _Decoder]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(memlimit=1 << 28),
    b"BZh": bz2.BZ2Decompressor,
}


def unpacked(data: bytes, name: str) -> bytes:
    """``data`` out of gzip, xz or bzip2, as archives of mailing lists serve mboxes.

    At most MAX_BYTES + 1 bytes.  Raises PatchError where it is damaged or cut short.
    """
    start = next((magic for magic in _PACKED if data.startswith(magic)), None)
    if start is None:
        return data
    try:
        return _decompressed(data, _PACKED[start])
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise PatchError(f"{name}: cannot be unpacked: {error}") from None


def _decompressed(data: bytes, start: Callable[[], _Decoder]) -> bytes:
    """Its streams, one behind the other."""
    out = b""
    for _ in range(_MOST_STREAMS):
        decoder = start()
        out += decoder.decompress(data, MAX_BYTES + 1 - len(out))
        if len(out) > MAX_BYTES:
            return out
        if not decoder.eof:
            raise EOFError("it ends early")
        data = decoder.unused_data.lstrip(b"\0")
        if not data:
            return out
    raise EOFError("too many streams")


def letters(data: bytes, name: str) -> list[Letter]:
    """Every text of ``data``, in the order of the file."""
    starts = [found.start() for found in _MBOX_FROM.finditer(data)]
    if not starts or data[: starts[0]].strip():
        if _is_mail(data):
            return list(_texts(data, name, None, 0))
        return [Letter(name, _decode(data, name))]
    if len(starts) > MAX_MAILS:
        raise PatchError(f"{name}: more than {MAX_MAILS} mails")
    found: list[Letter] = []
    ends = [*starts[1:], len(data)]
    lines = 0
    for mail, start in enumerate(starts):
        whole = data[start : ends[mail]]
        _, _, text = whole.partition(b"\n")
        number = None if len(starts) == 1 else mail + 1
        found += _texts(text, name, number, lines + 1)
        lines += whole.count(b"\n")
    return found


def in_order(found: list[Letter]) -> list[Letter]:
    """Letters with changes in the order of their series, if they are one series."""
    numbers = [letter.number for letter in found]
    known = [number for number in numbers if number is not None]
    if len(set(known)) != len(found) or len({total for _, total in known}) != 1:
        return found
    return sorted(found, key=lambda letter: letter.number or (0, 0))


def _is_mail(data: bytes) -> bool:
    """Whether ``data`` begins with the headers of a mail."""
    head = data[:_HEADERS].lstrip().split(b"\n\n", 1)[0].replace(b"\r", b"")
    lines = head.split(b"\n")
    if not _HEADER.match(lines[0]):
        return False
    names = {line.split(b":")[0].lower() for line in lines if _HEADER.match(line)}
    return bool(names & {b"subject", b"content-transfer-encoding"})


def _texts(mail: bytes, name: str, number: int | None, line: int) -> Iterator[Letter]:
    """The text parts of one mail."""
    try:
        message = email.message_from_bytes(mail, policy=email.policy.compat32)
        parts = list(message.walk())
    except RecursionError:
        raise PatchError(f"{name}: a mail that nests too deeply") from None
    subject, author = _header(message, "Subject"), _header(message, "From")
    counted = _NUMBER.search(subject or "")
    series = (int(counted[1][:9]), int(counted[2][:9])) if counted else None
    for part in parts:
        if part.get_content_type() not in _TYPES:
            continue
        payload = part.get_payload(decode=True)
        body = payload if isinstance(payload, bytes) else b""
        at = mail.find(body) if body.strip() else -1
        before = None if at < 0 else line + mail.count(b"\n", 0, at)
        text = _decode(body, name)
        yield Letter(name, text, number, subject, author, before, series)


def _header(message: email.message.Message, name: str) -> str | None:
    """A header on one line, out of its encoding."""
    raw = message.get(name)
    if raw is None:
        return None
    try:
        text = str(email.header.make_header(email.header.decode_header(raw)))
    except (LookupError, ValueError, email.errors.MessageError):
        text = str(raw)
    text = text.encode("utf-8", "replace").decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _decode(data: bytes, name: str) -> str:
    if b"\0" in data:
        raise PatchError(f"{name}: a binary file, not a patch")
    return data.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
