# SPDX-License-Identifier: GPL-2.0-only
"""Text that fits a mail, JSON that fits its schema, help that loads nothing."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from bounceproof.models.requests.defaults import FIELDS
from tests.conftest import MACHINE, Run

PROPERTY: dict[str, Any] = {
    "type": "object",
    "required": [
        "property",
        "verdict",
        "counterexample",
        "confirmed",
        "minimum",
        "message",
        "reason",
        "seconds",
    ],
    "properties": {
        "verdict": {"enum": ["holds", "broken", "unknown"]},
        "counterexample": {"type": ["object", "null"]},
        "confirmed": {"type": ["boolean", "null"]},
        "minimum": {"type": ["boolean", "null"]},
        "message": {"type": ["string", "null"]},
        "reason": {"type": ["string", "null"]},
        "seconds": {"type": "number"},
    },
}
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "command", "kernel", "domain", "verdict", "properties"],
    "properties": {
        "schema": {"const": 1},
        "verdict": {"enum": ["holds", "broken", "unknown"]},
        "domain": {"type": "object"},
        "properties": {"type": "array", "items": PROPERTY},
    },
}
OUTCOME = ["ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang"]
REQUEST = ["kernel", *FIELDS, *OUTCOME]


@pytest.mark.parametrize("command", ["check", "prove"])
@pytest.mark.parametrize("kernel", ["v6.6", "v6.6+will-v3", "v6.12"])
def test_json_fits_the_schema(run: Run, command: str, kernel: str) -> None:
    result = run(command, kernel, "--json", *MACHINE)
    jsonschema.validate(result.json, ANSWER)
    for answer in result.json["properties"]:
        if answer["counterexample"] is not None:
            fields = list(answer["counterexample"])
            assert fields[: len(REQUEST)] == REQUEST


def test_simulate_json_has_the_request_and_outcome_fields(run: Run) -> None:
    data = run("simulate", "v6.6", "--json").json
    assert list(data) == ["schema", "command", *REQUEST]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "v6.6", *MACHINE],
        ["prove", "v6.6+will-v3", *MACHINE],
        ["check", "v6.12", "--property", "finds", "--property", "owned"],
        ["simulate", "v6.12", "--size", "252K", "--orig-addr", "0xffff12345e04"],
        ["simulate", "v6.6+will-v3-mask7ff", "--orig-addr", "0x105774600"],
        ["kernels"],
        ["kernels", "--details"],
        ["devices"],
        ["--help"],
        ["check", "--help"],
    ],
)
def test_text_is_75_columns_and_plain(run: Run, arguments: list[str]) -> None:
    out = run(*arguments).out
    assert out
    assert "\x1b" not in out
    pasted = ("https://", "bounceproof simulate ")
    words = (line for line in out.splitlines() if not any(p in line for p in pasted))
    width = 80 if "--help" in arguments else 75
    assert max(len(line) for line in words) <= width


def test_exit_codes(run: Run) -> None:
    assert run("check", "v6.12", "--property", "fits", *MACHINE).code == 0
    assert run("check", "v6.6", "--property", "fits", *MACHINE).code == 1
    never_asked = ("--property", "fits", "--addr-step", "64", "--nslabs", "49152")
    assert run("check", "v6.6", *never_asked, "--timeout", "0.001").code == 3


def test_broken_is_not_hidden_by_unknown() -> None:
    from bounceproof.solver.contract.verdict import Verdict, exit_code, overall

    both = (Verdict.UNKNOWN, Verdict.HOLDS, Verdict.BROKEN)
    assert overall(both) is Verdict.BROKEN
    assert exit_code(both) == 3


def test_no_verdict_at_all_is_unknown() -> None:
    from bounceproof.solver.contract.verdict import Verdict, exit_code, overall

    assert (overall(()), exit_code(())) == (Verdict.UNKNOWN, 3)
    assert overall([Verdict.NO_REQUEST]) is Verdict.UNKNOWN


def test_the_shown_command_reproduces_the_counterexample(run: Run) -> None:
    data = run("check", "v6.6", "--json", "--property", "fits").json
    text = run("check", "v6.6", "--property", "fits").out
    [shown] = (line for line in text.splitlines() if line.startswith("bounceproof "))
    again = run(*shlex.split(shown)[1:], "--json").json
    example = data["properties"][0]["counterexample"]
    assert {k: again[k] for k in REQUEST} == example


def test_help_imports_neither_solver_nor_compiler() -> None:
    code = (
        "import sys\nfrom bounceproof.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('z3', 'numba', 'sympy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_only_solver_rooms_import_a_solver() -> None:
    import ast
    from pathlib import Path

    import bounceproof

    root = Path(bounceproof.__file__).parent
    for path in root.rglob("*.py"):
        room = path.relative_to(root).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.split(".")[0] in ("z3", "bitwuzla"):
                    assert path.parent == root / "solver" / "smt", path
                if room == "models" and name.startswith("bounceproof"):
                    rooms = ("bounceproof.models", "bounceproof.errors")
                    assert name.startswith(rooms), path
                if room == "simulator" and name.startswith("bounceproof.models"):
                    allowed = ("constants", "state", "kernels")
                    data = name.split(".")[-1] in (*allowed, "models")
                    assert data or name == "bounceproof.models.outcome", (path, name)


def test_batch_is_independent_of_compilation(run: Run) -> None:
    lines = "".join(
        json.dumps({"size": 512 * k, "orig_addr": 0x1234 * k, "kernel": kernel}) + "\n"
        for k in range(1, 40)
        for kernel in ("v6.6", "v6.12")
    )
    outs = []
    for jit in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "bounceproof", "simulate", "v6.6", "--batch", "-"],
            input=lines,
            capture_output=True,
            text=True,
            check=True,
            env={**__import__("os").environ, "BOUNCEPROOF_JIT": jit},
        )
        outs.append(done.stdout)
    assert outs[0] == outs[1]
    assert outs[0].count("\n") == 78
