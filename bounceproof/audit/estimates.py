# SPDX-License-Identifier: GPL-2.0-only
"""Rates with confidence intervals from runs whose failures come in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``failures`` of ``attempts``; the true rate lies from ``low`` to ``high`` in 95
    of 100 cases."""

    attempts: int
    failures: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The rate that was seen."""
        return self.failures / self.attempts if self.attempts else 0.0


def wilson(rate: float, count: float) -> tuple[float, float]:
    """Wilson's score interval for ``count`` independent trials."""
    if count <= 0:
        return 0.0, 1.0
    square = Z95 * Z95 / count
    middle = (rate + square / 2) / (1 + square)
    half = Z95 / (1 + square) * sqrt(rate * (1 - rate) / count + square / (4 * count))
    low = 0.0 if rate == 0 else max(middle - half, 0.0)
    high = 1.0 if rate == 1 else min(middle + half, 1.0)
    return low, high


def design_effect(runs: Sequence[tuple[int, int]]) -> float:
    """How many times fewer independent trials the runs are worth, at least 1.

    ``runs``: attempts and failures of each.  The variance between runs over that of
    independent trials with the same rate.
    """
    attempts, failures = (sum(run[k] for run in runs) for k in (0, 1))
    if len(runs) < 2 or failures in (0, attempts):
        return 1.0
    rate = failures / attempts
    spread = sum((f - rate * n) ** 2 for n, f in runs) * len(runs) / (len(runs) - 1)
    return max(spread / (attempts * rate * (1 - rate)), 1.0)


def estimate(runs: Sequence[tuple[int, int]]) -> Rate:
    """The rate over all ``runs``, each its attempts and failures."""
    attempts, failures = (sum(run[k] for run in runs) for k in (0, 1))
    rate = failures / attempts if attempts else 0.0
    low, high = wilson(rate, attempts / design_effect(runs))
    return Rate(attempts, failures, low, high)


def least_rate(attempts: int) -> float:
    """The smallest rate that ``attempts`` without a failure can show."""
    return wilson(0.0, attempts)[1]
