# SPDX-License-Identifier: GPL-2.0-only
"""The commands on trees, revisions and patches."""

from __future__ import annotations

import difflib
import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.source.lives import texts
from tests.source.shapes import CIRCULAR, COUNTED, files
from tests.source.trees import SWIOTLB

DIRECT = ("--page-size", "4K", "--path", "direct", "--property", "fits")
LESS = "\t\tless = roundup(mask, IO_TLB_SIZE);\n"
MORE = "\t\tless = roundup(mask, IO_TLB_SIZE) + extra(mask);\n"
EXTRA = """static size_t extra(int mask)
{
	return mask > 4 ? 2 * IO_TLB_SIZE : 0;
}
"""


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def patched() -> str:
    """swiotlb.c with a limit that a new function lowers."""
    before = files(COUNTED)[SWIOTLB]
    start = before.index("size_t swiotlb_max_mapping_size")
    return before[:start] + EXTRA + before[start:].replace(LESS, MORE)


def patch_text(after: str | None = None) -> str:
    before, after = files(COUNTED)[SWIOTLB], after or patched()
    lines = difflib.unified_diff(
        before.splitlines(True), after.splitlines(True), f"a/{SWIOTLB}", f"b/{SWIOTLB}"
    )
    return "".join(lines)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "tree", files(COUNTED))


def test_check_confirms_on_the_tree_s_own_code(run: Run, tree: Path) -> None:
    result = run("check", str(tree), *DIRECT, "--json")
    answer = result.json["properties"][0]
    assert (result.code, answer["verdict"]) == (1, "broken")
    assert (answer["confirmed"], answer["minimum"]) == (True, True)
    assert answer["limit"] == 252 * 1024


def test_a_patch_with_a_new_function_changes_the_limit(
    run: Run, tree: Path, tmp_path: Path
) -> None:
    patch = tmp_path / "limit.patch"
    patch.write_text(patch_text())
    result = run("prove", str(tree), "--patch", str(patch), *DIRECT, "--json")
    answer = result.json["properties"][0]
    assert [cell["limit"] for cell in answer["cells"]] == [248 * 1024]
    assert answer["verdict"] == "holds"
    assert result.json["base_properties"][0]["verdict"] == "broken"
    assert (tree / SWIOTLB).read_text() == files(COUNTED)[SWIOTLB]


def test_simulate_one_and_a_batch(run: Run, tree: Path, tmp_path: Path) -> None:
    where = ("--page-size", "4K", "--path", "direct", "--nslabs", "256")
    request = ("--orig-addr", "0x12345e04", "--size", "100000")
    one = run("simulate", str(tree), *where, *request, "--json").json
    assert (one["ok"], one["tlb_addr"] & 0xFFF) == (True, 0xE04)
    lines = tmp_path / "lines"
    lines.write_text(json.dumps({"orig_addr": 0x12345E04, "size": 100000}) + "\n")
    many = run("simulate", str(tree), *where, "--batch", str(lines))
    again = json.loads(many.out)
    assert {k: one[k] for k in again} == again


def test_native_agrees(run: Run, tree: Path) -> None:
    result = run("check", str(tree), *DIRECT, "--native", "--json")
    answer = result.json["properties"][0]
    assert answer["verdict"] == "broken"
    assert "natively" in answer["note"]


def test_native_needs_a_tree(run: Run) -> None:
    result = run("check", "v6.6", *DIRECT, "--native")
    assert (result.code, result.err.count("\n")) == (2, 1)


