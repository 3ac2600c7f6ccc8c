# SPDX-License-Identifier: GPL-2.0-only
"""JUnit XML, as CI servers read it: a suite an answer, a test case a question.

``broken`` is a failure; ``unknown``, and an answer that contradicts itself, an error;
``no request`` is skipped.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from bounceproof.report.machine.cases import Case, Cases
from bounceproof.solver.contract.verdict import Verdict


def _body(case: Case) -> str:
    return "\n".join(case.details)


def _test(case: Case) -> Xml.Element:
    made = Xml.Element(
        "testcase",
        classname=case.group,
        name=case.prop.value,
        time=f"{case.seconds:.3f}",
    )
    if case.places:
        made.set("file", case.places[0].file)
        made.set("line", str(case.places[0].line))
    kind = _outcome(case)
    if kind is not None:
        outcome = Xml.SubElement(made, kind, message=case.told)
        if kind != "skipped":
            outcome.set("type", case.verdict.shown)
            outcome.text = _body(case)
            return made
    if case.details:
        Xml.SubElement(made, "system-out").text = _body(case)
    return made


def _outcome(case: Case) -> str | None:
    """The element that says that a test did not pass."""
    if case.failed:
        return "failure"
    if case.undecided:
        return "error"
    return "skipped" if case.verdict is Verdict.NO_REQUEST or case.accepted else None


def junit(cases: Cases) -> str:
    """One ``testsuites`` with one ``testsuite``."""
    outcomes = [_outcome(case) for case in cases.cases]
    counts = {
        "tests": len(outcomes),
        "failures": outcomes.count("failure"),
        "errors": outcomes.count("error"),
        "skipped": outcomes.count("skipped"),
    }
    totals = {name: str(count) for name, count in counts.items()}
    totals["time"] = f"{sum(case.seconds for case in cases.cases):.3f}"
    root = Xml.Element("testsuites", {"name": "bounceproof", **totals})
    suite = Xml.SubElement(root, "testsuite", {"name": cases.title, **totals})
    facts = [*cases.about, *(("warning", text) for text in cases.warnings)]
    if facts:
        held = Xml.SubElement(suite, "properties")
        for name, value in facts:
            Xml.SubElement(held, "property", name=name, value=value)
    suite.extend(_test(case) for case in cases.cases)
    Xml.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}\n{Xml.tostring(root, encoding='unicode')}"
