# SPDX-License-Identifier: GPL-2.0-only
"""A request on a tree's compiled functions, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell
from bounceproof.source.kernel.confirm import pool_numbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native.native import run_native


def native_outcome(
    kernel: SourceKernel,
    cell: Cell,
    numbers: Mapping[str, Any],
    taken: list[tuple[int, int]],
) -> Outcome:
    """The outcome of the tree's functions, compiled and run; raises NativeError."""
    pool = pool_numbers(numbers, taken)
    return run_native(kernel, cell, numbers["orig_addr"], numbers["size"], pool)
