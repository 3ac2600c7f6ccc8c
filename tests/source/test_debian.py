# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel source packages, whole: read, run, and held against the states.

``BOUNCEPROOF_KERNELS`` names the folder with the linux-source-*.tar.xz archives.  With
``BOUNCEPROOF_TREES=required`` a missing archive fails a test instead of skipping it.
"""

from __future__ import annotations

import os
import random
import subprocess
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import kernel_state
from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.words.word import U64, Word
from bounceproof.simulator.single import SingleRequest, simulate
from bounceproof.solver.contract.properties import Property
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.tree.tree import HEADERS, SOURCES, open_tree
from tests.conftest import Run
from tests.source.trees import proved_kernel

FOLDER = FilePath(os.environ.get("BOUNCEPROOF_KERNELS", "build/kernels"))
REQUIRED = os.environ.get("BOUNCEPROOF_TREES") == "required"
PACKAGES = {
    "5.10": "v5.10.223",
    "6.1": "v6.1.192",
    "6.12": "v6.12.107",
    "7.2": "v7.2.13",
    "7.3": "v7.3.4",
}
QUICK = ("6.1", "7.3")
PAGES = ("4K", "16K", "64K")
trees = pytest.mark.trees


def archive_of(series: str) -> FilePath:
    archive = FOLDER / f"linux-source-{series}.tar.xz"
    if not archive.exists():
        missing = f"no {archive}: make kernels"
        pytest.fail(missing) if REQUIRED else pytest.skip(missing)
    return archive


@cache
def source(series: str) -> SourceKernel:
    return proved_kernel(open_tree(str(archive_of(series))))


@pytest.fixture(
    params=[
        series if series in QUICK else pytest.param(series, marks=trees)
        for series in PACKAGES
    ]
)
def series(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def cells(read: SourceKernel) -> list[Cell]:
    return [
        Cell(page, page, path, mask)
        for page in (4096, 65536)
        for path in (Path.DIRECT, Path.IOMMU, Path.ALLOC)
        for mask in (0, 0xFFF, 0xFFFF)
        if read.unsupported(path) is None
    ]


def test_rules_and_limits(series: str) -> None:
    read, built = source(series), BuiltinKernel(kernel_state(PACKAGES[series]))
    assert (read.tree.version or "").startswith(f"{series}.")
    for path in Path:
        assert (read.unsupported(path) is None) == (built.unsupported(path) is None)
    for cell in cells(read):
        assert read.max_mapping_size(cell) == built.max_mapping_size(cell)
        assert read.opt_mapping_size(cell) == built.opt_mapping_size(cell)
        assert read.nvme_limit(cell) == built.nvme_limit(cell)
        assert read.nvme_align_mask(cell.page_size) == 0xFFF
        mask = cell.page_size - 1 if cell.path is Path.IOMMU else 0
        for large in (False, True):
            rule = read.search_rule(cell, mask, large)
            assert rule.canonical == built.search_rule(cell, mask, large).canonical


def test_mappings(series: str) -> None:
    read, built = source(series), BuiltinKernel(kernel_state(PACKAGES[series]))
    dice = random.Random(3)
    for cell in cells(read):
        for _ in range(10):
            orig = 0 if cell.path is Path.ALLOC else dice.getrandbits(36)
            size = dice.randrange(1, 300 << 10)
            request = Request(Word(orig, U64), Word(size, U64))
            one, two = read.mapping(cell, request), built.mapping(cell, request)
            assert bool(one.bounced) == bool(two.bounced)
            assert bool(one.refused) == bool(two.refused)
            if bool(one.bounced) and not bool(one.refused):
                for name in ("alloc_align_mask", "padding", "total", "nslots"):
                    assert int(getattr(one, name)) == int(getattr(two, name)), name


def test_whole_mappings(series: str) -> None:
    read, state = source(series), kernel_state(PACKAGES[series])
    dice = random.Random(5)
    for _ in range(30):
        cell = dice.choice(cells(read))
        orig = 0 if cell.path is Path.ALLOC else dice.getrandbits(36)
        size = dice.choice((dice.randrange(1, 9000), dice.randrange(1, 300 << 10)))
        index, start = dice.randrange(256), dice.getrandbits(20) << 16
        pool = PoolNumbers(start, 256, 1, index, 0xFFFFFFFF)
        single = SingleRequest(
            page_size=cell.page_size,
            path=cell.path.value,
            granule=cell.granule,
            min_align_mask=cell.min_align_mask,
            seg_boundary_mask=0xFFFFFFFF,
            pool_start=start,
            nslabs=256,
            nareas=1,
            start_index=index,
            orig_addr=orig,
            size=size,
        )
        assert read.run(cell, orig, size, pool).outcome == simulate(state, [single])[0]


def committed(root: FilePath) -> None:
    """Make ``root`` a git tree of one commit."""
    git = ("git", "-C", str(root), "-c", "user.name=n", "-c", "user.email=n@n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "tree")):
        subprocess.run([*git, *words], check=True, capture_output=True)


def test_an_archive_a_folder_and_a_revision_are_one_tree(
    series: str, tmp_path: FilePath
) -> None:
    read = source(series)
    root = tmp_path / "linux"
    for path in ("Makefile", *SOURCES, *HEADERS):
        text = read.tree.read(path)
        if text is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text.encode("utf-8", "surrogateescape"))
    committed(root)
    for name in (str(root), f"{root}@HEAD"):
        tree = open_tree(name)
        assert tree.fingerprint() == read.tree.fingerprint()
        assert tree.version == read.tree.version


UNPACKED = ("Makefile", "kernel/dma", "include/linux", "drivers/iommu", "drivers/nvme")
ALIGNED = ("--property", "aligned", "--path", "direct", "--page-size", "64K")


@trees
def test_the_same_is_said_of_an_unpacked_folder_and_of_a_revision(
    series: str, tmp_path: FilePath, run: Run
) -> None:
    archive = archive_of(series)
    top = f"linux-source-{series}"
    names = [f"{top}/{name}" for name in UNPACKED]
    subprocess.run(["tar", "-xf", archive.absolute(), *names], cwd=tmp_path, check=True)
    root = tmp_path / top
    committed(root)
    found = [
        run("check", name, *ALIGNED, "--json").json
        for name in (str(archive), str(root), f"{root}@HEAD")
    ]
    assert verdicts(found[0]) == verdicts(found[1]) == verdicts(found[2])
    assert set(verdicts(found[0]).values()) & {"holds", "broken"}
    versions = [one["sources"][0]["version"] for one in found]
    assert versions == [source(series).tree.version] * 3
    assert found[2]["sources"][0]["commit"] is not None


@trees
@pytest.mark.parametrize("page", PAGES)
def test_the_built_in_state_is_the_package_s_code(
    series: str, page: str, run: Run
) -> None:
    where = ("--page-size", page, "--json")
    result = run("conform", PACKAGES[series], str(archive_of(series)), *where)
    assert result.json["differences"] == []
    assert result.json["unknown"] == []
    assert result.json["verdict"] == "holds"
    assert result.json["compared"] > 100


def verdicts(found: Any) -> dict[tuple[object, ...], str]:
    """By property and cell."""
    names = ("path", "page_size", "granule", "min_align_mask")
    return {
        (prop["property"], *(cell[name] for name in names)): cell["verdict"]
        for prop in found["properties"]
        for cell in prop["cells"]
    }


def agree(tree: Any, built: Any) -> set[object]:
    """The paths with a cell in which the tree has no verdict; in all others it has
    that of the built-in state."""
    ours, theirs = verdicts(tree), verdicts(built)
    answered = {cell: found for cell, found in ours.items() if found != "unknown"}
    assert answered == {cell: theirs[cell] for cell in answered}
    assert ours.keys() == theirs.keys()
    assert ours
    return {cell[1] for cell in ours.keys() - answered.keys()}


@trees
@pytest.mark.parametrize("page", PAGES)
def test_nine_properties_are_those_of_the_built_in_state(
    series: str, page: str, run: Run
) -> None:
    where = ("--page-size", page, "--json")
    tree = run("check", str(archive_of(series)), *where).json
    assert len(tree["properties"]) == len(Property)
    assert agree(tree, run("check", PACKAGES[series], *where).json) <= {"link"}


@trees
def test_the_same_of_restricted_pools(series: str, run: Run) -> None:
    where = ("--path", "alloc", "--json")
    tree = run("check", str(archive_of(series)), *where)
    built = run("check", PACKAGES[series], *where)
    if BuiltinKernel(kernel_state(PACKAGES[series])).unsupported(Path.ALLOC) is None:
        assert agree(tree.json, built.json) == set()
        return
    assert (tree.code, tree.err.count("\n")) == (built.code, 1) == (2, 1)
    assert "has no swiotlb_alloc()" in tree.err


@trees
@pytest.mark.parametrize("series", ["6.12", "7.2", "7.3"])
def test_pools_found_by_list_are_read(series: str, run: Run) -> None:
    where = ("--property", "fits", "--property", "aligned", "--property", "returned")
    plain = ("--page-size", "4K", "--json")
    dynamic = ("--config", "SWIOTLB_DYNAMIC=y", *plain)
    tree = run("check", str(archive_of(series)), *where, *dynamic).json
    config = tree["sources"][0]["config"]
    assert config["CONFIG_SWIOTLB_DYNAMIC"] == "y"
    assert agree(tree, run("check", PACKAGES[series], *where, *plain).json) <= {"link"}
