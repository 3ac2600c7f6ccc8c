# SPDX-License-Identifier: GPL-2.0-only
"""One request and its outcome: the JSON fields, and the text that tells it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from bounceproof.models.defaults import FIELDS
from bounceproof.models.outcome import cases
from bounceproof.models.pools import MADE, made_nslabs
from bounceproof.models.request import Cell, Configured, KernelModel, Path, PoolKind
from bounceproof.models.search import Area, NoClosedForm, NoSearchRule, Search
from bounceproof.models.word import U64, UNSIGNED_INT, Word
from bounceproof.report.arithmetic import Shown, arithmetic
from bounceproof.report.picture import slot_set
from bounceproof.report.text import WIDTH, table, wrap

_HEX = ("min_align_mask", "seg_boundary_mask", "pool_start", "orig_addr")


def _transient(fields: dict[str, Any]) -> bool:
    return fields.get("pool_kind") == PoolKind.TRANSIENT.value


def with_pool(
    model: KernelModel, fields: dict[str, Any], outcome: dict[str, Any]
) -> dict[str, Any]:
    """``fields`` with the slots of the transient pool that the request got, if any."""
    if not _transient(fields):
        return fields
    nslabs = made_nslabs(model, fields["page_size"], outcome["nslots"])
    return {**fields, "nslabs": nslabs}


def cell_of(fields: dict[str, Any]) -> Cell:
    """The cell of a request's fields."""
    kind = PoolKind(fields.get("pool_kind", PoolKind.DEFAULT))
    names = ("page_size", "granule", "path", "min_align_mask")
    page, granule, path, mask = (fields[name] for name in names)
    return Cell(page, granule, Path(path), mask, kind)


def kernel_line(
    fields: dict[str, Any],
    outcome: dict[str, Any],
    taken: list[tuple[int, int]] | None = None,
) -> str | None:
    """The line the kernel logs for this outcome, or None."""
    if outcome["sz"] is None:
        return None
    if _transient(fields):
        return (
            f"swiotlb buffer is full (sz: {outcome['sz']} bytes), "
            "total ... (slots), used ... (slots)"
        )
    used = sum(last - first + 1 for first, last in taken or ())
    return (
        f"swiotlb buffer is full (sz: {outcome['sz']} bytes), "
        f"total {fields['nslabs']} (slots), used {used} (slots)"
    )


def _words(kernel: str, fields: dict[str, Any]) -> list[str]:
    words = [f"bounceproof simulate {shlex.quote(kernel)}"]
    for name in FIELDS:
        if name == "granule" and not Path(fields["path"]).has_granule:
            continue
        if name in MADE and _transient(fields):
            continue
        value = hex(fields[name]) if name in _HEX else str(fields[name])
        words.append(f"--{name.replace('_', '-')} {value}")
    if "pool_kind" in fields:
        words.append(f"--pool-kind {fields['pool_kind']}")
    return words


def _given(model: KernelModel) -> list[str]:
    """The options that ``model`` is called with beside its name."""
    options = model.options if isinstance(model, Configured) else ()
    return [f"{name} {shlex.quote(value)}" for name, value in options]


def reproduce(model: KernelModel, fields: dict[str, Any]) -> str:
    """One command that runs the request again."""
    first, *others = _words(model.name, fields)
    return " ".join([first, *_given(model), *others])


