# SPDX-License-Identifier: GPL-2.0-only
"""Calls that touch what is another mapping's, or leave something for later calls."""

from __future__ import annotations

import pytest

from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.trees.list_histories import list_proofs
from tests.source.lives import kernel
from tests.source.test_lives import asked
from tests.source.trees import SWIOTLB

Change = tuple[str, str, str]
HEADER, DIRECT = "include/linux/swiotlb.h", "kernel/dma/direct.h"
RECORDED = "	for (k = 0; k < nr_slots(alloc_size + offset); k++)\n"
COPIED = "		memcpy(phys_to_virt(at), phys_to_virt(orig), n);\n"
MAPPED = "	bounce(dev, mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset,\n"
SYNCED = "	bounce(dev, at, n, to_device ? DMA_TO_DEVICE : DMA_FROM_DEVICE);"
UNMAPS = "	if (in_pool(dev, addr))\n\t\tswiotlb_tbl_unmap_single(dev, addr, size, "
GIVEN = "	area->used -= count;"
SEARCHED = "		if (!iommu_is_span_boundary(slot, need, nr_slots(base),\n"
LAST = "	if (in_pool(dev, addr) && dir != DMA_{})\n\t\tsync_buffer(dev, addr, size, "
FOR_DEVICE = LAST.format("FROM_DEVICE")
MEMBERS = "	bool force_bounce, for_alloc;"
NOTED = (HEADER, MEMBERS, MEMBERS + "\n	unsigned long noted;")
AREA = "struct io_tlb_area { unsigned long used;"
OWN = "dev->dma_io_tlb_mem->slots[(at - dev->dma_io_tlb_mem->start) >> IO_TLB_SHIFT]"


def before(place: str, text: str, file: str = SWIOTLB) -> Change:
    return file, place, text + place


STRAYS: dict[str, Change] = {
    "a mapping records a slot too many": (
        SWIOTLB,
        RECORDED,
        RECORDED.replace("k < nr", "k <= nr"),
    ),
    "a mapping records at the slot before": before(
        MAPPED, "	mem->slots[slot - 1].orig_addr = orig_addr;\n"
    ),
    "a copy forgets a slot far off": (
        SWIOTLB,
        COPIED,
        f"	{{\n{COPIED}		mem->slots[k + 200].orig_addr = 0;\n	}}\n",
    ),
    "a sync moves its own": (SWIOTLB, SYNCED, f"{SYNCED}\n	{OWN}.orig_addr += 64;"),
    "a sync forgets its own": (SWIOTLB, SYNCED, f"{SYNCED}\n	{OWN}.alloc_size = 0;"),
    "unmapping forgets the first slot of the pool": before(
        UNMAPS, "	dev->dma_io_tlb_mem->slots[0].alloc_size = 0;\n", DIRECT
    ),
}


@pytest.mark.parametrize("stray", STRAYS)
def test_what_touches_other_mappings_does_not_hold(stray: str) -> None:
    found = asked(kernel(STRAYS[stray]), Property.CLEAN)
    assert found.verdict is Verdict.UNKNOWN
    assert "keeps to its slots" in (found.reason or "")


@pytest.mark.parametrize("slot", ["0", "first - 1", "first + count"])
def test_a_release_that_touches_other_mappings_is_not_proved(slot: str) -> None:
    text = f"{GIVEN}\n	mem->slots[{slot}].orig_addr = 0;"
    releasing = list_proofs(kernel((SWIOTLB, GIVEN, text)), 4096)[1]
    assert "fields of the mapping's slots" in (releasing.failed or "")


KEPT: dict[str, tuple[Change, ...]] = {
    "mappings are counted for copies": (
        NOTED,
        before(MAPPED, "	mem->noted++;\n"),
        before(COPIED, "		if (mem->noted == 3) n = 0; else\n"),
    ),
    "syncs are counted": (
        NOTED,
        before(SYNCED, "	if (++dev->dma_io_tlb_mem->noted == 2) n -= n / 2;\n"),
    ),
    "unmapping notes what a search asks for": (
        NOTED,
        before(GIVEN, "	mem->noted = first;\n"),
        before(SEARCHED, "		if (mem->noted == 77) goto none;\n"),
    ),
    "an area is told by a field of its own": (
        (SWIOTLB, AREA, AREA + " int noted;"),
        before(GIVEN, "	area->noted = first;\n"),
        before(SEARCHED, "		if (area->noted == 77) goto none;\n"),
    ),
    "a field is changed through its address": (
        NOTED,
        before(
            MAPPED,
            "	*(&mem->noted) = 5;\n	if (mem->noted == 9)\n\t\treturn 0;\n",
        ),
    ),
}


@pytest.mark.parametrize("prop", [Property.CLEAN, Property.HALTS])
@pytest.mark.parametrize("kept", KEPT)
def test_what_one_call_leaves_for_another_does_not_hold(
    kept: str, prop: Property
) -> None:
    found = asked(kernel(*KEPT[kept]), prop)
    assert found.verdict is Verdict.UNKNOWN
    assert "one call assigns noted and another reads it" in (found.reason or "")


def test_what_is_counted_but_never_read_misleads_nobody() -> None:
    tree = kernel(NOTED, before(MAPPED, "	mem->noted++;\n"))
    assert asked(tree, Property.INBOUNDS).verdict is Verdict.HOLDS


SIZES = "	size -= (dir == {}) * (size / 2);\n"
UNLIKE: dict[str, tuple[Change, ...]] = {
    "for the device, in both directions": (
        before(FOR_DEVICE, SIZES.format("DMA_BIDIRECTIONAL"), DIRECT),
    ),
    "for the device, where it writes alone": (
        before(FOR_DEVICE, "	size += (dir == DMA_FROM_DEVICE) * 64;\n", DIRECT),
        (DIRECT, "dir != DMA_FROM_DEVICE", "dir != 7"),
    ),
}


@pytest.mark.parametrize("unlike", UNLIKE)
def test_a_sync_that_is_another_in_one_direction_does_not_hold(unlike: str) -> None:
    found = asked(kernel(*UNLIKE[unlike]), Property.INBOUNDS)
    assert found.verdict is Verdict.UNKNOWN
    assert "of another direction" in (found.reason or "")
