# SPDX-License-Identifier: GPL-2.0-only
"""A log as blocks of whole lines, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Final

from bounceproof.logs.errors import LogError
from bounceproof.logs.read.clean import cleaned, encoding_of, to_utf8
from bounceproof.logs.read.packed import BROKEN, unpacked

CHUNK: Final = 4 << 20
LONGEST_LINE: Final = 16 << 20
AROUND: Final = 4
"""Lines before and after a block that are there to be read with its own."""
_TO_LINES: Final = bytes.maketrans(b"\0\r", b"\n\n")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of a log: those from ``begin`` to ``end``, and some around them.

    ``raw`` without colours; ``lines`` of the same length, NUL and CR turned into line
    ends.  ``first_line``: number of the line at ``begin``, from 1.
    """

    raw: bytes
    lines: bytes
    begin: int
    end: int
    first_line: int


@dataclass(slots=True)
class Source:
    """A log being read.  ``cut``: why it ended before its end, None where it did not.
    ``size``: bytes read, unpacked."""

    stream: BinaryIO
    name: str
    size: int = 0
    cut: str | None = None

    def pieces(self) -> Iterator[bytes]:
        """Pieces of at most CHUNK bytes, UTF-16 as UTF-8.  Raises LogError."""
        plain, packing = unpacked(self.stream, self.name)
        pieces = self._plain(plain, packing)
        first = next(pieces, b"")
        encoding = encoding_of(first)
        whole = chain([first], pieces)
        return whole if encoding is None else to_utf8(whole, encoding)

    def _plain(self, plain: BinaryIO, packing: str | None) -> Iterator[bytes]:
        while True:
            try:
                piece = plain.read(CHUNK)
            except BROKEN as error:
                self._stop(error, packing)
                return
            except Exception as error:
                if packing is None:
                    raise
                self._stop(error, packing)
                return
            if not piece:
                return
            self.size += len(piece)
            yield piece

    def _stop(self, error: Exception, packing: str | None) -> None:
        """Data that breaks off is used up to there; without any it is an error."""
        if packing is None:
            reason = error.strerror if isinstance(error, OSError) else None
            raise LogError(f"{self.name}: {reason or error}") from error
        self.cut = f"the {packing} data is damaged or cut short"
        if not self.size:
            raise LogError(f"{self.name}: {self.cut}") from error


def _split(carry: bytes) -> int:
    """Where the whole lines of ``carry`` end; 0 where the line may go on."""
    end = carry.rfind(b"\n") + 1
    if end or len(carry) < LONGEST_LINE:
        return end
    return (carry.rfind(b"\0") + 1) or len(carry)


def _whole_lines(source: Source) -> Iterator[bytes]:
    carry = b""
    for piece in source.pieces():
        carry += piece
        end = _split(carry)
        if end:
            yield cleaned(carry[:end])
            carry = carry[end:]
    if carry:
        yield cleaned(carry)


def _last_lines(raw: bytes, count: int, begin: int) -> int:
    """Where the last ``count`` lines begin, at ``begin`` or later."""
    at = len(raw)
    for _ in range(count + 1):
        at = raw.rfind(b"\n", begin, at)
        if at < 0:
            return begin
    return at + 1


def _block(raw: bytes, begin: int, end: int, first_line: int) -> Block:
    mixed = b"\0" in raw or b"\r" in raw
    lines = raw.translate(_TO_LINES) if mixed else raw
    return Block(raw, lines, begin, end, first_line)


def blocks(source: Source) -> Iterator[Block]:
    """The log in blocks, each with the lines around it; a last line without an end is
    kept, one of more than 16 MiB is cut.

    Raises LogError where reading fails.
    """
    kept, begin, line = b"", 0, 1
    for whole in _whole_lines(source):
        raw = kept + whole
        end = _last_lines(raw, AROUND, begin)
        yield _block(raw, begin, end, line)
        line += raw.count(b"\n", begin, end)
        before = _last_lines(raw[:end], AROUND, 0)
        before = max(before, end - LONGEST_LINE)
        kept, begin = raw[before:], end - before
    if begin < len(kept):
        yield _block(kept, begin, len(kept), line)
