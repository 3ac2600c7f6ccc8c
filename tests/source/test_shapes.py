# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""Rules, mappings and whole runs read off small trees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path, Request, SearchRule
from bounceproof.models.words.word import U64, Word
from bounceproof.source.errors import NotUnderstood, UnknownSearch
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.tree.tree import Tree
from tests.source.shapes import CIRCULAR, COUNTED, NVME_C, files, tree
from tests.source.trees import SWIOTLB, DictStore, proved_kernel, small_program

CELL = Cell(4096, 4096, Path.DIRECT, 0x3FFF)
POOL = PoolNumbers(start=1 << 30, nslabs=256)
COUNTED_RULE = SearchRule(
    zero_mask=0xFFF,
    compare_mask=0x3000,
    skip_zero=True,
    stride=7,
    aligned_start=False,
    counted=True,
    fall_through=False,
    page_check=False,
    alloc_align_mask=0xFFF,
    iotlb_align_mask=0x3000,
)


def kernel(search: str = COUNTED) -> SourceKernel:
    return proved_kernel(tree(search))


def with_swiotlb(old: str, new: str, search: str = COUNTED) -> SourceKernel:
    texts = files(search)
    assert old in texts[SWIOTLB]
    texts[SWIOTLB] = texts[SWIOTLB].replace(old, new)
    return proved_kernel(Tree(DictStore(texts), "changed"))


def test_version() -> None:
    assert tree().version == "9.8.7-rc6"


def test_counted_rule() -> None:
    assert kernel().search_rule(CELL, 0xFFF, True) == COUNTED_RULE


def test_circular_rule() -> None:
    rule = kernel(CIRCULAR).search_rule(CELL, 0, True)
    assert (rule.zero_mask, rule.compare_mask, rule.stride) == (0, 0x3800, 16)
    assert rule.aligned_start
    assert not rule.counted
    assert not rule.skip_zero
    assert kernel(CIRCULAR).search_rule(CELL, 0, False).stride == 8


def test_a_lost_continue_has_no_rule() -> None:
    changed = with_swiotlb("\t\t\tdone++;\n\t\t\tcontinue;\n", "\t\t\tdone++;\n")
    with pytest.raises(UnknownSearch):
        changed.search_rule(CELL, 0xFFF, True)


def test_a_function_that_is_added_is_followed() -> None:
    changed = with_swiotlb(
        "static int swiotlb_do_find_slots",
        "static unsigned int wider(unsigned int m)\n{\n\treturn m << 1 | 1;\n}\n"
        "static int swiotlb_do_find_slots",
    )
    assert changed.search_rule(CELL, 0xFFF, True) == COUNTED_RULE
    again = with_swiotlb(
        "iotlb_align_mask &= ~alloc",
        "iotlb_align_mask = ({ unsigned int w = iotlb_align_mask; w << 1 | 1; })"
        " & ~alloc",
    )
    rule = again.search_rule(CELL, 0xFFF, True)
    assert (rule.compare_mask, rule.stride) == (0x7000, 15)


def test_a_test_in_a_helper_is_found() -> None:
    old = """if (!iommu_is_span_boundary(slot, need, nr_slots(base),
					    (bound >> IO_TLB_SHIFT) + 1) &&"""
    changed = with_swiotlb(old, "if (inside(slot, need, base, bound) &&")
    text = changed.tree.read(SWIOTLB)
    assert text is not None
    helper = """static bool inside(unsigned int slot, unsigned int need,
		u64 base, u64 bound)
{
	return !iommu_is_span_boundary(slot, need, nr_slots(base), (bound >> 11) + 1);
}
"""
    head = "static int swiotlb_do_find_slots"
    texts = {**files(), SWIOTLB: text.replace(head, helper + head, 1)}
    source = proved_kernel(Tree(DictStore(texts), "changed"))
    assert source.search_rule(CELL, 0xFFF, True) == COUNTED_RULE


def test_an_unknown_loop_is_refused() -> None:
    changed = with_swiotlb("} while (index != wrap);", "} while (n < 3);", CIRCULAR)
    with pytest.raises(UnknownSearch):
        changed.search_rule(CELL, 0, True)


def test_a_test_that_masks_cannot_express_is_refused() -> None:
    changed = with_swiotlb("(addr & alloc_align_mask) ||", "(addr % 6144) ||")
    with pytest.raises(NotUnderstood):
        changed.search_rule(CELL, 0xFFF, True)


def test_an_unknown_function_is_refused() -> None:
    changed = with_swiotlb("mapping_size > alloc_size", "odd_test(mapping_size)")
    with pytest.raises(NotUnderstood, match=r"swiotlb\.c:\d+: .*odd_test"):
        changed.mapping(CELL, Request(Word(0, U64), Word(1, U64)))


def test_mapping() -> None:
    request = Request(Word(0x105774600, U64), Word(5000, U64))
    mapping = kernel().mapping(CELL, request)
    assert bool(mapping.bounced)
    assert not bool(mapping.refused)
    assert int(mapping.padding) == 0x600
    assert (int(mapping.total), int(mapping.printed)) == (6536, 5000)
    assert int(mapping.nslots) == 4


