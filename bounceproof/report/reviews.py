# SPDX-License-Identifier: GPL-2.0-only
"""What a reviewer is told of a patch: what it fixes, breaks and leaves."""

from __future__ import annotations

from collections.abc import Iterable

from bounceproof.report import b4, proofs
from bounceproof.report.b4 import Status
from bounceproof.solver.answers.changes import Change, Changed, changes
from bounceproof.solver.answers.prove import Proved
from bounceproof.solver.contract.verdict import Verdict

_SAID = (
    (Change.REGRESSED, "breaks"),
    (Change.FIXED, "fixes"),
    (Change.STILL_BROKEN, "leaves broken"),
    (Change.UNDECIDED, "unknown"),
)


def _disagree(result: Proved) -> bool:
    """Whether solver and simulator contradict each other: an error of ours."""
    asked = (*result.base.findings, *result.kernel.findings, *result.worse)
    return any(finding.verdict is Verdict.DISAGREE for finding in asked)


def _status(result: Proved, found: Iterable[Changed]) -> Status:
    kinds = {one.change for one in found}
    if Change.REGRESSED in kinds:
        return Status.FAIL
    open_ = Change.UNDECIDED in kinds or _disagree(result)
    return Status.WARN if open_ else Status.PASS


def said_of(found: Iterable[Changed]) -> str:
    """Every kind of change with its properties, the worst first."""
    names: dict[Change, list[str]] = {}
    for one in found:
        names.setdefault(one.change, []).append(one.prop.value)
    parts = [f"{said} {', '.join(names[k])}" for k, said in _SAID if k in names]
    if not names.keys() & {Change.REGRESSED, Change.FIXED, Change.UNDECIDED}:
        parts.insert(0, "changes no verdict")
    return "; ".join(parts)


def review(result: Proved, base: str) -> str:
    """b4's array for a patch; ``base`` says what it was judged on."""
    found = changes(result)
    details = f"Base: {base}\n\n{proofs.as_text(result)}"
    return b4.result(_status(result, found), said_of(found), details)
