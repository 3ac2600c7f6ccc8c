# SPDX-License-Identifier: GPL-2.0-only
"""One simulated request, as text or JSON."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bounceproof.models.formulas.search import NotRead
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, KernelModel
from bounceproof.models.requests.devices import Device
from bounceproof.report.formats import Answer
from bounceproof.report.judged import judged_text, label, sources_json
from bounceproof.report.request import Extras, cell_of, told
from bounceproof.report.text import several, size_both, title, wrap
from bounceproof.simulator.occupancy import Runs
from bounceproof.simulator.single import SingleRequest
from bounceproof.solver.contract.run import run_request


@dataclass(frozen=True, slots=True)
class Ran:
    """A request of ``device`` that was run on ``model``, and what came of it.

    ``taken``: the slots that were in use, None for an empty pool.
    """

    model: KernelModel
    device: Device
    request: dict[str, Any]
    taken: Runs | None
    outcome: Outcome

    def fields(self) -> dict[str, Any]:
        """The JSON fields of ``simulate``."""
        runs = {} if self.taken is None else {"taken": [list(r) for r in self.taken]}
        named = {"kernel": label(self.model)}
        found = self.outcome.fields()
        return {**named, **self.request, **found, **runs, **of_tree(self.model)}

    def text(self) -> str:
        """What happened, step by step."""
        model, request, outcome = self.model, self.request, self.outcome
        cell, more = cell_of(request), Extras(self.taken)
        lines = title(f"simulate {label(model)}: {size_both(request['size'])}")
        lines += [*_beyond(model, self.device, cell, request), *judged_text([model])]
        return "\n".join([*lines, *told(model, cell, request, outcome, more)])

    def answer(self) -> Answer:
        """The same in any format."""
        return Answer("simulate", self.fields, lambda verbose: self.text())


def run(
    model: KernelModel, request: dict[str, Any], taken: Runs | None, device: Device
) -> Ran:
    """Run the request with these fields; the pool is empty, or has one area with the
    slots of ``taken`` in use."""
    outcome = run_request(model, SingleRequest(**request), taken)
    return Ran(model, device, request, taken, outcome)


def _beyond(
    model: KernelModel, device: Device, cell: Cell, fields: dict[str, Any]
) -> list[str]:
    """What of the request ``device`` never sends."""
    reasons = []
    for name in ("size", "orig_addr"):
        step = device.size_step if name == "size" else device.addr_step
        if fields[name] % step:
            reasons.append(f"{name} is no multiple of {step}")
    with suppress(NotRead):
        limit = device.max_size(model, cell)
        if fields["size"] > limit:
            reasons.append(f"the driver's limit is {size_both(limit)}")
    if not reasons:
        return []
    return [wrap(f"{device.name} does not send it: {several(reasons)}.", "  "), ""]


def of_tree(model: KernelModel) -> dict[str, Any]:
    """What JSON says beside of a kernel that was read from files."""
    sources = sources_json([model])
    return {"sources": sources} if sources else {}
