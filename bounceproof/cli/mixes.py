# SPDX-License-Identifier: GPL-2.0-only
"""A mix of mappings on the command line: ``nvme/4K-128K@0x800:32``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, BinaryIO

from bounceproof.cli.options import NUMBER, device_of
from bounceproof.cli.streams import standard_input
from bounceproof.errors import InputError
from bounceproof.models.capacity.mix import Group
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.requests.devices import Device

if TYPE_CHECKING:
    from bounceproof.audit.traced import Traced

_SPEC = re.compile(
    r"(?:(?P<device>[a-z][\w-]*)/)?(?P<least>\w+)(?:-(?P<most>\w+))?"
    r"(?:@(?P<offset>\w+))?(?::(?P<count>\w+))?"
)
MOST_MAPPINGS = 1 << 20
MOST_GROUPS = 12


def _number(text: str, spec: str, what: str, least: int, most: int) -> int:
    try:
        value = NUMBER.convert(text, None, None)
    except InputError:
        raise InputError(f"--mapping '{spec}': {what} '{text}' is no number") from None
    if not least <= value <= most:
        why = f"{what} {text} is not from {least} to {most}"
        raise InputError(f"--mapping '{spec}': {why}")
    return value


def cell_of(
    model: KernelModel,
    device: Device,
    page: int,
    path: Path,
    granule: int,
    mask: int | None,
) -> Cell:
    """Where mappings of ``device`` are made."""
    if mask is None:
        masks = device.masks(model, page)
        if len(masks) > 1:
            raise InputError(
                f"--device {device.name}: may have any min_align_mask; say which: "
                f"--min-align-mask"
            )
        mask = masks[0]
    return Cell(page, granule if path.has_granule else page, path, mask)


def group_of(
    model: KernelModel,
    spec: str,
    device: Device,
    place: tuple[int, Path, int, int | None],
    factor: int,
) -> Group:
    """The mappings of one ``--mapping``, ``factor`` times as many.

    ``place``: page size, path, granule and min_align_mask.  "alloc" for a device says
    that memory is allocated, of a restricted pool.  Raises InputError.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise InputError(
            f"--mapping '{spec}': not [DEVICE/]SIZE[-SIZE][@ADDRESS][:COUNT]"
        )
    if match["device"] == Path.ALLOC.value:
        place = (place[0], Path.ALLOC, *place[2:])
    elif match["device"]:
        device = device_of(match["device"])
    cell = cell_of(model, device, *place)
    limit = model.max_mapping_size(cell)
    least = _number(match["least"], spec, "size", 1, limit)
    most = _number(match["most"] or match["least"], spec, "size", least, limit)
    count = _number(match["count"] or "1", spec, "count", 1, MOST_MAPPINGS)
    offset = None
    if match["offset"] is not None:
        offset = _number(match["offset"], spec, "address", 0, (1 << 48) - 1)
    count *= factor
    if count > MOST_MAPPINGS:
        raise InputError(f"--mapping '{spec}': {count} mappings are too many")
    step = device.size_step if most > least else 1
    return Group(spec, cell, count, least, most, step, offset, device.addr_step)


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(standard_input("--trace"))
    return FilePath(name).open("rb")


def read_traced(
    name: str,
    kind: str | None,
    depth: int | None,
    offset: int | None,
    cell: Cell,
    device: Device,
    limit: int,
) -> Traced:
    """The trace in the file ``name``, or on standard input.  Raises InputError."""
    from bounceproof.audit.traced import traced
    from bounceproof.traces.read import read_trace

    source = f"--trace '{name}'"
    try:
        with _opened(name) as stream:
            trace = read_trace(source, stream, kind, depth)
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{source}: {error}") from None
    return traced(trace, cell, device, limit, offset)


def check_groups(groups: Sequence[Group], source: str) -> None:
    """Raises InputError for a mix of nothing, or of too much."""
    if not groups:
        raise InputError(f"{source}: no mapping in it")
    if len(groups) > MOST_GROUPS:
        why = f"{len(groups)} kinds of mappings; at most {MOST_GROUPS}"
        raise InputError(f"{source}: {why}")
