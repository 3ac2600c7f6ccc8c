# SPDX-License-Identifier: GPL-2.0-only
"""``--reproducer``: programs that compile, and say what they need."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest

from bounceproof.source.tree.blocks import read_members
from tests.conftest import Run
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import write
from tests.source.test_debian import archive_of

STUBS = Path(__file__).parent / "stubs"
FITS = ("--page-size", "64K", "--granule", "64K", "--property", "fits")
CC = ("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")


def made(run: Run, kind: str, kernel: str, *words: str) -> str:
    result = run("check", kernel, *words, "--reproducer", kind)
    assert (result.code, result.err) == (1, "")
    assert result.out.isascii()
    return result.out


def needs(text: str) -> str:
    """The comment at its head, on one line."""
    lines = (line.lstrip(" *;") for line in text.split("\n")[:40])
    return " ".join(" ".join(lines).split())


def compiled(text: str, folder: Path, *options: str) -> Path:
    source, program = folder / "made.c", folder / "made"
    source.write_text(text)
    subprocess.run([*CC, *options, "-o", str(program), str(source)], check=True)
    return program


def test_the_program_compiles_and_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    text = made(run, "c", "v6.9", *FITS)
    program = compiled(text, tmp_path, "-O2")
    assert "#define OFFSET 65540UL\n#define SIZE 197120UL\n" in text
    said = needs(text)
    assert "Needs v6.9, and nvme, with pages of 64 KiB: an untrusted device" in said
    assert "Machines like that: PCI devices below a port that firmware marks" in said
    assert "So it does in an area of 32768 slots" in said
    assert "max_sectors_kb is raised to 193 or more" in said
    done = subprocess.run([program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")


def test_it_reads_and_never_writes(run: Run) -> None:
    text = made(run, "c", "v6.9", *FITS)
    assert "O_RDONLY" in text
    assert "write(" not in text


def test_what_no_current_machine_can_is_said(run: Run) -> None:
    words = ("--page-size", "64K", "--granule", "64K", "--property", "fits")
    said = needs(made(run, "c", "v6.1.192", *words))
    assert "No current machine can (latent): only x86" in said


def test_a_small_area_is_said(run: Run) -> None:
    words = ("--page-size", "4K", "--path", "direct", "--property", "fits")
    text = made(run, "c", "v7.3.4", *words)
    assert "areas of 128 slots: boot with swiotlb=512,4." in needs(text)


def test_fio_has_what_fio_can_say(run: Run) -> None:
    job = configparser.ConfigParser(comment_prefixes=(";",))
    text = made(run, "fio", "v6.6", *FITS)
    job.read_string(text)
    reproducer = job["reproducer"]
    assert reproducer["bs"] == str((2 << 20) - 512)
    assert (reproducer["direct"], reproducer["rw"]) == ("1", "read")


@pytest.mark.parametrize(
    ("kernel", "defined"),
    [
        ("v6.9", ["-DALLOC_SIZE"]),
        ("v7.3.4", ["-DATTRS_BY_ADDRESS"]),
        ("v6.12", []),
    ],
)
def test_the_kunit_test_compiles(
    run: Run, tmp_path: Path, kernel: str, defined: list[str]
) -> None:
    text = made(run, "kunit", kernel, "--page-size", "64K", "--property", "fits")
    source = tmp_path / "made.c"
    source.write_text(text)
    command = [*CC, "-fsyntax-only", f"-I{STUBS}", *defined, str(source)]
    subprocess.run(command, check=True)
    assert "bounceproof_fits" in text
    assert max(map(len, text.expandtabs(8).split("\n"))) <= 100


def test_a_tree_s_own_parameters_are_taken(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", files(COUNTED))
    words = ("--page-size", "4K", "--path", "direct", "--property", "fits")
    text = made(run, "kunit", str(tree), *words)
    assert "swiotlb_tbl_map_single(ctx->dev, phys, size" in text


@pytest.mark.trees
def test_the_kunit_test_passes_checkpatch(run: Run, tmp_path: Path) -> None:
    names = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
    wanted = {f"scripts/{name}" for name in names}
    for name, data in read_members(archive_of("6.12"), wanted, 8 << 20).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    for kernel in ("v6.9", "v7.3.4"):
        file = tmp_path / f"{kernel}.c"
        words = ("--page-size", "64K", "--property", "fits")
        file.write_text(made(run, "kunit", kernel, *words))
        script = str(tmp_path / "scripts" / "checkpatch.pl")
        command = ["perl", script, "--no-tree", "--strict", "-f", str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert "0 errors, 0 warnings, 0 checks" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("v6.12", "--addr-step", "4K", *FITS), "no counterexample"),
        (("v6.9", *FITS), "0x0 bytes into a huge page it does not"),
        (("v6.1.192", "--path", "direct", "--property", "halts"), "no program brings"),
        (("v6.12", *FITS, "--json"), "not a --format"),
    ],
)
def test_where_there_is_no_program_it_says_why(
    run: Run, words: tuple[str, ...], why: str
) -> None:
    result = run("check", *words, "--page-size", "64K", "--reproducer", "fio")
    assert (result.code, result.out) == (2, "")
    assert why in result.err
    assert result.err.startswith("bounceproof: --reproducer")
