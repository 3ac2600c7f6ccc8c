# SPDX-License-Identifier: GPL-2.0-only
"""SARIF, JUnit XML and KTAP, each read by one that others use."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import JUnitXml

from bounceproof.report import checks
from bounceproof.report.formats import Output, render
from bounceproof.report.machine.cases import Case, Cases, Part
from bounceproof.report.machine.junit import junit
from bounceproof.report.machine.ktap import ktap
from bounceproof.report.machine.sarif import sarif
from bounceproof.report.text import printable
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from tests.conftest import Run
from tests.desk import ktap as reader
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import DIRECT, patch_text, write
from tests.source.trees import SWIOTLB

BROKEN = ("check", "v6.9", "--page-size", "64K", "--property", "fits")
QUICK = ("--page-size", "64K", "--granule", "64K", "--property", "fits")
NOTHING = ("--size", "1G")
SCHEMA = Path(os.environ.get("BOUNCEPROOF_SCHEMAS", "build/schemas"))
NASTY = "a\x1b[31m\x00<&>\"']]>\ud800\u202e#\n\r\tend"


def result_of(verdict: Verdict, text: str = "why", **more: Any) -> Cases:
    part = Part("direct, 4K pages", verdict, None)
    case = Case("k", Property.FITS, verdict, text, (text,), parts=(part,), **more)
    return Cases("check k", (case,))


@pytest.mark.parametrize("kind", ["sarif", "junit", "ktap"])
@pytest.mark.parametrize("command", ["check", "prove", "audit"])
def test_every_command_with_verdicts_has_it(run: Run, kind: str, command: str) -> None:
    told = run(command, "--help").out
    assert kind in told
    assert f"--{kind}" not in told


@pytest.mark.parametrize("kind", ["sarif", "junit", "ktap"])
def test_exit_codes_are_those_of_text(run: Run, kind: str) -> None:
    words = (*BROKEN, "--granule", "64K", "--format", kind)
    assert run(*words).code == 1
    assert run(*words, *NOTHING).code == 3


def test_devices_are_cases_of_their_own(run: Run) -> None:
    words = ("check", "v6.9", "--device", "all", "--path", "iommu", *QUICK)
    text = run(*words, "--format", "junit").out
    names = {
        case.classname for suite in JUnitXml.fromstring(text.encode()) for case in suite
    }
    assert {"v6.9 nvme", "v6.9 scsi"} <= names
    alone = run(*words, "--format", "mail")
    assert (alone.code, alone.err.count("name one device")) == (2, 1)


# SARIF.


def sarif_of(cases: Cases) -> Any:
    return json.loads(sarif(cases))


def test_sarif_is_read_by_sarif_tools(run: Run, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sarif import loader
    file = tmp_path / "found.sarif"
    file.write_text(run(*BROKEN, "--property", "halts", "--format", "sarif").out)
    [record] = loader.load_sarif_file(str(file)).get_records()
    assert (record["Tool"], record["Code"]) == ("bounceproof", "fits")
    assert record["Severity"] == "error"
    assert "197120 bytes at 0x10004" in record["Description"]


def test_sarif_is_valid(run: Run) -> None:
    official = SCHEMA / "sarif-schema-2.1.0.json"
    if not official.exists():
        pytest.skip(f"no {official}: make schemas")
    schema = json.loads(official.read_text())
    kind = jsonschema.validators.validator_for(schema)
    told = [json.loads(run(*BROKEN, "--format", "sarif").out)]
    told += [sarif_of(result_of(verdict, NASTY)) for verdict in Verdict]
    for log in told:
        kind(schema).validate(log)


def test_sarif_has_no_result_for_what_holds() -> None:
    [run] = sarif_of(result_of(Verdict.HOLDS))["runs"]
    assert run["results"] == []
    assert run["properties"]["verdicts"] == {"k": {"fits": "holds"}}


def test_sarif_never_takes_unknown_for_success() -> None:
    [run] = sarif_of(result_of(Verdict.UNKNOWN))["runs"]
    [result] = run["results"]
    assert (result["kind"], result["level"]) == ("open", "none")
    [note] = run["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "warning"
    [other] = sarif_of(result_of(Verdict.DISAGREE))["runs"]
    assert other["invocations"][0]["executionSuccessful"] is False


def test_sarif_names_the_line_that_gives_up(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", files(COUNTED))
    log = json.loads(run("check", str(tree), *DIRECT, "--format", "sarif").out)
    [result] = log["runs"][0]["results"]
    [at] = result["locations"]
    where = at["physicalLocation"]
    assert where["artifactLocation"] == {"uri": SWIOTLB, "uriBaseId": "SRCROOT"}
    line = files(COUNTED)[SWIOTLB].split("\n")[where["region"]["startLine"] - 1]
    assert line.strip() == "return -1;"
    assert "SRCROOT" in log["runs"][0]["originalUriBaseIds"]
    assert len(result["relatedLocations"]) >= 2


def test_sarif_says_what_a_patch_left(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", files(COUNTED))
    text = files(COUNTED)[SWIOTLB]
    patch = tmp_path / "p.patch"
    patch.write_text(patch_text(text.replace("swiotlb buffer is full", "pool is full")))
    words = ("prove", str(tree), "--patch", str(patch), *DIRECT, "--format", "sarif")
    told = run(*words, "--fail-on", "regression")
    [result] = json.loads(told.out)["runs"][0]["results"]
    assert (result["baselineState"], result["level"]) == ("unchanged", "note")
    assert told.code == 0


# JUnit.


def test_junit_is_read_by_junitparser(run: Run) -> None:
    text = run(*BROKEN, "--property", "halts", "--format", "junit").out
    xml = JUnitXml.fromstring(text.encode())
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (2, 1, 0, 0)
    [suite] = xml
    fits, halts = suite
    assert (fits.classname, fits.name) == ("v6.9", "fits")
    [failure] = fits.result
    assert failure.message.startswith("197120 bytes at 0x10004")
    assert "ALIGN(197120, 65536) + 4 = 262148" in failure.text
    assert halts.result == []


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [
        (Verdict.UNKNOWN, (0, 1, 0)),
        (Verdict.DISAGREE, (0, 1, 0)),
        (Verdict.NO_REQUEST, (0, 0, 1)),
        (Verdict.HOLDS, (0, 0, 0)),
    ],
)
def test_junit_never_takes_unknown_for_success(
    verdict: Verdict, counts: tuple[int, int, int]
) -> None:
    xml = JUnitXml.fromstring(junit(result_of(verdict)).encode())
    assert (xml.failures, xml.errors, xml.skipped) == counts


# KTAP.


def test_ktap_has_configurations_as_subtests(run: Run) -> None:
    text = run(*BROKEN, "--property", "halts", "--format", "ktap").out
    fits, halts = reader.read(text)
    assert (fits.passed, halts.passed) == (False, True)
    assert fits.name == "v6.9 fits"
    assert [test.passed for test in fits.nested] == [False, False, True, False]
    assert any("ALIGN(197120, 65536)" in line for line in fits.diagnostics)


def test_ktap_never_takes_unknown_for_success() -> None:
    for verdict in (Verdict.UNKNOWN, Verdict.DISAGREE):
        [test] = reader.read(ktap(result_of(verdict)))
        assert (test.passed, test.directive) == (False, "ERROR")
    [test] = reader.read(ktap(result_of(Verdict.NO_REQUEST)))
    assert test.directive == "SKIP"


# Escaping.


def test_no_control_character_goes_through() -> None:
    shown = printable(NASTY)
    assert shown == "a\\x1b[31m\\x00<&>\"']]>\\ud800\\u202e#\\x0a\\x0d\tend"
    cases = result_of(Verdict.BROKEN, shown)
    xml = JUnitXml.fromstring(junit(cases).encode())
    assert "]]>" in next(iter(next(iter(xml)))).result[0].message
    assert len(reader.read(ktap(cases))) == 1
    assert sarif_of(cases)["runs"][0]["results"]


def test_names_of_files_are_escaped(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / "t\x1b[31m<tree>\n", files(COUNTED))
    for kind in ("sarif", "junit", "ktap"):
        told = run("check", str(tree), *DIRECT, "--format", kind).out
        assert "\x1b" not in told
        assert all(line.isprintable() for line in told.split("\n"))


def test_control_characters_do_not_reach_a_terminal(run: Run) -> None:
    result = run("check", "v\x1b[31m6.9")
    assert (result.code, "\x1b" in result.err) == (2, False)
    assert "\\x1b[31m" in result.err


def test_a_format_without_cases_is_an_error() -> None:
    answer = checks.Answer("kernels", dict, lambda verbose: "")
    with pytest.raises(ValueError, match="kernels"):
        render(answer, Output("sarif"))
