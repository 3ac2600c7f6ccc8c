# SPDX-License-Identifier: GPL-2.0-only
"""KTAP version 1 (Documentation/dev-tools/ktap.rst): properties and configurations.

``unknown`` is ``not ok`` with the directive ERROR; ``no request`` is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable

from bounceproof.report.machine.cases import Case, Cases, Part
from bounceproof.solver.contract.verdict import Verdict

_VERSION = "KTAP version 1"


def _plain(text: str) -> str:
    """``text`` on one line without the sign that begins a directive."""
    return " ".join(text.replace("#", "no.").split())


def _result(number: int, name: str, verdict: Verdict, why: str | None) -> str:
    """One result line."""
    word = "ok" if verdict in (Verdict.HOLDS, Verdict.NO_REQUEST) else "not ok"
    line = f"{word} {number} {_plain(name)}"
    said = _plain(why or "")
    if verdict is Verdict.NO_REQUEST:
        return f"{line} # SKIP {said or verdict.shown}"
    if verdict in (Verdict.UNKNOWN, Verdict.DISAGREE):
        return f"{line} # ERROR unknown{': ' if said else ''}{said}"
    return f"{line} # {said}" if said else line


def _of_case(number: int, case: Case) -> list[str]:
    """A case with its configurations as tests of its own."""
    name = f"{case.group} {case.prop.value}"
    told = None if case.verdict is Verdict.HOLDS else case.told
    notes = [f"# {line}".rstrip() for line in _notes(case)]
    if case.accepted:
        return [*notes, f"ok {number} {_plain(name)} # SKIP {_plain(case.told)}"]
    result = _result(number, name, case.verdict, told)
    nested = _nested(case.parts) if _agrees(case) else []
    return [*nested, *notes, result]


def _agrees(case: Case) -> bool:
    """Whether the configurations say what the case says: a test of which one fails,
    fails too."""
    passed = case.verdict in (Verdict.HOLDS, Verdict.NO_REQUEST)
    kept = (Verdict.HOLDS, Verdict.NO_REQUEST)
    return bool(case.parts) and passed == all(p.verdict in kept for p in case.parts)


def _nested(parts: Iterable[Part]) -> list[str]:
    found = list(parts)
    lines = [_VERSION, f"1..{len(found)}"]
    lines += [
        _result(number, part.name, part.verdict, part.reason)
        for number, part in enumerate(found, 1)
    ]
    return [f"  {line}" for line in lines]


def _notes(case: Case) -> list[str]:
    if case.verdict is Verdict.HOLDS:
        return []
    return list(case.details)


def ktap(cases: Cases) -> str:
    """A plan, and a result for each case."""
    lines = [_VERSION, f"1..{len(cases.cases)}", f"# {cases.title}"]
    lines += [f"# {name}: {value}" for name, value in cases.about]
    lines += [f"# warning: {warning}" for warning in cases.warnings]
    for number, case in enumerate(cases.cases, 1):
        lines += _of_case(number, case)
    return "\n".join(lines)
