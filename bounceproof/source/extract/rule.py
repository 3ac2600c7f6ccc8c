# SPDX-License-Identifier: GPL-2.0-only
"""The search rule of a tree: a hypothesis, and the proof that the code follows it.

The proof is for all inputs at once: address, size, mask, pool, area, index, ``used``
and ``list[]``, between two heads of the code's loops, however many turns it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from bounceproof.models.constants import MAX_AREA_SLOTS
from bounceproof.models.formulas.mapping import nr_slots
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import Cell, Path, SearchRule
from bounceproof.models.words.word import (
    INT,
    U32,
    U64,
    CType,
    Truth,
    Word,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood, UnknownSearch
from bounceproof.source.extract.caller_proof import MOST_BYTES
from bounceproof.source.extract.cut import Head
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.hypothesis import Guesser, Hypothesis
from bounceproof.source.extract.obligations import Obligations, bounds_of, teller
from bounceproof.source.extract.prover import Prover, Refusal
from bounceproof.source.extract.ranking import proved_to_end
from bounceproof.source.extract.relation import IndexForm, Relation
from bounceproof.source.extract.search import (
    Searched,
    Shape,
    search_function,
    shape_of,
)
from bounceproof.source.extract.search_cut import SearchInputs, SearchMachine
from bounceproof.source.program.program import Program

_MOST_SLOTS = 1 << 31
_MOST_HYPOTHESES = 6
_MOST_AGAIN = 3
"""Of loops cut in the other way, where the first way had some."""
_LIKELY_BYTES = 300 << 10


@dataclass(frozen=True, slots=True)
class _Key:
    """What a proof depends on."""

    place: Cell
    alloc_align_mask: int
    large: bool


def _place(cell: Cell) -> Cell:
    """The cell with all of it that the device and the pool of a machine depend on."""
    return replace(cell, path=Path.IOMMU) if cell.path is Path.LINK else cell


class RuleReader:
    """Search rules of one program, cell by cell."""

    def __init__(self, program: Program, prover: Prover | None) -> None:
        self._program, self._prover = program, prover
        self.search = Searched(search_function(program))
        self.slots = slot_geometry(program)
        self._relations: dict[Cell, tuple[c.Node, dict[int, Relation]]] = {}
        self._machines: dict[tuple[Cell, bool], tuple[SearchMachine, Guesser]] = {}
        self._turned: dict[Cell, bool] = {}
        self._proved: dict[_Key, SearchRule | UnknownSearch] = {}
        self._ends: dict[tuple[Cell, int], bool] = {}
        self.refusals: dict[_Key, Refusal] = {}

    def shape(self, cell: Cell) -> Shape:
        """The shape of the loop, as the proof of a rule for the device's mask has it.

        UnknownSearch where there is no rule, where the search has several loops, or no
        variable that is the index.
        """
        place = _place(cell)
        if place not in self._relations:
            self.rule(cell, 0, True)
        head, relations = self._relations[place]
        plain = (IndexForm.INDEX, IndexForm.UNWRAPPED)
        if len(relations) != 1 or relations[1].form not in plain:
            raise UnknownSearch.of(self._fail("one loop with the index as a variable"))
        function = self.search.function
        try:
            return shape_of(self._program, function, head, relations[1].name)
        except NotUnderstood as error:
            raise UnknownSearch.of(error) from None

    def rule(self, cell: Cell, align_mask: int, large: bool) -> SearchRule:
        """The rule that the code is proved to follow, for T >= PAGE_SIZE if ``large``.

        UnknownSearch where there is none, or where the proof does not go through.
        """
        key = _Key(_place(cell), align_mask, large)
        if key not in self._proved:
            try:
                self._proved[key] = self._prove(cell, key)
            except NotUnderstood as error:
                self._proved[key] = UnknownSearch.of(error)
        known = self._proved[key]
        if isinstance(known, UnknownSearch):
            raise known
        return known

    def _machine(self, place: Cell, turned: bool) -> tuple[SearchMachine, Guesser]:
        """The machine that cuts loops as they are, or at the ends of their turns."""
        key = place, turned
        if key not in self._machines:
            machine = SearchMachine(self._program, place, self.search.function)
            machine.turned = turned
            self._machines[key] = machine, Guesser(machine)
        return self._machines[key]

    def _prove(self, cell: Cell, key: _Key) -> SearchRule:
        if self._prover is None:
            raise self._fail("a solver that proves the rule of the search")
        refusal: Refusal | None = None
        unread: NotUnderstood | None = None
        page = self._program.page_size
        first = self._turned.get(key.place, False)
        for turned in (first, not first):
            machine, _ = self._machine(key.place, turned)
            most = _MOST_HYPOTHESES if refusal is None else _MOST_AGAIN
            try:
                for found in islice(self._likely(key, turned), most):
                    failed, heads = _attempt(machine, self._prover, page, key, found)
                    if failed is None:
                        self._turned[key.place] = turned
                        self._relations[key.place] = heads[0].node, found.relations
                        return found.rule
                    refusal = refusal or failed
            except NotUnderstood as error:
                unread = unread or error
        if refusal is None:
            raise unread or self._fail("a loop whose turns are those of a rule")
        self.refusals[key] = refusal
        raise self._fail(f"a search that its rule is proved for: {refusal.reason}")

    def ends(self, cell: Cell, align_mask: int) -> bool:
        """Whether the search is proved to end in any area, by a ranking of its turns.

        For code that no rule says; what it finds is not told.
        """
        if self._prover is None:
            return False
        key = _place(cell), align_mask
        if key not in self._ends:
            machine = SearchMachine(self._program, key[0], self.search.function)
            page = self._program.page_size
            call = any_call(self._prover, page, align_mask, self.slots)
            self._ends[key] = proved_to_end(machine, self._prover, *call, align_mask)
        return self._ends[key]

    def _likely(self, key: _Key, turned: bool) -> Iterator[Hypothesis]:
        page = self._program.page_size
        totals = (page, _LIKELY_BYTES) if key.large else (1, page - 1)
        _, guesser = self._machine(key.place, turned)
        return guesser.hypotheses(key.alloc_align_mask, totals)

    def _fail(self, need: str) -> NotUnderstood:
        function = self.search.function
        text = self._program.text(function.file, function.line)
        return NotUnderstood(function.file, function.line, text, need)


def _attempt(
    machine: SearchMachine, prover: Prover, page: int, key: _Key, found: Hypothesis
) -> tuple[Refusal | None, list[Head]]:
    """None where every obligation of the hypothesis is proved, and the loops' heads."""
    bits = machine.slot_geometry.set_bits + 1
    slots = prover.array("list", machine.list_type, bits)
    given, known = any_call(prover, page, key.alloc_align_mask, machine.slot_geometry)
    total = given.alloc_size
    known = known & (given.used <= given.area_nslabs.cast(U64))
    known = known & (total >= page if key.large else total < page)
    told = teller(found.relations, bounds_of(machine, given, found.rule))
    run = machine.search(given, prover.fresh, slots, told)
    due = Obligations(machine, run, given, slots, found.rule, found.relations)
    entry = list(due.at_entry())
    fields = {
        "size": given.alloc_size,
        "orig_addr": given.orig_addr,
        "area_index": given.index,
        "area_nslabs": given.area_nslabs,
        "used": given.used,
        "pool_start": given.start,
    }
    for head in run.run.heads:
        fields |= {f"{name}@{head.number}": v for name, v in head.values.items()}
    every = list(due.all())
    known = known & slots.consistent()
    refusal = prover.impossible(entry, known, fields)
    if refusal is None:
        refusal = prover.impossible(every, known & due.invariant, fields)
    return refusal, run.run.heads


