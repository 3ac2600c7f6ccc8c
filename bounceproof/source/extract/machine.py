# SPDX-License-Identifier: GPL-2.0-only
"""The stated surroundings of one evaluation: a device, a domain, a pool."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import Cell, Path
from bounceproof.models.words.word import INT, S64, U8, U32, U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.bits import bit_place
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.linked import join
from bounceproof.source.eval.memory import (
    NULL,
    Address,
    Location,
    Pointer,
    State,
    Value,
    in_bits,
)
from bounceproof.source.eval.outside import IOVA_BASE
from bounceproof.source.program.program import Program

POOL_START = 1 << 32
SMALL_POOL = 128
_VOID = c.VoidType()
INITIALISERS = (
    "swiotlb_init_io_tlb_pool",
    "swiotlb_init_io_tlb_mem",
    "swiotlb_init_with_tbl",
)
_SINGLE_SLOTS = ("io_tlb_list", "io_tlb_orig_addr")


def u64(value: int) -> Word:
    """An unsigned long."""
    return Word(value, U64)


@dataclass(frozen=True, slots=True)
class Layout:
    """A pool: ``start`` bytes, ``nslabs`` slots, ``nareas`` areas, all plain.

    ``seg_boundary_mask`` is the device's.
    """

    start: Word
    nslabs: int = SMALL_POOL
    nareas: int = 1
    seg_boundary_mask: Word | None = None


def initialiser(program: Program) -> c.Function:
    """The function that makes slots and areas what they are in an empty pool.

    Raises NotUnderstood where the tree has none.
    """
    for name in INITIALISERS:
        function = program.function(name)
        if function is not None:
            return function
    file, need = "kernel/dma/swiotlb.c", f"a definition of {INITIALISERS[0]}()"
    raise NotUnderstood(file, 0, "the pool's initialisation", need)


class Machine(Interpreter):
    """An interpreter with a device whose mappings bounce."""

    def __init__(
        self, program: Program, cell: Cell, layout: Layout, loop_bound: int = 0
    ) -> None:
        super().__init__(program, loop_bound)
        self.cell = cell
        self.layout = layout
        self.most_steps += 100 * layout.nslabs * layout.nareas
        self.start_state = State(zeroed=self.zeroed)
        self._nowhere = c.Empty(0)
        self._build()

    # Setting fields.

    def has(self, tag: str, name: str) -> bool:
        """Whether ``struct tag`` has the field ``name``."""
        return name in self.program.structs.get(tag, {})

    def poke(
        self, state: State, at: Location, tag: str, name: str, value: Value
    ) -> None:
        """Set a field of a struct at ``at``, where the struct has it."""
        entry = self.program.structs.get(tag, {}).get(name)
        if entry is not None:
            held = self.convert(value, entry.type, self._nowhere)
            if isinstance(held, Word):
                held = in_bits(held, entry.bits)
            state.memory[(*at, name)] = held

    def poke_global(self, state: State, name: str, value: Value) -> None:
        """Set a variable of the tree, where it has it."""
        if name in self.program.globals:
            at, kind = self.global_place(c.Name(0, name), state)
            state.memory[at] = self.convert(value, kind, self._nowhere)

    def poke_area(self, state: State, area: int, name: str, value: Word) -> None:
        """Set ``index`` or ``used`` of an area, or of a pool that has no areas."""
        self.poke(state, (self.areas[0], area), "io_tlb_area", name, value)
        self.poke_global(state, f"io_tlb_{name}", value)
        if "io_tlb_area" not in self.program.structs:
            self.poke(state, self.pool, self.pool_tag, name, value)

    def peek(self, state: State, at: Location, tag: str, name: str) -> Value:
        """Read a field of a struct at ``at``."""
        entry = self.program.structs.get(tag, {}).get(name)
        if entry is None:
            need = f"a field {name} in struct {tag}"
            raise NotUnderstood("include/linux/swiotlb.h", 0, f"struct {tag}", need)
        return self.load(state, (*at, name), entry.type, self._nowhere)

    def _object(self, tag: str, *, zeroed: bool = False) -> tuple[int]:
        return (self.new(tag, c.StructType(tag), zeroed=zeroed),)

    def _pointer(self, at: Location, tag: str) -> Pointer:
        return Pointer(at, c.StructType(tag))

    # Building.

    def _build(self) -> None:
        state = self.start_state
        self.device = self._object("device")
        self.pci = self._object("pci_dev")
        self.parameters = self._object("device_dma_parameters")
        self.domain = self._object("iommu_domain")
        self.cookie = self._object("iommu_dma_cookie")
        self.memory = self._object("io_tlb_mem", zeroed=True)
        self.device_pointer = self._pointer(self.device, "device")
        self.given["domain"] = self._pointer(self.domain, "iommu_domain")
        self.given["pci"] = self._pointer(self.pci, "pci_dev")
        self.poke(state, self.pci, "pci_dev", "untrusted", Word(1, U32))
        self._build_device(state)
        self._build_domain(state)
        self._build_pool(state)
        at = self._object("dma_iova_state", zeroed=True)
        self.iova_state = self._pointer(at, "dma_iova_state")
        self.poke(state, at, "dma_iova_state", "addr", u64(IOVA_BASE))

    def _build_device(self, state: State) -> None:
        mask = (self.new("dma_mask", c.IntType(U64)),)
        state.memory[mask] = u64(~0)
        link = self._object("dev_iommu")
        self.poke(state, link, "dev_iommu", "pci_32bit_workaround", Word(0, U8))
        boundary = self.layout.seg_boundary_mask
        stated: dict[str, Value] = {
            "min_align_mask": Word(self.cell.min_align_mask, U32),
            "max_segment_size": Word(~0, U32),
            "segment_boundary_mask": u64(~0) if boundary is None else boundary,
        }
        for name, value in stated.items():
            self.poke(state, self.parameters, "device_dma_parameters", name, value)
        iommu = self.cell.path.has_granule
        fields: dict[str, Value] = {
            "dma_mask": Pointer(mask, c.IntType(U64)),
            "coherent_dma_mask": u64(~0),
            "bus_dma_limit": u64(0),
            "dma_range_map": NULL,
            "dma_parms": self._pointer(self.parameters, "device_dma_parameters"),
            "dma_io_tlb_mem": self._pointer(self.memory, "io_tlb_mem"),
            "dma_ops": self._operations(state) if iommu else NULL,
            "iommu": self._pointer(link, "dev_iommu"),
            "dma_coherent": Word(1, U8),
            "dma_ops_bypass": Word(0, U8),
            "dma_skip_sync": Word(0, U8),
            "dma_uses_io_tlb": Word(0, U8),
            "dma_iommu": Word(int(iommu), U8),
        }
        for name, value in fields.items():
            self.poke(state, self.device, "device", name, value)
            self._set_flag(state, name, value)

    def _set_flag(self, state: State, name: str, value: Value) -> None:
        """Set the bit that stands for a field of struct device, where one does."""
        flag = f"DEV_FLAG_{name.upper()}"
        if flag in self.program.enumerators and isinstance(value, Word):
            at = bit_place((*self.device, "flags"), int(self.enumerator(flag, state)))
            state.memory[at] = value.cast(U8)

    def _operations(self, state: State) -> Value:
        """The DMA operations of a device behind an IOMMU, if the tree has any."""
        if "iommu_dma_ops" not in self.program.globals:
            return NULL
        at, kind = self.global_place(c.Name(0, "iommu_dma_ops"), state)
        return Pointer(at, kind)

    def _build_domain(self, state: State) -> None:
        granule = u64(self.cell.granule)
        domain, cookie = "iommu_domain", "iommu_dma_cookie"
        pointer = self._pointer(self.cookie, cookie)
        self.poke(state, self.domain, domain, "iova_cookie", pointer)
        self.poke(state, self.domain, domain, "pgsize_bitmap", granule)
        geometry = (*self.domain, "geometry")
        limits: dict[str, Value] = {
            "aperture_start": u64(0),
            "aperture_end": u64(~0),
            "force_aperture": Word(0, U8),
        }
        for name, value in limits.items():
            self.poke(state, geometry, "iommu_domain_geometry", name, value)
        kind = self.program.enumerators.get("IOMMU_DMA_IOVA_COOKIE")
        if kind is not None:
            value = self.enumerator("IOMMU_DMA_IOVA_COOKIE", state)
            self.poke(state, self.cookie, cookie, "type", value)
        if "IOMMU_COOKIE_DMA_IOVA" in self.program.enumerators:
            value = self.enumerator("IOMMU_COOKIE_DMA_IOVA", state)
            self.poke(state, self.domain, domain, "cookie_type", value)
        if self.has(cookie, "iovad"):
            at = (*self.cookie, "iovad")
            self.poke(state, at, "iova_domain", "granule", granule)

    @property
    def pool_tag(self) -> str:
        """The struct that holds start, nslabs, areas and slots."""
        return "io_tlb_pool" if "io_tlb_pool" in self.program.structs else "io_tlb_mem"

    @property
    def pool(self) -> Location:
        """Where that struct is."""
        inner = self.pool_tag == "io_tlb_pool"
        return (*self.memory, "defpool") if inner else self.memory

    @property
    def single(self) -> bool:
        """Whether the pool is a set of variables, as before struct io_tlb_mem."""
        return "io_tlb_mem" not in self.program.structs

    def _build_pool(self, state: State) -> None:
        self.areas = (self.new("areas", c.ArrayType(_VOID)), 0)
        self.slots = (self.new("slots", c.ArrayType(_VOID)), 0)
        self.sinks = set()
        if not self.single:
            for name, at in (("areas", self.areas), ("slots", self.slots)):
                tag = f"io_tlb_{name[:-1]}"
                self.poke(state, self.pool, self.pool_tag, name, self._pointer(at, tag))
        if "io_tlb_default_mem" in self.program.globals:
            kind = self.program.globals["io_tlb_default_mem"].type
            if isinstance(kind, c.StructType):
                self.globals["io_tlb_default_mem"] = self.memory, kind
        self._build_lists(state)
        self.poke_global(state, "default_nareas", u64(self.layout.nareas))
        self._initialise_pool(state)
        forced = Word(int(self.cell.path is Path.DIRECT), U8)
        restricted = Word(int(self.cell.path is Path.ALLOC), U8)
        self.poke(state, self.memory, "io_tlb_mem", "force_bounce", forced)
        self.poke(state, self.memory, "io_tlb_mem", "for_alloc", restricted)
        nslabs = u64(self.layout.nslabs)
        self.poke(state, self.memory, "io_tlb_mem", "nslabs", nslabs)
        if "SWIOTLB_FORCE" in self.program.enumerators:
            force = self.enumerator("SWIOTLB_FORCE", state)
            direct = self.cell.path is Path.DIRECT
            self.poke_global(state, "swiotlb_force", force if direct else Word(0, INT))

    def _counts(self) -> tuple[Word, Word]:
        """Slots (unsigned long) and areas (unsigned int) that the pool starts with."""
        return u64(self.layout.nslabs), Word(self.layout.nareas, U32)

    def _build_lists(self, state: State) -> None:
        """The lists of pools: that of the memory has the one pool, the device's none.

        The memory cannot grow, so no other pool is made where this one is full.
        """
        if self.has("io_tlb_mem", "pools"):
            head = (*self.memory, "pools")
            node = (*self.pool, "node")
            join(state, head, node)
            join(state, node, head)
        if self.has("device", "dma_io_tlb_pools"):
            head = (*self.device, "dma_io_tlb_pools")
            join(state, head, head)

    def _initialise_pool(self, state: State) -> None:
        function, values = initialiser(self.program), self.making()
        self.invoke(function, self.bind(function, values), state, self._nowhere)
        if self.single:
            self._find_lists(state)

    def making(self) -> dict[str, Value]:
        """Arguments of what makes a pool, by parameter name."""
        nslabs, nareas = self._counts()
        return {
            "start": self.layout.start,
            "vaddr": Address(self.layout.start, _VOID),
            "tlb": Address(self.layout.start, _VOID),
            "nslabs": nslabs,
            "late_alloc": Word(0, U8),
            "nareas": nareas,
            "flags": Word(0, U32),
            "verbose": Word(0, INT),
            "mem": self._pointer(self.pool, self.pool_tag),
            "pool": self._pointer(self.pool, self.pool_tag),
        }

    def _find_lists(self, state: State) -> None:
        name = c.Name(0, _SINGLE_SLOTS[0])
        at, kind = self.global_place(name, state)
        held = self.load(state, at, kind, name)
        if isinstance(held, Pointer) and held.at is not None:
            self.slots = held.at

    def bind(self, function: c.Function, values: dict[str, Value]) -> list[Value]:
        """Arguments for ``function`` by the names of its parameters."""
        arguments: list[Value] = []
        for _, name, _ in function.parameters:
            if name not in values:
                text = self.program.text(function.file, function.line)
                need = f"the meaning of {function.name}()'s parameter {name}"
                raise NotUnderstood(function.file, function.line, text, need)
            arguments.append(values[name])
        return arguments

    def mark_only(self) -> None:
        """From here on slots are written but not read."""
        self.sinks.add(self.slots[0])
        if self.single:
            for name in _SINGLE_SLOTS:
                place = c.Name(0, name)
                at, kind = self.global_place(place, self.start_state)
                held = self.load(self.start_state, at, kind, place)
                if isinstance(held, Pointer) and held.at is not None:
                    self.sinks.add(held.at[0])
        for root in self.sinks:
            self.objects[root].write = lambda state, at, value: None
        memory = self.start_state.memory
        for slot_at in [at for at in memory if at[0] in self.sinks]:
            del memory[slot_at]

    def common(self) -> dict[str, Value]:
        """Arguments every entry point may want, by parameter name."""
        none = u64(0)
        direction = Word(1, U32)
        return {
            "dev": self.device_pointer,
            "hwdev": self.device_pointer,
            "dir": direction,
            "direction": direction,
            "attrs": none,
            "flush": Word(0, U8),
            "mem": self._pointer(self.pool, self.pool_tag),
            "pool": self._pointer(self.pool, self.pool_tag),
            "area_index": Word(0, S64),
        }
