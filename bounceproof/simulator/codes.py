# SPDX-License-Identifier: GPL-2.0-only
"""Decision points as small integers, in the order that the engine reads them.

The engine runs compiled, so it takes a kernel state as an int64 array: position k is
the member number of the k-th enum below, in the enum's own order.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.kernels import state as s

COLUMNS: Final = (
    "rounding",
    "padding",
    "page_rule",
    "iotlb_mask",
    "predicate",
    "zero_orig_addr",
    "stride",
    "start",
    "end",
    "inadmissible",
    "alloc_align",
    "alloc_page_check",
    "mask_above_granule",
    "alloc_slot_aligned",
    "pad_slots",
    "release_size",
    "bounce_check",
    "zeroing",
    "list_init",
)
(
    ROUNDING,
    PADDING,
    PAGE_RULE,
    IOTLB_MASK,
    PREDICATE,
    ZERO_ORIG_ADDR,
    STRIDE,
    START,
    END,
    INADMISSIBLE,
    ALLOC_ALIGN,
    ALLOC_PAGE_CHECK,
    MASK_ABOVE_GRANULE,
    ALLOC_SLOT_ALIGNED,
    PAD_SLOTS,
    RELEASE_SIZE,
    BOUNCE_CHECK,
    ZEROING,
    LIST_INIT,
) = range(len(COLUMNS))


def number(member: object) -> int:
    """The number of an enum member in its enum, or of a bool."""
    if isinstance(member, StrEnum):
        return list(type(member)).index(member)
    return int(bool(member))


CALLEE: Final = number(s.Rounding.CALLEE)
PADDING_ALLOC: Final = number(s.Padding.ALLOC)
RULE_STRIDE_SHIFT: Final = number(s.PageRule.STRIDE_SHIFT)
RULE_COMBINED: Final = number(s.PageRule.COMBINED_MASK)
RULE_ALLOC_MASK: Final = number(s.PageRule.ALLOC_MASK)
RULE_STRIDE_COUNT: Final = number(s.PageRule.STRIDE_COUNT)
RULE_UNCONSTRAINED: Final = number(s.PageRule.UNCONSTRAINED)
RULE_MASK_AND: Final = number(s.PageRule.MASK_AND)
MASK_ABOVE_SLOT: Final = number(s.IotlbMask.ABOVE_SLOT)
MASK_ABOVE_ALLOC: Final = number(s.IotlbMask.ABOVE_ALLOC)
MASK_COMBINED: Final = number(s.IotlbMask.COMBINED)
MASK_COMBINED_AND: Final = number(s.IotlbMask.COMBINED_AND)
MASK_NOT_SLOT_SIZE: Final = number(s.IotlbMask.NOT_SLOT_SIZE)
SPLIT_PREDICATE: Final = number(s.Predicate.ALLOC_AND_ORIG_ADDR)
ZERO_SKIPPED: Final = number(s.ZeroOrigAddr.SKIPPED)
STRIDE_LARGER: Final = number(s.Stride.LARGER_MASK)
STRIDE_THEN_ALLOC: Final = number(s.Stride.IOTLB_THEN_ALLOC)
START_ALIGNED: Final = number(s.Start.ALIGNED)
END_COUNTED: Final = number(s.End.COUNTED)
FALL_THROUGH: Final = number(s.Inadmissible.FALL_THROUGH)
ALIGN_PAGE_ORDER: Final = number(s.AllocAlign.PAGE_ORDER)
PAGE_CHECK_FAIL: Final = number(s.AllocPageCheck.FAIL)
ABOVE_REFUSED: Final = number(s.MaskAboveGranule.REFUSED)
PAD_RECORDED: Final = number(s.PadSlots.RECORDED)
LIST_CLAMPED: Final = number(s.ListInit.CLAMPED)

DIRECT, IOMMU, ALLOC, LINK = range(4)


@lru_cache(maxsize=256)
def codes(state: s.KernelState) -> NDArray[np.int64]:
    """The int64 array that the engine takes for ``state``."""
    return np.array([number(getattr(state, c)) for c in COLUMNS], dtype=np.int64)
