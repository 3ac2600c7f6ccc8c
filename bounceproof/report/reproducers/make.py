# SPDX-License-Identifier: GPL-2.0-only
"""``check --reproducer``: the smallest program that hits a counterexample.

A request is moved to where memory of a program, or of the page allocator, can lie:
the same low bits in a huge page.  What breaks only where it was found has no program.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from string import Template

from bounceproof.errors import InputError
from bounceproof.models.reach.rules import Reach
from bounceproof.models.request import KernelModel, Path, PoolKind, Request
from bounceproof.models.words.word import U64, Word
from bounceproof.report.checks import smallest
from bounceproof.report.judged import label
from bounceproof.report.plainmail import ascii_only
from bounceproof.report.reach import met
from bounceproof.report.reached import who
from bounceproof.report.reproducers.calls import map_call
from bounceproof.report.text import size_text
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Counterexample, Finding, Verdict
from bounceproof.solver.counterexample.confirm import shows

HUGE = 2 << 20
"""Bytes of a huge page, where no machine says otherwise."""
_LARGEST = 1 << 30
"""Bytes of the largest huge page that machines have."""
_USUAL = 32768
"""Slots of the pool where nothing else is asked for, 64 MiB."""
_FEWEST = 512
"""Slots of the smallest pool that a kernel makes at boot (IO_TLB_MIN_SLABS)."""
_STEP = 512
_SOMEWHERE = 1 << 32
_INDICES = (0, 1, 2, 3, 5, 7, 31, 64)
_COLUMNS = 72
_SEEN = {
    Property.FITS: "the read fails, and the kernel logs that the buffer is full",
    Property.ALIGNED: "data arrive at the wrong place, or the controller fails it",
    Property.OWNED: "nothing: the mapping is made, and the device reaches too much",
    Property.CLEAN: "nothing: the mapping is made, and old bytes are within reach",
}
"""What a program sees of it; of other properties none can be made."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """A counterexample where memory can lie: ``offset`` bytes into a huge page, and
    the start indices tried with which it breaks there."""

    finding: Finding
    example: Counterexample
    offset: int
    indices: tuple[int, ...]


def _refuse(kind: str, why: str) -> InputError:
    return InputError(f"--reproducer {kind}: {why}")


def _found(kind: str, result: Checked) -> tuple[Finding, Counterexample]:
    """The first finding that a program can be made for."""
    broken = [f for f in result.findings if f.verdict is Verdict.BROKEN]
    if not broken:
        raise _refuse(kind, f"{label(result.model)} has no counterexample to reproduce")
    for finding in broken:
        if finding.prop in _SEEN and finding.counterexample is not None:
            return finding, finding.counterexample
    props = ", ".join(finding.prop.value for finding in broken)
    why = f"{props}: takes a pool in a state that no program brings about for certain"
    raise _refuse(kind, why)


def _moved(kind: str, result: Checked, offset_of: Callable[[int], int]) -> _Moved:
    finding, example = _found(kind, result)
    cell, point = example.cell, example.point
    if cell.pool_kind is not PoolKind.DEFAULT or cell.path is Path.ALLOC:
        why = f"no program decides on a request of path {cell.path}, pool "
        raise _refuse(kind, f"{why}{cell.pool_kind}")
    offset = offset_of(point["orig_addr"])
    larger = () if offset else (example.limit, example.limit - _STEP)
    sizes = dict.fromkeys((point["size"], *larger))
    for size in (size for size in sizes if 0 < size <= _LARGEST - offset):
        there = {**point, "orig_addr": _SOMEWHERE + offset, "size": size}
        indices = _breaking(result.model, finding, replace(example, point=there))
        if indices:
            moved = replace(example, point=there)
            return _Moved(finding, moved, offset, indices)
    at = f"{point['size']} bytes at {point['orig_addr']:#x}"
    why = f"{offset:#x} bytes into a huge page it does not"
    raise _refuse(kind, f"{at} breaks {finding.prop}; {why}")


def _breaking(
    model: KernelModel, finding: Finding, example: Counterexample
) -> tuple[int, ...]:
    """The start indices, of a few, with which a request breaks the property."""
    cell, point = example.cell, example.point
    tried = (point["start_index"], *(() if example.history else _INDICES))
    return tuple(
        index
        for index in dict.fromkeys(tried)
        if index < point["area_nslabs"]
        and shows(finding.prop, model, cell, {**point, "start_index": index})
    )


def _needs(result: Checked, moved: _Moved, seen: str) -> list[str]:
    """What has to be so, in sentences."""
    example, model = moved.example, result.model
    cell, point = example.cell, example.point
    told = [
        f"The smallest: {smallest(model, moved.finding)}.",
        f"Needs {label(model)}, and {who(cell, result.domain.device.name)}",
        *_machines(model, moved),
        f"The buffer has {point['size']} bytes, {moved.offset} bytes into a huge page; "
        f"run there again, it breaks {moved.finding.prop} with start index "
        f"{', '.join(str(index) for index in moved.indices)}. {_pool(result, moved)}",
        f"The driver's limit is {size_text(example.limit)}: the device has no lower "
        "one of its own (MDTS), and its queue/max_sectors_kb is raised to "
        f"{-(-point['size'] >> 10)} or more.",
        f"What shows it: {seen}.",
    ]
    if cell.path.has_granule and cell.granule < cell.page_size:
        told.append("Such a granule, below the page size, depends on the IOMMU.")
    return told


def _machines(model: KernelModel, moved: _Moved) -> list[str]:
    """Which machines there are of that kind, if it is known."""
    found = [one for one, _ in met(model, [moved.example.cell])]
    return [
        f"Machines like that: {one.who}."
        if one.reach is Reach.LIVE
        else f"No current machine can ({one.reach}): {one.who}."
        for one in found
    ]


def _pool(result: Checked, moved: _Moved) -> str:
    """Which pool it takes; the usual one, if it breaks there too."""
    point, finding = moved.example.point, moved.finding
    usual = {**point, "area_nslabs": _USUAL, "nareas": 1}
    example = replace(moved.example, point=usual)
    if moved.example.history is None and _breaking(result.model, finding, example):
        return f"So it does in an area of {_USUAL} slots, of 64 MiB."
    areas = 1
    while areas * point["area_nslabs"] < _FEWEST:
        areas *= 2
    slots = areas * point["area_nslabs"]
    told = f"Tried in areas of {point['area_nslabs']} slots: boot with swiotlb={slots}"
    return f"{told},{areas}."


def _comment(sentences: list[str], lead: str) -> str:
    lines: list[str] = []
    for sentence in sentences:
        text = ascii_only(" ".join(sentence.split())).replace("*/", "* /")
        lines += textwrap.wrap(text, _COLUMNS)
    return "\n".join(f"{lead}{line}".rstrip() for line in lines)


def _title(result: Checked, moved: _Moved) -> str:
    text = f"{moved.finding.prop} is broken in {label(result.model)}"
    return ascii_only(text).replace("*/", "* /")[:_COLUMNS]


def _filled(name: str, **values: object) -> str:
    text = (files(__package__) / name).read_text()
    return Template(text).substitute({k: str(v) for k, v in values.items()})


def _program(result: Checked) -> str:
    moved = _moved("c", result, lambda address: address % HUGE)
    seen = _SEEN[moved.finding.prop]
    return _filled(
        "read.c",
        title=_title(result, moved),
        needs=_comment(_needs(result, moved, seen), " * "),
        offset=moved.offset,
        size=moved.example.point["size"],
        silent="no error was seen" if seen.startswith("nothing") else "not reproduced",
    )


def _job(result: Checked) -> str:
    """A fio job, whose buffers begin with a huge page."""
    moved = _moved("fio", result, lambda address: 0)
    if moved.finding.prop is not Property.FITS:
        why = f"fio does not see {moved.finding.prop}; c and kunit remain"
        raise _refuse("fio", why)
    return _filled(
        "job.fio",
        title=_title(result, moved),
        needs=_comment(_needs(result, moved, _SEEN[Property.FITS]), "; "),
        size=moved.example.point["size"],
    )


def _test(result: Checked) -> str:
    """A KUnit test of the calls that the path makes."""
    moved = _moved("kunit", result, lambda address: address % HUGE)
    prop, example = moved.finding.prop, moved.example
    if prop not in (Property.FITS, Property.ALIGNED):
        raise _refuse("kunit", f"{prop} takes an IOMMU, or a device, to be seen")
    cell, point, model = example.cell, example.point, result.model
    request = Request(Word(point["orig_addr"], U64), Word(point["size"], U64))
    mapping, call = model.mapping(cell, request), map_call(model, cell.page_size)
    if call is None:
        raise _refuse("kunit", f"{label(model)} is from before KUnit could skip a test")
    seen = "the test fails; on a kernel that is right it passes"
    return _filled(
        "kunit.c",
        title=_title(result, moved),
        needs=_comment(_needs(result, moved, seen), " * "),
        offset=moved.offset,
        size=point["size"],
        mask=hex(cell.min_align_mask),
        boundary=hex(point["seg_boundary_mask"]),
        alloc_size=int(mapping.printed),
        align_mask=hex(int(mapping.alloc_align_mask)),
        page_size=cell.page_size,
        property=prop.value,
        mapped=call,
    )


KINDS: dict[str, Callable[[Checked], str]] = {
    "c": _program,
    "fio": _job,
    "kunit": _test,
}


def reproducer(kind: str, result: Checked) -> str:
    """The program of a kind; InputError where there can be none, with the reason."""
    return KINDS[kind](result).rstrip("\n")
