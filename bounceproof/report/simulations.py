# SPDX-License-Identifier: GPL-2.0-only
"""One simulated request, as text or JSON."""

from __future__ import annotations

import json
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import Cell, Path
from bounceproof.models.state import KernelState
from bounceproof.report.request import tell
from bounceproof.report.text import size_both, title
from bounceproof.simulator.single import SingleRequest, simulate


def render(state: KernelState, fields: dict[str, Any], as_json: bool) -> str:
    """Run the request in ``fields`` on an empty pool and tell what happened."""
    outcome = simulate(state, [SingleRequest(**fields)])[0]
    if as_json:
        named = {"schema": 1, "command": "simulate", "kernel": state.name}
        return json.dumps({**named, **fields, **outcome})
    path = Path(fields["path"])
    cell = Cell(fields["page_size"], fields["granule"], path, fields["min_align_mask"])
    head = f"simulate {state.name}: {size_both(fields['size'])}"
    return "\n".join([*title(head), *tell(BuiltinKernel(state), cell, fields, outcome)])
