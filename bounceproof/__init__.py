# SPDX-License-Identifier: GPL-2.0-only
"""bounceproof: can a DMA mapping within the driver's limit ever fail in swiotlb?

>>> import bounceproof
>>> bounceproof.check("v6.12", properties=["halts"]).verdict
'holds'

Functions answer with frozen dataclasses.  What they need is imported when one is first
called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "check": "bounceproof.library.ask",
    "prove": "bounceproof.library.ask",
    "simulate": "bounceproof.library.ask",
    "explain": "bounceproof.library.logs",
    "capacity": "bounceproof.library.capacity",
    **dict.fromkeys(
        (
            *("Answer", "Capacity", "Check", "Configuration", "Counterexample"),
            *("Explanation", "Finding", "Message", "Outcome", "Proof", "Request"),
            "Simulation",
        ),
        "bounceproof.library.results",
    ),
    "BounceproofError": "bounceproof.errors",
    "InputError": "bounceproof.errors",
}
"""Where each name lives."""

if TYPE_CHECKING:
    from bounceproof.errors import BounceproofError, InputError
    from bounceproof.library.ask import check, prove, simulate
    from bounceproof.library.capacity import capacity
    from bounceproof.library.logs import explain
    from bounceproof.library.results import (
        Answer,
        Capacity,
        Check,
        Configuration,
        Counterexample,
        Explanation,
        Finding,
        Message,
        Outcome,
        Proof,
        Request,
        Simulation,
    )

__all__ = [
    "Answer",
    "BounceproofError",
    "Capacity",
    "Check",
    "Configuration",
    "Counterexample",
    "Explanation",
    "Finding",
    "InputError",
    "Message",
    "Outcome",
    "Proof",
    "Request",
    "Simulation",
    "__version__",
    "capacity",
    "check",
    "explain",
    "prove",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bounceproof' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
