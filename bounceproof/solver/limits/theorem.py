# SPDX-License-Identifier: GPL-2.0-only
"""Do granule and min_align_mask always work together?  A theorem per property.

For every granule G of at least IO_TLB_SIZE and every mask m below G, every request of
an untrusted device behind an IOMMU, within the DMA layer's limit, keeps the property.
Where that is false, side conditions are added until it is true; the ones reported
are the weakest of a small lattice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from time import monotonic

from bounceproof.models.constants import (
    IO_TLB_SEGSIZE,
    IO_TLB_SIZE,
    PAGE_SIZES,
    PCI_SEG_BOUNDARY,
    SLOT_SET_BYTES,
)
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.requests.devices import Device
from bounceproof.models.words.word import SIZE_T, TRUE, Truth, Word
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Hunt, Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.solver.counterexample.confirm import confirmer
from bounceproof.solver.counterexample.find import hunt, property_question
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT, Query, Status, ask
from bounceproof.solver.trees.started import as_started

GRANULES = (65536, 16384, 4096, 2048)
MASKS = (0xFFFF, 0x3FFF, 0xFFF, 0x7FF, 0x1FF, 0)
LOW = IO_TLB_SIZE - 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A side condition in words and as a formula."""

    name: str
    text: str
    holds: Callable[[Cell, Variables], Truth]


def _aligned_pool(cell: Cell, space: Variables) -> Truth:
    return (space.pool.start & Word(cell.granule - 1, SIZE_T)).eq(0)


def _size(cell: Cell, space: Variables) -> Truth:
    return space.request.size <= Word(SLOT_SET_BYTES - cell.granule, SIZE_T)


def _fits_rounded(cell: Cell, space: Variables) -> Truth:
    largest = SLOT_SET_BYTES - (cell.min_align_mask + 1 if cell.min_align_mask else 0)
    return space.request.size <= Word(largest, SIZE_T)


def _low_bits(cell: Cell, space: Variables) -> Truth:
    return (space.request.orig_addr & (cell.min_align_mask & LOW)).eq(0)


def _high_bits(cell: Cell, space: Variables) -> Truth:
    return (space.request.orig_addr & (cell.min_align_mask & ~LOW)).eq(0)


def _all_bits(cell: Cell, space: Variables) -> Truth:
    return (space.request.orig_addr & cell.min_align_mask).eq(0)


CONDITIONS = (
    Condition("larger-area", "an area is more than one slot set",
              lambda cell, space: space.pool.area_nslabs > IO_TLB_SEGSIZE),
    Condition("not-zero", "orig_addr is not 0",
              lambda cell, space: space.request.orig_addr.ne(0)),
    Condition("low-bits", "orig_addr & m & 0x7ff is 0", _low_bits),
    Condition("high-bits", "orig_addr & m & ~0x7ff is 0", _high_bits),
    Condition("all-bits", "orig_addr & m is 0", _all_bits),
    Condition("small-mask", "m is at most 0x7ff",
              lambda cell, space: Truth(cell.min_align_mask <= LOW)),
    Condition("page-granule", "the granule is the page",
              lambda cell, space: Truth(cell.granule == cell.page_size)),
    Condition("aligned-pool", "the pool starts at a multiple of the granule",
              _aligned_pool),
    Condition("size-mask", "size is at most 256K, less m + 1 where m is not 0",
              _fits_rounded),
    Condition("size-granule", "size is at most 256K less the granule", _size),
)  # fmt: skip

