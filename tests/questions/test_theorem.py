# SPDX-License-Identifier: GPL-2.0-only
"""``theorem``: proved where it is true, and the weakest repair where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.limits.theorem import (
    CONDITIONS,
    Theorem,
    prove_theorem,
    theorem_cells,
    theorem_domain,
)


def proved(name: str, prop: Property, page: int = 4096) -> Theorem:
    domain = replace(theorem_domain(device("generic")), page_size=page)
    return prove_theorem(prop, BuiltinKernel(kernel_state(name)), domain, 60.0)


@pytest.mark.parametrize("prop", [Property.FITS, Property.ALIGNED, Property.HALTS])
def test_true_in_v6_10(prop: Property) -> None:
    assert proved("v6.10", prop, 65536).finding.verdict is Verdict.HOLDS


def test_v6_9_fits_where_the_address_is_aligned_or_a_granule_is_left() -> None:
    result = proved("v6.9", Property.FITS, 65536)
    assert result.finding.verdict is Verdict.BROKEN
    assert result.finding.confirmed
    names = {tuple(c.name for c in side) for side in result.weakest}
    assert names == {("all-bits",), ("size-granule",)}


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
