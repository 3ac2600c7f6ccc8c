# SPDX-License-Identifier: GPL-2.0-only
"""The smallest sets of fixes, against all subsets of a small catalogue."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations, permutations

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import FIXES, STATES, device
from bounceproof.models.contract import Property
from bounceproof.models.kernels import state as s
from bounceproof.models.kernels.fix import Fix, FixDoesNotApply
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState, Origin
from bounceproof.models.request import Path
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.fixes.answer import Fixed, Question, fix_kernel
from bounceproof.solver.fixes.answers import Answers
from bounceproof.solver.fixes.candidates import concerned
from bounceproof.solver.fixes.reads import agrees

SETUP = {"nslabs": 256, "nareas": 1, "pool_start": 0x10000, "start_index": 1}
BEHIND_4K = Domain(
    device("nvme"), 4096, 4096, Path.IOMMU, size=2560, orig_addr=0x604, **SETUP
)
ANYWHERE = replace(BEHIND_4K, orig_addr=None)
LARGE = Domain(
    device("nvme"), 65536, 65536, Path.IOMMU, size=197120, orig_addr=4, **SETUP
)
DIRECT = Domain(
    device("nvme"), 4096, None, Path.DIRECT, size=512, orig_addr=0x800, **SETUP
)
Sets = frozenset[frozenset[str]]


Holding = tuple[frozenset[Property], frozenset[Property]]
"""What holds, and what does or has no request."""


@cache
def holding(decisions: tuple[object, ...], domain: Domain) -> Holding:
    values = dict(zip(DECISION_POINTS, decisions, strict=True))
    state = STATES["v6.6"].with_("", **values)
    checked = check_kernel(BuiltinKernel(state), domain, list(Property), 60)
    found = checked.findings
    holds = frozenset(f.prop for f in found if f.verdict is Verdict.HOLDS)
    empty = [f for f in found if {c.verdict for c in f.cells} == {Verdict.NO_REQUEST}]
    return holds, holds | {finding.prop for finding in empty}


def key(state: KernelState) -> tuple[object, ...]:
    return tuple(state.decisions().values())


def reached(base: KernelState, names: tuple[str, ...]) -> list[KernelState]:
    found = []
    for order in permutations(names):
        state = base
        try:
            for name in order:
                state = FIXES[name].apply(state)
        except FixDoesNotApply:
            continue
        found.append(state)
    return found


def by_force(
    base: KernelState, domain: Domain, asked: tuple[Property, ...], names: list[str]
) -> Sets:
    _, kept = holding(key(base), domain)
    for size in range(len(names) + 1):
        enough = frozenset(
            frozenset(chosen)
            for chosen in combinations(names, size)
            for state in reached(base, chosen)
            if set(asked) <= holding(key(state), domain)[0]
            if kept <= holding(key(state), domain)[1]
        )
        if enough:
            return enough
    return frozenset()


def searched(
    base: KernelState, domain: Domain, asked: tuple[Property, ...], names: list[str]
) -> Fixed:
    known = tuple(FIXES[name] for name in names)
    return fix_kernel(Question(base, domain, asked, known), 60)


CASES = [
    (
        "v6.6.35",
        BEHIND_4K,
        (Property.OWNED,),
        [
            *("kelley-callee-rounds", "kelley-padding", "kelley-partial-sync"),
            *("murphy-refuse", "tesarik-area-contention"),
        ],
    ),
    (
        "v6.6.35",
        LARGE,
        (Property.FITS,),
        ["kelley-padding", "kelley-callee-rounds", "nicolin-v1-2"],
    ),
    (
        "v6.1.192",
        DIRECT,
        (Property.HALTS,),
        ["lagerwall-calculated-areas", "yu-loop-counter", "kelley-partial-sync"],
    ),
    (
        "v6.6",
        LARGE,
        (Property.FITS,),
        ["nicolin-v1-1", "nicolin-v1-2", "nicolin-align-down", "will-v3"],
    ),
    ("v6.12", DIRECT, (Property.FITS,), ["nicolin-v1-2", "tesarik-dynamic"]),
]


@pytest.mark.parametrize(("name", "domain", "asked", "names"), CASES)
def test_the_smallest_sets_are_those_of_brute_force(
    name: str, domain: Domain, asked: tuple[Property, ...], names: list[str]
) -> None:
    base = STATES[name]
    result = searched(base, domain, asked, names)
    found = frozenset(frozenset(f.name for f in one.fixes) for one in result.sets)
    assert found == by_force(base, domain, asked, names)
    assert (result.verdict is Verdict.HOLDS) is bool(found)


def test_each_step_of_a_set_applies_in_the_order_of_mainline() -> None:
    names = ["kelley-callee-rounds", "petr-prepad", "will-v6"]
    asked = (Property.ALIGNED, Property.FITS)
    result = searched(STATES["v6.6"], LARGE, asked, names)
    for one in result.sets:
        state = STATES["v6.6"]
        for fix in one.fixes:
            state = fix.apply(state)
        assert key(state) == key(one.kernel)


def test_a_fix_that_costs_another_property_is_none() -> None:
    origin = Origin("v9.9", "f" * 40, "", "", "")
    changes = {"rounding": s.Rounding.CALLEE, "zeroing": s.Zeroing.PADDING_UNTRUSTED}
    loses = Fix("loses", origin, {**changes, "padding": s.Padding.SLOT})
    base = STATES["v6.6.35"]
    before, after = (
        holding(key(state), ANYWHERE)[0] for state in (base, loses.apply(base))
    )
    assert Property.OWNED in after - before
    assert Property.ALIGNED in before - after
    upstream = (FIXES["kelley-callee-rounds"], FIXES["kelley-padding"])
    asked = (Property.OWNED,)
    known = (loses, *upstream)
    result = fix_kernel(Question(base, ANYWHERE, asked, known), 60)
    assert result.sets
    assert all(loses not in one.fixes for one in result.sets)
    alone = fix_kernel(Question(base, ANYWHERE, asked, known[:1]), 60)
    assert alone.nearest is not None
    [stays] = alone.nearest.stays
    assert (stays.alone, stays.breaks) == (((loses,),), Property.ALIGNED)


def test_fixes_that_concern_nothing_read_are_left_out() -> None:
    every = tuple(FIXES.values())
    names = {fix.name for fix in concerned(every, frozenset({"list_init"}))}
    assert names == {"tesarik-list-clamp"}
    assert concerned(every, frozenset()) == ()


def test_an_answer_is_that_of_every_state_that_agrees_with_what_was_read() -> None:
    answers = Answers(BEHIND_4K, 60)
    pair = next(iter(answers.asked((Property.OWNED,))))
    known = [answers.ask(pair, STATES[name]) for name in ("v6.6.35", "v6.12")]
    near = [s for n in FIXES for s in reached(STATES["v6.6.35"], (n,))]
    for one in known:
        every = (*STATES.values(), *near)
        agreeing = [state for state in every if agrees(state, one.reads)]
        assert len(agreeing) > 1
        for state in agreeing:
            holds = Property.OWNED in holding(key(state), BEHIND_4K)[0]
            assert holds is (one.verdict is Verdict.HOLDS)
