# SPDX-License-Identifier: GPL-2.0-only
"""Who can meet a counterexample, and what it does to them."""

from __future__ import annotations

from bounceproof.models.contract import Property
from bounceproof.models.request import Cell, Path, PoolKind
from bounceproof.report.text import size_text

EFFECT = {
    Property.FITS: "The mapping fails, and again however often it is tried, though the "
    "pool is empty. Block I/O that needs it ends in an error.",
    Property.FINDS: "The mapping fails although slots for it are free. Other I/O that "
    "ends may let a later try through.",
    Property.HALTS: "A CPU spins for ever with the area's lock held and interrupts "
    "off; others that search the area join it.",
    Property.ALIGNED: "The device gets an address with other low bits than its "
    "driver relies on, and transfers to the wrong place.",
    Property.OWNED: "The device can read and write memory of other mappings, or of the "
    "kernel, through the IOMMU.",
    Property.EXCLUSIVE: "Two mappings hold the same memory: each overwrites the data "
    "of the other.",
    Property.INBOUNDS: "The kernel copies outside of the mapping's buffers: memory of "
    "others is read or overwritten.",
    Property.RETURNED: "Slots are lost, or given back while in use: the pool fills up, "
    "or is corrupted.",
    Property.CLEAN: "The device sees old data of others, or data that it never wrote "
    "reaches the original buffer.",
}
"""What breaking a property does to a running system."""

_PATHS = {
    Path.DIRECT: "all DMA of the device bounces: swiotlb=force, a confidential guest, "
    "or memory that it cannot address",
    Path.IOMMU: "an untrusted device (external, as firmware says of Thunderbolt and "
    "USB4 ports) behind an IOMMU",
    Path.ALLOC: "a coherent allocation of a device with a restricted DMA pool",
    Path.LINK: "an untrusted device behind an IOMMU, with a driver that maps by "
    "dma_iova_link()",
}
_POOLS = {
    PoolKind.DEFAULT: "",
    PoolKind.GROWN: ", CONFIG_SWIOTLB_DYNAMIC and a pool that was added later",
    PoolKind.TRANSIENT: ", CONFIG_SWIOTLB_DYNAMIC and a pool made for the request",
}


def who(cell: Cell, device: str) -> str:
    """The machines that can meet a request of ``cell``, in a sentence."""
    granule = ""
    if cell.path.has_granule:
        granule = f" with a granule of {size_text(cell.granule)}"
    pages = f"pages of {size_text(cell.page_size)}"
    where = f"{_PATHS[cell.path]}{granule}"
    return f"{device}, with {pages}: {where}{_POOLS[cell.pool_kind]}."
