# SPDX-License-Identifier: GPL-2.0-only
"""The jobs in contrib/ci: valid, and their scripts run on a small git tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

from tests.source.shapes import COUNTED, files
from tests.source.test_commands import LESS, git, patched, write
from tests.source.trees import SWIOTLB

CI = Path(__file__).parents[2] / "contrib" / "ci"
SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
QUICK = "--page-size 4K --property fits"
RAISED = files(COUNTED)[SWIOTLB].replace(LESS, "\t\tless = 0;\n")


def job(server: str) -> Any:
    return yaml.safe_load((CI / f"{server}.yml").read_text())


def script(server: str, name: str) -> str:
    """What a job runs once it is installed."""
    if server == "gitlab":
        [text] = job(server)[f"bounceproof-{name}"]["script"]
        return str(text)
    steps = job(server)["jobs"][name]["steps"]
    [text] = [step["run"] for step in steps if "bounceproof " in step.get("run", "")]
    return str(text)


@pytest.mark.parametrize("server", SCHEMAS)
def test_the_job_is_valid(server: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", SCHEMAS[server], str(CI / f"{server}.yml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = write(tmp_path / "tree", files(COUNTED))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "the base")
    return folder


OURS = f'exec "{sys.executable}" -m bounceproof "$@"'


def ran(tree: Path, text: str, command_text: str = OURS, **environment: str) -> int:
    """The exit code of a script as a server runs it, with our command on its path."""
    folder = tree.parent / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "bounceproof"
    command.write_text(f"#!/bin/sh\n{command_text}\n")
    command.chmod(0o755)
    where = os.pathsep.join(
        filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])
    )
    given = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": where}
    done = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=tree,
        env={**os.environ, "OPTIONS": QUICK, **given, **environment},
        check=False,
    )
    return done.returncode


def change(tree: Path, text: str) -> dict[str, str]:
    """Commit a change of swiotlb.c; what each server calls the commit before it."""
    base = git(tree, "rev-parse", "HEAD")
    (tree / SWIOTLB).write_text(text)
    git(tree, "commit", "-qam", "a change")
    return {"BASE": base, "CI_COMMIT_BEFORE_SHA": base}


def test_a_change_that_breaks_nothing_passes(tree: Path) -> None:
    base = change(tree, patched())
    assert ran(tree, script("gitlab", "change"), **base) == 0
    assert JUnitXml.fromfile(str(tree / "bounceproof.xml")).failures == 0


def test_a_change_that_breaks_something_fails(tree: Path) -> None:
    change(tree, patched())
    base = change(tree, RAISED)
    assert ran(tree, script("github", "change"), **base) == 1
    [run] = json.loads((tree / "bounceproof.sarif").read_text())["runs"]
    [result] = run["results"]
    assert (result["level"], result["baselineState"]) == ("error", "new")


def test_scripts_of_both_servers_ask_the_same() -> None:
    asked = [
        text[text.index("git cat-file") : text.index("--format")].split()
        for text in (script(server, "change") for server in SCHEMAS)
    ]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("server", SCHEMAS)
def test_a_change_elsewhere_asks_nothing(tree: Path, server: str) -> None:
    base = git(tree, "rev-parse", "HEAD")
    git(tree, "commit", "-q", "--allow-empty", "-m", "nothing of ours")
    given = {"BASE": base, "CI_COMMIT_BEFORE_SHA": base}
    assert ran(tree, script(server, "change"), **given) == 0
    assert not list(tree.glob("bounceproof.*"))


@pytest.mark.parametrize("base", ["0" * 40, ""])
def test_a_new_branch_is_held_to_its_parent(tree: Path, base: str) -> None:
    change(tree, patched())
    given = {"BASE": base, "CI_COMMIT_BEFORE_SHA": base}
    assert ran(tree, script("gitlab", "change"), 'echo "$@"', **given) == 0
    before = git(tree, "rev-parse", "HEAD^")
    assert f"prove .@{before} --patch" in (tree / "bounceproof.xml").read_text()
    assert SWIOTLB in (tree / "change.patch").read_text()


@pytest.mark.parametrize("server", SCHEMAS)
def test_the_release_is_answered_from_the_store(tree: Path, server: str) -> None:
    given = {"RELEASE": "v6.12", "OPTIONS": "--page-size 4K --property halts --jobs 1"}
    for _ in range(2):
        assert ran(tree, script(server, "release"), **given) == 0
    assert JUnitXml.fromfile(str(tree / "audit.xml")).failures == 0
    assert (tree / "answers" / "store").exists()
