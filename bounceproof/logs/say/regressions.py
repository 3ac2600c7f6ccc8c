# SPDX-License-Identifier: GPL-2.0-only
"""Faults outside swiotlb that are known to make it refuse mappings, by commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.drivers import Sort
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.read.kinds import Version
from bounceproof.logs.told.version import parse_version


@dataclass(frozen=True, slots=True)
class Regression:
    """``text``: what was wrong, since which commit, mended by which."""

    verdict: Verdict
    sort: Sort
    since: Version
    until: Version
    text: str


REGRESSIONS: Final = (
    Regression(
        Verdict.BOUNDARY,
        Sort.USB,
        (5, 10),
        (5, 10),
        "Known: in v5.10-rc1 to rc6 a USB disk on this controller gave it the disk's"
        " segment boundary (558033c2828f, 0154012f8018); reverted in v5.10"
        " (d5c65d32dc24, 97ad4a77f23e).",
    ),
)


def regressions_for(explanation: Explanation) -> list[Regression]:
    """What is known of such a failure in a kernel that may be this one."""
    version = parse_version(explanation.facts.version or "")
    span = explanation.span
    first, last = (version[:2], version[:2]) if version else (span.since, span.until)
    return [
        r
        for r in REGRESSIONS
        if r.verdict is explanation.verdict
        and r.sort is explanation.sort
        and r.since <= last
        and r.until >= first
    ]
