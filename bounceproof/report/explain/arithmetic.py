# SPDX-License-Identifier: GPL-2.0-only
"""The arithmetic behind an explanation, for --verbose."""

from __future__ import annotations

from typing import Any

from bounceproof.logs.explain import Explanation
from bounceproof.report.explain.kernels import names
from bounceproof.report.text import size_text, table, wrap

_IN_BLOCKS = ("pool_start", "nslabs", "nareas", "restricted", "suppressed")
USED_AFTER = (
    "Used slots are counted after the search has failed; other CPUs may have freed"
    " some in between. Pools are taken to start at a multiple of the masks."
)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}..{high}"


def _requests(explanation: Explanation) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("page", "granule", "path", "bytes", "slots", "never fits at")
    ]
    for r in explanation.results:
        granule = size_text(r.cell.granule) if r.cell.path == "iommu" else "-"
        rows.append(
            (
                size_text(r.cell.page_size),
                granule,
                r.cell.path.value,
                _range(*r.sizes),
                _range(*r.nslots),
                r.never,
            )
        )
    return ["  Requests that print it:", *table(rows, "    ")]


def _excluded(explanation: Explanation) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for e in explanation.excluded:
        path = e.cell.path.value
        granule = f"/{size_text(e.cell.granule)}" if path == "iommu" else ""
        what = f"{path} {size_text(e.cell.page_size)}{granule}"
        reasons.setdefault(e.reason, []).append(what)
    lines = [f"{', '.join(cells)}: {reason}" for reason, cells in reasons.items()]
    if not lines:
        return []
    head = "  Excluded (path, page size/granule):"
    return [head, *(wrap(line, "    - ", "      ") for line in lines)]


def _facts(explanation: Explanation) -> list[str]:
    shown = explanation.facts.shown()
    for other in ("command_line", "iommu_devices", "reserved_devices", *_IN_BLOCKS):
        shown.pop(other, None)
    told = ", ".join(f"{k.replace('_', ' ')} {_value(v)}" for k, v in shown.items())
    return [wrap(f"The log tells: {told}.", "  ", "    ")] if told else []


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(v) for v in value[:4])
    return "yes" if value is True else str(value)


def arithmetic(explanation: Explanation) -> list[str]:
    """The requests, what is excluded and what the log told, at most 75 columns wide."""
    lines = [f"  Driver as modelled: {explanation.profile.name}"]
    if explanation.results:
        lines += _requests(explanation)
    lines += _excluded(explanation)
    if explanation.possible:
        possible = names(explanation.possible)
        lines.append(wrap(f"Kernels not excluded: {possible}.", "  ", "    "))
    lines += _facts(explanation)
    if explanation.pool.used is not None:
        lines.append(wrap(USED_AFTER, "  "))
    return lines