def test_limits_and_mask() -> None:
    assert kernel().nvme_align_mask(65536) == 0xFFF
    assert kernel().max_mapping_size(CELL) == (256 << 10) - 0x4000
    assert kernel().nvme_limit(replace(CELL, min_align_mask=0xFFF)) == 252 << 10


def test_mask_by_page_size() -> None:
    changed = NVME_C.replace("NVME_CTRL_PAGE_SIZE - 1", "PAGE_SIZE - 1")
    texts = {**files(), "drivers/nvme/host/pci.c": changed}
    source = proved_kernel(Tree(DictStore(texts), "changed"))
    assert source.nvme_align_mask(65536) == 0xFFFF
    assert source.nvme_align_mask(4096) == 0xFFF


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
def test_run_finds_and_marks(search: str) -> None:
    run = kernel(search).run(CELL, 0x105774600, 5000, POOL)
    tlb_addr = (1 << 30) + 0x600
    assert run.outcome == Outcome(True, True, slot=0, nslots=4, tlb_addr=tlb_addr)
    assert run.lists[:5] == [0, 0, 0, 0, 124]


def test_run_reports_a_full_buffer() -> None:
    run = kernel().run(CELL, 0x105774600, 256 << 10, POOL)
    assert not run.outcome.ok
    assert run.outcome.sz == 256 << 10


def test_run_notices_an_endless_search() -> None:
    run = kernel(CIRCULAR).run(CELL, 0x1800, 258 << 10, replace(POOL, start_index=4))
    assert run.outcome.hang is True
    assert run.outcome.ok is False


def test_busy_slots_are_left_alone() -> None:
    busy = frozenset(range(100))
    run = kernel().run(CELL, 0x105774600, 5000, replace(POOL, busy=busy))
    assert run.outcome.slot == 104
    assert run.lists[100:104] == [4, 3, 2, 1]


def test_rule_and_run_agree() -> None:
    source = kernel()
    rule = source.search_rule(CELL, 0, False)
    for orig in (0x105774600, 0x1000, 0x3800, 0):
        run = source.run(CELL, orig, 100, POOL)
        slot = run.outcome.slot
        assert isinstance(slot, int)
        address = POOL.start + (slot << 11)
        assert not address & rule.zero_mask
        assert orig == 0 or not (address ^ orig) & rule.compare_mask


def without_areas(search: str) -> SourceKernel:
    """The same search over a pool that has no areas."""
    texts = files(search)
    changes = (
        ("struct io_tlb_area { unsigned long used; unsigned int index; "
         "spinlock_t lock; };\n", ""),
        ("\tstruct io_tlb_area *area = mem->areas + area_index;\n", ""),
        ("\tstruct io_tlb_area *areas;\n", "\tunsigned long used;\n"
         "\tunsigned int index;\n\tspinlock_t lock;\n"),
        ("\tunsigned int nareas, area_nslabs;\n", ""),
        ("\tmem->nareas = nareas;\n\tmem->area_nslabs = nslabs / nareas;\n", ""),
        ("area < mem->nareas", "area < 1"),
        ("area->", "mem->"),
        ("area_nslabs", "nslabs"),
    )  # fmt: skip
    for name in (SWIOTLB, "include/linux/swiotlb.h"):
        for old, new in changes:
            texts[name] = texts[name].replace(old, new)
    return proved_kernel(Tree(DictStore(texts), "no areas"))


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
def test_a_pool_without_areas(search: str) -> None:
    bare, with_areas = without_areas(search), kernel(search)
    for large in (False, True):
        rule = bare.search_rule(CELL, 0, large)
        assert rule == with_areas.search_rule(CELL, 0, large)
    for index in (0, 9, 200):
        pool = replace(POOL, start_index=index, busy=frozenset(range(100)))
        one = bare.run(CELL, 0x105774600, 5000, pool)
        two = with_areas.run(CELL, 0x105774600, 5000, pool)
        assert one == two
        assert one.outcome.ok


def test_limit_before_mask() -> None:
    mask = "\tdma_set_min_align_mask(dev->dev, NVME_CTRL_PAGE_SIZE - 1);\n"
    late = NVME_C.replace(mask, "").replace("\treturn 0;\n", f"{mask}\treturn 0;\n")
    texts = {**files(), "drivers/nvme/host/pci.c": late}
    cell = replace(CELL, min_align_mask=0xFFF)
    assert SourceKernel(Tree(DictStore(texts), "late")).nvme_limit(cell) == 256 << 10
    assert kernel().nvme_limit(cell) == 252 << 10


def test_what_a_constant_leaves_out_is_zero() -> None:
    text = (
        "struct ops { int (*map)(int); int (*limit)(void); };\n"
        "static int plain(int a)\n{\n\treturn a;\n}\n"
        "static const struct ops some = { .map = plain, };\n"
        "static const struct ops *chosen = &some;\n"
        "int f(void)\n{\n\tconst struct ops *ops = chosen;\n\n"
        "\treturn ops->limit ? 3 : ops->map(4);\n}\n"
    )
    value = Interpreter(small_program(text)).run("f", [], State())
    assert isinstance(value, Word)
    assert int(value) == 4
    open_ = text.replace("const struct ops some", "struct ops some")
    with pytest.raises(NotUnderstood, match=r"some\.limit"):
        Interpreter(small_program(open_)).run("f", [], State())
