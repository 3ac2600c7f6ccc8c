# SPDX-License-Identifier: GPL-2.0-only
"""How a kernel divides a pool into slots and slot sets.

Source: IO_TLB_SHIFT, IO_TLB_SIZE and IO_TLB_SEGSIZE, include/linux/swiotlb.h, which are
the same from v5.10 to v7.3.  A tree may say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT


@dataclass(frozen=True, slots=True, order=True)
class SlotGeometry:
    """Slots of 1 << ``shift`` bytes; a slot set has ``segsize``, a power of two."""

    shift: int = IO_TLB_SHIFT
    segsize: int = IO_TLB_SEGSIZE

    def __str__(self) -> str:
        return f"slot sets of {self.segsize} slots of {self.size} bytes"

    @property
    def size(self) -> int:
        """IO_TLB_SIZE, the bytes of a slot."""
        return 1 << self.shift

    @property
    def low(self) -> int:
        """The bits of an address that lie inside a slot."""
        return self.size - 1

    @property
    def set_low(self) -> int:
        """The bits of a slot's number that lie inside a slot set."""
        return self.segsize - 1

    @property
    def set_bits(self) -> int:
        """How many bits those are."""
        return self.segsize.bit_length() - 1

    @property
    def set_bytes(self) -> int:
        """The bytes of a slot set."""
        return self.segsize << self.shift


MAINLINE = SlotGeometry()
"""That of every release modelled here."""
