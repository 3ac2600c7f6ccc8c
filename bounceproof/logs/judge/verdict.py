# SPDX-License-Identifier: GPL-2.0-only
"""Was the pool full, or could the request never fit?  Cell by cell."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, cast

import numpy as np

from bounceproof.logs.judge.fit import MANY_SETS, Fit, fewest_used, fit_requests, rules
from bounceproof.logs.judge.printing import Printing, Truths, printing_requests
from bounceproof.logs.judge.profile import Profile
from bounceproof.logs.judge.residues import describe
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell, KernelModel

COARSE_STEP: Final = 256


class Verdict(StrEnum):
    """Why a request failed."""

    NO_POOL = "no-pool"
    NEVER = "could-never-fit"
    ADDRESS = "could-never-fit-at-its-address"
    FULL = "pool-full"
    NEARLY = "pool-practically-full"
    FRAGMENTED = "pool-fragmented"
    CROWDED = "pool-full-or-fragmented"
    BOUNDARY = "segment-boundary"
    UNREACHABLE = "out-of-reach"
    REFUSED = "pool-disabled"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """The pool at the time: slots in all and in use, areas; None where unknown.

    ``restricted``: it is one device's own, from reserved memory.
    """

    total: int | None
    used: int | None
    nareas: int | None
    restricted: bool = False

    @property
    def free(self) -> int | None:
        if self.total is None or self.used is None:
            return None
        return max(self.total - self.used, 0)

    @property
    def area_nslabs(self) -> int:
        """Slots of an area, at most four sets: a larger one looks alike; four where
        the log says nothing of areas."""
        total = self.total or MANY_SETS * IO_TLB_SEGSIZE
        sets = total // (self.nareas or 1) // IO_TLB_SEGSIZE
        return min(max(sets, 1), MANY_SETS) * IO_TLB_SEGSIZE

    def free_run(self) -> int | None:
        """Slots of a free run there was for certain, by the pigeonhole principle."""
        sets = (self.total or 0) // IO_TLB_SEGSIZE
        if self.used is None or not sets:
            return None
        fewest = min(self.used // sets, IO_TLB_SEGSIZE)
        return -(-(IO_TLB_SEGSIZE - fewest) // (fewest + 1))


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell that can print the line.

    ``sizes``: smallest and largest request, bytes.  ``never``: the addresses that an
    empty pool cannot serve; ``asked``: those that the log leaves.  ``nslots``: fewest
    and most slots searched for.  ``blocked_from``: fewest used slots that can refuse
    a request that otherwise fits, None where none fits or the pool is not known.
    """

    cell: Cell
    limit: int
    sizes: tuple[int, int]
    nslots: tuple[int, int]
    never: str
    never_share: float
    asked: str
    blocked_from: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Excluded:
    """A cell that cannot print the line, and why."""

    cell: Cell
    reason: str


def _at(printing: Printing, addresses: frozenset[int]) -> Printing:
    """The requests at ``addresses`` alone, all of them where none is there."""
    if not addresses:
        return printing
    asked = np.array([a % printing.modulus for a in addresses], dtype=np.uint64)
    valid = printing.valid & np.isin(printing.residues, asked)
    return replace(printing, valid=valid) if bool(valid.any()) else printing


@lru_cache(maxsize=4096)
def _measured(
    model: KernelModel,
    cell: Cell,
    profile: Profile,
    sz: int,
    area_nslabs: int,
    coarse: bool,
    addresses: frozenset[int],
) -> tuple[Printing, Fit | None]:
    step = max(profile.addr_step, COARSE_STEP) if coarse else profile.addr_step
    printing = _at(printing_requests(model, cell, profile, sz, step), addresses)
    if not bool(printing.valid.any()):
        return printing, None
    residues = printing.residues[printing.valid]
    sizes = printing.largest[printing.valid]
    return printing, fit_requests(model, cell, residues, sizes, area_nslabs)


