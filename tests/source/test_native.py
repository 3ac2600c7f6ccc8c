# SPDX-License-Identifier: GPL-2.0-only
"""The functions of a small tree, compiled and run in a child process."""

from __future__ import annotations

import random
import shutil

import pytest

from bounceproof.models.request import Cell, Path
from bounceproof.source.kernel import SourceKernel
from bounceproof.source.native import NativeError, run_native
from bounceproof.source.run import PoolNumbers
from bounceproof.source.tree import Tree
from tests.source.shapes import CIRCULAR, COUNTED, files, tree
from tests.source.trees import SWIOTLB, DictStore

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
def test_agrees_with_the_reader(search: str) -> None:
    kernel = SourceKernel(tree(search))
    dice = random.Random(11)
    for _ in range(6):
        cell = Cell(4096, 4096, Path.DIRECT, dice.choice((0, 0xFFF, 0x3FFF)))
        pool = PoolNumbers(dice.getrandbits(20) << 12, 256, 1, 8 * dice.randrange(32))
        orig, size = dice.getrandbits(36), dice.randrange(1, 200 << 10)
        native = run_native(kernel, cell, orig, size, pool)
        assert native == kernel.run(cell, orig, size, pool).outcome


def test_an_endless_search_is_ended() -> None:
    kernel = SourceKernel(tree(CIRCULAR))
    cell = Cell(4096, 4096, Path.DIRECT, 0x3FFF)
    pool = PoolNumbers(1 << 30, 256, 1, 4)
    outcome = run_native(kernel, cell, 0x1800, 258 << 10, pool)
    assert outcome["hang"] is True


def test_what_cannot_be_compiled_stops_when_reached() -> None:
    texts = files()
    texts[SWIOTLB] = texts[SWIOTLB].replace(
        "mapping_size > alloc_size", "strange(mapping_size)"
    )
    kernel = SourceKernel(Tree(DictStore(texts), "changed"))
    cell = Cell(4096, 4096, Path.DIRECT, 0xFFF)
    with pytest.raises(NativeError, match="strange"):
        run_native(kernel, cell, 0x1000, 100, PoolNumbers(1 << 30, 256))
