# SPDX-License-Identifier: GPL-2.0-only
"""A history of mappings and releases, run on the tree's own compiled functions."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path as FilePath

from bounceproof.models.request import Cell, Path
from bounceproof.source.cparse import syntax as c
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native.native import NativeError, _build, _execute
from bounceproof.source.native.native_text import Text
from bounceproof.source.program.program import Program

RELEASES = ("swiotlb_release_slots", "swiotlb_tbl_unmap_single")
CPU = "raw_smp_processor_id"
Call = tuple[bool, int, int, int, int, int]
"""Whether it maps; min_align_mask, orig_addr, size, CPU, and the mapping's number."""
_FOUND = re.compile(r"^(-?\d+)$", re.M)


class HistoryText(Text):
    """One program that maps and releases in turn, on path direct."""

    def __init__(
        self,
        program: Program,
        cell: Cell,
        entry: c.Function,
        search: c.Function,
        calls: Sequence[Call],
    ) -> None:
        self._calls = calls
        found = [program.function(name) for name in RELEASES]
        release = next((function for function in found if function is not None), None)
        if release is None:
            raise NativeError(f"no definition of {RELEASES[0]}()")
        self._release = release
        super().__init__(program, cell, entry, search)

    def _called_first(self) -> list[c.Function]:
        return [*super()._called_first(), self._release]

    def _stubs(self) -> list[str]:
        stubs = [line for line in super()._stubs() if f" {CPU}(" not in line]
        return [*stubs, f"static int bp_cpu;\n#define {CPU}(...) bp_cpu"]

    def _main(self, orig_addr: int, size: int, pool: PoolNumbers) -> str:
        rows = ",\n".join(
            f"{{{int(maps)},{mask},{at}UL,{size}UL,{cpu},{name}}}"
            for maps, mask, at, size, cpu, name in self._calls
        )
        names = 1 + max((call[-1] for call in self._calls), default=0)
        table = f"static const unsigned long bp_calls[][6] = {{\n{rows}\n}};"
        held = f"static unsigned long bp_at[{names}], bp_live[{names}];"
        body = [*self._settings(pool), *self._pool(pool), *self._loop()]
        lines = "\n".join(f"\t{line}" for line in body)
        return f"{table}\n{held}\nint main(void)\n{{\n{lines}\n}}"

    def _loop(self) -> list[str]:
        page = self._cell.page_size
        both = dict.fromkeys(("dev", "hwdev"), "&bp_device")
        ways = dict.fromkeys(("dir", "direction"), "1")
        values = {
            **both,
            **ways,
            "attrs": "0",
            "flush": "0",
            "phys": "call[2]",
            "page": f"(struct page *)(call[2] & ~{page - 1}UL)",
            "offset": f"(call[2] & {page - 1}UL)",
            "size": "call[3]",
        }
        place = "&bp_mem" if "io_tlb_pool" not in self._program.structs else None
        place = place or "&bp_mem.defpool"
        gone = {
            **both,
            **ways,
            "tlb_addr": "bp_at[name]",
            "mapping_size": "call[3]",
            "alloc_size": "call[3]",
            "attrs": "0",
            "mem": place,
            "pool": place,
        }
        return [
            "for (unsigned long n = 0; n < sizeof(bp_calls) / 48; n++) {",
            "\tconst unsigned long *call = bp_calls[n], name = call[5];",
            "\tbp_cpu = call[4];",
            "\tbp_parameters.min_align_mask = call[1];",
            "\tif (!call[0]) {",
            f"\t\tif (bp_live[name]) {self._call(self._release, gone)};",
            "\t\tbp_live[name] = 0;",
            "\t\tcontinue;",
            "\t}",
            "\tbp_slot = -1;",
            f"\tbp_live[name] = {self._call(self._entry, values)} != ~0UL;",
            "\tbp_at[name] = bp_tlb;",
            '\tprintf("%d\\n", bp_live[name] ? bp_slot : -1);',
            "}",
            "return 0;",
        ]


def run_native_history(
    kernel: SourceKernel, cell: Cell, pool: PoolNumbers, calls: Sequence[Call]
) -> list[int]:
    """Compile and run ``calls``; the slot of each mapping, -1 where it fails.

    A release is told its mapping's size and mask.  Raises NativeError.
    """
    entry = kernel.entry(Path.DIRECT, cell.page_size)
    if cell.path is not Path.DIRECT or entry is None:
        raise NativeError(f"{kernel.name}: histories are run natively on path direct")
    program = kernel.program(cell.page_size)
    search = kernel.reader(cell.page_size).search.function
    text = HistoryText(program, cell, entry, search, calls)
    with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
        folder = FilePath(name)
        printed = _execute(_build(text, folder, (0, 0, pool)), folder)
    if printed is None:
        raise NativeError("the compiled code does not end")
    return [int(slot) for slot in _FOUND.findall(printed)]
