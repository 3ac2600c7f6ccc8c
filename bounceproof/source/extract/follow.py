# SPDX-License-Identifier: GPL-2.0-only
"""The slot search of a tree, followed turn by turn in an area of a few slot sets.

For loops of a shape that the reader does not know: the tree's own function is run on
an area whose number of slots is plain, with whatever else is asked left open.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.formulas.search import Found
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Mapping, Pool
from bounceproof.models.words.word import FALSE, INT, TRUE, U32, U64, Truth, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.memory import Location, State, Value
from bounceproof.source.eval.paths import PathEnds
from bounceproof.source.extract.machine import Layout, u64
from bounceproof.source.extract.marks import MarkingMachine
from bounceproof.source.extract.run import read_lists
from bounceproof.source.program.program import Program


@dataclass(frozen=True, slots=True)
class FreeRun:
    """All that is free in an area: ``slots`` slots from ``first`` on, pool-wide."""

    first: Word
    slots: Word


class Follower(MarkingMachine):
    """A machine that follows loops for a number of turns and marks no slots."""

    def __init__(
        self, program: Program, cell: Cell, layout: Layout, geometry: SlotGeometry
    ) -> None:
        super().__init__(program, cell, layout)
        self.geometry = geometry
        each = layout.nslabs // layout.nareas
        self.loop_bound = each + 1
        self.unfinished = FALSE
        self._free: FreeRun | None = None
        self._check_lists()
        self.mark_only()
        self.objects[self.slots[0]].read = self._read_slot

    def _check_lists(self) -> None:
        """The tree's own start: every slot free up to the end of its slot set."""
        found = read_lists(self, self.start_state)
        size = self.geometry.segsize
        if found != [size - slot % size for slot in range(self.layout.nslabs)]:
            file, need = "kernel/dma/swiotlb.c", "a pool whose slot sets start out free"
            raise NotUnderstood(file, 0, "the pool's initialisation", need)

    def _read_slot(self, state: State, at: Location) -> Value | None:
        if at[-1] != "list" and not self.single:
            return None
        entry = self.program.structs.get("io_tlb_slot", {}).get("list")
        kind = entry.type if entry else c.IntType(U32)
        ctype = kind.ctype if isinstance(kind, c.IntType) else U32
        slot = at[1] if isinstance(at[1], Word) else Word(at[1], U32)
        slot = slot.cast(U32)
        if self._free is None:
            slots = self.geometry
            return (slots.segsize - (slot & slots.set_low)).cast(ctype)
        into = slot - self._free.first
        free = into < self._free.slots
        return ite(free, self._free.slots - into, Word(0, U32)).cast(ctype)

    def gives_up(self, node: c.Node, state: State) -> bool:
        """Leave a path that goes on after ``loop_bound`` turns, and remember it."""
        self.unfinished = self.unfinished | state.condition
        return True

    def search(
        self,
        function: c.Function,
        mapping: Mapping,
        pool: Pool,
        area: int,
        free: FreeRun | None,
    ) -> Found:
        """What ``function`` returns for one area; ``slot`` is pool-wide."""
        self._free, self.unfinished = free, FALSE
        self.events.clear()
        state = self.start_state.fork(TRUE)
        index = pool.start_index.cast(U32)
        used = u64(0)
        if free is not None:
            each = self.layout.nslabs // self.layout.nareas
            used = each - free.slots.cast(U64)
        self.poke_area(state, area, "index", index)
        self.poke_area(state, area, "used", used)
        values = {
            **self.common(),
            "orig_addr": mapping.orig_addr,
            "alloc_size": mapping.total,
            "alloc_align_mask": mapping.alloc_align_mask,
            "tbl_dma_addr": pool.start & pool.seg_boundary_mask,
            "area_index": Word(area, INT),
        }
        node = c.Empty(function.line)
        try:
            result = self.invoke(function, self.bind(function, values), state, node)
        except PathEnds:
            raise self.fail(node, f"a way out of {function.name}()") from None
        slot = self.as_word(result, node).cast(INT)
        return self._found(slot)

    def _found(self, slot: Word) -> Found:
        lost = self.unfinished
        for event in self.events:
            if event.kind == "bug":
                lost = lost | event.condition
        return Found((slot >= 0) & ~lost, slot.cast(U32), FALSE, lost)


def follow(
    program: Program,
    cell: Cell,
    function: c.Function,
    mapping: Mapping,
    pool: Pool,
    areas: int,
    free: FreeRun | None,
) -> Found:
    """What the search of ``areas`` areas in turn returns.

    ``pool.area_nslabs`` is a plain number.  Raises NotUnderstood.
    """
    each = int(pool.area_nslabs)
    layout = Layout(pool.start, each * areas, areas, pool.seg_boundary_mask)
    machine = Follower(program, cell, layout, pool.geometry)
    whole = Found(FALSE, Word(0, U32), FALSE)
    for area in range(areas):
        here = machine.search(function, mapping, pool, area, free)
        first = ~whole.found & ~whole.unfinished
        whole = Found(
            whole.found | (first & here.found),
            ite(first, here.slot, whole.slot),
            FALSE,
            whole.unfinished | (first & here.unfinished),
        )
    return whole


def page_aligned(pool: Pool, slot: Word, page_size: int) -> Truth:
    """Whether ``slot``, pool-wide, starts a page."""
    start = pool.start + (slot.cast(U64) << pool.geometry.shift)
    return (start & (page_size - 1)).eq(0)