def test_conform_tells_what_differs(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", texts(COUNTED))
    where = ("--page-size", "4K", "--path", "direct", "--json")
    result = run("conform", "v5.10.223", str(tree), *where)
    names = {found["what"].split(",")[0] for found in result.json["differences"]}
    assert result.code == 1
    assert {"search counted", "search stride", "search zero_mask"} <= names


@pytest.mark.parametrize(("state", "asked"), [("v5.16", False), ("v6.6", True)])
def test_conform_asks_for_the_optimum_where_a_limit_takes_it(
    run: Run, tmp_path: Path, state: str, asked: bool
) -> None:
    tree = write(tmp_path / "tree", texts(COUNTED))
    where = ("--page-size", "64K", "--granule", "64K", "--path", "iommu", "--json")
    result = run("conform", state, str(tree), *where, "--timeout", "0.01")
    names = {found["what"] for found in result.json["differences"]}
    assert ("opt_mapping_size" in names) is asked


def test_conform_of_a_like_tree(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "old", texts(CIRCULAR))
    where = ("--page-size", "16K", "--path", "direct", "--min-align-mask", "0xfff")
    result = run("conform", "v5.10.223", str(tree), *where, "--json")
    assert result.json["differences"] == []
    assert (result.code, result.json["verdict"]) == (0, "holds")


def test_bisect_finds_the_commit(run: Run, tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    first = git(tree, "rev-parse", "HEAD")
    for number in range(3):
        (tree / "README").write_text(f"{number}\n")
        git(tree, "add", "-A")
        git(tree, "commit", "-qm", f"elsewhere {number}")
    (tree / SWIOTLB).write_text(patched())
    git(tree, "commit", "-qam", "lower the limit")
    culprit = git(tree, "rev-parse", "HEAD")
    (tree / SWIOTLB).write_text(patched() + "/* the end */\n")
    git(tree, "commit", "-qam", "say so")
    options = ("--page-size", "4K", "--path", "direct", "--json")
    result = run("bisect", "fits", str(tree), first, "HEAD", *options)
    assert result.code == 0
    assert result.json["commit"] == culprit
    assert (result.json["good"], result.json["bad"]) == ("broken", "holds")
    assert len(result.json["tried"]) <= 3
    same = run("bisect", "fits", str(tree), culprit, "HEAD", *options)
    assert (same.code, same.err.count("\n")) == (2, 1)


def test_a_revision_is_read_without_a_checkout(run: Run, tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    (tree / SWIOTLB).write_text("broken {")
    result = run("check", f"{tree}@HEAD", *DIRECT, "--json")
    assert result.json["properties"][0]["verdict"] == "broken"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "/nonexistent/linux"], "/nonexistent/linux"),
        (["check", "TREE", "--patch", "/nonexistent.patch"], "/nonexistent.patch"),
        (["check", "v6.6", "--patch", "x.patch"], "--patch 'x.patch'"),
        (["check", "v6.6", "--config", "A=y"], "--config 'A=y'"),
        (["check", "TREE", "--config", "A"], "--config 'A': not KEY=VALUE"),
        (["check", "TREE@nope"], "no git revision"),
        (["simulate", "TREE", "--history", "no.json"], "--history 'no.json'"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tree: Path, arguments: list[str], message: str
) -> None:
    words = [word.replace("TREE", str(tree)) for word in arguments]
    result = run(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert message in result.err


def test_code_that_is_not_understood_names_its_place(run: Run, tmp_path: Path) -> None:
    texts = files(COUNTED)
    texts[SWIOTLB] = texts[SWIOTLB].replace(
        "done += stride;", 'done += stride; asm volatile("nop");'
    )
    tree = write(tmp_path / "odd", texts)
    result = run("check", str(tree), *DIRECT)
    assert (result.code, result.err) == (3, "")
    assert "kernel/dma/swiotlb.c:" in result.out
    assert "asm" in result.out


def test_assumptions_are_printed(run: Run) -> None:
    result = run("check", "--assumptions")
    assert result.code == 0
    assert "spin_lock" in result.out


def history(*ops: dict[str, object]) -> str:
    machine = {"nslabs": 256, "min_align_mask": 0xFFF, "pool_start": 1 << 20}
    return json.dumps({"machine": machine, "ops": list(ops)})


def test_a_history_runs_on_the_tree_s_code(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", texts(COUNTED))
    mapped = {"op": "map", "mapping": "m", "size": 6000, "orig_addr": 0x12A04}
    part = {"mapping": "m", "offset": 4000, "length": 100}
    calls = tmp_path / "calls.json"
    sync = {"op": "sync", "direction": "for_device", **part}
    calls.write_text(history(mapped, sync, {"op": "unmap", "mapping": "m"}))
    result = run("simulate", str(tree), "--history", str(calls), "--json")
    first, second, third = result.json["calls"]
    assert result.code == 0
    assert first["outcome"]["nslots"] == 4
    assert first["outcome"]["tlb_addr"] & 0xFFF == 0xA04
    assert third["outcome"]["freed"] == 4
    assert not any(call["broken"] for call in (first, second, third))


def test_a_history_that_no_tree_runs(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", texts(COUNTED))
    calls = tmp_path / "calls.json"
    paths = ({"op": "map", "size": 512, "path": path} for path in ("direct", "alloc"))
    calls.write_text(history(*paths))
    result = run("simulate", str(tree), "--history", str(calls))
    assert result.code == 2
    assert "one path" in result.err


LOG = (
    "[    1.5] nvme 0000:00:04.0: swiotlb buffer is full (sz: 258048 bytes), "
    "total 32768 (slots), used 20000 (slots)\n"
)


def test_explain_takes_a_tree(tree: Path, tmp_path: Path, run: Run) -> None:
    log, patch = tmp_path / "log", tmp_path / "p.patch"
    log.write_text(LOG)
    patch.write_text(patch_text())
    where = ("--page-size", "4K", "--path", "direct", "--verbose")
    result = run("explain", str(log), "--kernel", str(tree), *where)
    assert result.code == 0
    assert str(tree) in result.out
    assert "258048" in result.out.split("Requests that print it:")[1]
    lower = run(
        "explain", str(log), "--kernel", str(tree), "--patch", str(patch), *where
    )
    assert "of nvme that is modelled prints this line" in " ".join(lower.out.split())
    alone = run("explain", str(log), "--patch", str(patch))
    assert (alone.code, alone.out) == (2, "")
    assert "name the tree with --kernel" in alone.err


def test_audit_names_a_tree_it_does_not_take(tree: Path, run: Run) -> None:
    result = run("audit", "--kernel", str(tree))
    assert (result.code, result.out) == (2, "")
    assert "a tree; an audit takes built-in ones" in result.err


def test_what_shows_it_again_names_the_patch(
    tree: Path, tmp_path: Path, run: Run
) -> None:
    patch = tmp_path / "a patch"
    endless = files(COUNTED)[SWIOTLB].replace("done < mem", "3 > mem")
    patch.write_text(patch_text(endless))
    config = ("--config", "NUMA=n")
    result = run("check", str(tree), "--patch", str(patch), *config, *DIRECT)
    assert result.code == 1
    assert f"--patch '{patch}' --config CONFIG_NUMA=n" in " ".join(
        result.out.replace("\\\n", " ").split()
    )


def test_a_request_that_fails_in_a_patched_tree_names_the_patch(
    tree: Path, tmp_path: Path, run: Run
) -> None:
    patch = tmp_path / "a patch"
    patch.write_text(patch_text())
    result = run("limit", str(tree), "--patch", str(patch), "--page-size", "4K")
    assert result.code == 1
    assert f"{tree} --patch '{patch}' --page-size" in " ".join(result.out.split())
