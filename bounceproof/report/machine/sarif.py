# SPDX-License-Identifier: GPL-2.0-only
"""SARIF 2.1.0 (OASIS): a result for each property that is broken or not decided.

What holds is no result, as servers show each result as a finding; ``properties`` of
the run has every verdict.  ``unknown`` is a result of kind ``open``, and a
notification, so that no consumer can take it for success.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from bounceproof import __version__
from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.request import Place
from bounceproof.report.machine.cases import Case, Cases
from bounceproof.solver.answers.changes import Change
from bounceproof.solver.contract.verdict import Verdict

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
    "sarif-schema-2.1.0.json"
)
_BASELINE = {Change.REGRESSED: "new", Change.STILL_BROKEN: "unchanged"}
_ROOT = "SRCROOT"


def _rule(prop: Property) -> dict[str, Any]:
    return {
        "id": prop.value,
        "name": prop.value.capitalize(),
        "shortDescription": {"text": f"{CONTRACT[prop].briefly}."},
        "fullDescription": {"text": f"{CONTRACT[prop].meaning}."},
        "help": {"text": f"{prop.value} holds when {CONTRACT[prop].meaning}."},
        "defaultConfiguration": {"level": "error"},
    }


def _physical(place: Place) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": quote(place.file), "uriBaseId": _ROOT},
        "region": {"startLine": max(place.line, 1)},
    }


def _location(place: Place) -> dict[str, Any]:
    return {"physicalLocation": _physical(place), "message": {"text": place.what}}


def _places(case: Case) -> dict[str, Any]:
    """Where it breaks; of a built-in state its name alone."""
    if not case.places:
        kernel = {"fullyQualifiedName": case.group, "kind": "namespace"}
        return {"locations": [{"logicalLocations": [kernel]}]}
    first, *others = case.places
    found: dict[str, Any] = {"locations": [_location(first)]}
    if others:
        related = [{"id": n, **_location(p)} for n, p in enumerate(others, 1)]
        found["relatedLocations"] = related
    return found


def _fingerprint(case: Case) -> str:
    """The same for the same finding in the next version of a file."""
    where = case.places[0].file if case.places else case.group
    parts = [p.name for p in case.parts if p.verdict is case.verdict]
    whole = json.dumps([case.prop.value, case.verdict.shown, where, parts])
    return hashlib.sha256(whole.encode()).hexdigest()


def _text(case: Case) -> str:
    again = f"\n\n{case.example}" if case.example else ""
    return f"{case.verdict.shown}: {case.told}{again}"


def _result(case: Case, rules: list[Property]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": case.prop.value,
        "ruleIndex": rules.index(case.prop),
        **_kind(case),
        "message": {"text": _text(case)},
        **_places(case),
        "partialFingerprints": {"bounceproof/v1": _fingerprint(case)},
        "properties": {
            "kernel": case.group,
            "configurations": {p.name: p.verdict.shown for p in case.parts},
            "details": list(case.details),
        },
    }
    state = _BASELINE.get(case.change) if case.change is not None else None
    return made if state is None else {**made, "baselineState": state}


def _kind(case: Case) -> dict[str, str]:
    if case.undecided:
        return {"kind": "open", "level": "none"}
    return {"kind": "fail", "level": "note" if case.accepted else "error"}


def _notification(case: Case) -> dict[str, Any]:
    text = f"{case.group}: {case.prop.value} is unknown: {case.told}"
    return {"level": "warning", "message": {"text": text}}


def _invocation(cases: Cases) -> dict[str, Any]:
    told = [_notification(case) for case in cases.cases if case.undecided]
    told += [{"level": "warning", "message": {"text": w}} for w in cases.warnings]
    worked = all(case.verdict is not Verdict.DISAGREE for case in cases.cases)
    return {"executionSuccessful": worked, "toolExecutionNotifications": told}


def _tool(rules: list[Property]) -> dict[str, Any]:
    driver = {
        "name": "bounceproof",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(prop) for prop in rules],
    }
    return {"driver": driver}


def sarif(cases: Cases) -> str:
    """One SARIF log with one run; file names are relative to the tree's top."""
    rules = list(dict.fromkeys(case.prop for case in cases.cases))
    wanted = [case for case in cases.cases if case.failed or case.accepted]
    wanted += [case for case in cases.cases if case.undecided]
    verdicts: dict[str, dict[str, str]] = {}
    for case in cases.cases:
        verdicts.setdefault(case.group, {})[case.prop.value] = case.verdict.shown
    top = {"description": {"text": "The top of the kernel tree."}}
    run = {
        "tool": _tool(rules),
        "invocations": [_invocation(cases)],
        "originalUriBaseIds": {_ROOT: top},
        "columnKind": "unicodeCodePoints",
        "results": [_result(case, rules) for case in wanted],
        "properties": {
            "title": cases.title,
            "verdicts": verdicts,
            **dict(cases.about),
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)
