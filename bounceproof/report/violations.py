# SPDX-License-Identifier: GPL-2.0-only
"""What a counterexample breaks, computed from what was seen when it was run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bounceproof.models.formulas.outcome import cases
from bounceproof.models.formulas.search import Area, NoClosedForm, Search
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import KernelModel, Path, PoolKind
from bounceproof.models.words.word import U64, UNSIGNED_INT, Word
from bounceproof.report.arithmetic import Shown
from bounceproof.report.text import counted, size_text
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Counterexample
from bounceproof.solver.counterexample.confirm import records_of

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong, in a sentence; ``spans``: the addresses at fault, from first to
    end."""

    text: str
    spans: tuple[Span, ...] = ()

    def slots(self, shown: Shown) -> list[int]:
        """The pool-wide slots in which the addresses at fault lie."""
        size, start = shown.geometry.size, shown.pool_start
        found: dict[int, None] = {}
        for first, end in self.spans:
            low, high = first - start, min(end - first, size << 10)
            found |= dict.fromkeys(range(low // size, (low + high - 1) // size + 1))
        return list(found)

    def where(self, shown: Shown) -> str:
        """The addresses at fault, with their slots."""
        parts = []
        for first, end in self.spans:
            low, high = (
                (at - shown.pool_start) // shown.geometry.size
                for at in (first, end - 1)
            )
            slots = f"slot {low}" if low == high else f"slots {low} to {high}"
            amount = size_text(end - first)
            parts.append(f"{first:#x} to {end:#x}, {amount} in {slots}")
        return "; ".join(parts)


def violation_of(
    prop: Property, model: KernelModel, shown: Shown, example: Counterexample
) -> Violation | None:
    """What ``example`` breaks of ``prop``; None where only its outcome is known."""
    if example.history is not None:
        return _of_history(prop, model, example.history)
    outcome = example.outcome
    if prop is Property.ALIGNED:
        return _misaligned(model, shown, outcome)
    if prop in (Property.FITS, Property.FINDS, Property.HALTS):
        return Violation(failure(model, shown, outcome, example.taken or []))
    return None


def _of_history(
    prop: Property, model: KernelModel, history: dict[str, Any]
) -> Violation | None:
    records = records_of(model, history)
    broken = [b for record in records for b in record["broken"]]
    mine = [b for b in broken if b["property"] == prop.value]
    if not mine:
        return None
    spans = ((low, high) for b in mine for low, high in b.get("spans", ()))
    return Violation(str(mine[0]["text"]), tuple(dict.fromkeys(spans)))


def _misaligned(model: KernelModel, shown: Shown, outcome: Outcome) -> Violation | None:
    """The bits of the address that are lost, or where the allocation starts wrongly."""
    cell, tlb, slot = shown.cell, outcome.tlb_addr, outcome.slot
    if tlb is None or slot is None:
        return None
    lost = (tlb ^ shown.orig_addr) & cell.min_align_mask
    if lost and cell.path in (Path.IOMMU, Path.DIRECT):
        mask = cell.min_align_mask
        return Violation(
            f"tlb_addr & {mask:#x} is {tlb & mask:#x}, orig_addr & {mask:#x} is "
            f"{shown.orig_addr & mask:#x}: bits {lost:#x} are lost"
        )
    start = shown.pool_start + slot * shown.geometry.size
    mask = int(model.mapping(cell, shown.request()).alloc_align_mask)
    if start & mask:
        whole = mask + 1
        return Violation(f"the allocation starts at {start:#x}, no multiple of {whole}")
    if cell.path is Path.ALLOC and tlb % cell.page_size:
        return Violation(f"the allocation starts at {tlb:#x}, inside a page")
    return None


def searches(model: KernelModel, shown: Shown) -> list[Search] | None:
    """How the first area is searched for the request; None where no rule says it."""
    mapping = model.mapping(shown.cell, shown.request())
    area = Area(shown.pool(), Word(0, UNSIGNED_INT))
    address = Word(shown.orig_addr, U64)
    try:
        every = cases(model, shown.cell, mapping)
    except NoClosedForm:
        return None
    return [
        Search(case.rule, area, address, case.comparing)
        for case in every
        if bool(case.guard)
    ]


def admissible(model: KernelModel, shown: Shown, slots: range) -> list[int] | None:
    """Which of ``slots`` the alignment test accepts; None where that is unknown."""
    for search in searches(model, shown) or ():
        try:
            return [s for s in slots if bool(search.admissible(Word(s, UNSIGNED_INT)))]
        except NoClosedForm:
            return None
    return None


def tested(model: KernelModel, shown: Shown, slot: int) -> bool | None:
    """Whether the search tests ``slot`` of its area; None where that is unknown."""
    for search in searches(model, shown) or ():
        try:
            legs = search.visits().legs
            return any(bool(leg.visits(Word(slot, UNSIGNED_INT))) for leg in legs)
        except NoClosedForm:
            return None
    return None


def drawn_slots(shown: Shown) -> int:
    """Slots of a slot set, or of the transient pool."""
    if shown.cell.pool_kind is not PoolKind.TRANSIENT:
        return shown.geometry.segsize
    return min(shown.area_nslabs, shown.geometry.segsize)


def best_set(shown: Shown, nslots: int, taken: list[Span]) -> range:
    """The slot set with the first free run of ``nslots``, the first one if none has."""
    segsize, at = shown.geometry.segsize, 0
    for low, high in [*taken, (shown.nslabs, shown.nslabs)]:
        if low - at >= nslots:
            break
        at = high + 1
    first = at - at % segsize if at < shown.nslabs else 0
    return range(first, first + drawn_slots(shown))


def free_run(
    shown: Shown, right: list[int], nslots: int, taken: list[Span]
) -> int | None:
    """The first of the admissible slots ``right`` from which ``nslots`` are free, in
    one slot set and one segment of the device."""
    shift, segsize = shown.geometry.shift, shown.geometry.segsize
    low = shown.seg_boundary_mask >> shift
    base = (shown.pool_start & shown.seg_boundary_mask) >> shift
    for slot in right:
        last = slot + nslots - 1
        inside = slot % segsize + nslots <= drawn_slots(shown)
        segment = ((base + slot) & low) + nslots <= low + 1
        used = any(a <= last and slot <= b for a, b in taken)
        if inside and segment and not used:
            return slot
    return None


def failure(
    model: KernelModel, shown: Shown, outcome: Outcome, taken: list[Span]
) -> str:
    """Why a request that bounces is not mapped."""
    nslots, size = outcome.nslots, drawn_slots(shown)
    if outcome.hang:
        return "the search never ends"
    if not outcome.bounced or nslots is None:
        return "refused: min_align_mask exceeds the granule"
    if outcome.sz is None and shown.cell.path is not Path.ALLOC:
        return "the mapping fails after the search found a bounce buffer"
    if nslots > size:
        return _too_many(shown, nslots)
    here = best_set(shown, nslots, taken)
    right = admissible(model, shown, here)
    if right is None:
        return "the search finds no bounce buffer"
    if not right:
        return f"no slot of the {_whole(shown)} is admissible"
    free = free_run(shown, right, nslots, taken)
    if free is None:
        return _no_run(shown, right, nslots)
    run = f"slot {free} is admissible and starts {counted(nslots, 'free slot')}"
    seen = tested(model, shown, free) if free < shown.area_nslabs else None
    does = "never tests it" if seen is False else "does not return it"
    return f"{run}; the search {does}"


def _whole(shown: Shown) -> str:
    transient = shown.cell.pool_kind is PoolKind.TRANSIENT
    return "pool" if transient else "slot set"


def _too_many(shown: Shown, nslots: int) -> str:
    size, needed = drawn_slots(shown), counted(nslots, "slot")
    if not size:
        return f"{needed} are needed, and no pool is made for so many"
    return f"{needed} are needed, a {_whole(shown)} has {size}"


def _no_run(shown: Shown, right: list[int], nslots: int) -> str:
    segsize = shown.geometry.segsize
    past = min(at % segsize for at in right) + nslots - drawn_slots(shown)
    if past > 0:
        first = f"{counted(nslots, 'slot')} from the first admissible one"
        return f"{first} end {past} past the {_whole(shown)}"
    return f"no admissible slot starts {nslots} free slots in one segment of the device"
