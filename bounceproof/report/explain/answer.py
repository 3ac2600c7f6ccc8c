# SPDX-License-Identifier: GPL-2.0-only
"""The answer as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.remedy import Trial
from bounceproof.logs.judge.verdict import CellResult
from bounceproof.logs.read.scan import Scan
from bounceproof.logs.say.advice import advice_for
from bounceproof.logs.say.lookups import lookups_for
from bounceproof.logs.say.notes import note_of
from bounceproof.models.catalog import FIXES
from bounceproof.models.request import KernelModel
from bounceproof.report.explain.happened import happened, rule
from bounceproof.report.judged import answer_json


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


def _excluded_json(explanation: Explanation) -> list[dict[str, Any]]:
    return [
        {
            "page_size": e.cell.page_size,
            "granule": e.cell.granule,
            "path": e.cell.path.value,
            "min_align_mask": e.cell.min_align_mask,
            "reason": e.reason,
        }
        for e in explanation.excluded
    ]


def _kernel_json(explanation: Explanation) -> dict[str, Any]:
    nearest, span = explanation.nearest, explanation.span
    return {
        "kernel": explanation.kernel,
        "version": explanation.facts.version,
        "approximated": None if nearest is None else not nearest.same,
        "approximation": nearest.note or None if nearest is not None else None,
        "form_of": None if span.open else span.text,
    }


def _course_json(explanation: Explanation) -> dict[str, Any] | None:
    course = explanation.event.course
    if not course.count:
        return None
    points = course.points()
    return {
        "least": course.least,
        "most": course.most,
        "first": points[0][0],
        "last": points[-1][0],
        "seconds": course.seconds(),
        "trend": course.trend(explanation.pool.total).value,
    }


def _fix_json(trial: Trial) -> dict[str, Any]:
    origins = [FIXES[name].origin for name in trial.name.split("+")]
    return {
        **asdict(trial),
        "commits": [origin.commit or None for origin in origins],
        "links": [origin.link for origin in origins],
    }


def _event_json(explanation: Explanation) -> dict[str, Any]:
    event, message = explanation.event, explanation.event.message
    return {
        "line": event.line,
        "count": event.count,
        "suppressed": event.facts.suppressed,
        "text": message.text,
        "kind": message.kind.value,
        "driver": message.driver,
        "device": message.device,
        "sort": explanation.sort.value,
        "sz": message.sz,
        "total": message.total,
        "used": explanation.pool.used,
        "course": _course_json(explanation),
        "restricted_pool": explanation.pool.restricted,
        "addresses": [
            {"address": address, "size": size}
            for address, size in sorted(event.addresses)
        ],
        "mask": message.mask,
        "bus_limit": message.limit,
        "companions": [other.message.kind.value for other in event.companions],
        "cut": message.cut,
    }


def message_json(explanation: Explanation, kernel_named: bool) -> dict[str, Any]:
    """One explanation as JSON values."""
    verdict, fullest = explanation.verdict, explanation.fullest
    note = None if explanation.sized else asdict(note_of(explanation))
    lookups = lookups_for(explanation, kernel_named)
    return {
        **_event_json(explanation),
        "model_device": explanation.profile.name,
        **_kernel_json(explanation),
        "verdict": None if verdict is None else verdict.value,
        "verdict_at_fullest": None if fullest is None else fullest.value,
        "happened": happened(explanation),
        "rule": rule(explanation),
        "advice": advice_for(explanation),
        "free_run_at_least": explanation.pool.free_run(),
        "cells": [_cell_json(result) for result in explanation.results],
        "excluded": _excluded_json(explanation),
        "possible_kernels": explanation.possible,
        "fixes": [_fix_json(trial) for trial in explanation.fixes],
        "first_release": explanation.first_release,
        "safe_size": explanation.safe_size,
        "look_up": [asdict(lookup) for lookup in lookups],
        "note": note,
        "log": explanation.facts.shown(),
    }


def render_json(
    scan: Scan, explanations: list[Explanation], model: KernelModel | None = None
) -> str:
    """The whole answer as one JSON object; ``model`` is what the user named."""
    named = model is not None
    pools = [facts for facts in scan.boots if facts.pool_known]
    fields = {
        "messages": [message_json(e, named) for e in explanations],
        "pool": pools[-1].shown() if pools else None,
        "left_out": len(scan.seen) - len(explanations),
        "lines_left_out": scan.dropped,
        "cut_lines": scan.cut_lines,
        "ends_early": scan.ends_early,
        "boots": len(scan.boots),
        "bytes": scan.bytes_read,
    }
    return answer_json("explain", fields, [] if model is None else [model])
