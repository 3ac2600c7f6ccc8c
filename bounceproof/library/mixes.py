# SPDX-License-Identifier: GPL-2.0-only
"""A mix of mappings in words, ``nvme/4K-128K@0x800:32``, and the pool it meets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bounceproof.models.capacity.boot import (
    LARGEST_POOL_SLABS,
    BootPool,
    boot_pool,
    guest_pool,
)
from bounceproof.models.capacity.mix import Group
from bounceproof.models.catalog import device as device_named
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.numbers import parse_number
from bounceproof.models.requests.validate import BadInput, validate_for

_SPEC = re.compile(
    r"(?:(?P<device>[a-z][\w-]*)/)?(?P<least>\w+)(?:-(?P<most>\w+))?"
    r"(?:@(?P<offset>\w+))?(?::(?P<count>\w+))?"
)
_PARAMETER = re.compile(r"(?:swiotlb=)?(\d+|0x[\da-fA-F]+)?(?:,(\d+))?(?:,\w+)*")
MOST_MAPPINGS = 1 << 20
MOST_GROUPS = 12
MOST_CPUS = 8192


@dataclass(frozen=True, slots=True)
class Place:
    """Where mappings are made; sizes and mask in bytes, None for the device's own."""

    page_size: int
    path: Path
    granule: int | None
    min_align_mask: int | None

    def cell(self, model: KernelModel, device: Device) -> Cell:
        """The cell of mappings of ``device``.  Raises BadInput."""
        mask = self.min_align_mask
        if mask is None:
            masks = device.masks(model, self.page_size)
            if len(masks) > 1:
                why = "may have any min_align_mask; say which"
                raise BadInput("device", device.name, why)
            mask = masks[0]
        granule = self.granule if self.path.has_granule else None
        return Cell(self.page_size, granule or self.page_size, self.path, mask)


def within(name: str, value: int, least: int, most: int) -> int:
    """``value``.  Raises BadInput where it is not from ``least`` to ``most``."""
    if not least <= value <= most:
        raise BadInput(name, value, f"not from {least} to {most}")
    return value


def _number(text: str, spec: str, what: str, least: int, most: int) -> int:
    shown = f"'{spec}'"
    try:
        value = parse_number(text)
    except ValueError:
        raise BadInput("mapping", shown, f"{what} '{text}' is no number") from None
    if not least <= value <= most:
        why = f"{what} {text} is not from {least} to {most}"
        raise BadInput("mapping", shown, why)
    return value


def group_of(
    model: KernelModel, spec: str, device: Device, place: Place, factor: int
) -> Group:
    """The mappings of ``spec``, ``factor`` times as many.

    "alloc" for a device says that memory is allocated, of a restricted pool.
    Raises BadInput, or UnknownName for a device.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        why = "not [DEVICE/]SIZE[-SIZE][@ADDRESS][:COUNT]"
        raise BadInput("mapping", f"'{spec}'", why)
    if match["device"] == Path.ALLOC.value:
        place = Place(place.page_size, Path.ALLOC, place.granule, place.min_align_mask)
    elif match["device"]:
        device = device_named(match["device"])
    cell = place.cell(model, device)
    limit = model.max_mapping_size(cell)
    least = _number(match["least"], spec, "size", 1, limit)
    most = _number(match["most"] or match["least"], spec, "size", least, limit)
    count = _number(match["count"] or "1", spec, "count", 1, MOST_MAPPINGS) * factor
    offset = None
    if match["offset"] is not None:
        offset = _number(match["offset"], spec, "address", 0, (1 << 48) - 1)
    if count > MOST_MAPPINGS:
        raise BadInput("mapping", f"'{spec}'", f"{count} mappings are too many")
    step = device.size_step if most > least else 1
    return Group(spec, cell, count, least, most, step, offset, device.addr_step)


def check_groups(groups: Sequence[Group], field: str, shown: str = "") -> None:
    """Raise BadInput, naming ``field``, for a mix of nothing, or of too much."""
    if not groups:
        raise BadInput(field, shown, "no mapping in it")
    if len(groups) > MOST_GROUPS:
        why = f"{len(groups)} kinds of mappings; at most {MOST_GROUPS}"
        raise BadInput(field, shown, why)


def _parameter(text: str) -> tuple[int | None, int | None]:
    """The slots and areas of a ``swiotlb=`` parameter."""
    match = _PARAMETER.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise BadInput("swiotlb", f"'{text}'", "not SLOTS, ,AREAS or SLOTS,AREAS")
    slots = None if match[1] is None else int(match[1], 0)
    areas = None if match[2] is None else int(match[2])
    if slots is not None:
        within("swiotlb", slots, 1, LARGEST_POOL_SLABS)
    if areas is not None:
        within("swiotlb", areas, 1, MOST_CPUS)
    return slots, areas


def pool_of(given: Mapping[str, Any], single: bool) -> BootPool:
    """The pool that ``given`` describes: nslabs, nareas, swiotlb, memory, cpus,
    restricted.

    ``single``: the kernel knows no areas.  Raises BadInput.
    """
    nslabs, nareas = given["nslabs"], given["nareas"]
    parameter, memory = given["swiotlb"], given["memory"]
    cpus, restricted = given["cpus"], given["restricted"]
    if nslabs is not None or nareas is not None:
        if parameter is not None:
            why = "and nslabs or nareas as well"
            raise BadInput("swiotlb", f"'{parameter}'", why)
        if nslabs is None:
            return boot_pool(None, nareas, cpus, single)
        slots = within("nslabs", nslabs, 1, LARGEST_POOL_SLABS)
        alone = single or restricted or nareas is None
        return BootPool(slots, 1 if alone else nareas)
    if restricted:
        raise BadInput("restricted", "", "nslabs must say how large the pool is")
    if parameter is not None:
        return boot_pool(*_parameter(parameter), cpus, single)
    if memory is not None:
        return guest_pool(memory, cpus, single)
    return boot_pool(None, None, cpus, single)


def check_machine(model: KernelModel, given: Mapping[str, Any]) -> None:
    """Raise BadInput for what no machine of ``model`` can be."""
    if given["path"] == Path.LINK.value:
        raise BadInput("path", "link", "maps in pieces, which are not counted")
    names = ("page_size", "granule", "path", "min_align_mask", "nslabs", "nareas")
    validate_for(model, {name: given[name] for name in (*names, "pool_start")})
    within("cpus", given["cpus"], 1, MOST_CPUS)
    if given["memory"] is not None:
        within("memory", given["memory"], 1 << 20, 1 << 50)
