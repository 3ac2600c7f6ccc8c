# SPDX-License-Identifier: GPL-2.0-only
"""What a request is where a field of it is left out: the machine of the 2024 thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bounceproof.models.constants import IO_TLB_DEFAULT_SLABS, NO_SEG_BOUNDARY
from bounceproof.models.devices import Device
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.validate import BadInput, validate_for

THREAD_PAGE_SIZE = 65536
THREAD_POOL_START = 0xBD800000
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

    Raises BadInput.
    """
    known = {name: given[name] for name in FIELDS if given.get(name) is not None}
    page = known.get("page_size", THREAD_PAGE_SIZE)
    validate_for(model, {**known, "page_size": page})
    path = known.get("path", _default_path(model, device))
    boundary = device.seg_boundary_mask
    defaults: dict[str, Any] = {
        "page_size": page,
        "path": path,
        "granule": page,
        "min_align_mask": _mask(model, device, page),
        "seg_boundary_mask": NO_SEG_BOUNDARY if boundary is None else boundary,
        "pool_start": THREAD_POOL_START,
        "nslabs": IO_TLB_DEFAULT_SLABS,
        "nareas": 1,
        "start_index": 0,
        "orig_addr": 0 if path == Path.ALLOC.value else THREAD_ORIG_ADDR,
        "size": THREAD_SIZE,
    }
    fields = {name: known.get(name, defaults[name]) for name in FIELDS}
    if fields["path"] not in {p.value for p in Path}:
        raise BadInput("path", fields["path"], "not direct, iommu, alloc or link")
    validate_for(model, fields)
    return fields
