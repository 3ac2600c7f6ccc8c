# SPDX-License-Identifier: GPL-2.0-only
"""Which fix and which release end a line, and the size that always fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Final

from bounceproof.logs.judge.fit import (
    MANY_SETS,
    all_fit,
    keeps_alignment,
    largest_that_fits,
)
from bounceproof.logs.judge.profile import Profile
from bounceproof.logs.judge.verdict import CellResult, PoolSeen, Verdict, judge_cell
from bounceproof.logs.told.version import later_states
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import FIXES, STATES
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.kernels.fix import FixDoesNotApply
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Cell, KernelModel

KIB: Final = 1024
_UNKNOWN_POOL: Final = PoolSeen(None, None, None)
_NOT_ABOUT_FITTING: Final = frozenset(
    {
        "areas",
        "pools",
        "list_init",
        "zeroing",
        "iova_link",
        "pad_slots",
        "release_size",
        "bounce_check",
        "map_copy",
        "alloc_align",
        "alloc_page_check",
    }
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change does to one line.

    ``closes``: every request within the driver's limit then fits an empty pool; else
    only the line itself ends, and smaller requests may still fail.  ``aligned``: what
    is mapped is aligned as asked.
    """

    name: str
    release: str
    closes: bool
    aligned: bool


@dataclass(frozen=True, slots=True)
class Line:
    """The line at issue: its size, the driver, the cells that can print it with the
    largest request of each (bytes), and the slots of an area."""

    sz: int
    profile: Profile
    cells: tuple[tuple[Cell, int], ...]
    area_nslabs: int = MANY_SETS * IO_TLB_SEGSIZE


def line_of(
    sz: int, profile: Profile, results: list[CellResult], pool: PoolSeen
) -> Line:
    """The line that ``results`` explain, hardest cells first."""
    cells = sorted({(r.cell, r.sizes[1]) for r in results}, reverse=True)
    return Line(sz, profile, tuple(cells), pool.area_nslabs)


def signature(state: KernelState) -> tuple[object, ...]:
    """Equal for states in which the same requests fit."""
    values = state.decisions().items()
    return tuple(value for name, value in values if name not in _NOT_ABOUT_FITTING)


def _asked(model: KernelModel, line: Line) -> Iterator[tuple[Cell, int]]:
    """The line's cells under ``model``'s masks, and the largest request to serve:
    the driver's limit, or the line's own where the driver is unknown."""
    for cell, largest in line.cells:
        masks = line.profile.masks(model, cell.page_size)
        if line.profile.device is None:
            yield cell, largest
            continue
        for mask in (cell.min_align_mask,) if cell.min_align_mask in masks else masks:
            changed = replace(cell, min_align_mask=mask)
            yield changed, line.profile.max_size(model, changed)


def _supported(model: KernelModel, line: Line) -> bool:
    return all(model.unsupported(cell.path) is None for cell, _ in line.cells)


def _closes(model: KernelModel, line: Line) -> bool:
    return all(
        all_fit(model, cell, line.profile, most, line.area_nslabs)
        for cell, most in _asked(model, line)
    )


def _ends(model: KernelModel, line: Line) -> bool:
    """Whether no request that fails on an empty pool prints the line's size."""
    for cell, _ in _asked(model, line):
        found = judge_cell(model, cell, line.profile, line.sz, _UNKNOWN_POOL, True)
        if isinstance(found, CellResult) and found.verdict is not Verdict.CROWDED:
            return False
    return True


def _aligned(model: KernelModel, line: Line) -> bool:
    return all(
        keeps_alignment(model, cell, line.profile, most, line.area_nslabs)
        for cell, most in _asked(model, line)
    )


@dataclass(slots=True)
class _Bench:
    """Trials of one line; states in which the same requests fit are tried once."""

    line: Line
    done: dict[tuple[object, ...], tuple[bool, bool, bool] | None]

    def outcome(
        self, state: KernelState, closing: bool
    ) -> tuple[bool, bool, bool] | None:
        """Closes, ends the line, aligned; None where there is no closed form."""
        key = (signature(state), closing)
        if key not in self.done:
            try:
                self.done[key] = self._outcome(BuiltinKernel(state), closing)
            except NoClosedForm:
                self.done[key] = None
        return self.done[key]

    def _outcome(
        self, model: KernelModel, closing: bool
    ) -> tuple[bool, bool, bool] | None:
        if not _supported(model, self.line):
            return None
        closes = _closes(model, self.line)
        ends = closes or (not closing and _ends(model, self.line))
        return closes, ends, ends and _aligned(model, self.line)

    def trials(self, state: KernelState, count: int) -> Iterator[Trial]:
        """Fixes in sets of ``count``: all that end the line, or of two and more, that
        close it."""
        for names in combinations(FIXES, count):
            patched = _patched(state, names)
            found = patched and self.outcome(patched, count > 1)
            if found and found[0 if count > 1 else 1]:
                release = "; ".join(FIXES[name].origin.release for name in names)
                yield Trial("+".join(names), release, found[0], found[2])


def _patched(state: KernelState, names: tuple[str, ...]) -> KernelState | None:
    """``state`` with these fixes, None where one does not apply or matter."""
    for name in names:
        try:
            patched = FIXES[name].apply(state)
        except FixDoesNotApply:
            return None
        if signature(patched) == signature(state):
            return None
        state = patched
    return state


@lru_cache(maxsize=256)
def fixes_for(state: KernelState, line: Line) -> tuple[Trial, ...]:
    """The fixes that end the line, those that close it first; where none closes it,
    pairs that do."""
    bench = _Bench(line, {})
    found = list(bench.trials(state, 1))
    if not any(trial.closes for trial in found):
        found += bench.trials(state, 2)
    return tuple(sorted(found, key=_preference))


def _preference(trial: Trial) -> tuple[bool, bool, int, int]:
    unmerged = trial.release.count("not merged") + trial.release.count("superseded")
    return not trial.closes, not trial.aligned, unmerged, trial.name.count("+")


@lru_cache(maxsize=256)
def first_release(state: str, line: Line) -> str | None:
    """The first later built-in state in which each request fits and is aligned."""
    bench = _Bench(line, {})
    for name in later_states(state):
        found = bench.outcome(STATES[name], True)
        if found is not None and found[0] and found[2]:
            return name
    return None


@lru_cache(maxsize=256)
def safe_size(model: KernelModel, line: Line) -> int | None:
    """Bytes, a multiple of 1 KiB, up to which every request fits in each cell."""
    try:
        return min(
            largest_that_fits(model, cell, line.profile, line.area_nslabs, KIB)
            for cell, _ in line.cells
        )
    except NoClosedForm:
        return None


def states_that_print(state: KernelState, line: Line, pool: PoolSeen) -> list[str]:
    """Kernels near ``state`` in which some request can print the line: with one fix
    more, and the other built-in states."""
    near = [_patched(state, (fix,)) for fix in FIXES]
    others = [other for other in STATES.values() if other.name != state.name]
    names, known = [], {signature(state): False}
    for other in [*(n for n in near if n is not None), *others]:
        key = signature(other)
        if key not in known:
            known[key] = prints(BuiltinKernel(other), line, pool)
        if known[key]:
            names.append(other.name)
    return names


def prints(model: KernelModel, line: Line, pool: PoolSeen) -> bool:
    """Whether some request of the line's cells can print it in such a pool."""
    for cell, _ in _asked(model, line):
        if model.unsupported(cell.path) is not None:
            continue
        found = judge_cell(model, cell, line.profile, line.sz, pool, True)
        if isinstance(found, CellResult):
            return True
    return False
