# SPDX-License-Identifier: GPL-2.0-only
"""The slot search as a loop: where it starts, one turn of it, and when it ends.

The module ``search`` has its visits in closed form, which the tests hold against this
loop; of a tree's code it is proved that it does what this loop does.
Sources: find_slots() (v5.10) to swiotlb_search_pool_area() (v7.3), in
kernel/dma/swiotlb.c.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import Counting, Jump, Passes, SearchRule, Wrap
from bounceproof.models.words.word import (
    FALSE,
    UNSIGNED_INT,
    Truth,
    Word,
    align,
    ite,
    minimum,
)

ZERO, ONE = Word(0, UNSIGNED_INT), Word(1, UNSIGNED_INT)


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where the search is: ``index`` in its area and what it has ``counted``
    (unsigned int).  Of a search that is not counted ``counted`` is 1 once it turned."""

    index: Word
    counted: Word


def start_index(rule: SearchRule, area_index: Word, area_nslabs: Word) -> Word:
    """Where the search starts: area->index as it is, or aligned up and wrapped."""
    stride = Word(rule.stride, UNSIGNED_INT)
    start = align(area_index, stride) if rule.aligned_start else area_index
    return ite(start >= area_nslabs, ZERO, start)


def wrapped(rule: SearchRule, index: Word, area_nslabs: Word) -> Word:
    """``index``, or what the search makes of one past the end of the area."""
    beyond = index - area_nslabs if rule.wrap is Wrap.MODULO else ZERO
    return ite(index >= area_nslabs, beyond, index)


def jumped(rule: SearchRule, index: Word) -> Word:
    """Where the stride leads from ``index``, before the wrap."""
    stride = Word(rule.stride, UNSIGNED_INT)
    if rule.jump is Jump.ROUND_UP:
        return align(index + ONE, stride)
    return index + stride


def accepts(rule: SearchRule, tlb_addr: Word, orig_addr: Word) -> Truth:
    """Whether the slot at DMA address ``tlb_addr`` is admissible."""
    clear = (tlb_addr & rule.zero_mask).eq(0)
    alike = ((tlb_addr ^ orig_addr) & rule.compare_mask).eq(0)
    waived = orig_addr.eq(0) if rule.skip_zero else FALSE
    return clear & (waived | alike)


def turn(
    rule: SearchRule, at: LoopState, accepted: Truth, area_nslabs: Word
) -> LoopState:
    """The state after a turn that finds nothing; ``accepted``: the slot is admissible.

    Not for rules that fall through.
    """
    onward = ite(accepted, jumped(rule, at.index), at.index + ONE)
    index = wrapped(rule, onward, area_nslabs)
    if not rule.counted:
        return LoopState(index, ONE)
    if rule.counting is Counting.TURNS:
        return LoopState(index, at.counted + ONE)
    inside = rule.counting is Counting.TO_END
    reached = minimum(onward, area_nslabs) if inside else onward
    return LoopState(index, at.counted + (reached - at.index))


def ended(rule: SearchRule, at: LoopState, start: Word, area_nslabs: Word) -> Truth:
    """Whether the search gives up in the state ``at``."""
    if rule.counted and rule.passes is Passes.WHOLE:
        return at.counted >= area_nslabs + (area_nslabs - start)
    if rule.counted:
        return at.counted >= area_nslabs
    return at.counted.ne(ZERO) & at.index.eq(start)
