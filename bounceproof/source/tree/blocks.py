# SPDX-License-Identifier: GPL-2.0-only
"""A few files out of a sorted tar archive whose xz stream has many blocks.

Each block decompresses and is checked by itself, and ``git archive``, which kernel
archives are made with, sorts by path; so the block with a file is found by bisection.
Anything that is not as expected, from the index to an entry out of order, raises
:class:`NoBlocks`, and the archive has to be read through.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"\xfd7zXZ\x00"
_FRAME = 12
_UNIT = 512
_READ = 1 << 16
_MOST_INDEX = 1 << 20
_FAR = 64 << 20
_FILE, _DIRECTORY = b"0\0", b"5"


class NoBlocks(Exception):
    """The archive cannot be read block by block."""


@dataclass(frozen=True, slots=True)
class _Block:
    """``offset``: where it starts in the file; ``start``: its first byte of tar."""

    offset: int
    size: int
    start: int
    length: int


class _Entry(NamedTuple):
    """A header of the tar stream: ``at`` is where its content starts."""

    name: str
    kind: bytes
    at: int
    size: int


def read_members(archive: Path, wanted: Iterable[str], most: int) -> dict[str, bytes]:
    """The regular files ``wanted``, by path below the top directory.

    Those the archive does not hold are left out.  Raises NoBlocks, also for a file of
    more than ``most`` bytes, OSError or lzma.LZMAError.
    """
    blocks = _blocks(archive)
    if len(blocks) < 4:
        raise NoBlocks("too few blocks")
    return _Reader(archive, blocks, most).read(sorted(wanted))


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of the xz format, and where the next one starts."""
    value = 0
    for place in range(9):
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value, at + place + 1
    raise NoBlocks("a number of the index is too long")


