# SPDX-License-Identifier: GPL-2.0-only
"""``limit``: known limits, closed forms, and brute force at small scale."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.constants import SLOT_SET_BYTES
from bounceproof.models.request import Path
from bounceproof.simulator.batch import Batch, run_batch
from bounceproof.simulator.single import PATH_CODES
from bounceproof.solver.compare.differ_side import side_of
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.limits.limit import Areas, Limits, limits
from bounceproof.solver.limits.limit_form import Known, fit

KIB = 1024


def asked(name: str, page: int, path: Path, **fields: int) -> Limits:
    side = side_of(BuiltinKernel(kernel_state(name)))
    domain = Domain(device("nvme"), page_size=page, path=path, **fields)
    return limits(side, domain)


def test_v6_9_loses_a_granule_and_v6_10_only_the_mask() -> None:
    old = asked("v6.9", 65536, Path.IOMMU, granule=65536, min_align_mask=0xFFF)
    new = asked("v6.10", 65536, Path.IOMMU, granule=65536, min_align_mask=0xFFF)
    assert [c.safe for c in old.cells] == [192 * KIB, 192 * KIB]
    assert [c.safe for c in new.cells] == [252 * KIB, 252 * KIB]
    assert old.verdict is Verdict.BROKEN and new.verdict is Verdict.HOLDS
    assert all(c.sound and c.tight for c in (*old.cells, *new.cells))


def test_an_area_of_one_slot_set_allows_less_without_a_granule() -> None:
    result = asked("v6.10", 4096, Path.DIRECT, min_align_mask=0xFFF)
    safe = {c.areas: c.safe for c in result.cells}
    assert safe == {Areas.LARGER: 252 * KIB, Areas.ONE_SET: 248 * KIB}


@pytest.mark.parametrize("name", ["v6.9", "v6.10"])
def test_a_closed_form_gives_every_cell(name: str) -> None:
    result = asked(name, 16384, Path.IOMMU)
    assert len(result.cells) >= 8
    for (path, areas), form in result.forms.items():
        assert form is not None
        for c in result.cells:
            if c.cell.path is path and c.areas is areas and c.safe is not None:
                known = Known(
                    c.cell.page_size, c.cell.granule, c.cell.min_align_mask, c.safe
                )
                assert form.value(known) == c.safe


def test_what_no_form_fits_has_none() -> None:
    odd = [Known(4096, 4096, 0xFFF, 12345), Known(65536, 4096, 0xFFF, 777)]
    assert fit(odd, True) is None


def _fails_somewhere(
    name: str, granule: int, mask: int, size: int, nslabs: int
) -> bool:
    """Whether any of many addresses and every start index fails, in the simulator."""
    residues = sorted(
        {*range(0, 2 * granule, 2048), *range(0, 4096, 512), 4, granule - 4}
    )
    points = np.array(list(product(residues, range(nslabs))), dtype=np.int64)
    count = len(points)
    fixed = {
        "page_size": granule, "path": PATH_CODES["iommu"], "granule": granule,
        "min_align_mask": mask, "seg_boundary_mask": 0xFFFFFFFF,
        "pool_start": 0x10000, "nslabs": nslabs, "nareas": 1, "size": size,
    }  # fmt: skip
    columns = {k: np.full(count, v, dtype=np.int64) for k, v in fixed.items()}
    columns["orig_addr"] = points[:, 0] + (1 << 30)
    columns["start_index"] = points[:, 1]
    return bool((run_batch(kernel_state(name), Batch(columns))["ok"] == 0).any())


@pytest.mark.parametrize("name", ["v6.6", "v6.9", "v6.10", "v6.1.192"])
def test_brute_force_finds_no_smaller_failing_size(name: str) -> None:
    granule, mask, nslabs = 16384, 0xFFF, 256
    result = asked(
        name, granule, Path.IOMMU,
        granule=granule, min_align_mask=mask, nslabs=nslabs, nareas=1,
    )  # fmt: skip
    (cell,) = result.cells
    assert cell.safe is not None and cell.tight
    for size in range(cell.safe - 16 * KIB, cell.safe + 1, 512):
        assert not _fails_somewhere(name, granule, mask, size, nslabs)
    sizes = range(cell.safe + 512, SLOT_SET_BYTES + 1024, 512)
    assert any(_fails_somewhere(name, granule, mask, s, nslabs) for s in sizes)