def _folded(words: list[str]) -> list[str]:
    """Words as a shell command of several lines, an option with its value."""
    lines = [f"    {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append(f"        {word}")
        else:
            lines[-1] += f" {word}"
    return lines


def shown_of(model: KernelModel, cell: Cell, fields: dict[str, Any]) -> Shown:
    """The request as the arithmetic takes it."""
    return Shown(
        cell=cell,
        orig_addr=fields["orig_addr"],
        size=fields["size"],
        pool_start=fields["pool_start"],
        area_nslabs=fields["nslabs"] // fields["nareas"],
        start_index=fields["start_index"],
        seg_boundary_mask=fields["seg_boundary_mask"],
        geometry=model.geometry(cell.page_size),
    )


def _drawn_slots(shown: Shown) -> int:
    """Slots of a slot set, or of the transient pool."""
    if shown.cell.pool_kind is not PoolKind.TRANSIENT:
        return shown.geometry.segsize
    return min(shown.area_nslabs, shown.geometry.segsize)


def _right_slots(model: KernelModel, shown: Shown, first: int) -> list[int] | None:
    """The slots that the code's alignment test accepts; None where that is unknown."""
    request = shown.request()
    mapping = model.mapping(shown.cell, request)
    try:
        every = cases(model, shown.cell, mapping)
    except NoSearchRule:
        return None
    for case in every:
        if not bool(case.guard):
            continue
        area = Area(shown.pool(), Word(0, UNSIGNED_INT))
        search = Search(case.rule, area, Word(shown.orig_addr, U64), case.comparing)
        slots = range(first, first + _drawn_slots(shown))
        try:
            return [s for s in slots if bool(search.admissible(Word(s, UNSIGNED_INT)))]
        except NoClosedForm:
            return None
    return None


def _verdict(shown: Shown, outcome: dict[str, Any]) -> str:
    if outcome["hang"]:
        return "the search never ends"
    if not outcome["bounced"]:
        return (
            "mapped in place: no bounce buffer is needed"
            if outcome["ok"]
            else ("refused: min_align_mask exceeds the granule")
        )
    if outcome["ok"]:
        return f"mapped: slot {outcome['slot']}, tlb_addr {outcome['tlb_addr']:#x}"
    if outcome["sz"] is None and shown.cell.path is not Path.ALLOC:
        return "fails after the bounce buffer was found"
    return "fails: the search finds no bounce buffer"


def _free_run(
    shown: Shown, right: list[int], nslots: int, taken: list[tuple[int, int]]
) -> int | None:
    """The first right slot from which ``nslots`` are free, in one slot set and one
    segment of the device."""
    shift, segsize = shown.geometry.shift, shown.geometry.segsize
    low = shown.seg_boundary_mask >> shift
    base = (shown.pool_start & shown.seg_boundary_mask) >> shift
    for slot in right:
        last = slot + nslots - 1
        inside = slot % segsize + nslots <= _drawn_slots(shown)
        segment = ((base + slot) & low) + nslots <= low + 1
        used = any(a <= last and slot <= b for a, b in taken)
        if inside and segment and not used:
            return slot
    return None


def _picture(
    model: KernelModel,
    shown: Shown,
    outcome: dict[str, Any],
    taken: list[tuple[int, int]],
) -> list[str]:
    if not outcome["bounced"] or outcome["nslots"] is None:
        return []
    slot, nslots = outcome["slot"], outcome["nslots"]
    first = 0 if slot is None else slot & ~shown.geometry.set_low
    right = _right_slots(model, shown, first)
    padding = int(model.mapping(shown.cell, shown.request()).padding)
    pads, size = padding >> shown.geometry.shift, _drawn_slots(shown)
    if not size or (slot is None and right is None):
        return []
    free = None if slot is not None else _free_run(shown, right or [], nslots, taken)
    drawn = slot_set(slot, nslots, right or [], pads, size, shown.geometry, free)
    name = "slot set" if shown.cell.pool_kind is not PoolKind.TRANSIENT else "pool"
    return ["", f"  the {name}:", *drawn]


@dataclass(frozen=True, slots=True)
class Extras:
    """What a request alone does not tell: slots in use (runs), or a history."""

    taken: list[tuple[int, int]] | None = None
    history: dict[str, Any] | None = None


def _every(taken: list[tuple[int, int]]) -> tuple[int, int]:
    """How many single slots at the front lie evenly, and how far apart."""
    if len(taken) < 3 or any(a != b for a, b in taken[:3]):
        return 0, 0
    step, count = taken[1][0] - taken[0][0], 1
    while count < len(taken):
        first, last = taken[count]
        if first != last or first - taken[count - 1][0] != step:
            break
        count += 1
    return (count, step) if count > 2 else (0, 0)


def taken_text(taken: list[tuple[int, int]]) -> str:
    """Runs of slots as ``--taken`` takes them: ``0-3,8,10-20/2``."""
    parts = []
    while taken:
        count, step = _every(taken)
        first, last = taken[0]
        if count:
            parts.append(f"{first}-{taken[count - 1][0]}/{step}")
        else:
            parts.append(str(first) if first == last else f"{first}-{last}")
        taken = taken[max(count, 1) :]
    return ",".join(parts)


def _again(model: KernelModel, fields: dict[str, Any], more: Extras) -> list[str]:
    """The command that shows it again."""
    given = _given(model)
    if more.history is not None:
        told = json.dumps(more.history, indent=1).splitlines()
        words = [f"bounceproof simulate {shlex.quote(model.name)}", *given]
        lines = _folded([*words, "--history - <<'END'"])
        return [*lines, *(f"    {line}" for line in told), "    END"]
    words = _words(model.name, fields)
    words[1:1] = given
    if more.taken is not None:
        words.append(f"--taken {taken_text(more.taken)}")
    return _folded(words)


def tell(
    model: KernelModel,
    cell: Cell,
    fields: dict[str, Any],
    outcome: dict[str, Any],
    more: Extras = Extras(),
) -> list[str]:
    """A request as text: the arithmetic, the picture, the log line, the command."""
    fields = with_pool(model, fields, outcome)
    shown = shown_of(model, cell, fields)
    kind = "" if cell.pool_kind is PoolKind.DEFAULT else f"{cell.pool_kind}, "
    pool = (
        f"{kind}{fields['nslabs']} slots in {fields['nareas']} area(s) from "
        f"{fields['pool_start']:#x}, seg_boundary_mask {fields['seg_boundary_mask']:#x}"
    )
    masks = (
        f"path {fields['path']}, page {fields['page_size']}, "
        f"min_align_mask {fields['min_align_mask']:#x}"
    )
    rows = [("request", masks), ("pool", pool), *arithmetic(model, shown)]
    lines = table([*rows, ("so", _verdict(shown, outcome))])
    lines += _picture(model, shown, outcome, more.taken or [])
    if more.taken is not None:
        text = taken_text(more.taken) or "none"
        lines += ["", wrap(f"in use: slots {text}", "  ", "    ")]
    logged = kernel_line(fields, outcome, more.taken)
    if logged is not None:
        lines += ["", "  the kernel logs:", wrap(logged, "    ")]
    return [*lines, "", "  again:", *_again(model, fields, more)]
