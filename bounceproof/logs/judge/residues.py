# SPDX-License-Identifier: GPL-2.0-only
"""A set of residues of orig_addr in words."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bounceproof.logs.judge.printing import Truths, Values


@lru_cache(maxsize=32)
def _masks(modulus: int) -> tuple[int, ...]:
    """Masks of neighbouring bits below ``modulus``: from bit 0 on, then the rest."""
    bits = (modulus - 1).bit_length()
    runs = [(low, high) for low in range(bits) for high in range(low + 1, bits + 1)]
    runs.sort(key=lambda run: (run[0] > 0, run[1] - run[0], run[0]))
    return tuple((1 << high) - (1 << low) for low, high in runs)


def _nonzero(residues: Values, chosen: Truths, mask: int) -> str | None:
    some = (residues & np.uint64(mask)) != 0
    return f"orig_addr & {mask:#x} != 0" if bool((some == chosen).all()) else None


def _zero(residues: Values, chosen: Truths, mask: int) -> str | None:
    zero = (residues & np.uint64(mask)) == 0
    return f"orig_addr & {mask:#x} == 0" if bool((zero == chosen).all()) else None


def _above(residues: Values, chosen: Truths, mask: int) -> str | None:
    masked = residues & np.uint64(mask)
    bound = masked[~chosen].max()
    same = bool(((masked > bound) == chosen).all())
    return f"orig_addr & {mask:#x} > {int(bound):#x}" if same else None


def describe(residues: Values, chosen: Truths, modulus: int) -> str:
    """Which of ``residues`` are ``chosen``: a condition on orig_addr, or a count."""
    if bool(chosen.all()):
        return "every orig_addr"
    if not bool(chosen.any()):
        return "no orig_addr"
    for form in (_nonzero, _zero, _above):
        for mask in _masks(modulus):
            said = form(residues, chosen, mask)
            if said is not None:
                return said
    first = int(residues[chosen][0])
    return (
        f"{int(chosen.sum())} of {len(chosen)} values of orig_addr modulo"
        f" {modulus:#x}, {first:#x} the first"
    )
