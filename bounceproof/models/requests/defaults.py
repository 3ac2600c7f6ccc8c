# SPDX-License-Identifier: GPL-2.0-only
"""What a request is where a field of it is left out: the machine of the 2024 thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bounceproof.models.constants import (
    DEFAULT_POOL_BYTES,
    NO_SEG_BOUNDARY,
)
from bounceproof.models.formulas.mapping import block_bytes
from bounceproof.models.formulas.pools import MADE, largest_nslabs, made_nslabs
from bounceproof.models.request import Cell, KernelModel, Path, PoolKind, Request
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.validate import BadInput, validate_for, validate_pool
from bounceproof.models.words.word import U64, UNSIGNED_INT, Word

THREAD_PAGE_SIZE = 65536
THREAD_POOL_START = 0xBD800000
GROWN_START = 0x80000000
THREAD_ORIG_ADDR = 0x200
THREAD_SIZE = 512

FIELDS = (
    "page_size",
    "path",
    "granule",
    "min_align_mask",
    "seg_boundary_mask",
    "pool_start",
    "nslabs",
    "nareas",
    "start_index",
    "orig_addr",
    "size",
)


def _mask(model: KernelModel, device: Device, page_size: int) -> int:
    if device.any_mask:
        return 0
    return device.masks(model, page_size)[0]


def _default_path(model: KernelModel, device: Device) -> str:
    usable = (p for p in device.paths if model.unsupported(p) is None)
    return next(usable, Path.DIRECT).value


def complete(
    model: KernelModel, device: Device, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Every request field: those given, and the default for the rest.

    ``pool_kind`` is a field where it is given and not the default.  Raises BadInput.
    """
    asked = {name: given[name] for name in FIELDS if given.get(name) is not None}
    page = asked.get("page_size", THREAD_PAGE_SIZE)
    kind = PoolKind(given.get("pool_kind") or PoolKind.DEFAULT)
    decided = MADE if kind is PoolKind.TRANSIENT else ()
    known = {name: value for name, value in asked.items() if name not in decided}
    validate_for(model, {**known, "page_size": page})
    validate_pool(model, {**known, "page_size": page, "pool_kind": kind})
    path = known.get("path", _default_path(model, device))
    boundary = device.seg_boundary_mask
    defaults: dict[str, Any] = {
        "page_size": page,
        "path": path,
        "granule": page,
        "min_align_mask": _mask(model, device, page),
        "seg_boundary_mask": NO_SEG_BOUNDARY if boundary is None else boundary,
        "pool_start": GROWN_START if kind is PoolKind.GROWN else THREAD_POOL_START,
        "nslabs": _nslabs(model, kind, page),
        "nareas": 1,
        "start_index": 0,
        "orig_addr": 0 if path == Path.ALLOC.value else THREAD_ORIG_ADDR,
        "size": THREAD_SIZE,
    }
    fields = {name: known.get(name, defaults[name]) for name in FIELDS}
    _check(model, fields)
    if kind is PoolKind.DEFAULT:
        return fields
    if kind is PoolKind.GROWN:
        validate_pool(model, {**fields, "pool_kind": kind})
    else:
        fields |= _made(model, fields, asked)
    return {**fields, "pool_kind": kind.value}


def _nslabs(model: KernelModel, kind: PoolKind, page: int) -> int:
    geometry = model.geometry(page)
    slots = max(DEFAULT_POOL_BYTES >> geometry.shift, geometry.segsize)
    if kind is PoolKind.GROWN:
        return min(slots, largest_nslabs(page, geometry))
    return slots


def _check(model: KernelModel, fields: Mapping[str, Any]) -> None:
    if fields["path"] not in {p.value for p in Path}:
        raise BadInput("path", fields["path"], "not direct, iommu, alloc or link")
    validate_for(model, fields)


def _made(
    model: KernelModel, fields: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, int]:
    """What the kernel decides of the transient pool that it makes for a request."""
    names = ("page_size", "granule", "path", "min_align_mask")
    page, granule, path, mask = (fields[name] for name in names)
    cell = Cell(page, granule, Path(path), mask, PoolKind.TRANSIENT)
    request = Request(Word(fields["orig_addr"], U64), Word(fields["size"], U64))
    mapping = model.mapping(cell, request)
    bounced, nslots = bool(mapping.bounced), int(mapping.nslots)
    nslabs = made_nslabs(model, page, nslots if bounced else None)
    made = {"nslabs": nslabs, "nareas": 1, "start_index": 0}
    for name, value in made.items():
        if asked.get(name, value) != value:
            why = f"the transient pool of this request has {value}"
            raise BadInput(name, asked[name], why)
    geometry = model.geometry(page)
    slots = Word(min(nslabs, geometry.segsize), UNSIGNED_INT)
    block, start = int(block_bytes(cell, slots, geometry)), fields["pool_start"]
    if nslabs and start % block:
        why = f"the pages of this transient pool lie at multiples of {block}"
        raise BadInput("pool_start", start, why)
    return made
