# SPDX-License-Identifier: GPL-2.0-only
"""The functions of a tree that decide about a mapping, found from where paths enter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from bounceproof.models.request import Path
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in
from bounceproof.source.eval.outside import BOUNDARY
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native.native_text import _INITIALISERS
from bounceproof.source.program.assumptions import ASSUMPTIONS
from bounceproof.source.program.program import Program
from tools.c_mutants.slices import TRANSLATION, path_functions

LIMITS = ("dma_max_mapping_size", "dma_opt_mapping_size")
DRIVER = "drivers/nvme/host/pci.c"
_ELSEWHERE = """iommu_dma_free_iova iommu_dma_alloc_iova mem_used mem_pool_used
dma_reset_need_sync translate_phys_to_dma dma_kmalloc_needs_bounce dev_is_dma_coherent
force_dma_unencrypted dma_info_to_prot inc_used_and_hiwater dec_used"""
ELSEWHERE = frozenset(_ELSEWHERE.split())
"""What locks, logs, counts or allocates IOVA space: it decides nothing here."""
_PARSER = Parser(Language(tree_sitter_c.language()))


_LOGS = re.compile(r"(dev_|pr_)\w+\(|WARN\w*\(|\w+_WARN\w*\(")


def _then(node: Node) -> int:
    inner = node.child_by_field_name("consequence")
    return inner.start_byte if inner is not None else node.end_byte


@dataclass(frozen=True, slots=True)
class Body:
    """A function in the text of its file; ``start`` is its first byte there.

    ``compiled`` has the lines of the file that the configuration keeps.
    """

    name: str
    file: str
    start: int
    node: Node
    text: bytes
    compiled: frozenset[int]
    first_line: int

    def kept(self, node: Node) -> bool:
        """Whether all of ``node`` is compiled, and can decide something."""
        lines = range(node.start_point[0], node.end_point[0] + 1)
        return not self.idle(node.start_byte) and all(
            self.first_line + line in self.compiled for line in lines
        )

    def idle(self, at: int) -> bool:
        """Whether byte ``at`` lies in a message or in the way of high memory."""
        node: Node | None = self.node.descendant_for_byte_range(at, at + 1)
        while node is not None:
            if node.type == "call_expression" and _LOGS.match(self.source(node)):
                return True
            below = node.type == "if_statement" and at >= _then(node)
            if below and "HighMem" in self.source(node).split("{")[0]:
                other = node.child_by_field_name("alternative")
                return other is None or at < other.start_byte
            node = node.parent
        return False

    def source(self, node: Node) -> str:
        """The text of ``node``."""
        return self.text[node.start_byte : node.end_byte].decode()


def _reached(program: Program, roots: list[c.Function]) -> Iterator[c.Function]:
    stubbed = {name for a in ASSUMPTIONS for name in a.names.split()}
    skipped = BOUNDARY | ELSEWHERE | set(TRANSLATION) | stubbed
    queue = [(root.name, root.file) for root in roots]
    seen: set[str] = set()
    while queue:
        name, file = queue.pop(0)
        if name in seen or name in skipped:
            continue
        seen.add(name)
        function = program.function(name, file)
        if function is None or function.file.endswith("iova.c"):
            continue
        yield function
        queue += [(called, function.file) for called in sorted(calls_in(function.body))]


def _driver_functions(program: Program) -> Iterator[c.Function]:
    lines = program.units[DRIVER].source
    for name in program.functions_in(DRIVER):
        extent = program.extent(name, DRIVER)
        text = "\n".join(lines[extent[0] - 1 : extent[1]]) if extent else ""
        function = program.function(name, DRIVER) if "max_hw_sectors" in text else None
        if function is not None:
            yield function


def deciding(kernel: SourceKernel) -> list[Body]:
    """The functions that mapping, release, syncs and limits of a tree go through."""
    program = kernel.program(4096)
    paths = (Path.DIRECT, Path.IOMMU)
    roots = [f for path in paths for f in path_functions(program, path)]
    named = (program.function(name) for name in (*_INITIALISERS, *LIMITS))
    roots += [function for function in named if function is not None]
    found = [*_reached(program, roots), *_driver_functions(program)]
    bodies = (_body(program, function) for function in found)
    return [body for body in bodies if body is not None]


def ways_through(kernel: SourceKernel) -> dict[Path, frozenset[str]]:
    """The functions that mapping, release and syncs of each path go through."""
    program = kernel.program(4096)
    return {
        path: frozenset(
            function.name
            for function in _reached(program, path_functions(program, path))
        )
        for path in (Path.DIRECT, Path.IOMMU)
    }


def _body(program: Program, function: c.Function) -> Body | None:
    extent = program.extent(function.name, function.file)
    text = program.tree.read(function.file)
    if extent is None or text is None:
        return None
    lines = text.split("\n")
    own = "\n".join(lines[extent[0] - 1 : extent[1]]).encode()
    start = len("\n".join(lines[: extent[0] - 1]).encode()) + (extent[0] > 1)
    root = _PARSER.parse(own).root_node
    node = next((n for n in root.children if n.type == "function_definition"), None)
    if node is None or node.has_error:
        return None
    kept = program.units[function.file].text.split("\n")
    compiled = frozenset(n for n, line in enumerate(kept, 1) if line.strip())
    written = frozenset(n for n, line in enumerate(lines, 1) if not _code(line))
    first = extent[0]
    return Body(
        function.name, function.file, start, node, own, compiled | written, first
    )


def _code(line: str) -> bool:
    """Whether a line can have code in it."""
    return re.fullmatch(r"\s*([*/].*)?", line) is None


def descend(node: Node) -> Iterator[Node]:
    """``node`` and all below it, in the order of the text."""
    yield node
    for child in node.children:
        yield from descend(child)
