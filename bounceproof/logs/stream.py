# SPDX-License-Identifier: GPL-2.0-only
"""A log as blocks of whole lines, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from bounceproof.logs.errors import LogError

CHUNK: Final = 4 << 20
LONGEST_LINE: Final = 16 << 20
_TO_LINES: Final = bytes.maketrans(b"\0\r", b"\n\n")
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"LPKSHHRH": "journald",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a log.

    ``raw`` as read; ``lines`` of the same length, NUL and CR turned into line ends.
    ``first_line`` is the number of the first line, from 1; ``last`` where the log
    ends with this block.
    """

    raw: bytes
    lines: bytes
    first_line: int
    last: bool


def _check_plain(head: bytes, name: str) -> None:
    for magic, kind in _COMPRESSED.items():
        if head.startswith(magic):
            raise LogError(f"{name}: {kind} data, not text; unpack it first")


def _to_utf8(piece: bytes, encoding: str | None) -> bytes:
    return piece if encoding is None else piece.decode(encoding, "replace").encode()


def _encoding(head: bytes) -> str | None:
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    return "utf-16-be" if head.startswith(b"\xfe\xff") else None


def _read(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Pieces of at most CHUNK bytes, UTF-16 with a byte order mark as UTF-8."""
    encoding: str | None = None
    first = True
    while True:
        try:
            piece = stream.read(CHUNK)
        except OSError as error:
            raise LogError(f"{name}: {error.strerror or error}") from error
        if not piece:
            return
        if first:
            _check_plain(piece, name)
            encoding, first = _encoding(piece), False
        yield _to_utf8(piece, encoding)


def _split(carry: bytes) -> int:
    """Where the whole lines of ``carry`` end; 0 where the line may go on."""
    end = carry.rfind(b"\n") + 1
    if end or len(carry) < LONGEST_LINE:
        return end
    return (carry.rfind(b"\0") + 1) or len(carry)


def _block(raw: bytes, first_line: int, last: bool) -> Block:
    mixed = b"\0" in raw or b"\r" in raw
    return Block(raw, raw.translate(_TO_LINES) if mixed else raw, first_line, last)


def blocks(stream: BinaryIO, name: str) -> Iterator[Block]:
    """The log in blocks that end with a line; a last line without an end is kept.

    ``name`` is the log's name in messages.  A line of more than 16 MiB is cut.
    Raises LogError where reading fails or the log is compressed.
    """
    carry, line = b"", 1
    for piece in _read(stream, name):
        carry += piece
        end = _split(carry)
        if not end:
            continue
        whole, carry = carry[:end], carry[end:]
        yield _block(whole, line, False)
        line += whole.count(b"\n")
    if carry:
        yield _block(carry, line, True)
