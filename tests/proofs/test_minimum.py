# SPDX-License-Identifier: GPL-2.0-only
"""The smallest counterexample is the one that trying every request finds."""

from __future__ import annotations

import numpy as np
import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Path
from bounceproof.simulator.batch import Batch, run_batch
from bounceproof.simulator.single import PATH_CODES
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property

POOL = 1 << 20


def smallest_by_trying(
    name: str, granule: int, nslabs: int
) -> tuple[int, int, int] | None:
    """Size, address and start index of the smallest failing request, sizes first; of
    one size those that fail from every index first."""
    state, step = kernel_state(name), 4096
    addresses = np.arange(granule, 2 * granule, 512)
    starts = np.arange(nslabs)
    grid = np.array(np.meshgrid(addresses, starts, indexing="ij")).reshape(2, -1)
    count = grid.shape[1]
    for size in range(step, 256 * 1024 + 1, step):
        fixed = {
            "page_size": granule,
            "path": PATH_CODES["iommu"],
            "granule": granule,
            "min_align_mask": 4095,
            "seg_boundary_mask": 0xFFFFFFFF,
            "pool_start": POOL,
            "nslabs": nslabs,
            "nareas": 1,
            "size": size,
        }
        columns = {k: np.full(count, v, dtype=np.int64) for k, v in fixed.items()}
        columns |= {"orig_addr": grid[0], "start_index": grid[1]}
        failing = (run_batch(state, Batch(columns))["ok"] == 0).reshape(-1, nslabs)
        if failing.any():
            always = failing.all(axis=1)
            row = int(np.argmax(always if always.any() else failing.any(axis=1)))
            return size, int(addresses[row]), int(np.argmax(failing[row]))
    return None


@pytest.mark.parametrize("name", ["v6.6", "v6.9", "v6.1.192", "v6.6+will-v3", "v6.12"])
@pytest.mark.parametrize(("granule", "nslabs"), [(65536, 128), (16384, 256)])
def test_nothing_smaller_fails(name: str, granule: int, nslabs: int) -> None:
    state = kernel_state(name)
    domain = Domain(
        device("nvme"),
        page_size=granule,
        granule=granule,
        path=Path.IOMMU,
        nslabs=nslabs,
        nareas=1,
        pool_start=POOL,
        size_step=4096,
        addr_step=512,
    )
    finding = check_state(state, domain, [Property.FITS], 60.0).findings[0]
    tried = smallest_by_trying(name, granule, nslabs)
    (cell,) = domain.cells(BuiltinKernel(state))
    limit = domain.device.max_size(BuiltinKernel(state), cell)
    if tried is not None and tried[0] > limit:
        tried = None
    example = finding.counterexample
    found = None
    if example is not None:
        point = example.point
        found = (point["size"], point["orig_addr"], point["start_index"])
    assert found == tried
