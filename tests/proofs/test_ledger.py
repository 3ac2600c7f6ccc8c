# SPDX-License-Identifier: GPL-2.0-only
"""The ledger: its schema, the README's tables in it, and its claims run again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tools.verdict_table import MACHINES, Machine, who_meets

ROOT = Path(__file__).parents[2]
LEDGER = json.loads((ROOT / "proofs" / "ledger.json").read_text())
CLAIMS: dict[str, dict[str, Any]] = {c["id"]: c for c in LEDGER["claims"]}
TITLES = {
    "NVMe behind a 64 KiB granule": "64K",
    "NVMe behind a 4 KiB granule": "4K",
    "NVMe through dma-direct, 4 KiB pages": "direct",
}
SAMPLE = ("T2", "T3", "T5", "T6", "T7/aligned")


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "ledger"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_schema() -> None:
    schema = json.loads((ROOT / "proofs" / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(LEDGER, schema)
    assert len(CLAIMS) == len(LEDGER["claims"])


def test_every_claim_has_an_answer_and_no_other_is_written() -> None:
    listed = re.findall(r"(?m)^(\S+): .*\n +bounceproof (.*)$", tool("list").stdout)
    assert dict(listed) == {c["id"]: c["command"] for c in CLAIMS.values()}


def readme_cells() -> list[tuple[str, str, str, str]]:
    """Machine, first kernel, property and verdict of each table cell in the docs."""
    found, machine, props = [], "", list[str]()
    pages = (ROOT / "README.md", ROOT / "docs" / "verdicts.md")
    for line in "\n".join(page.read_text() for page in pages).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in TITLES:
            machine, props = TITLES[cells[0]], [cell.strip("`") for cell in cells[1:]]
        elif not line.startswith("|"):
            machine = ""
        elif machine and cells[0].startswith("`"):
            kernel = cells[0].split(",")[0].strip("`")
            words = [re.sub(r"\[?\*\*(\w+)\*\*.*", r"\1", cell) for cell in cells[1:]]
            found += [
                (machine, kernel, p, w) for p, w in zip(props, words, strict=True)
            ]
    return found


def test_the_readme_shows_what_the_ledger_has() -> None:
    cells = readme_cells()
    assert len(cells) > 300
    for machine, kernel, prop, verdict in cells:
        answer = CLAIMS[f"table/{machine}/{kernel}"]["answer"]["verdicts"]
        assert answer[prop] == verdict, (machine, kernel, prop)


@pytest.mark.parametrize("machine", [m for m in MACHINES if m.in_table])
def test_each_table_says_who_meets_it(machine: Machine) -> None:
    pages = (ROOT / "README.md", ROOT / "docs" / "verdicts.md")
    [text] = [t for t in map(Path.read_text, pages) if f"| {machine.title} |" in t]
    assert who_meets(machine) in text


@pytest.mark.parametrize("claim", list(CLAIMS))
def test_what_is_broken_has_a_smallest_counterexample(claim: str) -> None:
    written = CLAIMS[claim]
    verdicts = written["answer"].get("verdicts", {})
    examples = written["evidence"].get("counterexamples", {})
    broken_in = "broken" in str(written["answer"])
    assert (written["answer"]["exit_code"] == 1) is broken_in
    if "--property" in written["command"] and "theorem" not in claim:
        broken = {prop for prop, verdict in verdicts.items() if verdict == "broken"}
        assert set(examples) == broken
        assert all(example["minimum"] for example in examples.values())


def test_a_sample_answers_as_written() -> None:
    again = tool("verify", *SAMPLE)
    assert again.returncode == 0, again.stdout
    assert again.stdout.count(": as written") >= len(SAMPLE)


def test_another_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "proofs").mkdir()
    for name in (
        "ledger",
        "verdict-table",
        "__init__.py",
        "ledger.py",
        "verdict_table.py",
    ):
        text = (ROOT / "tools" / name).read_text()
        (tmp_path / "tools" / name).write_text(text)
    wrong = CLAIMS["T6"] | {"answer": {"exit_code": 1, "verdicts": {"fits": "broken"}}}
    (tmp_path / "proofs" / "ledger.json").write_text(
        json.dumps({"schema": 1, "claims": [wrong]})
    )
    command = [sys.executable, str(tmp_path / "tools" / "ledger"), "verify", "T6"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "T6: DIFFERS" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize("claim", list(CLAIMS))
def test_every_claim_answers_as_written(claim: str) -> None:
    again = tool("verify", claim)
    assert again.returncode == 0, again.stdout
