# SPDX-License-Identifier: GPL-2.0-only
"""Fixes before and after the 2024 alignment work."""

from __future__ import annotations

from bounceproof.models.kernels import state as s
from bounceproof.models.kernels.fix import Fix
from bounceproof.models.kernels.state import Origin

FIXES_OTHER: tuple[Fix, ...] = (
    Fix(
        name="yu-loop-counter",
        origin=Origin(
            release="v6.3-rc4",
            commit="7c3940bf81e5664cdb50c3fedfec8f0a756a34fb",
            author="GuoRui.Yu <GuoRui.Yu@linux.alibaba.com>",
            link="https://lore.kernel.org/r/20230315144737.GA28864@lst.de",
            summary=(
                "ends the search after as many steps as the area has slots, "
                "not on return to the start"
            ),
        ),
        changes={
            "end": s.End.COUNTED,
        },
        expects={
            "end": (s.End.AT_START,),
        },
    ),
    Fix(
        name="tesarik-alignment-checks",
        origin=Origin(
            release="v6.3-rc4 (queued for 6.1.23 and 6.2.10, dropped)",
            commit="0eee5ae1025699ea93d44fdb6ef2365505082103",
            author="Petr Tesarik <petr.tesarik.ext@huawei.com>",
            link="https://lore.kernel.org/r/c90887e4d75344abe219cc5e12f7c6dab980cfce.1679382779.git.petr.tesarik.ext@huawei.com",
            summary=(
                "one mask, but combined by AND: dma-direct loses all "
                "alignment; the search starts unaligned"
            ),
        ),
        changes={
            "iotlb_mask": s.IotlbMask.COMBINED_AND,
            "page_rule": s.PageRule.MASK_AND,
            "stride": s.Stride.IOTLB_MASK,
            "start": s.Start.RAW,
        },
        expects={
            "iotlb_mask": (s.IotlbMask.ABOVE_SLOT,),
            "page_rule": (s.PageRule.STRIDE_SHIFT,),
            "stride": (s.Stride.IOTLB_THEN_ALLOC,),
            "start": (s.Start.ALIGNED,),
            "end": (s.End.COUNTED,),
        },
    ),
    Fix(
        name="tesarik-braino",
        origin=Origin(
            release="v6.3-rc7",
            commit="bbb73a103fbbed6f63cb738d3783261c4241b4b2",
            author="Petr Tesarik <petr.tesarik.ext@huawei.com>",
            link="https://lore.kernel.org/r/20230406143539.25-1-petrtesarik@huaweicloud.com",
            summary="combines the masks by OR; the result is compared with orig_addr",
        ),
        changes={
            "iotlb_mask": s.IotlbMask.COMBINED,
            "page_rule": s.PageRule.COMBINED_MASK,
        },
        expects={
            "iotlb_mask": (s.IotlbMask.COMBINED_AND,),
            "page_rule": (s.PageRule.MASK_AND,),
        },
    ),
    Fix(
        name="lan-max-mapping",
        origin=Origin(
            release="v5.19-rc1 (5.10.147, 5.15.y late Sep 2022)",
            commit="82806744fd7dde603b64c151eeddaa4ee62193fd",
            author="Tianyu Lan <Tianyu.Lan@microsoft.com>",
            link="https://lore.kernel.org/r/20220510142109.777738-1-ltykernel@gmail.com",
            summary="the maximum gives up min_align_mask rounded up to slots",
        ),
        changes={
            "max_mapping": s.MaxMapping.SLOT_SET_LESS_MIN_ALIGN,
        },
        expects={
            "max_mapping": (s.MaxMapping.SLOT_SET,),
        },
    ),
    Fix(
        name="lan-areas",
        origin=Origin(
            release="v6.0-rc1",
            commit="20347fca71a387a3751f7bb270062616ddc5317a",
            author="Tianyu Lan <Tianyu.Lan@microsoft.com>",
            link="",
            summary="splits the pool and its lock into areas",
        ),
        changes={
            "areas": s.Areas.UNLIMITED,
        },
        expects={
            "areas": (s.Areas.SINGLE,),
        },
    ),
    Fix(
        name="tesarik-limit-areas",
        origin=Origin(
            release="v6.5-rc2 (6.1.40, 6.4.5)",
            commit="8ac04063354a01a484d2e55d20ed1958aa0d3392",
            author="Petr Tesarik <petr.tesarik.ext@huawei.com>",
            link="https://lore.kernel.org/r/097dffeb406cef6596499c8dbdafb28d05f7501b.1687784289.git.petr.tesarik.ext@huawei.com",
            summary=(
                "limits the number of areas to the pool's slot sets; early "
                "boot computes the limit and does not use it"
            ),
        ),
        changes={
            "areas": s.Areas.LIMITED_LATE,
        },
        expects={
            "areas": (s.Areas.UNLIMITED,),
        },
    ),
    Fix(
        name="lagerwall-calculated-areas",
        origin=Origin(
            release="v6.6-rc4 (6.5.6; not 6.1.y)",
            commit="a6a241764f69c62d23fc6960920cc662ae4069e9",
            author="Ross Lagerwall <ross.lagerwall@citrix.com>",
            link="https://git.kernel.org/torvalds/c/a6a241764f69c62d23fc6960920cc662ae4069e9",
            summary="early boot uses the limited number of areas",
        ),
        changes={
            "areas": s.Areas.LIMITED,
        },
        expects={
            "areas": (s.Areas.LIMITED_LATE,),
        },
    ),
    Fix(
        name="tesarik-dynamic",
        origin=Origin(
            release="v6.6-rc1",
            commit="79636caad3618e2b38457f6e298c9b31ba82b489",
            author="Petr Tesarik <petr.tesarik1@huawei-partners.com>",
            link="",
            summary="grown and transient pools",
        ),
        changes={
            "pools": s.Pools.DYNAMIC,
        },
        expects={
            "pools": (s.Pools.STATIC,),
        },
    ),
    Fix(
        name="tesarik-area-contention",
        origin=Origin(
            release="v6.8-rc1",
            commit="55c543865b76830f524ce5ce1243266a93d06f84",
            author="Petr Tesarik <petr.tesarik1@huawei-partners.com>",
            link="https://lore.kernel.org/r/20231201121352.195-1-petrtesarik@huaweicloud.com",
            summary=(
                "tries one area of every pool before the next area; with "
                "dynamic pools more than a slot set fails at once"
            ),
        ),
        changes={
            "pools": s.Pools.DYNAMIC_SIZE_CHECK,
        },
        expects={
            "pools": (s.Pools.DYNAMIC,),
        },
    ),
    Fix(
        name="tesarik-list-clamp",
        origin=Origin(
            release="v6.7-rc2 (6.6.3); CVE-2023-52790",
            commit="53c87e846e335e3c18044c397cc35178163d7827",
            author="Petr Tesarik <petr.tesarik1@huawei-partners.com>",
            link="https://lore.kernel.org/r/20231108111249.261-1-petrtesarik@huaweicloud.com",
            summary="a free run ends with the pool, not only with the slot set",
        ),
        changes={
            "list_init": s.ListInit.CLAMPED,
        },
        expects={
            "list_init": (s.ListInit.SEGMENT,),
        },
    ),
    Fix(
        name="nvme-opt-size",
        origin=Origin(
            release="v6.4-rc (April/May 2023; AUTOSEL for 6.3.y 2023-05-25)",
            commit="3710e2b056cb92ad816e4d79fa54a6a5b6ad8cbd",
            author="Adrian Huang <ahuang12@lenovo.com>",
            link="https://lore.kernel.org/r/20230525183144.1717540-3-sashal@kernel.org",
            summary="nvme-pci takes dma_opt_mapping_size() as its limit",
        ),
        changes={
            "nvme_limit_source": s.LimitSource.OPT_MAPPING,
        },
        expects={
            "nvme_limit_source": (s.LimitSource.MAX_MAPPING,),
        },
    ),
    Fix(
        name="nvme-8m",
        origin=Origin(
            release="v6.3-rc1",
            commit="7846c1b5a5db8bb8475603069df7c7af034fd081",
            author="Keith Busch <kbusch@kernel.org>",
            link="https://git.kernel.org/torvalds/c/7846c1b5a5db8bb8475603069df7c7af034fd081",
            summary=(
                "descriptor addresses move into the request, so 128 segments "
                "and 8 MiB fit"
            ),
        ),
        changes={
            "nvme_max_kb": 8192,
        },
        expects={
            "nvme_max_kb": (4096,),
        },
    ),
    Fix(
        name="romanovsky-iova-link",
        origin=Origin(
            release="v6.16-rc1",
            commit="433a76207dcf5facc0183acb790f6e8398585258",
            author="Leon Romanovsky <leonro@nvidia.com>",
            link="https://lore.kernel.org/r/2d6ca43ef8d26177d7674b9e3bdf0fe62b55a7ed.1745394536.git.leon@kernel.org",
            summary=(
                "links IOVA ranges piece by piece; bounces the unaligned head and tail"
            ),
        ),
        changes={
            "iova_link": s.IovaLink.EMPTY_MIDDLE,
        },
        expects={
            "iova_link": (s.IovaLink.ABSENT,),
        },
    ),
    Fix(
        name="gunthorpe-empty-middle",
        origin=Origin(
            release="v7.1 (pull dma-mapping-7.1-2026-06-11; 6.18.y, 7.0.y)",
            commit="6ec91df8aff77e2e8fe3179c1f3fc15b43a40ba3",
            author="Jason Gunthorpe <jgg@nvidia.com>",
            link="https://lore.kernel.org/r/0-v1-8536728bc89f+469-swiotlb_warn_jgg@nvidia.com",
            summary=(
                "skips an empty middle, and unwinds from this call's offset "
                "instead of 0 and only what it mapped"
            ),
        ),
        changes={
            "iova_link": s.IovaLink.PRESENT,
        },
        expects={
            "iova_link": (s.IovaLink.EMPTY_MIDDLE,),
        },
    ),
    Fix(
        name="murphyt-iommu-bounce",
        origin=Origin(
            release="v5.11",
            commit="82612d66d51d",
            author="Tom Murphy <murphyt7@tcd.ie>",
            link="",
            summary=(
                "dma-iommu bounces unaligned requests of untrusted devices, "
                "without a max_mapping_size operation"
            ),
        ),
        changes={
            "iommu_bounce": s.IommuBounce.UNALIGNED,
            "zeroing": s.Zeroing.ROUNDED_SIZE,
        },
        expects={
            "iommu_bounce": (s.IommuBounce.NONE,),
            "zeroing": (s.Zeroing.NONE,),
        },
    ),
    Fix(
        name="stevens-aligned",
        origin=Origin(
            release="v5.16-rc1",
            commit="e81e99bacc9f9347bda7808a949c1ce9fcc2bbf4",
            author="David Stevens <stevensd@chromium.org>",
            link="https://lore.kernel.org/r/20210929023300.335969-7-stevensd@google.com",
            summary="alloc_align_mask reaches the search, in the stride alone",
        ),
        changes={
            "stride": s.Stride.IOTLB_THEN_ALLOC,
        },
        expects={
            "stride": (s.Stride.IOTLB_MASK,),
        },
    ),
    Fix(
        name="restricted-pool",
        origin=Origin(
            release="v5.15",
            commit="f4111e39a52a",
            author="Claire Chang <tientzu@chromium.org>",
            link="",
            summary="adds swiotlb_alloc and skips the comparison for orig_addr 0",
        ),
        changes={
            "zero_orig_addr": s.ZeroOrigAddr.SKIPPED,
        },
        expects={
            "zero_orig_addr": (s.ZeroOrigAddr.COMPARED,),
        },
    ),
    Fix(
        name="bhatnagar-nvme-order",
        origin=Origin(
            release="v6.1-rc (6.0.2, 5.10.150)",
            commit="61ce339f19fabbc3e51237148a7ef6f2270e44fa",
            author="Rishabh Bhatnagar <risbhat@amazon.com>",
            link="https://git.kernel.org/torvalds/c/61ce339f19fabbc3e51237148a7ef6f2270e44fa",
            summary=("nvme-pci sets min_align_mask before it asks for the maximum"),
        ),
        changes={
            "nvme_order": s.NvmeOrder.MASK_FIRST,
        },
        expects={
            "nvme_order": (s.NvmeOrder.LIMIT_FIRST,),
        },
    ),
    Fix(
        name="torvalds-copy-always",
        origin=Origin(
            release="v5.18 (5.16.15 by way of its predecessors)",
            commit="901c7280ca0d",
            author="Linus Torvalds",
            link="https://git.kernel.org/torvalds/c/901c7280ca0d",
            summary="the original bytes are copied at map time whatever the direction",
        ),
        changes={
            "map_copy": s.MapCopy.ALWAYS,
        },
        expects={
            "map_copy": (s.MapCopy.DEVICE_READS,),
        },
    ),
    Fix(
        name="kelley-partial-sync",
        origin=Origin(
            release="v6.9-rc4 (not in 6.6.y, not in 6.1.y)",
            commit="e8068f2d756d57a5206fa3180ade365a8c12ed85",
            author="Michael Kelley <mhklinux@outlook.com>",
            link="https://lore.kernel.org/r/20240327034548.1959-1-mhklinux@outlook.com",
            summary=(
                "a sync may start in the first padding bytes of the second "
                "slot or later: the offset is signed, two refusals go"
            ),
        ),
        changes={
            "bounce_check": s.BounceCheck.SIGNED,
        },
        expects={
            "bounce_check": (s.BounceCheck.UNSIGNED,),
        },
    ),
    Fix(
        name="kelley-callee-rounds",
        origin=Origin(
            release="v6.10-rc1",
            commit="327e2c97c46a4d971c5450a9d05b4a673f46c4da",
            author="Michael Kelley <mhklinux@outlook.com>",
            link="https://lore.kernel.org/r/20240408041142.665563-1-mhklinux@outlook.com",
            summary=(
                "swiotlb rounds size plus padding to the allocation mask "
                "itself; the message prints the rounded total; warns where "
                "the mask exceeds a page"
            ),
        ),
        changes={
            "rounding": s.Rounding.CALLEE,
        },
        expects={
            "rounding": (s.Rounding.CALLER,),
        },
    ),
    Fix(
        name="kelley-padding",
        origin=Origin(
            release="v6.10-rc1",
            commit="2650073f1b5858008c32712f3d9e1e808ce7e967",
            author="Michael Kelley <mhklinux@outlook.com>",
            link="https://lore.kernel.org/r/20240408041142.665563-2-mhklinux@outlook.com",
            summary=(
                "zeroes pre- and post-padding of the granules, for untrusted "
                "devices alone, and leaves the data"
            ),
        ),
        changes={
            "zeroing": s.Zeroing.PADDING_UNTRUSTED,
        },
        expects={
            "zeroing": (s.Zeroing.ROUNDED_SIZE,),
        },
    ),
)
