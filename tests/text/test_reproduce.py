# SPDX-License-Identifier: GPL-2.0-only
"""What is broken is stated as it was seen, once, with a line that can be pasted."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from tests.conftest import MACHINE, Run

PROGRAM = f"{shlex.quote(sys.executable)} -m bounceproof"
SMALL = ("--page-size", "4K", "--path", "direct")


def pasted(lines: str) -> subprocess.CompletedProcess[str]:
    """The lines as a shell takes them, ``bounceproof`` being this one."""
    words = ["bash", "-c", f'bounceproof() {{ {PROGRAM} "$@"; }}\n{lines}']
    return subprocess.run(words, capture_output=True, text=True, check=False)


def commands(out: str) -> list[str]:
    """What stands below each "Reproduce:", up to an empty line."""
    parts = out.split("\nReproduce:\n")[1:]
    return [part.partition("\n\n")[0] for part in parts]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("check", "v6.6", "--property", "fits", *MACHINE), "outcome           fails"),
        (("check", "v6.9", "--property", "finds", *SMALL), "because           slot 1"),
        (("diff", "v6.9", "v6.10", "--page-size", "4K"), "simulate v6.9"),
        (("limit", "v6.9", *SMALL), "fails"),
        (("theorem", "v6.9", "--property", "fits", "--granule", "64K"), "fails"),
        (("prove", "v6.6+will-v3", "--property", "fits", *MACHINE), "fails"),
    ],
)
def test_a_command_is_one_line_that_can_be_pasted(
    run: Run, words: tuple[str, ...], wanted: str
) -> None:
    found = commands(run(*words).out)
    assert found
    for lines in found:
        assert "\n" not in lines
        assert lines.startswith("bounceproof simulate ")
    done = pasted(found[0])
    assert (done.returncode, done.stderr) == (0, "")
    assert wanted in done.stdout


@pytest.mark.parametrize("prop", ["owned", "clean"])
def test_a_history_can_be_pasted_and_says_by_its_exit_code(run: Run, prop: str) -> None:
    asked = ("--granule", "4K", "--page-size", "4K", "--property", prop)
    out = run("check", "v6.9", *asked).out
    [lines] = commands(out)
    assert lines.endswith("\nEND")
    done = pasted(f"{lines}\nexit $?")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"{prop} broken: " in done.stdout
    assert "breaks " in done.stdout.splitlines()[0]


VIOLATIONS = [
    ("v6.9", "fits", MACHINE, "129 slots are needed, a slot set has 128"),
    ("v6.6+will-v3", "fits", MACHINE, "no slot of the slot set is admissible"),
    (
        "v6.6+nicolin-v1-1",
        "fits",
        ("--size", "131584", "--orig-addr", "0x10800"),
        "slot 1 is admissible and starts 96 free slots; the search never tests it",
    ),
    (
        "v6.9",
        "finds",
        SMALL,
        "slot 1 is admissible and starts 1 free slot; the search never tests it",
    ),
    (
        "v6.9",
        "aligned",
        (*SMALL, "--page-zero"),
        "tlb_addr & 0xfff is 0x800, orig_addr & 0xfff is 0x0: bits 0x800 are lost",
    ),
    (
        "v6.9",
        "owned",
        ("--page-size", "64K", "--granule", "4K"),
        "the device reaches 0x10000 to 0x12000, the mapping's slots are 0x10000 to "
        "0x11800",
    ),
    ("v5.10.223", "halts", SMALL, "the search never ends"),
]


@pytest.mark.parametrize(("kernel", "prop", "where", "text"), VIOLATIONS)
def test_a_counterexample_states_what_it_violates(
    run: Run, kernel: str, prop: str, where: tuple[str, ...], text: str
) -> None:
    asked = ("check", kernel, "--property", prop, *where)
    assert run(*asked, "--json").json["properties"][0]["violation"] == text
    assert " ".join(run(*asked).out.split()).count(text) == 1


def test_the_slots_at_fault_are_drawn_and_named(run: Run) -> None:
    where = ("--page-size", "64K", "--granule", "4K", "--property", "owned")
    out = run("check", "v6.9", *where).out
    assert "  at fault          0x11800 to 0x12000, 2 KiB in slot 3\n" in out
    assert "\n       0 ###!|.|." in out
    assert "         !  slot at fault\n" in out


def test_check_begins_with_a_table_and_a_line_each(run: Run) -> None:
    out = run("check", "v6.9", "--page-size", "4K").out
    lines = out.splitlines()
    broken = "fits, finds, owned, clean"
    assert lines[3] == f"Broken: {broken}. 5 of 9 properties hold."
    assert [line.split()[:2] for line in lines[6:15]] == [
        ["fits", "broken"], ["finds", "broken"], ["halts", "holds"],
        ["aligned", "holds"], ["owned", "broken"], ["exclusive", "holds"],
        ["inbounds", "holds"], ["returned", "holds"], ["clean", "broken"],
    ]  # fmt: skip
    assert lines[16] == "The smallest request that breaks v6.9:"
    assert len(lines) < 60
    assert "Reproduce" not in out
    verbose = run("check", "v6.9", "--page-size", "4K", "--verbose").out
    assert len(commands(verbose)) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "3M"), "nvme does not send it: the driver's limit is 252 KiB"),
        (("--orig-addr", "3"), "nvme does not send it: orig_addr is no multiple of 4"),
    ],
)
def test_a_request_beyond_the_driver_is_said_to_be(
    run: Run, words: tuple[str, ...], told: str
) -> None:
    assert told in run("simulate", "v6.9", *words).out


@pytest.mark.parametrize(("size", "code"), [("197120", 1), ("512", 0)])
def test_a_script_can_ask_for_failure(run: Run, size: str, code: int) -> None:
    asked = ("--orig-addr", "0x4", "--size", size)
    assert run("simulate", "v6.9", *asked, "--fail-on", "failed").code == code
    assert run("simulate", "v6.9", *asked).code == 0