Side = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Theorem:
    """One property of one kernel: true as stated, or under which side conditions.

    ``weakest`` are the sets of at most two conditions that make it true and that no
    weaker set replaces; empty where the finding holds, is unknown, or none does.
    """

    finding: Finding
    weakest: tuple[Side, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Theorems:
    """The theorem for every property asked of one kernel."""

    model: KernelModel
    domain: Domain
    theorems: tuple[Theorem, ...]


def theorem_domain(device: Device) -> Domain:
    """What the theorem speaks of: path iommu and one segment below 4 GiB."""
    return Domain(device, path=Path.IOMMU, seg_boundary_mask=PCI_SEG_BOUNDARY)


def theorem_cells(model: KernelModel, domain: Domain) -> tuple[tuple[Cell, int], ...]:
    """Every page size, granule and mask below it, with the DMA layer's limit."""
    pages = PAGE_SIZES if domain.page_size is None else (domain.page_size,)
    granules = GRANULES if domain.granule is None else (domain.granule,)
    masks = MASKS if domain.min_align_mask is None else (domain.min_align_mask,)
    cells = [
        Cell(page, granule, Path.IOMMU, mask)
        for page in sorted(pages, reverse=True)
        for granule in granules
        for mask in masks
        if granule <= page and mask < granule
    ]
    return tuple((cell, model.max_mapping_size(cell)) for cell in cells)


def _status(wanted: Hunt, side: Side) -> Status:
    """Whether some cell has a violation under the side conditions."""
    answered = Status.UNSAT
    for cell, limit in wanted.cells:
        space = wanted.space(cell, limit)
        violation = space.constraint & _all_of(side, cell, space)
        violation = violation & wanted.question(cell, space)
        names = " and ".join(condition.name for condition in side)
        name = f"{wanted.prop} with {names}, page {cell.page_size}"
        status = ask(Query(name, violation), wanted.seconds).status
        if status is Status.SAT:
            return status
        if status is Status.UNKNOWN:
            answered = status
    return answered


def _all_of(side: Side, cell: Cell, space: Variables) -> Truth:
    truth = TRUE
    for condition in side:
        truth = truth & condition.holds(cell, space)
    return truth


def _follows(wanted: Hunt, side: Side, other: Side) -> bool:
    """Whether ``other`` is true wherever ``side`` is, so that it is weaker."""
    if set(other) <= set(side):
        return True
    for cell, limit in wanted.cells:
        space = wanted.space(cell, limit)
        apart = space.constraint & _all_of(side, cell, space)
        apart = apart & ~_all_of(other, cell, space)
        query = Query(f"does {other[0].name} follow", apart)
        if ask(query, wanted.seconds).status is not Status.UNSAT:
            return False
    return True


def weakest_conditions(wanted: Hunt, broken_in: set[Cell]) -> tuple[Side, ...]:
    """The weakest side conditions, of one or two, under which the property holds.

    Asked in the cells of ``broken_in`` alone: it holds in the others without any.
    """
    broken = tuple(pair for pair in wanted.cells if pair[0] in broken_in)
    wanted, true = replace(wanted, cells=broken), list[Side]()
    for count in (1, 2):
        for side in combinations(CONDITIONS, count):
            if any(_follows(wanted, side, other) for other in true):
                continue
            if _status(wanted, side) is Status.UNSAT:
                true = [t for t in true if not _follows(wanted, t, side)]
                true.append(side)
    return tuple(true)


def prove_theorem(
    prop: Property, model: KernelModel, domain: Domain, seconds: float
) -> Theorem:
    """The theorem for ``prop``: a proof, or a counterexample and what repairs it."""
    started = monotonic()
    cells = theorem_cells(model, domain)
    run, confirm = confirmer(prop, model)
    question = property_question(prop, model)
    wanted = Hunt(prop, domain, cells, question, run, confirm, seconds)
    try:
        finding = hunt(wanted)
    except NoClosedForm as reason:
        finding = Finding(prop, Verdict.UNKNOWN, (), None, None, str(reason), None, 0.0)
    finding = as_started(finding, (model,), {cell.page_size for cell, _ in cells})
    weakest: tuple[Side, ...] = ()
    if finding.verdict is Verdict.BROKEN:
        right = (Verdict.HOLDS, Verdict.NO_REQUEST)
        broken = {c.cell for c in finding.cells if c.verdict not in right}
        weakest = weakest_conditions(wanted, broken)
    return Theorem(finding, weakest, monotonic() - started)


def theorems(
    model: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float = DEFAULT_TIMEOUT,
    watch: Watch = unwatched,
) -> Theorems:
    """The theorem for every property."""
    proved = []
    for done, prop in enumerate(properties):
        watch(f"{model.name}, {prop}", done, len(properties))
        proved.append(prove_theorem(prop, model, domain, seconds))
    return Theorems(model, domain, tuple(proved))
