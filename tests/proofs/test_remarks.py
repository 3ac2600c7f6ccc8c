# SPDX-License-Identifier: GPL-2.0-only
"""Remarks beside a counterexample are confirmed or proved, else they are not made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Cell, Path
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Hunt
from bounceproof.solver.counterexample.caveats import narrow
from bounceproof.solver.counterexample.confirm import confirmer
from bounceproof.solver.counterexample.find import (
    cells_with_limits,
    hunt,
    property_question,
)
from bounceproof.solver.smt.minimum import Point

Confirm = Callable[[Cell, Point], bool]


def asked(kernel: str, prop: Property, domain: Domain) -> Hunt:
    model = BuiltinKernel(kernel_state(kernel))
    run, confirm = confirmer(prop, model)
    cells = cells_with_limits(model, domain)
    return Hunt(prop, domain, cells, property_question(prop, model), run, confirm)


def nvme(path: Path, **more: int) -> Domain:
    return Domain(device("nvme"), page_size=65536, path=path, **more)


def remarks(wanted: Hunt, says: Callable[[Point, bool], bool]) -> str | None:
    """The note where running a point answers ``says`` of it and of the truth."""
    truth = wanted.confirm

    def confirm(cell: Cell, point: Point) -> bool:
        return says(point, truth(cell, point))

    return hunt(replace(wanted, confirm=confirm)).note


def honest(point: Point, shown: bool) -> bool:
    return shown


MACHINE = nvme(Path.IOMMU, granule=65536, nslabs=32768, nareas=1)


def test_another_address_is_named_where_running_it_shows_it() -> None:
    whole = replace(MACHINE, start_index=1, page_zero=True)
    wanted = asked("v6.6+nicolin-v1-1", Property.FITS, whole)
    note = remarks(wanted, honest)
    assert note is not None
    assert note.startswith("not only at orig_addr 0: 197120 bytes at 0x4 break it too")
    assert (
        remarks(wanted, lambda point, shown: shown and not point["orig_addr"]) is None
    )


def test_a_remark_on_dma_direct_names_no_granule() -> None:
    wanted = asked("v6.6", Property.FITS, nvme(Path.DIRECT))
    note = remarks(wanted, honest)
    assert note is None or "granule" not in note


@pytest.mark.parametrize(
    ("kernel", "prop", "path", "field", "note"),
    [
        (
            "v6.12",
            Property.ALIGNED,
            Path.DIRECT,
            "orig_addr",
            "only orig_addr 0",
        ),
        ("v6.9", Property.FITS, Path.DIRECT, "area_nslabs", "only an area of one"),
    ],
)
def test_what_is_said_of_all_is_tried_on_one(
    kernel: str, prop: Property, path: Path, field: str, note: str
) -> None:
    wanted = asked(kernel, prop, replace(nvme(path), page_zero=True))
    found = remarks(wanted, honest) or ""
    assert note in found
    ordinary = {"orig_addr": 0, "area_nslabs": 128}[field]
    liar = remarks(wanted, lambda point, shown: shown or point[field] != ordinary)
    assert note not in (liar or "")


def test_a_bounded_question_says_nothing_of_larger_areas() -> None:
    wanted = asked("v6.9", Property.FITS, nvme(Path.DIRECT))
    finding = hunt(wanted)
    assert finding.counterexample is not None
    example = finding.counterexample
    small = replace(wanted, domain=replace(wanted.domain, bound=256))
    assert "from 256 slots" in (finding.note or "")
    assert narrow(small, example.cell, example.point) is None
