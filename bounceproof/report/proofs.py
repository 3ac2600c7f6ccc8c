# SPDX-License-Identifier: GPL-2.0-only
"""``prove``: what got worse, what is fixed, what is still broken; then the details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bounceproof.report.checks import (
    broken_lines,
    command_of,
    finding_json,
    finding_text,
    smallest,
)
from bounceproof.report.configurations import configurations, name
from bounceproof.report.domain import asked_of, asked_text, domain_json, domain_text
from bounceproof.report.formats import Answer
from bounceproof.report.judged import (
    about,
    judged_text,
    label,
    proved_text,
    tool_text,
)
from bounceproof.report.text import short_size, table, title, wrap
from bounceproof.solver.answers.changes import Change, Changed, changes
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.verdict import CellVerdict, Finding, Verdict

if TYPE_CHECKING:
    from bounceproof.report.machine.cases import Cases

_SECTIONS = {
    Change.REGRESSED: "Regressed",
    Change.UNDECIDED: "Unknown",
    Change.FIXED: "Fixed",
    Change.STILL_BROKEN: "Still broken",
    Change.HOLDS_NOW: "Hold now",
    Change.HOLDS: "Hold in both",
}
_ALWAYS = (Change.REGRESSED, Change.FIXED, Change.STILL_BROKEN)
Found = tuple[Changed, ...]


def _names(found: Found, change: Change) -> list[str]:
    return [one.prop.value for one in found if one.change is change]


def _change_json(found: Changed) -> dict[str, Any]:
    return {
        "property": found.prop.value,
        "base": found.base.verdict.shown,
        "kernel": found.kernel.verdict.shown,
        "change": found.change.value,
        "newly_broken_cells": [name(cell.cell) for cell in found.cells],
    }


def fields(result: Proved) -> dict[str, Any]:
    """The JSON fields of ``prove``: as ``check``, with the base and what changed."""
    base, kernel = result.base.model, result.kernel.model
    found = changes(result)
    return {
        "kernel": label(kernel),
        "base": label(base),
        "domain": domain_json(asked_of(result.kernel, result.base)),
        "verdict": result.kernel.verdict.shown,
        "fixed": _names(found, Change.FIXED),
        "still_broken": _names(found, Change.STILL_BROKEN),
        "regressed": _names(found, Change.REGRESSED),
        "undecided": _names(found, Change.UNDECIDED),
        "changes": [_change_json(one) for one in found],
        "properties": [finding_json(kernel, f) for f in result.kernel.findings],
        "base_properties": [finding_json(base, f) for f in result.base.findings],
        "worse": [finding_json(kernel, f) for f in result.worse],
        **about([kernel]),
    }


def _summary(found: Found) -> list[str]:
    """What changed, the worst first; then property by base and kernel."""
    rows = []
    for change, heading in _SECTIONS.items():
        names = _names(found, change)
        if names or change in _ALWAYS:
            rows.append((heading, ", ".join(names) or "none"))
    each = [
        (one.prop.value, _verdict(one.base), _verdict(one.kernel), _told(one.change))
        for one in found
    ]
    head = ("property", "base", "kernel", "change")
    return [*table(rows), "", *table([head, *each])]


def _told(change: Change) -> str:
    return "" if change is Change.HOLDS else _SECTIONS[change].lower()


def _verdict(finding: Finding) -> str:
    """A verdict in a column of the table, with the size that fails and the limits."""
    example = finding.counterexample
    if example is not None:
        return f"{finding.verdict.shown} from {example.point['size']}"
    return finding.verdict.shown


def _same_request(finding: Finding, other: Finding) -> bool:
    one, two = finding.counterexample, other.counterexample
    if one is None or two is None:
        return False
    return (one.cell, one.point) == (two.cell, two.point)


def _regressed(result: Proved, found: Changed) -> list[tuple[str, str]]:
    """Why a property is said to have regressed, each reason in a line."""
    kernel, base = result.kernel.model, label(result.base.model)
    prop, worse, rows = found.prop.value, found.worse, []
    if worse is not None and worse.verdict is Verdict.BROKEN:
        rows.append((prop, smallest(kernel, worse)))
    if found.cells:
        every = [cell.cell for cell in found.kernel.cells]
        where = configurations([cell.cell for cell in found.cells], every)
        limits = _limits(found.cells)
        text = f"limit {limits}, which {base}'s driver does not reach: {where}"
        rows.append((prop, text))
    return rows


def _limits(cells: Iterable[CellVerdict]) -> str:
    limits = sorted({cell.limit for cell in cells}, reverse=True)
    return ", ".join(short_size(limit) for limit in limits)


def _regressions(result: Proved, found: Found) -> list[str]:
    rows = [
        row
        for one in found
        if one.change is Change.REGRESSED
        for row in _regressed(result, one)
    ]
    base, kernel = label(result.base.model), label(result.kernel.model)
    head = wrap(f"Regressed, each with the smallest request that {base} handles and "
                f"{kernel} does not:")  # fmt: skip
    return ["", head, *table(rows)] if rows else []


def _undecided(found: Found) -> list[str]:
    """Why nothing can be said of the properties that are not decided."""
    rows = []
    for one in found:
        asked = (one.kernel, one.worse)
        reasons = [f.reason for f in asked if f is not None and f.reason is not None]
        if one.change is Change.UNDECIDED:
            text = "; ".join(dict.fromkeys(reasons)) or "the base has no answer there"
            rows.append((one.prop.value, text))
    return ["", "Unknown, because:", *table(rows)] if rows else []


def _fixed(result: Proved, found: Found) -> list[str]:
    """The base's counterexamples that are gone."""
    rows = [
        (one.prop.value, smallest(result.base.model, one.base))
        for one in found
        if one.change is Change.FIXED and one.base.counterexample is not None
    ]
    if not rows:
        return []
    text = (
        f"Fixed, each with the smallest request that broke {label(result.base.model)}:"
    )
    return ["", wrap(text), *table(rows)]


