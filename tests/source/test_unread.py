# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""What cannot be read is unknown and named; only what is absent is left out."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

import pytest

from bounceproof.models.formulas.search import NotRead
from bounceproof.models.request import Path, Request
from bounceproof.models.requests.devices import DEVICES
from bounceproof.models.words.word import INT, U64, Word
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.counterexample.find import cells_with_limits
from bounceproof.source.errors import NotUnderstood, SourceError
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import HEADERS, SOURCES, Tree, open_tree
from tests.conftest import Run
from tests.source.lives import DMA_IOMMU, texts
from tests.source.test_debian import archive_of
from tests.source.trees import SWIOTLB, DictStore, proved_kernel, small_program

NVME = next(device for device in DEVICES if device.name == "nvme")
DOMAIN = Domain(NVME, page_size=4096)
BROKEN_LINES = [
    "ODD_MACRO(x, y)",
    "ODD_MACRO(x",
    "DEFINE_ODD(a) {",
    "struct odd {",
    "enum {",
    "static int (",
    "/* no end",
    "#elsif X",
    "@@@ %%%",
    "{",
    "}",
]


def kernel(held: dict[str, str]) -> TreeKernel:
    return proved_kernel(Tree(DictStore(held), "tree"))


def readable(tree: TreeKernel) -> dict[tuple[Path, int], bool]:
    """The cells that are asked, with their limits, and whether each can be read."""
    found = {}
    request = Request(Word(0x200, U64), Word(512, U64))
    for cell, limit in cells_with_limits(tree, DOMAIN):
        try:
            tree.mapping(cell, request)
            found[cell.path, limit] = True
        except NotRead:
            found[cell.path, limit] = False
    return found


def lines_of(file: str, step: int, first: int) -> range:
    return range(first % step, texts()[file].count("\n"), step)


@pytest.mark.parametrize("number", range(len(BROKEN_LINES)))
def test_no_line_makes_the_question_smaller(number: int) -> None:
    whole = readable(kernel(texts()))
    for file in (SWIOTLB, DMA_IOMMU, "kernel/dma/direct.h", "include/linux/swiotlb.h"):
        for at in lines_of(file, 6, number):
            lines = texts()[file].split("\n")
            lines.insert(at, BROKEN_LINES[number])
            held = {**texts(), file: "\n".join(lines)}
            try:
                found = readable(kernel(held))
            except (SourceError, NotRead):
                continue
            assert found.keys() == whole.keys(), (file, at)


@pytest.mark.slow
@pytest.mark.parametrize("line", BROKEN_LINES)
def test_no_line_anywhere_gives_another_verdict(line: str) -> None:
    whole = check_kernel(kernel(texts()), DOMAIN, [Property.OWNED], 30).findings[0]
    for file in texts():
        for at in range(texts()[file].count("\n")):
            lines = texts()[file].split("\n")
            held = {**texts(), file: "\n".join([*lines[:at], line, *lines[at:]])}
            try:
                checked = check_kernel(kernel(held), DOMAIN, [Property.OWNED], 30)
            except (SourceError, NotRead):
                continue
            found = checked.findings[0]
            same = [(c.cell, c.limit) for c in found.cells]
            assert same == [(c.cell, c.limit) for c in whole.cells], (file, at)


BEFORE = "static dma_addr_t iommu_dma_map_page("


@pytest.mark.parametrize(
    "before",
    ["ODD_MACRO(x, y) @ static", "static int (", "#define X(", "ODD(x) { ( ", "} } {"],
)
def test_a_path_that_is_unread_is_unknown(before: str) -> None:
    held = texts()
    held[DMA_IOMMU] = held[DMA_IOMMU].replace(BEFORE, f"{before}\n{BEFORE}")
    found = check_kernel(kernel(held), DOMAIN, [Property.OWNED], 30).findings[0]
    assert found.verdict is Verdict.UNKNOWN
    if not found.cells:
        assert DMA_IOMMU in str(found.reason)
        return
    by_path = {cell.cell.path: cell for cell in found.cells}
    assert by_path[Path.DIRECT].verdict is Verdict.HOLDS
    assert by_path[Path.IOMMU].verdict is Verdict.UNKNOWN
    assert found.verdict is Verdict.UNKNOWN
    assert f"{DMA_IOMMU}:" in str(found.reason)


def write(folder: FilePath, held: dict[str, str]) -> str:
    for path, text in held.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return str(folder)


def test_an_unread_path_is_no_success(run: Run, tmp_path: FilePath) -> None:
    held = texts()
    held[DMA_IOMMU] = held[DMA_IOMMU].replace(BEFORE, f"ODD @ (x\n{BEFORE}")
    result = run("check", write(tmp_path, held), "--property", "owned", "--json")
    assert result.code == 3
    assert DMA_IOMMU in result.json["properties"][0]["reason"]


