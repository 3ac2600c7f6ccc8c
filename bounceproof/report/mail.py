# SPDX-License-Identifier: GPL-2.0-only
"""``--format mail``: a report to paste, with what the kernel's guides ask of one.

Documentation/process/researcher-guidelines.rst and generated-content.rst.
"""

from __future__ import annotations

from collections.abc import Iterable

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import FIXES
from bounceproof.models.kernels.fix import Fix, FixDoesNotApply
from bounceproof.models.request import KernelModel, RunsItself
from bounceproof.report import checks, proofs
from bounceproof.report.domain import asked_of, asked_text
from bounceproof.report.judged import judged_text, label, tool_json
from bounceproof.report.plainmail import ascii_only, commands_folded, folded
from bounceproof.report.reach import reach_text
from bounceproof.report.reached import EFFECT, who
from bounceproof.report.request import REPRODUCE
from bounceproof.report.reviews import said_of
from bounceproof.report.text import WIDTH, folded_at, several, wrap
from bounceproof.solver.answers.changes import changes
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.verdict import Counterexample, Finding, Verdict
from bounceproof.solver.counterexample.confirm import shows

_MOST_FIXES = 4


def _subject(text: str) -> str:
    line = ascii_only(f"Subject: {text}")
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _names(findings: Iterable[Finding], verdict: Verdict) -> list[str]:
    return [f.prop.value for f in findings if f.verdict is verdict]


def _head(result: Checked) -> list[str]:
    """Subject, and the finding in two lines."""
    kernel, worst = label(result.model), _worst(result)
    broken = _names(result.findings, Verdict.BROKEN)
    if worst is None:
        told = f"{kernel}: {result.verdict.shown}"
        return [_subject(f"swiotlb: {told}"), "", wrap(_summary(result))]
    request = checks.smallest(result.model, worst)
    subject = f"swiotlb: {kernel}: {several(broken)} broken"
    return [_subject(subject), "", wrap(f"{worst.prop.value} is broken: {request}.")]


def _summary(result: Checked) -> str:
    """Each verdict with its properties."""
    parts = []
    for verdict in Verdict:
        names = _names(result.findings, verdict)
        parts += [f"{verdict.shown}: {', '.join(names)}"] if names else []
    return f"{label(result.model)}: {'; '.join(parts)}."


def _worst(result: Checked) -> Finding | None:
    """The finding that the mail is about: the first that is broken."""
    found = (f for f in result.findings if f.verdict is Verdict.BROKEN)
    return next(found, None)


def _section(name: str, text: str) -> list[str]:
    return ["", wrap(f"{name}: {text}")]


def _details(model: KernelModel, finding: Finding) -> list[str]:
    """The request with its arithmetic, picture and log line, without the command."""
    lines = "\n".join(checks.counterexample_text(model, finding)).split("\n")
    at = next((n for n, line in enumerate(lines) if line.startswith(REPRODUCE)), None)
    return lines if at is None else lines[:at]


def _again(model: KernelModel, example: Counterexample) -> list[str]:
    head, *command = checks.command_of(model, example)
    return ["", _heading(head), "", *commands_folded(command)]


def _heading(reproduce: str) -> str:
    """The heading of a command in a mail."""
    return f"To check it again{reproduce.removeprefix(REPRODUCE)}"


def _how(model: KernelModel) -> str:
    """How it was found, by what, and what was not done."""
    named = [f"{name} {version}" for name, version in tool_json().items() if version]
    own = isinstance(model, RunsItself)
    run = (
        "on the tree's own C code, interpreted" if own else "in a simulator of swiotlb"
    )
    return (
        f"by a tool: {', '.join(named)}. It asks solvers for the smallest request that "
        "the driver may send and that breaks the property, for all addresses, pools "
        f"and start indices at once, and runs what they find {run}. Nothing was run "
        "on hardware. The tool wrote this mail too; its input was the kernel named "
        "here and the question below, no prompt and no language model."
    )


