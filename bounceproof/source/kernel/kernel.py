# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree as a kernel model: every answer is computed by the tree's own C."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Self

from bounceproof.models.formulas.search import Found, NoLife
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.reach.rules import Untrusted
from bounceproof.models.request import Cell, Mapping, Path, Pool, Request, SearchRule
from bounceproof.models.words.word import TRUE, U64, CType, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import (
    NotUnderstood,
    UnknownSearch,
    UnprovedCaller,
    UnprovedLimit,
)
from bounceproof.source.extract.any_pool import has_areas, state_pool
from bounceproof.source.extract.caller import UNMAPS, CallerMachine
from bounceproof.source.extract.caller_proof import (
    Asked,
    any_pool,
    any_request,
    prove_caller,
)
from bounceproof.source.extract.driver import Driver
from bounceproof.source.extract.elsewhere import (
    ElsewhereMachine,
    PlacedMachine,
    any_placed,
    prove_elsewhere,
)
from bounceproof.source.extract.follow import FreeRun, follow, page_aligned
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.life import SourceLife
from bounceproof.source.extract.machine import (
    INITIALISERS,
    POOL_START,
    SMALL_POOL,
    Layout,
    Machine,
    u64,
)
from bounceproof.source.extract.prover import Array, Obligation, Prover
from bounceproof.source.extract.record import Leftovers
from bounceproof.source.extract.rule import RuleReader
from bounceproof.source.extract.run import PoolNumbers, Run, Runner
from bounceproof.source.extract.samples import flags, many, numbers
from bounceproof.source.extract.search import Shape
from bounceproof.source.extract.stages import SYNCS
from bounceproof.source.extract.stages import UNMAPS as ENDS
from bounceproof.source.extract.trace import Trace
from bounceproof.source.kernel.judged import judged
from bounceproof.source.kernel.untrusted import untrusted_rule
from bounceproof.source.program.calls import reaches
from bounceproof.source.program.kept import kept_field
from bounceproof.source.program.prelude import DEFAULT_CONFIG
from bounceproof.source.program.program import Program
from bounceproof.source.tree.provenance import Judged
from bounceproof.source.tree.tree import Tree

ENTRIES: dict[Path, tuple[str, ...]] = {
    Path.DIRECT: ("dma_direct_map_phys", "dma_direct_map_page"),
    Path.IOMMU: ("iommu_dma_map_phys", "iommu_dma_map_page"),
    Path.ALLOC: ("swiotlb_alloc",),
    Path.LINK: ("dma_iova_link",),
}
LIMITS = ("dma_max_mapping_size", "dma_opt_mapping_size")
_IOMMU = "drivers/iommu/dma-iommu.c"
_IOMMU_HEADERS = (
    "include/linux/iommu.h",
    "include/linux/dma-iommu.h",
    "include/linux/iommu-dma.h",
    "drivers/iommu/dma-iommu.h",
)


_SINGLE_SLOTS = ("io_tlb_orig_addr",)
"""What a slot has besides list[] before struct io_tlb_slot."""


def calls_of_a_mapping() -> Iterator[str]:
    """The functions that a driver calls about mappings, by any of their names."""
    for names in (*ENTRIES.values(), *ENDS.values(), LIMITS):
        yield from names
    for name in SYNCS.values():
        yield from (f"{name}cpu", f"{name}device")


