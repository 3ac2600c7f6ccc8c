# SPDX-License-Identifier: GPL-2.0-only
"""The masks, the stride and the loop of the slot search, from decision points.

Sources: find_slots() (v5.10), swiotlb_find_slots() (v5.15 to v5.19),
swiotlb_do_find_slots() (v6.0 to v6.5), swiotlb_area_find_slots() (v6.6, v6.7),
swiotlb_search_pool_area() (v6.8 on), all in kernel/dma/swiotlb.c.  Every mask and the
stride are unsigned int.
"""

from __future__ import annotations

from bounceproof.models.constants import IO_TLB_SHIFT, IO_TLB_SIZE, U32_MAX
from bounceproof.models.kernels.state import (
    AllocPageCheck,
    End,
    Inadmissible,
    IotlbMask,
    KernelState,
    PageRule,
    Predicate,
    Start,
    Stride,
    ZeroOrigAddr,
)
from bounceproof.models.request import Cell, Path, SearchRule

LOW = IO_TLB_SIZE - 1


def _u32(value: int) -> int:
    return value & U32_MAX


def _slots(mask: int) -> int:
    return _u32((mask >> IO_TLB_SHIFT) + 1)


def _alloc_mask(state: KernelState, cell: Cell, given: int, large: bool) -> int:
    page_mask = cell.page_size - 1
    mask = given
    if large and state.page_rule is PageRule.ALLOC_MASK:
        mask |= page_mask
    unconstrained = not given and not cell.min_align_mask
    if large and unconstrained and state.page_rule is PageRule.UNCONSTRAINED:
        mask = page_mask
    return mask | LOW if state.alloc_slot_aligned else mask


def _iotlb_mask(
    state: KernelState, cell: Cell, alloc_mask: int, given: int, large: bool
) -> int:
    m, page_mask = cell.min_align_mask, cell.page_size - 1
    match state.iotlb_mask:
        case IotlbMask.ABOVE_SLOT:
            return _u32(m & ~LOW)
        case IotlbMask.ABOVE_ALLOC:
            return _u32(m & ~alloc_mask)
        case IotlbMask.NOT_SLOT_SIZE:
            return _u32(m & ~IO_TLB_SIZE)
        case IotlbMask.WHOLE:
            return m
        case IotlbMask.COMBINED:
            page = large and state.page_rule is PageRule.COMBINED_MASK
            return _u32((m | given | (page_mask if page else 0)) & ~LOW)
        case IotlbMask.COMBINED_AND:
            page = large and state.page_rule is PageRule.MASK_AND
            return _u32(m & ~LOW & given & ~(page_mask if page else 0))


def _stride(
    state: KernelState, cell: Cell, alloc_mask: int, iotlb_mask: int, large: bool
) -> int:
    shift = cell.page_shift - IO_TLB_SHIFT
    if state.stride is Stride.LARGER_MASK:
        stride = _slots(max(alloc_mask, iotlb_mask))
    else:
        stride = _slots(iotlb_mask)
    if large and state.page_rule is PageRule.STRIDE_SHIFT:
        stride = max(stride, _u32(stride << shift))
    if large and state.page_rule is PageRule.STRIDE_COUNT:
        stride = max(stride, shift + 1)
    if state.stride is Stride.IOTLB_THEN_ALLOC:
        stride = max(stride, _slots(alloc_mask))
    return stride


def search_rule(
    state: KernelState, cell: Cell, alloc_align_mask: int, large: bool
) -> SearchRule:
    """The slot search of ``state``; ``large`` where T >= PAGE_SIZE."""
    alloc_mask = _alloc_mask(state, cell, alloc_align_mask, large)
    iotlb_mask = _iotlb_mask(state, cell, alloc_mask, alloc_align_mask, large)
    split = state.predicate is Predicate.ALLOC_AND_ORIG_ADDR
    return SearchRule(
        zero_mask=alloc_mask if split else 0,
        compare_mask=iotlb_mask,
        skip_zero=state.zero_orig_addr is ZeroOrigAddr.SKIPPED,
        stride=_stride(state, cell, alloc_mask, iotlb_mask, large),
        aligned_start=state.start is Start.ALIGNED,
        counted=state.end is End.COUNTED,
        fall_through=state.inadmissible is Inadmissible.FALL_THROUGH,
        page_check=cell.path is Path.ALLOC
        and state.alloc_page_check is AllocPageCheck.FAIL,
        alloc_align_mask=alloc_mask,
        iotlb_align_mask=iotlb_mask,
    )