def _blocks(archive: Path) -> list[_Block]:
    """The blocks of an xz file with one stream, out of its index."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC or size < 2 * _FRAME:
            raise NoBlocks("not xz")
        file.seek(size - _FRAME)
        footer = file.read(_FRAME)
        length = (int.from_bytes(footer[4:8], "little") + 1) * 4
        if footer[10:] != b"YZ" or not 8 <= length <= min(_MOST_INDEX, size):
            raise NoBlocks("not one xz stream")
        file.seek(size - _FRAME - length)
        index = file.read(length)
    blocks: list[_Block] = []
    offset, start = _FRAME, 0
    try:
        count, at = _number(index, 1)
        for _ in range(count):
            unpadded, at = _number(index, at)
            plain, at = _number(index, at)
            blocks.append(_Block(offset, unpadded, start, plain))
            offset, start = offset + (unpadded + 3) // 4 * 4, start + plain
    except IndexError:
        raise NoBlocks("the index ends early") from None
    if index[0] or offset + length + _FRAME != size:
        raise NoBlocks("not one xz stream")
    return blocks


class _Tar:
    """The tar stream from the start of one block on, forwards only."""

    def __init__(self, archive: Path, blocks: list[_Block], first: int) -> None:
        self._file = archive.open("rb")
        self._blocks, self._next = blocks, first
        self._held = bytearray()
        self.at = blocks[first].start
        self._decoder: lzma.LZMADecompressor | None = None
        self._left = 0
        self._end = 0

    def close(self) -> None:
        self._file.close()

    def _open_next(self) -> None:
        self.finish()
        if self._next >= len(self._blocks):
            raise NoBlocks("the archive ends early")
        block = self._blocks[self._next]
        self._next += 1
        self._file.seek(0)
        head = self._file.read(_FRAME)
        self._decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        self._decoder.decompress(head)
        self._file.seek(block.offset)
        self._left = (block.size + 3) // 4 * 4
        self._end = block.start + block.length

    def _decompress(self) -> bytes:
        assert self._decoder is not None
        data = b""
        if self._decoder.needs_input:
            data = self._file.read(min(_READ, self._left))
            self._left -= len(data)
            if not data:
                raise NoBlocks("a block is cut short")
        return self._decoder.decompress(data, 4 * _READ)

    def _more(self) -> None:
        if self.at + len(self._held) >= self._end or self._decoder is None:
            self._open_next()
        self._held += self._decompress()

    def finish(self) -> None:
        """Go to the end of the block, where its check is, and drop what is there."""
        decoder = self._decoder
        while decoder is not None and (self._left or not decoder.needs_input):
            self._decompress()

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, which stay to be read."""
        while len(self._held) < size:
            self._more()
        return bytes(self._held[:size])

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes."""
        while size:
            if not self._held:
                self._more()
            step = min(size, len(self._held))
            del self._held[:step]
            self.at += step
            size -= step

    def find_header(self) -> _Entry:
        """The first header that follows, on a multiple of 512 bytes."""
        self.skip(-self.at % _UNIT)
        began = self.at
        while self.at - began < _FAR:
            entry = _header(self.peek(_UNIT), self.at)
            if entry is not None:
                return entry
            self.skip(_UNIT)
        raise NoBlocks("no header for long")

    def entries(self, until: int) -> Iterator[_Entry]:
        """Entries in turn but directories, which may come before their place.

        Headers that only lengthen names are left out, with what they name.
        Between two, the caller may read the content, but no further.  Ends at
        ``until``.
        """
        entry, named = self.find_header(), True
        while True:
            if entry.kind in b"xgLK":
                named = entry.kind == b"g"
            else:
                self.skip(_UNIT)
                if named and entry.kind != _DIRECTORY:
                    yield entry
                named = True
            behind = entry.at + (entry.size + _UNIT - 1) // _UNIT * _UNIT
            self.skip(behind - self.at)
            if self.at >= until:
                return
            raw = self.peek(_UNIT)
            found = _header(raw, self.at)
            if found is None:
                if any(raw):
                    raise NoBlocks("no header where one should be")
                return
            entry = found


def _header(raw: bytes, at: int) -> _Entry | None:
    """The tar header that ``raw`` is, or None."""
    if raw[257:262] != b"ustar":
        return None
    try:
        stated = int(raw[148:156].split(b"\0")[0].strip() or b"0", 8)
        size = int(raw[124:136].strip(b"\0 ") or b"0", 8)
    except ValueError:
        return None
    if sum(raw) - sum(raw[148:156]) + 8 * 0x20 != stated:
        return None
    name = raw[:100].split(b"\0")[0].decode("utf-8", "surrogateescape")
    prefix = raw[345:500].split(b"\0")[0] if raw[257:263] == b"ustar\0" else b""
    if prefix:
        name = f"{prefix.decode('utf-8', 'surrogateescape')}/{name}"
    return _Entry(name, raw[156:157], at + _UNIT, size)


class _Reader:
    """Finds and reads members, and checks the order of all it sees."""

    def __init__(self, archive: Path, blocks: list[_Block], most: int) -> None:
        self._archive, self._blocks, self._most = archive, blocks, most
        self._firsts: dict[int, str] = {}

    def _first(self, number: int) -> str:
        """The first named entry of a block."""
        if number not in self._firsts:
            tar = _Tar(self._archive, self._blocks, number)
            try:
                self._firsts[number] = next(tar.entries(tar.at + _FAR)).name
            except StopIteration:
                raise NoBlocks("a block without entries") from None
            finally:
                tar.close()
        return self._firsts[number]

    def read(self, wanted: list[str]) -> dict[str, bytes]:
        top = self._first(0).split("/")[0] + "/"
        names = [top + path for path in wanted]
        places = [(self._block_of(name), name) for name in names]
        groups = [
            (block, [name for _, name in group])
            for block, group in groupby(sorted(places), key=lambda place: place[0])
        ]
        firsts = [self._firsts[number] for number in sorted(self._firsts)]
        if firsts != sorted(firsts):
            raise NoBlocks("not sorted")
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda group: self._scan(*group), groups))
        return {
            name.removeprefix(top): data
            for part in found
            for name, data in part.items()
        }

    def _block_of(self, name: str) -> int:
        """The last block whose first entry does not come after ``name``."""
        low, high = 0, len(self._blocks)
        while high - low > 1:
            middle = (low + high) // 2
            if self._first(middle) <= name:
                low = middle
            else:
                high = middle
        return low

    def _scan(self, number: int, names: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        tar = _Tar(self._archive, self._blocks, number)
        before, last = "", names[-1]
        try:
            for entry in tar.entries(self._blocks[-1].start + self._blocks[-1].length):
                if entry.name < before:
                    raise NoBlocks("not sorted")
                before = entry.name
                if entry.name > last:
                    break
                if entry.name in names and (entry.kind or b"0") in _FILE:
                    if entry.size > self._most:
                        raise NoBlocks("a file that is too large")
                    found[entry.name] = tar.peek(entry.size)
            tar.finish()
        finally:
            tar.close()
        return found