class SourceKernel:
    """The :class:`~bounceproof.models.request.KernelModel` of a tree.

    ``config`` overrides the stated configuration, ``CONFIG_NAME`` to ``y``, ``n`` or
    a value.  ``prover`` proves what is concluded of the code; without one no search
    has a rule.  Methods raise NotUnderstood for code the reader does not know.
    """

    def __init__(
        self,
        tree: Tree,
        config: Dictionary[str, str] | None = None,
        prover: Prover | None = None,
    ) -> None:
        self.tree = tree
        self._prover = prover
        self.stated = dict(config or {})
        self.config = {**DEFAULT_CONFIG, **self.stated}
        self._programs: dict[int, Program] = {}
        self._readers: dict[int, RuleReader] = {}
        self._machines: dict[Cell, Machine] = {}
        self._runners: dict[Cell, Runner] = {}
        self._tracers: dict[Cell, Machine] = {}
        self._rules: dict[tuple[Cell, int, bool], SearchRule] = {}
        self._align_masks: dict[Cell, tuple[int, ...]] = {}
        self._tried: set[int] = set()
        self._limits: set[tuple[Cell, str]] = set()
        self._callers: dict[Cell, UnprovedCaller | None] = {}
        self._geometries: dict[int, SlotGeometry] = {}
        self._judged: Judged | None = None
        self.leftovers: Leftovers | None = None
        self._alike: dict[Cell, str | None] = {}
        self._doubted = False
        self._lives: dict[tuple[Cell, Leftovers | None], SourceLife] = {}

    @property
    def name(self) -> str:
        """What the user called the tree."""
        return self.tree.name

    def judged(self) -> Judged:
        """What answers about this kernel are given on."""
        if self._judged is None:
            entries = [*UNMAPS, *(n for names in ENTRIES.values() for n in names)]
            program = partial(self.program, 4096)
            self._judged = judged(self.tree, self.config, program, entries)
        return self._judged

    def untrusted(self) -> Untrusted | None:
        """Which PCI devices the tree marks untrusted; None where that is not known."""
        return untrusted_rule(self.tree)

    def program(self, page_size: int) -> Program:
        """The tree's declarations for pages of ``page_size`` bytes."""
        if page_size not in self._programs:
            self._programs[page_size] = Program(self.tree, page_size, self.config)
        return self._programs[page_size]

    def geometry(self, page_size: int) -> SlotGeometry:
        """The tree's slots; NotUnderstood where its macros say no such thing."""
        if page_size not in self._geometries:
            self._geometries[page_size] = slot_geometry(self.program(page_size))
        return self._geometries[page_size]

    def reader(self, page_size: int) -> RuleReader:
        """What reads the search loop."""
        if page_size not in self._readers:
            self._readers[page_size] = RuleReader(self.program(page_size), self._prover)
        return self._readers[page_size]

    def entry(self, path: Path, page_size: int = 4096) -> c.Function | None:
        """The function that requests of ``path`` call, or None."""
        program = self.program(page_size)
        for name in ENTRIES[path]:
            function = program.function(name)
            if function is not None:
                return function
        for name in ENTRIES[path]:
            place = program.mention(name)
            if place is not None:
                need = f"a definition of {name}()"
                raise NotUnderstood(*place, program.text(*place), need)
        self._require_file(path)
        return None

    def _require_file(self, path: Path) -> None:
        """A tree whose headers speak of dma-iommu has it; NotUnderstood."""
        if not path.has_granule or self.tree.read(_IOMMU) is not None:
            return
        beside = next((h for h in _IOMMU_HEADERS if self.tree.read(h) is not None), "")
        if beside:
            raise NotUnderstood(_IOMMU, 0, f"beside {beside}", "no such file")

    def _required_entry(self, cell: Cell) -> c.Function:
        function = self.entry(cell.path, cell.page_size)
        if function is None:
            need = f"a definition of {ENTRIES[cell.path][-1]}()"
            raise NotUnderstood("kernel/dma/swiotlb.c", 0, cell.path, need)
        return function

    def unsupported(self, path: Path) -> str | None:
        """Why requests cannot take ``path``, or None.

        None too where that cannot be read: asking about the path then raises why.
        """
        try:
            function = self.entry(path)
        except NotUnderstood:
            return None
        if function is None:
            return f"this tree has no {ENTRIES[path][-1]}()"
        if path is Path.ALLOC:
            return None
        if reaches(self.program(4096), function.name, "swiotlb_tbl_map_single"):
            return None
        return f"{function.name}() of this tree never bounces"

    # Limits.

    def _layout(self, cell: Cell) -> Layout:
        """A pool of one slot set or more."""
        least = self.geometry(cell.page_size).segsize
        return Layout(u64(POOL_START), max(SMALL_POOL, least))

    def _machine(self, cell: Cell) -> Machine:
        if cell not in self._machines:
            program = self.program(cell.page_size)
            self._machines[cell] = Machine(program, cell, self._layout(cell))
        return self._machines[cell]

    def _trace_machine(self, cell: Cell) -> Machine:
        if cell not in self._tracers:
            program = self.program(cell.page_size)
            machine = Machine(program, cell, self._layout(cell))
            machine.mark_only()
            self._tracers[cell] = machine
        return self._tracers[cell]

    def _device_call(self, cell: Cell, name: str) -> int:
        machine = self._machine(cell)
        state = machine.start_state.fork(TRUE)
        value = machine.run(name, [machine.device_pointer], state)
        size = int(machine.as_word(value, c.Empty(0)))
        if self._prover is not None and (cell, name) not in self._limits:
            self._same_for_all_pools(machine, name, size)
            self._limits.add((cell, name))
        return size

    def _same_for_all_pools(self, machine: Machine, name: str, size: int) -> None:
        """NotUnderstood unless what ``name`` says of the device is proved to be
        ``size`` whatever its pool is."""
        assert self._prover is not None
        pool, known = any_pool(self._prover, machine.cell.page_size)
        state = machine.start_state.fork(TRUE)
        state_pool(machine, state, pool)
        found = machine.run(name, [machine.device_pointer], state)
        other = machine.as_word(found, c.Empty(0)).cast(U64).ne(Word(size, U64))
        due = [Obligation("a limit for all pools", other)]
        fields = {"area_nslabs": pool.area_nslabs, "nareas": pool.nareas}
        refusal = self._prover.impossible(due, known, fields)
        if refusal is not None:
            need = f"a limit that is the same for all pools, not so: {refusal.reason}"
            raise UnprovedLimit("kernel/dma/swiotlb.c", 0, f"{name}()", need)

    def max_mapping_size(self, cell: Cell) -> int:
        """dma_max_mapping_size() in bytes for a device that bounces."""
        return self._device_call(_limit_cell(cell), "dma_max_mapping_size")

    def opt_mapping_size(self, cell: Cell) -> int:
        """dma_opt_mapping_size() in bytes; the maximum where there is no such call."""
        if self.program(cell.page_size).function("dma_opt_mapping_size") is None:
            return self.max_mapping_size(cell)
        return self._device_call(_limit_cell(cell), "dma_opt_mapping_size")

    def nvme_align_mask(self, page_size: int) -> int:
        """The min_align_mask nvme-pci sets, for ``page_size`` bytes a page."""
        cell = Cell(page_size, page_size, Path.DIRECT, 0)
        return Driver(self._machine(cell)).align_mask()

    def nvme_limit(self, cell: Cell) -> int:
        """nvme-pci's max_hw_sectors in bytes, for a controller without MDTS.

        Raises NotUnderstood where the limits that it may be made of depend on the pool.
        """
        for name in LIMITS:
            if self.program(cell.page_size).function(name) is not None:
                self._device_call(_limit_cell(cell), name)
        return Driver(self._machine(_limit_cell(cell))).limit()

    # Mapping.

    def mapping(self, cell: Cell, request: Request) -> Mapping:
        """The request as the slot search receives it."""
        function = self._required_entry(cell)
        shape = self.reader(cell.page_size).search
        machine = self._trace_machine(cell)
        printed = Trace(machine, function, shape, request, success=False).printed()
        return Trace(machine, function, shape, request).mapping(printed)

    def alloc_align_masks(self, cell: Cell) -> tuple[int, ...]:
        """Every alloc_align_mask that :meth:`mapping` can give in ``cell``.

        Found by mapping one request of each size class up to a slot set.
        """
        if cell not in self._align_masks:
            bits = self.geometry(cell.page_size).set_bytes.bit_length()
            sizes = [1 << k for k in range(bits)]
            sizes += [(1 << k) + 1 for k in range(bits - 1)]
            orig = u64(0 if cell.path is Path.ALLOC else 0x10_0200)
            mapping = self.mapping(cell, Request(orig, many(sizes)))
            found = numbers(mapping.alloc_align_mask, len(sizes))
            bounced = flags(mapping.bounced, len(sizes))
            masks = {mask for mask, flag in zip(found, bounced, strict=True) if flag}
            self._align_masks[cell] = tuple(sorted(masks))
        return self._align_masks[cell]

    # The search.

    def search_rule(self, cell: Cell, alloc_align_mask: int, large: bool) -> SearchRule:
        """The slot search, for T >= PAGE_SIZE where ``large``."""
        key = cell, alloc_align_mask, large
        self.require_caller(cell)
        if key not in self._rules:
            rule = self._rule_read(cell, alloc_align_mask, large)
            checked = cell.path is Path.ALLOC and self._page_check(cell)
            self._rules[key] = replace(rule, page_check=checked)
        return self._rules[key]

    def search_ends(self, cell: Cell) -> bool:
        """Whether the search of a mapping in ``cell`` is proved to end, in any area,
        where no rule says what it finds.

        Raises NotUnderstood for code that cannot be read.
        """
        self.require_caller(cell)
        reader = self.reader(cell.page_size)
        return all(reader.ends(cell, mask) for mask in self.alloc_align_masks(cell))

    def _rule_read(self, cell: Cell, mask: int, large: bool) -> SearchRule:
        """The rule; UnknownSearch, of C that is understood, where there is none."""
        size = cell.page_size
        try:
            return self.reader(size).rule(cell, mask, large)
        except UnknownSearch:
            if size not in self._tried:
                pool = PoolNumbers(POOL_START, self._layout(cell).nslabs)
                orig = 0 if cell.path is Path.ALLOC else 0x200
                self.run(cell, orig, size, pool)
                self._tried.add(size)
            raise

    def require_caller(self, cell: Cell) -> None:
        """UnprovedCaller unless mappings in ``cell`` are proved to be as they are read:
        for all requests, slots, areas and CPUs."""
        if cell not in self._callers:
            try:
                self._callers[cell] = self._caller_refused(cell)
            except NotUnderstood as error:
                self._callers[cell] = UnprovedCaller.of(error)
        known = self._callers[cell]
        if known is not None:
            raise known

    def _caller_refused(self, cell: Cell) -> UnprovedCaller | None:
        entry = self._required_entry(cell)
        if self._prover is None:
            need = "a solver that proves what it makes of a request"
            return UnprovedCaller(entry.file, entry.line, entry.name, need)
        program = self.program(cell.page_size)
        kept = kept_field(program, calls_of_a_mapping(), INITIALISERS)
        if kept is not None:
            text, need = program.text(kept.file, kept.line), "no field that calls keep"
            need = f"{need}: one call assigns {kept.field} and another reads it"
            return UnprovedCaller(kept.file, kept.line, text, need)
        search = self.reader(cell.page_size).search.function
        machine = CallerMachine(program, cell, search)
        request, pool, other, known = any_request(self._prover, cell, cell.page_size)
        mapping = self.mapping(cell, request)
        masks = self.alloc_align_masks(cell)
        checked = cell.path is Path.ALLOC and self._page_check(cell)
        asked = Asked(cell, request, pool, mapping, masks, checked, other, known)
        refusal = prove_caller(machine, entry, asked, self._prover)
        if refusal is None:
            return None
        need = f"a mapping that is proved: {refusal.reason}"
        return UnprovedCaller(entry.file, entry.line, entry.name, need)

    def search_itself(
        self,
        cell: Cell,
        mapping: Mapping,
        pool: Pool,
        areas: int,
        free_slot: Word | None = None,
    ) -> Found:
        """See :class:`bounceproof.models.formulas.outcome.SearchesItself`."""
        self.require_caller(cell)
        program = self.program(cell.page_size)
        function = self.reader(cell.page_size).search.function
        free = None if free_slot is None else FreeRun(free_slot, mapping.nslots)
        found = follow(program, cell, function, mapping, pool, areas, free)
        if cell.path is Path.ALLOC and self._page_check(cell):
            aligned = page_aligned(pool, found.slot, cell.page_size)
            return replace(found, found=found.found & aligned)
        return found

    def life(self, cell: Cell) -> SourceLife:
        """What becomes of mappings in ``cell``.

        NoLife for path ``link``, and UnknownSearch where no rule of the search is
        proved.
        """
        if cell.path is Path.LINK:
            raise NoLife("how dma_iova_link()'s pieces end is not read off trees")
        if self._prover is None:
            raise NoLife("what becomes of mappings needs a solver")
        key = cell, self.leftovers
        if key not in self._lives:
            program, shape = self.program(cell.page_size), self.shape(cell)
            entry, fresh = self._required_entry(cell), self._prover.fresh
            life = SourceLife(program, cell, entry, shape, fresh)
            self._require_alike(cell, life, entry)
            life.surround(self._of_others(cell.page_size))
            if self.leftovers is not None:
                life.leave(self.leftovers)
            self._lives[key] = life
        return self._lives[key]

    def doubted(self) -> Self | None:
        """See :class:`bounceproof.models.request.Doubtful`."""
        if not any(reason is not None for reason in self._alike.values()):
            return None
        other = copy(self)
        other._doubted, other._lives = True, {}
        return other

    def _of_others(self, page_size: int) -> Leftovers:
        """What other mappings may have in their slots: anything."""
        prover, program = self._prover, self.program(page_size)
        assert prover is not None
        arrays: dict[str, Array] = {}

        def anything(name: str, element: Word, ctype: CType) -> Word:
            if name not in arrays:
                arrays[name] = prover.array(f"other {name}", ctype, ctype.bits)
            return arrays[name].at(element)

        fields = program.structs.get("io_tlb_slot", _SINGLE_SLOTS)
        return Leftovers(frozenset(fields) - {"list"}, anything)

    def _require_alike(self, cell: Cell, life: SourceLife, entry: c.Function) -> None:
        """UnprovedCaller unless a mapping is proved to leave others' slots alone, and
        to be treated in every area as in the first."""
        if cell not in self._alike:
            prover = self._prover
            assert prover is not None
            program, shape = self.program(cell.page_size), self.shape(cell)
            request, _, _, known = any_request(prover, cell, cell.page_size)
            mapping, slots = self.mapping(cell, request), self.geometry(cell.page_size)
            near, far = (
                SourceLife(program, cell, entry, shape, prover.fresh, kind)
                for kind in (PlacedMachine, ElsewhereMachine)
            )
            several = far if has_areas(life.machine) else None
            placed, fits = any_placed(prover, near, cell, slots, request, mapping)
            refusal = prove_elsewhere(prover, near, several, placed, known & fits)
            self._alike[cell] = None if refusal is None else refusal.reason
        reason = self._alike.get(cell)
        if reason is not None and not self._doubted:
            need = f"a mapping that keeps to its slots, in every area alike: {reason}"
            raise UnprovedCaller(entry.file, entry.line, f"{entry.name}()", need)

    def shape(self, cell: Cell) -> Shape:
        """The search's loop, as the proof of its rule has it; else UnknownSearch."""
        return self.reader(cell.page_size).shape(cell)

    def run(self, cell: Cell, orig_addr: int, size: int, pool: PoolNumbers) -> Run:
        """Run one whole mapping of ``size`` bytes at ``orig_addr`` on ``pool``.

        The outcome has the fields ``ok bounced slot nslots tlb_addr sz hang``.
        """
        if cell not in self._runners:
            program = self.program(cell.page_size)
            search = self.reader(cell.page_size).search.function.name
            entry = self._required_entry(cell)
            slots = self.geometry(cell.page_size)
            self._runners[cell] = Runner(program, cell, entry, search, slots)
        return self._runners[cell].run(orig_addr, size, pool)

    def _page_check(self, cell: Cell) -> bool:
        """Whether swiotlb_alloc() refuses what is not page aligned."""
        function = self._required_entry(cell)
        machine = self._trace_machine(cell)
        shape = self.reader(cell.page_size).search
        request = Request(u64(0), u64(cell.page_size))
        trace = Trace(machine, function, shape, request, slot=1)
        return bool(trace.refused())


def _limit_cell(cell: Cell) -> Cell:
    """Limits of a restricted pool are those of a device that bounces directly."""
    return replace(cell, path=Path.DIRECT) if cell.path is Path.ALLOC else cell
