# SPDX-License-Identifier: GPL-2.0-only
"""The cells a log does not exclude: page size, granule, path and mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bounceproof.logs.judge.profile import Profile
from bounceproof.logs.told.facts import Facts
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.request import Cell, KernelModel, Path


@dataclass(frozen=True, slots=True)
class Given:
    """What the user states; None where the log or the whole range decides."""

    page_size: int | None = None
    granule: int | None = None
    path: Path | None = None


def page_sizes(facts: Facts, given: Given) -> tuple[int, ...]:
    """The page sizes left, the user's word first, then the log's."""
    if given.page_size is not None:
        return (given.page_size,)
    return PAGE_SIZES if facts.page_size is None else (facts.page_size,)


def _has_iommu(facts: Facts, device: str | None) -> bool | None:
    """Whether the device is translated by an IOMMU; None where the log is silent."""
    if "iommu=off" in facts.iommu_options:
        return False
    translated = facts.default_domain != "passthrough"
    if device in facts.iommu_devices and translated:
        return True
    alone = facts.iommu is None and not facts.iommu_devices
    if alone and (facts.encrypted or facts.platform is not None):
        return False
    return None


def paths(
    model: KernelModel, facts: Facts, profile: Profile, given: Given, device: str | None
) -> tuple[Path, ...]:
    """The paths left for this device."""
    known = tuple(p for p in profile.paths() if model.unsupported(p) is None)
    if given.path is not None:
        return (given.path,) if given.path in known else ()
    if given.granule is not None:
        return tuple(p for p in known if p is Path.IOMMU)
    behind = _has_iommu(facts, device)
    if behind is None or len(known) < 2:
        return known
    return (Path.IOMMU,) if behind else (Path.DIRECT,)


def _granules(facts: Facts, given: Given, page_size: int) -> list[int]:
    if given.granule is not None:
        return [given.granule] if given.granule <= page_size else []
    if facts.granule is not None and facts.granule <= page_size:
        return [facts.granule]
    return [size for size in reversed(PAGE_SIZES) if size <= page_size]


def candidate_cells(
    model: KernelModel, facts: Facts, profile: Profile, given: Given, device: str | None
) -> Iterator[Cell]:
    """The cells left, the granule that equals the page first."""
    for path in paths(model, facts, profile, given, device):
        for page_size in page_sizes(facts, given):
            granules = [page_size]
            if path is Path.IOMMU:
                granules = _granules(facts, given, page_size)
            for granule in granules:
                for mask in profile.masks(model, page_size):
                    yield Cell(page_size, granule, path, mask)
