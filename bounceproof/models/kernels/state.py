# SPDX-License-Identifier: GPL-2.0-only
"""A kernel state: one version of the code as named decision points.

Each enum below is a decision point that differs between releases or fixes.  Its
members say what the code does in the kernel's own terms: ``m`` is the device's
min_align_mask, ``A`` the alloc_align_mask argument, ``T`` the bytes handed to the
slot search, ``P`` PAGE_SIZE, and ``low`` is IO_TLB_SIZE - 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class LimitSource(StrEnum):
    """What nvme-pci derives max_hw_sectors from."""

    MAX_MAPPING = "dma_max_mapping_size"
    OPT_MAPPING = "dma_opt_mapping_size"


class NvmeAlignMask(StrEnum):
    """The mask nvme-pci passes to dma_set_min_align_mask()."""

    CTRL_PAGE = "NVME_CTRL_PAGE_SIZE - 1"
    PAGE = "PAGE_SIZE - 1"


class NvmeOrder(StrEnum):
    """Whether nvme-pci sets its mask before it asks for the limit at first reset."""

    MASK_FIRST = "mask, then limit"
    LIMIT_FIRST = "limit, then mask: the first limit is that of m = 0"


class MapCopy(StrEnum):
    """When swiotlb_tbl_map_single() copies the original bytes in."""

    ALWAYS = "always"
    DEVICE_READS = "where the device may read"


class IommuMaxMapping(StrEnum):
    """iommu_dma_ops.max_mapping_size for an untrusted device."""

    ABSENT = "no operation: SIZE_MAX"
    SWIOTLB = "swiotlb_max_mapping_size"
    SWIOTLB_ALIGN_DOWN = "swiotlb_max_mapping_size, aligned down to the granule"


class MaxMapping(StrEnum):
    """swiotlb_max_mapping_size()."""

    SLOT_SET = "a slot set"
    SLOT_SET_LESS_MIN_ALIGN = "a slot set less roundup(m, IO_TLB_SIZE)"


class Rounding(StrEnum):
    """Who rounds the size up to the IOMMU granule."""

    CALLER = "dma-iommu rounds the size, the padding comes on top"
    CALLEE = "swiotlb_tbl_map_single rounds size plus padding"


class Padding(StrEnum):
    """Which bits of orig_addr & m become pre-padding."""

    SLOT = "bits below IO_TLB_SIZE"
    ALLOC = "bits below IO_TLB_SIZE and bits of A"


class PadSlots(StrEnum):
    """How the number of padding slots reaches swiotlb_release_slots()."""

    NONE = "not recorded"
    RECORDED = "recorded in the first slot after the padding"
    UNINITIALISED = "recorded at an uninitialised index"


class PageRule(StrEnum):
    """What T >= P changes in the search."""

    NONE = "nothing"
    STRIDE_SHIFT = "stride = max(stride, stride << (PAGE_SHIFT - IO_TLB_SHIFT))"
    COMBINED_MASK = "page bits join the mask compared with orig_addr"
    ALLOC_MASK = "A |= P - 1"
    STRIDE_COUNT = "stride = max(stride, PAGE_SHIFT - IO_TLB_SHIFT + 1)"
    UNCONSTRAINED = "A = P - 1 where A and m are 0"
    MASK_AND = "page bits leave the mask, which is ANDed with A"


class IotlbMask(StrEnum):
    """How iotlb_align_mask is derived from m."""

    ABOVE_SLOT = "m & ~low"
    ABOVE_ALLOC = "m & ~(A | low)"
    COMBINED = "(m | A | page bits) & ~low"
    COMBINED_AND = "m & ~low & A"
    NOT_SLOT_SIZE = "m & ~IO_TLB_SIZE"
    WHOLE = "m"


class Predicate(StrEnum):
    """When the address of a slot is admissible."""

    ORIG_ADDR = "its iotlb_align_mask bits equal orig_addr's"
    ALLOC_AND_ORIG_ADDR = (
        "its A bits are 0 and its iotlb_align_mask bits equal orig_addr's"
    )


class ZeroOrigAddr(StrEnum):
    """Whether orig_addr 0 is compared."""

    COMPARED = "as any other"
    SKIPPED = "not compared: stands for no address"


class Stride(StrEnum):
    """How far the search steps from a slot that does not fit."""

    IOTLB_MASK = "(iotlb_align_mask >> IO_TLB_SHIFT) + 1"
    IOTLB_THEN_ALLOC = "of iotlb_align_mask and the page rule, at least A's"
    LARGER_MASK = "of the larger of A and iotlb_align_mask"


class Start(StrEnum):
    """Where the search starts."""

    ALIGNED = "area->index aligned up to the stride"
    RAW = "area->index"


class End(StrEnum):
    """When the search gives up."""

    AT_START = "when the index comes back to where it started"
    COUNTED = "when slots_checked reaches the area's slots"


class Inadmissible(StrEnum):
    """What follows an inadmissible slot."""

    SKIP = "the next slot"
    FALL_THROUGH = "the list test, on the inadmissible slot"


class AllocAlign(StrEnum):
    """alloc_align_mask that swiotlb_alloc() asks for."""

    NONE = "0"
    PAGE_ORDER = "the size's page order"


class AllocPageCheck(StrEnum):
    """What swiotlb_alloc() does with a buffer that is not page aligned."""

    NONE = "hands it out"
    FAIL = "warns and fails"


class Areas(StrEnum):
    """How a pool is divided."""

    SINGLE = "one area"
    UNLIMITED = "areas, never fewer than asked for"
    LIMITED_LATE = "areas, limited to slot sets except in early boot"
    LIMITED = "areas, limited to the pool's slot sets"


class ListInit(StrEnum):
    """list[] of an empty pool."""

    SEGMENT = "slots to the end of the slot set"
    CLAMPED = "slots to the end of the slot set or the pool"


class ReleaseSize(StrEnum):
    """Where swiotlb_release_slots() takes the size from."""

    CALLER = "the caller"
    STORED = "the slot"


class BounceCheck(StrEnum):
    """How swiotlb_bounce() treats an address inside the mapping."""

    NONE = "unchecked"
    UNSIGNED = "an offset below the padding is refused"
    SIGNED = "the offset may be negative"


class Zeroing(StrEnum):
    """What dma-iommu zeroes around a bounced buffer."""

    NONE = "dma-iommu does not bounce"
    ROUNDED_SIZE = "the rounded-up tail; all of it unless the device reads"
    PADDING_UNTRUSTED = "the granule's pre- and post-padding, for untrusted devices"


class IommuBounce(StrEnum):
    """Whether dma-iommu bounces."""

    NONE = "never"
    UNALIGNED = "unaligned requests of untrusted devices"


class MaskAboveGranule(StrEnum):
    """What __iommu_dma_map() does where m exceeds the granule."""

    IGNORED = "maps"
    REFUSED = "warns and fails"


class IovaLink(StrEnum):
    """Whether dma_iova_link() exists, and its zero-length middle."""

    ABSENT = "absent"
    EMPTY_MIDDLE = "maps an empty middle"
    PRESENT = "skips an empty middle"


class Pools(StrEnum):
    """Which pools a mapping may come from."""

    STATIC = "the default pool"
    DYNAMIC = "grown and transient pools too, with CONFIG_SWIOTLB_DYNAMIC"
    DYNAMIC_SIZE_CHECK = "as DYNAMIC; T above a slot set fails at once"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a state or fix comes from: release, commit, author, link."""

    release: str
    commit: str
    author: str
    link: str
    summary: str

    @property
    def merged(self) -> bool:
        """Whether it is one commit of mainline, and no series."""
        return len(self.commit.split()) == 1 and self.release.startswith("v")


