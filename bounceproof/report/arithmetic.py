# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's arithmetic for one request, step by step, with its own variables."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.formulas.outcome import cases
from bounceproof.models.formulas.search import Area, NoClosedForm, Search
from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Mapping,
    Path,
    Pool,
    Request,
    SearchRule,
)
from bounceproof.models.words.word import U64, UNSIGNED_INT, UNSIGNED_LONG, Word
from bounceproof.report.text import size_both

Step = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """One request in numbers; ``nslabs`` slots in areas of ``area_nslabs``."""

    cell: Cell
    orig_addr: int
    size: int
    pool_start: int
    nslabs: int
    area_nslabs: int
    start_index: int
    seg_boundary_mask: int
    geometry: SlotGeometry

    def request(self) -> Request:
        return Request(Word(self.orig_addr, U64), Word(self.size, U64))

    def pool(self) -> Pool:
        return Pool(
            Word(self.pool_start, U64),
            Word(self.area_nslabs, UNSIGNED_INT),
            Word(self.start_index, UNSIGNED_INT),
            Word(self.seg_boundary_mask, UNSIGNED_LONG),
            geometry=self.geometry,
        )


def _rule(
    model: KernelModel, shown: Shown, mapping: Mapping
) -> tuple[SearchRule, bool]:
    for case in cases(model, shown.cell, mapping):
        if bool(case.guard):
            return case.rule, case.comparing
    raise ValueError("no search rule covers the request")


def _sizes(shown: Shown, mapping: Mapping) -> list[Step]:
    cell, given = shown.cell, int(mapping.alloc_align_mask)
    padding, total, printed = (
        int(w) for w in (mapping.padding, mapping.total, mapping.printed)
    )
    steps: list[Step] = [("alloc_align_mask", f"{given:#x}, as the caller passes it")]
    if cell.path is not Path.ALLOC:
        below = shown.orig_addr & cell.min_align_mask
        steps.append(
            (
                "padding",
                f"{padding:#x} of orig_addr & {cell.min_align_mask:#x} = {below:#x}",
            )
        )
    if total == printed and padding and given:
        source = f"ALIGN({shown.size} + {padding}, {given + 1})"
    elif given and cell.path.has_granule:
        source = f"ALIGN({shown.size}, {given + 1}) + {padding}"
    else:
        source = f"{shown.size} + {padding}" if padding else f"{shown.size}"
    steps.append(("alloc_size", f"{source} = {total}"))
    nslots, slots = int(mapping.nslots), shown.geometry
    text = f"{nslots} of {slots.size} bytes; a slot set has {slots.segsize}"
    steps.append(("nslots", text))
    return steps


def _predicate(rule: SearchRule, comparing: bool, orig_addr: int) -> str:
    parts = []
    if rule.zero_mask:
        parts.append(f"addr & {rule.zero_mask:#x} == 0")
    if rule.compare_mask and comparing:
        wanted = orig_addr & rule.compare_mask
        parts.append(f"addr & {rule.compare_mask:#x} == {wanted:#x}")
    if rule.compare_mask and not comparing:
        parts.append("orig_addr 0 means unset: not compared")
    return " and ".join(parts) or "any slot"


def _admissible(shown: Shown, rule: SearchRule, comparing: bool, base: int) -> str:
    pool = shown.pool()
    area = Area(pool, Word(base, UNSIGNED_INT))
    search = Search(rule, area, Word(shown.orig_addr, U64), comparing)
    try:
        geometry = search.geometry
        possible = bool(search.possible())
    except NoClosedForm as reason:
        return str(reason)
    if not possible:
        return "none: the bits asked for contradict each other"
    first = int(search.next_admissible(Word(0, UNSIGNED_INT)))
    every = "every slot" if geometry.period == 1 else f"every {geometry.period} slots"
    block = f", {geometry.block} in a row" if geometry.block > 1 else ""
    return f"{every} from slot {first}{block}"


def _search(shown: Shown, mapping: Mapping, model: KernelModel) -> list[Step]:
    try:
        rule, comparing = _rule(model, shown, mapping)
    except NoClosedForm:
        return [("loop", f"from index {shown.start_index}, followed turn by turn")]
    alloc, iotlb = rule.alloc_align_mask, rule.iotlb_align_mask
    clash = shown.orig_addr & rule.zero_mask & rule.compare_mask if comparing else 0
    steps = [
        ("in the search", f"alloc_align_mask {alloc:#x}, iotlb_align_mask {iotlb:#x}"),
        ("stride", f"{rule.stride} slots"),
        ("admissible if", _predicate(rule, comparing, shown.orig_addr)),
        ("admissible slots", _admissible(shown, rule, comparing, 0)),
    ]
    if clash:
        steps.append(
            ("contradiction", f"orig_addr has {clash:#x}, which must also be 0")
        )
    end = "after area_nslabs slots" if rule.counted else "back at that index"
    start = " aligned to the stride" if rule.aligned_start else ""
    steps.append(("loop", f"from index {shown.start_index}{start}, stops {end}"))
    return steps


def arithmetic(model: KernelModel, shown: Shown) -> list[Step]:
    """Name and value of each step, from the request to the loop."""
    cell = shown.cell
    mapping = model.mapping(cell, shown.request())
    steps: list[Step] = [
        ("orig_addr", f"{shown.orig_addr:#x}"),
        ("size", size_both(shown.size)),
    ]
    if cell.path.has_granule:
        below = (shown.orig_addr | shown.size) & (cell.granule - 1)
        needed = "bounced" if below else "not bounced"
        steps.append(
            ("granule", f"{cell.granule}; (orig_addr | size) has {below:#x}: {needed}")
        )
    if bool(mapping.refused):
        steps.append(("refused", "min_align_mask exceeds the granule"))
    if not bool(mapping.bounced):
        return steps
    return steps + _sizes(shown, mapping) + _search(shown, mapping, model)
