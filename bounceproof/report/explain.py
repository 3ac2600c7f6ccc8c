# SPDX-License-Identifier: GPL-2.0-only
"""Explanations of a kernel log, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bounceproof.logs.explain import Explanation
from bounceproof.logs.notes import Note
from bounceproof.logs.remedy import Trial
from bounceproof.logs.scan import Scan
from bounceproof.logs.verdict import CellResult, Verdict
from bounceproof.models.catalog import FIXES
from bounceproof.models.request import KernelModel
from bounceproof.report.judged import answer_json, judged_text
from bounceproof.report.text import size_text, table, title, wrap

MOST_FIXES = 4
MOST_NAMES = 12
USED_AFTER = (
    "Used slots are counted after the search has failed; other CPUs may have freed"
    " some in between. Pools are taken to start at a multiple of the masks."
)


def _cell_json(result: CellResult) -> dict[str, Any]:
    cell = result.cell
    return {
        "page_size": cell.page_size,
        "granule": cell.granule,
        "path": cell.path.value,
        "min_align_mask": cell.min_align_mask,
        "limit": result.limit,
        "smallest_size": result.sizes[0],
        "largest_size": result.sizes[1],
        "fewest_slots": result.nslots[0],
        "most_slots": result.nslots[1],
        "never_fits": result.never,
        "never_fits_share": result.never_share,
        "orig_addr": result.asked,
        "blocked_from_used": result.blocked_from,
        "verdict": result.verdict.value,
    }


def _note_json(note: Note | None) -> dict[str, Any] | None:
    return None if note is None else asdict(note)


def _kernel_json(explanation: Explanation) -> dict[str, Any]:
    nearest = explanation.nearest
    return {
        "kernel": explanation.kernel,
        "version": explanation.seen.facts.version,
        "approximated": None if nearest is None else not nearest.same,
        "approximation": nearest.note or None if nearest is not None else None,
    }


def message_json(explanation: Explanation) -> dict[str, Any]:
    """One explanation as JSON values."""
    message = explanation.seen.message
    verdict = explanation.verdict
    return {
        "line": explanation.seen.line,
        "count": explanation.seen.count,
        "text": message.text,
        "kind": message.kind.value,
        "driver": message.driver,
        "device": message.device,
        "sz": message.sz,
        "total": message.total,
        "used": message.used,
        "cut": message.cut,
        "model_device": explanation.profile.name,
        **_kernel_json(explanation),
        "verdict": None if verdict is None else verdict.value,
        "free_run_at_least": explanation.pool.free_run(),
        "cells": [_cell_json(result) for result in explanation.results],
        "excluded": [
            {
                "page_size": e.cell.page_size,
                "granule": e.cell.granule,
                "path": e.cell.path.value,
                "min_align_mask": e.cell.min_align_mask,
                "reason": e.reason,
            }
            for e in explanation.excluded
        ],
        "possible_kernels": explanation.possible,
        "fixes": [_fix_json(trial) for trial in explanation.fixes],
        "first_release": explanation.first_release,
        "safe_size": explanation.safe_size,
        "advice": explanation.advice,
        "look_up": [asdict(lookup) for lookup in explanation.lookups],
        "note": _note_json(explanation.note),
        "log": explanation.seen.facts.shown(),
    }


def _fix_json(trial: Trial) -> dict[str, Any]:
    origins = [FIXES[name].origin for name in trial.name.split("+")]
    return {
        **asdict(trial),
        "commits": [origin.commit or None for origin in origins],
        "links": [origin.link for origin in origins],
    }


def render_json(
    scan: Scan, explanations: list[Explanation], model: KernelModel | None = None
) -> str:
    """The whole answer as one JSON object; ``model`` is what the user named."""
    fields = {
        "messages": [message_json(e) for e in explanations],
        "left_out": len(scan.seen) - len(explanations),
        "cut_lines": scan.cut_lines,
        "boots": len(scan.boots),
        "bytes": scan.bytes_read,
    }
    return answer_json("explain", fields, [] if model is None else [model])


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"{low}..{high}"


def _kernel_line(explanation: Explanation) -> str:
    version, nearest = explanation.seen.facts.version, explanation.nearest
    if explanation.kernel is None:
        return "not in the log, and no built-in state prints this line"
    if nearest is not None:
        same = "same arithmetic" if nearest.same else f"approximated: {nearest.note}"
        return f"{explanation.kernel} for the log's {version} ({same})"
    if version is None and explanation.possible:
        return f"not in the log; shown for {explanation.kernel}"
    return explanation.kernel


def _address_reason(explanation: Explanation) -> str:
    needed = [r.blocked_from for r in explanation.results if r.blocked_from is not None]
    pool = explanation.pool
    if not needed or pool.used is None:
        return "no address that it may have fits."
    return (
        f"with {pool.used} of {pool.total} slots used the pool was not the cause: a"
        f" request that fits an empty pool is refused from {min(needed)} used slots"
        " on, not before."
    )


def _run_text(explanation: Explanation) -> str:
    run = explanation.pool.free_run()
    return "" if run is None else f" Some free run had {run} slots or more."


def _verdict_text(explanation: Explanation) -> str:
    pool, results = explanation.pool, explanation.results
    needs = _range(
        min((r.nslots[0] for r in results), default=0),
        max((r.nslots[1] for r in results), default=0),
    )
    match explanation.verdict:
        case None:
            return _unexplained(explanation)
        case Verdict.NEVER:
            return (
                "the request could never fit, at no address and in no pool: it needs"
                f" {needs} slots together, a slot set has 128."
                if min(r.nslots[0] for r in results) > 128
                else "the request could never fit, at no address and in no pool."
            )
        case Verdict.ADDRESS:
            return "the request could never fit at its address: " + _address_reason(
                explanation
            )
        case Verdict.FULL:
            some = any(result.never_share for result in results)
            besides = " At some addresses it fits no pool at all." if some else ""
            return (
                f"the pool was full: {pool.free} slots free, {needs} needed.{besides}"
            )
        case Verdict.FRAGMENTED:
            return (
                "the pool was fragmented: every such request fits an empty pool;"
                f" {pool.free} slots were free, but no {needs} together where it may"
                f" start.{_run_text(explanation)}"
            )
        case Verdict.CROWDED:
            return (
                "the pool was full or fragmented: every such request fits an empty"
                f" pool.{_run_text(explanation)}"
            )
        case Verdict.UNDECIDED:
            return (
                "the log does not decide between a full or fragmented pool and a"
                f" request that could never fit.{_run_text(explanation)}"
            )


def _unexplained(explanation: Explanation) -> str:
    if explanation.kernel is None or not explanation.possible:
        return (
            "no request that is modelled prints this line. Another driver limit,"
            " mask or page size may: see --device, --page-size, --granule, --path."
        )
    return (
        f"no request prints this line in {explanation.kernel}. The running kernel has"
        " other code; not excluded are " + _names(explanation.possible) + "."
    )


def _names(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _requests(explanation: Explanation) -> list[str]:
    if not explanation.results:
        return _excluded(explanation)
    rows: list[tuple[str, ...]] = [
        ("page", "granule", "path", "bytes", "slots", "never fits")
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
    return _bullets(
        "Looked at (path, page, granule):",
        [f"{', '.join(cells)}: {reason}" for reason, cells in reasons.items()],
    )


def _fix_lines(explanation: Explanation) -> list[str]:
    lines = []
    for trial in explanation.fixes[:MOST_FIXES]:
        what = "closes it" if trial.closes else "ends this size only; smaller ones fail"
        lost = "" if trial.aligned else "; the mapping is not aligned as asked"
        text = f"{trial.name}: {what}{lost} ({trial.release})"
        lines.append(wrap(text, "    ", "      "))
    more = len(explanation.fixes) - MOST_FIXES
    if more > 0:
        lines.append(f"    and {more} more (--json)")
    if explanation.first_release is not None:
        lines.append(
            wrap(
                f"{explanation.first_release}: first built-in release in which every"
                " such request fits and keeps its alignment",
                "    ",
                "      ",
            )
        )
    return ["  Fixes:", *lines] if lines else []


def _bullets(heading: str, items: list[str]) -> list[str]:
    if not items:
        return []
    return [f"  {heading}", *(wrap(item, "    - ", "      ") for item in items)]


def _facts(explanation: Explanation) -> list[str]:
    shown = explanation.seen.facts.shown()
    for long in ("command_line", "release"):
        shown.pop(long, None)
    told = ", ".join(f"{k.replace('_', ' ')} {_value(v)}" for k, v in shown.items())
    return [_field("log", told)] if told else []


def _field(name: str, text: str) -> str:
    return wrap(text, f"  {name:<9}", " " * 11)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(v) for v in value[:4])
    return "yes" if value is True else str(value)


def message_text(explanation: Explanation) -> list[str]:
    """One explanation as lines of at most 75 columns."""
    seen = explanation.seen
    head = f"line {seen.line}" + (f", {seen.count} times" if seen.count > 1 else "")
    lines = [*title(head), wrap(seen.message.text, "  ", "    ")]
    if seen.message.cut:
        lines.append("  (the line is cut in the middle; what is left is used)")
    lines += _facts(explanation)
    if explanation.note is not None:
        return [*lines, *_note_lines(explanation.note), ""]
    lines.append(_field("driver", explanation.profile.name))
    lines.append(_field("kernel", _kernel_line(explanation)))
    lines.append(_field("verdict", _verdict_text(explanation)))
    lines += _requests(explanation)
    if explanation.seen.facts.version is None and explanation.results:
        lines += _bullets(
            "Kernels not excluded:",
            [_names(explanation.possible)] if explanation.possible else [],
        )
    lines += _fix_lines(explanation)
    lines += _bullets("Today:", explanation.advice)
    lookups = [f"{k.what}: {k.how}. Why: {k.why}." for k in explanation.lookups]
    return [*lines, *_bullets("Look up:", lookups), ""]


def _note_lines(note: Note) -> list[str]:
    lines = [
        _field("meaning", note.meaning),
        _field("kernels", note.versions),
    ]
    fixes = [
        f"{name}: {FIXES[name].origin.summary} ({FIXES[name].origin.release})"
        for name in note.fixes
    ]
    return [*lines, *_bullets("Fixes:", fixes), *_bullets("Today:", list(note.advice))]


def render_text(
    scan: Scan, explanations: list[Explanation], model: KernelModel | None = None
) -> str:
    """The whole answer as text that pastes into a mail."""
    lines = [] if model is None else judged_text([model])
    lines += [line for e in explanations for line in message_text(e)]
    left = len(scan.seen) - len(explanations)
    if left:
        lines.append(
            wrap(
                f"{left} more messages differ from these in used slots or"
                " come less often; they are left out."
            )
        )
    if scan.cut_lines:
        cut = ", ".join(str(line) for line in scan.cut_lines[:8])
        lines.append(wrap(f"Cut in the middle: line {cut}."))
    if any(e.pool.used is not None for e in explanations):
        lines.append(wrap(USED_AFTER))
    return "\n".join(lines).rstrip()