@dataclass(frozen=True, slots=True)
class KernelState:
    """One version of the code.  Every field but the first two is a decision point."""

    name: str
    origin: Origin
    areas: Areas
    pools: Pools
    list_init: ListInit
    nvme_max_kb: int
    nvme_limit_source: LimitSource
    nvme_align_mask: NvmeAlignMask
    nvme_order: NvmeOrder
    iommu_bounce: IommuBounce
    iommu_max_mapping: IommuMaxMapping
    mask_above_granule: MaskAboveGranule
    zeroing: Zeroing
    iova_link: IovaLink
    max_mapping: MaxMapping
    rounding: Rounding
    padding: Padding
    pad_slots: PadSlots
    alloc_slot_aligned: bool
    page_rule: PageRule
    iotlb_mask: IotlbMask
    predicate: Predicate
    zero_orig_addr: ZeroOrigAddr
    stride: Stride
    start: Start
    end: End
    inadmissible: Inadmissible
    alloc_align: AllocAlign
    alloc_page_check: AllocPageCheck
    release_size: ReleaseSize
    bounce_check: BounceCheck
    map_copy: MapCopy

    def decisions(self) -> dict[str, object]:
        """Name and value of every decision point."""
        return {name: getattr(self, name) for name in DECISION_POINTS}

    def with_(self, name: str, **changes: object) -> KernelState:
        """This state under another name, with some decision points changed."""
        return replace(self, name=name, **changes)  # type: ignore[arg-type]


DECISION_POINTS = tuple(
    f.name for f in fields(KernelState) if f.name not in ("name", "origin")
)
