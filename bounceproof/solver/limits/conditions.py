# SPDX-License-Identifier: GPL-2.0-only
"""Side conditions of the theorem: a family of sums, and a few of another form.

The family: a part of the size and a part of the address are together at most a bound,
for every choice of the three in :data:`SIZES`, :data:`PARTS` and :data:`BOUNDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SIZE, SLOT_SET_BYTES
from bounceproof.models.request import Cell
from bounceproof.models.words.word import SIZE_T, Truth, Word
from bounceproof.solver.contract.domain import Variables

LOW = IO_TLB_SIZE - 1
Part = Callable[[Cell, Variables], Word]
Bound = Callable[[Cell], int]


@dataclass(frozen=True, slots=True)
class Condition:
    """A side condition in words and as a formula."""

    name: str
    text: str
    holds: Callable[[Cell, Variables], Truth]


def _whole(cell: Cell, space: Variables) -> Word:
    return space.request.size


def _last(cell: Cell, space: Variables) -> Word:
    return ((space.request.size - 1) & Word(cell.granule - 1, SIZE_T)) + 1


def _rounded(cell: Cell, space: Variables) -> Word:
    low = Word(cell.granule - 1, SIZE_T)
    return (space.request.size + low) & ~low


def _address(bits: Callable[[Cell], int]) -> Part:
    return lambda cell, space: space.request.orig_addr & Word(bits(cell), SIZE_T)


SIZES: dict[str, tuple[str, Part]] = {
    "size": ("size", _whole),
    "last": ("((size - 1) & (G - 1)) + 1", _last),
    "rounded": ("ALIGN(size, G)", _rounded),
}
PARTS: dict[str, tuple[str, Part]] = {
    "none": ("", _address(lambda cell: 0)),
    "low": ("(orig_addr & m & 0x7ff)", _address(lambda c: c.min_align_mask & LOW)),
    "bits": ("(orig_addr & m)", _address(lambda cell: cell.min_align_mask)),
    "offset": ("(orig_addr & (G - 1))", _address(lambda cell: cell.granule - 1)),
}
BOUNDS: dict[str, tuple[str, Bound]] = {
    "granule": ("G", lambda cell: cell.granule),
    "granule-less-mask": ("G - m", lambda cell: cell.granule - cell.min_align_mask),
    "set-less-granule": ("256K - G", lambda cell: SLOT_SET_BYTES - cell.granule),
    "set": ("256K", lambda cell: SLOT_SET_BYTES),
}


def _sum(size: str, part: str, bound: str) -> Condition:
    size_text, size_of = SIZES[size]
    part_text, part_of = PARTS[part]
    bound_text, bound_of = BOUNDS[bound]

    def holds(cell: Cell, space: Variables) -> Truth:
        total = size_of(cell, space) + part_of(cell, space)
        return total <= Word(bound_of(cell), SIZE_T)

    text = f"{size_text} + {part_text}" if part_text else size_text
    name = f"{size}-{part}-{bound}"
    return Condition(name, f"{text} is at most {bound_text}", holds)


FAMILY = tuple(_sum(*chosen) for chosen in product(SIZES, PARTS, BOUNDS))


def _aligned_pool(cell: Cell, space: Variables) -> Truth:
    return (space.pool.start & Word(cell.granule - 1, SIZE_T)).eq(0)


def _no_bits(bits: Callable[[Cell], int]) -> Callable[[Cell, Variables], Truth]:
    return lambda cell, space: (space.request.orig_addr & bits(cell)).eq(0)


OTHERS = (
    Condition("larger-area", "an area is more than one slot set",
              lambda cell, space: space.pool.area_nslabs > IO_TLB_SEGSIZE),
    Condition("low-bits", "orig_addr & m & 0x7ff is 0",
              _no_bits(lambda cell: cell.min_align_mask & LOW)),
    Condition("high-bits", "orig_addr & m & ~0x7ff is 0",
              _no_bits(lambda cell: cell.min_align_mask & ~LOW)),
    Condition("all-bits", "orig_addr & m is 0",
              _no_bits(lambda cell: cell.min_align_mask)),
    Condition("page-granule", "the granule is the page",
              lambda cell, space: Truth(cell.granule == cell.page_size)),
    Condition("small-mask", "m is at most 0x7ff",
              lambda cell, space: Truth(cell.min_align_mask <= LOW)),
    Condition("aligned-pool", "the pool starts at a multiple of the granule",
              _aligned_pool),
)  # fmt: skip
CONDITIONS = (*FAMILY, *OTHERS)
"""Asked one by one; of :data:`OTHERS`, pairs too."""
