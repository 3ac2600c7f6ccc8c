# SPDX-License-Identifier: GPL-2.0-only
"""A history of calls, run and told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bounceproof.models.request import KernelModel
from bounceproof.report.formats import Answer
from bounceproof.report.judged import judged_text, label
from bounceproof.report.simulations import of_tree
from bounceproof.report.text import counted, several, title, wrap
from bounceproof.simulator.history.types import HistoryError
from bounceproof.solver.contract.run import run_history

_ADDRESSES = ("orig_addr", "min_align_mask")


def _read(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = json.loads(text)
    if not isinstance(data, dict) or set(data) - {"machine", "ops"}:
        raise HistoryError("not an object with machine and ops")
    machine, ops = data.get("machine", {}), data.get("ops")
    if not isinstance(machine, dict) or not isinstance(ops, list):
        raise HistoryError("machine is not an object or ops is not a list")
    return machine, ops


def _value(name: str, value: object) -> str:
    """A field of a call, as options take it."""
    plain = isinstance(value, int) and name in _ADDRESSES
    return f"{value:#x}" if plain else str(value)


def _outcome(outcome: dict[str, Any]) -> str:
    """What came of a call, in words."""
    if "stopped" in outcome:
        return f"the kernel stops: {outcome['stopped']}"
    if "bounced" not in outcome:
        freed = counted(outcome.get("freed", 0), "slot")
        done = f"done, {freed} freed" if "freed" in outcome else "done"
        if outcome.get("warning"):
            done += f"; the kernel warns: {outcome['warning']}"
        return done if outcome["ok"] else "stopped: the device has no such access"
    if outcome["hang"]:
        return "the search never ends"
    if not outcome["ok"]:
        logged = "" if outcome["sz"] is None else f"; sz {outcome['sz']}"
        return f"fails{logged}"
    if not outcome["bounced"]:
        return "mapped in place: no bounce buffer is needed"
    where = f"slot {outcome['slot']}, {counted(outcome['nslots'], 'slot')}"
    if "pool_start" in outcome:
        where += f" of a transient pool at {outcome['pool_start']:#x}"
    return f"mapped at {where}, tlb_addr {outcome['tlb_addr']:#x}"


def _call(
    number: int, op: dict[str, Any], record: dict[str, Any], stopped: bool
) -> list[str]:
    rest = [(k, v) for k, v in op.items() if k not in ("op", "mapping")]
    given = "".join(f", {name} {_value(name, value)}" for name, value in rest)
    lines = [wrap(f"{number}: {op['op']} {record['mapping']}{given}", "", "     ")]
    outcome = record["outcome"]
    skipped = f"skipped: mapping {record['mapping']} is not live"
    skipped = "skipped: the kernel has stopped" if stopped else skipped
    lines.append(wrap(_outcome(outcome) if outcome else skipped, "     "))
    for broken in record["broken"]:
        told = f"{broken['property']} broken: {broken['text']}"
        lines.append(wrap(told, "     ", "       "))
    if record["invariant"]:
        lines.append(wrap(f"list[] broken: {record['invariant']}", "     ", "       "))
    names = ", ".join(str(mapping["mapping"]) for mapping in record["live"])
    return [*lines, wrap(f"live: {names or 'none'}", "     ")]


@dataclass(frozen=True, slots=True)
class History:
    """A history of calls that was run on ``model``, and what came of each call."""

    model: KernelModel
    machine: dict[str, Any]
    ops: list[dict[str, Any]]
    records: list[dict[str, Any]]

    def broken(self) -> list[str]:
        """The properties seen broken, list[] among them."""
        seen = [b["property"] for record in self.records for b in record["broken"]]
        seen += ["list[]" for record in self.records if record["invariant"]]
        return list(dict.fromkeys(seen))


def run(model: KernelModel, text: str) -> History:
    """Run the history in ``text`` on ``model``.

    Raises HistoryError, or ValueError where ``text`` is no JSON.
    """
    machine, ops = _read(text)
    return History(model, machine, ops, run_history(model, machine, ops))


def fields(history: History) -> dict[str, Any]:
    """The JSON fields of ``simulate --history``."""
    return {
        "kernel": label(history.model),
        "machine": history.machine,
        "calls": history.records,
        "broken": history.broken(),
        **of_tree(history.model),
    }


def as_text(history: History) -> str:
    """Each call: its outcome, the live mappings, and what it broke."""
    broken, ops = history.broken(), history.ops
    verdict = f"breaks {several(broken)}" if broken else "breaks nothing"
    name = label(history.model)
    lines = title(f"simulate {name}: {counted(len(ops), 'call')}, {verdict}")
    lines += judged_text([history.model])
    stopped = False
    for number, (op, record) in enumerate(zip(ops, history.records, strict=True)):
        lines += _call(number, op, record, stopped)
        outcome = record["outcome"] or {}
        stopped = stopped or "stopped" in outcome or bool(outcome.get("hang"))
    return "\n".join(lines)


def answer(history: History) -> Answer:
    """``simulate --history`` in any format."""
    return Answer("simulate", lambda: fields(history), lambda verbose: as_text(history))
