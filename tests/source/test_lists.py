# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""list[], used and index of trees: proved for every call, or not called right."""

from __future__ import annotations

import json

import pytest

from bounceproof.models.catalog import device
from bounceproof.models.request import Path
from bounceproof.report.invariants import as_text, fields
from bounceproof.simulator.history.types import complete_history
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.histories.trees import tree_histories
from bounceproof.solver.lemmas.slots import PoolShape
from bounceproof.solver.trees.list_histories import list_proofs
from bounceproof.source.kernel.confirm import TreeKernel
from tests.source.lives import kernel
from tests.source.trees import SWIOTLB

FREEING = """	for (k = first + count - 1; k >= first; k--) {
		mem->slots[k].list = ++run;
		mem->slots[k].alloc_size = 0;
	}
"""
MERGING = """	for (k = first - 1; (k & (IO_TLB_SEGSIZE - 1)) != IO_TLB_SEGSIZE - 1 &&
			    mem->slots[k].list; k--)
		mem->slots[k].list = ++run;
"""
BEHIND = "	if (first + count < ALIGN(first + 1, IO_TLB_SEGSIZE))\n"
MARKING = (
    "	for (k = slot; k < slot + need; k++) {\n		mem->slots[k].list = 0;\n"
)
JOINING = """	for (k = slot - 1; (k & (IO_TLB_SEGSIZE - 1)) != IO_TLB_SEGSIZE - 1 &&
			   mem->slots[k].list; k--)
		mem->slots[k].list = ++n;
"""
GIVEN = "	area->used -= count;"
TAKEN = "	area->used += need;"
NOTED = "	area->index = wrapped(mem, index + need);"
TURN = "			index = wrapped(mem, index + 1);\n			done++;\n"


def changed(old: str, new: str) -> TreeKernel:
    return kernel((SWIOTLB, old, new))


def failures(tree: TreeKernel) -> list[str]:
    return [p.failed for p in list_proofs(tree, 4096) if p.failed is not None]


