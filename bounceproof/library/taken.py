# SPDX-License-Identifier: GPL-2.0-only
"""Slots in use before a request comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from bounceproof.models.requests.validate import BadInput

Runs = list[tuple[int, int]]


def checked_runs(taken: Sequence[tuple[int, int]], fields: Mapping[str, Any]) -> Runs:
    """``taken`` for a request with these fields: first and last slots, in order.

    Raises BadInput.
    """
    runs = [(int(first), int(last)) for first, last in taken]
    if fields.get("pool_kind") == "transient":
        raise BadInput("taken", runs, "a transient pool is made empty")
    if fields["nareas"] != 1:
        raise BadInput("taken", runs, "the pool has more than one area")
    for first, last in runs:
        if not 0 <= first <= last < fields["nslabs"]:
            raise BadInput("taken", (first, last), "not in the pool")
    for before, after in pairwise(runs):
        if after[0] <= before[1]:
            raise BadInput("taken", after, "out of order")
    return runs
