# SPDX-License-Identifier: GPL-2.0-only
"""Grown and transient pools: what holds in them, what does not, planted faults."""

from __future__ import annotations

import pytest

from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.kernels.state import KernelState, ListInit
from bounceproof.models.request import Path, PoolKind
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Counterexample, Finding, Verdict

DIRECT = Domain(
    device("nvme"), page_size=4096, path=Path.DIRECT, pool_kind=PoolKind.TRANSIENT
)
IOMMU = Domain(
    device("nvme"),
    page_size=65536,
    granule=65536,
    path=Path.IOMMU,
    pool_kind=PoolKind.TRANSIENT,
)
GROWN = Domain(
    device("nvme"), page_size=4096, path=Path.DIRECT, pool_kind=PoolKind.GROWN
)
PAST_THE_END = (Property.EXCLUSIVE, Property.INBOUNDS, Property.RETURNED)


def ask(kernel: str | KernelState, prop: Property, domain: Domain) -> Finding:
    state = kernel_state(kernel) if isinstance(kernel, str) else kernel
    return check_state(state, domain, [prop], 60.0).findings[0]


def example(finding: Finding) -> Counterexample:
    assert finding.verdict is Verdict.BROKEN
    assert finding.confirmed
    assert finding.counterexample is not None
    assert finding.counterexample.minimum
    return finding.counterexample


@pytest.mark.parametrize("kernel", ["v6.6.35", "v6.9", "v6.12.107", "v7.3.4"])
def test_bit_11_has_no_slot_in_a_transient_pool(kernel: str) -> None:
    found = example(ask(kernel, Property.FITS, DIRECT))
    assert found.point["size"] == 512
    assert found.point["orig_addr"] == found.cell.page_size + 0x800
    assert found.outcome.nslots == 1


@pytest.mark.parametrize("kernel", ["v6.12.107", "v7.3.4"])
def test_addresses_without_bit_11_fit(kernel: str) -> None:
    aligned = Domain(
        device("nvme"), path=Path.DIRECT, addr_step=4096, pool_kind=PoolKind.TRANSIENT
    )
    assert ask(kernel, Property.FITS, aligned).verdict is Verdict.HOLDS


@pytest.mark.parametrize("prop", list(Property))
def test_transient_pools_behind_an_iommu_keep_the_contract(prop: Property) -> None:
    assert ask("v6.12.107", prop, IOMMU).verdict is Verdict.HOLDS


def test_one_mask_fits_no_unaligned_address() -> None:
    found = example(ask("v6.8.1", Property.FITS, IOMMU))
    assert found.point["size"] == 512
    assert found.point["orig_addr"] == found.cell.page_size + 0x800


@pytest.mark.parametrize("prop", PAST_THE_END)
def test_a_list_that_goes_on_past_the_pool(prop: Property) -> None:
    example(ask("v6.6", prop, DIRECT))
    assert ask("v6.6.9", prop, DIRECT).verdict is Verdict.HOLDS


@pytest.mark.parametrize("prop", PAST_THE_END)
def test_a_planted_list_is_noticed(prop: Property) -> None:
    planted = kernel_state("v6.12.107").with_("planted", list_init=ListInit.SEGMENT)
    assert example(ask(planted, prop, DIRECT)).point["size"] > 0


def test_a_place_that_no_allocator_gives_is_no_proof() -> None:
    domain = Domain(
        device("nvme"),
        page_size=4096,
        path=Path.DIRECT,
        size=65536,
        addr_step=4096,
        pool_start=0x1000,
        pool_kind=PoolKind.TRANSIENT,
    )
    finding = ask("v6.12.107", Property.FITS, domain)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason is not None
    assert "no request is in the domain" in finding.reason


def test_grown_pools_miss_a_slot_in_areas_of_one_slot_set() -> None:
    found = example(ask("v7.3.4", Property.FITS, GROWN))
    assert found.point["area_nslabs"] == 128
    assert found.point["pool_start"] % (128 << 11) == 0
    larger = Domain(
        device("nvme"),
        page_size=4096,
        path=Path.DIRECT,
        nslabs=2048,
        nareas=8,
        pool_kind=PoolKind.GROWN,
    )
    assert ask("v7.3.4", Property.FITS, larger).verdict is Verdict.HOLDS


def test_grown_pools_lie_at_their_size() -> None:
    misplaced = Domain(
        device("generic"),
        page_size=4096,
        granule=4096,
        min_align_mask=0xFFF,
        path=Path.IOMMU,
        nslabs=512,
        pool_start=0x1000,
        pool_kind=PoolKind.GROWN,
    )
    finding = ask("v6.12.107", Property.ALIGNED, misplaced)
    assert finding.verdict is Verdict.UNKNOWN
