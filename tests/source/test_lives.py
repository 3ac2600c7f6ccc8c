# SPDX-License-Identifier: GPL-2.0-only
"""Live mappings asked of C code: copies, zeroing, range mapped, release."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bounceproof.models.catalog import device
from bounceproof.models.request import Path
from bounceproof.simulator.history.types import complete_history
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.kernel.confirm import TreeKernel
from tests.source.lives import DMA_IOMMU, kernel
from tests.source.trees import SWIOTLB

LIVE = [
    Property.OWNED,
    Property.EXCLUSIVE,
    Property.INBOUNDS,
    Property.RETURNED,
    Property.CLEAN,
]
SMALL_POOL = {"nslabs": 256, "nareas": 1, "pool_start": 1 << 20, "start_index": 3}
MARKED = (SWIOTLB, "for (k = slot; k < slot + need; k++) {")


def asked(
    tree: TreeKernel, prop: Property, path: Path = Path.DIRECT, **pool: int
) -> Finding:
    granule = 4096 if path is Path.IOMMU else None
    where = Domain(device("nvme"), page_size=4096, granule=granule, path=path)
    domain = replace(where, **pool)  # type: ignore[arg-type]
    return check_kernel(tree, domain, [prop], 60.0).findings[0]


@pytest.mark.parametrize("path", [Path.DIRECT, Path.IOMMU])
@pytest.mark.parametrize("prop", LIVE)
def test_a_sound_tree_holds(prop: Property, path: Path) -> None:
    found = asked(kernel(), prop, path)
    assert found.verdict is Verdict.HOLDS, found.reason


FAULTS = {
    "a slot too many is taken": (
        Property.EXCLUSIVE,
        Path.DIRECT,
        (*MARKED, "for (k = slot; k <= slot + need; k++) {"),
    ),
    "a slot is left": (
        Property.RETURNED,
        Path.DIRECT,
        (SWIOTLB, "for (k = first + count - 1; k", "for (k = first + count - 2; k"),
    ),
    "used is not given back": (
        Property.RETURNED,
        Path.DIRECT,
        (SWIOTLB, "area->used -= count;", "area->used -= count - 1;"),
    ),
    "the padding is forgotten": (
        Property.INBOUNDS,
        Path.DIRECT,
        (SWIOTLB, "- low_offset(dev, orig);", "+ low_offset(dev, orig);"),
    ),
    "a sync is cut short": (
        Property.CLEAN,
        Path.DIRECT,
        (SWIOTLB, "if (n > left)\n\t\tn = left;", "if (n > 64)\n\t\tn = 64;"),
    ),
    "only what the device reads is copied in": (
        Property.CLEAN,
        Path.DIRECT,
        (SWIOTLB, "\tbounce(dev, mem->start", "\tif (dir != 2) bounce(dev, mem->start"),
    ),
    "the padding before is not zeroed": (
        Property.CLEAN,
        Path.IOMMU,
        (DMA_IOMMU, "0, phys & (g - 1));", "0, 0);"),
    ),
    "zeroing goes on": (
        Property.INBOUNDS,
        Path.IOMMU,
        (DMA_IOMMU, "0, end - phys - size);", "0, end + g - phys - size);"),
    ),
    "the size is not rounded": (
        Property.OWNED,
        Path.IOMMU,
        (DMA_IOMMU, "rounded = ALIGN(size + pad, g) - pad;", "rounded = size;"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_confirmed_on_the_code(fault: str) -> None:
    prop, path, change = FAULTS[fault]
    found = asked(kernel(change), prop, path, **SMALL_POOL)
    assert found.verdict is Verdict.BROKEN, found.reason
    assert found.confirmed


BETWEEN = {
    "another address is bounced": (
        Property.INBOUNDS,
        (DMA_IOMMU, "single(dev, phys, size,", "single(dev, phys + 8192, size,"),
    ),
    "the next page is bounced": (
        Property.CLEAN,
        (DMA_IOMMU, "page_to_phys(page)", "page_to_phys(page + 1)"),
    ),
    "the device is led elsewhere": (
        Property.EXCLUSIVE,
        (DMA_IOMMU, "return iova + below;", "return iova + below + 4096;"),
    ),
    "the device is led elsewhere in one direction": (
        Property.EXCLUSIVE,
        (
            DMA_IOMMU,
            "return map_whole(dev, phys, size);",
            "return map_whole(dev, phys, size) + (dir == 2 ? 4096 : 0);",
        ),
    ),
    "the device is led a little aside": (
        Property.ALIGNED,
        (DMA_IOMMU, "return iova + below;", "return iova + below + 4;"),
    ),
    "every request is refused": (
        Property.FITS,
        (
            DMA_IOMMU,
            "\tif ((phys | size) & (g - 1)) {",
            "\tif ((phys | size) & (g - 1))"
            "\n\t\treturn DMA_MAPPING_ERROR;\n\tif (size & 1) {",
        ),
    ),
    "no size is asked for": (
        Property.FITS,
        (DMA_IOMMU, "phys, size, rounded, g - 1,", "phys, size, 0, g - 1,"),
    ),
    "a part of a granule is mapped": (
        Property.FITS,
        (DMA_IOMMU, "ALIGN(size + below,", "size == 9728 ? size : ALIGN(size + below,"),
    ),
    "a slot before is written to": (
        Property.CLEAN,
        (
            SWIOTLB,
            "\tbounce(dev, mem->start",
            "\tif (slot & 127)\n\t\tmem->slots[slot - 1].alloc_size = 8;\n"
            "\tbounce(dev, mem->start",
        ),
    ),
    "the end writes behind": (
        Property.INBOUNDS,
        (
            SWIOTLB,
            "\tarea->used -= count;",
            "\tif ((first + count) & 127)\n"
            "\t\tmem->slots[first + count].orig_addr = 0;\n\tarea->used -= count;",
        ),
    ),
}


@pytest.mark.parametrize("fault", BETWEEN)
def test_what_lies_between_request_and_slots_is_no_proof(fault: str) -> None:
    prop, change = BETWEEN[fault]
    found = asked(kernel(change), prop, Path.IOMMU)
    assert found.verdict in (Verdict.BROKEN, Verdict.UNKNOWN)


FORGOTTEN = {
    "counts on into the next slot set": (
        SWIOTLB,
        "if (first + count < ALIGN(first + 1, IO_TLB_SEGSIZE))\n",
        "if (first + count < mem->nslabs)\n",
    ),
    "leaves the slots before as they are": (
        SWIOTLB,
        "for (k = first - 1; (k",
        "for (k = first - 1; 0 && (k",
    ),
}


@pytest.mark.parametrize("fault", FORGOTTEN)
def test_a_wrong_list_is_seen_on_the_code(fault: str) -> None:
    tree = kernel(FORGOTTEN[fault])
    found = asked(tree, Property.RETURNED)
    assert found.verdict is Verdict.BROKEN
    assert found.counterexample is not None
    history = found.counterexample.history
    assert history is not None
    records = tree.run_history(*complete_history(history["machine"], history["ops"]))
    assert records[-1]["invariant"] or records[-1]["broken"]


def test_what_is_proved_of_list_is_said() -> None:
    found = asked(kernel(), Property.RETURNED)
    assert "proved right after every call" in (found.note or "")


@pytest.mark.parametrize(
    "loop",
    [
        "for (k = slot; k < slot + need; k += 2) {",
        "for (k = slot; k < slot + need--; k++) {",
        "for (k = slot; need > k - slot; k--) {",
    ],
)
def test_a_loop_over_slots_of_another_shape_is_refused(loop: str) -> None:
    try:
        found = asked(kernel((*MARKED, loop)), Property.EXCLUSIVE)
    except NotUnderstood as error:
        said = str(error)
    else:
        assert found.verdict is Verdict.UNKNOWN
        said = str(found.reason)
    assert re.search(r"swiotlb\.c:\d+: not understood", said)


PADDED = [
    (SWIOTLB, "unsigned int list; };", "unsigned int list; unsigned short pad; };"),
    (
        SWIOTLB,
        "first = (at - pad - mem->start) >> IO_TLB_SHIFT, k;",
        "first = ((at - pad - mem->start) >> IO_TLB_SHIFT) -\n"
        "\t\tmem->slots[(at - pad - mem->start) >> IO_TLB_SHIFT].pad, k;",
    ),
]
"""A release that counts back from a slot's own field, which no mapping sets there."""
TOLD = (*MARKED, f"if (need > 1)\n\t\tmem->slots[slot + 1].pad = 1;\n\t{MARKED[1]}")
WIPED = (
    SWIOTLB,
    "\t\tmem->slots[k].alloc_size = 0;\n",
    "\t\tmem->slots[k].alloc_size = 0;\n\t\tmem->slots[k].pad = 0;\n",
)


