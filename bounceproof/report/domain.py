# SPDX-License-Identifier: GPL-2.0-only
"""The domain that an answer speaks about: that of the cells that were asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bounceproof.models.constants import MAX_AREA_SLOTS, MAX_PHYS_BITS, PAGE_SIZES
from bounceproof.models.devices import legal_masks
from bounceproof.models.pools import ASSUMED, largest_nslabs
from bounceproof.models.request import Cell, KernelModel, Path, PoolKind
from bounceproof.report.text import size_text, table
from bounceproof.solver.ask import Checked
from bounceproof.solver.domain import Domain
from bounceproof.solver.properties import applies
from bounceproof.solver.verdict import NO_REQUEST


@dataclass(frozen=True, slots=True)
class Asked:
    """A domain, the cells of it in which questions were put, and what was left out.

    ``left_out`` has what, and why.
    """

    domain: Domain
    cells: tuple[Cell, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def asked_of(*checked: Checked) -> Asked:
    """What answers about one or more kernels speak about."""
    cells = tuple(dict.fromkeys(cell for one in checked for cell in one.cells))
    empty = [cell for one in checked for cell in one.empty if cell not in cells]
    out = [pair for one in checked for pair in _left_out(one)]
    return asked(checked[0].domain, cells, empty, out)


def asked(
    domain: Domain,
    cells: Iterable[Cell],
    empty: Iterable[Cell],
    out: Iterable[tuple[str, str]],
) -> Asked:
    """What was asked; ``empty`` are cells without a request, ``out`` what else is
    left out: of what several kernels lack, the first one's reason is enough."""
    cells = tuple(cells)
    name = cell_text if cells else _every_cell
    without = [(name(cell), NO_REQUEST) for cell in empty]
    left_out: dict[str, str] = {}
    for what, why in (*out, *without):
        left_out.setdefault(what, why)
    return Asked(domain, cells, tuple(left_out.items()))


def _every_cell(cell: Cell) -> str:
    return "every cell"


def paths_left_out(
    domain: Domain, models: Iterable[KernelModel]
) -> tuple[tuple[str, str], ...]:
    """The paths that kernels do not have, each with the reason."""
    found = [(f"path {p}", why) for m in models for p, why in domain.left_out(m)]
    return tuple(dict.fromkeys(found))


def _left_out(checked: Checked) -> list[tuple[str, str]]:
    found = list(paths_left_out(checked.domain, (checked.model,)))
    lacking = {path for path, _ in checked.domain.left_out(checked.model)}
    for path in (path for path in checked.domain.paths() if path not in lacking):
        without = [f.prop for f in checked.findings if not applies(f.prop, path)]
        if without:
            names = ", ".join(prop.value for prop in without)
            found.append((f"path {path}: {names}", "not asked on this path"))
    return found


def cell_text(cell: Cell) -> str:
    """A cell in a few words."""
    granule = f", granule {size_text(cell.granule)}" if cell.path.has_granule else ""
    mask = f", mask {cell.min_align_mask:#x}"
    return f"path {cell.path.value}, page {size_text(cell.page_size)}{granule}{mask}"


def _sizes(fixed: int | None, found: Iterable[int]) -> int | str | None:
    """A size where it is fixed, else those of the cells; None where none has one."""
    sizes = sorted(set(found))
    if fixed is not None:
        return fixed
    return ", ".join(str(size) for size in sizes) or None


def domain_json(asked: Asked) -> dict[str, Any]:
    """The domain asked about: a number where fixed, the range where not."""
    domain, cells = asked.domain, asked.cells
    device = domain.device
    paths = [path.value for path in Path if any(c.path is path for c in cells)]
    granules = (cell.granule for cell in cells if cell.path.has_granule)
    ranges: dict[str, Any] = {
        "device": device.name,
        "page_size": _sizes(domain.page_size, (cell.page_size for cell in cells)),
        "path": ", ".join(paths) or None,
        "granule": _sizes(domain.granule, granules),
        "min_align_mask": domain.min_align_mask,
        "seg_boundary_mask": domain.boundary(),
        "pool_start": domain.pool_start,
        "nslabs": domain.nslabs,
        "nareas": domain.nareas,
        "start_index": domain.start_index,
        "orig_addr": domain.orig_addr,
        "size": domain.size,
        "size_step": domain.size_step or device.size_step,
        "addr_step": domain.addr_step or device.addr_step,
    }
    if domain.pool_kind is not PoolKind.DEFAULT:
        ranges["pool_kind"] = f"{domain.pool_kind}: {ASSUMED[domain.pool_kind]}"
    free = {
        "page_size": "none: nothing was asked",
        "path": "none: nothing was asked",
        "granule": "none",
        "min_align_mask": _masks(cells),
        "seg_boundary_mask": "any 2^k - 1",
        "pool_start": "any page-aligned pool below 4 GiB",
        "nslabs": f"areas of whole slot sets, up to {MAX_AREA_SLOTS} slots",
        "nareas": "any",
        "start_index": "any",
        "orig_addr": f"multiples of {ranges['addr_step']} below 2^{MAX_PHYS_BITS}",
        "size": f"multiples of {ranges['size_step']} up to the limit",
    }
    free |= _free_of(domain)
    shown = {k: free[k] if v is None else v for k, v in ranges.items()}
    return {**shown, "left_out": [f"{what}: {why}" for what, why in asked.left_out]}


def _masks(cells: Iterable[Cell]) -> str:
    masks = sorted({cell.min_align_mask for cell in cells})
    if tuple(masks) == legal_masks():
        return f"2^k - 1 up to {masks[-1]:#x}"
    return ", ".join(f"{mask:#x}" for mask in masks) or "none"


def _free_of(domain: Domain) -> dict[str, str]:
    """The ranges that are other ones for grown and transient pools."""
    if domain.pool_kind is PoolKind.GROWN:
        pages = PAGE_SIZES if domain.page_size is None else (domain.page_size,)
        most = ", ".join(str(largest_nslabs(page)) for page in pages)
        return {
            "pool_start": f"any multiple of the pool's size below 2^{MAX_PHYS_BITS}",
            "nslabs": f"areas of 2^k slots, from 128; pools up to {most} slots",
        }
    if domain.pool_kind is PoolKind.TRANSIENT:
        return {
            "pool_start": f"any block of pages of the order below 2^{MAX_PHYS_BITS}",
            "nslabs": "the request's slots",
            "nareas": "1",
            "start_index": "0",
        }
    return {}


def domain_text(asked: Asked) -> list[str]:
    """What the verdicts speak about, and what they do not, in a few lines."""
    facts = domain_json(asked)
    left_out = facts.pop("left_out")
    rows = [(n.replace("_", " "), _hex(n, value)) for n, value in facts.items()]
    rows += [("left out" if not n else "", text) for n, text in enumerate(left_out)]
    return ["Domain:", *table(rows)]


def _hex(name: str, value: Any) -> str:
    masks = ("min_align_mask", "seg_boundary_mask", "pool_start", "orig_addr")
    return hex(value) if name in masks and isinstance(value, int) else str(value)
