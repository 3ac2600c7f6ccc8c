# SPDX-License-Identifier: GPL-2.0-only
"""What reading a tree takes as given."""

from __future__ import annotations

from bounceproof.report.text import title, wrap
from bounceproof.source.program.assumptions import ASSUMPTIONS, PROVED, STATED_ZERO
from bounceproof.source.program.prelude import DEFAULT_CONFIG


def as_text() -> str:
    """What is proved of a tree, every assumption with its reason, the configuration."""
    lines = [*title("What is proved of the code before anything holds of it"), ""]
    lines += [wrap(f"{name}: {text}", "", "    ") for name, text in PROVED]
    lines += ["", *title("What lies outside the code that is read"), ""]
    for item in ASSUMPTIONS:
        lines.append(wrap(f"{item.treatment}: {item.names}", "", "    "))
        lines += [wrap(item.reason, "    "), ""]
    lines += [wrap(f"read as 0: {', '.join(sorted(STATED_ZERO))}", "", "    "), ""]
    settings = ", ".join(f"{k}={v}" for k, v in sorted(DEFAULT_CONFIG.items()))
    lines.append(wrap(f"configuration: {settings}", "", "    "))
    lines += [
        "",
        "DMA addresses equal physical addresses; the device is untrusted behind an",
        "IOMMU, and bouncing is forced without one.",
    ]
    return "\n".join(lines)
