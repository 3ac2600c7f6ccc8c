# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""What surrounds a tree's search: proved as it is, and unknown with a fault in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.cli.options import device_of
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path
from bounceproof.report.checks import as_text
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.answers.parallel import together
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import NO_CELL, CellVerdict, Finding, Verdict
from bounceproof.source.errors import NotUnderstood, UnprovedCaller
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source.shapes import files
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

NVME = device_of("nvme")
CELL = Cell(4096, 4096, Path.DIRECT, 0xFFF)
LOOP = """	for (area = 0; area < mem->nareas; area++) {
		slot = swiotlb_do_find_slots(dev, area, orig_addr, alloc_size,
					     alloc_align_mask);
		if (slot >= 0)
			return slot;
	}
"""
CIRCLE = """	int first = raw_smp_processor_id() & (mem->nareas - 1);

	area = first;
	do {
		slot = swiotlb_do_find_slots(dev, area, orig_addr, alloc_size,
					     alloc_align_mask);
		if (slot >= 0)
			return slot;
		if (++area >= mem->nareas)
			area = 0;
	} while (area != first);
"""
WHILE = """	area = 0;
	while (area < mem->nareas) {
		slot = swiotlb_do_find_slots(dev, area, orig_addr, alloc_size,
					     alloc_align_mask);
		if (slot >= 0)
			return slot;
		area++;
	}
"""
ALIKE = {
    "from any CPU on": (LOOP, CIRCLE),
    "by while": (LOOP, WHILE),
    "by distance": (
        LOOP,
        LOOP.replace("(dev, area,", "(dev, (raw_smp_processor_id() + area) & "
                     "(mem->nareas - 1),"),
    ),
}  # fmt: skip
FAULTS = {
    "an area is left out": ("area++)", "area += 1 + (area == 4))"),
    "an area far away is left out": ("area++)", "area += 1 + (area == 16000))"),
    "the last area is left out": ("area < mem->nareas", "area + 1 < mem->nareas"),
    "one area again and again": ("(dev, area,", "(dev, area & 3,"),
    "an area there is not": ("area < mem->nareas", "area <= mem->nareas"),
    "the result is lost": (
        "if (slot >= 0)\n\t\t\treturn",
        "if (slot > 0)\n\t\t\treturn",
    ),
    "one size is refused after the bounce": (
        "\tfor (k = 0; k < nr_slots",
        "\tif (mapping_size == 69632)\n\t\treturn (phys_addr_t)DMA_MAPPING_ERROR;\n"
        "\tfor (k = 0; k < nr_slots",
    ),
    "one slot is refused": (
        "\tfor (k = 0; k < nr_slots",
        "\tif (slot == 77)\n\t\treturn (phys_addr_t)DMA_MAPPING_ERROR;\n"
        "\tfor (k = 0; k < nr_slots",
    ),
    "one direction is refused": (
        "\tif (mapping_size > alloc_size)",
        "\tif (mapping_size > alloc_size || (dir == 2 && mapping_size == 512))",
    ),
    "used is written to": (
        "\tif (mapping_size > alloc_size)",
        "\tmem->areas[0].used += mapping_size == 512;\n"
        "\tif (mapping_size > alloc_size)",
    ),
}  # fmt: skip


def changed(old: str, new: str) -> TreeKernel:
    texts = files()
    assert old in texts[SWIOTLB]
    texts[SWIOTLB] = texts[SWIOTLB].replace(old, new)
    return proved_kernel(Tree(DictStore(texts), "callers"))


