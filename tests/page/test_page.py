# SPDX-License-Identifier: GPL-2.0-only
"""The page: whole, small and escaped, with what the answers say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bounceproof.report.page import render
from bounceproof.report.page.content import Kernel
from bounceproof.report.page.render import page, slots_svg, small_page
from tests.conftest import Run

VOID = {"meta", "br", "link", "img", "input", "hr"}
NASTY = "<script>alert(1)</script>'\"&\x1b[31m\u202e{{ 7 * 7 }}"


class Reader(HTMLParser):
    """Ids, links, text and what does not close."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.links += [
            str(v) for k, v in attrs if k in ("href", "src", "data", "xlink:href")
        ]
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_it_is_whole_and_every_link_leads_somewhere(text: str) -> None:
    reader = read(text)
    assert len(set(reader.ids)) == len(reader.ids)
    for link in reader.links:
        assert link.startswith("#") and link[1:] in reader.ids
    assert "@import" not in text and "url(http" not in text


def test_it_says_what_the_answers_say(text: str) -> None:
    said = " ".join(" ".join(read(text).words).split())
    for wanted in (
        "bytes at 0x10004: 129 slots are needed, a slot set has 128",
        "true limit 192 KiB (196608)",
        "driver's limit 252 KiB (258048)",
        "swiotlb buffer is full (sz: 262144 bytes)",
        "--orig-addr 0x10004 --size 197120",
        "Before, on v6.6",
        "After, on v6.6+nicolin-v1-1+nicolin-v1-2",
    ):
        assert wanted in said


def test_each_map_tells_the_script_its_requests(text: str) -> None:
    found = re.findall(
        r'(?s)<script type="application/json" id="[^"]+">(.*?)</script>', text
    )
    assert len(found) >= 3
    for one in map(json.loads, found):
        assert len(one["rows"]) == len(one["offsets"])
        assert {len(row) for row in one["rows"]} == {len(one["sizes"])}
        column, row = one["at"]
        assert one["rows"][row][column] == "1"
        assert re.search(r"--orig-addr \S+ --size \d+$", one["command"])


def test_whatever_is_named_is_escaped(kernels: list[Kernel]) -> None:
    first = kernels[0]
    section = replace(first.sections[0], note=NASTY, reason=NASTY, where=NASTY)
    sections = (section, *first.sections[1:])
    text = page(
        [replace(first, name=NASTY, judged=NASTY, asked=NASTY, sections=sections)]
    )
    assert read(text).scripts == read(page([first])).scripts
    assert "alert(1)</script>" not in text and "49" not in text.partition("</title>")[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)


def test_slots_are_xml_with_a_key(kernels: list[Kernel]) -> None:
    example = kernels[0].sections[0].example
    assert example is not None and example.slots is not None
    root = ElementTree.fromstring(slots_svg(example.slots))
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "slot 128: slot wanted, past the end" in titles
    assert [mark for mark, _, _ in example.slots.key] == ["+", "x"]
    assert [row.granules for row in example.slots.rows] == [(0, 32), (0, 32), (0,)]


def test_a_page_that_is_too_large_is_made_coarser(
    kernels: list[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def made(coarser: int) -> list[Kernel]:
        asked.append(coarser)
        return kernels

    assert len(small_page(made).encode()) <= render.MOST_BYTES
    assert asked == [1]
    monkeypatch.setattr(render, "MOST_BYTES", 10)
    small_page(made)
    assert asked == [1, *render.COARSER]


def test_the_commands_write_whole_files(run: Run, tmp_path: Path) -> None:
    asked = ("v6.9", "--property", "fits", "--page-size", "64K", "--granule", "64K")
    file = tmp_path / "page.html"
    told = run("report", *asked, "-o", str(file))
    assert told.code == 1 and str(file) in told.out
    assert file.read_text().startswith("<!DOCTYPE html>")
    drawn = run("plot", *asked, "-o", str(tmp_path / "drawn"), "--json")
    assert drawn.code == 1 and len(drawn.json["files"]) == 2
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["fits-map.svg", "fits-slots.svg"]
    for name in names:
        ElementTree.fromstring((tmp_path / "drawn" / name).read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drawn", "page.html"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "v6.9"), "Missing option '-o'"),
        (("report", "-o", "x.html"), "Missing argument"),
        (("report", "v6.9", "v6.9", "-o", "x.html"), "KERNEL 'v6.9': named twice"),
        (("report", "v6.9", "-o", "/none/x.html"), "no such folder"),
        (("report", "v6.9", "-o", "/"), "is a directory"),
        (("report", "v6.99", "-o", "-"), "unknown kernel 'v6.99'"),
        (("report", "v6.9", "v6.6", "--patch", "p", "-o", "-"), "--patch 'p'"),
        (("report", "v6.9", "-o", "-", "--json"), "--output -: the page is printed"),
        (("plot", "v6.9", "-o", "/dev/null/x"), "--output"),
    ],
)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.code == 2 and told in result.err and not result.out
    assert len(result.err.strip().splitlines()) == 1


def test_a_library_that_is_missing_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    result = run("report", "v6.9", "-o", "-")
    assert result.code == 2 and "pip install 'bounceproof[report]'" in result.err
