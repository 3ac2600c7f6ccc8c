# SPDX-License-Identifier: GPL-2.0-only
"""One request in the fields of the JSON contract, run by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bounceproof.models.kernels.state import KernelState
from bounceproof.models.outcome import Outcome
from bounceproof.simulator import codes as c
from bounceproof.simulator.batch import INPUTS, Batch, run_batch
from bounceproof.simulator.compile import signed64, unsigned64
from bounceproof.simulator.transient import run_transient

PATH_CODES = {"direct": c.DIRECT, "iommu": c.IOMMU, "alloc": c.ALLOC, "link": c.LINK}


@dataclass(frozen=True, slots=True)
class SingleRequest:
    """One mapping on an empty pool; bytes and slots, ``path`` by name.

    ``pool_kind``: ``default``, ``grown`` or ``transient``.  A transient pool is made
    for the request, so ``nslabs``, ``nareas`` and ``start_index`` say nothing of it.
    """

    page_size: int
    path: str
    granule: int
    min_align_mask: int
    seg_boundary_mask: int
    pool_start: int
    nslabs: int
    nareas: int
    start_index: int
    orig_addr: int
    size: int
    pool_kind: str = "default"

    def fields(self) -> dict[str, Any]:
        """Name and value of every field, in the order of the JSON contract.

        The kind of pool is told of other pools than the default.
        """
        fields = asdict(self)
        if self.pool_kind == "default":
            del fields["pool_kind"]
        return fields


def as_batch(requests: list[SingleRequest]) -> Batch:
    """Requests as the columns that the engine takes."""
    rows = [
        [signed64(PATH_CODES[r.path] if n == "path" else getattr(r, n)) for n in INPUTS]
        for r in requests
    ]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(INPUTS))
    return Batch({name: table[:, i] for i, name in enumerate(INPUTS)})


def _outcome(row: dict[str, int]) -> Outcome:
    bounced = bool(row["bounced"])
    placed = row["slot"] >= 0
    return Outcome(
        ok=bool(row["ok"]),
        bounced=bounced,
        slot=row["slot"] if placed else None,
        nslots=row["nslots"] if bounced else None,
        tlb_addr=unsigned64(row["tlb_addr"]) if placed else None,
        sz=unsigned64(row["sz"]) if row["sz"] != -1 else None,
        hang=bool(row["hang"]),
    )


def simulate(state: KernelState, requests: Sequence[SingleRequest]) -> list[Outcome]:
    """The outcome of each request on its own empty pool."""
    outcomes: dict[int, Outcome] = {}
    for transient in (False, True):
        places = [
            i
            for i, request in enumerate(requests)
            if (request.pool_kind == "transient") is transient
        ]
        if not places:
            continue
        batch = as_batch([requests[i] for i in places])
        run = run_transient(state, batch.columns) if transient else None
        columns = run_batch(state, batch) if run is None else run
        lists = {name: column.tolist() for name, column in columns.items()}
        for row, place in enumerate(places):
            one = {name: values[row] for name, values in lists.items()}
            outcomes[place] = _outcome(one)
    return [outcomes[place] for place in range(len(requests))]
