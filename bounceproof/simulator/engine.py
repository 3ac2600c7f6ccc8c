# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's functions as loops over arrays: prologue, search, marking, release.

Sources: kernel/dma/swiotlb.c (swiotlb_tbl_map_single, swiotlb_search_pool_area and its
predecessors, swiotlb_release_slots, swiotlb_alloc) and drivers/iommu/dma-iommu.c
(iommu_dma_map_page, __iommu_dma_map), v5.10 to v7.3, as the decision points differ.
Nothing here is shared with the closed forms in models/ but constants.

A pool is the arrays ``lst``, ``alloc_size``, ``orig``, ``pad`` (one entry a slot) and
``index``, ``used`` (one an area).  Words of 64 bits are held as int64.
"""

from __future__ import annotations

from typing import Any

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT, IO_TLB_SIZE
from bounceproof.simulator import codes as c
from bounceproof.simulator.compile import below, compiled, shift_right, wrap64

Array = Any

LOW = IO_TLB_SIZE - 1
SEG = IO_TLB_SEGSIZE
SHIFT = IO_TLB_SHIFT
U32 = 0xFFFFFFFF
NOT_FOUND = -1
NO_END = -2
INVALID_PHYS_ADDR = -1


@compiled
def nr_slots(size: int) -> int:
    """Slots that hold ``size`` bytes."""
    return shift_right(wrap64(size + LOW), SHIFT)


@compiled
def align_up(value: int, mask: int) -> int:
    """ALIGN(value, mask + 1)."""
    return wrap64(value + mask) & ~mask


@compiled
def align32(value: int, unit: int) -> int:
    """ALIGN(value, unit) on unsigned int; ``unit`` need not be a power of two."""
    return ((value + unit - 1) & U32) & ~(unit - 1)


@compiled
def page_shift_of(page_size: int) -> int:
    shift = 0
    while (1 << shift) < page_size:
        shift += 1
    return shift


@compiled
def order_mask(size: int, page_size: int) -> int:
    """swiotlb_alloc()'s alignment mask for ``size`` bytes, an unsigned int."""
    shift = page_shift_of(page_size)
    pages = shift_right(wrap64(size - 1), shift)
    order = 0
    while order < 64 - shift and (pages >> order) != 0:
        order += 1
    power = order + shift
    return ((1 << power) - 1) & U32 if power < 32 else U32


@compiled
def prologue(
    k: Array, page: int, path: int, granule: int, m: int, pa: int, size: int
) -> tuple[bool, bool, int, int, int, int]:
    """(bounced, refused, A, padding, T, printed size) of one request."""
    if path == c.ALLOC:
        mask = order_mask(size, page) if k[c.ALLOC_ALIGN] == c.ALIGN_PAGE_ORDER else 0
        return True, False, mask, 0, size, 0
    mask = 0 if path == c.DIRECT else granule - 1
    bounced = path == c.DIRECT or ((pa | size) & mask) != 0
    refused = (
        path == c.IOMMU and k[c.MASK_ABOVE_GRANULE] == c.ABOVE_REFUSED and m > mask
    )
    covered = mask | LOW if k[c.PADDING] == c.PADDING_ALLOC else LOW
    padding = pa & m & covered
    if k[c.ROUNDING] == c.CALLEE:
        total = align_up(wrap64(size + padding), mask)
        return bounced, refused, mask, padding, total, total
    rounded = align_up(size, mask)
    return bounced, refused, mask, padding, wrap64(rounded + padding), rounded


@compiled
def link_piece(pa: int, size: int, granule: int) -> tuple[int, int]:
    """(orig_addr, size) of the first piece that dma_iova_link() bounces."""
    head = pa & (granule - 1)
    if head != 0:
        return pa, size if below(size, granule - head) else granule - head
    tail = wrap64(pa + size) & (granule - 1)
    return wrap64(pa + size - tail), tail


@compiled
def iotlb_mask_of(k: Array, page: int, m: int, given: int, a: int, large: bool) -> int:
    kind = k[c.IOTLB_MASK]
    page_mask = page - 1
    if kind == c.MASK_COMBINED:
        extra = page_mask if large and k[c.PAGE_RULE] == c.RULE_COMBINED else 0
        return (m | given | extra) & ~LOW
    if kind == c.MASK_COMBINED_AND:
        mask = m & ~LOW
        if large and k[c.PAGE_RULE] == c.RULE_MASK_AND:
            mask &= ~page_mask
        return mask & given
    if kind == c.MASK_ABOVE_SLOT:
        return m & ~LOW
    if kind == c.MASK_ABOVE_ALLOC:
        return m & ~a
    if kind == c.MASK_NOT_SLOT_SIZE:
        return m & ~IO_TLB_SIZE
    return m


@compiled
def masks(k: Array, page: int, m: int, given: int, total: int) -> tuple[int, int, int]:
    """(alloc_align_mask, iotlb_align_mask, stride) as the search has them."""
    large = not below(total, page)
    rule = k[c.PAGE_RULE]
    a = given
    if large and rule == c.RULE_ALLOC_MASK:
        a |= page - 1
    if large and rule == c.RULE_UNCONSTRAINED and given == 0 and m == 0:
        a = page - 1
    if k[c.ALLOC_SLOT_ALIGNED]:
        a |= LOW
    im = iotlb_mask_of(k, page, m, given, a, large)
    if k[c.STRIDE] == c.STRIDE_LARGER:
        stride = (max(a, im) >> SHIFT) + 1
    else:
        stride = (im >> SHIFT) + 1
    if large and rule == c.RULE_STRIDE_SHIFT:
        stride = max(stride, (stride << (page_shift_of(page) - SHIFT)) & U32)
    if large and rule == c.RULE_STRIDE_COUNT:
        stride = max(stride, page_shift_of(page) - SHIFT + 1)
    if k[c.STRIDE] == c.STRIDE_THEN_ALLOC:
        stride = max(stride, (a >> SHIFT) + 1)
    return a, im, stride


