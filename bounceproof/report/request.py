# SPDX-License-Identifier: GPL-2.0-only
"""One request and its outcome: the JSON fields, and the text that tells it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from bounceproof.models.formulas.pools import MADE, made_nslabs
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Configured, KernelModel, Path, PoolKind
from bounceproof.models.requests.defaults import FIELDS
from bounceproof.report.arithmetic import Shown, arithmetic
from bounceproof.report.picture import Slots, draw
from bounceproof.report.text import counted, table, wrap
from bounceproof.report.violations import (
    Span,
    Violation,
    admissible,
    best_set,
    drawn_slots,
    failure,
    free_run,
)

_NONE = "''"
REPRODUCE = "Reproduce"
"""What the heading of a command begins with."""
_HEX = ("min_align_mask", "seg_boundary_mask", "pool_start", "orig_addr")


def _transient(fields: dict[str, Any]) -> bool:
    return fields.get("pool_kind") == PoolKind.TRANSIENT.value


def with_pool(
    model: KernelModel, fields: dict[str, Any], outcome: Outcome
) -> dict[str, Any]:
    """``fields`` with the slots of the transient pool that the request got, if any."""
    if not _transient(fields):
        return fields
    nslabs = made_nslabs(model, fields["page_size"], outcome.nslots)
    return {**fields, "nslabs": nslabs}


def cell_of(fields: dict[str, Any]) -> Cell:
    """The cell of a request's fields."""
    kind = PoolKind(fields.get("pool_kind", PoolKind.DEFAULT))
    names = ("page_size", "granule", "path", "min_align_mask")
    page, granule, path, mask = (fields[name] for name in names)
    return Cell(page, granule, Path(path), mask, kind)


