# SPDX-License-Identifier: GPL-2.0-only
"""One simulated request, as text or JSON."""

from __future__ import annotations

import json
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import KernelModel, RunsItself
from bounceproof.report.judged import judged_text, label, sources_json
from bounceproof.report.request import Extras, cell_of, tell
from bounceproof.report.text import size_both, title
from bounceproof.simulator.occupancy import Runs, simulate_taken
from bounceproof.simulator.single import SingleRequest, simulate


def _run(
    model: KernelModel, request: SingleRequest, taken: Runs | None
) -> dict[str, Any]:
    if isinstance(model, RunsItself):
        cell = cell_of(request.fields())
        return model.run_numbers(cell, request.fields(), taken or [])
    if not isinstance(model, BuiltinKernel):
        raise TypeError(f"{model.name} cannot be run")
    if taken is None:
        return simulate(model.state, [request])[0]
    return simulate_taken(model.state, request, taken)


def run_requests(
    model: KernelModel, requests: list[SingleRequest]
) -> list[dict[str, Any]]:
    """Outcomes of requests, each on its own empty pool."""
    if isinstance(model, BuiltinKernel):
        return simulate(model.state, requests)
    return [_run(model, request, None) for request in requests]


def render(
    model: KernelModel, fields: dict[str, Any], as_json: bool, taken: Runs | None
) -> str:
    """Run the request in ``fields`` and tell what happened.

    The pool is empty, or has one area with the slots of ``taken`` in use.
    """
    outcome = _run(model, SingleRequest(**fields), taken)
    if as_json:
        named = {"schema": 1, "command": "simulate", "kernel": label(model)}
        more = {} if taken is None else {"taken": [list(run) for run in taken]}
        return json.dumps({**named, **fields, **outcome, **more, **of_tree(model)})
    cell = cell_of(fields)
    head = title(f"simulate {label(model)}: {size_both(fields['size'])}")
    head += judged_text([model])
    return "\n".join([*head, *tell(model, cell, fields, outcome, Extras(taken))])


def of_tree(model: KernelModel) -> dict[str, Any]:
    """What JSON says beside of a kernel that was read from files."""
    sources = sources_json([model])
    return {"sources": sources} if sources else {}
