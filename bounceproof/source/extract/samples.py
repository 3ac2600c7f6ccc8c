# SPDX-License-Identifier: GPL-2.0-only
"""Many calls of the search at once, in numbers: they find hypotheses, prove none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import bounceproof.models.words.arrays  # noqa: F401  (Words of arrays)
from bounceproof.models.words.word import INT, U32, U64, CType, Truth, Word
from bounceproof.source.extract.search_cut import SearchInputs

Numbers = np.ndarray
AMPLE = 0xFFFF
_NO_BOUNDARY = (1 << 64) - 1


def many(values: object, ctype: CType = U64) -> Word:
    """Many values of a type at once."""
    mask = (1 << ctype.bits) - 1
    if isinstance(values, np.ndarray):
        return Word(values.astype(np.uint64) & np.uint64(mask), ctype)
    assert isinstance(values, list | tuple)
    return Word(np.array([v & mask for v in values], dtype=np.uint64), ctype)


def flags(truth: Truth, count: int) -> list[bool]:
    """The ``count`` truth values that ``truth`` holds."""
    return [bool(flag) for flag in flag_array(truth, count)]


def flag_array(truth: Truth, count: int) -> Numbers:
    """The ``count`` truth values that ``truth`` holds, as an array."""
    return np.broadcast_to(np.asarray(truth.raw, dtype=bool), (count,))


def numbers(word: Word, count: int) -> list[int]:
    """The ``count`` raw numbers that ``word`` holds."""
    return [int(value) for value in number_array(word, count)]


def number_array(word: Word, count: int) -> Numbers:
    """The ``count`` raw numbers that ``word`` holds, as an array."""
    return np.broadcast_to(np.asarray(word.raw, dtype=np.uint64), (count,))


@dataclass(frozen=True, slots=True)
class Lists:
    """A list[] in numbers: ``rule`` gives the elements at an array of places."""

    rule: Callable[[Numbers], Numbers]

    def at(self, index: Word) -> Word:
        """The elements at ``index``."""
        return many(self.rule(np.asarray(index.raw, dtype=np.uint64)), U32)


def all_free() -> Lists:
    """Every element says that there is room for anything."""
    return Lists(lambda places: np.full_like(places, AMPLE))


def none_free() -> Lists:
    """Every element is 0."""
    return Lists(np.zeros_like)


@dataclass(frozen=True, slots=True)
class Sample:
    """``count`` calls: what each is given, and values for what loops change."""

    count: int
    given: SearchInputs
    fresh: Callable[[str, CType], Word]
    slots: Lists


def plain_inputs(
    align_mask: int, total: int, area_nslabs: int, start: Word, orig_addr: Word
) -> SearchInputs:
    """Calls on area 0 of a pool without boundary, from area->index 0."""
    none = Word(0, U32)
    return SearchInputs(
        orig_addr=orig_addr,
        alloc_size=Word(total, U64),
        alloc_align_mask=Word(align_mask, U32),
        area=Word(0, INT),
        area_nslabs=Word(area_nslabs, U32),
        nareas=Word(4, U32),
        index=none,
        used=Word(0, U64),
        start=start,
        boundary=Word(_NO_BOUNDARY, U64),
    )


def random_sample(
    count: int, align_mask: int, totals: tuple[int, int], shift: int, tame: bool = False
) -> Sample:
    """Calls of every sort; sizes lie from ``totals[0]`` up to ``totals[1]``.

    ``tame``: what loops change is a number that may be a slot.
    """
    dice = np.random.default_rng(count ^ align_mask)

    def below(limit: Numbers | int) -> Numbers:
        return dice.integers(0, limit, count, dtype=np.uint64)

    def either(*choices: Numbers) -> Numbers:
        return np.choose(below(len(choices)).astype(np.intp), choices)

    slots = either(below(4) * 128 + 128, below(3000) + 1, below(1 << 20) + 1)
    area = either(np.zeros(count, np.uint64), below(64))
    base = area * slots
    total = either(
        *(np.uint64(totals[0]) + below(w) for w in (1, 4096, totals[1] - totals[0] + 1))
    )
    nslots = (total + np.uint64((1 << shift) - 1)) >> np.uint64(shift)
    orig = either(np.zeros(count, np.uint64), below(1 << 20), below(1 << 52))
    bits = either(np.zeros(count, np.uint64), below(1 << 16), below(1 << 44))
    tlb = either(bits << np.uint64(12), orig & ~np.uint64(0xFFF))
    free = either(slots, np.minimum(slots, nslots), below(slots + np.uint64(1)))
    index = below(slots)
    boundary = either(
        np.full(count, _NO_BOUNDARY, np.uint64), np.full(count, 0xFFFFFFFF, np.uint64)
    )

    def fresh(name: str, ctype: CType) -> Word:
        near, one = below(slots), np.ones(count, np.uint64)
        edge = either(slots - one, slots, one, one * np.uint64(0))
        ahead, few = index + below(16), below(3)
        plain = near, base + near
        wild = edge, base + edge, near + slots, ~near + one, ahead, base + ahead, few
        return many(either(*plain, *(() if tame else wild)), ctype)

    def elements(places: Numbers) -> Numbers:
        kind = (places * np.uint64(0x9E3779B1) >> np.uint64(9)) % np.uint64(4)
        values = [nslots, nslots - np.uint64(1), nslots * np.uint64(0), nslots]
        return np.minimum(np.choose(kind.astype(np.intp), values), np.uint64(AMPLE))

    given = SearchInputs(
        orig_addr=many(orig),
        alloc_size=many(total),
        alloc_align_mask=Word(align_mask, U32),
        area=many(area, INT),
        area_nslabs=many(slots, U32),
        nareas=Word(64, U32),
        index=many(index, U32),
        used=many(slots - free),
        start=many(tlb),
        boundary=many(boundary),
    )
    return Sample(count, given, fresh, Lists(elements))
