# SPDX-License-Identifier: GPL-2.0-only
"""Which requests around a counterexample break the property too: size by address.

The formulas of the model are evaluated over arrays, a request each, with all else as
the counterexample has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bounceproof.models.words.arrays as arrays
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.formulas.outcome import outcome
from bounceproof.models.formulas.search import NoClosedForm, NoSearchRule
from bounceproof.models.request import Cell, KernelModel, Path, Pool, PoolKind, Request
from bounceproof.models.words.word import (
    FALSE,
    TRUE,
    U64,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    Truth,
    Word,
    ite,
)
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import broken, unfinished
from bounceproof.solver.contract.verdict import Counterexample, Finding
from bounceproof.solver.smt.minimum import Point

COLUMNS, ROWS = 128, 64
"""Sizes to a slot set, and addresses, of the finest map."""
Marks = NDArray[np.bool_]


class NoMap(Exception):
    """Why no map can be drawn."""


@dataclass(frozen=True, slots=True)
class SizeMap:
    """Requests of ``sizes`` (bytes, ascending) at ``base`` + ``offsets`` (bytes).

    ``fails[row, column]``: the request of that offset and size breaks the property.
    ``span``: offsets are below it.  ``limit``: the driver's.  ``true_limit``: no size
    up to it breaks the property, whatever the pool; None where that is not proved.
    ``size`` and ``offset`` are the counterexample's.  The sizes end above the limit or,
    where it is larger, above a slot set.
    """

    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    base: int
    span: int
    fails: Marks
    limit: int
    true_limit: int | None
    size: int
    offset: int

    @property
    def edges(self) -> tuple[int, ...]:
        """The lower edge of each row, and the upper one of the last."""
        return (*self.offsets, self.span)


def _offsets(cell: Cell, point: Point, step: int, rows: int) -> tuple[int, list[int]]:
    """Below which offset addresses differ, and the offsets asked about."""
    granule = cell.granule if cell.path.has_granule else 1
    span = max(granule, cell.min_align_mask + 1, 1 << 11)
    if cell.path is Path.ALLOC:
        return span, [0]
    each = max(span // rows, step)
    mine = point["orig_addr"] % span
    return span, sorted({*range(0, span, each), mine})


def _sizes(
    example: Counterexample, step: int, slot_set: int, columns: int
) -> list[int]:
    """Sizes from one step to above the limit, a slot set or the counterexample."""
    each = max(slot_set // columns, step)
    each -= each % step
    last = max(min(example.limit, slot_set), example.point["size"])
    return list(range(each, last + slot_set // 8 + each, each))


def _pool(model: KernelModel, cell: Cell, point: Point) -> Pool:
    geometry = model.geometry(cell.page_size)
    return Pool(
        Word(point["pool_start"], U64),
        Word(point["area_nslabs"], UNSIGNED_INT),
        Word(point["start_index"], UNSIGNED_INT),
        Word(point["seg_boundary_mask"], UNSIGNED_LONG),
        geometry=geometry,
    )


def _extra(prop: Property, point: Point, size: Word) -> dict[str, Word]:
    """The symbols that the property has beside, cut where a request is too short."""
    extra = {}
    for name in CONTRACT[prop].symbols:
        kind = U64 if name.startswith("sync") else UNSIGNED_INT
        extra[name] = Word(point[name], kind)
    if "sync_size" in extra:
        wanted, offset = extra["sync_size"], extra["sync_offset"]
        short = size < offset + wanted
        extra["sync_offset"] = ite(short, Word(0, U64), offset)
        extra["sync_size"] = ite(size < wanted, size, wanted)
    return extra


def _truths(truth: Truth, count: int) -> Marks:
    return np.broadcast_to(np.asarray(truth.raw, dtype=np.bool_), (count,))


def evaluate(
    prop: Property,
    model: KernelModel,
    cell: Cell,
    point: Point,
    requests: tuple[arrays.Values, arrays.Values],
) -> Marks:
    """Which requests, as addresses and sizes in bytes, break ``prop``.

    All else is as ``point`` has it.  Raises NoMap.
    """
    addresses, sizes = requests
    request = Request(Word(addresses, U64), Word(sizes, U64))
    extra = _extra(prop, point, request.size)
    areas = min(point["nareas"], 2)
    count = Word(point["nareas"], UNSIGNED_INT)
    pool = _pool(model, cell, point)
    space = Variables(request, pool, count, areas, TRUE, extra)
    try:
        found = _truths(_broken(prop, model, cell, space), len(sizes))
        unknown = _truths(_unfinished(prop, model, cell, space), len(sizes))
    except NoClosedForm as reason:
        raise NoMap(str(reason)) from None
    except Exception as error:
        if isinstance(model, BuiltinKernel):
            raise
        why = "the code of this tree is not evaluated for many requests at once"
        raise NoMap(why) from error
    return found & ~unknown


def _unfinished(
    prop: Property, model: KernelModel, cell: Cell, space: Variables
) -> Truth:
    """Where a search that no rule says was not followed to its end."""
    try:
        return unfinished(prop, model, cell, space)
    except NoSearchRule:
        return FALSE


def _broken(prop: Property, model: KernelModel, cell: Cell, space: Variables) -> Truth:
    if prop is Property.FITS:
        return ~outcome(model, cell, space.request, space.pool, space.areas).ok
    return broken(prop, model, cell, space)


def size_map(
    model: KernelModel, domain: Domain, finding: Finding, coarser: int = 1
) -> SizeMap:
    """The map around the counterexample of ``finding``, ``coarser`` times as coarse.

    Raises NoMap; also where the counterexample is not at fault by the formulas.
    """
    example = finding.counterexample
    if example is None or not finding.confirmed:
        raise NoMap("no request was seen to break the property")
    cell, point = example.cell, example.point
    if cell.pool_kind is PoolKind.TRANSIENT:
        raise NoMap("each request has a transient pool of its own")
    size_step = domain.size_step or domain.device.size_step
    addr_step = domain.addr_step or domain.device.addr_step
    if cell.path is Path.ALLOC:
        size_step = max(size_step, cell.page_size)
    slot_set = model.geometry(cell.page_size).set_bytes
    sizes = _sizes(example, size_step, slot_set, COLUMNS // coarser)
    span, offsets = _offsets(cell, point, addr_step, ROWS // coarser)
    base = point["orig_addr"] - point["orig_addr"] % span
    if base + span + sizes[-1] > 1 << MAX_PHYS_BITS:
        raise NoMap("the addresses beside it are beyond physical memory")
    grid = [(base + at, size) for at in offsets for size in sizes]
    asked = np.array([*grid, (point["orig_addr"], point["size"])], dtype=np.uint64)
    fails = evaluate(finding.prop, model, cell, point, (asked[:, 0], asked[:, 1]))
    if not fails[-1]:
        raise NoMap("by the formulas alone the counterexample is not at fault")
    return SizeMap(
        tuple(sizes),
        tuple(offsets),
        base,
        span,
        fails[:-1].reshape(len(offsets), len(sizes)),
        example.limit,
        point["size"] - size_step if example.minimum else None,
        point["size"],
        point["orig_addr"] % span,
    )


def runs(marks: Marks) -> list[tuple[int, int]]:
    """The runs of a row, first and one past the last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], marks.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def blocks(shown: SizeMap, marks: Any) -> list[tuple[int, int, int, int]]:
    """Marks as rectangles: left, bottom, right and top, in bytes.

    Rows that are alike and lie side by side are one.
    """
    lefts, edges = (0, *shown.sizes), shown.edges
    found, row = [], 0
    while row < len(shown.offsets):
        last = row
        while last + 1 < len(shown.offsets) and (marks[last + 1] == marks[row]).all():
            last += 1
        found += [
            (lefts[a], edges[row], lefts[b], edges[last + 1])
            for a, b in runs(marks[row])
        ]
        row = last + 1
    return found
