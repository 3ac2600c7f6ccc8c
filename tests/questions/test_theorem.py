# SPDX-License-Identifier: GPL-2.0-only
"""``theorem``: proved where it is true, and the weakest repair where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Path
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.limits.conditions import CONDITIONS
from bounceproof.solver.limits.theorem import (
    Side,
    Theorem,
    prove_theorem,
    theorem_cells,
    theorem_domain,
)
from tests.conftest import Run

NVME = {"min_align_mask": 0xFFF}


def proved(
    name: str, prop: Property, page: int = 4096, path: Path = Path.IOMMU, **more: int
) -> Theorem:
    domain = theorem_domain(device("generic"), path)
    domain = replace(domain, page_size=page, **more)
    return prove_theorem(prop, BuiltinKernel(kernel_state(name)), domain, 60.0)


@pytest.mark.parametrize("prop", [Property.FITS, Property.ALIGNED, Property.HALTS])
def test_true_in_v6_10(prop: Property) -> None:
    assert proved("v6.10", prop, 65536).finding.verdict is Verdict.HOLDS


def test_v6_9_fits_where_the_address_is_aligned_or_a_granule_is_left() -> None:
    result = proved("v6.9", Property.FITS, 65536, granule=65536)
    assert result.finding.verdict is Verdict.BROKEN
    assert result.finding.confirmed
    assert names_of(result.weakest) == {("rounded-bits-set",)}
    assert names_of(result.exact) == {("rounded-bits-set",)}


def test_v6_9_owned_where_the_last_granule_has_room_for_the_padding() -> None:
    result = proved("v6.9", Property.OWNED, granule=4096, min_align_mask=0xFFF)
    assert result.finding.verdict is Verdict.BROKEN
    assert ("last-bits-granule",) in names_of(result.weakest)


@pytest.mark.parametrize(("granule", "most"), [(4096, 2048), (65536, 61441)])
def test_a_limit_on_the_size_closes_owned(granule: int, most: int) -> None:
    model = BuiltinKernel(kernel_state("v6.9"))
    cell = (65536, granule, Path.IOMMU, 0xFFF, 0xFFFFFFFF)
    asked = Domain(device("generic"), *cell, nslabs=256, nareas=1)
    for size, verdict in ((most, Verdict.HOLDS), (most + 1, Verdict.BROKEN)):
        domain = replace(asked, size=size)
        found = check_kernel(model, domain, [Property.OWNED], 60).findings[0]
        assert found.verdict is verdict


def test_through_dma_iova_link_both_conditions_hold_and_fits_does_not() -> None:
    result = proved("v7.3.4", Property.FITS, 65536, Path.LINK, granule=65536, **NVME)
    example = result.finding.counterexample
    assert result.finding.verdict is Verdict.BROKEN and example is not None
    assert result.finding.confirmed
    assert example.cell.granule == 65536 > example.cell.min_align_mask


def test_the_command_asks_about_dma_iova_link(run: Run) -> None:
    where = ("--path", "link", "--granule", "64K", "--min-align-mask", "0xfff")
    told = run("theorem", *where, "--page-size", "64K", "--property", "fits", "--json")
    assert told.code == 1 and "dma_iova_link()" in told.json["statement"]
    [kernel] = told.json["kernels"]
    assert kernel["kernel"] == "v7.3.4"
    refused = run("theorem", *where, "--property", "clean")
    assert refused.code == 2 and "clean is not asked there" in refused.err


def names_of(sides: tuple[Side, ...]) -> set[tuple[str, ...]]:
    return {tuple(condition.name for condition in side) for side in sides}


def test_before_the_padding_fix_a_mask_above_a_slot_loses_bits() -> None:
    result = proved("v6.6+will-v4", Property.ALIGNED)
    assert result.finding.verdict is Verdict.BROKEN
    assert result.finding.confirmed


def test_every_cell_is_within_the_assumption() -> None:
    model = BuiltinKernel(kernel_state("v6.10"))
    cells = theorem_cells(model, theorem_domain(device("generic")))
    assert all(cell.min_align_mask < cell.granule for cell, _ in cells)
    assert min(cell.granule for cell, _ in cells) == 2048


def test_conditions_have_distinct_names() -> None:
    assert len({c.name for c in CONDITIONS}) == len(CONDITIONS)
