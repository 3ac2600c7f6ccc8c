# SPDX-License-Identifier: GPL-2.0-only
"""A proof that is made false by hand must turn broken, and be confirmed as such."""

from __future__ import annotations

import pytest
import z3

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.formulas import limits
from bounceproof.models.kernels.state import (
    IommuMaxMapping,
    KernelState,
    MaskAboveGranule,
    MaxMapping,
    NvmeAlignMask,
    PageRule,
    ReleaseSize,
    Rounding,
    Zeroing,
)
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Shown, Verdict
from bounceproof.solver.counterexample.confirm import outcome_of, shows
from bounceproof.solver.smt import engine
from bounceproof.solver.smt.bitwuzla import Second

MACHINE = Domain(
    device=device("nvme"),
    page_size=65536,
    granule=65536,
    path=Path.IOMMU,
    nslabs=32768,
    nareas=1,
)
HOLDS = "v6.6+nicolin-v1-1+nicolin-v1-2"


def fits(state: KernelState, domain: Domain = MACHINE) -> Finding:
    return check_state(state, domain, [Property.FITS], 60.0).findings[0]


def assert_broken(finding: Finding) -> None:
    assert finding.verdict is Verdict.BROKEN
    assert finding.confirmed
    assert finding.counterexample is not None
    assert finding.counterexample.minimum


def test_the_unplanted_proof_holds() -> None:
    assert fits(kernel_state(HOLDS)).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    "change",
    [
        {"max_mapping": MaxMapping.SLOT_SET},
        {"nvme_align_mask": NvmeAlignMask.CTRL_PAGE},
        {"iommu_max_mapping": IommuMaxMapping.ABSENT},
    ],
)
def test_one_decision_point_off(change: dict[str, object]) -> None:
    assert_broken(fits(kernel_state(HOLDS).with_("planted", **change)))


@pytest.mark.parametrize("name", ["v6.10", "v6.12", "latest"])
def test_rounding_in_the_caller_breaks_it(name: str) -> None:
    planted = kernel_state(name).with_("planted", rounding=Rounding.CALLER)
    assert_broken(fits(planted))


def test_without_zeroing_the_padding_is_stale_and_nothing_strays() -> None:
    planted = kernel_state("v6.10").with_("planted", zeroing=Zeroing.NONE)
    asked = [Property.INBOUNDS, Property.CLEAN]
    inbounds, clean = check_state(planted, MACHINE, asked, 60.0).findings
    assert inbounds.verdict is Verdict.HOLDS
    assert_broken(clean)


@pytest.mark.parametrize(
    ("name", "path", "change"),
    [
        ("v5.10.223", Path.DIRECT, {"rounding": Rounding.CALLEE}),
        ("v6.1.192", Path.ALLOC, {"release_size": ReleaseSize.CALLER}),
    ],
)
def test_a_caller_that_rounds_nothing_gives_its_own_size_back(
    name: str, path: Path, change: dict[str, object]
) -> None:
    planted = kernel_state(name).with_("planted", **change)
    domain = Domain(
        device("generic"), 4096, path=path, min_align_mask=0xFFF,
        seg_boundary_mask=0xFFFFFFFF,
    )  # fmt: skip
    found = check_state(planted, domain, [Property.RETURNED], 60.0).findings[0]
    assert found.verdict is Verdict.HOLDS


@pytest.mark.parametrize("prop", [Property.FITS, Property.FINDS])
def test_what_a_kernel_refuses_for_its_mask_is_nothing_broken(prop: Property) -> None:
    refused = {"mask_above_granule": MaskAboveGranule.REFUSED}
    model = BuiltinKernel(kernel_state("v6.1.192").with_("planted", **refused))
    point = {
        "size": 1,
        "orig_addr": 0,
        "start_index": 127,
        "free_slot": 22,
        "area_nslabs": 128,
        "nareas": 1,
        "pool_start": 1 << 20,
        "seg_boundary_mask": (1 << 32) - 1,
    }
    cell = Cell(4096, 4096, Path.IOMMU, 0xFFFF)
    assert not outcome_of(prop, model, cell, point).ok
    assert not shows(prop, model, cell, point)


def test_one_slot_too_many_in_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLOT_SET_BYTES", 129 * 2048)
    found = fits(kernel_state("v6.12").with_("planted", page_rule=PageRule.NONE))
    assert_broken(found)
    assert found.counterexample is not None
    assert found.counterexample.point["size"] > 252 * 1024


def test_an_empty_domain_is_no_proof() -> None:
    domain = Domain(
        device=device("nvme"),
        page_size=65536,
        granule=65536,
        path=Path.IOMMU,
        size=1 << 30,
    )
    found = fits(kernel_state(HOLDS), domain)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason is not None
    assert "no request is in the domain" in found.reason


def test_a_solver_that_gives_up_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def weary(seconds: float) -> z3.Solver:
        solver = z3.Then("simplify", "bit-blast", "sat").solver()
        solver.set("rlimit", 1)
        return solver

    monkeypatch.setattr(engine, "_solver", weary)
    monkeypatch.setattr(engine, "decide", lambda question, s: (Second.UNKNOWN, []))
    answer = check_state(
        kernel_state("v6.6"), Domain(device("nvme")), [Property.FITS], 1.0
    )
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.exit_code == 3


def test_a_simulator_that_disagrees_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bounceproof.solver.answers import check as ask

    def deaf(*_: object) -> tuple[object, object]:
        return lambda *_: Shown({"ok": True}), lambda *_: False

    monkeypatch.setattr(ask, "confirmer", deaf)
    answer = check_state(kernel_state("v6.6"), MACHINE, [Property.FITS], 60.0)
    assert answer.verdict is Verdict.DISAGREE
    assert answer.exit_code == 4


def test_a_disagreement_is_shown_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceproof.report.checks import as_text, fields
    from bounceproof.solver.answers import check as ask

    def deaf(*_: object) -> tuple[object, object]:
        outcome = Outcome(True, True, slot=1, nslots=1, tlb_addr=1)
        return lambda *_: Shown(outcome), lambda *_: False

    monkeypatch.setattr(ask, "confirmer", deaf)
    answer = check_state(kernel_state("v6.6"), MACHINE, [Property.FITS], 60.0)
    told = fields(answer)
    assert (told["verdict"], told["properties"][0]["verdict"]) == ("unknown", "unknown")
    assert told["properties"][0]["confirmed"] is False
    assert "fits: unknown" in as_text(answer)
