# SPDX-License-Identifier: GPL-2.0-only
"""Kernel states and fixes as data: fixes change what they name, and lead from release
to release."""

from __future__ import annotations

import pytest

from bounceproof.models.catalog import FIXES, STATES, kernel_state
from bounceproof.models.kernels.fix import Fix, FixDoesNotApply
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState

STEPS = [
    ("v5.16+lan-max-mapping+lan-areas+torvalds-copy-always", "v6.0"),
    (
        "v6.0+bhatnagar-nvme-order+tesarik-limit-areas+deacon-both-masks"
        "+chen-iommu-max",
        "v6.1.192",
    ),
    ("v6.0+bhatnagar-nvme-order", "v6.2.12"),
    (
        "v6.2.12+nvme-8m+yu-loop-counter+tesarik-alignment-checks+tesarik-braino",
        "v6.3",
    ),
    ("v6.3+tesarik-limit-areas+nvme-opt-size", "v6.5"),
    ("v6.5+lagerwall-calculated-areas+tesarik-dynamic", "v6.6"),
    ("v6.6+tesarik-list-clamp", "v6.6.9"),
    (
        "v6.6.9+deacon-double-allocation+deacon-coherent-alignment"
        "+deacon-both-masks+chen-iommu-max",
        "v6.6.24",
    ),
    ("v6.6.24+deacon-page-check+deacon-page-alignment+petr-prepad", "v6.6.35"),
    ("v6.6.9", "v6.7"),
    ("v6.7+tesarik-area-contention", "v6.8.1"),
    (
        "v6.8.1+deacon-double-allocation+deacon-coherent-alignment"
        "+deacon-both-masks+chen-iommu-max",
        "v6.8.3",
    ),
    ("v6.8.1+will-v6+petr-prepad+murphy-refuse+kelley-partial-sync", "v6.9"),
    ("v6.9+kelley-callee-rounds+kelley-padding", "v6.10"),
    ("v6.10", "v6.12"),
    ("v6.12", "v6.12.107"),
    ("v6.12.107+romanovsky-iova-link+gunthorpe-empty-middle", "v7.2.13"),
    ("v7.2.13", "v7.3.4"),
    ("v6.6+will-v3+will-draft-4+nicolin-v1-1", "v6.6+will-v4"),
]


@pytest.mark.parametrize(("name", "release"), STEPS)
def test_fixes_lead_from_release_to_release(name: str, release: str) -> None:
    assert kernel_state(name).decisions() == kernel_state(release).decisions()


def bases(fix: Fix) -> list[KernelState]:
    found = []
    for state in STATES.values():
        try:
            fix.apply(state)
        except FixDoesNotApply:
            continue
        found.append(state)
    return found


@pytest.mark.parametrize("fix", FIXES.values(), ids=lambda fix: fix.name)
def test_a_fix_changes_exactly_what_it_names(fix: Fix) -> None:
    names = set(fix.changes)
    assert names <= set(DECISION_POINTS)
    for base in bases(fix):
        before, after = base.decisions(), fix.apply(base).decisions()
        changed = {name for name in before if before[name] != after[name]}
        assert changed <= names
        assert changed
        assert all(after[name] == value for name, value in fix.changes.items())


@pytest.mark.parametrize("fix", FIXES.values(), ids=lambda fix: fix.name)
def test_a_fix_says_where_it_comes_from(fix: Fix) -> None:
    origin = fix.origin
    assert origin.author
    assert origin.release
    assert origin.summary
    assert origin.commit or origin.link


ONLY_ON_OTHER_FIXES = {
    "deacon-page-alignment": "v6.6+deacon-double-allocation",
    "will-draft-4": "v6.6+will-v3",
    "tesarik-alignment-checks": "v6.2.12+yu-loop-counter",
    "tesarik-braino": "v6.2.12+yu-loop-counter+tesarik-alignment-checks",
    "gunthorpe-empty-middle": "v6.12+romanovsky-iova-link",
}


@pytest.mark.parametrize("fix", FIXES.values(), ids=lambda fix: fix.name)
def test_every_fix_has_a_base(fix: Fix) -> None:
    if fix.name in ONLY_ON_OTHER_FIXES:
        base = kernel_state(ONLY_ON_OTHER_FIXES[fix.name])
        assert fix.apply(base).name == f"{base.name}+{fix.name}"
    else:
        assert bases(fix)


def test_a_fix_applied_twice_does_not_apply() -> None:
    with pytest.raises(FixDoesNotApply, match="nicolin-v1-1"):
        kernel_state("v6.6+nicolin-v1-1+nicolin-v1-1")


def test_latest_is_the_newest() -> None:
    assert kernel_state("latest") == list(STATES.values())[-1]
