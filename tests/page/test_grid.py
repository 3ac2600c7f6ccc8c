# SPDX-License-Identifier: GPL-2.0-only
"""Maps of size by address show what the simulator does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bounceproof.models.contract import Property
from bounceproof.report.page.grid import NoMap, SizeMap, blocks, runs, size_map
from bounceproof.simulator.single import simulate
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.verdict import Finding
from bounceproof.solver.counterexample.confirm import single_request


def finding(proved: Proved, prop: Property) -> Finding:
    return next(f for f in proved.kernel.findings if f.prop is prop)


def mapped(proved: Proved, prop: Property) -> SizeMap:
    checked = proved.kernel
    return size_map(checked.model, checked.domain, finding(proved, prop))


def test_fits_is_what_the_simulator_does(broken: Proved) -> None:
    shown, found = mapped(broken, Property.FITS), finding(broken, Property.FITS)
    example = found.counterexample
    assert example is not None
    smallest = single_request(example.cell, example.point)
    rows, columns = range(0, len(shown.offsets), 7), range(3, len(shown.sizes), 12)
    places = [(row, column) for row in rows for column in columns]
    requests = [
        replace(
            smallest,
            orig_addr=shown.base + shown.offsets[row],
            size=shown.sizes[column],
        )
        for row, column in places
    ]
    model = broken.kernel.model
    outcomes = simulate(model.state, requests)  # type: ignore[attr-defined]
    failed = [not outcome.ok for outcome in outcomes]
    assert failed == [bool(shown.fails[place]) for place in places]
    assert any(failed) and not all(failed)


def test_the_limits_are_drawn_where_they_lie(broken: Proved) -> None:
    shown = mapped(broken, Property.FITS)
    assert (shown.limit, shown.true_limit, shown.size) == (258048, 196608, 197120)
    safe = [i for i, size in enumerate(shown.sizes) if size <= 196608]
    assert not shown.fails[:, safe].any()
    assert shown.sizes[-1] > shown.limit
    assert shown.offset in shown.offsets


def test_every_failing_request_is_in_one_block(broken: Proved) -> None:
    for prop in (Property.FITS, Property.CLEAN):
        shown = mapped(broken, prop)
        drawn = np.zeros_like(shown.fails)
        lefts, edges = (0, *shown.sizes), shown.edges
        for left, bottom, right, top in blocks(shown, shown.fails):
            rows = slice(edges.index(bottom), edges.index(top))
            columns = slice(lefts.index(left), lefts.index(right))
            assert not drawn[rows, columns].any()
            drawn[rows, columns] = True
        assert (drawn == shown.fails).all()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [([], []), ([0, 0], []), ([1, 1], [(0, 2)]), ([1, 0, 1, 1], [(0, 1), (2, 4)])],
)
def test_runs(marks: list[int], expected: list[tuple[int, int]]) -> None:
    assert runs(np.array(marks, dtype=bool)) == expected


def test_what_is_not_confirmed_has_no_map(broken: Proved) -> None:
    doubtful = replace(finding(broken, Property.FITS), confirmed=False)
    with pytest.raises(NoMap, match="no request was seen"):
        size_map(broken.kernel.model, broken.kernel.domain, doubtful)
    holds = finding(broken, Property.HALTS)
    with pytest.raises(NoMap, match="no request was seen"):
        size_map(broken.kernel.model, broken.kernel.domain, holds)


def test_a_counterexample_that_the_formulas_do_not_share_has_no_map(
    broken: Proved,
) -> None:
    found = finding(broken, Property.FITS)
    example = found.counterexample
    assert example is not None
    other = replace(example, point={**example.point, "size": 512})
    with pytest.raises(NoMap, match="not at fault"):
        size_map(
            broken.kernel.model,
            broken.kernel.domain,
            replace(found, counterexample=other),
        )
