# SPDX-License-Identifier: GPL-2.0-only
"""One simulated request, as text or JSON."""

from __future__ import annotations

import json
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import Cell, Path
from bounceproof.models.state import KernelState
from bounceproof.report.request import Extras, tell
from bounceproof.report.text import size_both, title
from bounceproof.simulator.occupancy import Runs, simulate_taken
from bounceproof.simulator.single import SingleRequest, simulate


def render(
    state: KernelState, fields: dict[str, Any], as_json: bool, taken: Runs | None
) -> str:
    """Run the request in ``fields`` and tell what happened.

    The pool is empty, or has one area with the slots of ``taken`` in use.
    """
    request = SingleRequest(**fields)
    if taken is None:
        outcome = simulate(state, [request])[0]
    else:
        outcome = simulate_taken(state, request, taken)
    if as_json:
        named = {"schema": 1, "command": "simulate", "kernel": state.name}
        more = {} if taken is None else {"taken": [list(run) for run in taken]}
        return json.dumps({**named, **fields, **outcome, **more})
    path = Path(fields["path"])
    cell = Cell(fields["page_size"], fields["granule"], path, fields["min_align_mask"])
    head = title(f"simulate {state.name}: {size_both(fields['size'])}")
    told = tell(BuiltinKernel(state), cell, fields, outcome, Extras(taken))
    return "\n".join([*head, *told])
