# SPDX-License-Identifier: GPL-2.0-only
"""What is asked about by default, and which of equally small requests is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.kernels.state import KernelState, ZeroOrigAddr
from bounceproof.models.request import Cell, Path
from bounceproof.report.domain import asked as shown_as
from bounceproof.report.domain import domain_json
from bounceproof.simulator.single import SingleRequest, simulate
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.answers.parallel import together
from bounceproof.solver.compare.differ import differences
from bounceproof.solver.compare.differ_side import side_of
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample.confirm import single_request
from bounceproof.solver.smt.universal import Universal
from tests.conftest import Run

DIRECT = Domain(device("nvme"), page_size=4096, path=Path.DIRECT)
ONE_SET = Domain(
    device("nvme"),
    page_size=65536,
    granule=65536,
    path=Path.IOMMU,
    nslabs=256,
    nareas=1,
    pool_start=0x10000,
    addr_step=512,
)


def finding(kernel: str, domain: Domain, prop: Property) -> Finding:
    return check_state(kernel_state(kernel), domain, [prop], 60).findings[0]


def fails_from(state: KernelState, request: SingleRequest) -> set[int]:
    """The start indices from which the simulator finds no room in an empty pool."""
    slots = request.nslabs // request.nareas
    asked = [replace(request, start_index=index) for index in range(slots)]
    return {n for n, out in enumerate(simulate(state, asked)) if not out.ok}


@pytest.mark.parametrize("kernel", ["v6.3", "v6.9", "v7.3.4"])
def test_address_0_alone_is_no_finding(kernel: str) -> None:
    assert finding(kernel, DIRECT, Property.ALIGNED).verdict is Verdict.HOLDS
    asked = replace(DIRECT, page_zero=True)
    example = finding(kernel, asked, Property.ALIGNED).counterexample
    assert example is not None and example.point["orig_addr"] == 0


def test_an_address_in_page_0_can_be_named() -> None:
    asked = replace(DIRECT, orig_addr=0)
    assert finding("v7.3.4", asked, Property.ALIGNED).verdict is Verdict.BROKEN


@pytest.mark.parametrize("prop", [Property.FITS, Property.OWNED, Property.CLEAN])
def test_no_smallest_request_lies_in_page_0(prop: Property) -> None:
    page = 65536
    asked = Domain(device("nvme"), page_size=page, granule=page, path=Path.IOMMU)
    example = finding("v6.2.12", asked, prop).counterexample
    assert example is not None and example.point["orig_addr"] >= page


def test_a_difference_in_page_0_alone_is_none() -> None:
    before = kernel_state("v6.9")
    after = before.with_("compares", zero_orig_addr=ZeroOrigAddr.COMPARED)
    sides = [side_of(BuiltinKernel(state)) for state in (before, after)]
    domain = replace(DIRECT, nslabs=256, nareas=1, pool_start=0x1000, size=512)
    for page_zero, different in ((False, Verdict.HOLDS), (True, Verdict.BROKEN)):
        asked = replace(domain, page_zero=page_zero)
        assert differences(*sides, asked, (Property.ALIGNED,)).verdict is different


def test_commands_take_the_option_and_say_what_is_left_out(run: Run) -> None:
    asked = ("check", "latest", "--property", "aligned", "--path", "direct")
    plain = run(*asked, "--json").json["domain"]
    assert plain["page_zero"] is False
    assert plain["ranges"]["orig_addr"].endswith("none in page 0")
    whole = run(*asked, "--page-zero", "--json").json["domain"]
    assert whole["page_zero"] is True
    assert "page 0" not in whole["ranges"]["orig_addr"]


def test_the_domain_says_what_coherent_allocations_and_masks_leave_out(
    run: Run,
) -> None:
    pool = ("--nslabs", "256", "--nareas", "1", "--pool-start", "0x1000")
    where = (
        "--page-size",
        "4K",
        "--size",
        "4096",
        "--seg-boundary-mask",
        "0xffffffff",
        *pool,
    )
    asked = ("--device", "generic", "--property", "fits", *where)
    told = run("check", "v6.10", *asked, "--path", "alloc", "--json").json["domain"]
    assert told["ranges"]["orig_addr"] == "none"
    refused = "fits of masks above the granule: every such mapping is refused"
    masks = ("--path", "iommu", "--min-align-mask", "0xffff", "--json")
    assert refused in run("check", "v6.10", *asked, *masks).json["domain"]["left_out"]
    before = run("check", "v6.6", *asked, *masks).json["domain"]["left_out"]
    assert refused not in before


def test_sizes_of_coherent_allocations_are_whole_pages() -> None:
    alloc = Cell(4096, 4096, Path.ALLOC, 0)
    told = domain_json(shown_as(Domain(device("generic")), [alloc], (), ()))
    assert told["ranges"]["size"] == "whole pages up to the limit"


def test_one_that_fails_from_every_index_comes_first() -> None:
    kernel = "v6.6+nicolin-v1-1"
    example = finding(kernel, ONE_SET, Property.FITS).counterexample
    assert example is not None and example.every_index and example.minimum
    request = single_request(example.cell, example.point)
    state = kernel_state(kernel)
    assert fails_from(state, request) == set(range(256))
    for address in range(0x10000, example.point["orig_addr"], 512):
        assert fails_from(state, replace(request, orig_addr=address)) < set(range(256))


def test_one_that_fails_from_some_index_alone_is_shown_where_no_other_does() -> None:
    asked = replace(DIRECT, nslabs=128, nareas=1, pool_start=0x1000)
    example = finding("v7.3.4", asked, Property.FITS).counterexample
    assert example is not None and not example.every_index and example.minimum
    request = single_request(example.cell, example.point)
    failing = fails_from(kernel_state("v7.3.4"), request)
    assert example.point["start_index"] in failing < set(range(128))


def test_an_index_that_is_asked_about_alone_is_not_every_index() -> None:
    asked = replace(ONE_SET, start_index=5)
    example = finding("v6.6+nicolin-v1-1", asked, Property.FITS).counterexample
    assert example is not None and not example.every_index


def test_where_the_solver_gives_up_nothing_is_said_of_every_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Universal, "contradiction", lambda self, point: 0)
    example = finding("v6.6+nicolin-v1-1", ONE_SET, Property.FITS).counterexample
    assert example is not None and not example.every_index


def test_parts_prefer_every_index_too() -> None:
    every = finding("v6.6+nicolin-v1-1", ONE_SET, Property.FITS)
    assert every.counterexample is not None
    point = {**every.counterexample.point, "orig_addr": 0x10000}
    some = replace(
        every,
        counterexample=replace(every.counterexample, point=point, every_index=False),
    )
    assert together([some, every]).counterexample == every.counterexample


def test_text_names_every_index(run: Run) -> None:
    machine = ("--page-size", "64K", "--granule", "64K", "--nslabs", "256")
    asked = ("v6.6+nicolin-v1-1", "--property", "fits", *machine, "--nareas", "1")
    assert "197120 bytes at 0x10004, from every start index" in run("check", *asked).out
    [shown] = run("check", *asked, "--json").json["properties"]
    assert shown["every_start_index"] is True
