# SPDX-License-Identifier: GPL-2.0-only
"""Each property: a kernel state that breaks it, and one of which it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Cell, Mapping, Path, Request
from bounceproof.models.words.word import UNSIGNED_INT, Word
from bounceproof.solver.answers.check import check_kernel, check_state
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict

IOMMU_4K = Domain(device("nvme"), page_size=4096, granule=4096, path=Path.IOMMU)
IOMMU_64K = Domain(device("nvme"), page_size=65536, granule=65536, path=Path.IOMMU)
DIRECT_4K = Domain(device("nvme"), page_size=4096, path=Path.DIRECT)
LINK_64K = Domain(device("nvme"), page_size=65536, granule=65536, path=Path.LINK)
ALLOC_4K = Domain(
    device("generic"), page_size=4096, path=Path.ALLOC, min_align_mask=0,
    seg_boundary_mask=0xFFFFFFFF,
)  # fmt: skip

BROKEN = [
    ("v6.12", Property.FITS, DIRECT_4K),
    ("v7.3.4", Property.FITS, LINK_64K),
    ("v6.0", Property.FITS, DIRECT_4K),
    ("v6.6", Property.FINDS, IOMMU_4K),
    ("v6.12", Property.FINDS, DIRECT_4K),
    ("v6.1.192", Property.HALTS, DIRECT_4K),
    ("v5.10.223", Property.HALTS, DIRECT_4K),
    ("v6.6", Property.ALIGNED, IOMMU_64K),
    ("v6.6.24", Property.ALIGNED, IOMMU_4K),
    ("v6.6.35", Property.OWNED, IOMMU_4K),
    ("v6.9", Property.OWNED, IOMMU_64K),
    ("v6.6", Property.EXCLUSIVE, ALLOC_4K),
    ("v6.9+kelley-callee-rounds", Property.INBOUNDS, IOMMU_4K),
    ("v6.6.24+petr-prepad-v2", Property.RETURNED, IOMMU_4K),
    ("v5.16", Property.CLEAN, DIRECT_4K),
    ("v6.6.35", Property.CLEAN, DIRECT_4K),
    ("v6.9", Property.CLEAN, IOMMU_4K),
]
HOLDS = [
    ("v6.12", Property.FITS, IOMMU_64K),
    ("v6.12", Property.FINDS, IOMMU_4K),
    ("v6.2.12+yu-loop-counter", Property.HALTS, DIRECT_4K),
    ("v6.12", Property.HALTS, DIRECT_4K),
    ("v6.9", Property.ALIGNED, IOMMU_4K),
    ("v6.10", Property.OWNED, IOMMU_64K),
    ("v6.9", Property.EXCLUSIVE, ALLOC_4K),
    ("v6.12", Property.INBOUNDS, IOMMU_64K),
    ("v6.6.35", Property.RETURNED, IOMMU_4K),
    ("v6.12", Property.CLEAN, IOMMU_4K),
    ("v6.9", Property.CLEAN, DIRECT_4K),
]


def ask(name: str, prop: Property, domain: Domain) -> Finding:
    return check_state(kernel_state(name), domain, [prop], 60.0).findings[0]


@pytest.mark.parametrize(("name", "prop", "domain"), BROKEN)
def test_broken_and_confirmed(name: str, prop: Property, domain: Domain) -> None:
    found = ask(name, prop, domain)
    assert found.verdict is Verdict.BROKEN
    assert found.confirmed
    assert found.counterexample is not None
    assert found.counterexample.minimum


@pytest.mark.parametrize(("name", "prop", "domain"), HOLDS)
def test_holds(name: str, prop: Property, domain: Domain) -> None:
    found = ask(name, prop, domain)
    assert found.verdict is Verdict.HOLDS, found.reason


def test_every_property_is_here() -> None:
    assert {prop for _, prop, _ in BROKEN} == set(Property)
    assert {prop for _, prop, _ in HOLDS} == set(Property)


class _AsksForNothing(BuiltinKernel):
    def mapping(self, cell: Cell, request: Request) -> Mapping:
        nothing = Word(0, UNSIGNED_INT)
        return replace(super().mapping(cell, request), nslots=nothing)


def test_a_search_for_no_slot_ends_at_a_slot_that_is_taken() -> None:
    """The loop takes what has at least ``nslots`` free, which 0 is."""
    model = _AsksForNothing(kernel_state("v6.1.192"))
    found = check_kernel(model, DIRECT_4K, [Property.HALTS], 60.0).findings[0]
    assert found.verdict is Verdict.HOLDS
