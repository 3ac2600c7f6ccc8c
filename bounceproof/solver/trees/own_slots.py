# SPDX-License-Identifier: GPL-2.0-only
"""Whether a tree's mappings leave each other's slots alone, list[] aside.

A property of live mappings is asked of one mapping.  It holds of all where no mapping,
no sync of it and no end of it reads or writes what another's slots hold.
"""

from __future__ import annotations

from dataclasses import replace

from bounceproof.models.constants import MAX_AREA_SLOTS, MAX_AREAS, MAX_POOL_SLOTS
from bounceproof.models.contract import LIVE
from bounceproof.models.formulas.search import NotRead
from bounceproof.models.request import Cell
from bounceproof.solver.contract.properties import Property, others_touched
from bounceproof.solver.contract.verdict import Finding, Hunt, Verdict
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.source.errors import SourceError
from bounceproof.source.kernel.kernel import SourceKernel


class OwnSlots:
    """The answers about one tree, by cell."""

    def __init__(self, model: object) -> None:
        self._model = model
        self._known: dict[Cell, str | None] = {}

    def checked(self, wanted: Hunt, found: Finding) -> Finding:
        """``found``, or unknown where it holds of a mapping that is alone."""
        if found.verdict is not Verdict.HOLDS:
            return found
        reason = _beyond(wanted, self._model)
        if reason is not None:
            return replace(found, verdict=Verdict.UNKNOWN, reason=reason)
        if found.prop not in LIVE:
            return found
        for cell, limit in wanted.cells:
            reason = self._reason(wanted, cell, limit)
            if reason is not None:
                return replace(found, verdict=Verdict.UNKNOWN, reason=reason)
        return found

    def _reason(self, wanted: Hunt, cell: Cell, limit: int) -> str | None:
        """Why another's slots may not be left alone; None where they are."""
        model = self._model
        if not isinstance(model, SourceKernel):
            return None
        if cell not in self._known:
            space = replace(wanted, prop=Property.INBOUNDS).space(cell, limit)
            try:
                touched = space.constraint & others_touched(model, cell, space)
                answer = ask(Query(f"other slots {cell.path}", touched), wanted.seconds)
                proved = answer.status is Status.UNSAT
                why = "" if proved else f": {answer.reason or 'not so'}"
            except (SourceError, NotRead) as error:
                proved, why = False, f": {error}"
            told = "that mappings leave each other's slots alone is not proved"
            self._known[cell] = None if proved else told + why
        return self._known[cell]


def _beyond(wanted: Hunt, model: object) -> str | None:
    """Why a pool is larger than what is proved of a tree's code; None for none."""
    nslabs, nareas = wanted.domain.nslabs or 0, wanted.domain.nareas
    if not isinstance(model, SourceKernel):
        return None
    if nareas is None:
        sizes = (wanted.geometry(cell.page_size).segsize for cell, _ in wanted.cells)
        nareas = nslabs // min(sizes, default=1)
    if nareas > MAX_AREAS or nslabs > MAX_POOL_SLOTS:
        most = f"more than {MAX_AREAS} areas or {MAX_POOL_SLOTS} slots"
        return f"of pools of {most} nothing is proved"
    if wanted.prop in LIVE and nslabs > MAX_AREA_SLOTS:
        return f"slots of the pool from {MAX_AREA_SLOTS} on are not asked about"
    return None
