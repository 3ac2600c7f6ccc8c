# SPDX-License-Identifier: GPL-2.0-only
"""``fix`` of a tree: what patches of our own do for it, and each as a mail's text."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from bounceproof import __version__
from bounceproof.report.checks import finding_json, smallest
from bounceproof.report.domain import asked_of, asked_text, domain_json, domain_text
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, label, tool_text
from bounceproof.report.text import several, table, title, wrap
from bounceproof.solver.answers.changes import Change
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.fixes.trees import Made, Mended

_COLUMNS = 72
"""Columns of a commit message."""
_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


def file_name(number: int, made: Made) -> str:
    """The file of a patch, as git format-patch names it."""
    words = _UNSAFE.sub("-", made.of.subject).strip("-")
    return f"{number:04d}-{words[:52].rstrip('-')}.patch"


def _names(properties: tuple[Property, ...]) -> str:
    return several(prop.value for prop in properties)


def _fold(text: str) -> str:
    return textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _requests(result: Mended) -> list[str]:
    """The smallest request of each property that is fixed."""
    base = result.proved.base
    return [
        f"{finding.prop.value}: {smallest(base.model, finding)}"
        for finding in base.findings
        if finding.prop in result.changed(Change.FIXED)
        and finding.counterexample is not None
    ]


def _proof(result: Mended) -> str:
    """What was proved, over which domain."""
    held = result.changed(Change.HOLDS)
    broken = result.changed(Change.STILL_BROKEN)
    verb = "holds" if len(result.changed(Change.FIXED)) == 1 else "hold"
    parts = [f"Now {_names(result.changed(Change.FIXED))} {verb}"]
    parts += [f"what held before still does: {_names(held)}"] if held else []
    parts += [f"{_names(broken)} as broken as before"] if broken else []
    asked = " ".join(asked_text(asked_of(result.proved.kernel, result.proved.base)))
    text = "; ".join(parts)
    return f"{text}. Proved of the code by bounceproof {__version__}. {asked}"


def message(made: Made, result: Mended) -> str:
    """A patch with its commit message; the sender adds who signs it off."""
    requests = ["The smallest requests that show it:", *_requests(result)]
    paragraphs = [*made.of.why, *requests, _proof(result)]
    body = "\n\n".join(_fold(paragraph) for paragraph in paragraphs)
    head = f"Subject: [PATCH] {made.of.subject}"
    return f"{head}\n\n{body}\n\nFixes: {made.of.fixes}\n---\n{made.text}"


def _made_json(result: Mended) -> list[dict[str, Any]]:
    return [
        {
            "name": made.of.name,
            "subject": made.of.subject,
            "fixes_commit": made.of.fixes,
            "file": made.of.file,
            "patch": message(made, result) if result.useful else made.text,
        }
        for made in result.made
    ]


def fields(result: Mended, written: list[str]) -> dict[str, Any]:
    """The JSON fields of ``fix`` of a tree."""
    base, kernel = result.proved.base, result.proved.kernel
    return {
        "kernel": label(result.base),
        "domain": domain_json(asked_of(kernel, base)),
        "verdict": result.verdict.shown,
        "asked": [finding.prop.value for finding in kernel.findings],
        "patches": _made_json(result),
        "unmatched": [patch.name for patch in result.unmatched],
        "written": written,
        "fixed": [prop.value for prop in result.changed(Change.FIXED)],
        "still_broken": [p.value for p in result.changed(Change.STILL_BROKEN)],
        "regressed": [prop.value for prop in result.changed(Change.REGRESSED)],
        "undecided": [prop.value for prop in result.changed(Change.UNDECIDED)],
        "properties": [finding_json(kernel.model, f) for f in kernel.findings],
        "base_properties": [finding_json(base.model, f) for f in base.findings],
        **about([result.base]),
    }


def _head(result: Mended) -> str:
    name = f"fix {label(result.base)}"
    if result.proved.base.verdict is Verdict.HOLDS:
        return f"{name}: nothing to fix"
    if not result.made:
        return f"{name}: no patch of ours matches"
    names = ", ".join(made.of.name for made in result.made)
    return f"{name}: {names}" if result.useful else f"{name}: {names} will not do"


def _rows(result: Mended) -> list[str]:
    rows = [("property", "tree", "patched", "")]
    if not result.made:
        return table(
            [(f.prop.value, f.verdict.shown) for f in result.proved.base.findings]
        )
    rows += [
        (
            one.prop.value,
            one.base.verdict.shown,
            one.kernel.verdict.shown,
            "" if one.change is Change.HOLDS else one.change.value,
        )
        for one in result.changes
    ]
    return table(rows)


def _patches(result: Mended) -> list[str]:
    rows = [
        (made.of.name, f"{made.of.file}: {made.of.subject}") for made in result.made
    ]
    lines = table(rows)
    if result.unmatched:
        names = ", ".join(patch.name for patch in result.unmatched)
        lines.append(wrap(f"Match nothing in this tree: {names}"))
    return lines


def as_text(result: Mended, written: list[str], verbose: bool = False) -> str:
    """``fix`` of a tree for a reader; with the patches where told so."""
    lines = [*title(_head(result)), "", *judged_text([result.base])]
    lines += [*_patches(result), "", *_rows(result), ""]
    if result.useful:
        lines += ["Fixed, each with the smallest request that showed it:"]
        lines += [wrap(text, "  ", "    ") for text in _requests(result)]
        lines.append("")
    lines += [wrap(f"Written: {name}", "", "  ") for name in written]
    if verbose:
        shown = [message(made, result) for made in result.made if result.useful]
        lines += [line for text in shown for line in text.splitlines()]
    asked = asked_of(result.proved.kernel, result.proved.base)
    lines += domain_text(asked) if verbose else asked_text(asked)
    return "\n".join([*lines, *tool_text([result.base])])


def answer(result: Mended, written: list[str]) -> Answer:
    """``fix`` of a tree in any format."""
    return Answer(
        "fix",
        lambda: fields(result, written),
        lambda verbose: as_text(result, written, verbose),
    )
