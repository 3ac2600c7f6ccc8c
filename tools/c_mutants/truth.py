# SPDX-License-Identifier: GPL-2.0-only
"""What the compiled code of a tree shows of the contract, cell by cell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path as File
from typing import Any

from bounceproof.models.request import Cell, Path
from bounceproof.models.requests.devices import DEVICES
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native import fence
from tools.c_mutants.slices import Sliced

CPU_SECONDS = 60
EFFORT = 2
FLAGS = (
    *("-O1", "-std=gnu11", "-fno-strict-aliasing", "-fwrapv"),
    *("-ftrivial-auto-var-init=zero", "-fno-tree-vectorize"),
    *("-Werror=int-conversion", "-Werror=incompatible-pointer-types"),
)
"""Variables that nobody sets hold 0, as in a kernel with INIT_STACK_ALL_ZERO."""
NVME = next(device for device in DEVICES if device.name == "nvme")
_MISSING = re.compile(
    r"error: '(\w+)' undeclared|undefined reference to [`'](\w+)'"
    r"|implicit declaration of function '(\w+)'"
)


class NotCompiled(Exception):
    """A mutant that gcc refuses; the message is gcc's first complaint."""


class NotRun(Exception):
    """A driver that stops or says nothing."""


@dataclass(frozen=True, slots=True)
class Where:
    """A page size, a granule and a path, in which a tree is asked."""

    page_size: int
    granule: int
    path: Path

    def cell(self, kernel: SourceKernel) -> Cell:
        """The cell that nvme-pci of ``kernel`` makes of it."""
        mask = kernel.nvme_align_mask(self.page_size)
        return Cell(self.page_size, self.granule, self.path, mask)

    @property
    def label(self) -> str:
        """As tables name it."""
        pages = f"{self.path.value} {self.page_size >> 10}K"
        return f"{pages}/{self.granule >> 10}K" if self.path.has_granule else pages


