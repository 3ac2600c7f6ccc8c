# SPDX-License-Identifier: GPL-2.0-only
"""Answers in a notebook: what the command prints, its verdict at the head."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bounceproof.library.results import Answer

_MARK = {"holds": "#1a7f37", "broken": "#b3261e"}
_OTHER = "#8a5a00"


def as_html(answer: Answer) -> str:
    """``answer`` as one element, everything in it escaped."""
    verdict = str(answer.json.get("verdict") or "")
    head = " ".join(("bounceproof", str(answer.json["command"]), answer.kernel)).strip()
    badge = ""
    if verdict:
        colour = _MARK.get(verdict, _OTHER)
        badge = (
            f' <strong style="background:{colour};color:#fff;padding:0 .5em;'
            f'border-radius:.3em">{escape(verdict)}</strong>'
        )
    return (
        f"<div><p><code>{escape(head)}</code>{badge}</p>"
        f'<pre style="overflow-x:auto">{escape(answer.text)}</pre></div>'
    )
