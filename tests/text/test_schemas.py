# SPDX-License-Identifier: GPL-2.0-only
"""Every command's JSON has a schema that ships with the package and fits it.

What any test reads by ``run(...).json`` is held against its schema too.
"""

from __future__ import annotations

import importlib
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from bounceproof.cli.main import COMMANDS
from bounceproof.report.schemas import commands, schema_of
from tests.conftest import MACHINE, Run
from tests.schemas import validate

LINES = "".join(f'{{"size": {size}}}\n' for size in (512, 262144, 1 << 40))
HISTORY = {
    "machine": {"page_size": 4096, "granule": 4096, "min_align_mask": 0xFFF},
    "ops": [
        {"op": "map", "mapping": 1, "orig_addr": 0x604, "size": 2560, "path": "iommu"},
        {"op": "sync", "mapping": 1, "direction": "for_cpu"},
        {"op": "device_read", "mapping": 1},
        {"op": "unmap", "mapping": 1},
        {"op": "unmap", "mapping": 1},
    ],
}


def _prints_json(command: str) -> bool:
    name = command.replace("-", "_")
    module = importlib.import_module(f"bounceproof.cli.{name}")
    return any("--json" in option.opts for option in getattr(module, name).params)


def test_every_command_that_prints_json_has_one() -> None:
    assert commands() == sorted(filter(_prints_json, COMMANDS))


@pytest.mark.parametrize("command", commands())
def test_each_is_whole_and_says_what_it_is_of(run: Run, command: str) -> None:
    printed = json.loads(run("schema", command).out)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == schema_of(command)
    assert command in printed["title"]
    text = json.dumps(printed)
    assert "common.json" not in text
    for part in text.split('"$ref": "#/$defs/')[1:]:
        assert part.split('"')[0].split("/")[0] in printed["$defs"]


def test_schemas_of_other_words(run: Run) -> None:
    assert run("schema").out.split() == commands()
    wrong = run("schema", "schema")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("command", ["kernels", "fixes", "devices"])
def test_what_is_built_in(run: Run, command: str) -> None:
    assert run(command, "--json").json[command]


def test_answers(run: Run) -> None:
    pool = ("--pool-kind", "transient", "--path", "direct", "--page-size", "4K")
    one = ("--property", "fits")
    for words in (
        ("check", "v6.9", "--property", "owned", *MACHINE),
        ("check", "v6.9", *one, *pool),
        ("check", "v6.9", *one, "--size", "1G", "--path", "direct"),
        ("prove", "v6.6+will-v3", *one, *MACHINE),
        ("theorem", "v6.9", *one, "--granule", "64K"),
        ("diff", "v6.9", "v6.10", *MACHINE),
    ):
        assert run(*words, "--json").json["command"] == words[0]


def test_simulate(run: Run, tmp_path: Path) -> None:
    lines, calls = tmp_path / "lines", tmp_path / "calls"
    lines.write_text(LINES)
    calls.write_text(json.dumps(HISTORY))
    assert run("simulate", "v6.6", "--json", "--taken", "0-3").json["taken"] == [[0, 3]]
    told = run("simulate", "v6.6", "--batch", str(lines)).out.splitlines()
    assert len(told) == 3
    for line in told:
        validate("simulate", json.loads(line))
    history = run("simulate", "v6.9", "--history", str(calls), "--json").json
    assert history["broken"] and history["calls"][-1]["outcome"] is None


def test_a_field_that_no_schema_has_is_noticed(run: Run) -> None:
    told = json.loads(run("devices", "--json").out)
    told["devices"][0]["colour"] = "red"
    with pytest.raises(AssertionError, match="colour"):
        validate("devices", told)


@pytest.mark.parametrize("command", commands())
def test_no_name_means_two_things(command: str) -> None:
    folder = files("bounceproof").joinpath("schemas")
    own, shared = (
        json.loads(folder.joinpath(f"{name}.json").read_text("utf-8")).get("$defs", {})
        for name in (command, "common")
    )
    assert not own.keys() & shared.keys()
