# SPDX-License-Identifier: GPL-2.0-only
"""Compile the engine where numba is there and wanted, run it as it is where not.

``BOUNCEPROOF_JIT=0`` in the environment turns compilation off.  Engine functions work
on int64: a kernel word of 64 bits is held as its two's complement number, which
:func:`wrap64` restores after an operation that can leave that range.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

ENABLED = os.environ.get("BOUNCEPROOF_JIT", "1") != "0"
_SIGN = 1 << 63


def signed64(value: int) -> int:
    """The int64 that has the bits of the unsigned 64-bit ``value``."""
    return ((value + _SIGN) & ((1 << 64) - 1)) - _SIGN


def unsigned64(value: int) -> int:
    """The unsigned 64-bit number that has the bits of ``value``."""
    return int(value) & ((1 << 64) - 1)


if ENABLED:
    import numba

    def compiled(function: F) -> F:
        """Compile on first call; the machine code is cached where a folder is had."""
        options: Any = {"nogil": True, "error_model": "numpy", "forceinline": True}
        made: Any
        try:
            made = numba.njit(cache=True, **options)(function)
        except RuntimeError:
            made = numba.njit(**options)(function)
        kept: F = made
        return kept

    @compiled
    def wrap64(value: int) -> int:
        """int64 arithmetic wraps by itself."""
        return value

else:

    def compiled(function: F) -> F:
        """Leave the function as it is."""
        return function

    wrap64 = signed64


@compiled
def below(a: int, b: int) -> bool:
    """Unsigned a < b on 64-bit words held as int64."""
    if (a < 0) != (b < 0):
        return b < 0
    return a < b


@compiled
def shift_right(value: int, count: int) -> int:
    """Logical right shift of a 64-bit word held as int64, by 1 to 63."""
    return (value >> count) & ((1 << (64 - count)) - 1)
