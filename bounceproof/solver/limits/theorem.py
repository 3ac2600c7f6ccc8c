# SPDX-License-Identifier: GPL-2.0-only
"""Do granule and min_align_mask always work together?  A theorem per property.

For every granule G of at least IO_TLB_SIZE and every mask m below G, every request of
an untrusted device behind an IOMMU, within the DMA layer's limit, keeps the property.
Where that is false, side conditions are added until it is true; the ones reported
are the weakest of :mod:`bounceproof.solver.limits.conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from time import monotonic

from bounceproof.models.constants import (
    PAGE_SIZES,
    PCI_SEG_BOUNDARY,
)
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.requests.devices import Device
from bounceproof.models.words.word import TRUE, Truth
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Hunt, Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.solver.counterexample.confirm import confirmer
from bounceproof.solver.counterexample.find import hunt, property_question
from bounceproof.solver.limits.conditions import CONDITIONS, OTHERS, Condition
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT, Query, Status, ask
from bounceproof.solver.trees.started import as_started

GRANULES = (65536, 16384, 4096, 2048)
MASKS = (0xFFFF, 0x3FFF, 0xFFF, 0x7FF, 0x1FF, 0)

Side = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Theorem:
    """One property of one kernel: true as stated, or under which side conditions.

    ``weakest`` are the conditions of the family, and sets of at most two of the others,
    that make it true and that no weaker set replaces; empty where the finding holds, is
    unknown, or none does.  ``exact`` are those of them outside which every request
    that bounces breaks the property.
    """

    finding: Finding
    weakest: tuple[Side, ...]
    seconds: float
    exact: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True)
class Theorems:
    """The theorem for every property asked of one kernel."""

    model: KernelModel
    domain: Domain
    theorems: tuple[Theorem, ...]


PATHS = (Path.IOMMU, Path.LINK)
"""The ways into dma-iommu, each with a theorem of its own."""


def theorem_domain(device: Device, path: Path = Path.IOMMU) -> Domain:
    """What the theorem speaks of: one way into dma-iommu, one segment below 4 GiB."""
    return Domain(device, path=path, seg_boundary_mask=PCI_SEG_BOUNDARY)


def theorem_cells(model: KernelModel, domain: Domain) -> tuple[tuple[Cell, int], ...]:
    """Every page size, granule and mask below it, with the DMA layer's limit."""
    pages = PAGE_SIZES if domain.page_size is None else (domain.page_size,)
    granules = GRANULES if domain.granule is None else (domain.granule,)
    masks = MASKS if domain.min_align_mask is None else (domain.min_align_mask,)
    cells = [
        Cell(page, granule, domain.path or Path.IOMMU, mask)
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
    """The weakest side conditions under which the property holds, each alone, and of
    those that are no sums two together.

    Asked in the cells of ``broken_in`` alone: it holds in the others without any.
    """
    broken = tuple(pair for pair in wanted.cells if pair[0] in broken_in)
    wanted, true = replace(wanted, cells=broken), list[Side]()
    for side in (*((c,) for c in CONDITIONS), *combinations(OTHERS, 2)):
        if any(_follows(wanted, side, other) for other in true):
            continue
        if _possible(wanted, side) and _status(wanted, side) is Status.UNSAT:
            true = [t for t in true if not _follows(wanted, t, side)]
            true.append(side)
    return tuple(true)


def _possible(wanted: Hunt, side: Side) -> bool:
    """Whether some cell has a request under the side conditions at all."""
    for cell, limit in wanted.cells:
        space = wanted.space(cell, limit)
        here = space.constraint & _all_of(side, cell, space)
        answer = ask(Query("a request under side conditions", here), wanted.seconds)
        if answer.status is Status.SAT:
            return True
    return False


def _exact(wanted: Hunt, model: KernelModel, side: Side) -> bool:
    """Whether every request that bounces outside the side conditions is broken."""
    for cell, limit in wanted.cells:
        space = wanted.space(cell, limit)
        outside = space.constraint & ~_all_of(side, cell, space)
        outside = outside & model.mapping(cell, space.request).bounced
        kept = outside & ~wanted.question(cell, space)
        answer = ask(Query(f"{wanted.prop} outside", kept), wanted.seconds)
        if answer.status is not Status.UNSAT:
            return False
    return True


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
    exact: tuple[Side, ...] = ()
    if finding.verdict is Verdict.BROKEN:
        right = (Verdict.HOLDS, Verdict.NO_REQUEST)
        broken = {c.cell for c in finding.cells if c.verdict not in right}
        weakest = weakest_conditions(wanted, broken)
        exact = tuple(side for side in weakest if _exact(wanted, model, side))
    return Theorem(finding, weakest, monotonic() - started, exact)


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
