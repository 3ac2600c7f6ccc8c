# SPDX-License-Identifier: GPL-2.0-only
"""A tree's own functions with a driver of ours around them, as one C program.

The functions are sliced as for ``check --native``; here a program serves several cells
of one page size, and what it copies, fills and maps is recorded instead of carried out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path as File

from bounceproof.models.request import Cell, Path
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in
from bounceproof.source.errors import SourceError
from bounceproof.source.eval.outside import BOUNDARY
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.extract.stages import SYNCS, UNMAPS
from bounceproof.source.kernel.kernel import ENTRIES
from bounceproof.source.native.native_stubs import HEADER
from bounceproof.source.native.native_text import Text
from bounceproof.source.program.program import Program

DRIVER = File(__file__).parent / "driver"
PARTS = ("pool.c", "judge.c", "questions.c", "sweeps.c", "main.c")
TRANSLATION = ("iommu_iova_to_phys", "__iommu_dma_unmap")
_MAP = "swiotlb_tbl_map_single"
_PATHS = (Path.DIRECT, Path.IOMMU, Path.ALLOC)
_SEGMENT = 0xFFFFFFFF


class NoSlice(SourceError):
    """A tree whose functions cannot be put into a program."""


def _first(program: Program, names: Iterable[str]) -> c.Function | None:
    found = (program.function(name) for name in names)
    return next((function for function in found if function is not None), None)


def path_functions(program: Program, path: Path) -> list[c.Function]:
    """The entry point of ``path``, its unmap and its syncs, those that there are."""
    syncs = [SYNCS[path] + whom for whom in ("device", "cpu")] if path in SYNCS else []
    groups = [ENTRIES[path], UNMAPS[path], *((name,) for name in syncs)]
    found = [_first(program, names) for names in groups]
    return [function for function in found if function is not None]


class Sliced(Text):
    """One program for ``cells``, which have one page size.

    ``search`` is the function that searches one area.  Raises NoSlice.
    """

    def __init__(self, program: Program, cells: tuple[Cell, ...], search: str) -> None:
        self._cells = cells
        self._paths = [path for path in _PATHS if path in {cell.path for cell in cells}]
        self._of_path = {path: path_functions(program, path) for path in self._paths}
        area, slots = "io_tlb_area" in program.structs, "io_tlb_slot" in program.structs
        found = program.function(search)
        entry = next((f[0] for f in self._of_path.values() if f), None)
        if found is None or entry is None or not (area and slots):
            raise NoSlice(f"{program.tree.name}: no areas, or no {search}()")
        super().__init__(program, cells[0], entry, found)

    def _needed(self) -> dict[str, c.Function]:
        """All that the paths of the cells and the pool's initialisation call."""
        found: dict[str, c.Function] = {}
        roots = [self._init, *(f for group in self._of_path.values() for f in group)]
        queue = [(f.name, f.file) for f in roots]
        queue.append(("nr_slots", self._search.file))
        while queue:
            name, file = queue.pop()
            if name in found or name in BOUNDARY or name in TRANSLATION:
                continue
            function = self._program.function(name, file)
            if function is None:
                continue
            found[name] = function
            queue += [(called, function.file) for called in calls_in(function.body)]
        return found

    def whole(self) -> str:
        """The text of the program."""
        parts = [
            "#define _GNU_SOURCE",
            f"#define BP_PAGE_SHIFT {self._cell.page_shift}",
            HEADER,
            *self._types(),
            *self._constants(),
            *self._surroundings(),
            (DRIVER / "record.c").read_text(),
            *self._slot_constants(),
            *self._stubs(),
            *self._missing_stubs(),
            (DRIVER / "stubs.c").read_text(),
            *self._globals(),
            *self._bodies(),
            *self._glue(),
            *((DRIVER / name).read_text() for name in PARTS),
        ]
        text = "\n".join(parts) + "\n"
        mark = re.compile(r"/\* in (\w+) \*/$")
        found = ((n, mark.match(line)) for n, line in enumerate(text.split("\n"), 1))
        self._starts = [(number, m.group(1)) for number, m in found if m]
        return text

    def _slot_constants(self) -> list[str]:
        """The tree's own IO_TLB_SEGSIZE and IO_TLB_SHIFT, for the driver."""
        text = self._program.tree.read("include/linux/swiotlb.h") or ""
        out = []
        for name, ours in (("IO_TLB_SEGSIZE", "SEGSIZE"), ("IO_TLB_SHIFT", "SHIFT")):
            found = re.search(rf"^#define\s+{name}\s+(.+?)(/\*.*)?$", text, re.M)
            if found is None:
                raise NoSlice(f"{self._program.tree.name}: no {name}")
            out.append(f"#define BP_{ours} ({found.group(1).strip()})")
        return out

    def _missing_stubs(self) -> list[str]:
        """Calls that native code meets and the reader treats by itself."""
        called = {n for f in self._functions.values() for n in calls_in(f.body)}
        known = {"test_bit": "bp_test_bit"}
        return [f"#define {n} {ours}" for n, ours in known.items() if n in called]

    def _capture(self, name: str) -> str:
        """A macro that notes what later calls of ``name`` get and give."""
        function = self._functions[name]
        names = [own for _, own, _ in function.parameters]
        called = f"{name}({', '.join(f'bp_{own}' for own in names)})"
        asked = "bp_alloc_align_mask" if "alloc_align_mask" in names else "0"
        if name == _MAP:
            return f"#define {called} bp_mapped({asked}, {called})"
        return f"#define {called} bp_searched(bp_alloc_size, {asked}, {called})"

    # The glue between the driver and the functions.

    def _glue(self) -> list[str]:
        cases = [
            f"\tcase {number}:\n{self._of_cell(cell)}\n\t\tbreak;"
            for number, cell in enumerate(self._cells)
        ]
        inner = "bp_mem.defpool" if "io_tlb_pool" in self._program.structs else "bp_mem"
        joined = "\n".join(cases)
        return [
            f"#define BP_POOL {inner}",
            "static void bp_settings(int cell)",
            f"{{\n\tswitch (cell) {{\n{joined}\n\t}}\n}}",
            self._pool_glue(inner),
            *self._calls(),
        ]

    def _of_cell(self, cell: Cell) -> str:
        own, self._cell = self._cell, cell
        try:
            lines = self._settings(PoolNumbers(1, 1, seg_boundary_mask=_SEGMENT))
        finally:
            self._cell = own
        path = _PATHS.index(cell.path)
        numbers = f"bp_cell = (struct bp_cell){{{path}, {cell.granule}UL, "
        numbers += f"{cell.min_align_mask}UL, {cell.page_size}UL}};"
        return "\n".join(f"\t\t{line}" for line in [numbers, *lines])

    def _pool_glue(self, inner: str) -> str:
        values = {
            "start": "start",
            "vaddr": "(void *)start",
            "tlb": "(char *)start",
            "nslabs": "nslabs",
            "late_alloc": "0",
            "nareas": "nareas",
            "flags": "0",
            "verbose": "0",
            "mem": f"&{inner}",
            "pool": f"&{inner}",
        }
        call = self._call(self._init, values)
        lines = ["bp_settings(bp_cell_number);", f"{call};", "bp_mem.nslabs = nslabs;"]
        if self._has("io_tlb_mem", "force_bounce"):
            lines.append("bp_mem.force_bounce = bp_cell.path == 0;")
        body = "\n".join(f"\t{line}" for line in lines)
        head = "uint64_t start, unsigned long nslabs, int nareas"
        return f"static void bp_tree_init({head})\n{{\n{body}\n}}"

    def _calls(self) -> list[str]:
        after = ("unmap", "sync_device", "sync_cpu")
        calls = [("map", "phys"), *((name, "handle") for name in after)]
        return [
            self._dispatch(
                f"uint64_t bp_tree_{what}(uint64_t {first}, uint64_t size, int dir)",
                place,
            )
            for place, (what, first) in enumerate(calls)
        ]

    def _dispatch(self, head: str, place: int) -> str:
        page = "(struct page *)(uintptr_t)"
        values = {
            **dict.fromkeys(("dev", "hwdev"), "&bp_device"),
            **dict.fromkeys(("dir", "direction"), "dir"),
            **dict.fromkeys(("addr", "dma_addr", "dma_handle", "handle"), "handle"),
            **dict.fromkeys(("attrs", "flush"), "0"),
            "phys": "phys",
            "paddr": "phys",
            "page": f"{page}(phys & ~(bp_cell.page - 1))",
            "offset": "phys & (bp_cell.page - 1)",
            "size": "size",
        }
        cases = []
        for path in self._paths:
            functions = self._of_path[path]
            if place >= len(functions):
                continue
            given = values | ({"page": f"{page}handle"} if place else {})
            call = self._call(functions[place], given)
            gives = not isinstance(functions[place].result, c.VoidType)
            body = f"return (uint64_t){call};" if gives else f"{call};\n\t\tbreak;"
            cases.append(f"\tcase {_PATHS.index(path)}:\n\t\t{body}")
        joined = "\n".join(cases)
        switch = f"\tswitch (bp_cell.path) {{\n{joined}\n\t}}"
        return f"static {head}\n{{\n{switch}\n\treturn 0;\n}}"
