# SPDX-License-Identifier: GPL-2.0-only
"""The shapes that the mappings of a group have, by the kernel's own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bounceproof.errors import Undecided
from bounceproof.models.capacity.mix import Group, Shape
from bounceproof.models.constants import IO_TLB_SHIFT
from bounceproof.models.formulas.search import NoClosedForm, geometry
from bounceproof.models.request import (
    Counting,
    Jump,
    KernelModel,
    Passes,
    Path,
    Request,
    SearchRule,
    Wrap,
)
from bounceproof.models.words import arrays  # noqa: F401  (registers arrays with words
from bounceproof.models.words.word import PHYS_ADDR_T, SIZE_T, Word

SOME_ADDRESS = 1 << 32
"""High bits of the addresses that are tried; physical page 0 is left out."""
SAMPLE = 512


class NeverMaps(Undecided):
    """No pool is large enough; the message says why."""


@dataclass(frozen=True, slots=True)
class Lane:
    """How one search rule looks for slots: every ``period`` slots, at any offset.

    ``falls_short``: slots between the starting index and the last visit, fewer than
    the offset, may be left out; ``at_zero``: only for offset 0.
    """

    period: int
    falls_short: bool
    at_zero: bool


@cache
def lane(rule: SearchRule, comparing: bool, segsize: int) -> Lane:
    """How ``rule`` looks for slots.

    Raises NoClosedForm where what it visits depends on more than an offset.
    """
    found = geometry(rule, comparing)
    if found.block != 1:
        raise NoClosedForm(f"blocks of {found.block} slots in a row are searched")
    step = rule.stride
    if segsize % step or step % found.period:
        raise NoClosedForm(
            f"a stride of {step} slots, of which a slot set has no count"
        )
    plain = rule.wrap is Wrap.TO_ZERO and rule.jump is Jump.ADD
    if rule.counted and not rule.aligned_start and plain and step == found.period:
        whole = rule.passes is Passes.WHOLE or rule.counting is Counting.TO_END
        if rule.counting is not Counting.TURNS:
            return Lane(step, not whole, False)
    if not rule.counted and rule.aligned_start and plain:
        return Lane(step, False, True)
    raise NoClosedForm(f"slots {step} apart from any index on, not the same ones")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Mappings that are searched for alike."""

    nslots: int
    mask: int
    large: bool
    orig_addr: int
    size: int


def _sizes(group: Group) -> list[int]:
    step = -(-SAMPLE // group.size_step) * group.size_step
    return sorted({*range(group.least, group.most, step), group.most})


def _addresses(group: Group) -> list[int]:
    if group.cell.path is Path.ALLOC:
        return [0]
    if group.offset is not None:
        return [SOME_ADDRESS + group.offset % group.modulus]
    return list(range(SOME_ADDRESS, SOME_ADDRESS + group.modulus, group.addr_step))


def _asked(model: KernelModel, group: Group) -> dict[tuple[int, ...], _Asked]:
    """By what is searched for: slots, mask, side of a page, bits of the address."""
    found: dict[tuple[int, ...], _Asked] = {}
    addresses = _addresses(group)
    words = Word(np.array(addresses, dtype=np.uint64), PHYS_ADDR_T)
    for size in _sizes(group):
        request = Request(words, Word(size, SIZE_T))
        mapping = model.mapping(group.cell, request)
        columns = np.array(
            [
                np.broadcast_to(np.asarray(raw), len(addresses)).astype(np.uint64)
                for raw in (
                    mapping.bounced.raw,
                    mapping.refused.raw,
                    mapping.nslots.raw,
                    mapping.alloc_align_mask.raw,
                    (mapping.total >= group.cell.page_size).raw,
                    (words.raw >> np.uint64(IO_TLB_SHIFT)) & np.uint64(_BITS),
                )
            ]
        )
        if columns[1].any():
            raise NeverMaps(
                f"{group.name}: {model.name} refuses every mapping of a device whose "
                f"min_align_mask is above the granule"
            )
        kinds, first = np.unique(columns, axis=1, return_index=True)
        for row, at in zip(kinds.T.tolist(), first.tolist(), strict=True):
            bounced, _, nslots, mask, large, bits = row
            if bounced:
                one = _Asked(nslots, mask, bool(large), addresses[at], size)
                found.setdefault((nslots, mask, large, bits), one)
    return found


_BITS = (1 << 20) - 1


def shapes_of(
    model: KernelModel, groups: Sequence[Group], pool_start: int
) -> tuple[Shape, ...]:
    """Every shape of ``groups`` in a pool at ``pool_start``; unbounced ones left out.

    Raises NeverMaps where some mapping finds no slots in any pool, NoClosedForm where
    the search has no closed form here.
    """
    found: dict[tuple[int, ...], Shape] = {}
    for number, group in enumerate(groups):
        for asked in _cached(model, group):
            shape = _shape(model, group, number, asked, pool_start)
            key = (shape.nslots, shape.first, shape.period, shape.short, number)
            found.setdefault(key, shape)
    return tuple(sorted(found.values()))


@cache
def _kept(model: Any, group: Group) -> tuple[_Asked, ...]:
    return tuple(_asked(model, group).values())


def _cached(model: KernelModel, group: Group) -> tuple[_Asked, ...]:
    known: Any = model
    return _kept(known, group)


def rules_of(
    model: KernelModel, groups: Sequence[Group]
) -> dict[tuple[SearchRule, bool], Lane]:
    """The rules by which the groups are searched for, and whether orig_addr counts."""
    found = {}
    for group in groups:
        segsize = model.geometry(group.cell.page_size).segsize
        for asked in _cached(model, group):
            rule = model.search_rule(group.cell, asked.mask, asked.large)
            comparing = asked.orig_addr != 0 or not rule.skip_zero
            found[rule, comparing] = lane(rule, comparing, segsize)
    return found


def _shape(
    model: KernelModel, group: Group, number: int, asked: _Asked, pool_start: int
) -> Shape:
    slots = model.geometry(group.cell.page_size)
    rule = model.search_rule(group.cell, asked.mask, asked.large)
    comparing = asked.orig_addr != 0 or not rule.skip_zero
    way = lane(rule, comparing, slots.segsize)
    compare = rule.compare_mask if comparing else 0
    clash = asked.orig_addr & compare & rule.zero_mask & ~slots.low
    low = (pool_start ^ asked.orig_addr) & compare & slots.low
    if clash or low or pool_start & rule.zero_mask & slots.low:
        raise NeverMaps(f"{group.name}: no slot is aligned as {_told(asked)} needs it")
    mask = (rule.zero_mask | compare) >> slots.shift
    period = mask + 1 if mask else 1
    wanted = (asked.orig_addr & compare) >> slots.shift
    first = (wanted - (pool_start >> slots.shift)) % period
    if way.at_zero and first:
        raise NoClosedForm(
            f"{group.name}: the search for {_told(asked)} may not end, or not find"
        )
    short = first if way.falls_short else 0
    shape = Shape(
        asked.nslots, first, way.period, short, number, asked.orig_addr, asked.size
    )
    if not shape.places(slots.segsize):
        raise NeverMaps(
            f"{group.name}: {_told(asked)} needs {asked.nslots} slots from a slot that "
            f"is {first} modulo {period}; a slot set has {slots.segsize}"
        )
    return shape


def _told(asked: _Asked) -> str:
    where = f" at {asked.orig_addr & 0xFFFFF:#x}" if asked.orig_addr else ""
    return f"a mapping of {asked.size} bytes{where}"
