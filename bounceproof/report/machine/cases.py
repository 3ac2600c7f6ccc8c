# SPDX-License-Identifier: GPL-2.0-only
"""An answer as test cases: what SARIF, JUnit and KTAP have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bounceproof.audit.run import Line
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.request import KernelModel, Place, SaysWhereItBreaks
from bounceproof.report.audits import Table
from bounceproof.report.checks import command_of, finding_text, smallest
from bounceproof.report.configurations import name
from bounceproof.report.judged import judged_of, label
from bounceproof.report.text import printable
from bounceproof.solver.answers.changes import Change, Changed, changes
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.counterexample.confirm import single_request

_AT = re.compile(r"(?:^|[\s(])([\w./+-]+\.[ch]):(\d+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One configuration of a case."""

    name: str
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One question and its answer.

    ``group``: the kernel, and whatever else tells it from other questions about the
    same property.  ``told``: the answer in a line.  ``details``: lines of text.
    ``seconds``: what it took.  ``places``: where in a tree it breaks, the nearest
    first.  ``change``: what became of the property since the base, if there is one.
    ``accepted``: it is no failure, as the base is broken in the same way and only a
    regression was to fail.
    """

    group: str
    prop: Property
    verdict: Verdict
    told: str
    details: tuple[str, ...] = ()
    seconds: float = 0.0
    parts: tuple[Part, ...] = ()
    places: tuple[Place, ...] = ()
    change: Change | None = None
    accepted: bool = False
    example: str = ""

    @property
    def failed(self) -> bool:
        """Whether the answer says that something is wrong."""
        return self.verdict is Verdict.BROKEN and not self.accepted

    @property
    def undecided(self) -> bool:
        """Whether there is no answer, or one that contradicts itself."""
        return self.verdict in (Verdict.UNKNOWN, Verdict.DISAGREE)


@dataclass(frozen=True, slots=True)
class Cases:
    """An answer; ``title``: the command and its subject; ``about``: (name, value) of
    what it was given on; ``warnings``: what may be missing in what was judged."""

    title: str
    cases: tuple[Case, ...]
    about: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def _plain(cases: Iterable[Case]) -> tuple[Case, ...]:
    """The cases without control characters, whatever files and mails have in them."""
    return tuple(
        replace(
            case,
            group=printable(case.group),
            told=printable(case.told),
            details=tuple(printable(line) for line in case.details),
        )
        for case in cases
    )


def _told(model: KernelModel, finding: Finding) -> str:
    if finding.verdict is Verdict.BROKEN:
        return smallest(model, finding)
    return finding.reason or CONTRACT[finding.prop].briefly


def _details(model: KernelModel, finding: Finding) -> tuple[str, ...]:
    lines = "\n".join(finding_text(model, finding)).split("\n")
    return tuple(line.rstrip() for line in lines)


def _example(model: KernelModel, finding: Finding) -> str:
    if finding.counterexample is None:
        return ""
    return "\n".join(command_of(model, finding.counterexample)[1:])


def _places(model: KernelModel, finding: Finding) -> tuple[Place, ...]:
    """Where the tree's code breaks the property, or where it could not be read."""
    example = finding.counterexample
    if example is not None and isinstance(model, SaysWhereItBreaks):
        numbers = single_request(example.cell, example.point).fields()
        taken = example.taken or []
        return model.breaks_at(finding.prop, example.cell, numbers, taken)
    found = _AT.search(finding.reason or "")
    if found is None:
        return ()
    return (Place(found[1], int(found[2]), "this is not proved, or not read"),)


def _case(model: KernelModel, finding: Finding) -> Case:
    return Case(
        label(model),
        finding.prop,
        finding.verdict,
        _told(model, finding),
        _details(model, finding),
        finding.seconds,
        tuple(Part(name(c.cell), c.verdict, c.reason) for c in finding.cells),
        _places(model, finding),
        example=_example(model, finding),
    )


def _about(models: Sequence[KernelModel]) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    for record in judged_of(models):
        facts = (("version", record.version), ("commit", record.commit))
        rows += [(what, value) for what, value in facts if value is not None]
    return tuple(dict.fromkeys(rows))


def _warnings(models: Sequence[KernelModel]) -> tuple[str, ...]:
    found = (w for record in judged_of(models) for w in record.warnings)
    return tuple(printable(warning) for warning in dict.fromkeys(found))


def of_check(result: Checked) -> Cases:
    """``check``: a case for each property."""
    model = result.model
    cases = _plain(_case(model, finding) for finding in result.findings)
    models = [model]
    title = printable(f"check {label(model)}")
    return Cases(title, cases, _about(models), _warnings(models))


def of_fleet(results: Iterable[Checked]) -> Cases:
    """``check`` of several devices: a case for each property of each."""
    made, model = list[Case](), None
    for result in results:
        model = result.model
        group = f"{label(model)} {result.domain.device.name}"
        cases = (_case(model, finding) for finding in result.findings)
        made += [replace(case, group=group) for case in cases]
    models = [] if model is None else [model]
    title = " ".join(["check", *(printable(label(one)) for one in models)])
    return Cases(title, _plain(made), _about(models), _warnings(models))


def _changed(model: KernelModel, found: Changed, regressions: bool) -> Case:
    """A property of a patched kernel; where ``regressions`` alone fail, what counts is
    whether it got worse."""
    worse = found.worse
    shown = found.kernel
    regressed = found.change is Change.REGRESSED
    if regressed and worse is not None and worse.counterexample is not None:
        shown = worse
    case = _case(model, shown)
    case = replace(case, told=f"{found.change}: {case.told}", change=found.change)
    asked = [f for f in (found.base, found.kernel, worse) if f is not None]
    if any(finding.verdict is Verdict.DISAGREE for finding in asked):
        return replace(case, verdict=Verdict.DISAGREE)
    if regressions and found.change is Change.STILL_BROKEN:
        return replace(case, verdict=Verdict.BROKEN, accepted=True)
    judged = found.change if regressions or regressed else found.kernel
    return replace(case, verdict=judged.verdict)


def of_prove(result: Proved, regressions: bool = False) -> Cases:
    """``prove``: a case for each property; ``regressions``: only those fail."""
    model, found = result.kernel.model, changes(result)
    made = [_changed(model, one, regressions) for one in found]
    if not found:
        made = [_case(model, finding) for finding in result.kernel.findings]
    title = printable(f"prove {label(model)}")
    return Cases(title, _plain(made), _about([model]), _warnings([model]))


def of_audit(lines: Iterable[Line]) -> Cases:
    """``audit``: a case for each line of its table."""
    cases = []
    for line in lines:
        kernel, _, *others = Table.names(line.unit)
        group = f"{kernel} {' '.join(others)}"
        model = BuiltinKernel(line.unit.state)
        cases.append(replace(_case(model, line.finding), group=group))
    return Cases("audit", _plain(cases))
