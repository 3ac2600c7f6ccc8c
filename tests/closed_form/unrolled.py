# SPDX-License-Identifier: GPL-2.0-only
"""The search loop, unrolled on a small area where nothing ever fits."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import Counting, Jump, Passes, SearchRule, Wrap


@dataclass(frozen=True, slots=True)
class Unrolled:
    """Admissible slots in the order visited, and whether the loop goes on for ever."""

    visits: list[int]
    endless: bool


def _right(rule: SearchRule, dma: int, orig_addr: int) -> bool:
    if dma & rule.zero_mask:
        return False
    if orig_addr == 0 and rule.skip_zero:
        return True
    return dma & rule.compare_mask == orig_addr & rule.compare_mask


def unroll(rule: SearchRule, slots: int, start: int, pool: int, orig: int) -> Unrolled:
    """Run the loop of ``rule`` over ``slots`` slots, none of them free."""
    if rule.aligned_start:
        start = (start + rule.stride - 1) & ~(rule.stride - 1)
    start = 0 if start >= slots else start
    index, counted, visits = start, 0, []
    most = 2 * slots - start if rule.passes is Passes.WHOLE else slots
    for _ in range(4 * slots):
        step = 1
        if _right(rule, pool + 2048 * index, orig):
            visits.append(index)
            step = rule.stride
            if rule.jump is Jump.ROUND_UP:
                step = rule.stride - index % rule.stride
        counted += {
            Counting.STEPS: step,
            Counting.TO_END: min(step, slots - index),
            Counting.TURNS: 1,
        }[rule.counting]
        beyond = (index + step) % slots if rule.wrap is Wrap.MODULO else 0
        index = index + step if index + step < slots else beyond
        if counted >= most if rule.counted else index == start:
            return Unrolled(visits, False)
    return Unrolled(visits, True)
