# SPDX-License-Identifier: GPL-2.0-only
"""Which requests print a given size, for every residue of orig_addr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bounceproof.logs.judge.profile import Profile
from bounceproof.models.constants import IO_TLB_SIZE
from bounceproof.models.request import Cell, KernelModel, Mapping, Path, Request
from bounceproof.models.words import arrays
from bounceproof.models.words.word import SIZE_T, U64, Word

Values: TypeAlias = NDArray[np.uint64]
Truths: TypeAlias = NDArray[np.bool_]
assert arrays.Values is not None

# Addresses tried lie here: orig_addr 0 stands for no address.
HIGH: Final = 1 << 32
MOST_RESIDUES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Printing:
    """The requests of a cell that print one size.

    ``residues``: orig_addr modulo ``modulus``, the ones a driver may have.
    ``smallest`` and ``largest``: bytes of the requests at each residue; ``valid``
    where there is one.  ``too_large`` where only the driver's limit excludes it.
    """

    modulus: int
    residues: Values
    smallest: Values
    largest: Values
    valid: Truths
    above_limit: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """The smallest and the largest request at any valid residue, in bytes."""
        small, large = self.smallest[self.valid], self.largest[self.valid]
        return int(small.min()), int(large.max())


def as_array(raw: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """A raw value of a word or truth as an array of ``shape``."""
    return np.broadcast_to(np.asarray(raw, dtype=dtype), shape)


def map_requests(
    model: KernelModel, cell: Cell, residues: Values, sizes: Values
) -> Mapping:
    """The mapping of many requests at once."""
    address = Word(residues + np.uint64(HIGH), U64)
    with np.errstate(over="ignore"):
        return model.mapping(cell, Request(address, Word(sizes, SIZE_T)))


def residue_modulus(cell: Cell) -> int:
    """What of orig_addr can matter in ``cell``, as a modulus in bytes."""
    granule = cell.granule if cell.path is Path.IOMMU else IO_TLB_SIZE
    return max(granule, cell.page_size, cell.min_align_mask + 1)


def _printed(model: KernelModel, cell: Cell, residues: Values, sizes: Values) -> Values:
    printed = map_requests(model, cell, residues, sizes).printed.raw
    return as_array(printed, residues.shape, np.uint64)


def _first_above(
    model: KernelModel, cell: Cell, residues: Values, step: int, most: int, sz: int
) -> Values:
    """For each residue the least k in [1, most + 1] whose k * step prints > sz."""
    low = np.ones(residues.shape, dtype=np.uint64)
    high = np.full(residues.shape, most + 1, dtype=np.uint64)
    while bool((low < high).any()):
        middle = (low + high) >> np.uint64(1)
        above = _printed(model, cell, residues, middle * np.uint64(step)) > sz
        high = np.where(above & (low < high), middle, high)
        low = np.where(~above & (low < high), middle + np.uint64(1), low)
    return low


def _bounced(model: KernelModel, cell: Cell, residues: Values, sizes: Values) -> Truths:
    raw = map_requests(model, cell, residues, sizes).bounced.raw
    return as_array(raw, residues.shape, np.bool_)


def printing_requests(
    model: KernelModel, cell: Cell, profile: Profile, sz: int, addr_step: int
) -> Printing:
    """Every request within the driver's limit that prints ``sz`` bytes in ``cell``.

    ``addr_step``: the addresses looked at are its multiples.

    What is printed never falls as the size grows, so the sizes at a residue are an
    interval; its ends are moved inwards where they would not bounce.
    """
    modulus, step = residue_modulus(cell), profile.size_step
    limit = profile.max_size(model, cell)
    residues = np.arange(0, modulus, addr_step, dtype=np.uint64)
    most = min(limit, max(sz, 0)) // step
    first = _first_above(model, cell, residues, step, most, sz - 1)
    past = _first_above(model, cell, residues, step, most, sz)
    smallest = first * np.uint64(step)
    largest = np.maximum(past, np.uint64(1)) * np.uint64(step) - np.uint64(step)
    largest = np.maximum(largest, np.uint64(1))
    valid = first < past
    still = ~_bounced(model, cell, residues, largest) & valid
    largest = np.where(still & (largest > step), largest - np.uint64(step), largest)
    still = ~_bounced(model, cell, residues, smallest) & valid
    smallest = np.where(still, smallest + np.uint64(step), smallest)
    valid = valid & (smallest <= largest)
    valid = valid & _bounced(model, cell, residues, largest)
    return Printing(modulus, residues, smallest, largest, valid, limit < sz)
