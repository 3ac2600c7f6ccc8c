# SPDX-License-Identifier: GPL-2.0-only
"""A tree's kernel that runs requests on its own code, in the JSON contract's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path, Place
from bounceproof.source.extract.run import PoolNumbers, Run
from bounceproof.source.kernel.history import run_tree_history
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.kernel.places import Asked, places


def pool_numbers(
    numbers: Mapping[str, Any], taken: list[tuple[int, int]]
) -> PoolNumbers:
    """The pool of a request's fields, with runs of slots in use."""
    busy = (slot for first, last in taken for slot in range(first, last + 1))
    return PoolNumbers(
        numbers["pool_start"],
        numbers["nslabs"],
        numbers["nareas"],
        numbers["start_index"],
        numbers["seg_boundary_mask"],
        frozenset(busy),
    )


class TreeKernel(SourceKernel):
    """A :class:`SourceKernel` that confirms counterexamples on its own C."""

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """See :class:`bounceproof.models.request.Configured`."""
        patches = [("--patch", name) for name in self.tree.patches]
        stated = [("--config", f"{key}={self.stated[key]}") for key in self.stated]
        return (*patches, *stated)

    def run_numbers(
        self, cell: Cell, numbers: Mapping[str, Any], taken: list[tuple[int, int]]
    ) -> Outcome:
        """See :class:`bounceproof.models.request.RunsItself`.

        Of dma_iova_link() the first piece alone is run; what iommu_map() then refuses,
        an address that is not granule aligned, lies outside the code that is read.
        """
        pool = pool_numbers(numbers, taken)
        run = self.run(cell, numbers["orig_addr"], numbers["size"], pool)
        outcome = run.outcome
        if cell.path is Path.LINK and outcome.ok and not _mappable(cell, run):
            return replace(outcome, ok=False, slot=None, tlb_addr=None)
        return outcome

    def breaks_at(
        self,
        prop: str,
        cell: Cell,
        numbers: Mapping[str, int],
        taken: list[tuple[int, int]],
    ) -> tuple[Place, ...]:
        """See :class:`bounceproof.models.request.SaysWhereItBreaks`."""
        program = self.program(cell.page_size)
        entry = self.entry(cell.path, cell.page_size)
        if entry is None:
            return ()
        pool, search = pool_numbers(numbers, taken), self.reader(cell.page_size).search
        asked = Asked(
            cell,
            entry,
            search.function,
            self.geometry(cell.page_size),
            numbers["orig_addr"],
            numbers["size"],
            pool,
        )
        return places(program, asked, prop)

    def run_history(
        self, machine: Mapping[str, Any], ops: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """See :class:`bounceproof.models.request.RunsHistories`."""
        return run_tree_history(self, machine, ops)


def _mappable(cell: Cell, run: Run) -> bool:
    return all(address % cell.granule == 0 for address, _ in run.mapped)
