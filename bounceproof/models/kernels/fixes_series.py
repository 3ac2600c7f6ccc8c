# SPDX-License-Identifier: GPL-2.0-only
"""The alignment series of 2024, each posted revision by itself."""

from __future__ import annotations

from bounceproof.models.kernels import state as s
from bounceproof.models.kernels.fix import Fix
from bounceproof.models.kernels.state import Origin

FIXES_SERIES: tuple[Fix, ...] = (
    Fix(
        name="will-v1",
        origin=Origin(
            release="posted 2024-01-26, superseded",
            commit="",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240126151956.10014-1-will@kernel.org",
            summary=(
                "two patches: allocation mask (plus page bits for a page or "
                "more) must be zero in the slot address, device mask compared "
                "apart; swiotlb_alloc refuses an unaligned page"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_SLOT,
            "page_rule": s.PageRule.ALLOC_MASK,
            "alloc_page_check": s.AllocPageCheck.FAIL,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
        },
    ),
    Fix(
        name="will-v2",
        origin=Origin(
            release="posted 2024-01-31, superseded",
            commit="",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240131122543.14791-1-will@kernel.org",
            summary=(
                "page alignment moves into the stride, swiotlb_alloc passes "
                "its order mask, and by mistake an inadmissible slot is no "
                "longer skipped"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_SLOT,
            "page_rule": s.PageRule.STRIDE_COUNT,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
            "inadmissible": s.Inadmissible.FALL_THROUGH,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_align": (s.AllocAlign.NONE,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
            "inadmissible": (s.Inadmissible.SKIP,),
        },
    ),
    Fix(
        name="will-v3",
        origin=Origin(
            release="posted 2024-02-05, superseded by v4",
            commit="04867a7a3332",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240205190127.20685-1-will@kernel.org",
            summary=(
                "v2 with the skip restored: the three patches the seed thread "
                "tested on v6.6"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_SLOT,
            "page_rule": s.PageRule.STRIDE_COUNT,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_align": (s.AllocAlign.NONE,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
        },
    ),
    Fix(
        name="will-v3-mask7ff",
        origin=Origin(
            release="local edit reported 2024-02-14/15, wrong",
            commit="",
            author="Nicolin Chen <nicolinc@nvidia.com>",
            link="https://lore.kernel.org/r/Zc0bLAIXSAqsQJJv@Asurada-Nvidia",
            summary=(
                "will-v3 with the complement of IO_TLB_SIZE for that of "
                "IO_TLB_SIZE - 1, so that 0xfff becomes 0x7ff"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "page_rule": s.PageRule.STRIDE_COUNT,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
            "iotlb_mask": s.IotlbMask.NOT_SLOT_SIZE,
        },
        expects={
            "predicate": (
                s.Predicate.ORIG_ADDR,
                s.Predicate.ALLOC_AND_ORIG_ADDR,
            ),
            "stride": (
                s.Stride.IOTLB_MASK,
                s.Stride.LARGER_MASK,
            ),
            "page_rule": (
                s.PageRule.COMBINED_MASK,
                s.PageRule.STRIDE_COUNT,
            ),
            "alloc_align": (
                s.AllocAlign.NONE,
                s.AllocAlign.PAGE_ORDER,
            ),
            "alloc_page_check": (
                s.AllocPageCheck.NONE,
                s.AllocPageCheck.FAIL,
            ),
            "iotlb_mask": (
                s.IotlbMask.COMBINED,
                s.IotlbMask.ABOVE_SLOT,
            ),
        },
    ),
    Fix(
        name="will-draft-4",
        origin=Origin(
            release="diff in a mail of 2024-02-16, became v4 4/5",
            commit="51b30ecb73b4",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240216161312.GA2203@willie-the-truck",
            summary=(
                "on top of will-v3: allocation mask covers at least a slot, "
                "and the device mask drops every bit it covers"
            ),
        ),
        changes={
            "iotlb_mask": s.IotlbMask.ABOVE_ALLOC,
            "alloc_slot_aligned": True,
        },
        expects={
            "iotlb_mask": (s.IotlbMask.ABOVE_SLOT,),
            "alloc_slot_aligned": (False,),
            "predicate": (s.Predicate.ALLOC_AND_ORIG_ADDR,),
        },
    ),
    Fix(
        name="will-v4",
        origin=Origin(
            release="posted 2024-02-21, superseded",
            commit="",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240221113504.7161-1-will@kernel.org",
            summary=(
                "five patches: v3, the draft as 4/5, and Nicolin Chen's "
                "maximum (still testing is_swiotlb_active) as 5/5"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_ALLOC,
            "alloc_slot_aligned": True,
            "page_rule": s.PageRule.STRIDE_COUNT,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "alloc_slot_aligned": (False,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_align": (s.AllocAlign.NONE,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
            "iommu_max_mapping": (s.IommuMaxMapping.ABSENT,),
        },
    ),
    Fix(
        name="will-v5",
        origin=Origin(
            release="posted 2024-02-28, superseded",
            commit="",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240228133930.15400-1-will@kernel.org",
            summary=(
                "v4, the maximum without the is_swiotlb_active test, and 6/6 "
                "drops the stride adjustment for a page or more"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_ALLOC,
            "alloc_slot_aligned": True,
            "page_rule": s.PageRule.NONE,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "alloc_slot_aligned": (False,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_align": (s.AllocAlign.NONE,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
            "iommu_max_mapping": (s.IommuMaxMapping.ABSENT,),
        },
    ),
    Fix(
        name="will-v6",
        origin=Origin(
            release="v6.9-rc1",
            commit=(
                "04867a7a3332 823353b7cf0e cbf53074a528 51b30ecb73b4 "
                "afc5aa46ed56 14cebf689a78"
            ),
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-1-will@kernel.org",
            summary=(
                "v5, but 6/6 gives a page or more a page allocation mask "
                "where neither mask is set"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_ALLOC,
            "alloc_slot_aligned": True,
            "page_rule": s.PageRule.UNCONSTRAINED,
            "alloc_align": s.AllocAlign.PAGE_ORDER,
            "alloc_page_check": s.AllocPageCheck.FAIL,
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "alloc_slot_aligned": (False,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
            "alloc_align": (s.AllocAlign.NONE,),
            "alloc_page_check": (s.AllocPageCheck.NONE,),
            "iommu_max_mapping": (s.IommuMaxMapping.ABSENT,),
        },
    ),
)
