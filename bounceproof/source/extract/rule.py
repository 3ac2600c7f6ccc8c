# SPDX-License-Identifier: GPL-2.0-only
"""The search rule as masks, derived from single turns of the tree's loop.

The masks are read off one address bit at a time, then compared with the C condition
on random addresses; :meth:`RuleReader.admissible` gives the condition itself, so that
a solver can prove that they agree for all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

import bounceproof.models.arrays  # noqa: F401  (Words of arrays)
from bounceproof.models.request import Cell, Path, SearchRule
from bounceproof.models.word import U64, Truth, Word
from bounceproof.source.errors import NotUnderstood, UnknownSearch
from bounceproof.source.extract.machine import u64
from bounceproof.source.extract.search import (
    MANY_SLOTS,
    Prober,
    Searched,
    Shape,
    Turn,
    find_shape,
    search_function,
)
from bounceproof.source.program.program import Program

_SAMPLES = 400
_FAR = 1 << 62
_MOST = 256 << 10


@dataclass(frozen=True, slots=True)
class _Habits:
    """What does not depend on the cell but shows only in some."""

    aligned_start: bool
    skip_zero: bool
    fall_through: bool


class RuleReader:
    """Search rules of one program, cell by cell."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.search = Searched(search_function(program))
        self._shape: Shape | None = None
        self._probers: dict[Cell, Prober] = {}
        self._known: _Habits | None = None

    @property
    def shape(self) -> Shape:
        """The shape of the loop; UnknownSearch where the reader knows none."""
        if self._shape is None:
            try:
                self._shape = find_shape(self._program)
            except NotUnderstood as error:
                raise UnknownSearch.of(error) from None
        return self._shape

    def _prober(self, cell: Cell) -> Prober:
        if cell not in self._probers:
            self._probers[cell] = Prober(self._program, cell, self.shape)
        return self._probers[cell]

    def _fail(self, need: str) -> NotUnderstood:
        function = self.shape.function
        line = self.shape.loop.line
        text = self._program.text(function.file, line)
        return NotUnderstood(function.file, line, text, need)

    @staticmethod
    def totals(cell: Cell, large: bool) -> tuple[int, ...]:
        """Sizes T that stand for one side of PAGE_SIZE."""
        page = cell.page_size
        sizes = (page, page + 1, 2 * page, _MOST - 1, _MOST) if large else ()
        return sizes or (1, 2047, 2048, 2049, page - 1)

    def turn(
        self,
        cell: Cell,
        align_mask: int,
        total: Word,
        tlb_addr: Word,
        orig_addr: Word,
        *,
        fits: bool,
        first: int = 0,
    ) -> Turn:
        """One turn of the loop on the slot at ``tlb_addr``; see :class:`Turn`."""
        prober = self._prober(cell)
        return prober.turn(
            align_mask, total, tlb_addr, orig_addr, fits=fits, first=first
        )

    def admissible(
        self,
        cell: Cell,
        align_mask: int,
        large: bool,
        tlb_addr: Word,
        orig_addr: Word,
    ) -> Truth:
        """Whether the slot at ``tlb_addr`` may be taken, out of the C condition."""
        total = u64(self.totals(cell, large)[0])
        return self._admits(cell, align_mask, total, tlb_addr, orig_addr)

    def _admits(
        self, cell: Cell, align_mask: int, total: Word, tlb_addr: Word, orig: Word
    ) -> Truth:
        if not self.habits().fall_through:
            turn = self.turn(cell, align_mask, total, tlb_addr, orig, fits=True)
            return turn.leaves
        step = self.turn(cell, align_mask, total, tlb_addr, orig, fits=False)
        free = self.turn(cell, align_mask, total, u64(0), u64(0), fits=False)
        return (step.index - step.first).eq(free.index - free.first)

    def habits(self) -> _Habits:
        """Where the search starts, and how it treats what is not admissible."""
        if self._known is None:
            self._known = self._learn()
        return self._known

    def _learn(self) -> _Habits:
        cell = Cell(4096, 4096, Path.IOMMU, 0x3FFF)
        total = u64(4096)

        def run(tlb: int, orig: int, fits: bool, first: int = 0) -> Turn:
            return self.turn(
                cell, 0, total, u64(tlb), u64(orig), fits=fits, first=first
            )

        if not self._prober(cell).ends_as_shaped(0, total):
            raise self._fail("an end after the area's slots, or where it started")
        free = run(0, 0, False)
        stride = int(free.index) - int(free.first)
        last = run(0, 0, False, MANY_SLOTS - stride)
        if not stride & (stride - 1) and int(last.index) != 0:
            raise self._fail("an index that wraps to 0 at the area's end")
        refused = [
            bit
            for bit in range(11, 14)
            if int(run(1 << bit, _FAR, False).index) != stride
            or not bool(run(1 << bit, _FAR, True).leaves)
        ]
        if not refused:
            raise self._fail("an admissibility test that min_align_mask takes part in")
        probe = 1 << refused[0]
        falls = bool(run(probe, _FAR, True).leaves)
        step = int(run(probe, _FAR, False).index)
        if step != (1 + stride if falls else 1):
            raise self._fail("a step of one slot from an inadmissible slot")
        skips = int(run(0, 0, False).index) == int(run(probe, 0, False).index)
        return _Habits(self._aligned_start(run, stride), skips, falls)

    def _aligned_start(self, run: object, stride: int) -> bool:
        assert callable(run)
        starts = [int(run(0, 0, False, first).first) for first in range(2 * stride)]
        raw = list(range(2 * stride))
        if starts == raw:
            return False
        if starts == [(index + stride - 1) & ~(stride - 1) for index in raw]:
            return True
        raise self._fail("a start at area->index, as it is or aligned to the stride")

    def rule(self, cell: Cell, align_mask: int, large: bool) -> SearchRule:
        """The rule for ``cell``; UnknownSearch where masks cannot express it.

        That is so for C that the reader does not understand, too: who then asks the
        search itself is told what it is.
        """
        try:
            return self._rule(cell, align_mask, large)
        except NotUnderstood as error:
            raise UnknownSearch.of(error) from None

    def _rule(self, cell: Cell, align_mask: int, large: bool) -> SearchRule:
        habits = self.habits()
        totals = self.totals(cell, large)
        zero, compare, stride = self._masks(cell, align_mask, u64(totals[0]))
        for total in totals:
            self._verify(cell, align_mask, u64(total), zero, compare, stride)
        shown = self._prober(cell).masks(align_mask, totals[0])
        return SearchRule(
            zero_mask=zero,
            compare_mask=compare,
            skip_zero=habits.skip_zero,
            stride=stride,
            aligned_start=habits.aligned_start,
            counted=self.shape.counter is not None,
            fall_through=habits.fall_through,
            page_check=False,
            alloc_align_mask=align_mask if shown[0] is None else shown[0],
            iotlb_align_mask=compare if shown[1] is None else shown[1],
        )

    def _masks(self, cell: Cell, align_mask: int, total: Word) -> tuple[int, int, int]:
        bits = [1 << bit for bit in range(64)]
        ones, none = many(bits), many([0] * 64)
        allowed = self._admits(cell, align_mask, total, ones, ones)
        matched = self._admits(cell, align_mask, total, none, ones)
        zero = _sum(bits, flags(allowed, 64))
        compare = _sum(bits, flags(matched, 64))
        free = self.turn(cell, align_mask, total, u64(0), u64(0), fits=False)
        return zero, compare, int(free.index) - int(free.first)

    def _verify(
        self,
        cell: Cell,
        align_mask: int,
        total: Word,
        zero: int,
        compare: int,
        stride: int,
    ) -> None:
        """Compare the masks and steps with the C code on random addresses."""
        habits = self.habits()
        pairs = _addresses(int(total) ^ align_mask, zero, compare)
        expected = [
            not tlb & zero
            and ((habits.skip_zero and orig == 0) or not (tlb ^ orig) & compare)
            for tlb, orig in pairs
        ]
        tlbs, origs = (many([pair[side] for pair in pairs]) for side in (0, 1))
        admitted = self._admits(cell, align_mask, total, tlbs, origs)
        if flags(admitted, _SAMPLES) != expected:
            raise self._fail("an admissibility test that two masks can express")
        turn = self.turn(cell, align_mask, total, tlbs, origs, fits=False)
        steps = numbers(turn.index - turn.first, _SAMPLES)
        lost = 1 + stride if habits.fall_through else 1
        if steps != [stride if good else lost for good in expected]:
            raise self._fail("a step of one slot, or of the stride")
        if turn.counted is not None and numbers(turn.counted, _SAMPLES) != steps:
            raise self._fail("a count that grows with the index")
        if any(flags(turn.leaves, _SAMPLES)):
            raise self._fail("a search that goes on from a slot that is taken")


