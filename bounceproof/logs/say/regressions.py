# SPDX-License-Identifier: GPL-2.0-only
"""Faults outside swiotlb that are known to make it refuse mappings, by commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.read.kinds import FIRST, Version
from bounceproof.logs.told.version import parse_version


@dataclass(frozen=True, slots=True)
class Regression:
    """``drivers``: names it concerns; ``iommu``: the one it takes, None for any;
    ``since`` and ``until``: releases that have it, stable trees in between.
    ``text``: what was wrong, since which commit, mended by which.
    """

    verdicts: tuple[Verdict, ...]
    drivers: re.Pattern[str]
    since: Version
    until: Version
    text: str
    iommu: str | None = None


REGRESSIONS: Final = (
    Regression(
        (Verdict.BOUNDARY,),
        re.compile(r"xhci"),
        (5, 10),
        (5, 10),
        "Known: in v5.10-rc1 to rc6 a USB disk on this controller gave it the disk's"
        " segment boundary (558033c2828f, 0154012f8018); reverted in v5.10"
        " (d5c65d32dc24, 97ad4a77f23e).",
    ),
    Regression(
        (Verdict.NO_POOL,),
        re.compile(r""),
        FIRST,
        (5, 18),
        "Known: with an AMD IOMMU the pool was given back at boot though devices that"
        " are not trusted need it; mended by 121660bba631 (v5.19).",
        iommu="AMD-Vi",
    ),
    Regression(
        (Verdict.NEVER, Verdict.FULL, Verdict.NEARLY, Verdict.FRAGMENTED),
        re.compile(r"dw_?mmc"),
        (5, 10),
        (6, 12),
        "Known: 8396c793ffdf let this driver ask for larger requests, in stable trees"
        " as well; reverted by 1635e407a4a6 (v6.12).",
    ),
)


def regressions_for(explanation: Explanation) -> list[Regression]:
    """What is known of such a failure in a kernel that may be this one."""
    facts, span = explanation.facts, explanation.span
    driver = explanation.event.message.driver or ""
    version = parse_version(facts.version or "")
    first, last = (version[:2], version[:2]) if version else (span.since, span.until)
    return [
        known
        for known in REGRESSIONS
        if explanation.verdict in known.verdicts
        and known.drivers.match(driver)
        and known.iommu in (None, facts.iommu)
        and known.since <= last
        and known.until >= first
    ]
