# SPDX-License-Identifier: GPL-2.0-only
"""Who notices which mutant: a sample again, the reasons, and the page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bounceproof.audit.cells import identity
from bounceproof.audit.store import Store
from bounceproof.models.catalog import kernel_state
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.kernels.releases import RELEASES
from bounceproof.solver.contract.domain import variables
from bounceproof.solver.contract.properties import broken
from tools.mutants import study as study_module
from tools.mutants.catch import Noticed, notice
from tools.mutants.cells import domains
from tools.mutants.contrast import judged, reads, watched
from tools.mutants.effect import Effect
from tools.mutants.reasons import REASONS, Reason, reason_of
from tools.mutants.study import Study, complaint
from tools.mutants.table import render
from tools.mutants.values import Mutant, domain_of, mutants

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
ROW = re.compile(r"(?m)^\| `(\w+)` \| `(\w+)` \| (\d+) \| (.*?) \| (.*?) ?\|$")
ALL = tuple(mutants())
SLOW = ("stride", "bounce_check")
"""Decision points whose questions take minutes: asked by the whole study alone."""
SAMPLE = tuple(one for one in ALL if one.point not in SLOW)[11::29]


def mutant(base: str, point: str, now: str) -> Mutant:
    return next(m for m in ALL if base in m.names and (m.point, m.now) == (point, now))


def test_a_mutant_differs_in_one_decision_point() -> None:
    for one in ALL:
        before, after = one.base.decisions(), one.state.decisions()
        unlike = [name for name in before if before[name] != after[name]]
        assert unlike == [one.point]


def test_every_other_value_of_every_decision_point_is_a_mutant() -> None:
    expected = sum(
        len([v for v in domain_of(point) if v != value])
        for state in RELEASES
        for point, value in state.decisions().items()
    )
    assert sum(len(one.names) for one in ALL) == expected


@pytest.mark.parametrize("one", SAMPLE, ids=lambda one: one.label)
def test_a_mutant_is_noticed_or_there_is_a_reason(one: Mutant) -> None:
    assert complaint(notice(one)) is None


@pytest.mark.parametrize(
    ("base", "point", "now", "effect", "prop"),
    [
        ("v6.10", "rounding", "CALLER", Effect.BREAKS, Property.FITS),
        ("v6.9", "pad_slots", "NONE", Effect.BREAKS, Property.RETURNED),
        ("v6.12", "zeroing", "NONE", Effect.BREAKS, Property.CLEAN),
        ("v6.10", "padding", "SLOT", Effect.BREAKS, Property.ALIGNED),
        ("v6.10", "nvme_limit_source", "MAX_MAPPING", Effect.OUTCOME, None),
        ("v6.10", "list_init", "SEGMENT", Effect.NOTHING, None),
    ],
)
def test_what_is_known_of_a_mutant(
    base: str, point: str, now: str, effect: Effect, prop: Property | None
) -> None:
    noticed = notice(mutant(base, point, now))
    assert (noticed.effect, noticed.prop) == (effect, prop)


def test_each_reason_covers_a_mutant_by_its_own_name() -> None:
    used = [reason.name for one in ALL if (reason := reason_of(one)) is not None]
    assert set(used) == {reason.name for reason in REASONS}
    assert len({reason.name for reason in REASONS}) == len(REASONS)


def test_a_mutant_without_a_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed = Noticed(mutant("v6.10", "list_init", "SEGMENT"), Effect.NOTHING)
    assert complaint(noticed) is None
    monkeypatch.setattr(study_module, "reason_of", lambda one: None)
    assert complaint(noticed) == (
        "v6.10 list_init SEGMENT: nothing differs, and no reason is given"
    )


def test_a_reason_for_what_a_property_notices_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = mutant("v6.10", "rounding", "CALLER")
    wrong = Reason("wrong", Effect.NOTHING, {"rounding": ()}, "it is not so")
    noticed = Noticed(one, Effect.BREAKS, Property.FITS)
    assert complaint(noticed) is None
    monkeypatch.setattr(study_module, "reason_of", lambda one: wrong)
    assert complaint(noticed) == (
        "v6.10 rounding CALLER: fits notices it, but wrong says why not"
    )


@pytest.mark.parametrize(
    "noticed",
    [
        Noticed(ALL[0], Effect.UNDECIDED, why=("the solver gave up",)),
        Noticed(ALL[0], Effect.NOTHING, why=("not confirmed",)),
    ],
)
def test_what_stays_open_is_named(noticed: Noticed) -> None:
    assert noticed.why[0] in (complaint(noticed) or "")


@pytest.mark.parametrize("name", ["v5.10.223", "v6.1.192", "v6.6", "v6.9", "v7.3.4"])
def test_the_formulas_read_no_other_decision_point(name: str) -> None:
    state = kernel_state(name)
    for domain in domains()[::11]:
        model, read = watched(state)
        for cell in domain.cells(model):
            limit = domain.device.max_size(model, cell)
            for prop in judged(cell.path):
                space = variables(domain, cell, limit, CONTRACT[prop].symbols)
                broken(prop, model, cell, space)
        known = reads(state, domain).values()
        assert read <= frozenset({"name"}).union(*known)


def test_an_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [mutant("v6.10", "rounding", "CALLER"), mutant("v6.9", "areas", "SINGLE")]
    with Store(tmp_path / "kept") as store:
        first = Study(store).run(wanted)

    def never(one: Mutant) -> Noticed:
        raise AssertionError(one.label)

    monkeypatch.setattr(study_module, "notice", never)
    with Store(tmp_path / "kept") as store:
        assert Study(store).run(wanted) == first


def test_other_sources_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, asked = [mutant("v6.9", "areas", "SINGLE")], []
    others = replace(identity(), sources="others")
    with Store(tmp_path / "kept") as store:
        Study(store).run(wanted)
        monkeypatch.setattr(study_module, "_identity", lambda: others)
        Study(store).run(wanted, asked.append)
    assert [noticed.mutant for noticed in asked] == wanted


def test_the_page_says_of_none_what_the_reasons_say() -> None:
    rows = {
        (p, v): (int(n), none) for p, v, n, _, none in ROW.findall(PAGE.read_text())
    }
    seen: dict[tuple[str, str], dict[str, int]] = {}
    for one in ALL:
        counts = seen.setdefault((one.point, one.now), {"": 0})
        counts[""] += len(one.names)
        reason = reason_of(one)
        if reason is not None:
            counts[reason.name] = counts.get(reason.name, 0) + len(one.names)
    assert rows.keys() == seen.keys()
    for key, (count, none) in rows.items():
        told = {name: int(n) for n, name in re.findall(r"(\d+) \[([\w-]+)\]", none)}
        assert {"": count, **told} == seen[key], key


@pytest.mark.slow
def test_the_whole_study_again() -> None:
    answers = Study(None).run()
    assert [text for text in map(complaint, answers) if text] == []
    assert render(answers) == PAGE.read_text()


@pytest.mark.parametrize(
    ("base", "point", "now"),
    [("v5.16", "start", "RAW"), ("v6.10", "inadmissible", "FALL_THROUGH")],
)
def test_what_a_property_notices_has_nothing_open(
    base: str, point: str, now: str
) -> None:
    noticed = notice(mutant(base, point, now))
    assert noticed.effect.caught
    assert complaint(noticed) is None
