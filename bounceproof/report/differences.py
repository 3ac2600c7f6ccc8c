# SPDX-License-Identifier: GPL-2.0-only
"""``diff`` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bounceproof.models.outcome import Outcome
from bounceproof.models.request import KernelModel, PoolKind
from bounceproof.report.configurations import configurations, name
from bounceproof.report.domain import (
    Asked,
    asked,
    asked_text,
    domain_json,
    paths_left_out,
)
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, label, tool_text
from bounceproof.report.reach import met
from bounceproof.report.request import kernel_line, reproduced, with_pool
from bounceproof.report.text import size_both, size_text, table, title, wrap
from bounceproof.solver.compare.differ import (
    Class,
    Differences,
    Member,
    PairedCell,
    effect,
)
from bounceproof.solver.compare.differ_kinds import Fate, Kind, Number, Sender
from bounceproof.solver.compare.differ_side import Side
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.counterexample.confirm import single_request

_WORDS = {"holds": "same", "broken": "different"}
_NUMBERS = {
    Number.SZ: "with another size logged",
    Number.SLOT: "from another slot on",
    Number.TLB_ADDR: "from the same slot on, at another tlb_addr",
    Number.NSLOTS: "with another number of slots",
}


def verdict_word(result: Differences) -> str:
    """``same``, ``different``, ``unknown`` or ``disagree``."""
    return _WORDS.get(result.verdict.value, result.verdict.value)


def kind_text(kind: Kind) -> str:
    """A class in a line, the kernels as A and B."""
    if kind.sender is not Sender.BOTH:
        one, other = ("A", "B") if kind.sender is Sender.ONLY_A else ("B", "A")
        fate = kind.a or kind.b
        return (
            f"only {one}'s driver may send it ({other}'s limit is lower): {one} {fate}"
        )
    if kind.a is not kind.b:
        return f"A {kind.a}, B {kind.b}"
    if kind.lost is not None:
        return f"both map, B alone breaks {kind.lost.value}"
    if kind.won is not None:
        return f"both map, A alone breaks {kind.won.value}"
    assert kind.number is not None
    if kind.a is Fate.MAPS:
        return f"both map, {_NUMBERS[kind.number]}"
    if kind.number is Number.NSLOTS:
        return f"each {kind.a}, looking for another number of slots"
    return f"each {kind.a}, {_NUMBERS[kind.number]}"


def kind_id(kind: Kind) -> str:
    """A name for a class that does not change from run to run."""
    parts: list[str] = [kind.sender.value]
    parts += [f"{n} {f.value}" for n, f in (("A", kind.a), ("B", kind.b)) if f]
    if kind.lost is not None:
        parts.append(f"lost {kind.lost.value}")
    if kind.won is not None:
        parts.append(f"won {kind.won.value}")
    if kind.number is not None:
        parts.append(kind.number.value)
    return ", ".join(parts)


def _cell_json(paired: PairedCell) -> dict[str, Any]:
    cell = paired.cell
    return {
        "page_size": cell.page_size,
        "path": cell.path.value,
        "granule": cell.granule,
        "min_align_mask_a": None if paired.a is None else paired.a.min_align_mask,
        "min_align_mask_b": None if paired.b is None else paired.b.min_align_mask,
        "limit_a": None if paired.a is None else paired.limit_a,
        "limit_b": None if paired.b is None else paired.limit_b,
    }


def _side_json(member: Member, side: Side, first: bool) -> dict[str, Any] | None:
    cell = member.paired.a if first else member.paired.b
    outcome = member.a if first else member.b
    if cell is None or outcome is None:
        return None
    request = single_request(cell, member.point).fields()
    named = {"kernel": label(side.model)}
    pool = with_pool(side.model, request, outcome)
    return {**named, **pool, **outcome.fields()}


def _class_json(result: Differences, found: Class) -> dict[str, Any]:
    member = found.smallest
    return {
        "class": kind_id(found.kind),
        "text": kind_text(found.kind),
        "effect": effect(found.kind),
        "a": _side_json(member, result.a, True),
        "b": _side_json(member, result.b, False),
        "confirmed": member.confirmed,
        "minimum": member.minimum,
        "reach": [{"reach": one, "who": who} for one, who in _met(result, found)],
        "cells": [_cell_json(paired) for paired in found.cells],
    }


def fields(result: Differences) -> dict[str, Any]:
    """The JSON fields of ``diff``."""
    return {
        "a": label(result.a.model),
        "b": label(result.b.model),
        "domain": domain_json(_asked(result)),
        "judged": [prop.value for prop in result.properties],
        "verdict": verdict_word(result),
        "classes": [_class_json(result, found) for found in result.classes],
        "cells": [_cell_json(paired) for paired in result.cells],
        "undecided": [
            {**_cell_json(paired), "reason": reason}
            for paired, reason in result.undecided
        ],
        "seconds": round(result.seconds, 3),
        **about(_models(result)),
    }


def _models(result: Differences) -> list[KernelModel]:
    return [result.a.model, result.b.model]


def _asked(result: Differences) -> Asked:
    sides = (side for paired in result.cells for side in (paired.a, paired.b))
    empty = [paired.cell for paired in result.empty]
    cells = dict.fromkeys(cell for cell in sides if cell and cell not in empty)
    out = paths_left_out(result.domain, _models(result))
    return asked(result.domain, cells, empty, out)


def _where(result: Differences, cells: Iterable[PairedCell]) -> str:
    every = [paired.cell for paired in result.cells]
    return configurations((paired.cell for paired in cells), every)


def _outcome_text(outcome: Outcome | None, fields: dict[str, Any]) -> str:
    if outcome is None:
        return Fate.NO_PATH.value
    if outcome.hang:
        return "the search never ends"
    if not outcome.bounced and outcome.ok:
        return "mapped in place"
    if outcome.ok:
        return (
            f"slot {outcome.slot}, {outcome.nslots} slots, "
            f"tlb_addr {outcome.tlb_addr:#x}"
        )
    logged = kernel_line(fields, outcome)
    return "fails" if logged is None else f'fails: "{logged}"'


def _member_lines(result: Differences, found: Class) -> list[str]:
    member = found.smallest
    rows: list[tuple[str, ...]] = []
    point, cell = member.point, member.paired.cell
    where = name(cell)
    asked = f"{point['size']} bytes at {point['orig_addr']:#x}"
    pool = f"pool from {point['pool_start']:#x}"
    if cell.pool_kind is PoolKind.TRANSIENT:
        pool = f"transient {pool}"
    else:
        asked += f", start index {point['start_index']} of {point['area_nslabs']} slots"
    rows.append(("smallest", asked))
    rows.append(("", f"{pool}, {where}"))
    for which, first in (("A", True), ("B", False)):
        fields = _side_json(member, result.a if first else result.b, first)
        outcome = member.a if first else member.b
        rows.append((which, _outcome_text(outcome, fields or {})))
    rows.append(("where", _where(result, found.cells)))
    rows += [("met by", f"{reach}: {who}") for reach, who in _met(result, found)]
    lines = table(rows, "    ")
    side, mine = result.a, _side_json(member, result.a, True)
    if mine is None:
        side, mine = result.b, _side_json(member, result.b, False)
    if not member.confirmed:
        lines.append("    NOT CONFIRMED: the simulators do not show this class")
    if not member.minimum:
        lines.append("    not proved to be the smallest")
    assert mine is not None
    return [*lines, "", *reproduced(side.model, mine)]


def _met(result: Differences, found: Class) -> list[tuple[str, str]]:
    """Who meets a class in B, or in A where B has no such configuration."""
    cells = [paired.b for paired in found.cells if paired.b is not None]
    model = result.b.model
    if not cells:
        cells = [paired.a for paired in found.cells if paired.a is not None]
        model = result.a.model
    return [(one.reach.value, one.who) for one, _ in met(model, cells)]


def _limits(result: Differences) -> list[str]:
    """Where the two drivers' masks or limits differ."""
    rows = []
    for paired in result.cells:
        a, b = paired.a, paired.b
        if a is None or b is None:
            continue
        same = a.min_align_mask == b.min_align_mask
        if same and paired.limit_a == paired.limit_b:
            continue
        granule = size_text(a.granule) if a.path.has_granule else "-"
        first = f"{size_both(paired.limit_a)}, mask {a.min_align_mask:#x}"
        second = f"{size_both(paired.limit_b)}, mask {b.min_align_mask:#x}"
        rows.append((size_text(a.page_size), a.path.value, granule, first, second))
    if not rows:
        return []
    head = ("page", "path", "granule", "A's driver", "B's driver")
    if len(rows) > 12:
        where = f"{len(rows)} configurations"
        return [f"The drivers' limits or masks differ in {where}.", ""]
    return ["The drivers' limits and masks:", *table([head, *rows]), ""]


