# SPDX-License-Identifier: GPL-2.0-only
"""The contract: one record a property, from which help, tables and questions follow.

When a request breaks a property is a formula of
:mod:`bounceproof.solver.contract.properties`, what shows it on a kernel that is run is
in :mod:`bounceproof.solver.counterexample.confirm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.request import Path, PoolKind


class Property(StrEnum):
    """The properties of the contract, as reports and options name them."""

    FITS = "fits"
    FINDS = "finds"
    HALTS = "halts"
    ALIGNED = "aligned"
    OWNED = "owned"
    EXCLUSIVE = "exclusive"
    INBOUNDS = "inbounds"
    RETURNED = "returned"
    CLEAN = "clean"


_STREAMING = (Path.IOMMU, Path.DIRECT)
_SYNC = ("direction", "sync_offset", "sync_size")


@dataclass(frozen=True, slots=True)
class Clause:
    """What one property says.

    ``meaning``: when it holds, in a sentence; ``briefly``: in a few words.
    ``of_transient``: the sentence for the pool made for one request, where it is
    another one.  ``paths``: where it is asked: copies and zeroing are asked of whole
    streaming mappings, as a coherent allocation has no original to copy, and of
    dma_iova_link() one piece alone is modelled.  ``symbols``: what it speaks of beside
    request and pool.  ``live``: it speaks of mappings as they live, and a history of
    calls shows it; the others speak of one search.
    """

    meaning: str
    briefly: str
    of_transient: str | None = None
    paths: tuple[Path, ...] = tuple(Path)
    symbols: tuple[str, ...] = ()
    live: bool = False


CONTRACT: dict[Property, Clause] = {
    Property.FITS: Clause(
        meaning="every request within the driver's limit is satisfied by an empty "
        "pool, for every address, pool placement and start index",
        briefly="every request within the driver's limit fits an empty pool",
        of_transient="every request within the driver's limit is satisfied by the "
        "transient pool made for it, for every address and placement",
    ),
    Property.FINDS: Clause(
        meaning="if the area holds a free run that the code's own alignment rule "
        "accepts, the search returns one",
        briefly="no missed free run: what is free and admissible is found",
        of_transient="if the pool made for a request holds a free run that the code's "
        "own alignment rule accepts, the search returns one",
        symbols=("free_slot",),
    ),
    Property.HALTS: Clause(
        meaning="the search ends, whatever the area holds",
        briefly="the search ends",
        of_transient="the search of the pool made for a request ends",
    ),
    Property.ALIGNED: Clause(
        meaning="tlb_addr keeps the min_align_mask bits of orig_addr, the allocation "
        "starts at a multiple of alloc_align_mask + 1, and a coherent allocation of a "
        "page or more is page aligned",
        briefly="address bits below min_align_mask and alignments are kept",
    ),
    Property.OWNED: Clause(
        meaning="every IOMMU granule the device can reach through the mapping holds "
        "only slots of that mapping",
        briefly="isolation: the device reaches no slot of another mapping",
        live=True,
    ),
    Property.EXCLUSIVE: Clause(
        meaning="no slot belongs to two live mappings: what the caller may use lies in "
        "the slots taken",
        briefly="no slot belongs to two live mappings",
        of_transient="what the caller may use lies in the pages of the pool that was "
        "made for it, and of no other",
        live=True,
    ),
    Property.INBOUNDS: Clause(
        meaning="every copy, and all that is zeroed, stays inside the mapping's slots "
        "and inside the original buffer, partial syncs included",
        briefly="every copy stays inside the slots and the original buffer",
        paths=_STREAMING,
        symbols=_SYNC,
        live=True,
    ),
    Property.RETURNED: Clause(
        meaning="unmapping frees exactly the slots that the mapping took",
        briefly="unmapping frees exactly the slots that were taken",
        of_transient="the pool that unmapping frees has exactly the slots that the "
        "mapping took",
        live=True,
    ),
    Property.CLEAN: Clause(
        meaning="the device sees no stale byte in the padding it can reach, and a "
        "partial device write loses no byte",
        briefly="no stale data: the device sees no old byte, and none is lost",
        paths=_STREAMING,
        symbols=_SYNC,
        live=True,
    ),
}
LIVE = tuple(prop for prop, clause in CONTRACT.items() if clause.live)
"""Properties of live mappings, which a history of calls shows."""


def meaning(prop: Property, kind: PoolKind = PoolKind.DEFAULT) -> str:
    """What ``prop`` says of pools of ``kind``."""
    clause = CONTRACT[prop]
    transient = kind is PoolKind.TRANSIENT and clause.of_transient
    return transient or clause.meaning


def applies(prop: Property, path: Path) -> bool:
    """Whether ``prop`` is asked on ``path``."""
    return path in CONTRACT[prop].paths
