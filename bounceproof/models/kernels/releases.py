# SPDX-License-Identifier: GPL-2.0-only
"""The built-in kernel states, oldest first, each as what it changes of another."""

from __future__ import annotations

from bounceproof.models.kernels.state import (
    AllocAlign,
    AllocPageCheck,
    Areas,
    BounceCheck,
    End,
    Inadmissible,
    IommuBounce,
    IommuMaxMapping,
    IotlbMask,
    IovaLink,
    KernelState,
    LimitSource,
    ListInit,
    MapCopy,
    MaskAboveGranule,
    MaxMapping,
    NvmeAlignMask,
    NvmeOrder,
    Origin,
    Padding,
    PadSlots,
    PageRule,
    Pools,
    Predicate,
    ReleaseSize,
    Rounding,
    Start,
    Stride,
    Zeroing,
    ZeroOrigAddr,
)

_STABLE = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git/tag/?h="


def _release(tag: str, summary: str) -> Origin:
    return Origin(tag, tag, "", _STABLE + tag, summary)


def _derive(
    base: KernelState, tag: str, summary: str, **changes: object
) -> KernelState:
    return base.with_(tag, origin=_release(tag, summary), **changes)


V5_10_223 = KernelState(
    name="v5.10.223",
    origin=_release("v5.10.223", "one area; dma-iommu does not bounce"),
    areas=Areas.SINGLE,
    pools=Pools.STATIC,
    list_init=ListInit.SEGMENT,
    nvme_max_kb=4096,
    nvme_limit_source=LimitSource.MAX_MAPPING,
    nvme_align_mask=NvmeAlignMask.CTRL_PAGE,
    nvme_order=NvmeOrder.MASK_FIRST,
    iommu_bounce=IommuBounce.NONE,
    iommu_max_mapping=IommuMaxMapping.ABSENT,
    mask_above_granule=MaskAboveGranule.IGNORED,
    zeroing=Zeroing.NONE,
    iova_link=IovaLink.ABSENT,
    max_mapping=MaxMapping.SLOT_SET_LESS_MIN_ALIGN,
    rounding=Rounding.CALLER,
    padding=Padding.SLOT,
    pad_slots=PadSlots.NONE,
    alloc_slot_aligned=False,
    page_rule=PageRule.STRIDE_SHIFT,
    iotlb_mask=IotlbMask.ABOVE_SLOT,
    predicate=Predicate.ORIG_ADDR,
    zero_orig_addr=ZeroOrigAddr.COMPARED,
    stride=Stride.IOTLB_MASK,
    start=Start.ALIGNED,
    end=End.AT_START,
    inadmissible=Inadmissible.SKIP,
    alloc_align=AllocAlign.NONE,
    alloc_page_check=AllocPageCheck.NONE,
    release_size=ReleaseSize.CALLER,
    bounce_check=BounceCheck.NONE,
    map_copy=MapCopy.ALWAYS,
)

V5_16 = _derive(
    V5_10_223,
    "v5.16",
    "dma-iommu bounces and asks for granule alignment through the stride",
    iommu_bounce=IommuBounce.UNALIGNED,
    zeroing=Zeroing.ROUNDED_SIZE,
    max_mapping=MaxMapping.SLOT_SET,
    zero_orig_addr=ZeroOrigAddr.SKIPPED,
    stride=Stride.IOTLB_THEN_ALLOC,
    release_size=ReleaseSize.STORED,
    bounce_check=BounceCheck.UNSIGNED,
    nvme_order=NvmeOrder.LIMIT_FIRST,
    map_copy=MapCopy.DEVICE_READS,
)

V6_0 = _derive(
    V5_16,
    "v6.0",
    "areas; the limit takes min_align_mask into account",
    areas=Areas.UNLIMITED,
    max_mapping=MaxMapping.SLOT_SET_LESS_MIN_ALIGN,
    map_copy=MapCopy.ALWAYS,
)

V6_1_192 = _derive(
    V6_0,
    "v6.1.192",
    "long-term tree with two of the 2024 alignment fixes",
    areas=Areas.LIMITED_LATE,
    nvme_order=NvmeOrder.MASK_FIRST,
    iommu_max_mapping=IommuMaxMapping.SWIOTLB,
    alloc_slot_aligned=True,
    iotlb_mask=IotlbMask.ABOVE_ALLOC,
)

