# SPDX-License-Identifier: GPL-2.0-only
"""The contract as formulas: for each property, when a request breaks it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from bounceproof.models.outcome import Outcome, misaligned, outcome
from bounceproof.models.request import Cell, KernelModel
from bounceproof.models.word import Truth
from bounceproof.solver.domain import Variables


class Property(StrEnum):
    """The properties of the contract, as design and reports name them."""

    FITS = "fits"
    HALTS = "halts"
    ALIGNED = "aligned"


MEANING = {
    Property.FITS: "every request within the driver's limit is satisfied by an "
    "empty pool, for every address, pool placement and start index",
    Property.HALTS: "the search ends",
    Property.ALIGNED: "tlb_addr keeps the min_align_mask bits of orig_addr, the "
    "allocation starts at a multiple of alloc_align_mask + 1, and a coherent "
    "allocation of a page or more is page aligned",
}


def fits_broken(cell: Cell, variables: Variables, result: Outcome) -> Truth:
    """A request that needs a bounce buffer gets none from an empty pool.

    Masks that the kernel refuses for every request are left out: no size is within
    a limit for them.  Source: the callers' limits in bounceproof.models.limits.
    """
    return ~result.mapping.refused & ~result.ok


def halts_broken(cell: Cell, variables: Variables, result: Outcome) -> Truth:
    """The search of an empty pool has no end."""
    return result.hang


def aligned_broken(cell: Cell, variables: Variables, result: Outcome) -> Truth:
    """A mapping that the driver gets lies where its masks forbid."""
    mapped = result.ok & result.mapping.bounced
    placed = misaligned(
        cell, variables.request, result.mapping, variables.pool, result.slot
    )
    return mapped & placed


_BROKEN: dict[Property, Callable[[Cell, Variables, Outcome], Truth]] = {
    Property.FITS: fits_broken,
    Property.HALTS: halts_broken,
    Property.ALIGNED: aligned_broken,
}


def broken(
    prop: Property, model: KernelModel, cell: Cell, variables: Variables
) -> Truth:
    """When a request of ``cell`` breaks ``prop``, the domain aside."""
    result = outcome(model, cell, variables.request, variables.pool, variables.areas)
    return _BROKEN[prop](cell, variables, result)
