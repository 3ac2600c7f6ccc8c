# SPDX-License-Identifier: GPL-2.0-only
"""What a page shows, taken from answers; no HTML here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, KernelModel
from bounceproof.report.configurations import configurations, name
from bounceproof.report.domain import asked_of, asked_text
from bounceproof.report.judged import judged_text, label, proved_text
from bounceproof.report.page.grid import NoMap, SizeMap, size_map
from bounceproof.report.page.slots import Layout, layout
from bounceproof.report.request import (
    Extras,
    command_lines,
    kernel_line,
    shown_of,
    slot_set_of,
    steps_of,
    with_pool,
)
from bounceproof.report.text import size_both
from bounceproof.report.violations import violation_of
from bounceproof.solver.answers.changes import Change, Changed, changes
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.run import run_request
from bounceproof.solver.contract.verdict import Counterexample, Finding, Verdict
from bounceproof.solver.counterexample.confirm import single_request


@dataclass(frozen=True, slots=True)
class Pictured:
    """One request on one kernel: each step by name, and its slot set if one is at
    issue.

    ``command``: what shows it again.  ``logged``: the line that the kernel logs.
    """

    heading: str
    sentence: str
    steps: tuple[tuple[str, str], ...]
    slots: Layout | None
    logged: str | None
    command: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A map, or why there is none; ``request``: the rest of the request's fields."""

    shown: SizeMap | None
    why: str
    where: str
    command: str


@dataclass(frozen=True, slots=True)
class Section:
    """A property of a kernel: verdict, and the counterexample with its pictures.

    ``change``: what fixes or patches did to it; ``before``: the base's counterexample
    where they fixed it, ``after``: the same request on the kernel.  ``worse``: the
    smallest request that the base handles and the kernel does not.
    """

    prop: Property
    verdict: str
    where: str
    reason: str | None
    note: str | None
    rank: str
    example: Pictured | None
    drawn: Drawn | None
    change: str = ""
    before: Pictured | None = None
    after: Pictured | None = None
    drawn_before: Drawn | None = None
    worse: Pictured | None = None

    @property
    def meaning(self) -> str:
        return CONTRACT[self.prop].briefly

    @property
    def told(self) -> bool:
        """Whether there is more to say than the verdict."""
        return bool(self.example or self.reason or self.before or self.worse)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel's part of the page; ``base`` where it was compared with one."""

    name: str
    verdict: str
    base: str | None
    sections: tuple[Section, ...]
    judged: str
    asked: str


def _pictured(
    model: KernelModel,
    cell: Cell,
    request: dict[str, Any],
    outcome: Outcome,
    more: Extras,
    words: tuple[str, str],
) -> Pictured:
    fields = with_pool(model, request, outcome)
    shown = shown_of(model, cell, fields)
    slots, granule = slot_set_of(model, shown, outcome, more), None
    if cell.path.has_granule:
        granule = cell.granule
    drawn = None if slots is None else layout(slots, shown.pool_start, granule)
    return Pictured(
        heading=words[0],
        sentence=words[1],
        steps=tuple(steps_of(model, shown, fields, outcome, more)),
        slots=drawn,
        logged=kernel_line(fields, outcome, more.taken),
        command="\n".join(command_lines(model, fields, more)),
    )


def example_of(model: KernelModel, finding: Finding) -> Pictured | None:
    """The counterexample of ``finding``, None where there is none."""
    example = finding.counterexample
    if example is None:
        return None
    request = single_request(example.cell, example.point).fields()
    fields = with_pool(model, request, example.outcome)
    shown = shown_of(model, example.cell, fields)
    violation = None
    if finding.confirmed:
        violation = violation_of(finding.prop, model, shown, example)
    at = f"{example.point['size']} bytes at {example.point['orig_addr']:#x}"
    why = f": {violation.text}" if violation is not None else ""
    more = Extras(example.taken, example.history, violation)
    words = (label(model), f"{at}{why}")
    return _pictured(model, example.cell, request, example.outcome, more, words)


