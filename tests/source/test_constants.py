# SPDX-License-Identifier: GPL-2.0-only
"""Trees of other slots, other fields and other empty pools: what is said of them is
what their own code does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.request import Cell, Path
from bounceproof.models.requests.devices import DEVICES
from bounceproof.simulator.history.types import complete_history
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.trees.initial import initial_state_proved
from bounceproof.solver.trees.list_histories import list_proofs
from bounceproof.solver.trees.started import unproved_start
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source.lives import kernel
from tests.source.shapes import CIRCULAR, COUNTED, files
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

POOL_START, ORIG_ADDR = 1 << 28, 0xE00
LIVE = (Property.OWNED, Property.EXCLUSIVE, Property.INBOUNDS, Property.RETURNED)
LIST = "unsigned int list; };"
SET = "mem->slots[s].list = IO_TLB_SEGSIZE - (s & (IO_TLB_SEGSIZE - 1));"
LOOP = f"for (s = 0; s < nslabs; s++)\n\t\t{SET}"
AREAS = "for (s = 0; s < nareas; s++)\n\t\tmem->areas[s].{} = {};\n\t"


def with_areas(name: str, value: str) -> tuple[str, str]:
    """A tree whose initialisation sets a field of every area."""
    return LOOP, AREAS.format(name, value) + LOOP


def planted(*changes: tuple[str, str], search: str = COUNTED) -> TreeKernel:
    texts = files(search)
    for old, new in changes:
        assert any(old in text for text in texts.values()), old
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    return proved_kernel(Tree(DictStore(texts), "planted"))


def shift(value: object) -> tuple[str, str]:
    return "IO_TLB_SHIFT 11", f"IO_TLB_SHIFT {value}"


def segsize(value: object) -> tuple[str, str]:
    return "IO_TLB_SEGSIZE 128", f"IO_TLB_SEGSIZE {value}"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (segsize(128), MAINLINE),
        (segsize(64), SlotGeometry(11, 64)),
        (segsize("(1 << 8)"), SlotGeometry(11, 256)),
        (shift("(PAGE_SHIFT - 2)"), SlotGeometry(10, 128)),
        (shift("12\n#undef OTHER\n#define OTHER 3"), SlotGeometry(12, 128)),
    ],
)
def test_the_slots_are_the_tree_s_own(
    change: tuple[str, str], found: SlotGeometry
) -> None:
    assert planted(change).geometry(4096) == found


HEAD = "static unsigned int low_offset("
AGAIN = "#undef {0}\n#define {0} {1}\n"


@pytest.mark.parametrize(
    ("name", "other", "own"),
    [
        ("IO_TLB_SEGSIZE", "64", "128"),
        ("IO_TLB_SHIFT", "10", "11"),
        ("IO_TLB_SIZE", "1024", "(1 << IO_TLB_SHIFT)"),
    ],
)
def test_slots_that_are_others_for_a_while_are_refused(
    name: str, other: str, own: str
) -> None:
    function = f"static int odd(void)\n{{\n\treturn {name};\n}}\n"
    between = AGAIN.format(name, other) + function + AGAIN.format(name, own)
    with pytest.raises(NotUnderstood, match=rf"swiotlb\.c:\d+: .*return {name}"):
        planted((HEAD, between + HEAD)).geometry(4096)


@pytest.mark.parametrize("name", ["IO_TLB_SEGSIZE", "IO_TLB_SHIFT"])
def test_slots_that_are_defined_again_but_alike_are_read(name: str) -> None:
    own = {"IO_TLB_SEGSIZE": "(1 << 7)", "IO_TLB_SHIFT": "0xb"}[name]
    assert planted((HEAD, AGAIN.format(name, own) + HEAD)).geometry(4096) == MAINLINE


def test_slots_may_depend_on_the_page() -> None:
    tree = planted(shift("(PAGE_SHIFT - 1)"))
    assert [tree.geometry(page).shift for page in PAGE_SIZES] == [11, 13, 15]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (segsize(100), r"swiotlb\.h:4: .*IO_TLB_SEGSIZE: a power of two from 2"),
        (segsize(1), r"swiotlb\.h:4: .*IO_TLB_SEGSIZE"),
        (segsize(8192), r"swiotlb\.h:4: .*IO_TLB_SEGSIZE"),
        (segsize("how_many"), r"swiotlb\.h:4: .*IO_TLB_SEGSIZE.*how_many"),
        (segsize(""), r"swiotlb\.h:4: .*IO_TLB_SEGSIZE"),
        (shift(7), r"swiotlb\.h:2: .*IO_TLB_SHIFT: a shift from 8 to 16, not 7"),
        (shift(17), r"swiotlb\.h:2: .*IO_TLB_SHIFT"),
        (("(1 << IO_TLB_SHIFT)", "4096"), r"swiotlb\.h:3: .*IO_TLB_SIZE: 1 << IO"),
        (("#define IO_TLB_SHIFT 11\n", ""), "IO_TLB_SHIFT"),
        (
            ("struct io_tlb_slot {",
             "#undef IO_TLB_SEGSIZE\n#define IO_TLB_SEGSIZE 64\nstruct io_tlb_slot {"),
            "IO_TLB_SEGSIZE: one value in all sources",
        ),
    ],
)  # fmt: skip
def test_slots_that_are_not_understood(change: tuple[str, str], place: str) -> None:
    with pytest.raises(NotUnderstood, match=place):
        planted(change).geometry(4096)


def asked(tree: TreeKernel, prop: Property, **more: int) -> Finding:
    domain = Domain(DEVICES[0], page_size=4096, path=Path.DIRECT, **more)
    return check_kernel(tree, domain, [prop], 60.0).findings[0]


def first_without_room(tree: TreeKernel, pool: PoolNumbers) -> tuple[int, int] | None:
    """The smallest size, and start index, that the tree's own code has no room for in
    an empty pool, of all that the driver may send from ORIG_ADDR."""
    cell = Cell(4096, 4096, Path.DIRECT, 0xFFF)
    for size in range(512, tree.nvme_limit(cell) + 1, 512):
        for index in range(pool.nslabs):
            run = tree.run(cell, ORIG_ADDR, size, replace(pool, start_index=index))
            if not run.outcome.ok:
                return size, index
    return None


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
@pytest.mark.parametrize(
    ("slots", "sets", "bits"), [(8, 1, 10), (8, 2, 11), (16, 1, 10), (8, 1, 12)]
)
def test_fits_is_what_the_code_does(
    slots: int, sets: int, bits: int, search: str
) -> None:
    tree = planted(segsize(slots), shift(bits), search=search)
    pool = PoolNumbers(POOL_START, slots * sets)
    found = asked(
        tree,
        Property.FITS,
        pool_start=POOL_START,
        orig_addr=ORIG_ADDR,
        nslabs=pool.nslabs,
        nareas=1,
    )
    seen = first_without_room(tree, pool)
    if found.counterexample is None:
        assert (found.verdict, seen) == (Verdict.HOLDS, None)
        return
    point = found.counterexample.point
    assert (found.verdict, found.confirmed) == (Verdict.BROKEN, True)
    assert seen == (point["size"], point["start_index"])


def test_a_limit_above_small_slot_sets_is_broken_in_any_area() -> None:
    old = "return (size_t)IO_TLB_SIZE * IO_TLB_SEGSIZE - less;"
    tree = planted(segsize(64), (old, "return (size_t)IO_TLB_SIZE * 128 - less;"))
    found = asked(tree, Property.FITS, start_index=0)
    assert (found.verdict, found.confirmed) == (Verdict.BROKEN, True)
    assert found.counterexample is not None
    assert found.counterexample.point["size"] <= 64 * 2048
    assert "only an area" not in (found.note or "")


@pytest.mark.parametrize("change", [segsize(64), segsize(256), shift(10), shift(12)])
@pytest.mark.parametrize("prop", LIVE)
def test_a_mapping_lives_in_the_tree_s_slots(
    prop: Property, change: tuple[str, str]
) -> None:
    found = asked(kernel(("include/linux/swiotlb.h", *change)), prop)
    assert found.verdict is Verdict.HOLDS, found.reason
    assert "list[], used and index are proved" in (found.note or "")


@pytest.mark.parametrize(
    ("other", "own"),
    [
        ("ALIGN(first + 1, 128)", segsize(64)),
        ("ALIGN(first + 1, IO_TLB_SEGSIZE / 2)", segsize(256)),
        ("ALIGN(first + 1, 2 * IO_TLB_SEGSIZE)", segsize(256)),
    ],
)
def test_list_is_proved_for_the_tree_s_slot_sets(
    other: str, own: tuple[str, str]
) -> None:
    right = "if (first + count < ALIGN(first + 1, IO_TLB_SEGSIZE))"
    wrong = f"if (first + count < {other})"
    header = ("include/linux/swiotlb.h", *own)
    assert all(proof.holds for proof in list_proofs(kernel(header), 4096))
    tree = kernel(header, (SWIOTLB, right, wrong))
    assert not all(proof.holds for proof in list_proofs(tree, 4096))


@pytest.mark.parametrize("wrong", [False, True])
def test_a_release_is_judged_by_the_tree_s_slot_sets(wrong: bool) -> None:
    right = "if (first + count < ALIGN(first + 1, IO_TLB_SEGSIZE))"
    other = right.replace("IO_TLB_SEGSIZE", "128") if wrong else right
    tree = kernel(("include/linux/swiotlb.h", *segsize(64)), (SWIOTLB, right, other))
    maps = [
        {"op": "map", "mapping": name, "path": "direct", "size": 32 << 11}
        | {"orig_addr": 1 << 20}
        for name in ("a", "b")
    ]
    machine = {"pool_start": POOL_START, "nslabs": 128, "min_align_mask": 0xFFF}
    ops = [*maps, {"op": "unmap", "mapping": "b"}]
    last = tree.run_history(*complete_history(machine, ops))[-1]
    assert (last["invariant"] is not None) is wrong
    assert bool(last["broken"]) is wrong


def test_a_size_that_is_cut_off_when_stored() -> None:
    tree = kernel((SWIOTLB, "size_t alloc_size;", "size_t alloc_size : 17;"))
    found = asked(tree, Property.RETURNED)
    assert (found.verdict, found.confirmed) == (Verdict.BROKEN, True)


def test_an_address_that_is_cut_off_when_stored() -> None:
    tree = kernel((SWIOTLB, "phys_addr_t orig_addr; size_t", "u32 orig_addr; size_t"))
    found = asked(tree, Property.CLEAN)
    assert (found.verdict, found.confirmed) == (Verdict.BROKEN, True)


@pytest.mark.parametrize("prop", LIVE)
def test_a_size_that_just_fits_is_not_cut_off(prop: Property) -> None:
    tree = kernel((SWIOTLB, "size_t alloc_size;", "size_t alloc_size : 19;"))
    assert asked(tree, prop).verdict is Verdict.HOLDS


EQUAL = [
    ("unsigned int list; };", "unsigned short list; };"),
    (LIST, "u8 list; };"),
    (LIST, "unsigned int list : 8; };"),
    (SET, "mem->slots[s].list = min(IO_TLB_SEGSIZE - (s & 127), mem->nslabs - s);"),
    (LOOP, f"for (s = 0; s != nslabs; s++)\n\t\t{SET}"),
    (LOOP, "for (s = 0; s < mem->nslabs; s += 1) {\n\t\tint at = s % 128;\n"
     "\t\tmem->slots[s].list = 128 - at;\n\t}"),
    (LOOP, f"for (s = 0; s < nslabs; s++)\n\t\t{SET}\n\tmem->slots[5].list = 123;"),
    (LOOP, f"s = 0;\n\twhile (s < nslabs) {{\n\t\t{SET}\n\t\ts++;\n\t}}"),
    with_areas("used", "0"),
    with_areas("index", "0"),
]  # fmt: skip
UNLIKE = {
    "clamped": (SET, "mem->slots[s].list = min(IO_TLB_SEGSIZE - (s & 127), 64UL);"),
    "seven bits": (LIST, "unsigned int list : 7; };"),
    "six bits": (LIST, "unsigned int list : 6; };"),
    "a signed byte": (LIST, "s8 list; };"),
    "a signed bit-field": (LIST, "int list : 8; };"),
    "one slot": (LOOP, f"{LOOP}\n\tmem->slots[5].list = 122;"),
    "a late slot": (LOOP, f"{LOOP}\n\tmem->slots[mem->nslabs - 1].list = 0;"),
    "the last slot": (LOOP, LOOP.replace("s < nslabs", "s + 1 < nslabs")),
    "the first slot": (LOOP, LOOP.replace("s = 0", "s = 1")),
    "every second": (LOOP, LOOP.replace("s++", "s += 2")),
    "slots far away": (SET, SET.replace("s & (", "s > 5000 ? 3 : s & (")),
    "carried over": (
        LOOP,
        "unsigned int n = 0;\n\tfor (s = 0; s < nslabs; s++)\n"
        "\t\tmem->slots[s].list = 128 - (n++ & 127);",
    ),
    "the next slot": (SET, SET.replace("slots[s]", "slots[s + 1]")),
    "a short counter": (
        LOOP,
        "u8 k;\n\tfor (k = 0; k < nslabs; k++)\n"
        "\t\tmem->slots[k].list = 128 - (k & 127);",
    ),
    "left early": (SET, f"{{\n\t\tif (s == 9000)\n\t\t\tbreak;\n\t\t{SET}\n\t}}"),
    "used": with_areas("used", "1"),
    "used of one area": with_areas("used", "s == 3"),
    "index": with_areas("index", "3"),
    "fewer slots": ("mem->nslabs = nslabs;", "mem->nslabs = nslabs - 128;"),
    "small areas": ("nslabs / nareas;", "nslabs / nareas / 2;"),
    "skipped in the midst": (
        LOOP,
        "s = 0;\n\twhile (s < nslabs) {\n\t\tif (s == 7000)\n\t\t\tcontinue;\n"
        f"\t\t{SET}\n\t\ts++;\n\t}}",
    ),
    "filled": (LOOP, f"{LOOP}\n\tmemset(mem->slots, 0, sizeof(*mem->slots));"),
}


@pytest.mark.parametrize("change", EQUAL)
def test_an_empty_pool_is_proved(change: tuple[str, str]) -> None:
    """No complaint is the proof; what rests on it holds, as in the tree unchanged."""
    tree = planted(change)
    initial_state_proved(tree, 4096)
    assert unproved_start(tree, [4096]) is None
    assert asked(tree, Property.HALTS).verdict is Verdict.HOLDS


END = ("phys_addr_t start;", "phys_addr_t start, end;")
START = "mem->start = start;"
LAST = "mem->end = start + (nslabs << IO_TLB_SHIFT);"
ENDS = {
    "never": START,
    "not of one pool": f"{START}\n\tif (nslabs != 4096)\n\t\t{LAST}",
    "too far": f"{START}\n\t{LAST[:-1]} + IO_TLB_SIZE;",
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_that_proofs_state_is_proved(name: str) -> None:
    initial_state_proved(planted(END, (START, f"{START}\n\t{LAST}")), 4096)
    with pytest.raises(NotUnderstood, match=r"the pool's end"):
        initial_state_proved(planted(END, (START, ENDS[name])), 4096)


def test_what_mappings_read_is_the_same_in_every_pool() -> None:
    field = ("phys_addr_t start;", "phys_addr_t start;\n\tunsigned int step;")
    read = ("return mem->start +", "return mem->step + mem->start +")
    for step, same in (("1", True), ("nslabs == 4096", False)):
        kernel = planted(field, read, (START, f"{START}\n\tmem->step = {step};"))
        if same:
            initial_state_proved(kernel, 4096)
            continue
        with pytest.raises(NotUnderstood, match=r"the pool's step"):
            initial_state_proved(kernel, 4096)


@pytest.mark.parametrize("name", UNLIKE)
def test_another_start_is_not_proved(name: str) -> None:
    with pytest.raises(NotUnderstood, match=r"swiotlb\.c:\d+"):
        initial_state_proved(planted(UNLIKE[name]), 4096)


@pytest.mark.parametrize("name", UNLIKE)
def test_another_start_holds_for_nothing(name: str) -> None:
    found = asked(planted(UNLIKE[name], search=CIRCULAR), Property.FITS)
    assert found.verdict in (Verdict.BROKEN, Verdict.UNKNOWN)
    if found.verdict is Verdict.BROKEN:
        assert found.confirmed
        assert found.counterexample is not None
        assert not found.counterexample.minimum
