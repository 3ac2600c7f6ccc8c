# SPDX-License-Identifier: GPL-2.0-only
"""Explanations of a kernel log, for people and as JSON."""

from bounceproof.report.explain.answer import render_json
from bounceproof.report.explain.text import render_text

__all__ = ["render_json", "render_text"]
