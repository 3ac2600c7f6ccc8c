# SPDX-License-Identifier: GPL-2.0-only
"""What ends each ``--help``: the exit codes, and an example that works."""

from __future__ import annotations

from collections.abc import Mapping

from bounceproof.models.contract import CONTRACT

OURS = "an error of bounceproof's own"
INPUT = "usage or input"
VERDICTS = {
    0: "every property asked holds",
    1: "one is broken",
    2: INPUT,
    3: "unknown, or no request is in the domain",
    4: f"{OURS}; the highest code where several apply",
}
LISTS = {0: "printed", 2: INPUT, 4: OURS}


def _block(head: str, rows: Mapping[str, str]) -> str:
    """Rows that click does not fold."""
    wide = max(map(len, rows))
    lines = [f"  {name.ljust(wide)}  {text}".rstrip() for name, text in rows.items()]
    return "\n".join(["\b", head, *lines])


def ending(codes: Mapping[int, str], example: str, *, properties: bool = False) -> str:
    """The end of a command's help; ``properties``: with those of the contract."""
    parts = []
    if properties:
        known = {prop.value: clause.briefly for prop, clause in CONTRACT.items()}
        parts.append(_block("Properties:", known))
    parts.append(
        _block("Exit codes:", {str(code): told for code, told in codes.items()})
    )
    return "\n\n".join([*parts, f"\b\nExample:\n  {example}"])
