# SPDX-License-Identifier: GPL-2.0-only
"""One table of formats, which every command prints from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bounceproof.cli.main import COMMANDS, LazyGroup, bounceproof
from bounceproof.report import formats
from bounceproof.report.formats import FORMATS, Answer, Format, Output, render
from tests.conftest import Run

ONE_FORMAT = ("b4-check", "completion", "schema")
"""What b4 or a shell reads has the format that they read."""
ASKED = ("check", "v6.12", "--property", "fits", "--path", "direct")


def options(command: str) -> dict[str, Any]:
    assert isinstance(bounceproof, LazyGroup)
    found = bounceproof.get_command(None, command)  # type: ignore[arg-type]
    assert found is not None
    return {name: param for param in found.params for name in param.opts}


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {*ONE_FORMAT}))
def test_every_command_has_a_format_and_its_short_form(command: str) -> None:
    known = options(command)
    assert {"text", "json"} <= set(known["--format"].type.choices)
    assert {"--json", "--quiet", "--debug"} <= set(known)


def test_short_and_long_form_are_the_same(run: Run) -> None:
    short, long = (
        run("devices", *words).json for words in (["--json"], ["--format", "json"])
    )
    assert short == long
    assert run("devices").out == run("devices", "--format", "text").out


def test_a_format_is_one_entry(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def shout(answer: Answer, output: Output) -> str:
        return f"{answer.command}: {answer.fields()['verdict']}".upper()

    monkeypatch.setitem(FORMATS, "shout", Format("shout", shout, ("check",)))
    assert "shout" in formats.formats_of("check")
    assert "shout" not in formats.formats_of("limit")
    answer = Answer("check", lambda: {"verdict": "holds"}, lambda verbose: "")
    assert render(answer, Output("shout")) == "CHECK: HOLDS"


def test_json_has_the_schema_first() -> None:
    answer = Answer("kernels", lambda: {"kernels": []}, lambda verbose: "none")
    told = json.loads(render(answer, Output("json")))
    assert list(told) == ["schema", "command", "kernels"]
    assert render(answer, Output()) == "none"


NULLABLE = (
    *("seg_boundary_mask", "pool_start", "nslabs", "nareas", "start_index"),
    *("orig_addr", "size"),
)


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--page-size", "4K", "--size", "4K", "--orig-addr", "0x1000"),
        ("--nslabs", "256", "--nareas", "2", "--start-index", "3"),
        ("--pool-kind", "transient"),
        ("--size", "1G"),
    ],
)
def test_domain_fields_keep_their_types(run: Run, more: tuple[str, ...]) -> None:
    domain = run(*ASKED, *more, "--json").json["domain"]
    for name in ("page_size", "granule", "min_align_mask"):
        assert all(type(value) is int for value in domain[name])
    assert all(isinstance(path, str) for path in domain["path"])
    for name in NULLABLE:
        assert type(domain[name]) in (int, type(None))
        assert (domain[name] is None) is (name in domain["ranges"])
    assert type(domain["size_step"]) is type(domain["addr_step"]) is int
    assert domain["pool_kind"] in ("default", "grown", "transient")
    assert all(isinstance(text, str) for text in domain["left_out"])
