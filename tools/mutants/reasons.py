# SPDX-License-Identifier: GPL-2.0-only
"""Why no property notices some mutants: one mechanism each, and where it applies.

A reason is a claim about every mutant it covers, in both directions: the study
complains where a property notices one, and where nothing notices one that no reason
covers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bounceproof.models.kernels.state import (
    AllocAlign,
    AllocPageCheck,
    BounceCheck,
    IommuBounce,
    IommuMaxMapping,
    IotlbMask,
    IovaLink,
    LimitSource,
    MaxMapping,
    NvmeOrder,
    Padding,
    PageRule,
    Predicate,
    Rounding,
    Start,
    Stride,
)
from tools.mutants.effect import Effect
from tools.mutants.values import Mutant, word


@dataclass(frozen=True, slots=True)
class Reason:
    """Why mutants of some decision points have ``effect``.

    ``points``: decision points and the values they become, by name; none means every
    value.  ``given``: values that the base has, for some other decision points.
    """

    name: str
    effect: Effect
    points: dict[str, tuple[str, ...]]
    why: str
    given: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def covers(self, mutant: Mutant) -> bool:
        """Whether this is the mechanism of ``mutant``."""
        values = self.points.get(mutant.point)
        if values is None or (values and word(mutant.value) not in values):
            return False
        base = mutant.base.decisions()
        return all(base[name] in allowed for name, allowed in self.given.items())


REASONS: tuple[Reason, ...] = (
    Reason(
        "areas",
        Effect.NOTHING,
        {"areas": ()},
        "How many areas a pool is cut into is no part of a request's arithmetic: a "
        "question ranges over areas of every whole number of slot sets, and one area "
        "stands for any number of like ones. The decision point says which of these a "
        "machine can boot with. Areas smaller than a slot set, which `UNLIMITED` and "
        "`LIMITED_LATE` admit, are not asked about.",
    ),
    Reason(
        "pools",
        Effect.NOTHING,
        {"pools": ()},
        "A request is asked of one pool, whose place and size range. From which pools "
        "the kernel takes that one is not part of the question.",
    ),
    Reason(
        "list-end",
        Effect.NOTHING,
        {"list_init": ()},
        "Both values give the same list[] where a pool is a whole number of slot sets, "
        "and the pools asked about are.",
    ),
    Reason(
        "no-granule",
        Effect.NOTHING,
        {
            "nvme_max_kb": (),
            "nvme_limit_source": (),
            "iommu_max_mapping": (),
            "mask_above_granule": (),
            "zeroing": (),
            "iova_link": (),
            "rounding": (),
            "padding": (),
            "iotlb_mask": (IotlbMask.COMBINED.name,),
            "predicate": (),
            "stride": (),
            "alloc_align": (),
            "alloc_page_check": (),
        },
        "The kernel bounces through dma-direct alone and has no swiotlb_alloc(). There "
        "is no granule, A is 0 in every search, and the limit is that of "
        "swiotlb_max_mapping_size(), below every nvme constant. What these decide "
        "about granules, A and coherent allocations is never reached.",
        {"iommu_bounce": (IommuBounce.NONE,)},
    ),
    Reason(
        "opt-limit",
        Effect.NOTHING,
        {"nvme_max_kb": ()},
        "dma_opt_mapping_size() is at most 2 MiB, with 64 KiB pages, and "
        "swiotlb_max_mapping_size() through dma-direct at most 256 KiB: the smaller "
        "of the two bounds the request, whichever constant nvme has.",
        {"nvme_limit_source": (LimitSource.OPT_MAPPING,)},
    ),
    Reason(
        "swiotlb-limit",
        Effect.NOTHING,
        {"nvme_max_kb": ()},
        "dma_max_mapping_size() is at most 256 KiB on every path, below every constant "
        "that nvme has.",
        {"iommu_max_mapping": (IommuMaxMapping.SWIOTLB,)},
    ),
    Reason(
        "more-is-sent",
        Effect.OUTCOME,
        {"nvme_limit_source": (LimitSource.MAX_MAPPING.name,)},
        "nvme sends requests up to swiotlb_max_mapping_size(), 252 KiB, with 4 KiB "
        "pages too, where it stopped at 128 KiB. Since swiotlb rounds size and padding "
        "together these are mapped like the smaller ones, and no property speaks of "
        "how much is sent.",
        {"rounding": (Rounding.CALLEE,)},
    ),
    Reason(
        "less-is-sent",
        Effect.OUTCOME,
        {"iommu_max_mapping": (IommuMaxMapping.SWIOTLB_ALIGN_DOWN.name,)},
        "nvme no longer sends what lies between the limit aligned down to the granule "
        "and 252 KiB. Since swiotlb rounds size and padding together these requests "
        "are mapped as they should be, and no property speaks of how much is sent.",
        {"rounding": (Rounding.CALLEE,), "iova_link": (IovaLink.ABSENT,)},
    ),
    Reason(
        "limit-without-mask",
        Effect.NOTHING,
        {"nvme_order": (NvmeOrder.MASK_FIRST.name,)},
        "swiotlb_max_mapping_size() does not look at the mask, so it is the same "
        "before and after nvme sets one.",
        {"max_mapping": (MaxMapping.SLOT_SET,)},
    ),
    Reason(
        "first-piece",
        Effect.NOTHING,
        {"iova_link": (IovaLink.EMPTY_MIDDLE.name,)},
        "Of a request through dma_iova_link() the first piece that bounces is "
        "modelled. The empty middle that one value maps and the other skips comes "
        "after it: no property speaks of it.",
        {"iova_link": (IovaLink.PRESENT,)},
    ),
    Reason(
        "no-pad-slots",
        Effect.NOTHING,
        {"pad_slots": ()},
        "The padding is less than a slot, so the number of padding slots is 0 whether "
        "it is recorded, recorded elsewhere, or not.",
        {"padding": (Padding.SLOT,)},
    ),
    Reason(
        "slot-bits-of-a",
        Effect.NOTHING,
        {"alloc_slot_aligned": ("True",)},
        "Bits of A below a slot decide nothing here: no slot's address is tested "
        "against A, the stride counts whole slots, and iotlb_align_mask leaves these "
        "bits out by itself.",
        {"predicate": (Predicate.ORIG_ADDR,)},
    ),
    Reason(
        "streaming-pages",
        Effect.OUTCOME,
        {
            "page_rule": (
                PageRule.NONE.name,
                PageRule.COMBINED_MASK.name,
                PageRule.MASK_AND.name,
            )
        },
        "For a device without masks, a streaming mapping of a page or more through "
        "dma-direct is no longer page aligned. The contract asks for page alignment of "
        "coherent allocations alone, and a device without a mask was promised nothing; "
        "some drivers rely on it all the same (14cebf689a78).",
        {"page_rule": (PageRule.UNCONSTRAINED,)},
    ),
    Reason(
        "mask-has-a",
        Effect.NOTHING,
        {"stride": ()},
        "iotlb_align_mask contains A, so the larger of the two, or of their strides, "
        "is that of iotlb_align_mask.",
        {"iotlb_mask": (IotlbMask.COMBINED,)},
    ),
    Reason(
        "same-stride",
        Effect.NOTHING,
        {"stride": (Stride.IOTLB_THEN_ALLOC.name,)},
        "The larger of the two masks' strides is the stride of the larger mask, and "
        "no page rule shifts it in between.",
        {"stride": (Stride.LARGER_MASK,)},
    ),
    Reason(
        "stride-in-the-rule",
        Effect.OUTCOME,
        {"stride": (Stride.LARGER_MASK.name,)},
        "The page rule shifts A's stride too, so that a search for a page or more "
        "steps by up to 1024 slots from an aligned start. That is too far, and an "
        "occupied area may have nothing where it looks; but an empty area has, and "
        "`finds` counts the stride of a search that starts aligned as part of the "
        "code's own alignment rule.",
        {"start": (Start.ALIGNED,), "iotlb_mask": (IotlbMask.ABOVE_ALLOC,)},
    ),
    Reason(
        "order-aligned",
        Effect.NOTHING,
        {"alloc_page_check": ()},
        "swiotlb_alloc() asks for the alignment of the size's page order, so what it "
        "gets is page aligned and the check never fails.",
        {"alloc_align": (AllocAlign.PAGE_ORDER,)},
    ),
    Reason(
        "start-aligned",
        Effect.NOTHING,
        {"alloc_page_check": (AllocPageCheck.FAIL.name,)},
        "The search for a coherent allocation starts aligned to a stride of pages and "
        "never leaves it, as orig_addr 0 is not compared: what it finds is page "
        "aligned and the check never fails.",
        {"start": (Start.ALIGNED,)},
    ),
    Reason(
        "same-size-back",
        Effect.NOTHING,
        {"release_size": ()},
        "With padding below a slot and the caller rounding, the size that the caller "
        "gives back and the size kept in the slot stand for the same slots.",
        {"padding": (Padding.SLOT,), "rounding": (Rounding.CALLER,)},
    ),
    Reason(
        "inside-the-mapping",
        Effect.NOTHING,
        {"bounce_check": (BounceCheck.NONE.name, BounceCheck.SIGNED.name)},
        "The signed check only cuts a copy off where the mapping ends, and the syncs "
        "asked about end inside it.",
        {"bounce_check": (BounceCheck.NONE, BounceCheck.SIGNED)},
    ),
)


def reason_of(mutant: Mutant) -> Reason | None:
    """The first reason that covers ``mutant``."""
    return next((reason for reason in REASONS if reason.covers(mutant)), None)
