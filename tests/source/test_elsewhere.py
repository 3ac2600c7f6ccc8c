# SPDX-License-Identifier: GPL-2.0-only
"""Mappings that are treated otherwise in one area of a pool than in another."""

from __future__ import annotations

import pytest

from bounceproof.models.request import Path
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from tests.source.lives import kernel
from tests.source.test_lives import asked
from tests.source.trees import SWIOTLB

SIZE = "mem->slots[k].alloc_size = alloc_size"
LARGER = "mem->slots[k].alloc_size = ({} ? 2048UL : 0UL) + alloc_size"
FAULTS = {
    "slots of one area are said to be larger": "area_index == 3",
    "slots past the first area are": "k >= mem->area_nslabs",
}
BOUNCED = "	if (n > left)\n\t\tn = left;\n"
MAPPED = "	bounce(dev, mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset,\n"
ENDED = "		bounce(dev, at, size, DMA_FROM_DEVICE);\n"
WAYS = {
    "of one area": "k / mem->area_nslabs == 3",
    "past the first area": "k >= mem->area_nslabs",
    "of the last area": "k / mem->area_nslabs == mem->nareas - 1",
    "of a pool of several areas": "mem->nareas > 1",
    "at the end of an area": "(k + 1) % mem->area_nslabs == 0",
    "of a small pool": "mem->area_nslabs == 256",
}


@pytest.mark.parametrize("prop", [Property.INBOUNDS, Property.CLEAN])
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_that_asks_for_its_area_does_not_hold(way: str, prop: Property) -> None:
    copied = f"	if (n > 512 && ({WAYS[way]}))\n\t\tn -= 512;\n"
    found = asked(kernel((SWIOTLB, BOUNCED, BOUNCED + copied)), prop)
    if prop is Property.CLEAN:
        assert found.verdict is not Verdict.HOLDS


@pytest.mark.parametrize("place", ["mapping", "unmapping", "syncing"])
def test_a_call_that_asks_for_its_area_does_not_hold(place: str) -> None:
    many = "	if (mem->nareas <= 1)\n"
    change = {
        "mapping": (SWIOTLB, MAPPED, many + MAPPED),
        "unmapping": (SWIOTLB, ENDED, "\t" + many + ENDED),
        "syncing": (
            SWIOTLB,
            "	bounce(dev, at, n, to_device ? DMA_TO_DEVICE : DMA_FROM_DEVICE);",
            "	if (dev->dma_io_tlb_mem->nareas <= 1)\n"
            "		bounce(dev, at, n, to_device ? DMA_TO_DEVICE : DMA_FROM_DEVICE);",
        ),
    }[place]
    found = asked(kernel(change), Property.CLEAN)
    assert found.verdict is Verdict.UNKNOWN
    assert "in every area alike" in (found.reason or "")


@pytest.mark.parametrize("prop", [Property.INBOUNDS, Property.CLEAN])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_differs_by_area_does_not_hold(fault: str, prop: Property) -> None:
    found = asked(kernel((SWIOTLB, SIZE, LARGER.format(FAULTS[fault]))), prop)
    assert found.verdict is Verdict.UNKNOWN
    assert "in every area alike" in (found.reason or "")


def test_one_with_more_than_one_area_holds() -> None:
    found = asked(kernel(), Property.CLEAN, Path.IOMMU, nslabs=1024, nareas=4)
    assert found.verdict is Verdict.HOLDS


SUMMED = """	unsigned long taken = 0;
	int each;

	for (each = 0; each < mem->nareas; each++)
		taken += mem->areas[each].used;
	{}
"""


@pytest.mark.parametrize(
    ("use", "holds"),
    [
        ('dev_warn(dev, "%lu\\n", taken);', True),
        ("if (taken > 7 && n > 512)\n\t\tn -= 512;", False),
    ],
)
def test_what_is_summed_over_all_areas_decides_nothing(use: str, holds: bool) -> None:
    found = asked(
        kernel((SWIOTLB, BOUNCED, BOUNCED + SUMMED.format(use))), Property.CLEAN
    )
    assert (found.verdict is Verdict.HOLDS) is holds
