# SPDX-License-Identifier: GPL-2.0-only
"""Trees made of a few lines of C, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from bounceproof.solver.trees.prover import SolverProver
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.program.program import Program
from bounceproof.source.tree.tree import Tree

SWIOTLB = "kernel/dma/swiotlb.c"


class DictStore:
    """Files held in a dict."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def want(self, paths: Iterable[str]) -> None:
        """Nothing to prepare."""


def proved_kernel(tree: Tree) -> TreeKernel:
    """The kernel of a tree, with the solver that proves what is read off it."""
    return TreeKernel(tree, None, SolverProver())


def small_tree(text: str, **more: str) -> Tree:
    """A tree whose swiotlb.c is ``text``."""
    return Tree(DictStore({SWIOTLB: text, **more}), "small")


def small_program(text: str, page_size: int = 4096) -> Program:
    """The declarations of a tree whose swiotlb.c is ``text``."""
    return Program(small_tree(text), page_size)