@pytest.mark.parametrize(
    ("file", "missing", "code"),
    [
        ("drivers/nvme/host/pci.c", "drivers/nvme/host/pci.c: no such file", 2),
        (DMA_IOMMU, "no such file", 3),
    ],
)
def test_a_file_that_is_missing_is_named(
    run: Run, tmp_path: FilePath, file: str, missing: str, code: int
) -> None:
    """Without the driver nothing can be asked about it; a path alone is unknown."""
    held = {**texts(), "include/linux/iommu-dma.h": "\n"}
    del held[file]
    result = run("check", write(tmp_path, held), "--property", "owned")
    assert result.code == code
    assert missing in " ".join((result.out + result.err).split())


def test_an_included_header_that_is_missing_is_named() -> None:
    held = {**texts(), SWIOTLB: "#include <linux/iova.h>\n" + texts()[SWIOTLB]}
    with pytest.raises(NotUnderstood, match=r"include/linux/iova.h: no such file"):
        kernel(held).program(4096)


def test_a_field_or_struct_that_is_lost_is_not_absent() -> None:
    held = texts()
    held["include/linux/swiotlb.h"] = held["include/linux/swiotlb.h"].replace(
        "bool force_bounce, for_alloc;", "ODD(bool force_bounce @ for_alloc);"
    )
    found = check_kernel(kernel(held), DOMAIN, [Property.OWNED], 30).findings[0]
    assert found.verdict is Verdict.UNKNOWN
    assert re.search(r"swiotlb\.h:\d+", str(found.reason))


def test_a_mask_set_where_nothing_is_read_is_not_overlooked() -> None:
    held = texts()
    held["drivers/nvme/host/pci.c"] += (
        "ODD(x) @ { dma_set_min_align_mask(dev, 0xffff); }\n"
    )
    with pytest.raises(SourceError, match=r"pci\.c"):
        cells_with_limits(kernel(held), DOMAIN)


def test_an_unknown_configuration_is_refused(run: Run, tmp_path: FilePath) -> None:
    tree = write(tmp_path, texts())
    result = run("check", tree, "--config", "ODD_NAME=y", "--property", "owned")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "CONFIG_ODD_NAME" in result.err


def number(text: str) -> int:
    value = Interpreter(small_program(text)).run("f", [], State())
    assert isinstance(value, Word)
    return int(value.cast(INT))


BITS = """
struct odd { DECLARE_BITMAP(flags, 70); };
static struct odd one;
int f(void)
{
	struct odd *p = &one;

	p->flags[0] = 0;
	p->flags[1] = 0;
	set_bit(65, p->flags);
	assign_bit(3, p->flags, true);
	clear_bit(3, p->flags);
	return test_bit(65, p->flags) + 2 * test_bit(3, p->flags) +
	       4 * test_and_set_bit(1, p->flags) + 8 * (p->flags[1] == 2);
}
"""


def test_bitmaps_hold_what_was_set() -> None:
    assert number(BITS) == 1 + 8


LISTS = """
struct item { int n; struct list_head node; };
struct all { struct list_head items; };
static struct all all;
static struct item a, b;
int f(void)
{
	struct item *p;
	int sum = 0;

	INIT_LIST_HEAD(&all.items);
	a.n = 3;
	b.n = 5;
	list_add_rcu(&a.node, &all.items);
	list_add_tail(&b.node, &all.items);
	list_for_each_entry_rcu(p, &all.items, node) {
		sum = sum * 10 + p->n;
	}
	list_del(&a.node);
	list_for_each_entry(p, &all.items, node)
		sum = sum * 10 + p->n;
	return sum;
}
"""


def test_lists_are_walked_in_their_order() -> None:
    assert number(LISTS) == 355


UNSET = """
int f(int x)
{
	int *p, n = 7;
	int g = set(x, &n, &p);

	if (g %s 0)
		return -1;
	return *p;
}
static int set(int x, int *from, int **to)
{
	if (x > 9)
		return -1;
	*to = from;
	return 1;
}
"""


@pytest.mark.parametrize("test", ["<", "=="])
def test_what_is_not_assigned_is_not_read(test: str) -> None:
    from bounceproof.solver.smt.terms import variable

    machine = Interpreter(small_program(UNSET % test))
    unknown = variable("x", INT)
    if test == "<":
        assert isinstance(machine.run("f", [unknown], State()), Word)
    else:
        with pytest.raises(NotUnderstood, match="one side"):
            machine.run("f", [unknown], State())


@pytest.mark.trees
@pytest.mark.parametrize("line", BROKEN_LINES)
def test_no_line_makes_a_whole_kernel_s_question_smaller(line: str) -> None:
    source = open_tree(str(archive_of("7.3")))
    held = {p: t for p in (*SOURCES, *HEADERS) if (t := source.read(p)) is not None}
    whole = readable(kernel(held))
    for file in (SWIOTLB, DMA_IOMMU):
        lines = held[file].split("\n")
        for at in range(len(line), len(lines), 211):
            broken = "\n".join([*lines[:at], line, *lines[at:]])
            try:
                found = readable(kernel({**held, file: broken}))
            except (SourceError, NotRead):
                continue
            assert found.keys() == whole.keys(), (file, at)
