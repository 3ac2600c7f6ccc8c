# SPDX-License-Identifier: GPL-2.0-only
"""A log out of gzip, xz, bzip2 or zstandard data, as it is read."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Final, cast

from bounceproof.logs.errors import LogError

_HEAD: Final = 16
BROKEN: Final = (EOFError, OSError, zlib.error, ValueError)
"""What the decompressors raise for data that is damaged or cut short."""


class _Again(io.RawIOBase):
    """A stream whose first bytes were read once already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head or self._rest.read(len(buffer))
        taken = piece[: len(buffer)]
        self._head = self._head[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _gzip(stream: BinaryIO) -> BinaryIO:
    import gzip

    return cast(BinaryIO, gzip.GzipFile(fileobj=stream))


def _xz(stream: BinaryIO) -> BinaryIO:
    import lzma

    return cast(BinaryIO, lzma.LZMAFile(stream))


def _bzip2(stream: BinaryIO) -> BinaryIO:
    import bz2

    return cast(BinaryIO, bz2.BZ2File(stream))


def _zstandard(stream: BinaryIO) -> BinaryIO:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        stream, read_across_frames=True
    )
    return cast(BinaryIO, reader)


_OPENERS: Final[dict[bytes, tuple[str, Callable[[BinaryIO], BinaryIO]]]] = {
    b"\x1f\x8b": ("gzip", _gzip),
    b"\xfd7zXZ\0": ("xz", _xz),
    b"BZh": ("bzip2", _bzip2),
    b"\x28\xb5\x2f\xfd": ("zstandard", _zstandard),
}
_NOT_LOGS: Final = {
    b"LPKSHHRH": "a journal's own file; pass what journalctl -k -o short prints",
    b"PK\3\4": "a zip archive; pass the log inside it",
    b"7z\xbc\xaf": "a 7z archive; pass the log inside it",
}


def _head_of(stream: BinaryIO, name: str) -> bytes:
    head = b""
    try:
        while len(head) < _HEAD:
            piece = stream.read(_HEAD - len(head))
            if not piece:
                break
            head += piece
    except OSError as error:
        raise LogError(f"{name}: {error.strerror or error}") from error
    return head


def unpacked(stream: BinaryIO, name: str) -> tuple[BinaryIO, str | None]:
    """``stream`` decompressed, and the name of the format; None where it is plain.

    Raises LogError for what is no log, and for a format that this system cannot
    unpack.  What is read later raises one of :data:`BROKEN` where it is damaged.
    """
    head = _head_of(stream, name)
    whole = cast(BinaryIO, io.BufferedReader(_Again(head, stream)))
    for magic, what in _NOT_LOGS.items():
        if head.startswith(magic):
            raise LogError(f"{name}: {what}")
    for magic, (kind, opener) in _OPENERS.items():
        if head.startswith(magic):
            return _opened(whole, name, kind, opener), kind
    return whole, None


def _opened(
    whole: BinaryIO, name: str, kind: str, opener: Callable[[BinaryIO], BinaryIO]
) -> BinaryIO:
    try:
        return opener(whole)
    except ImportError:
        how = (
            "install bounceproof[zst]" if kind == "zstandard" else "not in this Python"
        )
        raise LogError(f"{name}: {kind} data; {how}, or unpack it first") from None
