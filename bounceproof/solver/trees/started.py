# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of an answer about a tree whose pool is not proved to start out empty.

The formulas speak of an empty pool as every release leaves it.  Where the tree's own
initialisation is not proved to leave that, they prove nothing about the tree; what its
code was seen to do stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import Cell, KernelModel
from bounceproof.models.words.word import SIZE_T, Truth, Word
from bounceproof.solver.contract.domain import Variables
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Counterexample, Finding, Hunt, Verdict
from bounceproof.solver.smt.engine import Query, ask
from bounceproof.solver.smt.minimum import point_of


def unproved_start(model: KernelModel, pages: Iterable[int]) -> str | None:
    """Why the pool of ``model`` is not known to start out empty; None where it is."""
    if isinstance(model, BuiltinKernel):
        return None
    tree: object = model
    reasons = (_unproved(tree, page) for page in sorted(pages))
    return next((reason for reason in reasons if reason is not None), None)


@lru_cache(maxsize=64)
def _unproved(model: object, page_size: int) -> str | None:
    from bounceproof.solver.trees.initial import HasProgram, initial_state_proved
    from bounceproof.source.errors import NotUnderstood

    if not isinstance(model, HasProgram):
        return "how the tree's pool starts out is not known"
    try:
        initial_state_proved(model, page_size)
    except NotUnderstood as error:
        return str(error)
    return None


def as_started(
    finding: Finding,
    models: Iterable[KernelModel],
    pages: Iterable[int],
    hunt: Hunt | None = None,
) -> Finding:
    """``finding`` as far as it stands for pools that start out as those of ``models``.

    A counterexample that the tree's own code showed stands, as one of many; of
    ``hunt`` some requests are run in search of one.
    """
    asked = sorted(set(pages))
    reasons = (unproved_start(model, asked) for model in models)
    why = next((reason for reason in reasons if reason is not None), None)
    if why is None:
        return finding
    if finding.verdict is Verdict.BROKEN and finding.counterexample is not None:
        example = replace(finding.counterexample, minimum=False)
        return replace(finding, counterexample=example, note=f"no proof: {why}")
    shown = None if hunt is None else _shown(hunt)
    if shown is not None:
        note = f"one of many, no smallest: {why}"
        return replace(_broken(finding, shown), note=note)
    cells = tuple(
        replace(cell, verdict=Verdict.UNKNOWN, reason=why) for cell in finding.cells
    )
    return replace(
        finding,
        verdict=Verdict.UNKNOWN,
        cells=cells,
        counterexample=None,
        confirmed=None,
        reason=why,
        note=None,
    )


def _broken(finding: Finding, example: Counterexample) -> Finding:
    cells = tuple(
        replace(cell, verdict=Verdict.BROKEN) if cell.cell == example.cell else cell
        for cell in finding.cells
    )
    return replace(
        finding,
        verdict=Verdict.BROKEN,
        cells=cells,
        counterexample=example,
        confirmed=True,
        reason=None,
    )


def _shown(hunt: Hunt) -> Counterexample | None:
    """A large request to a pool of one slot set that the tree's own code fails."""
    if hunt.prop is not Property.FITS:
        return None
    for cell, limit in hunt.cells:
        space = hunt.space(cell, limit)
        for way in _ways(cell, limit, space):
            answer = ask(Query(f"{hunt.prop}: some request", way), hunt.seconds)
            if answer.model is None:
                continue
            point = point_of(answer.model, space.ordered())
            if hunt.confirm(cell, point):
                seen = hunt.simulate(cell, point)
                outcome, taken, history = seen.outcome, seen.taken, seen.history
                return Counterexample(
                    cell, limit, point, outcome, False, taken, history
                )
    return None


def _ways(cell: Cell, limit: int, space: Variables) -> Iterator[Truth]:
    """Requests of sizes around the limit, its half and its quarter."""
    segsize, size = space.pool.geometry.segsize, space.request.size
    small = space.constraint & space.pool.area_nslabs.eq(segsize)
    for part in (1, 2, 4):
        most = Word(limit // part + cell.page_size, SIZE_T)
        around = small & (size >= Word(limit // part, SIZE_T)) & (size <= most)
        yield around & (space.request.orig_addr & 0xFFF).ne(0)
        yield around
