# SPDX-License-Identifier: GPL-2.0-only
"""The domain that an answer speaks about: that of the cells that were asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bounceproof.models.constants import MAX_AREA_SLOTS, MAX_PHYS_BITS, PAGE_SIZES
from bounceproof.models.formulas.pools import ASSUMED, largest_nslabs
from bounceproof.models.request import Cell, KernelModel, Path, PoolKind
from bounceproof.models.requests.devices import legal_masks
from bounceproof.report import configurations
from bounceproof.report.text import short_size, table, wrap
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import (
    Property,
    applies,
    refuses_every_request,
)
from bounceproof.solver.contract.verdict import NO_REQUEST


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
    name = cell_text if cells else _everywhere
    without = [(name(cell), NO_REQUEST) for cell in empty]
    left_out: dict[str, str] = {}
    for what, why in (*out, *without):
        left_out.setdefault(what, why)
    return Asked(domain, cells, tuple(left_out.items()))


def _everywhere(cell: Cell) -> str:
    return "every configuration"


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
    return [*found, *_refused(checked)]


def _refused(checked: Checked) -> list[tuple[str, str]]:
    """What ``fits`` leaves out: masks that the kernel refuses for every request."""
    asked = any(finding.prop is Property.FITS for finding in checked.findings)
    above = (c for c in checked.cells if c.min_align_mask >= c.granule)
    if not asked or not any(refuses_every_request(checked.model, c) for c in above):
        return []
    return [("fits of masks above the granule", "every such mapping is refused")]


def cell_text(cell: Cell) -> str:
    """A configuration in a few words."""
    return configurations.name(cell)


_FREE = (
    *("seg_boundary_mask", "pool_start", "nslabs", "nareas", "start_index"),
    *("orig_addr", "size"),
)


def domain_json(asked: Asked) -> dict[str, Any]:
    """The domain asked about, each field of one type.

    Lists of the values that the configurations have; numbers, null where a field ranges
    over what ``ranges`` says.
    """
    domain, cells = asked.domain, asked.cells
    device = domain.device
    granules = (cell.granule for cell in cells if cell.path.has_granule)
    fields: dict[str, Any] = {
        "device": device.name,
        "page_size": _sizes(domain.page_size, (cell.page_size for cell in cells)),
        "path": [path.value for path in Path if any(c.path is path for c in cells)],
        "granule": _sizes(domain.granule, granules),
        "min_align_mask": sorted({cell.min_align_mask for cell in cells}),
        "seg_boundary_mask": domain.boundary(),
        "pool_start": domain.pool_start,
        "nslabs": domain.nslabs,
        "nareas": domain.nareas,
        "start_index": domain.start_index,
        "orig_addr": domain.orig_addr,
        "size": domain.size,
        "size_step": domain.size_step or device.size_step,
        "addr_step": domain.addr_step or device.addr_step,
        "pool_kind": domain.pool_kind.value,
        "page_zero": domain.page_zero,
    }
    known = _ranges(fields, asked).items()
    ranges = {name: text for name, text in known if fields[name] is None}
    left_out = [f"{what}: {why}" for what, why in asked.left_out]
    return {**fields, "ranges": ranges, "left_out": left_out}


def _sizes(fixed: int | None, found: Iterable[int]) -> list[int]:
    """A size where it is fixed, else those of the configurations."""
    return [fixed] if fixed is not None else sorted(set(found))


def _ranges(fields: dict[str, Any], asked: Asked) -> dict[str, str]:
    """What each field that can be left open ranges over."""
    domain, paths = asked.domain, {cell.path for cell in asked.cells}
    free = {
        "seg_boundary_mask": "any 2^k - 1",
        "pool_start": "any page-aligned pool below 4 GiB",
        "nslabs": f"areas of whole slot sets, up to {MAX_AREA_SLOTS} slots",
        "nareas": "any",
        "start_index": "any",
        "orig_addr": _addresses(fields["addr_step"], domain.page_zero, paths),
        "size": _lengths(fields["size_step"], paths),
    }
    return free | _ranges_of(domain)


def _addresses(step: int, page_zero: bool, paths: set[Path]) -> str:
    """The buffers asked about; a coherent allocation has none."""
    if paths == {Path.ALLOC}:
        return "none"
    where = "" if page_zero else ", none in page 0"
    beside = " (path alloc: no buffer)" if Path.ALLOC in paths else ""
    return f"multiples of {step} below 2^{MAX_PHYS_BITS}{where}{beside}"


def _lengths(step: int, paths: set[Path]) -> str:
    """The sizes asked about; a coherent allocation is of whole pages."""
    if paths == {Path.ALLOC}:
        return "whole pages up to the limit"
    beside = " (path alloc: whole pages)" if Path.ALLOC in paths else ""
    return f"multiples of {step} up to the limit{beside}"


def _ranges_of(domain: Domain) -> dict[str, str]:
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


def _value(fields: dict[str, Any], name: str) -> str:
    """A field of the domain as text."""
    value = fields[name]
    if name == "min_align_mask":
        return _masks(value)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    if value is None:
        return str(fields["ranges"][name])
    masks = ("seg_boundary_mask", "pool_start", "orig_addr")
    return hex(value) if name in masks else str(value)


def _masks(masks: list[int]) -> str:
    if tuple(masks) == legal_masks():
        return f"2^k - 1 up to {masks[-1]:#x}"
    return ", ".join(f"{mask:#x}" for mask in masks) or "none"


_NO_ROW = ("pool_kind", "page_zero", "ranges", "left_out")


def domain_text(asked: Asked) -> list[str]:
    """What the verdicts speak about, and what they do not, field by field."""
    facts = domain_json(asked)
    names = [n for n in facts if n not in _NO_ROW]
    rows = [(n.replace("_", " "), _value(facts, n)) for n in names]
    if asked.domain.pool_kind is not PoolKind.DEFAULT:
        rows.append(("pool kind", _kind(asked.domain.pool_kind)))
    out = facts["left_out"]
    rows += [("left out" if not n else "", text) for n, text in enumerate(out)]
    return ["Domain:", *table(rows)]


def _kind(kind: PoolKind) -> str:
    return f"{kind}: {ASSUMED[kind]}"


def asked_text(asked: Asked) -> list[str]:
    """The same as a paragraph: the ranges, and what is left out."""
    facts = domain_json(asked)
    if not asked.cells:
        return [wrap(f"Asked of {facts['device']}: nothing."), *_out(asked)]
    sizes = "/".join(short_size(size) for size in facts["page_size"])
    parts = [f"{sizes} pages"]
    parts += [_part(facts, name) for name in _FREE if not _implied(asked, name)]
    if asked.domain.pool_kind is not PoolKind.DEFAULT:
        parts.append(f"pool {_kind(asked.domain.pool_kind)}")
    return [wrap(f"Asked of {facts['device']}: {'; '.join(parts)}."), *_out(asked)]


def _implied(asked: Asked, name: str) -> bool:
    """Whether the device says it, and nobody asked for another value."""
    return name == "seg_boundary_mask" and asked.domain.seg_boundary_mask is None


def _part(facts: dict[str, Any], name: str) -> str:
    value = _value(facts, name)
    if facts[name] is None and name in ("pool_start", "nslabs"):
        return value
    return f"any {name}" if value == "any" else f"{name} {value}"


def _out(asked: Asked) -> list[str]:
    """What is left out, configurations without a request in one line."""
    lines, without = [], []
    for what, why in asked.left_out:
        if why == NO_REQUEST:
            without.append(what)
        else:
            lines.append(wrap(f"Left out: {what}: {why}", "", "  "))
    if without:
        told = without[0] if len(without) == 1 else f"{len(without)} configurations"
        lines.append(wrap(f"Left out: {told}: {NO_REQUEST}", "", "  "))
    return lines
