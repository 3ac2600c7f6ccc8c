# SPDX-License-Identifier: GPL-2.0-only
"""Which lines an audit has, and what their keys cover."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from bounceproof.audit.cells import (
    AuditError,
    Selection,
    identity,
    key_of,
    sources_hash,
    unit_from,
)
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import STATES, device
from bounceproof.models.kernels.state import Stride
from bounceproof.models.request import Path
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property, applies
from tests.audit.questions import units_of


def key(unit: object) -> str:
    return key_of(unit.query(), identity())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["nvme", "storvsc", "generic"])
@pytest.mark.parametrize("kernel", ["v5.10.223", "v6.6", "v7.3.4"])
def test_the_default_lines_are_the_cells_of_check(kernel: str, name: str) -> None:
    state, asked = STATES[kernel], device(name)
    cells = {
        (cell.page_size, cell.path, cell.granule if cell.path.has_granule else None)
        for cell in Domain(asked).cells(BuiltinKernel(state))
    }
    units = Selection((state,), tuple(Property), (asked,)).units()
    asked_of = [sum(applies(prop, path) for prop in Property) for _, path, _ in cells]
    assert len(units) == sum(asked_of)
    assert {(u.page_size, u.path, u.granule) for u in units} == cells


def test_a_granule_selects_paths_that_have_one() -> None:
    nvme = device("nvme")
    states = (STATES["v6.6"],)
    units = Selection(states, (Property.FITS,), (nvme,), granules=(4096,)).units()
    assert {unit.granule for unit in units} == {4096}
    assert Path.DIRECT not in {unit.path for unit in units}
    both = Selection(
        states, (Property.FITS,), (nvme,), (65536,), (65536,), (Path.IOMMU, Path.DIRECT)
    ).units()
    assert [(unit.path, unit.granule) for unit in both] == [
        (Path.IOMMU, 65536),
        (Path.DIRECT, None),
    ]


def test_equal_decisions_share_a_key_whatever_the_name() -> None:
    old, new = units_of("v6.6.9"), units_of("v6.7")
    assert [key(unit) for unit in old] == [key(unit) for unit in new]
    assert len({key(unit) for unit in old}) == len(old)


def test_every_part_of_question_and_identity_changes_the_key() -> None:
    unit = units_of("v6.6")[0]
    state = unit.state.with_("v6.6", stride=Stride.LARGER_MASK)
    others = [
        replace(unit, state=state),
        replace(unit, prop=Property.HALTS),
        replace(unit, device=device("scsi")),
        replace(unit, page_size=16384, granule=16384),
        replace(unit, granule=4096),
        replace(unit, path=Path.DIRECT, granule=None),
        replace(unit, min_align_mask=0),
        replace(unit, seg_boundary_mask=0xFFFF),
    ]
    keys = {key(unit), *(key(other) for other in others)}
    mine = identity()
    for part in ("tool", "sources", "solver"):
        keys.add(key_of(unit.query(), replace(mine, **{part: "other"})))
    assert len(keys) == 1 + len(others) + 3


def test_a_worker_asks_what_the_query_says() -> None:
    unit = replace(units_of("v6.6")[0], min_align_mask=0, seg_boundary_mask=0xFFFF)
    assert unit_from(unit.query()).query() == unit.query()


def test_the_sources_hash_covers_names_and_contents(tmp_path: FilePath) -> None:
    files = [tmp_path / room / "a.py" for room in ("models", "simulator", "solver")]
    files.append(tmp_path / "audit" / "a.py")
    for file in files:
        file.parent.mkdir()
        file.write_text("x = 1\n")
    hashes = {sources_hash(tmp_path)}
    for file in files:
        file.write_text("x = 2\n")
        hashes.add(sources_hash(tmp_path))
    files[0].rename(tmp_path / "models" / "b.py")
    hashes.add(sources_hash(tmp_path))
    assert len(hashes) == 6


def test_without_sources_versions_cannot_be_told_apart(tmp_path: FilePath) -> None:
    with pytest.raises(AuditError, match="no source files"):
        sources_hash(tmp_path)
