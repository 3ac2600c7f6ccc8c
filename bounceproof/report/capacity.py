# SPDX-License-Identifier: GPL-2.0-only
"""``capacity`` as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from bounceproof.models.capacity.boot import BootPool
from bounceproof.models.capacity.mix import Group, Shape
from bounceproof.models.request import Path
from bounceproof.report.capacity_expected import (
    Expectations,
    expectations_json,
    expectations_text,
)
from bounceproof.report.judged import answer_json, judged_text, label, tool_text
from bounceproof.report.text import size_text, table, title, wrap
from bounceproof.solver.capacity.answer import Answer, Carried
from bounceproof.solver.capacity.asked import Before
from bounceproof.solver.capacity.guarantee import OfMix, Shown
from bounceproof.solver.capacity.least import Least
from bounceproof.solver.contract.verdict import Verdict

HEADLINES = {
    Verdict.HOLDS: "guaranteed",
    Verdict.BROKEN: "not guaranteed",
    Verdict.UNKNOWN: "unknown",
}
SCOPES = {
    Before.ANYTHING: "Whatever came before, of any device, as long as it is over:",
    Before.MIX: "If nothing but this mix ever used the pool:",
}
OVERLAPS = {
    True: "whatever other CPUs map and unmap while a search goes from area to area:",
    False: "as long as none does while a search goes from area to area:",
}
ASSUMED = (
    "the pool is not shared with mappings outside the mix while these are live",
    "the pool lies within one segment of each device, and no buffer in physical page 0",
    "CONFIG_SWIOTLB_DYNAMIC adds pools and takes none away; it is not counted on",
    "a mapping is one contiguous buffer: each segment of a scatterlist is one",
)


# Text.


def _slots(pool: BootPool) -> str:
    sets = f"{pool.sets} slot set{'s' if pool.sets != 1 else ''}"
    areas = f"{pool.nareas} area{'s' if pool.nareas != 1 else ''}"
    return f"{size_text(pool.bytes)}: {pool.nslabs} slots in {areas}, {sets}"


def parameter(pool: BootPool, single: bool) -> str:
    """What to put on the command line for ``pool``."""
    return f"swiotlb={pool.nslabs}" + ("" if single else f",{pool.nareas}")


def _group_rows(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for group in groups:
        cell = group.cell
        size = size_text(group.least)
        if group.most > group.least:
            size = f"{size} to {size_text(group.most)}"
        where = f"in steps of {group.addr_step} bytes"
        if group.offset is not None:
            where = f"at {group.offset % group.modulus:#x} modulo {group.modulus:#x}"
        if cell.path is Path.ALLOC:
            where = "allocated"
        granule = f", granule {cell.granule}" if cell.path.has_granule else ""
        about = (
            f"of {size}, {where}; path {cell.path}{granule}, page {cell.page_size}, "
            f"min_align_mask {cell.min_align_mask:#x}"
        )
        rows.append((f"{group.count} x", about))
    return rows


def _victim(found: Answer, shape: Shape, pool_start: int) -> str:
    where = f" at {shape.orig_addr & 0xFFFFF:#x}" if shape.orig_addr else ""
    told = f"{shape.size} bytes{where}, which needs {shape.nslots} slots"
    if shape.period == 1:
        return told
    told += f" from a slot that is {shape.first} modulo {shape.period}"
    at = "" if found.asked.pool_start is not None else f", the pool at {pool_start:#x}"
    return told + at


def _shown(found: Answer, shown: Shown, nslabs: int, where: str) -> str:
    calls = len(shown.history.calls)
    on = "the tree's compiled code" if found.asked.native else "the simulator"
    return (
        f"Run on {on}, {calls} calls: {where}with {shown.live} live mappings "
        f"and {shown.used} of {nslabs} slots in use, the next one fails."
    )


def _mix_text(found: Answer, mix: OfMix, sets: int, nslabs: int, where: str) -> str:
    most = f"it can block at most {_sets(mix.blocks)}"
    place = "the area" if where else "the pool"
    if mix.verdict is Verdict.HOLDS:
        return f"The mix always succeeds: {most}, {place} has {sets}."
    if mix.shown is not None:
        return f"The mix can fail. {_shown(found, mix.shown, nslabs, where)}"
    told = f"Whether the mix can fail is unknown: {most}, {place} has {sets}."
    return told if found.runs else f"{told} --native runs a history of the tree."


def _sets(value: Fraction) -> str:
    whole = int(value)
    return f"{whole} slot set{'s' if whole != 1 else ''}"


def _least_text(least: Least, single: bool, restricted: bool) -> str:
    if least.pool is None:
        return f"No pool guarantees the mix: {least.why}."
    told = f"The least pool that guarantees it is {_slots(least.pool)}"
    told += "." if restricted else f": {parameter(least.pool, single)}."
    if least.smaller is None:
        return told
    pool, mix = least.smaller
    if mix.shown is not None:
        return f"{told} In the next smaller one, {size_text(pool.bytes)}, it can fail."
    return f"{told} Of the next smaller one, {size_text(pool.bytes)}, nothing is shown."


def _together_text(found: Answer, carried: Carried, where: str) -> str:
    most = carried.together
    if most.shown is None:
        return (
            f"Any {most.most} of these mappings succeed at once; whether more do is "
            f"not shown."
        )
    nslabs = found.asked.nslabs if not where else _area(found)
    return (
        f"Any {most.most} of these mappings succeed at once, not {most.most + 1}: "
        f"what may fail is {_victim(found, most.victim, most.pool_start)}. "
        f"{_shown(found, most.shown, nslabs, where)}"
    )


def _area(found: Answer) -> int:
    return found.asked.nslabs // found.asked.nareas


def _told(found: Answer, carried: Carried, single: bool) -> list[str]:
    where = ""
    if carried.overlapping and found.asked.nareas > 1:
        where = "in each area when it is searched, "
    slots = _area(found) if where else found.asked.nslabs
    sets = slots // found.asked.segsize
    texts = (
        _together_text(found, carried, where),
        _mix_text(found, carried.mix, sets, slots, where),
        _least_text(carried.least, single, found.restricted),
    )
    return [wrap(text, "    ") for text in texts]


def _carried_text(found: Answer, before: Before, single: bool) -> list[str]:
    lines = [SCOPES[before]]
    for carried in found.carried:
        if carried.before is before:
            many = len(found.carried) > len(Before)
            if many:
                lines.append(f"  {OVERLAPS[carried.overlapping]}")
            lines += _told(found, carried, single)
    return [*lines, ""]


def _emptiest_text(found: Answer) -> list[str]:
    empty, asked = found.emptiest, found.asked
    assert empty is not None
    share = 100 * empty.used / asked.nslabs
    what = _victim(found, empty.victim, empty.pool_start)
    told = (
        f"With {empty.used} of {asked.nslabs} slots in use ({share:.1f} %), whoever "
        f"uses them, a mapping can fail: {what}. With fewer in use while it is "
        f"searched none fails; with all in use all do."
    )
    return [
        "The emptiest and the fullest pool in which the next one fails:",
        wrap(told, "  "),
        "",
    ]


def _adds_text(found: Answer, cpus: int, single: bool) -> list[str]:
    first = found.of(Before.ANYTHING, False)
    another = float(first.another)
    sets = found.asked.model.geometry(found.asked.page_size).set_bytes
    rows = [
        (
            "device",
            f"one more with this mix blocks at most {another:.4g} slot sets, "
            f"{another * sets / (1 << 20):.4g} MiB",
        )
    ]
    if not single and not found.restricted:
        relief = first.mix.weighed.relief
        lost = f"{float(relief):.3g} of a slot set" if relief else "nothing"
        rows += [
            (
                "area",
                f"costs {lost} of the guarantee, and a slot set of its own "
                f"({size_text(sets)}) at least; the pool is rounded up to a power of "
                f"two",
            ),
            (
                "CPU",
                f"nothing of its own: without a second number in swiotlb= there are as "
                f"many areas as CPUs, {cpus} here, rounded up to a power of two",
            ),
        ]
    return ["What one more adds:", *table(rows), ""]


def _grounds_text(found: Answer) -> list[str]:
    lines = ["Rests on:"]
    for ground in found.grounds:
        words = "PROVED" if ground.verdict is Verdict.HOLDS else "NOT PROVED"
        reason = f" ({ground.reason})" if ground.reason else ""
        lines.append(wrap(f"{words}: {ground.text}{reason}", "  ", "    "))
    lines += [wrap(f"assumed: {text}", "  ", "    ") for text in ASSUMED]
    return [*lines, ""]


def _ends_text(found: Answer, single: bool) -> list[str]:
    if not found.proved:
        return ["Nothing is guaranteed: see what is not proved."]
    least = found.of(Before.ANYTHING, True).least
    if least.pool is None:
        return [wrap(f"No swiotlb= guarantees this mix: {least.why}.")]
    if found.restricted:
        size = least.pool.bytes
        return [f"The device's restricted pool: {size_text(size)} ({size:#x} bytes)."]
    lines = [f"On the command line: {parameter(least.pool, single)}"]
    other = found.of(Before.ANYTHING, False).least.pool
    if other is not None and other != least.pool:
        lines.append(
            wrap(f"or, if calls do not overlap: {parameter(other, single)}", "  ")
        )
    return lines


def guest_text(memory: int, pool: BootPool) -> str:
    """What the kernel of a guest with encrypted memory takes by itself."""
    return (
        f"The kernel's own rule for a guest of {size_text(memory)} whose memory is "
        f"encrypted, 6 % between 64 MiB and 1 GiB, gives {_slots(pool)}."
    )


def as_text(
    found: Answer, cpus: int, single: bool, expected: Expectations | None, guest: str
) -> str:
    """For a reader; ``guest``: what the kernel would choose by itself, or nothing."""
    asked = found.asked
    pool = BootPool(asked.nslabs, asked.nareas)
    lines = title(f"capacity {label(asked.model)}: {HEADLINES[found.verdict]}")
    lines += judged_text([asked.model])
    lines += table([*_group_rows(asked.groups), ("pool", _slots(pool))])
    lines.append("")
    if found.never is not None:
        return "\n".join([*lines, wrap(f"No pool is large enough: {found.never}.")])
    if found.unneeded is not None:
        return "\n".join([*lines, wrap(f"No pool is needed: {found.unneeded}.")])
    for before in Before:
        lines += _carried_text(found, before, single)
    lines += _emptiest_text(found) + _adds_text(found, cpus, single)
    lines += [wrap(guest), ""] if guest else []
    lines += expectations_text(expected, single) if expected is not None else []
    lines += _grounds_text(found) + _ends_text(found, single)
    return "\n".join([*lines, *tool_text([asked.model])])


# JSON.


def _pool_json(pool: BootPool) -> dict[str, int]:
    return {"nslabs": pool.nslabs, "nareas": pool.nareas, "bytes": pool.bytes}


def _shape_json(shape: Shape) -> dict[str, int]:
    return {
        "group": shape.group,
        "orig_addr": shape.orig_addr,
        "size": shape.size,
        "nslots": shape.nslots,
        "first": shape.first,
        "period": shape.period,
    }


def _shown_json(shown: Shown | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    return {
        "calls": len(shown.history.calls),
        "live": shown.live,
        "used": shown.used,
        "pool_start": shown.pool_start,
    }


def _mix_json(mix: OfMix) -> dict[str, Any]:
    return {
        "verdict": mix.verdict.shown,
        "blocks": float(mix.blocks),
        "weights": [str(weight) for weight in mix.weighed.weights],
        "relief": str(mix.weighed.relief),
        "victim": _shape_json(mix.victim),
        "shown": _shown_json(mix.shown),
    }


def _least_json(least: Least) -> dict[str, Any]:
    smaller = None
    if least.smaller is not None:
        pool, mix = least.smaller
        smaller = {**_pool_json(pool), "verdict": mix.verdict.shown}
    return {
        "pool": None if least.pool is None else _pool_json(least.pool),
        "smaller": smaller,
        "why": least.why,
    }


def _carried_json(carried: Carried) -> dict[str, Any]:
    most = carried.together
    return {
        "before": carried.before.value,
        "overlapping": carried.overlapping,
        "together": {
            "most": most.most,
            "victim": _shape_json(most.victim),
            "shown": _shown_json(most.shown),
        },
        "mix": _mix_json(carried.mix),
        "least": _least_json(carried.least),
        "another_device_slot_sets": float(carried.another),
    }


def _group_json(group: Group) -> dict[str, Any]:
    cell = group.cell
    return {
        "name": group.name,
        "count": group.count,
        "least": group.least,
        "most": group.most,
        "size_step": group.size_step,
        "offset": group.offset,
        "addr_step": group.addr_step,
        "path": cell.path.value,
        "page_size": cell.page_size,
        "granule": cell.granule if cell.path.has_granule else None,
        "min_align_mask": cell.min_align_mask,
    }


def as_json(
    found: Answer, expected: Expectations | None, guest: BootPool | None
) -> str:
    """One JSON object, schema 1."""
    asked, empty = found.asked, found.emptiest
    fields: dict[str, Any] = {
        "kernel": label(asked.model),
        "verdict": found.verdict.shown,
        "mix": [_group_json(group) for group in asked.groups],
        "pool": _pool_json(BootPool(asked.nslabs, asked.nareas)),
        "pool_start": asked.pool_start,
        "never": found.never,
        "unneeded": found.unneeded,
        "carried": [_carried_json(carried) for carried in found.carried],
        "emptiest": None
        if empty is None
        else {"used": empty.used, "victim": _shape_json(empty.victim)},
        "rests_on": [
            {"name": g.name, "verdict": g.verdict.shown, "reason": g.reason}
            for g in found.grounds
        ],
        "assumed": list(ASSUMED),
        "guest": None if guest is None else _pool_json(guest),
        "expected": None if expected is None else expectations_json(expected),
    }
    return answer_json("capacity", fields, [asked.model])


def history_json(found: Answer) -> str | None:
    """The history after which one mapping of the mix too many fails, whatever came
    before, as ``simulate --history`` takes it; None where there is none."""
    if not found.carried:
        return None
    asked, shown = found.asked, found.of(Before.ANYTHING, False).together.shown
    if shown is None:
        return None
    cell = asked.groups[0].cell
    machine = {
        "page_size": cell.page_size,
        "granule": cell.granule,
        "min_align_mask": cell.min_align_mask,
        "pool_start": shown.pool_start,
        "nslabs": asked.nslabs,
        "nareas": asked.nareas,
    }
    return json.dumps({"machine": machine, "ops": shown.history.operations()})
