# SPDX-License-Identifier: GPL-2.0-only
"""Where mutant and base are asked: machines, the telling ones first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from bounceproof.models.catalog import device
from bounceproof.models.constants import PAGE_SIZES, PCI_SEG_BOUNDARY
from bounceproof.models.request import Path
from bounceproof.solver.contract.domain import Domain

K = 1024
MASKS = (0xFFF, 0, 0xFFFF, 0x7FF)
Shape = tuple[int, Path, int | None]
_FIRST: tuple[Shape, ...] = (
    (64 * K, Path.IOMMU, 64 * K),
    (4 * K, Path.IOMMU, 4 * K),
    (4 * K, Path.DIRECT, None),
    (64 * K, Path.LINK, 64 * K),
)
_GENERIC: tuple[Shape, ...] = (
    (4 * K, Path.ALLOC, None),
    (64 * K, Path.ALLOC, None),
    (4 * K, Path.IOMMU, 4 * K),
    (64 * K, Path.IOMMU, 4 * K),
    (64 * K, Path.IOMMU, 64 * K),
    (4 * K, Path.DIRECT, None),
    (64 * K, Path.DIRECT, None),
    (64 * K, Path.LINK, 64 * K),
)


def _shapes(*paths: Path) -> Iterator[Shape]:
    for path in paths:
        for page in PAGE_SIZES:
            if not path.has_granule:
                yield page, path, None
                continue
            yield from ((page, path, g) for g in PAGE_SIZES if g <= page)


@cache
def domains() -> tuple[Domain, ...]:
    """One domain a cell: every page size, granule and path of NVMe, and the smallest
    and largest pages and granules of a generic device on PCI with each of
    :data:`MASKS`, coherent allocations too.  Everything else of a request ranges.

    No decision point touches the segment boundary, so PCI's stands for every one.
    The first page is asked about too, as one decision point is about address 0.
    """
    nvme = device("nvme")
    generic = replace(device("generic"), seg_boundary_mask=PCI_SEG_BOUNDARY)
    shapes = [*_FIRST, *_shapes(*nvme.paths)]
    found = [Domain(nvme, p, g, path) for p, path, g in dict.fromkeys(shapes)]
    for mask in MASKS:
        found += [Domain(generic, p, g, path, mask) for p, path, g in _GENERIC]
    return tuple(replace(domain, page_zero=True) for domain in found)