@pytest.mark.parametrize("prop", [Property.RETURNED, Property.EXCLUSIVE])
def test_free_slots_are_as_a_release_leaves_them(prop: Property) -> None:
    assert asked(kernel(*PADDED, WIPED), prop).verdict is Verdict.HOLDS


def test_what_a_release_leaves_in_free_slots_is_not_overlooked() -> None:
    found = asked(kernel(*PADDED, TOLD), Property.RETURNED)
    assert found.verdict is not Verdict.HOLDS
    assert asked(kernel(*PADDED, TOLD, WIPED), Property.RETURNED).verdict is (
        Verdict.HOLDS
    )


def test_a_fault_in_the_last_slots_of_a_large_pool_is_asked_about() -> None:
    """A pool below 4 GiB has up to 2^21 slots, however many areas share them."""
    here = "if (n > left)\n\t\tn = left;"
    change = SWIOTLB, here, f"if (k == 1500000)\n\t\tn--;\n\t{here}"
    found = asked(kernel(change), Property.CLEAN, Path.DIRECT)
    assert found.verdict is Verdict.UNKNOWN
    assert "start_index 0x16e3" in (found.reason or "")


def test_slots_beyond_those_asked_about_are_unknown() -> None:
    pool = {"nslabs": 1 << 22, "nareas": 4, "pool_start": 1 << 33}
    found = asked(kernel(), Property.CLEAN, Path.DIRECT, **pool)
    assert found.verdict is Verdict.UNKNOWN
    assert "from 2097152 on" in (found.reason or "")