def _still(result: Proved, found: Found) -> list[str]:
    """The kernel's counterexamples, but for those shown as a regression."""
    rows = []
    for one in found:
        if one.kernel.counterexample is None:
            continue
        shown = one.worse is not None and _same_request(one.worse, one.kernel)
        if not (one.change is Change.REGRESSED and shown):
            rows.append((one.prop.value, smallest(result.kernel.model, one.kernel)))
    text = f"The smallest request that breaks {label(result.kernel.model)}:"
    return ["", wrap(text), *table(rows)] if rows else []


def _holding(result: Proved) -> list[str]:
    """The limits that the kernel's driver has where everything asked holds."""
    findings = result.kernel.findings
    if any(finding.verdict is not Verdict.HOLDS for finding in findings):
        return []
    cells = [cell for finding in findings for cell in finding.cells]
    asked = {cell.cell for cell in cells if cell.verdict is Verdict.HOLDS}
    empty = len({cell.cell for cell in cells}) - len(asked)
    kept = [cell for cell in cells if cell.cell in asked]
    where = (
        name(next(iter(asked))) if len(asked) == 1 else f"{len(asked)} configurations"
    )
    text = f"Proved in {where}, limit {_limits(kept)}"
    text += f"; no request in {empty} others" if empty else ""
    return ["", wrap(f"{text}.", "", "  ")]


def _lost_paths(result: Proved) -> list[str]:
    """A warning where the kernel was asked on fewer paths than its base."""
    before, after = ({c.path for c in r.cells} for r in (result.base, result.kernel))
    lost = ", ".join(sorted(path.value for path in before - after))
    text = f"warning: path {lost} was asked of the base alone, see what is left out"
    return [wrap(text, "", "  "), ""] if lost else []


def _changed(result: Proved, found: Found) -> list[str]:
    return [
        *_lost_paths(result),
        *_summary(found),
        *_regressions(result, found),
        *_undecided(found),
        *_fixed(result, found),
        *_still(result, found),
    ]


def _details(result: Proved, found: Found) -> list[str]:
    """Each counterexample in full, once: of the base those that are gone."""
    base, kernel = result.base, result.kernel
    kind, lines = kernel.domain.pool_kind, []
    for one in found:
        worse = one.worse
        if worse is None or worse.verdict is not Verdict.BROKEN:
            continue
        if not _same_request(worse, one.kernel):
            lines += ["", f"Regressed from {label(base.model)}:"]
            lines += finding_text(kernel.model, worse, kind)
    for finding in kernel.findings:
        lines += ["", f"{label(kernel.model)}:"]
        lines += finding_text(kernel.model, finding, kind)
    for one in found:
        if one.change is Change.FIXED:
            lines += ["", f"{label(base.model)}, fixed:"]
            lines += finding_text(base.model, one.base, kind)
    return lines


def _shown_again(result: Proved, found: Found) -> list[str]:
    """Of one property, the command that shows what is wrong, or what is fixed."""
    if len(result.kernel.findings) != 1:
        return []
    kernel, base = result.kernel.model, result.base.model
    shown = [(kernel, one.worse) for one in found]
    shown += [(kernel, finding) for finding in result.kernel.findings]
    shown += [(base, one.base) for one in found]
    for model, finding in shown:
        if finding is not None and finding.counterexample is not None:
            return ["", *command_of(model, finding.counterexample)]
    return []


def as_text(result: Proved, verbose: bool = False) -> str:
    """``prove`` for a reader; in full where told so."""
    base, kernel = result.base.model, result.kernel.model
    found, findings = changes(result), result.kernel.findings
    lines = [*title(f"prove {label(kernel)}: {result.kernel.verdict.shown}"), ""]
    lines += judged_text([kernel])
    if found:
        lines += [wrap(f"Compared with {label(base)}:"), "", *_changed(result, found)]
    else:
        rows = [(f.prop.value, f.verdict.shown) for f in findings]
        lines += [*table(rows), *broken_lines(kernel, findings)]
    lines += [*_holding(result), *_shown_again(result, found)]
    lines += [*_details(result, found), ""] if verbose else [""]
    lines += proved_text(result.kernel)
    asked = asked_of(result.kernel, result.base)
    lines += domain_text(asked) if verbose else asked_text(asked)
    if not verbose and result.kernel.verdict is not Verdict.HOLDS:
        lines.append("Details: --verbose, or --property NAME.")
    return "\n".join([*lines, *tool_text([kernel])])


def answer(result: Proved, regressions: bool = False) -> Answer:
    """``prove`` in any format; ``regressions``: nothing else is a failure."""

    def cases() -> Cases:
        from bounceproof.report.machine.cases import of_prove

        return of_prove(result, regressions)

    def mail() -> str:
        from bounceproof.report.mail import of_prove

        return of_prove(result)

    return Answer(
        "prove",
        lambda: fields(result),
        lambda verbose: as_text(result, verbose),
        cases=cases,
        mail=mail,
    )
