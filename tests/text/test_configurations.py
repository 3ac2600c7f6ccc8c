# SPDX-License-Identifier: GPL-2.0-only
"""Configurations are named by what tells them from the others, and by no more."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproof.models.request import Cell, Path
from bounceproof.report.configurations import configurations, name

K = 1024
PAGES = (4 * K, 16 * K, 64 * K)


def cells(*masks: int) -> list[Cell]:
    """Every page, granule and mask of iommu and direct."""
    found = []
    for page, mask in product(PAGES, masks):
        found.append(Cell(page, page, Path.DIRECT, mask))
        found += [Cell(page, g, Path.IOMMU, mask) for g in PAGES if g <= page]
    return found


EVERY = cells(0xFFF)


def of(path: Path, *granules: int, pages: tuple[int, ...] = PAGES) -> list[Cell]:
    return [
        cell
        for cell in EVERY
        if cell.path is path
        and cell.page_size in pages
        and (not granules or cell.granule in granules)
    ]


@pytest.mark.parametrize(
    ("some", "told"),
    [
        (EVERY, "all configurations"),
        (of(Path.DIRECT), "direct, all page sizes"),
        (of(Path.IOMMU), "iommu, all granules"),
        (
            [*of(Path.IOMMU, 16 * K, 64 * K), *of(Path.DIRECT)],
            "direct, all page sizes; iommu, granules 16K and 64K",
        ),
        (of(Path.DIRECT, pages=(4 * K, 64 * K)), "direct, 4K and 64K pages"),
        (of(Path.DIRECT, pages=(4 * K,)), "direct, 4K pages"),
        (of(Path.IOMMU, 64 * K), "iommu, granule 64K, 64K pages"),
        (
            of(Path.IOMMU, 4 * K, pages=(16 * K, 64 * K)),
            "iommu, granule 4K with 16K and 64K pages",
        ),
    ],
)
def test_words(some: list[Cell], told: str) -> None:
    assert configurations(some, EVERY) == told


def test_masks_are_named_where_they_differ() -> None:
    every = cells(0, 0x7FF, 0xFFF, 0x1FFF)
    some = [c for c in every if c.path is Path.DIRECT and c.min_align_mask > 0]
    assert configurations(some, every) == "direct, masks 0x7ff to 0x1fff"
    alone = Cell(4 * K, 4 * K, Path.IOMMU, 0xFFF)
    assert configurations([alone], every) == name(alone)
    assert name(alone) == "iommu, granule 4K, 4K pages, mask 0xfff"


@given(st.lists(st.booleans(), min_size=len(EVERY), max_size=len(EVERY)))
def test_two_choices_never_have_the_same_words(chosen: list[bool]) -> None:
    some = [cell for cell, wanted in zip(EVERY, chosen, strict=True) if wanted]
    if not some:
        return
    told = configurations(some, EVERY)
    for other in EVERY:
        changed = [c for c in EVERY if (c in some) is not (c == other)]
        if changed:
            assert configurations(changed, EVERY) != told
