# SPDX-License-Identifier: GPL-2.0-only
"""What is built in: kernel states, fixes, devices."""

from __future__ import annotations

from typing import Any

from bounceproof.models.catalog import FIXES, STATES
from bounceproof.models.kernels.releases import LATEST
from bounceproof.models.kernels.state import KernelState, Origin
from bounceproof.models.requests.devices import DEVICES
from bounceproof.report.formats import Answer
from bounceproof.report.text import table, wrap


def _value(value: object) -> object:
    return str(value) if not isinstance(value, (bool, int)) else value


def _decisions(values: dict[str, object]) -> dict[str, object]:
    return {name: _value(value) for name, value in values.items()}


def _origin(origin: Origin) -> dict[str, str]:
    return {
        "release": origin.release,
        "commit": origin.commit,
        "author": origin.author,
        "link": origin.link,
        "summary": origin.summary,
    }


def _state_json(state: KernelState) -> dict[str, Any]:
    return {
        "name": state.name,
        **_origin(state.origin),
        "decisions": _decisions(state.decisions()),
    }


def kernels(details: bool) -> Answer:
    """Every kernel state with its decision points."""

    def fields() -> dict[str, Any]:
        return {"kernels": [_state_json(state) for state in STATES.values()]}

    return Answer("kernels", fields, lambda verbose: kernels_text(details or verbose))


def kernels_text(details: bool) -> str:
    """Every kernel state in a line, or with each decision point."""
    rows: list[tuple[str, ...]] = []
    lines: list[str] = []
    for state in STATES.values():
        newest = " (latest)" if state is LATEST else ""
        rows.append((state.name + newest, state.origin.summary))
        if details:
            lines.append(wrap(f"{state.name}{newest}: {state.origin.summary}"))
            lines += [f"  {state.origin.link}"]
            points = _decisions(state.decisions())
            lines += [*table([(n, str(v)) for n, v in points.items()], "    "), ""]
    if details:
        return "\n".join(lines).rstrip()
    tags = "each is the tag of that name in the stable tree; --details has links"
    return "\n".join([*table(rows, ""), "", wrap(f"{tags} and decision points")])


def fixes() -> Answer:
    """Every fix with what it changes and expects."""
    return Answer("fixes", _fixes_json, lambda verbose: fixes_text())


def _fixes_json() -> dict[str, Any]:
    items = [
        {
            "name": fix.name,
            **_origin(fix.origin),
            "changes": _decisions(dict(fix.changes)),
        }
        for fix in FIXES.values()
    ]
    return {"fixes": items}


def fixes_text() -> str:
    """Every fix: commit, release, author, link, and the decision points it changes."""
    lines = []
    for fix in FIXES.values():
        origin = fix.origin
        place = [origin.commit] if origin.commit else []
        where = "; ".join([*place, origin.release, origin.author])
        changed = ", ".join(fix.changes)
        lines += [fix.name, wrap(origin.summary, "  "), wrap(where, "  ")]
        if origin.link:
            lines.append(f"  {origin.link}")
        lines += [wrap(f"changes {changed}", "  ", "    "), ""]
    return "\n".join(lines).rstrip()


def devices() -> Answer:
    """Every device with its masks, limit and steps."""
    return Answer("devices", _devices_json, lambda verbose: devices_text())


def _devices_json() -> dict[str, Any]:
    items = [
        {
            "name": d.name,
            "summary": d.summary,
            "source": d.source,
            "paths": [path.value for path in d.paths],
            "limit": d.limit.value,
            "min_align_mask": d.min_align_mask,
            "seg_boundary_mask": d.seg_boundary_mask,
            "size_step": d.size_step,
            "addr_step": d.addr_step,
            "largest": d.largest,
        }
        for d in DEVICES
    ]
    return {"devices": items}


def _at_most(largest: int | None) -> str:
    return "" if largest is None else f", at most {largest} bytes"


def devices_text() -> str:
    """Every device with its mask, limit and source."""
    lines = []
    for d in DEVICES:
        mask = "any 2^k - 1" if d.any_mask else "as the kernel sets it"
        if d.min_align_mask is not None:
            mask = f"{d.min_align_mask:#x}"
        bound = d.seg_boundary_mask
        boundary = "any 2^k - 1" if bound is None else f"{bound:#x}"
        lines += [wrap(f"{d.name}: {d.summary}")]
        lines += table(
            [
                ("min_align_mask", mask),
                ("seg_boundary_mask", boundary),
                ("limit", d.limit.value + _at_most(d.largest)),
                ("paths", ", ".join(path.value for path in d.paths)),
                ("source", d.source),
            ]
        )
        lines.append("")
    return "\n".join(lines).rstrip()
