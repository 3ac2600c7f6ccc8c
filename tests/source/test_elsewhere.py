# SPDX-License-Identifier: GPL-2.0-only
"""Mappings that are treated otherwise in one area of a pool than in another."""

from __future__ import annotations

import pytest

from bounceproof.models.request import Path
from bounceproof.solver.properties import Property
from bounceproof.solver.verdict import Verdict
from tests.source.lives import kernel
from tests.source.test_lives import asked
from tests.source.trees import SWIOTLB

SIZE = "mem->slots[k].alloc_size = alloc_size"
LARGER = "mem->slots[k].alloc_size = ({} ? 2048UL : 0UL) + alloc_size"
FAULTS = {
    "slots of one area are said to be larger": "area_index == 3",
    "slots past the first area are": "k >= mem->area_nslabs",
}


@pytest.mark.parametrize("prop", [Property.INBOUNDS, Property.CLEAN])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_differs_by_area_does_not_hold(fault: str, prop: Property) -> None:
    found = asked(kernel((SWIOTLB, SIZE, LARGER.format(FAULTS[fault]))), prop)
    assert found.verdict is Verdict.UNKNOWN
    assert "treated alike in every area" in (found.reason or "")


def test_one_with_more_than_one_area_holds() -> None:
    found = asked(kernel(), Property.CLEAN, Path.IOMMU, nslabs=1024, nareas=4)
    assert found.verdict is Verdict.HOLDS
