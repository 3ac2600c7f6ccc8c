# SPDX-License-Identifier: GPL-2.0-only
"""A history of calls, run and told."""

from __future__ import annotations

import json
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import KernelModel, RunsHistories
from bounceproof.report.judged import judged_text, label
from bounceproof.report.simulations import of_tree
from bounceproof.report.text import title, wrap
from bounceproof.simulator.history import run_history
from bounceproof.simulator.history_types import HistoryError, complete_history

_SHOWN = ("ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang")


def _read(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = json.loads(text)
    if not isinstance(data, dict) or set(data) - {"machine", "ops"}:
        raise HistoryError("not an object with machine and ops")
    machine, ops = data.get("machine", {}), data.get("ops")
    if not isinstance(machine, dict) or not isinstance(ops, list):
        raise HistoryError("machine is not an object or ops is not a list")
    return machine, ops


def _call(number: int, op: dict[str, Any], record: dict[str, Any]) -> list[str]:
    given = " ".join(f"{k}={v}" for k, v in op.items() if k != "op")
    lines = [wrap(f"{number}: {op['op']} {given}", "", "     ")]
    outcome = record["outcome"]
    if isinstance(outcome, dict) and "ok" in outcome:
        facts = " ".join(f"{k}={outcome.get(k)}" for k in _SHOWN)
        if "pool_start" in outcome:
            facts += f" transient pool at {outcome['pool_start']:#x}"
        lines.append(wrap(facts, "     "))
    for broken in record["broken"]:
        told = f"BROKEN {broken['property']}: {broken['text']}"
        lines.append(wrap(told, "     ", "       "))
    if record["invariant"]:
        lines.append(wrap(f"BROKEN list[]: {record['invariant']}", "     ", "       "))
    names = ", ".join(str(mapping["mapping"]) for mapping in record["live"])
    return [*lines, wrap(f"live: {names or 'none'}", "     ")]


def _run(
    model: KernelModel, machine: dict[str, Any], ops: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    if isinstance(model, BuiltinKernel):
        return run_history(model.state, machine, ops)
    if isinstance(model, RunsHistories):
        return model.run_history(*complete_history(machine, ops))
    raise HistoryError(f"{model.name} runs no histories")


def render(model: KernelModel, text: str, as_json: bool) -> str:
    """Run the history in ``text`` on ``model``: every call's outcome, the live
    mappings, and each property seen broken.

    Raises HistoryError, or ValueError where ``text`` is no JSON.
    """
    machine, ops = _read(text)
    records = _run(model, machine, ops)
    if as_json:
        named = {"schema": 1, "command": "simulate", "kernel": label(model)}
        said = {"machine": machine, "calls": records}
        return json.dumps({**named, **said, **of_tree(model)})
    lines = title(f"simulate {label(model)}: {len(ops)} calls")
    lines += judged_text([model])
    for number, (op, record) in enumerate(zip(ops, records, strict=True)):
        lines += _call(number, op, record)
    return "\n".join(lines)
