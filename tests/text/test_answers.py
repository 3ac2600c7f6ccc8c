# SPDX-License-Identifier: GPL-2.0-only
"""What an answer says of its domain, its versions and what got worse; exact text."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version

import jsonschema
import pytest
import z3

from bounceproof import __version__
from bounceproof.solver.smt.bitwuzla import available
from tests.conftest import MACHINE, Run

FITS = ("--property", "fits")
SUMMARY = """\
prove v6.6+will-v3: broken
--------------------------

Compared with v6.6:

  Regressed     fits
  Fixed         aligned
  Still broken  none

  property  base                kernel           change
  fits      broken from 197120  broken from 512  regressed
  aligned   broken from 512     holds            fixed

Regressed, each with the smallest request that v6.6 handles and
v6.6+will-v3 does not:
  fits  512 bytes at 0x10800 (limit 2097152), every start index; no slot of
        the slot set is admissible; sz 65536; iommu, granule 64K, 64K
        pages, mask 0xfff

Fixed, each with the smallest request that broke v6.6:
"""
ASKED = """
Asked of nvme: 4K/16K/64K pages; any page-aligned pool below 4 GiB; areas
of whole slot sets, up to 2097152 slots; any nareas; any start_index;
orig_addr multiples of 4 below 2^48, none in page 0; size 200704.
Left out: path iommu: v5.10.223 does not bounce in dma-iommu
Left out: path link: v5.10.223 has no dma_iova_link()
"""
DOMAIN = """
Domain:
  device             nvme
  page size          4096, 16384, 65536
  path               direct
  granule            none
  min align mask     0xfff
  seg boundary mask  0xffffffff
  pool start         any page-aligned pool below 4 GiB
  nslabs             areas of whole slot sets, up to 2097152 slots
  nareas             any
  start index        any
  orig addr          multiples of 4 below 2^48, none in page 0
  size               200704
  size step          512
  addr step          4
  left out           path iommu: v5.10.223 does not bounce in dma-iommu
                     path link: v5.10.223 has no dma_iova_link()
"""
ABOUT = {
    "type": "object",
    "required": ["schema", "command", "sources", "tool"],
    "properties": {
        "schema": {"const": 1},
        "sources": {"type": "array", "maxItems": 0},
        "tool": {
            "type": "object",
            "required": ["bounceproof", "python", "z3", "bitwuzla"],
            "properties": {
                "bounceproof": {"const": __version__},
                "python": {"type": "string"},
                "z3": {"type": "string"},
                "bitwuzla": {"type": ["string", "null"]},
            },
        },
    },
}


def test_prove_says_first_what_changed(run: Run) -> None:
    asked = (*MACHINE, *FITS, "--property", "aligned")
    result = run("prove", "v6.6+will-v3", *asked)
    assert result.code == 1
    assert result.out.startswith(SUMMARY)
    data = run("prove", "v6.6+will-v3", *asked, "--json").json
    assert (data["kernel"], data["base"]) == ("v6.6+will-v3", "v6.6")
    sections = ("fixed", "still_broken", "regressed", "undecided")
    assert [data[s] for s in sections] == [["aligned"], [], ["fits"], []]
    assert data["changes"][0] == {
        "property": "fits",
        "base": "broken",
        "kernel": "broken",
        "change": "regressed",
        "newly_broken_cells": [],
    }


@pytest.mark.parametrize(
    ("kernel", "code"), [("v6.6+will-v3", 1), ("v6.6+nicolin-v1-1", 0)]
)
def test_fail_on_regression_of_fixes(run: Run, kernel: str, code: int) -> None:
    asked = (*MACHINE, *FITS, "--fail-on", "regression")
    assert run("prove", kernel, *asked).code == code


def test_fail_on_regression_needs_a_base(run: Run) -> None:
    result = run("prove", "v6.6", *MACHINE, "--fail-on", "regression")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "bounceproof: --fail-on regression: v6.6 has no fix and no --patch\n"
    )


def test_the_domain_is_that_of_the_cells_asked(run: Run) -> None:
    asked = ("check", "v5.10.223", *FITS, "--size", "196K")
    assert run(*asked).out.endswith(ASKED)
    assert run(*asked, "--verbose").out.endswith(DOMAIN)
    data = run(*asked, "--json").json
    assert data["domain"]["path"] == ["direct"]
    assert data["domain"]["left_out"] == [
        "path iommu: v5.10.223 does not bounce in dma-iommu",
        "path link: v5.10.223 has no dma_iova_link()",
    ]


def test_properties_that_a_path_is_not_asked_are_left_out(run: Run) -> None:
    asked = ("--path", "link", "--page-size", "4K", "--property", "halts")
    result = run("check", "v7.3.4", *asked, "--property", "clean", "--json")
    assert result.json["domain"]["left_out"] == [
        "path link: clean: not asked on this path"
    ]


def test_a_cell_without_a_request_is_neither_right_nor_wrong(run: Run) -> None:
    asked = ("--path", "iommu", "--granule", "4K", *FITS, "--size", "200K")
    result = run("check", "v6.9", *asked, "--json")
    cells = result.json["properties"][0]["cells"]
    verdicts = {cell["page_size"]: cell["verdict"] for cell in cells}
    assert verdicts == {65536: "holds", 16384: "holds", 4096: "no request"}
    assert (result.code, result.json["verdict"]) == (0, "holds")
    assert result.json["domain"]["page_size"] == [16384, 65536]
    text = run("check", "v6.9", *asked).out
    assert "  no request  128 KiB (131072)  iommu, granule 4K, 4K pages\n" in text


@pytest.mark.parametrize(
    "words",
    [
        ("check", "v6.9"),
        ("prove", "v6.6+will-v3"),
        ("diff", "v6.9", "v6.10"),
        ("limit", "v6.9"),
    ],
)
def test_where_nothing_is_asked_nothing_holds(run: Run, words: list[str]) -> None:
    size = ("--size", "1G") if words[0] != "limit" else ("--size-step", "1G")
    asked = (*words, "--path", "direct", "--page-size", "4K", *size)
    result = run(*asked, "--json")
    assert (result.code, result.json["verdict"]) == (3, "unknown")
    assert result.json["domain"]["left_out"][-1] == (
        "every configuration: no request is in the domain"
    )
    text = run(*asked)
    assert text.code == 3
    assert not re.search(r"HOLDS|(  |: )holds( |$)|[1-9] of 9", text.out, re.M)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "v6.12", *FITS, *MACHINE),
        ("prove", "v6.12", *FITS, *MACHINE),
        ("diff", "v6.12", "v6.10", *MACHINE),
        ("limit", "v6.12", "--path", "direct", "--page-size", "4K"),
        ("theorem", "v6.12", "--granule", "64K", "--property", "halts"),
        ("invariant", "v6.12"),
    ],
)
def test_json_names_the_versions(run: Run, words: tuple[str, ...]) -> None:
    answer = run(*words, "--json").json
    jsonschema.validate(answer, ABOUT)
    assert answer["tool"] == {
        "bounceproof": __version__,
        "python": platform.python_version(),
        "z3": z3.get_version_string(),
        "bitwuzla": version("bitwuzla") if available() else None,
    }