@pytest.mark.parametrize("name", ALIKE)
def test_areas_in_any_order_are_proved(name: str) -> None:
    kernel, plain = changed(*ALIKE[name]), changed(LOOP, LOOP)
    rule = kernel.search_rule(CELL, 0, True)
    assert rule.canonical == plain.search_rule(CELL, 0, True).canonical
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT)
    for prop in (Property.FINDS, Property.HALTS):
        found, same = (check_kernel(k, domain, [prop], 60) for k in (kernel, plain))
        assert found.verdict is same.verdict


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_around_the_search_is_never_a_holds(name: str) -> None:
    kernel = changed(*FAULTS[name])
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT)
    if name == "one size is refused after the bounce":
        found = check_kernel(kernel, domain, [Property.FITS], 60).findings[0]
        assert found.verdict is Verdict.BROKEN
        assert found.counterexample is not None
        assert found.counterexample.point["size"] <= 69632
        return
    with pytest.raises((UnprovedCaller, NotUnderstood)):
        kernel.search_rule(CELL, 0, True)
    for prop in (Property.FITS, Property.FINDS, Property.HALTS, Property.OWNED):
        checked = check_kernel(kernel, domain, [prop], 60)
        assert checked.findings[0].verdict is not Verdict.HOLDS
        assert f"{prop}" in as_text(checked, verbose=False)


def test_more_areas_than_are_proved_are_unknown() -> None:
    kernel = changed(LOOP, LOOP)
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT, pool_start=1 << 33)
    domain = replace(domain, nslabs=1 << 24, nareas=1 << 16)
    found = check_kernel(kernel, domain, [Property.HALTS], 60).findings[0]
    assert found.verdict is Verdict.UNKNOWN
    assert "32768 areas" in (found.reason or "")


def test_padding_that_is_lost_for_one_address_is_found() -> None:
    kernel = changed("+ offset;\n}", "+ (orig_addr == 0x12345604 ? 0 : offset);\n}")
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT)
    found = check_kernel(kernel, domain, [Property.ALIGNED], 60).findings[0]
    assert found.verdict is Verdict.BROKEN
    assert found.confirmed


def test_a_limit_that_depends_on_the_pool_is_unknown() -> None:
    kernel = changed(
        "\tif (mask)\n",
        "\tif (dev->dma_io_tlb_mem->nslabs == 32768)\n\t\treturn 1 << 20;\n"
        "\tif (mask)\n",
    )
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT)
    found = check_kernel(kernel, domain, [Property.FITS], 60).findings[0]
    assert found.verdict is Verdict.UNKNOWN
    assert "same for all pools" in str(found.reason)


def test_a_page_size_that_is_not_read_is_no_part_of_a_proof() -> None:
    """Pages are asked apart and put together; what one is not known of is not lost."""
    kernel = changed(
        "\tif (mask)\n",
        "\tif (PAGE_SIZE == 65536 && dev->dma_io_tlb_mem->nslabs == 32768)\n"
        "\t\treturn 1 << 20;\n\tif (mask)\n",
    )
    where = Domain(NVME, path=Path.DIRECT)
    parts = [
        check_kernel(kernel, replace(where, page_size=page), [Property.HALTS], 60)
        for page in (65536, 4096)
    ]
    verdicts = [part.findings[0].verdict for part in parts]
    assert verdicts == [Verdict.UNKNOWN, Verdict.HOLDS]
    found = together([part.findings[0] for part in parts])
    assert found.verdict is Verdict.UNKNOWN
    assert "same for all pools" in str(found.reason)
    assert [cell.cell.page_size for cell in found.cells] == [4096]


def test_a_page_size_without_a_cell_says_nothing() -> None:
    held = (CellVerdict(CELL, 4096, Verdict.HOLDS),)
    holds = Finding(Property.HALTS, Verdict.HOLDS, held, None, None, None, None, 0.0)
    none = replace(holds, verdict=Verdict.UNKNOWN, cells=(), reason=NO_CELL)
    assert together([none, holds]).verdict is Verdict.HOLDS
    assert together([none, replace(none, reason="open"), holds]).reason == "open"
    assert together([none, none]).verdict is Verdict.UNKNOWN


def test_a_run_that_contradicts_a_proof_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = changed("\tif (mask)\n", "\tif (mask)\n")
    domain = Domain(NVME, page_size=4096, path=Path.DIRECT, nslabs=256, nareas=1)
    kept = TreeKernel.run_numbers

    def failing(self: TreeKernel, *given: object) -> Outcome:
        return replace(kept(self, *given), ok=False)  # type: ignore[arg-type]

    monkeypatch.setattr(TreeKernel, "run_numbers", failing)
    found = check_kernel(kernel, domain, [Property.FITS], 60).findings[0]
    assert found.verdict is Verdict.DISAGREE
