# SPDX-License-Identifier: GPL-2.0-only
"""The two kernel source packages of Debian 12, read and run.

``BOUNCEPROOF_KERNELS`` names the folder with the linux-source-*.tar.xz archives.
"""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path as FilePath

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import kernel_state
from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.word import U64, Word
from bounceproof.simulator.single import SingleRequest, simulate
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.tree.tree import open_tree
from tests.conftest import Run
from tests.source.trees import proved_kernel

FOLDER = FilePath(os.environ.get("BOUNCEPROOF_KERNELS", "build/kernels"))
PACKAGES = {"6.1": "v6.1.192", "6.12": "v6.12.107"}


@cache
def source(series: str) -> SourceKernel:
    archive = FOLDER / f"linux-source-{series}.tar.xz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    return proved_kernel(open_tree(str(archive)))


@pytest.fixture(params=sorted(PACKAGES))
def series(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def cells() -> list[Cell]:
    return [
        Cell(page, page, path, mask)
        for page in (4096, 65536)
        for path in (Path.DIRECT, Path.IOMMU, Path.ALLOC)
        for mask in (0, 0xFFF, 0xFFFF)
    ]


def test_rules_and_limits(series: str) -> None:
    read, built = source(series), BuiltinKernel(kernel_state(PACKAGES[series]))
    assert (read.tree.version or "").startswith(f"{series}.")
    for cell in cells():
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
    for cell in cells():
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
    for _ in range(60):
        cell = dice.choice(cells())
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


def test_the_built_in_state_is_the_package_s_code(series: str, run: Run) -> None:
    source(series)
    archive = str(FOLDER / f"linux-source-{series}.tar.xz")
    where = ("--page-size", "64K", "--json")
    result = run("conform", PACKAGES[series], archive, *where)
    assert result.json["differences"] == []
    assert result.json["verdict"] == "holds"
    assert result.json["compared"] > 300