def _makes_it_work(model: BuiltinKernel, finding: Finding) -> list[Fix]:
    """Known changes with which the request no longer breaks the property."""
    example, found = finding.counterexample, list[Fix]()
    assert example is not None
    for fix in FIXES.values():
        try:
            kernel = BuiltinKernel(fix.apply(model.state))
            broken = shows(finding.prop, kernel, example.cell, example.point)
        except (FixDoesNotApply, ValueError):
            continue
        found += [] if broken else [fix]
    return sorted(found, key=lambda fix: not fix.origin.commit)


def _fixes(model: KernelModel, finding: Finding) -> list[str]:
    """Known changes for a built-in state, and what is to be found for the tags."""
    known = _makes_it_work(model, finding) if isinstance(model, BuiltinKernel) else []
    lines = ["", wrap("With these known changes the request works:")] if known else []
    for fix in known[:_MOST_FIXES]:
        commit = fix.origin.commit[:12] or "not merged"
        lines.append(wrap(f"{commit} ({fix.name}, {fix.origin.release})", "  ", "    "))
        lines.append(f"  Link: {fix.origin.link}")
    bisect = f"bounceproof bisect {finding.prop.value} TREE GOOD BAD"
    told = f"The commit for a Fixes: tag is not known here; {bisect} finds it."
    return [*lines, "", wrap(told)]


def _about_one(result: Checked, finding: Finding) -> list[str]:
    """All that is said of the one finding that is broken."""
    example, model = finding.counterexample, result.model
    assert example is not None
    lines = _details(model, finding)
    lines += _section("Effect", EFFECT[finding.prop])
    asked = who(example.cell, result.domain.device.name)
    lines += reach_text(model, [finding]) or _section("Who can meet it", asked)
    others = [f for f in result.findings if f is not finding]
    if others:
        lines += _section(
            "Beside it", _summary(Checked(model, result.domain, tuple(others)))
        )
    lines += _section("Found", _how(model))
    lines += _again(model, example)
    return [*lines, *_fixes(model, finding)]


def of_check(result: Checked) -> str:
    """``check`` as a mail: of what is broken first, in full."""
    with folded_at(WIDTH):
        worst = _worst(result)
        lines = [*_head(result), "", *judged_text([result.model])]
        if worst is not None:
            lines += _about_one(result, worst)
        else:
            lines += _section("Found", _how(result.model))
        lines += ["", *asked_text(asked_of(result))]
        return "\n".join(_links_kept(lines))


def _links_kept(lines: Iterable[str]) -> list[str]:
    """Folded, but for lines that are one link: a link is not to be broken."""
    kept: list[str] = []
    for line in lines:
        link = line.lstrip().startswith("Link: ")
        kept += [ascii_only(line)] if link else folded([line])
    return _without_gaps(kept)


def _without_gaps(lines: Iterable[str]) -> list[str]:
    """Never two empty lines in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return kept


def _kept(line: str) -> bool:
    """Whether a line of the text is for who reads a mail as well."""
    return not line.startswith(("Details: ", "Compared with "))


def of_prove(result: Proved) -> str:
    """``prove`` as a mail: what a patch fixes, breaks and leaves."""
    kernel, base = result.kernel.model, result.base.model
    with folded_at(WIDTH):
        told = said_of(changes(result))
        lines = [_subject(f"swiotlb: {label(kernel)} {told}"), ""]
        lines += [wrap(f"Compared with {label(base)}, {label(kernel)} {told}."), ""]
        text = [line for line in proofs.as_text(result).split("\n")[2:] if _kept(line)]
        at = next(
            (n for n, line in enumerate(text) if line.startswith(REPRODUCE)), None
        )
        lines += text if at is None else text[:at]
        if at is not None:
            lines += ["", _heading(text[at]), "", *commands_folded([text[at + 1]])]
            lines += text[at + 2 :]
        lines += _section("Found", _how(kernel))
        return "\n".join(_links_kept(lines))
