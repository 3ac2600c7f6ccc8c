# SPDX-License-Identifier: GPL-2.0-only
"""The search loop, unrolled on a small area where nothing ever fits."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import SearchRule


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
    if rule.counted:
        return _counted(rule, slots, start, pool, orig)
    began = index = start
    visits: list[int] = []
    for _ in range(4 * slots):
        step = 1
        if _right(rule, pool + 2048 * index, orig):
            visits.append(index)
            step = rule.stride
        index = index + step if index + step < slots else 0
        if index == began:
            return Unrolled(visits, False)
    return Unrolled(visits, True)


def _counted(
    rule: SearchRule, slots: int, start: int, pool: int, orig: int
) -> Unrolled:
    index, checked, visits = start, 0, []
    while checked < slots:
        step = 1
        if _right(rule, pool + 2048 * index, orig):
            visits.append(index)
            step = rule.stride
        index = index + step if index + step < slots else 0
        checked += step
    return Unrolled(visits, False)