CELLS = (
    Where(65536, 65536, Path.IOMMU),
    Where(65536, 4096, Path.IOMMU),
    Where(4096, 4096, Path.DIRECT),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One property that compiled code breaks, with the first request that shows it.

    ``sure`` where the contract's words leave no doubt.
    """

    prop: str
    sure: bool
    count: int
    text: str
    request: dict[str, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a cell's run showed: broken properties, calls made, the driver's limit."""

    where: str
    limit: int
    mask: int
    calls: int
    shown: tuple[Shown, ...]

    def sure(self, prop: str) -> bool:
        """Whether ``prop`` is broken beyond doubt."""
        return any(s.prop == prop and s.sure for s in self.shown)

    def doubtful(self, prop: str) -> bool:
        """Whether something was seen that may count as a break of ``prop``."""
        return any(s.prop == prop and not s.sure for s in self.shown)

    def fields(self) -> dict[str, Any]:
        """As a store keeps it."""
        return asdict(self)


def truth_from(kept: dict[str, Any]) -> Truth:
    """The other way round of :meth:`Truth.fields`."""
    return Truth(**{**kept, "shown": tuple(Shown(**s) for s in kept["shown"])})


class Compiler:
    """Compiles slices of one tree and of its mutants.

    What the unchanged tree lacks becomes a trap; a mutant may lack no more than that.
    """

    def __init__(self, base: SourceKernel) -> None:
        self.search = base.reader(4096).search.function.name
        self._traps: dict[int, frozenset[str]] = {}
        with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
            for page in sorted({where.page_size for where in CELLS}):
                cells = tuple(Cell(page, w.granule, w.path, 0) for w in _of_page(page))
                self._learn(Sliced(base.program(page), cells, self.search), page, name)

    def _learn(self, sliced: Sliced, page: int, folder: str) -> None:
        complaints = _gcc(sliced.whole(), File(folder) / "base")
        while complaints:
            before = sliced.traps
            for found in _MISSING.findall(complaints):
                sliced.trap_name(next(filter(None, found)))
            if sliced.traps == before:
                raise NotCompiled(_first_error(complaints))
            complaints = _gcc(sliced.whole(), File(folder) / "base")
        self._traps[page] = sliced.traps

    def build(
        self, kernel: SourceKernel, page: int, cells: Sequence[Cell], at: File
    ) -> None:
        """Compile the functions of ``kernel`` to ``at``.  Raises NotCompiled."""
        sliced = Sliced(kernel.program(page), tuple(cells), self.search)
        for name in self._traps[page]:
            sliced.trap_name(name)
        complaints = _gcc(sliced.whole(), at)
        if complaints:
            raise NotCompiled(_first_error(complaints))


def _of_page(page: int) -> list[Where]:
    return [where for where in CELLS if where.page_size == page]


def _first_error(complaints: str) -> str:
    errors = [line for line in complaints.splitlines() if "error" in line]
    return (errors or complaints.splitlines() or ["gcc failed"])[0][:200]


def _gcc(text: str, at: File) -> str:
    """Compile ``text`` to ``at``; what gcc complains about, nothing if it succeeds."""
    done = subprocess.run(
        ["gcc", *FLAGS, "-x", "c", "-o", str(at), "-"],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        check=False,
        env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin")},
    )
    return (done.stderr or "gcc failed") if done.returncode else ""


def run(binary: File, arguments: Iterable[str]) -> list[dict[str, Any]]:
    """The JSON lines that a driver prints, run behind the fence.  Raises NotRun."""
    try:
        done = subprocess.run(
            [str(binary), *arguments],
            capture_output=True,
            text=True,
            timeout=5 * CPU_SECONDS,
            check=False,
            env={},
            preexec_fn=partial(fence.put_up, CPU_SECONDS),
        )
    except subprocess.TimeoutExpired:
        raise NotRun("the driver does not end") from None
    if done.returncode:
        raise NotRun(f"the driver stopped ({done.returncode}): {done.stderr[:80]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


_REQUEST = ("pool_start", "nslabs", "nareas", "start_index", "orig_addr", "size")


def read_lines(
    where: Where, limit: int, mask: int, lines: list[dict[str, Any]]
) -> Truth:
    """What the lines of a driver say."""
    shown = tuple(
        Shown(
            line["property"],
            line["shown"],
            line["count"],
            line["text"],
            {name: line[name] for name in (*_REQUEST, "direction", "more")},
        )
        for line in lines[:-1]
    )
    return Truth(where.label, limit, mask, lines[-1]["calls"], shown)


@dataclass(slots=True)
class Judged:
    """A tree that was compiled for ``cells``, ready to be run; a context manager."""

    kernel: SourceKernel
    compiler: Compiler
    hints: tuple[int, ...] = ()
    bits: tuple[tuple[int, int], ...] = ()

    def truths(
        self, effort: int = EFFORT, seed: int = 1, cells: Sequence[Where] = CELLS
    ) -> list[Truth]:
        """What each cell shows.  Raises NotCompiled, NotRun and SourceError."""
        found = []
        for page in dict.fromkeys(where.page_size for where in cells):
            with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
                binary = self.build(page, File(name))
                for number, where in enumerate(_of_page(page)):
                    if where in cells:
                        found.append(self._truth(binary, number, where, effort, seed))
        return found

    def build(self, page: int, folder: File) -> File:
        """The driver of the cells of one page size."""
        cells = [where.cell(self.kernel) for where in _of_page(page)]
        self.compiler.build(self.kernel, page, cells, folder / "driver")
        return folder / "driver"

    def arguments(self, number: int, where: Where) -> list[str]:
        """Cell and domain for the driver."""
        limit = self.kernel.nvme_limit(where.cell(self.kernel))
        steps = (f"size_step={NVME.size_step}", f"addr_step={NVME.addr_step}")
        return [f"cell={number}", f"limit={limit}", *steps]

    def _truth(
        self, binary: File, number: int, where: Where, effort: int, seed: int
    ) -> Truth:
        arguments = [*self.arguments(number, where), f"effort={effort}", f"seed={seed}"]
        arguments += [f"hint={hint}" for hint in self.hints]
        arguments += [f"bits={mask}:{value}" for mask, value in self.bits]
        cell = where.cell(self.kernel)
        limit = self.kernel.nvme_limit(cell)
        return read_lines(where, limit, cell.min_align_mask, run(binary, arguments))

    def confirms(self, where: Where, example: dict[str, Any]) -> set[str]:
        """The properties that a counterexample of the tool breaks in compiled code."""
        with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
            binary = self.build(where.page_size, File(name))
            number = _of_page(where.page_size).index(where)
            numbers = [example[field] for field in _REQUEST]
            way = {"to_device": 1, "from_device": 2, "bidirectional": 0}
            numbers.append(way[example.get("direction", "to_device")])
            numbers += [example.get("sync_offset", 0), example.get("sync_size", 0)]
            told = [f"ask={':'.join(map(str, numbers))}"]
            told += [f"busy={a}:{b}" for a, b in example.get("taken", ())]
            lines = run(binary, [*self.arguments(number, where), *told])
        return {line["property"] for line in lines[:-1]}
