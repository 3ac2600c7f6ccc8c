# SPDX-License-Identifier: GPL-2.0-only
"""What docs/findings.md says of requests is what the simulator does with them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "findings.md").read_text()
WORDS = " ".join(TEXT.split())
PAGES = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]

ODD = "--taken 1-4095/2"
CLAIMS = [
    ("512 bytes at 0x1800 through dma-direct, `area->index` 1, a pool from 0x1000",
     f"v6.1.192 --path direct --page-size 4K --nslabs 4096 {ODD} --pool-start 0x1000 "
     "--start-index 1 --orig-addr 0x1800 --size 512", {"hang": True}),
    ("does not end from index 7 in a pool of 32768 slots",
     "v6.1.192 --path direct --page-size 4K --start-index 7 --orig-addr 0x1800 "
     "--size 512 --taken 0-4999,5001-32767", {"hang": True}),
    ("258048 bytes at 0x100800 from index 1 do not end in v6.1.192",
     "v6.1.192 --path direct --page-size 4K --nslabs 4096 --taken 60-4095/128 "
     "--start-index 1 --orig-addr 0x100800 --size 258048", {"hang": True}),
    ("do not end in v6.1.192 and v5.10.223",
     "v5.10.223 --path direct --page-size 4K --nslabs 4096 --taken 60-4095/128 "
     "--start-index 1 --orig-addr 0x100800 --size 258048", {"hang": True}),
    ("258560 bytes at 0x100800 from index 1 in v6.2.12 (`4K`)",
     "v6.2.12 --path iommu --page-size 4K --granule 4K --start-index 1 "
     "--orig-addr 0x100800 --size 258560", {"hang": True}),
    ("197120 bytes at 0x100800 from index 1 in v6.0 (`64K`)",
     "v6.0 --path iommu --page-size 64K --granule 64K --start-index 1 "
     "--orig-addr 0x100800 --size 197120", {"hang": True}),
    ("197120 bytes at 0x10004, granule 64 KiB, any pool",
     "v6.6.35 --path iommu --page-size 64K --granule 64K --orig-addr 0x10004 "
     "--size 197120", {"ok": False, "sz": 262144}),
    ("512 bytes at 0x11000 (`link-16K`: 0x5000)",
     "latest --path link --page-size 64K --granule 64K --orig-addr 0x11000 --size 512",
     {"ok": False, "hang": False}),
    ("(`link-16K`: 0x5000)",
     "latest --path link --page-size 16K --granule 16K --orig-addr 0x5000 --size 512",
     {"ok": False, "hang": False}),
    ("fails behind 4 KiB granules too, 4096 bytes at 0x100200",
     "latest --device generic --min-align-mask 0 --path link --page-size 4K "
     "--granule 4K --orig-addr 0x100200 --size 4096", {"ok": False}),
    ("`link-4K` holds for NVMe",
     "latest --path link --page-size 4K --granule 4K --orig-addr 0x100200 --size 4096",
     {"ok": True}),
    ("storvsc with 64 KiB pages fails for 258048 bytes at 0x102000",
     "v6.6 --device storvsc --path direct --page-size 64K --orig-addr 0x102000 "
     "--size 258048", {"ok": False}),
    ("a device without a mask with 4 KiB pages for 262144 bytes at 0x100800",
     "v6.6 --device generic --min-align-mask 0 --path direct --page-size 4K "
     "--orig-addr 0x100800 --size 262144", {"ok": False}),
    ("512 bytes at physical address 0 through dma-direct, `area->index` 1",
     "latest --path direct --page-size 4K --pool-start 0x1000 --start-index 1 "
     "--orig-addr 0 --size 512", {"tlb_addr": 0x1800}),
    ("254464 bytes at 0x1e04 through dma-direct, an empty area of exactly one slot set",
     "latest --path direct --page-size 4K --pool-start 0x1000 --nslabs 128 "
     "--start-index 2 --orig-addr 0x1e04 --size 254464", {"ok": False}),
    ("From 256 slots an area on it holds",
     "latest --path direct --page-size 4K --pool-start 0x1000 --nslabs 256 "
     "--start-index 2 --orig-addr 0x1e04 --size 254464", {"ok": True}),
    ("258560 bytes at 0x1e04 through dma-direct.",
     "v6.0 --path direct --page-size 4K --orig-addr 0x1e04 --size 258560",
     {"ok": False}),
]  # fmt: skip
"""Words of the page, a request, and fields of its outcome."""


@pytest.mark.parametrize(("words", "request_line", "outcome"), CLAIMS)
def test_a_request_does_what_the_page_says(
    run: Run, words: str, request_line: str, outcome: dict[str, Any]
) -> None:
    assert words in WORDS
    shown = run("simulate", *shlex.split(request_line), "--json").json
    assert {name: shown[name] for name in outcome} == outcome


HISTORY = re.compile(r"(?s)simulate (\S+) --history - <<'END'\n(.*?)\n +END")


@pytest.mark.parametrize(
    ("kernel", "stale"),
    [("v6.1.192", True), ("v6.6.35", True), ("v6.9", True), ("v6.10", False)],
)
def test_the_history_shows_the_stale_bytes(
    run: Run, tmp_path: Path, kernel: str, stale: bool
) -> None:
    found = HISTORY.search(TEXT)
    assert found is not None
    file = tmp_path / "history.json"
    file.write_text(json.dumps(json.loads(found.group(2))))
    said = run("simulate", kernel, "--history", str(file)).out
    told = "1540 stale bytes in the padding from 0x10000 to 0x10604"
    assert told in WORDS
    assert (told in " ".join(said.split())) is stale


COMMANDS = re.findall(
    r"(?m)^    bounceproof (check (?:[^\n]*\\\n)*[^\n]*--property \w+[^\n]*)$", TEXT
)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_shows_what_is_broken(run: Run, command: str) -> None:
    assert run(*shlex.split(command.replace("\\\n", " "))).code == 1


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 15


LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.M)
MESSAGE = re.compile(r"https://lore\.kernel\.org/(all|r)/[\w.+%-]+@[\w.-]+/?(#\w+)?$")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_message_ids_look_like_one(page: Path) -> None:
    text = page.read_text()
    for inline, reference in LINK.findall(text):
        target = inline or reference
        if target.startswith("https://lore.kernel.org"):
            assert MESSAGE.match(target), target
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page if not name else page.parent / name
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            body = file.read_text()
            made = {_anchor(head) for head in re.findall(r"(?m)^#+ (.*)$", body)}
            assert f'<a id="{anchor}"></a>' in body or anchor in made, target


def _anchor(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", heading.lower())
    return words.strip().replace(" ", "-")