def any_call(
    prover: Prover, page: int, align_mask: int, geometry: SlotGeometry
) -> tuple[SearchInputs, Truth]:
    """A call of the search on any area, with any ``used``, and what is known of it."""

    def word(name: str, bits: int, ctype: CType) -> Word:
        return prover.fresh(name, CType(bits, False)).cast(ctype)

    bits = MAX_AREA_SLOTS.bit_length()
    shift = page.bit_length() - 1
    given = SearchInputs(
        orig_addr=prover.fresh("orig_addr", U64),
        alloc_size=word("alloc_size", MOST_BYTES.bit_length(), U64),
        alloc_align_mask=Word(align_mask, U32),
        area=word("area", 15, INT),
        area_nslabs=word("area_nslabs", bits, U32),
        nareas=word("nareas", 16, U32),
        index=word("area->index", bits, U32),
        used=word("area->used", bits, U64),
        start=word("pool_start", 64 - shift, U64) << shift,
        boundary=prover.fresh("seg_boundary_mask", U64),
    )
    slots, total = given.area_nslabs, given.alloc_size
    needed = nr_slots(total, geometry).cast(U32)
    base = given.area.cast(U32) * slots
    known = (slots >= 1) & (slots <= MAX_AREA_SLOTS) & (given.index < slots)
    known = known & (base <= Word(_MOST_SLOTS, U32) - slots)
    known = known & (given.area.cast(U32) < given.nareas)
    known = known & (given.boundary & (given.boundary + 1)).eq(0)
    known = known & given.boundary.ne(0)
    known = known & (total <= MOST_BYTES) & needed.ne(0)
    return given, known & (total > 0)