def kernel_line(
    fields: dict[str, Any],
    outcome: Outcome,
    taken: list[tuple[int, int]] | None = None,
) -> str | None:
    """The line the kernel logs for this outcome, or None."""
    if outcome.sz is None:
        return None
    if _transient(fields):
        return (
            f"swiotlb buffer is full (sz: {outcome.sz} bytes), "
            "total ... (slots), used ... (slots)"
        )
    used = sum(last - first + 1 for first, last in taken or ())
    return (
        f"swiotlb buffer is full (sz: {outcome.sz} bytes), "
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


def shown_of(model: KernelModel, cell: Cell, fields: dict[str, Any]) -> Shown:
    """The request as the arithmetic takes it."""
    return Shown(
        cell=cell,
        orig_addr=fields["orig_addr"],
        size=fields["size"],
        pool_start=fields["pool_start"],
        nslabs=fields["nslabs"],
        area_nslabs=fields["nslabs"] // fields["nareas"],
        start_index=fields["start_index"],
        seg_boundary_mask=fields["seg_boundary_mask"],
        geometry=model.geometry(cell.page_size),
    )


def _verdict(outcome: Outcome) -> str:
    if outcome.ok and not outcome.bounced:
        return "mapped in place: no bounce buffer is needed"
    if outcome.ok:
        return f"mapped at slot {outcome.slot}, tlb_addr {outcome.tlb_addr:#x}"
    return "fails"


def _wanted(
    shown: Shown, right: list[int] | None, nslots: int, taken: list[Span]
) -> range:
    """The run that the search did not give: a free one, else from the first slot."""
    if not right:
        return range(0)
    free = free_run(shown, right, nslots, taken)
    begin = free if free is not None else min(right)
    return range(begin, begin + nslots)


def slot_set_of(
    model: KernelModel, shown: Shown, outcome: Outcome, more: Extras
) -> Slots | None:
    """The slot set to draw; None where no slot is at issue."""
    slot, nslots, size = outcome.slot, outcome.nslots, drawn_slots(shown)
    if not outcome.bounced or nslots is None or not size:
        return None
    taken = more.taken or []
    here = best_set(shown, nslots, taken)
    if slot is not None:
        first = slot & ~shown.geometry.set_low
        here = range(first, first + size)
    right = admissible(model, shown, here)
    if slot is None and right is None:
        return None
    fault = more.violation.slots(shown) if more.violation is not None else []
    mapped = range(0) if slot is None else range(slot, slot + nslots)
    wanted = range(0)
    if slot is None:
        wanted = _wanted(shown, right, nslots, taken)
    padding = int(model.mapping(shown.cell, shown.request()).padding)
    pads = padding >> shown.geometry.shift
    used, drawn = tuple(taken), tuple(right or ())
    return Slots(
        here.start, size, mapped, pads, wanted, drawn, used, fault, shown.geometry
    )


def _picture(
    model: KernelModel, shown: Shown, outcome: Outcome, more: Extras
) -> list[str]:
    slots = slot_set_of(model, shown, outcome, more)
    if slots is None:
        return []
    transient = shown.cell.pool_kind is PoolKind.TRANSIENT
    return ["", f"  The {'pool' if transient else 'slot set'}:", *draw(slots)]


@dataclass(frozen=True, slots=True)
class Extras:
    """What a request alone does not tell: slots in use (runs), a history, or what it
    breaks."""

    taken: list[tuple[int, int]] | None = None
    history: dict[str, Any] | None = None
    violation: Violation | None = None


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


def command_lines(
    model: KernelModel, fields: dict[str, Any], more: Extras = Extras()
) -> list[str]:
    """The command that runs a request again, to be pasted as it stands.

    One line, but for a history, which follows it.
    """
    if more.history is not None:
        words = ["bounceproof simulate", shlex.quote(model.name), *_given(model)]
        line = " ".join([*words, "--history - <<'END'"])
        return [line, json.dumps(more.history), "END"]
    line = reproduce(model, fields)
    if more.taken is not None:
        line += f" --taken {taken_text(more.taken) or _NONE}"
    return [line]


def reproduced(
    model: KernelModel, fields: dict[str, Any], more: Extras = Extras()
) -> list[str]:
    """The command that runs a request again, with its heading."""
    options = model.options if isinstance(model, Configured) else ()
    again = " (with the patch on standard input)" if ("--patch", "-") in options else ""
    return [f"{REPRODUCE}{again}:", *command_lines(model, fields, more)]


def _facts(
    model: KernelModel, shown: Shown, fields: dict[str, Any], outcome: Outcome
) -> list[tuple[str, str]]:
    """Name and value of everything that the request and the kernel's steps have."""
    cell = shown.cell
    kind = "" if cell.pool_kind is PoolKind.DEFAULT else f"{cell.pool_kind}, "
    slots, areas = (counted(fields[n], w) for n, w in _POOL.items())
    pool = (
        f"{kind}{slots} in {areas} from {fields['pool_start']:#x}, "
        f"seg_boundary_mask {fields['seg_boundary_mask']:#x}"
    )
    masks = (
        f"path {fields['path']}, page {fields['page_size']}, "
        f"min_align_mask {fields['min_align_mask']:#x}"
    )
    rows = [("request", masks), ("pool", pool), *arithmetic(model, shown)]
    return [*rows, ("outcome", _verdict(outcome))]


_POOL = {"nslabs": "slot", "nareas": "area"}


def _violated(
    model: KernelModel, shown: Shown, outcome: Outcome, more: Extras
) -> list[tuple[str, str]]:
    """The addresses at fault; of a request that fails by itself, why."""
    if more.violation is None:
        if outcome.ok:
            return []
        return [("because", failure(model, shown, outcome, more.taken or []))]
    where = more.violation.where(shown)
    return [("at fault", where)] if where else []


def steps_of(
    model: KernelModel,
    shown: Shown,
    fields: dict[str, Any],
    outcome: Outcome,
    more: Extras,
) -> list[tuple[str, str]]:
    """Name and value of each step from the request to what is at fault."""
    rows = _facts(model, shown, fields, outcome)
    return rows + _violated(model, shown, outcome, more)


def told(
    model: KernelModel,
    cell: Cell,
    fields: dict[str, Any],
    outcome: Outcome,
    more: Extras = Extras(),
) -> list[str]:
    """A request as text: the arithmetic, the picture, the log line, the command."""
    fields = with_pool(model, fields, outcome)
    shown = shown_of(model, cell, fields)
    lines = table(steps_of(model, shown, fields, outcome, more))
    lines += _picture(model, shown, outcome, more)
    if more.taken is not None:
        text = taken_text(more.taken) or "none"
        lines += ["", wrap(f"In use: slots {text}", "  ", "    ")]
    logged = kernel_line(fields, outcome, more.taken)
    if logged is not None:
        lines += ["", "  The kernel logs:", wrap(logged, "    ")]
    return [*lines, "", *reproduced(model, fields, more)]
