# SPDX-License-Identifier: GPL-2.0-only
"""The contract: its properties, each in words and in a few of them."""

from __future__ import annotations

from enum import StrEnum


class Property(StrEnum):
    """The properties of the contract, as design and reports name them."""

    FITS = "fits"
    FINDS = "finds"
    HALTS = "halts"
    ALIGNED = "aligned"
    OWNED = "owned"
    EXCLUSIVE = "exclusive"
    INBOUNDS = "inbounds"
    RETURNED = "returned"
    CLEAN = "clean"


MEANING = {
    Property.FITS: "every request within the driver's limit is satisfied by an "
    "empty pool, for every address, pool placement and start index",
    Property.FINDS: "if the area holds a free run that the code's own alignment "
    "rule accepts, the search returns one",
    Property.HALTS: "the search ends, whatever the area holds",
    Property.ALIGNED: "tlb_addr keeps the min_align_mask bits of orig_addr, the "
    "allocation starts at a multiple of alloc_align_mask + 1, and a coherent "
    "allocation of a page or more is page aligned",
    Property.OWNED: "every IOMMU granule the device can reach through the mapping "
    "holds only slots of that mapping",
    Property.EXCLUSIVE: "no slot belongs to two live mappings: what the caller may "
    "use lies in the slots taken",
    Property.INBOUNDS: "every copy, and all that is zeroed, stays inside the "
    "mapping's slots and inside the original buffer, partial syncs included",
    Property.RETURNED: "unmapping frees exactly the slots that the mapping took",
    Property.CLEAN: "the device sees no stale byte in the padding it can reach, and "
    "a partial device write loses no byte",
}

BRIEFLY = {
    Property.FITS: "every request within the driver's limit fits an empty pool",
    Property.FINDS: "no missed free run: what is free and admissible is found",
    Property.HALTS: "the search ends",
    Property.ALIGNED: "address bits below min_align_mask and alignments are kept",
    Property.OWNED: "isolation: the device reaches no slot of another mapping",
    Property.EXCLUSIVE: "no slot belongs to two live mappings",
    Property.INBOUNDS: "every copy stays inside the slots and the original buffer",
    Property.RETURNED: "unmapping frees exactly the slots that were taken",
    Property.CLEAN: "no stale data: the device sees no old byte, and none is lost",
}
