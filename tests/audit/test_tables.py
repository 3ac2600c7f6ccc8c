# SPDX-License-Identifier: GPL-2.0-only
"""The verdict tables show what the store has of this tool, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bounceproof.audit.cells import identity, key_of
from bounceproof.audit.store import Store, Stored
from bounceproof.models.contract import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from tests.audit.questions import finding_of
from tools.verdict_table import (
    MACHINES,
    Question,
    complaints,
    groups,
    known,
    named,
    table,
    unit,
)

[FOUR_K] = [machine for machine in MACHINES if machine.key == "4K"]
[ROW] = [states for states in groups() if states[0].name == "v6.9"]
FITS: Question = (ROW[0], FOUR_K, Property.FITS)
OWNED: Question = (ROW[0], FOUR_K, Property.OWNED)


def kept(path: Path, question: Question, finding: Finding, sources: str = "") -> None:
    whose = identity()
    whose = replace(whose, sources=sources or whose.sources)
    query = unit(*question).query()
    with Store(path) as store:
        store.put(key_of(query, whose), query, whose, Stored(finding, 60.0))


def test_a_table_shows_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "store"
    kept(path, FITS, finding_of("fits"))
    kept(path, OWNED, finding_of("owned", Verdict.UNKNOWN))
    with Store(path) as store:
        answers = known(store)
    assert answers.keys() == {named(FITS), named(OWNED)}
    [row] = [r for r in table(FOUR_K, answers, {}).splitlines() if "`v6.9`" in r]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "holds"
    assert (cells[5], cells[2]) == ("**unknown**", "not asked")
    said = list(complaints(answers, {named(FITS): "no-room"}))
    assert "v6.9 4K fits: in findings.md, not broken" in said
    assert "v6.9 4K finds: not asked yet" in said
    assert any(line.startswith("v6.9 4K owned: unknown") for line in said)


def test_what_other_sources_answered_is_not_shown(tmp_path: Path) -> None:
    kept(tmp_path / "store", FITS, finding_of("fits"), "of another time")
    with Store(tmp_path / "store") as store:
        assert known(store) == {}
