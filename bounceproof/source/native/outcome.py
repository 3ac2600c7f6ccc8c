# SPDX-License-Identifier: GPL-2.0-only
"""A request on a tree's compiled functions, in the JSON contract's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bounceproof.models.request import Cell
from bounceproof.source.kernel.confirm import OUTCOME, pool_numbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native.native import run_native


def native_outcome(
    kernel: SourceKernel,
    cell: Cell,
    numbers: Mapping[str, Any],
    taken: list[tuple[int, int]],
) -> dict[str, Any]:
    """The outcome of the tree's functions, compiled and run; raises NativeError."""
    pool = pool_numbers(numbers, taken)
    outcome = run_native(kernel, cell, numbers["orig_addr"], numbers["size"], pool)
    return {name: outcome[name] for name in OUTCOME}