FAULTS = {
    "a slot less is given back for one size": (
        FREEING,
        FREEING.replace("count - 1;", "count - 1 - (count == 5);"),
    ),
    "the count starts at 1": (
        "run = mem->slots[first + count].list;",
        "run = mem->slots[first + count].list;\n\telse\n\t\trun = 1;",
    ),
    "the count behind is one too many": (
        "run = mem->slots[first + count].list;",
        "run = mem->slots[first + count].list + 1;",
    ),
    "the merging stops a slot early": (
        MERGING,
        MERGING.replace("!= IO_TLB_SEGSIZE - 1", "!= IO_TLB_SEGSIZE - 2"),
    ),
    "the merging stops at the first slot": (
        MERGING,
        MERGING.replace("(k & (IO_TLB_SEGSIZE - 1)) != IO", "(k & 127) && 0 != IO"),
    ),
    "the merging is left out at one slot": (
        MERGING,
        MERGING.replace(
            "mem->slots[k].list; k--", "mem->slots[k].list && k != 300; k--"
        ),
    ),
    "the merging is left out for one slot given back": (
        MERGING,
        MERGING.replace("(k = first - 1; (", "(k = first - 1; first != 900 && ("),
    ),
    "the merging goes into the set before": (
        MERGING,
        MERGING.replace("(k & (IO_TLB_SEGSIZE - 1)) != IO_TLB_SEGSIZE - 1", "k >= 0"),
    ),
    "the merging writes what it read": (
        MERGING,
        MERGING.replace("list = ++run", "list = run++"),
    ),
    "list[] of one slot is not given back": (
        FREEING,
        FREEING.replace("list = ++run;", "list = k == first + 3 ? 0 * ++run : ++run;"),
    ),
    "a slot is counted twice": (
        FREEING,
        FREEING.replace("list = ++run;", "list = ++run;\n\t\tif (k == 77) run++;"),
    ),
    "it counts into the next set": (BEHIND, BEHIND.replace("first + 1", "first + 129")),
    "it counts behind a full set": (BEHIND, BEHIND.replace("count <", "count <=")),
    "it counts behind not at all": (
        BEHIND,
        BEHIND.replace("(first +", "(0 && first +"),
    ),
    "used for one size": (GIVEN, GIVEN.replace("count", "count - (count == 5)")),
    "used of another area": (GIVEN, GIVEN.replace("area->", "mem->areas[0].")),
    "used of the next area": (GIVEN, GIVEN.replace("area->", "(area + 1)->")),
    "used only of some": (GIVEN, "	if (first != 513)\n" + GIVEN),
    "used goes the wrong way": (GIVEN, GIVEN.replace("-=", "+=")),
    "a release moves the index": (GIVEN, GIVEN + "\n	area->index = first;"),
    "a release clears another mapping's slot": (
        GIVEN,
        GIVEN + "\n	mem->slots[first + count].alloc_size = 0;",
    ),
    "a slot too few is marked for one size": (
        MARKING,
        MARKING.replace("slot + need;", "slot + need - (need == 7);"),
    ),
    "a slot is marked as free": (MARKING, MARKING.replace("= 0;", "= k == slot + 9;")),
    "a slot is not marked": (
        MARKING,
        MARKING.replace("mem->", "if (k != slot + 2)\n\t\t\tmem->"),
    ),
    "the slots before count from 1": (JOINING, JOINING.replace("++n", "++n + 1")),
    "the slots before count what the search did": (
        TURN,
        TURN.replace("done++;", "done++;\n\t\t\tn++;"),
    ),
    "the slots before are left": (JOINING, ""),
    "used is taken twice for one size": (
        TAKEN,
        TAKEN.replace("need", "need + (need == 3)"),
    ),
    "index leaves the area": (
        NOTED,
        NOTED.replace("wrapped(mem, index + need)", "index + need"),
    ),
    "a failing search counts": (
        "none:\n",
        "none:\n	area->used++;\n",
    ),
    "the search asks for a slot less": (
        "mem->slots[slot].list >= need)",
        "mem->slots[slot].list >= need - 1)",
    ),
    "the search marks on its way": (
        TURN,
        "			mem->slots[slot].list = 0;\n" + TURN,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_not_proved(fault: str) -> None:
    tree = changed(*FAULTS[fault])
    failed = failures(tree)
    assert failed
    assert SWIOTLB in failed[0]


def test_the_sound_tree_is_proved() -> None:
    assert failures(kernel()) == []


REWRITES = {
    "while": (
        FREEING,
        """	k = first + count - 1;
	while (k >= first) {
		mem->slots[k].alloc_size = 0;
		mem->slots[k].list = ++run;
		k--;
	}
""",
    ),
    "counting up": (
        FREEING,
        """	for (k = 0; k < count; k++) {
		mem->slots[first + k].list = run + count - k;
		mem->slots[first + k].alloc_size = 0;
	}
	run += count;
""",
    ),
    "do": (
        FREEING,
        """	k = first + count;
	do {
		k--;
		mem->slots[k].list = ++run;
		mem->slots[k].alloc_size = 0;
	} while (k > first);
""",
    ),
    "pointers": (
        FREEING,
        """	struct io_tlb_slot *at_slot = &mem->slots[first + count];

	for (k = count; k > 0; k--) {
		at_slot--;
		at_slot->list = ++run;
		at_slot->alloc_size = 0;
	}
""",
    ),
    "break": (
        MERGING,
        """	for (k = first - 1; (k & 127) != 127; k--) {
		if (!mem->slots[k].list)
			break;
		mem->slots[k].list = ++run;
	}
""",
    ),
    "an endless loop that is left": (
        MERGING,
        """	k = first;
	while (1) {
		k--;
		if ((k & 127) == 127 || mem->slots[k].list == 0)
			break;
		run++;
		mem->slots[k].list = run;
	}
""",
    ),
    "adding to what is there": (
        MERGING,
        MERGING.replace("list = ++run", "list += run"),
    ),
    "marked downwards": (
        MARKING,
        MARKING.replace(
            "k = slot; k < slot + need; k++", "k = slot + need; k-- > slot;"
        ),
    ),
    "two loops": (
        MARKING,
        """	for (k = 0; k < need; k++)
		mem->slots[slot + k].list = 0;
	for (k = slot; k < slot + need; k++) {
""",
    ),
    "used first": (GIVEN, "	area->used = area->used - count;"),
}


@pytest.mark.parametrize("rewrite", REWRITES)
def test_an_equivalent_rewrite_is_proved(rewrite: str) -> None:
    assert failures(changed(*REWRITES[rewrite])) == []


def asked(tree: TreeKernel, prop: Property) -> Finding:
    domain = Domain(device("nvme"), page_size=4096, granule=None, path=Path.DIRECT)
    return check_kernel(tree, domain, [prop], 60.0).findings[0]


SHOWN = [
    "the count behind is one too many",
    "the merging stops a slot early",
    "the merging goes into the set before",
    "used for one size",
    "it counts into the next set",
    "the slots before count from 1",
]


@pytest.mark.parametrize("fault", SHOWN)
def test_a_wrong_list_is_confirmed_on_the_code(fault: str) -> None:
    tree = changed(*FAULTS[fault])
    found = asked(tree, Property.RETURNED)
    assert found.verdict is Verdict.BROKEN, found.reason
    assert found.counterexample is not None
    history = found.counterexample.history
    if history is not None:
        machine, ops = complete_history(history["machine"], history["ops"])
        last = tree.run_history(machine, ops)[-1]
        assert last["invariant"] or last["broken"]


def test_what_no_history_shows_is_unknown() -> None:
    tree = changed(*FAULTS["the merging is left out for one slot given back"])
    found = asked(tree, Property.RETURNED)
    assert found.verdict is Verdict.UNKNOWN
    assert SWIOTLB in (found.reason or "")
    assert asked(tree, Property.EXCLUSIVE).verdict is Verdict.UNKNOWN


def test_code_out_of_turn_that_writes_to_list_is_named() -> None:
    head = "static int swiotlb_find_slots("
    stray = """static void forget(struct io_tlb_mem *mem, int at)
{
	mem->slots[at].list = 0;
}
"""
    call = "	if (mapping_size > alloc_size)\n"
    tree = kernel(
        (SWIOTLB, head, stray + head),
        (SWIOTLB, call, "	forget(mem, 3);\n" + call),
    )
    assert "forget()" in failures(tree)[0]


def test_what_a_release_leaves_behind_is_known() -> None:
    cleared = "		mem->slots[k].alloc_size = 0;\n	}\n	for (k = first - 1;"
    partly = cleared.replace("= 0;", "= k == 9;")
    for change, left in ((None, set()), ((cleared, partly), {"alloc_size"})):
        tree = kernel() if change is None else changed(*change)
        releasing = list_proofs(tree, 4096)[1]
        assert releasing.holds
        assert releasing.left - {"orig_addr"} == left


def test_a_stale_field_that_is_read_is_no_proof() -> None:
    """A field that is set now and then, never cleared, and read by the release."""
    first = "	int first = (at - pad - mem->start) >> IO_TLB_SHIFT, k;\n"
    size = "size_t alloc_size; unsigned int list; };"
    placed = "	return mem->start + ((phys_addr_t)slot << IO_TLB_SHIFT) + offset;\n"
    tree = kernel(
        (SWIOTLB, size, size.replace("list;", "list; unsigned int skip;")),
        (SWIOTLB, first, first + "	first -= mem->slots[first].skip;\n"),
        (SWIOTLB, placed, "	if (offset)\n\t\tmem->slots[slot].skip = 0;\n" + placed),
    )
    assert failures(tree) == []
    found = asked(tree, Property.RETURNED)
    assert found.verdict is Verdict.UNKNOWN
    assert "leaves" in (found.reason or "")


def test_what_is_left_but_never_read_misleads_nobody() -> None:
    tree = changed("		mem->slots[k].alloc_size = 0;\n	}\n", "	}\n")
    assert list_proofs(tree, 4096)[1].left >= {"alloc_size"}
    assert asked(tree, Property.RETURNED).verdict is Verdict.HOLDS


def test_invariant_of_a_tree_names_what_is_proved_and_left_out() -> None:
    domain = Domain(device("nvme"), page_size=4096, granule=None, path=Path.DIRECT)
    result = tree_histories(kernel(), PoolShape.WHOLE, domain)
    assert result.verdict is Verdict.HOLDS
    text = as_text([result])
    for call in ("taking slots", "giving slots back", "making a pool", "left out: "):
        assert call in text
    told = json.loads(json.dumps(fields([result])))["kernels"][0]
    assert (told["verdict"], len(told["lemmas"])) == ("holds", 4)


def test_invariant_of_a_faulty_tree_is_not_proved() -> None:
    domain = Domain(device("nvme"), page_size=4096, granule=None, path=Path.DIRECT)
    tree = changed(*FAULTS["the merging is left out for one slot given back"])
    assert tree_histories(tree, PoolShape.WHOLE, domain).verdict is not Verdict.HOLDS
