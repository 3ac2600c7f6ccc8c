# SPDX-License-Identifier: GPL-2.0-only
"""Kernel states and findings survive the way through JSON."""

from __future__ import annotations

import json

import pytest

from bounceproof.audit.cells import state_from, unit_from
from bounceproof.audit.codec import NotDecodable, decode, encode
from bounceproof.models.catalog import STATES
from bounceproof.models.request import Path
from bounceproof.solver.answers.check import check_state
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding
from tests.audit.questions import finding_of, units_of


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back_with_every_decision(name: str) -> None:
    decisions = STATES[name].decisions()
    text = json.dumps(encode(decisions))
    assert state_from(json.loads(text)).decisions() == decisions


@pytest.mark.parametrize("unit", units_of("v6.6", properties=(Property.FITS,)))
def test_a_query_comes_back_as_its_unit(unit: object) -> None:
    query = json.loads(json.dumps(unit.query()))  # type: ignore[attr-defined]
    assert unit_from(query).query() == query


def test_a_finding_with_a_counterexample_comes_back() -> None:
    units = units_of("v6.12", properties=(Property.FITS,))
    unit = next(u for u in units if u.path is Path.DIRECT)
    finding = check_state(unit.state, unit.domain(), [unit.prop], 60).findings[0]
    assert finding.counterexample is not None
    assert decode(Finding, json.loads(json.dumps(encode(finding)))) == finding


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", "hold"),
        ("prop", None),
        ("seconds", "1"),
        ("cells", {}),
        ("cells", [1]),
        ("counterexample", {"cell": 1}),
        ("confirmed", 1),
    ],
)
def test_what_is_no_finding_is_told(field: str, value: object) -> None:
    broken = {**encode(finding_of("fits")), field: value}
    with pytest.raises(NotDecodable):
        decode(Finding, broken)
    with pytest.raises(NotDecodable):
        decode(Finding, {})
