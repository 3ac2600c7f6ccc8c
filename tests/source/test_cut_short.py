# SPDX-License-Identifier: GPL-2.0-only
"""Series cut short and code that no longer fits together: one line, no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from bounceproof.models.words.word import INT, Word
from bounceproof.source.errors import NotUnderstood, SourceError
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from tests.conftest import Run
from tests.source.lives import texts
from tests.source.mails import diff
from tests.source.shapes import COUNTED
from tests.source.test_commands import write
from tests.source.trees import SWIOTLB, small_program

FILES = texts(COUNTED)
REQUEST = ("--orig-addr", "0x12345e04", "--size", "100000", "--nslabs", "256")
WHERE = ("--page-size", "4K", "--path", "direct")


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


SHORT = {
    "a caller of the search gives one more": (
        "swiotlb_do_find_slots(dev, area,",
        "swiotlb_do_find_slots(dev, area, 0,",
    ),
    "the search takes one more": (
        "static int swiotlb_do_find_slots(struct device *dev,",
        "static int swiotlb_do_find_slots(struct device *dev, int more,",
    ),
    "a caller of nr_slots gives one more": ("nr_slots(alloc_size)", "nr_slots(u, 1)"),
    "nr_slots takes one more": ("nr_slots(u64 bytes)", "nr_slots(u64 bytes, int more)"),
    "another name for the size": (
        "phys_addr_t orig_addr, size_t alloc_size, unsigned int alloc_align_mask)",
        "phys_addr_t orig_addr, size_t asked, unsigned int alloc_align_mask)",
    ),
    "no function that maps": (
        "phys_addr_t swiotlb_tbl_map_single(struct",
        "phys_addr_t swiotlb_tbl_map_other(struct",
    ),
    "a copy of nothing": ("(phys_to_virt(at), phys_to_virt(orig), n)", "()"),
    "an address of nothing": ("phys_to_virt(orig)", "phys_to_virt()"),
    "a field that is gone": ("area_nslabs;", "area_slots;"),
}  # fmt: skip


@pytest.mark.parametrize("what", SHORT)
@pytest.mark.parametrize("command", ["check", "simulate"])
def test_what_does_not_fit_together_has_no_verdict(
    run: Run, tmp_path: Path, what: str, command: str
) -> None:
    old, new = SHORT[what]
    files = {
        name: text.replace(old, new) if name.endswith((".c", ".h")) else text
        for name, text in FILES.items()
    }
    assert files != FILES
    tree = write(tmp_path / "tree", files)
    rest = ("--property", "clean") if command == "check" else REQUEST
    result = run(command, str(tree), *WHERE, *rest)
    assert result.code == (3 if command == "check" else 2)
    told = result.out if command == "check" else result.err
    assert "not understood" in " ".join(told.split())
    if command == "simulate":
        assert (result.out, result.err.count("\n")) == ("", 1)
    else:
        assert result.err == ""
        assert "clean: unknown" in result.out
        assert "holds" not in result.out.lower()
    assert "Error" not in told
    assert "zip" not in told


def test_the_call_is_named(run: Run, tmp_path: Path) -> None:
    old, new = SHORT["the search takes one more"]
    before = FILES[SWIOTLB]
    patch = tmp_path / "cut.patch"
    patch.write_text(diff(before, changed(before, old, new), SWIOTLB))
    tree = write(tmp_path / "tree", FILES)
    result = run("check", str(tree), "--patch", str(patch), *WHERE)
    line = before[: before.index("swiotlb_do_find_slots(dev, area")].count("\n") + 1
    told = " ".join(result.out.split())
    assert (result.code, result.err) == (3, "")
    assert f"{SWIOTLB}:{line}: not understood" in told
    assert "arguments for swiotlb_do_find_slots(), not" in told


def value(text: str) -> int:
    machine = Interpreter(small_program(text))
    found = machine.run("f", [Word(1, INT)], State())
    assert isinstance(found, Word)
    return int(found)


NESTED = {
    "an initial value": "int deep = " + "-~" * 5000 + "1;\n%s",
    "an enumerator": "enum e { DEEP = " + "(" * 5000 + "1" + ")" * 5000 + " };\n%s",
}


@pytest.mark.parametrize("what", NESTED)
def test_what_is_not_used_may_nest_as_it_likes(what: str) -> None:
    assert value(NESTED[what] % "int f(int a)\n{\n\treturn a + 2;\n}\n") == 3


@pytest.mark.parametrize("depth", [100, 150, 200, 250, 300, 400, 900])
@pytest.mark.parametrize("text", ["-~", "!", "(a + ", "a ? a : (", "f2("])
def test_what_nests_is_run_or_refused(text: str, depth: int) -> None:
    closing = ")" * (depth * text.count("("))
    body = f"\treturn {text * depth}a{closing};\n"
    code = f"int f2(int a)\n{{\n\treturn a;\n}}\nint f(int a)\n{{\n{body}}}\n"
    try:
        assert isinstance(value(code), int)
    except SourceError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "expression",
    [
        "swap(a)",
        "swap()",
        "check_add_overflow(a)",
        "check_add_overflow(a, 1, NULL)",
        "phys_to_virt()",
        "pfn_to_page()",
        "page_to_pfn()",
        "memcpy(a)",
        "memset()",
        "iommu_map(a)",
        "min()",
        "get_order()",
        "WARN_ON()",
        "dev_WARN_ONCE(a)",
        "virt_to_phys()",
        "'ab'",
        "L'a'",
        "''",
        "'\\x41'",
        "08",
        "0x",
        "1.5",
        "99999999999999999999999",
    ],
)
def test_odd_calls_and_constants_are_refused(expression: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        value(f"int f(int a)\n{{\n\treturn ({expression}) + 0;\n}}\n")
    assert "\n" not in str(caught.value)
    assert caught.value.line == 3
