# SPDX-License-Identifier: GPL-2.0-only
"""``fix``: the smallest sets of fixes, or what stays broken; then what smaller sets
leave broken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.kernels.fix import Fix
from bounceproof.report.checks import finding_json, smallest
from bounceproof.report.configurations import configurations, name
from bounceproof.report.domain import asked_of, asked_text, domain_json, domain_text
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about
from bounceproof.report.text import counted, several, table, title, wrap
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.fixes.answer import Fixed, FixSet, Nearest, Stays
from bounceproof.solver.fixes.candidates import Way
from bounceproof.solver.fixes.search import Found, Judged

_SHOWN = 12
"""Sets that are listed fix by fix."""
_REFUTED = 200
"""Smaller sets that text lists one by one."""
_SHORT = 12
"""Digits of a commit."""


def _fix_json(fix: Fix) -> dict[str, Any]:
    origin = fix.origin
    return {
        "name": fix.name,
        "commit": origin.commit or None,
        "merged": origin.merged,
        "release": origin.release,
        "author": origin.author,
        "link": origin.link or None,
        "summary": origin.summary,
    }


def _set_json(one: FixSet) -> dict[str, Any]:
    model = BuiltinKernel(one.kernel)
    return {
        "fixes": [_fix_json(fix) for fix in one.fixes],
        "merged": one.merged,
        "kernel": one.kernel.name,
        "properties": [finding_json(model, finding) for finding in one.after],
    }


def _request(judged: Judged) -> str:
    """What is wrong with a set, in a line."""
    known = judged.known
    if known is None:
        return ""
    example = known.finding.counterexample
    if example is None:
        return f"{known.prop} is not known: {known.finding.reason or 'no answer'}"
    point = example.point
    where = f"start index {point['start_index']}; {name(example.cell)}"
    at = f"{point['size']} bytes at {point['orig_addr']:#x}"
    return f"{known.prop}: {at}, {where}"


def _names(way: Way) -> str:
    return "+".join(fix.name for fix in way) or "no fix"


def _judged_json(judged: Judged) -> dict[str, Any]:
    known = judged.known
    return {
        "sets": [[fix.name for fix in way] for way in judged.candidate.ways],
        "property": None if known is None else known.prop.value,
        "verdict": "broken" if judged.broken else "unknown",
        "request": _request(judged),
    }


def _stays_json(stays: Stays, model: BuiltinKernel) -> dict[str, Any]:
    return {
        **finding_json(model, stays.finding),
        "holds_with": [[fix.name for fix in way] for way in stays.alone],
        "which_breaks": None if stays.breaks is None else stays.breaks.value,
    }


def _nearest_json(nearest: Nearest | None) -> dict[str, Any] | None:
    if nearest is None or not nearest.sets:
        return None
    model = BuiltinKernel(nearest.sets[0].kernel)
    return {
        "sets": [_set_json(one) for one in nearest.sets],
        "stays_broken": [_stays_json(stays, model) for stays in nearest.stays],
    }


def fields(result: Fixed) -> dict[str, Any]:
    """The JSON fields of ``fix``."""
    model, found, merged = BuiltinKernel(result.base), result.found, result.merged
    return {
        "kernel": result.base.name,
        "domain": domain_json(asked_of(result.checked)),
        "verdict": result.verdict.shown,
        "asked": [prop.value for prop in result.asked],
        "properties": [finding_json(model, finding) for finding in result.before],
        "sets": [_set_json(one) for one in result.sets],
        "merged_sets": [_set_json(one) for one in result.merged_sets],
        "smaller": [_judged_json(judged) for judged in found.smaller],
        "merged_smaller": [_judged_json(judged) for judged in merged.smaller]
        if merged is not None
        else [],
        "undecided": [_judged_json(j) for j in (*found.undecided, *found.alike)],
        "complete": found.complete,
        "tried": [fix.name for fix in found.fixes],
        "nearest": _nearest_json(result.nearest),
        **about([]),
    }


def _asked(result: Fixed) -> list[Finding]:
    return [finding for finding in result.before if finding.prop in result.asked]


def _broken(findings: Iterable[Finding]) -> str:
    return ", ".join(f.prop.value for f in findings if f.verdict is not Verdict.HOLDS)


def _rows(way: Way) -> list[str]:
    rows = [
        (
            f"{number}.",
            fix.name,
            fix.origin.commit[:_SHORT] or "-",
            fix.origin.release.partition(" ")[0] if fix.origin.merged else "not merged",
            fix.origin.summary,
        )
        for number, fix in enumerate(way, 1)
    ]
    return table(rows)


def _set_text(one: FixSet, result: Fixed) -> list[str]:
    """A set in order, and what it leaves broken of what was not asked."""
    others = [f for f in one.after if f.prop not in result.asked]
    left = _broken(others)
    lines = ["", *_rows(one.fixes), wrap(f"kernel: {one.kernel.name}", "  ", "    ")]
    if left:
        lines.append(wrap(f"not asked, and broken before and after: {left}", "  "))
    return lines


def _sets_text(sets: tuple[FixSet, ...], what: str, result: Fixed) -> list[str]:
    size = counted(len(sets[0].fixes), "fix").replace("fixs", "fixes")
    many = len(sets)
    head = f"The smallest set{what} has {size}:"
    if many > 1:
        head = f"The smallest sets{what} have {size}; there are {many}:"
    lines = [wrap(head)]
    for one in sets[:_SHOWN]:
        lines += _set_text(one, result)
    rest = [one.kernel.name for one in sets[_SHOWN:]]
    return [*lines, *([""] if rest else []), *(wrap(n, "  ", "    ") for n in rest)]


def _why_smallest(found: Found) -> list[str]:
    """How many sets were refuted, and of how many nothing is known."""
    refuted = sum(len(j.candidate.ways) for j in found.smaller if j.broken)
    several_sets = counted(refuted, "smaller set")
    lines = []
    if found.enough and refuted:
        text = f"{several_sets} refuted, each by a request that was run."
        lines.append(wrap(text.capitalize()))
    if found.undecided:
        lines += [wrap(f"Not known of {len(found.undecided)} smaller sets, the first:")]
        lines += table([(_ways(found.undecided[0]), _request(found.undecided[0]))])
    if found.alike:
        lines += [wrap(f"Not known of {len(found.alike)} as small, the first:")]
        lines += table([(_ways(found.alike[0]), _request(found.alike[0]))])
    if not found.complete:
        why = "the time was up, or they are too many"
        lines.append(wrap(f"Not every set was looked at: {why}."))
    return ["", *lines] if lines else []


def _ways(judged: Judged) -> str:
    return " or ".join(_names(way) for way in judged.candidate.ways)


def _why(stays: Stays, tried: int) -> str:
    """Why a property stays broken."""
    if not stays.alone:
        return f"none of {tried} known fixes mends it"
    sets = several(_names(way) for way in stays.alone[:1])
    if stays.breaks is None:
        return f"holds with {sets}, which leaves more of the others broken"
    return f"holds with {sets}, which breaks {stays.breaks}"


def _stays_text(result: Fixed, nearest: Nearest) -> list[str]:
    model = BuiltinKernel(nearest.sets[0].kernel)
    rows = []
    for stays in nearest.stays:
        finding = stays.finding
        every = [cell.cell for cell in finding.cells]
        bad = [c.cell for c in finding.cells if c.verdict is not Verdict.HOLDS]
        shown = [configurations(bad, every)] if bad else []
        if finding.counterexample is not None:
            shown.append(smallest(model, finding))
        elif finding.reason is not None:
            shown.append(f"unknown: {finding.reason}")
        shown.append(_why(stays, len(result.found.fixes)))
        rows += [(stays.prop.value if not n else "", t) for n, t in enumerate(shown)]
    return table(rows)


def _nearest_text(result: Fixed, nearest: Nearest) -> list[str]:
    if not nearest.sets:
        return []
    many = len(nearest.sets)
    size = len(nearest.sets[0].fixes)
    lines = ["At best these stay broken:", *_stays_text(result, nearest), ""]
    if not size:
        return [*lines, wrap("No set of fixes leaves less broken than no fix.")]
    head = "A smallest set that leaves no more than that broken, and loses nothing:"
    if many > 1:
        head = f"The {many} smallest sets that leave no more than that broken, and lose"
        head += " nothing:"
    lines.append(wrap(head))
    for one in nearest.sets[:_SHOWN]:
        lines += ["", *_rows(one.fixes)]
        lines.append(wrap(f"kernel: {one.kernel.name}", "  ", "    "))
    return lines


def _refuted(found: Found) -> list[str]:
    """Smaller sets, each with the request that breaks what it leads to."""
    rows = [
        (_names(way), _request(judged))
        for judged in found.smaller
        for way in judged.candidate.ways
    ]
    if not rows:
        return []
    lines = ["", "Sets that are not enough, each with a request that shows it:"]
    for names, request in rows[:_REFUTED]:
        lines += [wrap(names, "  ", "    "), wrap(request, "    ", "      ")]
    more = len(rows) - _REFUTED
    return [*lines, *([f"  {more} more: --format json"] if more > 0 else [])]


def _head(result: Fixed) -> str:
    name_, verdict = result.base.name, result.verdict
    if verdict in (Verdict.UNKNOWN, Verdict.DISAGREE):
        return f"fix {name_}: {verdict.shown}"
    if result.sets and not result.sets[0].fixes:
        return f"fix {name_}: nothing to fix"
    if not result.sets:
        return f"fix {name_}: no set of known fixes does it"
    return f"fix {name_}: {' or '.join(_names(one.fixes) for one in result.sets[:1])}"


def _body(result: Fixed) -> list[str]:
    if result.untold:
        first = result.untold[0]
        text = f"An error of bounceproof's own: {_ways(first)}: {_request(first)} "
        return [wrap(f"{text} does not show when it is run.")]
    if result.sets and not result.sets[0].fixes:
        asked = several(prop.value for prop in result.asked)
        return [wrap(f"Every property asked holds: {asked}.")]
    lines = [wrap(f"Broken now: {_broken(_asked(result))}."), ""]
    if result.sets:
        lines += _sets_text(result.sets, "", result)
    lines += _why_smallest(result.found)
    if result.merged_sets and result.merged is not None:
        what = " of commits that mainline has"
        lines += ["", *_sets_text(result.merged_sets, what, result)]
        lines += _why_smallest(result.merged)
    elif result.merged is not None:
        lines += ["", "No set of commits that mainline has does it."]
    if result.nearest is not None:
        lines += _nearest_text(result, result.nearest)
    return lines


def as_text(result: Fixed, verbose: bool = False) -> str:
    """``fix`` for a reader; in full where told so."""
    lines = [*title(_head(result)), "", *_body(result)]
    if verbose:
        lines += _refuted(result.found)
        lines += _refuted(result.merged) if result.merged is not None else []
    about_domain = domain_text if verbose else asked_text
    lines += ["", *about_domain(asked_of(result.checked))]
    if not verbose and result.found.smaller:
        lines.append("What smaller sets leave broken: --verbose.")
    return "\n".join(lines)


def answer(result: Fixed) -> Answer:
    """``fix`` in any format."""
    return Answer(
        "fix", lambda: fields(result), lambda verbose: as_text(result, verbose)
    )
