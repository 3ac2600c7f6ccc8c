# SPDX-License-Identifier: GPL-2.0-only
"""A reader of KTAP version 1, written from Documentation/dev-tools/ktap.rst."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_VERSION = re.compile(r"KTAP version 1$")
_PLAN = re.compile(r"1\.\.(\d+)$")
_RESULT = re.compile(r"(ok|not ok) (\d+)(?: ([^#\n]*?))?(?: # ?(.*))?$")
_DIRECTIVE = re.compile(r"(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b ?(.*)$")


class NotKtap(Exception):
    """The text breaks a rule of the document."""


@dataclass(slots=True)
class Test:
    """One result line, and the tests nested before it."""

    passed: bool
    number: int
    name: str
    directive: str | None
    data: str
    nested: list[Test] = field(default_factory=list)
    diagnostics: list[str] = field(default_factory=list)


def _level(lines: list[str], indent: str) -> list[Test]:
    """The tests of one level of nesting; takes its lines off the front."""
    if not lines or not _VERSION.match(lines[0].removeprefix(indent)):
        raise NotKtap(f"no version line: {lines[:1]}")
    lines.pop(0)
    plan = _PLAN.match(lines.pop(0).removeprefix(indent))
    if plan is None:
        raise NotKtap("no plan behind the version line")
    tests: list[Test] = []
    nested: list[Test] = []
    said: list[str] = []
    while lines and lines[0].startswith(indent) and len(tests) < int(plan[1]):
        line = lines[0].removeprefix(indent)
        if line.startswith("  ") and _VERSION.match(line[2:]):
            nested = _level(lines, f"{indent}  ")
            continue
        lines.pop(0)
        if line.startswith("#"):
            said.append(line)
            continue
        tests.append(_test(line, nested, said, len(tests) + 1))
        nested, said = [], []
    if len(tests) != int(plan[1]):
        raise NotKtap(f"{plan[1]} tests planned, {len(tests)} results")
    return tests


def _test(line: str, nested: list[Test], said: list[str], number: int) -> Test:
    found = _RESULT.match(line)
    if found is None:
        raise NotKtap(f"not a result line: {line!r}")
    if int(found[2]) != number:
        raise NotKtap(f"test {found[2]} in place {number}")
    told = _DIRECTIVE.match(found[4] or "")
    directive, data = (told[1], told[2]) if told else (None, found[4] or "")
    passed = found[1] == "ok"
    if directive in ("ERROR", "TIMEOUT") and passed:
        raise NotKtap(f"{directive} goes with not ok: {line!r}")
    failed = [test for test in nested if not test.passed]
    if passed and failed and directive != "SKIP":
        raise NotKtap(f"{line!r} passes although {failed[0].name!r} does not")
    return Test(passed, number, found[3] or "", directive, data, nested, said)


def read(text: str) -> list[Test]:
    """The tests of ``text``; NotKtap where it is none, or something follows."""
    lines = text.rstrip("\n").split("\n")
    tests = _level(lines, "")
    if lines:
        raise NotKtap(f"more behind the last result: {lines[0]!r}")
    return tests
