# SPDX-License-Identifier: GPL-2.0-only
"""The page in headless Chromium: accessible, in light and dark, with its script.

Needs the ``browser`` extra and a Chromium, and is left out, with a word, without them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip(
    "playwright.sync_api",
    reason="playwright is not installed: pip install '.[browser]'",
)
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FIRST_PAINT = 1000.0
"""Milliseconds, at most, of the soonest of :data:`LOADS`."""
LOADS = 5


@pytest.fixture(scope="module")
def file(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(params=["light", "dark"])
def opened(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    context = browser.new_context(color_scheme=request.param)
    made = context.new_page()
    made.faults = []
    made.on("pageerror", lambda error: made.faults.append(str(error)))
    made.on("console", lambda said: made.faults.append(said.text))
    made.on("request", lambda asked: made.faults.append(asked.url))
    made.goto(file.as_uri())
    yield made
    context.close()


def test_axe_finds_nothing(opened: Any) -> None:
    found = axe.Axe().run(opened)
    assert found.response["violations"] == [], found.generate_report()


def test_it_loads_nothing_else(opened: Any, file: Path) -> None:
    assert opened.faults == [file.as_uri()]


@pytest.mark.slow
def test_it_paints_soon(opened: Any) -> None:
    painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    paints = [opened.wait_for_function(painted).json_value()]
    while min(paints) >= FIRST_PAINT and len(paints) < LOADS:
        opened.reload()
        paints.append(opened.wait_for_function(painted).json_value())
    assert 0 < min(paints) < FIRST_PAINT


def test_pointing_at_a_place_shows_its_request(opened: Any) -> None:
    canvas = opened.locator(".canvas").first
    canvas.scroll_into_view_if_needed()
    box, told = canvas.bounding_box(), opened.locator(".told").first
    opened.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    assert "does not break fits" in told.inner_text()
    assert "--orig-addr 0x" in told.inner_text()
    canvas.focus()
    for _ in range(95):
        opened.keyboard.press("ArrowRight")
    assert "above the driver's limit" in told.inner_text()


def test_it_reads_without_javascript(browser: Any, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    made = context.new_page()
    made.goto(file.as_uri())
    said = made.locator("body").inner_text()
    assert "true limit 192 KiB" in said and "Point at a place" not in said
    context.close()


def test_nothing_is_wider_than_a_narrow_screen(browser: Any, file: Path) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800})
    made = context.new_page()
    made.goto(file.as_uri())
    assert made.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()