_HEADS = {
    "worse": "B is worse:",
    "better": "B is better:",
    "other": "Different, neither better nor worse:",
}


def as_text(result: Differences) -> str:
    """``diff`` for a reader."""
    a, b = (label(model) for model in _models(result))
    heading = f"diff {a} {b}: {verdict_word(result)}"
    lines = [*title(heading), f"  A  {a}", f"  B  {b}", ""]
    lines += judged_text(_models(result))
    lines += _limits(result)
    last = ""
    for number, found in enumerate(result.classes, 1):
        if effect(found.kind) != last:
            last = effect(found.kind)
            lines += [_HEADS[last], ""]
        lines.append(wrap(f"{number}. {kind_text(found.kind)}", "  ", "     "))
        lines += [*_member_lines(result, found), ""]
    for paired, reason in result.undecided:
        where = _where(result, (paired,))
        lines.append(wrap(f"unknown in {where}: {reason}", "", "  "))
    lines += [*_closing(result), ""]
    lines += [*asked_text(_asked(result)), *tool_text(_models(result))]
    return "\n".join(lines)


def _closing(result: Differences) -> list[str]:
    judged = ", ".join(prop.value for prop in result.properties) or "nothing"
    if len(result.empty) == len(result.cells):
        text = "No request is in the domain: nothing was compared."
    elif result.undecided:
        text = "Whether there is another difference is not decided."
    elif result.verdict is Verdict.HOLDS:
        text = "The two agree on every request of the domain, in every number."
    else:
        text = (
            "Each request that differs is in exactly one class; the solver finds none "
            "outside them."
        )
    if result.domain.pool_kind is PoolKind.TRANSIENT:
        text += " Pools lie where both kernels can have made theirs."
    return [wrap(f"{text} Mappings are judged by: {judged}.")]


def answer(result: Differences) -> Answer:
    """``diff`` in any format."""
    return Answer("diff", lambda: fields(result), lambda verbose: as_text(result))
