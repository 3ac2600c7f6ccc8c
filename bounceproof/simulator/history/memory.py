# SPDX-License-Identifier: GPL-2.0-only
"""Bytes: the memory that drivers own, and the memory of the bounce buffer pool."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]

CHUNK: Final = 1 << 16
_WORD: Final = 1 << 64


def _pattern() -> Bytes:
    at = np.arange(CHUNK, dtype=np.uint32)
    return ((at * 166 + (at >> 8) * 58) | 1).astype(np.uint8)


PATTERN: Final = _pattern()


class OriginalMemory:
    """Physical memory over 64 bits of address, held only where it was touched.

    Untouched bytes are odd numbers that vary with the address, so that a byte which
    was zeroed, lost or put elsewhere shows.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, Bytes] = {}

    def _chunk(self, number: int) -> Bytes:
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = PATTERN + np.uint8(2 * number & 0xFF)
            self._chunks[number] = chunk
        return chunk

    def read(self, addr: int, length: int) -> Bytes:
        """A copy of ``length`` bytes from physical address ``addr``."""
        first, offset = divmod(addr, CHUNK)
        if offset + length <= CHUNK:
            return self._chunk(first)[offset : offset + length].copy()
        out = np.empty(length, dtype=np.uint8)
        done = 0
        while done < length:
            number, offset = divmod((addr + done) % _WORD, CHUNK)
            part = min(CHUNK - offset, length - done)
            out[done : done + part] = self._chunk(number)[offset : offset + part]
            done += part
        return out

    def write(self, addr: int, data: Bytes) -> None:
        """Store ``data`` at physical address ``addr``."""
        done, length = 0, len(data)
        while done < length:
            number, offset = divmod((addr + done) % _WORD, CHUNK)
            part = min(CHUNK - offset, length - done)
            self._chunk(number)[offset : offset + part] = data[done : done + part]
            done += part


class PoolMemory:
    """The pool's own bytes, ``length`` of them from physical address ``start``.

    ``fill`` is what every byte holds at first: 0 as the kernel clears a new pool, any
    other value stands for what earlier mappings left.
    """

    def __init__(self, start: int, length: int, fill: int) -> None:
        self.start = start
        self.data: Bytes = np.zeros(length, dtype=np.uint8)
        if fill:
            self.data[:] = fill

    def span(self, low: int, high: int) -> tuple[int, int]:
        """Indexes of the bytes from address ``low`` to ``high``, cut to the pool."""
        end = len(self.data)
        return (
            min(max(low - self.start, 0), end),
            min(max(high - self.start, 0), end),
        )

    def view(self, low: int, high: int) -> Bytes:
        """The bytes from address ``low`` to ``high`` that lie in the pool."""
        first, last = self.span(low, high)
        return self.data[first:last]

    def write(self, addr: int, data: Bytes) -> None:
        """Store the part of ``data`` at ``addr`` that lies in the pool."""
        first, last = self.span(addr, addr + len(data))
        skipped = first - (addr - self.start)
        self.data[first:last] = data[skipped : skipped + last - first]
