# SPDX-License-Identifier: GPL-2.0-only
"""What came of one request that was run, whatever ran it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ok``: the driver gets what it asks for; ``bounced``: it needs a bounce buffer.

    ``slot``, pool-wide, and ``tlb_addr`` (phys_addr_t) are None where the driver gets
    no bounce buffer, ``nslots`` where it needs none.  ``sz``: the bytes in "swiotlb
    buffer is full (sz: N bytes)", None where the kernel prints none.  ``hang``: the
    search never ends.
    """

    ok: bool
    bounced: bool
    slot: int | None = None
    nslots: int | None = None
    tlb_addr: int | None = None
    sz: int | None = None
    hang: bool = False

    def fields(self) -> dict[str, Any]:
        """Name and value of every field, in the order of the JSON contract."""
        return {name: getattr(self, name) for name in OUTCOME_FIELDS}


OUTCOME_FIELDS = tuple(f.name for f in fields(Outcome))