@compiled
def predicate(k: Array, pa: int, a: int, im: int) -> tuple[int, int]:
    """(bits that must be 0, bits compared with orig_addr) in a slot's address."""
    zero = a if k[c.PREDICATE] == c.SPLIT_PREDICATE else 0
    skipped = pa == 0 and k[c.ZERO_ORIG_ADDR] == c.ZERO_SKIPPED
    return zero, 0 if skipped else im


@compiled
def admissible(dma: int, pa: int, zero: int, compared: int) -> bool:
    """Whether a slot at DMA address ``dma`` may start the allocation."""
    return (dma & zero) == 0 and ((dma ^ pa) & compared) == 0


@compiled
def search_counted(
    lst: Array,
    base: int,
    slots: int,
    start: int,
    n: int,
    pa: int,
    zero: int,
    compared: int,
    stride: int,
    tbl: int,
    max_slots: int,
    fall_through: bool,
) -> int:
    """The loop that counts slots_checked."""
    index, checked, tbl_slots = start, 0, nr_slots(tbl)
    while checked < slots:
        slot = base + index
        if not admissible(wrap64(tbl + (slot << SHIFT)), pa, zero, compared):
            index = index + 1 if index + 1 < slots else 0
            checked += 1
            if not fall_through:
                continue
        if lst[slot] >= n and ((tbl_slots + slot) & (max_slots - 1)) + n <= max_slots:
            return slot
        index = index + stride if index + stride < slots else 0
        checked += stride
    return NOT_FOUND


@compiled
def search_until_start(
    lst: Array,
    base: int,
    slots: int,
    start: int,
    n: int,
    pa: int,
    zero: int,
    compared: int,
    stride: int,
    tbl: int,
    max_slots: int,
    fall_through: bool,
) -> int:
    """The loop that ends when the index comes back to where it began.

    An index alone is its state, so more steps than two passes have means no end.
    """
    index, began, tbl_slots = start, start, nr_slots(tbl)
    for _ in range(3 * slots + 3):
        slot = base + index
        right = admissible(wrap64(tbl + (slot << SHIFT)), pa, zero, compared)
        if not right:
            index = index + 1 if index + 1 < slots else 0
        if right or fall_through:
            run = lst[slot] >= n
            if run and ((tbl_slots + slot) & (max_slots - 1)) + n <= max_slots:
                return slot
            index = index + stride if index + stride < slots else 0
        if index == began:
            return NOT_FOUND
    return NO_END


@compiled
def search_area(
    k: Array,
    lst: Array,
    base: int,
    slots: int,
    start: int,
    used: int,
    page: int,
    m: int,
    given: int,
    pa: int,
    total: int,
    pool_start: int,
    bm: int,
) -> int:
    """Pool-wide slot for ``total`` bytes in one area, NOT_FOUND or NO_END."""
    n = nr_slots(total) & U32
    if n == 0 or n > slots - used:
        return NOT_FOUND
    a, im, stride = masks(k, page, m, given, total)
    zero, compared = predicate(k, pa, a, im)
    tbl, max_slots = pool_start & bm, shift_right(bm, SHIFT) + 1
    begin = align32(start, stride) if k[c.START] == c.START_ALIGNED else start
    begin = 0 if begin >= slots else begin
    falls = k[c.INADMISSIBLE] == c.FALL_THROUGH
    if k[c.END] == c.END_COUNTED:
        return search_counted(
            lst,
            base,
            slots,
            begin,
            n,
            pa,
            zero,
            compared,
            stride,
            tbl,
            max_slots,
            falls,
        )
    return search_until_start(
        lst, base, slots, begin, n, pa, zero, compared, stride, tbl, max_slots, falls
    )


@compiled
def join_before(lst: Array, first: int, count: int) -> None:
    """Count the free slots before ``first`` on, up to the start of the slot set."""
    i = first - 1
    while i >= 0 and (i & (SEG - 1)) != SEG - 1 and lst[i] != 0:
        count += 1
        lst[i] = count
        i -= 1


@compiled
def take(lst: Array, alloc_size: Array, slot: int, total: int, low_offset: int) -> int:
    """Mark the slots of a new allocation; returns how many."""
    n = nr_slots(total) & U32
    lst[slot : slot + n] = 0
    sizes, first = alloc_size[slot : slot + n], wrap64(total - low_offset)
    for k in range(n):
        sizes[k] = wrap64(first - (k << SHIFT))
    join_before(lst, slot, 0)
    return n


@compiled
def give_back(
    lst: Array, alloc_size: Array, orig: Array, pad: Array, first: int, n: int
) -> None:
    """Free ``n`` slots from ``first`` and join the runs around them."""
    count = 0
    if first + n < ((first + 1 + SEG - 1) & ~(SEG - 1)):
        count = lst[first + n]
    runs = lst[first : first + n]
    for k in range(n):
        runs[k] = count + n - k
    orig[first : first + n] = INVALID_PHYS_ADDR
    alloc_size[first : first + n] = 0
    pad[first : first + n] = 0
    join_before(lst, first, count + n)