def drawn_of(
    model: KernelModel, domain: Domain, finding: Finding, coarser: int
) -> Drawn | None:
    """The map around the counterexample; None without one."""
    example = finding.counterexample
    if example is None:
        return None
    point, where = example.point, name(example.cell)
    request = single_request(example.cell, point).fields()
    fields = with_pool(model, request, example.outcome)
    command = command_lines(model, fields, Extras(example.taken))[0]
    try:
        shown = size_map(model, domain, finding, coarser)
    except NoMap as reason:
        return Drawn(None, str(reason), where, command)
    return Drawn(shown, "", where, command)


def _section(checked: Checked, finding: Finding, coarser: int) -> Section:
    model = checked.model
    every = [cell.cell for cell in finding.cells]
    bad = [c.cell for c in finding.cells if c.verdict.shown == finding.verdict.shown]
    example, rank = finding.counterexample, ""
    if example is not None:
        rank = (
            "The smallest request"
            if example.minimum
            else "A request, not proved the smallest"
        )
        seen = "confirmed" if finding.confirmed else "NOT CONFIRMED"
        rank += f", {seen}; driver's limit {size_both(example.limit)}"
    return Section(
        prop=finding.prop,
        verdict=finding.verdict.shown,
        where=configurations(bad, every) if bad else "",
        reason=finding.reason,
        note=finding.note,
        rank=rank,
        example=example_of(model, finding),
        drawn=drawn_of(model, checked.domain, finding, coarser),
    )


def _lines(lines: list[str]) -> str:
    return "\n".join(lines).strip()


def of_check(checked: Checked, coarser: int = 1) -> Kernel:
    """A kernel that was checked; maps ``coarser`` times as coarse."""
    return Kernel(
        name=label(checked.model),
        verdict=checked.verdict.shown,
        base=None,
        sections=tuple(_section(checked, f, coarser) for f in checked.findings),
        judged=_lines([*judged_text([checked.model]), *proved_text(checked)]),
        asked=_lines(asked_text(asked_of(checked))),
    )


_CHANGES = {
    Change.REGRESSED: "regressed",
    Change.UNDECIDED: "unknown whether it got worse",
    Change.FIXED: "fixed",
    Change.STILL_BROKEN: "still broken",
    Change.HOLDS_NOW: "holds now",
    Change.HOLDS: "holds in both",
}


def _after(proved: Proved, example: Counterexample) -> Pictured | None:
    """The base's counterexample on the kernel, with the kernel's own mask."""
    model = proved.kernel.model
    cell = next((k for k, b in proved.pairs.items() if b == example.cell), None)
    if cell is None or example.taken is not None or example.history is not None:
        return None
    request = replace(
        single_request(example.cell, example.point), min_align_mask=cell.min_align_mask
    )
    fields, outcome = request.fields(), run_request(model, request)
    limit = proved.kernel.domain.device.max_size(model, cell)
    said = "it is mapped" if outcome.ok else "it fails"
    if outcome.ok and not outcome.bounced:
        said = "it needs no bounce buffer"
    if example.point["size"] > limit:
        said += f", but the driver no longer sends it: its limit is {size_both(limit)}"
    words = (label(model), f"the same request: {said}")
    return _pictured(model, cell, fields, outcome, Extras(), words)


def _compared(
    proved: Proved, section: Section, found: Changed, coarser: int
) -> Section:
    section = replace(section, change=_CHANGES[found.change])
    example, worse = found.base.counterexample, found.worse
    if worse is not None and worse.verdict is Verdict.BROKEN:
        section = replace(section, worse=example_of(proved.kernel.model, worse))
    if found.change is not Change.FIXED or example is None:
        return section
    base = proved.base
    return replace(
        section,
        before=example_of(base.model, found.base),
        after=_after(proved, example),
        drawn_before=drawn_of(base.model, base.domain, found.base, coarser),
    )


def of_proof(proved: Proved, coarser: int = 1) -> Kernel:
    """A kernel with fixes or patches, compared with what it is without."""
    kernel, found = of_check(proved.kernel, coarser), changes(proved)
    if not found:
        return kernel
    by = {one.prop: one for one in found}
    sections = tuple(
        _compared(proved, section, by[section.prop], coarser)
        for section in kernel.sections
    )
    asked = _lines(asked_text(asked_of(proved.kernel, proved.base)))
    base = label(proved.base.model)
    return replace(kernel, base=base, sections=sections, asked=asked)