def many(values: list[int]) -> Word:
    """Many unsigned longs at once."""
    return Word(np.array(values, dtype=np.uint64), U64)


def flags(truth: Truth, count: int) -> list[bool]:
    """The ``count`` truth values that ``truth`` holds."""
    raw = truth.raw
    if isinstance(raw, bool):
        return [raw] * count
    return [bool(flag) for flag in np.broadcast_to(raw, (count,))]


def numbers(word: Word, count: int) -> list[int]:
    """The ``count`` raw numbers that ``word`` holds."""
    raw = word.raw
    if isinstance(raw, int):
        return [raw] * count
    return [int(value) for value in np.broadcast_to(raw, (count,))]


def _sum(bits: list[int], flags: list[bool]) -> int:
    """The bits whose flag is not set."""
    return sum(bit for bit, flag in zip(bits, flags, strict=True) if not flag)


def _addresses(seed: int, zero: int, compare: int) -> list[tuple[int, int]]:
    """Pairs of slot and original addresses, many of them admissible."""
    dice = random.Random(seed)
    pairs: list[tuple[int, int]] = []
    for _ in range(_SAMPLES):
        orig = dice.choice((0, dice.getrandbits(20), dice.getrandbits(64)))
        tlb = dice.getrandbits(53) << 11
        if dice.random() < 0.7:
            tlb = (tlb & ~compare) | (orig & compare)
        if dice.random() < 0.7:
            tlb &= ~zero
        pairs.append((tlb, orig))
    return pairs
