# SPDX-License-Identifier: GPL-2.0-only
"""Fixes of the 2024 alignment work that stand alone."""

from __future__ import annotations

from bounceproof.models.kernels import state as s
from bounceproof.models.kernels.fix import Fix
from bounceproof.models.kernels.state import Origin

FIXES_2024: tuple[Fix, ...] = (
    Fix(
        name="nicolin-v1-1",
        origin=Origin(
            release="posted 2024-02-13, merged reworked as afc5aa46ed56 in v6.9",
            commit="",
            author="Nicolin Chen <nicolinc@nvidia.com>",
            link="https://lore.kernel.org/r/ee51a3a5c32cf885b18f6416171802669f4a718a.1707851466.git.nicolinc@nvidia.com",
            summary=(
                "gives dma-iommu a max_mapping_size operation: the swiotlb "
                "maximum where swiotlb is active and the device untrusted, "
                "else SIZE_MAX"
            ),
        ),
        changes={
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB,
        },
        expects={
            "iommu_max_mapping": (s.IommuMaxMapping.ABSENT,),
        },
    ),
    Fix(
        name="nicolin-v1-2",
        origin=Origin(
            release="posted 2024-02-13, not merged",
            commit="",
            author="Nicolin Chen <nicolinc@nvidia.com>",
            link="https://lore.kernel.org/r/60bdcc29a2bcf12c6ab95cf0ea480d67c41c51e7.1707851466.git.nicolinc@nvidia.com",
            summary=(
                "nvme-pci asks for a whole CPU page as min_align_mask instead "
                "of the controller page"
            ),
        ),
        changes={
            "nvme_align_mask": s.NvmeAlignMask.PAGE,
        },
        expects={
            "nvme_align_mask": (s.NvmeAlignMask.CTRL_PAGE,),
        },
    ),
    Fix(
        name="nicolin-align-down",
        origin=Origin(
            release="reply of 2024-02-14, not merged",
            commit="",
            author="Nicolin Chen <nicolinc@nvidia.com>",
            link="https://lore.kernel.org/r/ZcxZD2GXmR5+vC%2Fk@Asurada-Nvidia",
            summary=(
                "replaces nicolin-v1-1 (and makes v1-2 unnecessary): the "
                "swiotlb maximum aligned down to the IOVA granule of the "
                "attached domain; SIZE_MAX without a domain, an active "
                "swiotlb, or for a trusted device"
            ),
        ),
        changes={
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB_ALIGN_DOWN,
        },
        expects={
            "iommu_max_mapping": (
                s.IommuMaxMapping.ABSENT,
                s.IommuMaxMapping.SWIOTLB,
            ),
        },
    ),
    Fix(
        name="deacon-double-allocation",
        origin=Origin(
            release="v6.9-rc1 (6.6.24, 6.7.12, 6.8.3); CVE-2024-35814",
            commit="04867a7a33324c9c562ee7949dbcaab7aaad1fb4",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-2-will@kernel.org",
            summary=(
                "splits the allocation mask, which must be zero, from the "
                "device mask, which must match"
            ),
        ),
        changes={
            "predicate": s.Predicate.ALLOC_AND_ORIG_ADDR,
            "stride": s.Stride.LARGER_MASK,
            "iotlb_mask": s.IotlbMask.ABOVE_SLOT,
            "page_rule": s.PageRule.STRIDE_COUNT,
        },
        expects={
            "predicate": (s.Predicate.ORIG_ADDR,),
            "stride": (s.Stride.IOTLB_MASK,),
            "iotlb_mask": (s.IotlbMask.COMBINED,),
            "page_rule": (s.PageRule.COMBINED_MASK,),
        },
    ),
    Fix(
        name="deacon-page-check",
        origin=Origin(
            release="v6.9-rc1 (6.6.35)",
            commit="823353b7cf0ea9dfb09f5181d5fb2825d727200b",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-3-will@kernel.org",
            summary=(
                "swiotlb_alloc warns, releases the slots and fails where the "
                "address is not page aligned"
            ),
        ),
        changes={
            "alloc_page_check": s.AllocPageCheck.FAIL,
        },
        expects={
            "alloc_page_check": (s.AllocPageCheck.NONE,),
        },
    ),
    Fix(
        name="deacon-coherent-alignment",
        origin=Origin(
            release="v6.9-rc1 (6.6.24, 6.7.12, 6.8.3)",
            commit="cbf53074a528191df82b4dba1e3d21191102255e",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-4-will@kernel.org",
            summary="swiotlb_alloc asks for the alignment of the size's page order",
        ),
        changes={
            "alloc_align": s.AllocAlign.PAGE_ORDER,
        },
        expects={
            "alloc_align": (s.AllocAlign.NONE,),
        },
    ),
    Fix(
        name="deacon-both-masks",
        origin=Origin(
            release="v6.9-rc1 (5.15.154, 6.1.84, 6.6.24, 6.7.12, 6.8.3)",
            commit="51b30ecb73b481d5fac6ccf2ecb4a309c9ee3310",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-5-will@kernel.org",
            summary=(
                "allocation mask covers at least a slot; the device mask "
                "drops the bits it covers, losing those above a slot"
            ),
        ),
        changes={
            "iotlb_mask": s.IotlbMask.ABOVE_ALLOC,
            "alloc_slot_aligned": True,
        },
        expects={
            "iotlb_mask": (s.IotlbMask.ABOVE_SLOT,),
            "alloc_slot_aligned": (False,),
        },
    ),
    Fix(
        name="chen-iommu-max",
        origin=Origin(
            release="v6.9-rc1 (5.15.154, 6.1.84, 6.6.24, 6.7.12, 6.8.3)",
            commit="afc5aa46ed560f01ceda897c053c6a40c77ce5c4",
            author="Nicolin Chen <nicolinc@nvidia.com>",
            link="https://lore.kernel.org/r/20240308152829.25754-6-will@kernel.org",
            summary=(
                "dma-iommu limits an untrusted device to the swiotlb maximum; "
                "no is_swiotlb_active test"
            ),
        ),
        changes={
            "iommu_max_mapping": s.IommuMaxMapping.SWIOTLB,
        },
        expects={
            "iommu_max_mapping": (s.IommuMaxMapping.ABSENT,),
        },
    ),
    Fix(
        name="deacon-page-alignment",
        origin=Origin(
            release="v6.9-rc1 (6.6.35)",
            commit="14cebf689a78e8a1c041138af221ef6eac6bc7da",
            author="Will Deacon <will@kernel.org>",
            link="https://lore.kernel.org/r/20240308152829.25754-7-will@kernel.org",
            summary=(
                "a page or more gets a page allocation mask where neither "
                "mask is set; the stride rule goes"
            ),
        ),
        changes={
            "page_rule": s.PageRule.UNCONSTRAINED,
        },
        expects={
            "page_rule": (s.PageRule.STRIDE_COUNT,),
        },
    ),
    Fix(
        name="petr-prepad-v2",
        origin=Origin(
            release="posted 2024-03-18, superseded",
            commit="",
            author="Petr Tesarik <petr.tesarik1@huawei-partners.com>",
            link="https://lore.kernel.org/r/20240318130447.594-2-petrtesarik@huaweicloud.com",
            summary=(
                "pre-padding up to the allocation mask, but the number of "
                "padding slots is taken from a loop counter not yet set"
            ),
        ),
        changes={
            "padding": s.Padding.ALLOC,
            "pad_slots": s.PadSlots.UNINITIALISED,
        },
        expects={
            "padding": (s.Padding.SLOT,),
            "pad_slots": (s.PadSlots.NONE,),
        },
    ),
    Fix(
        name="petr-prepad",
        origin=Origin(
            release="v6.9-rc4 (6.6.35)",
            commit="af133562d5aff41fcdbe51f1a504ae04788b5fc0",
            author="Petr Tesarik <petr.tesarik1@huawei-partners.com>",
            link="https://lore.kernel.org/r/20240325083105.658-2-petrtesarik@huaweicloud.com",
            summary=(
                "pre-padding up to the allocation mask, whole slots of it "
                "recorded for release"
            ),
        ),
        changes={
            "padding": s.Padding.ALLOC,
            "pad_slots": s.PadSlots.RECORDED,
        },
        expects={
            "padding": (
                s.Padding.SLOT,
                s.Padding.ALLOC,
            ),
            "pad_slots": (
                s.PadSlots.NONE,
                s.PadSlots.UNINITIALISED,
            ),
        },
    ),
    Fix(
        name="murphy-refuse",
        origin=Origin(
            release="v6.9-rc1 (no stable)",
            commit="e2addba4930558a6f37a2e4b2cb6f726638a6dce",
            author="Robin Murphy <robin.murphy@arm.com>",
            link="https://lore.kernel.org/r/dbb4d2d8e5d1691ac9a6c67e9758904e6c447ba5.1709553942.git.robin.murphy@arm.com",
            summary=(
                "__iommu_dma_map warns once and fails where min_align_mask "
                "exceeds the IOVA mask, before it maps anything"
            ),
        ),
        changes={
            "mask_above_granule": s.MaskAboveGranule.REFUSED,
        },
        expects={
            "mask_above_granule": (s.MaskAboveGranule.IGNORED,),
        },
    ),
)
