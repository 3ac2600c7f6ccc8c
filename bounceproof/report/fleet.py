# SPDX-License-Identifier: GPL-2.0-only
"""``check --device all``: one kernel, the device of every driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bounceproof.report.checks import broken_lines, finding_json
from bounceproof.report.domain import asked_of, domain_json
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about, judged_text, label, tool_text
from bounceproof.report.text import table, title, wrap
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.verdict import NO_CELL, Verdict, exit_code, overall

if TYPE_CHECKING:
    from bounceproof.report.machine.cases import Cases


def _asked(result: Checked) -> bool:
    """Whether the kernel has any configuration of the device."""
    return any(finding.reason != NO_CELL for finding in result.findings)


def _verdict(results: list[Checked]) -> Verdict:
    return overall(result.verdict for result in results if _asked(result))


def exit_code_of(results: list[Checked]) -> int:
    """That of the devices that the kernel has a configuration of."""
    return exit_code(f.verdict for r in filter(_asked, results) for f in r.findings)


def fields(results: list[Checked], without: Mapping[str, str]) -> dict[str, Any]:
    """The JSON fields: a check of each device, under ``devices``."""
    model = results[0].model
    devices = [
        {
            "device": result.domain.device.name,
            "domain": domain_json(asked_of(result)),
            "verdict": result.verdict.shown,
            "properties": [finding_json(model, found) for found in result.findings],
        }
        for result in results
    ]
    verdict = _verdict(results).shown
    return {
        "kernel": label(model),
        "verdict": verdict,
        "devices": devices,
        "left_out": [f"{name}: {why}" for name, why in without.items()],
        **about([model]),
    }


def _rows(results: list[Checked]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("device", "broken", "unknown", "holds")]
    for result in filter(_asked, results):
        names: dict[str, list[str]] = {"broken": [], "unknown": [], "holds": []}
        for finding in result.findings:
            names[finding.verdict.shown].append(finding.prop.value)
        told = (", ".join(listed) or "-" for listed in names.values())
        rows.append((result.domain.device.name, *told))
    return rows


def as_text(results: list[Checked], without: Mapping[str, str]) -> str:
    """A row for each device, then the smallest request that breaks something."""
    model = results[0].model
    heading = f"check {label(model)}, every device: {_verdict(results).shown}"
    lines = [*title(heading), "", *judged_text([model]), *table(_rows(results))]
    why = {r.domain.device.name: NO_CELL for r in results if not _asked(r)}
    for name, reason in {**without, **why}.items():
        lines.append(wrap(f"Left out: {name}: {reason}", "", "  "))
    lines.append("")
    for result in filter(_asked, results):
        told = broken_lines(model, result.findings)
        if told:
            lines += [f"{result.domain.device.name}: {result.domain.device.summary}"]
            lines += [*told[1:], ""]
    lines.append(wrap("Each domain: bounceproof check KERNEL --device NAME."))
    return "\n".join([*lines, *tool_text([model])])


def answer(results: list[Checked], without: Mapping[str, str]) -> Answer:
    """``check --device all`` in any format; ``without`` are devices that were not
    asked about, with the reason."""

    def cases() -> Cases:
        from bounceproof.report.machine.cases import of_fleet

        return of_fleet(filter(_asked, results))

    return Answer(
        "check",
        lambda: fields(results, without),
        lambda verbose: as_text(results, without),
        cases=cases,
    )
