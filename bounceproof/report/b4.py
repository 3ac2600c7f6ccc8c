# SPDX-License-Identifier: GPL-2.0-only
"""Results of a review check, as b4 documents them for ``b4.review-*-check-cmd``."""

from __future__ import annotations

import json
from enum import StrEnum

from bounceproof.report.text import printable

TOOL = "bounceproof"


class Status(StrEnum):
    """What b4 knows; what is not known is a warning."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


def result(status: Status, summary: str, details: str = "") -> str:
    """The JSON array with one result."""
    entry = {
        "tool": TOOL,
        "status": status.value,
        "summary": printable(summary),
        "url": "",
        "details": "\n".join(printable(line) for line in details.split("\n")),
    }
    return json.dumps([entry])


NOTHING = "[]"
"""The patch does not concern what is checked."""
