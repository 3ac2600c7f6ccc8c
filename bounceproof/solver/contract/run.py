# SPDX-License-Identifier: GPL-2.0-only
"""The one way to run a kernel, on requests or on a history of calls.

A built-in state is run by the simulator, a tree on its own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Path,
    PoolKind,
    RunsHistories,
    RunsItself,
)
from bounceproof.simulator.history.run import run_history as run_simulated
from bounceproof.simulator.history.types import HistoryError, complete_history
from bounceproof.simulator.occupancy import Runs, simulate_taken
from bounceproof.simulator.single import SingleRequest, simulate


def cell_of(request: SingleRequest) -> Cell:
    """The cell that ``request`` lies in."""
    return Cell(
        request.page_size,
        request.granule,
        Path(request.path),
        request.min_align_mask,
        PoolKind(request.pool_kind),
    )


def run_request(
    model: KernelModel, request: SingleRequest, taken: Runs | None = None
) -> Outcome:
    """What comes of ``request`` on a pool with ``taken`` slots in use, None for none.

    Raises TypeError for a kernel that cannot be run.
    """
    if isinstance(model, RunsItself):
        return model.run_numbers(cell_of(request), request.fields(), taken or [])
    if not isinstance(model, BuiltinKernel):
        raise TypeError(f"{model.name} cannot be run")
    if taken is None:
        return simulate(model.state, [request])[0]
    return simulate_taken(model.state, request, taken)


def run_requests(
    model: KernelModel, requests: Sequence[SingleRequest]
) -> list[Outcome]:
    """What comes of each request on its own empty pool; of many at once, compiled."""
    if isinstance(model, BuiltinKernel):
        return simulate(model.state, requests)
    return [run_request(model, request) for request in requests]


def runs_histories(model: KernelModel) -> bool:
    """Whether :func:`run_history` can run ``model``."""
    return isinstance(model, BuiltinKernel | RunsHistories)


def run_history(
    model: KernelModel, machine: dict[str, Any], ops: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One record for each of ``ops``; fields left out have their defaults.

    Raises HistoryError for a kernel, a machine or calls that cannot be run.
    """
    if isinstance(model, BuiltinKernel):
        return run_simulated(model.state, machine, ops)
    if isinstance(model, RunsHistories):
        return model.run_history(*complete_history(machine, ops))
    raise HistoryError(f"{model.name} runs no histories")