def _refuted(
    model: KernelModel, cell: Cell, printing: Printing, fit: Fit, pool: PoolSeen
) -> tuple[Truths, int | None]:
    """The requests that a pool as full as this one would have served."""
    refuted = np.zeros(len(fit.every), dtype=bool)
    if pool.used is None or not pool.total or not bool(fit.every.any()):
        return refuted, None
    pair, seen, least = rules(model, cell), {}, pool.total
    masks = [rule.compare_mask for rule in pair]
    residues = printing.residues[printing.valid].tolist()
    rows = zip(residues, fit.nslots.tolist(), fit.large.tolist(), strict=True)
    every = fit.every.tolist()
    for index, (residue, nslots, large) in enumerate(rows):
        if not every[index]:
            continue
        key = (residue & masks[large] & ~0x7FF, nslots, large)
        if key not in seen:
            seen[key] = fewest_used(
                pair[large], residue, nslots, pool.total, pool.nareas
            )
        least = min(least, seen[key])
        refuted[index] = pool.used < seen[key]
    return refuted, least


def _judge(fit: Fit, left: Truths, pool: PoolSeen) -> Verdict:
    never, every = left & ~fit.some, left & fit.every
    if bool((never == left).all()):
        return Verdict.NEVER if not bool(fit.some.any()) else Verdict.ADDRESS
    free = pool.free
    short = left if free is None else left & (fit.nslots > free)
    if free is not None and bool((short == left).all()):
        return Verdict.FULL
    if not bool((every == left).all()):
        return Verdict.UNDECIDED
    if free is None or bool(short.any()):
        return Verdict.CROWDED
    return Verdict.FRAGMENTED


def _why_none(printing: Printing, cell: Cell, limit: int, sz: int) -> str:
    if printing.above_limit:
        return f"the driver asks for at most {limit} bytes here"
    if cell.path == "iommu" and sz % cell.granule:
        return f"{sz} is no multiple of the granule"
    return "no request that bounces prints this size"


def judge_cell(
    model: KernelModel,
    cell: Cell,
    profile: Profile,
    sz: int,
    pool: PoolSeen,
    coarse: bool = False,
    addresses: frozenset[int] = frozenset(),
) -> CellResult | Excluded:
    """Which requests of ``cell`` print ``sz`` bytes in such a pool, and why.

    ``coarse`` looks at fewer addresses: enough to see whether a line is possible.
    ``addresses``: orig_addr, where the log tells it.
    """
    limit = profile.max_size(model, cell)
    try:
        printing, fit = _measured(
            cast(Hashable, model),
            cell,
            profile,
            sz,
            pool.area_nslabs,
            coarse,
            addresses,
        )
        if fit is None:
            return Excluded(cell, _why_none(printing, cell, limit, sz))
        refuted, least = _refuted(model, cell, printing, fit, pool)
    except NoClosedForm as error:
        return Excluded(cell, f"not judged: {error}")
    left = ~refuted
    if not bool(left.any()):
        return Excluded(
            cell,
            f"with {pool.used} slots used it would have been served;"
            f" to refuse it takes {least} at least",
        )
    residues = printing.residues[printing.valid]
    return CellResult(
        cell=cell,
        limit=limit,
        sizes=printing.sizes,
        nslots=(int(fit.nslots[left].min()), int(fit.nslots[left].max())),
        never=describe(residues, ~fit.some, printing.modulus),
        never_share=float((~fit.some).mean()),
        asked=describe(residues, left, printing.modulus),
        blocked_from=least,
        verdict=_judge(fit, left, pool),
    )


def overall(results: list[CellResult]) -> Verdict | None:
    """The verdict that all cells share, UNDECIDED where they differ, None of none."""
    verdicts = {result.verdict for result in results}
    if not verdicts:
        return None
    if verdicts == {Verdict.NEVER, Verdict.ADDRESS}:
        return Verdict.ADDRESS
    if verdicts <= {Verdict.FULL, Verdict.FRAGMENTED, Verdict.CROWDED}:
        return verdicts.pop() if len(verdicts) == 1 else Verdict.CROWDED
    return verdicts.pop() if len(verdicts) == 1 else Verdict.UNDECIDED
