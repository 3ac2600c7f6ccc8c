# SPDX-License-Identifier: GPL-2.0-only
"""What a request and a pool may be; one message names the field and its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import (
    MAX_AREA_SLOTS,
    PAGE_SIZES,
    SMALLEST_PAGE,
    U32_MAX,
)
from bounceproof.models.formulas.pools import MADE, lacks_pool, largest_nslabs
from bounceproof.models.geometry import MAINLINE, SlotGeometry
from bounceproof.models.kernels.state import Areas
from bounceproof.models.request import KernelModel, Path, PoolKind

NOT_SLOT_SETS = "not a whole number of slot sets of {} slots"
LARGEST_PAGE = 262144
POOL_FIELDS = ("nslabs", "nareas", "start_index", "pool_start")
U64_MAX = (1 << 64) - 1


_ADDRESSES = ("min_align_mask", "seg_boundary_mask", "pool_start", "orig_addr")


class BadInput(InputError):
    """A value that no kernel could have; the message is one line for the user."""

    def __init__(self, field: str, value: object, why: str) -> None:
        hexadecimal = field in _ADDRESSES and isinstance(value, int) and value >= 0
        self.shown = f"{value:#x}" if hexadecimal else str(value)
        super().__init__(f"{field} {self.shown}".rstrip() + f": {why}")
        self.field, self.value, self.why = field, value, why


def is_power(value: int) -> bool:
    """Whether ``value`` is a power of two."""
    return value > 0 and value & (value - 1) == 0


def _mask(field: str, value: int, largest: int) -> None:
    if not 0 <= value <= largest or value & (value + 1):
        raise BadInput(field, value, f"not 2^k - 1 up to {largest:#x}")


def _granularity(given: Mapping[str, Any]) -> None:
    page, granule = given.get("page_size"), given.get("granule")
    if page is not None and not (
        is_power(page) and SMALLEST_PAGE <= page <= LARGEST_PAGE
    ):
        raise BadInput("page_size", page, "not a power of two from 4K to 256K")
    if granule is None:
        return
    if not is_power(granule):
        raise BadInput("granule", granule, "not a power of two")
    largest = max(PAGE_SIZES) if page is None else page
    if granule > largest:
        raise BadInput("granule", granule, f"larger than the page of {largest} bytes")


def _pool(given: Mapping[str, Any], geometry: SlotGeometry) -> None:
    nslabs, nareas = given.get("nslabs"), given.get("nareas")
    index, start = given.get("start_index"), given.get("pool_start")
    segsize, step = geometry.segsize, min(geometry.size, SMALLEST_PAGE)
    if nslabs is not None and (nslabs <= 0 or nslabs % segsize):
        raise BadInput("nslabs", nslabs, NOT_SLOT_SETS.format(segsize))
    if nareas is not None and not (is_power(nareas) and nareas <= U32_MAX):
        raise BadInput("nareas", nareas, "not a power of two below 2^32")
    slots = MAX_AREA_SLOTS
    if nslabs is not None:
        slots = nslabs // (nareas or 1)
        if nslabs % (nareas or 1) or slots % segsize or not slots:
            raise BadInput(
                "nareas", nareas, f"areas of {nslabs} slots are not whole slot sets"
            )
        if slots > MAX_AREA_SLOTS:
            why = f"an area has at most {MAX_AREA_SLOTS} slots"
            raise BadInput("nslabs", nslabs, why)
    if index is not None and not 0 <= index < slots:
        raise BadInput("start_index", index, f"outside the area of {slots} slots")
    if start is not None and (start < 0 or start % step or start > U64_MAX):
        raise BadInput("pool_start", start, f"not a multiple of {step} below 2^64")


def validate(given: Mapping[str, Any], geometry: SlotGeometry = MAINLINE) -> None:
    """Check the request fields in ``given``; absent ones and None are not judged.

    ``geometry`` is that of the pool's slots.

    Raises BadInput.
    """
    _granularity(given)
    if given.get("min_align_mask") is not None:
        _mask("min_align_mask", given["min_align_mask"], U32_MAX)
    if given.get("seg_boundary_mask") is not None:
        _mask("seg_boundary_mask", given["seg_boundary_mask"], U64_MAX)
    _pool(given, geometry)
    size, address = given.get("size"), given.get("orig_addr")
    if size is not None and not 0 < size <= U64_MAX:
        raise BadInput("size", size, "not from 1 to 2^64 - 1")
    if address is not None and not 0 <= address <= U64_MAX:
        raise BadInput("orig_addr", address, "not from 0 to 2^64 - 1")
    if address and given.get("path") == Path.ALLOC:
        raise BadInput("orig_addr", address, "swiotlb_alloc() has no address: 0")
    for step in ("size_step", "addr_step"):
        value = given.get(step)
        if value is not None and not (is_power(value) and value <= U64_MAX):
            raise BadInput(step, value, "not a power of two below 2^64")


def _geometry(model: KernelModel, given: Mapping[str, Any], page: int) -> SlotGeometry:
    """The kernel's slots, where anything is said that depends on them."""
    asked = any(given.get(name) is not None for name in POOL_FIELDS)
    return model.geometry(page) if asked and is_power(page) else MAINLINE


def validate_for(model: KernelModel, given: Mapping[str, Any]) -> None:
    """Check what depends on the kernel too.  Raises BadInput."""
    page = given.get("page_size")
    for size in PAGE_SIZES if page is None else (page,):
        validate(given, _geometry(model, given, size))
    nareas, path = given.get("nareas"), given.get("path")
    single = isinstance(model, BuiltinKernel) and model.state.areas is Areas.SINGLE
    if nareas is not None and nareas > 1 and single:
        raise BadInput("nareas", nareas, f"{model.name} has one area")
    if path is not None and path in {known.value for known in Path}:
        reason = model.unsupported(Path(path))
        if reason is not None:
            raise BadInput("path", path, reason)


def _grown(model: KernelModel, given: Mapping[str, Any]) -> None:
    nslabs, start = given.get("nslabs"), given.get("pool_start")
    if nslabs is None:
        return
    page = given.get("page_size") or max(PAGE_SIZES)
    geometry = model.geometry(page)
    most = largest_nslabs(page, geometry)
    if not is_power(nslabs) or nslabs > most:
        why = f"grown pools have a power of two of slots, up to {most}"
        raise BadInput("nslabs", nslabs, why)
    length = nslabs << geometry.shift
    if start is not None and start % length:
        why = f"grown pools lie at multiples of their size, {length}"
        raise BadInput("pool_start", start, why)


def validate_pool(model: KernelModel, given: Mapping[str, Any]) -> None:
    """Check the kind of pool that is asked about, and what is said of it.

    Raises BadInput.
    """
    kind, path = PoolKind(given.get("pool_kind") or "default"), given.get("path")
    way = next((known for known in Path if known.value == path), None)
    reason = lacks_pool(model, kind, way)
    if reason is not None:
        raise BadInput("pool_kind", kind.value, reason)
    if kind is PoolKind.GROWN:
        _grown(model, given)
    if kind is not PoolKind.TRANSIENT:
        return
    for name in MADE:
        if given.get(name) is not None:
            why = "a transient pool is as its request needs it"
            raise BadInput(name, given[name], why)
    page = given.get("page_size") or min(PAGE_SIZES)
    start = given.get("pool_start")
    if start is not None and (start % page or not start):
        why = f"a transient pool lies at pages, and not at 0: page size {page}"
        raise BadInput("pool_start", start, why)