V6_2_12 = _derive(
    V6_0,
    "v6.2.12",
    "as v6.0, and nvme sets its mask before its limit",
    nvme_order=NvmeOrder.MASK_FIRST,
)

V6_3 = _derive(
    V6_2_12,
    "v6.3",
    "one mask for device, allocation and page, compared with orig_addr",
    nvme_max_kb=8192,
    page_rule=PageRule.COMBINED_MASK,
    iotlb_mask=IotlbMask.COMBINED,
    stride=Stride.IOTLB_MASK,
    start=Start.RAW,
    end=End.COUNTED,
)

V6_5 = _derive(
    V6_3,
    "v6.5",
    "areas limited to slot sets; nvme takes the optimal size as its limit",
    areas=Areas.LIMITED_LATE,
    nvme_limit_source=LimitSource.OPT_MAPPING,
)

V6_6 = _derive(
    V6_5,
    "v6.6",
    "the thread's kernel; dynamic pools",
    areas=Areas.LIMITED,
    pools=Pools.DYNAMIC,
)

V6_6_9 = _derive(
    V6_6,
    "v6.6.9",
    "list[] ends with the pool",
    list_init=ListInit.CLAMPED,
)

V6_7 = _derive(V6_6_9, "v6.7", "as v6.6.9 in every decision point")

V6_8_1 = _derive(
    V6_7,
    "v6.8.1",
    "searches area by area; gives up at once above a slot set",
    pools=Pools.DYNAMIC_SIZE_CHECK,
)

_PARTIAL_BACKPORT: dict[str, object] = {
    "iommu_max_mapping": IommuMaxMapping.SWIOTLB,
    "alloc_slot_aligned": True,
    "page_rule": PageRule.STRIDE_COUNT,
    "iotlb_mask": IotlbMask.ABOVE_ALLOC,
    "predicate": Predicate.ALLOC_AND_ORIG_ADDR,
    "stride": Stride.LARGER_MASK,
    "alloc_align": AllocAlign.PAGE_ORDER,
}

V6_6_24 = _derive(
    V6_6_9,
    "v6.6.24",
    "four of the six 2024 alignment fixes: no page alignment of streaming mappings",
    **_PARTIAL_BACKPORT,
)

V6_6_35 = _derive(
    V6_6_24,
    "v6.6.35",
    "the other two, and pre-padding",
    page_rule=PageRule.UNCONSTRAINED,
    alloc_page_check=AllocPageCheck.FAIL,
    padding=Padding.ALLOC,
    pad_slots=PadSlots.RECORDED,
)

V6_8_3 = _derive(
    V6_8_1,
    "v6.8.3",
    "four of the six 2024 alignment fixes, as v6.6.24",
    **_PARTIAL_BACKPORT,
)

V6_9 = _derive(
    V6_8_3,
    "v6.9",
    "allocation and device masks apart, pre-padding slots; dma-iommu rounds",
    page_rule=PageRule.UNCONSTRAINED,
    alloc_page_check=AllocPageCheck.FAIL,
    padding=Padding.ALLOC,
    pad_slots=PadSlots.RECORDED,
    mask_above_granule=MaskAboveGranule.REFUSED,
    bounce_check=BounceCheck.SIGNED,
)

V6_10 = _derive(
    V6_9,
    "v6.10",
    "swiotlb rounds size and padding; dma-iommu zeroes the padding",
    rounding=Rounding.CALLEE,
    zeroing=Zeroing.PADDING_UNTRUSTED,
)

V6_12 = _derive(V6_10, "v6.12", "as v6.10 in every decision point")

V6_12_107 = _derive(V6_12, "v6.12.107", "as v6.12 in every decision point")

V7_2_13 = _derive(
    V6_12_107,
    "v7.2.13",
    "links IOVA ranges piece by piece",
    iova_link=IovaLink.PRESENT,
)

V7_3_4 = _derive(V7_2_13, "v7.3.4", "as v7.2.13 in every decision point")

RELEASES: tuple[KernelState, ...] = (
    V5_10_223,
    V5_16,
    V6_0,
    V6_1_192,
    V6_2_12,
    V6_3,
    V6_5,
    V6_6,
    V6_6_9,
    V6_6_24,
    V6_6_35,
    V6_7,
    V6_8_1,
    V6_8_3,
    V6_9,
    V6_10,
    V6_12,
    V6_12_107,
    V7_2_13,
    V7_3_4,
)
LATEST = V7_3_4
