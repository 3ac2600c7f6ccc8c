# SPDX-License-Identifier: GPL-2.0-only
"""The notebook's cells run, and say what the text between them says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "thread.ipynb"


def run_cells(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The names that the code cells leave; each cell's last value is displayed."""
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1] if isinstance(tree.body[-1], ast.Expr) else None
        body = tree.body[:-1] if last is not None else tree.body
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            made = getattr(shown, "_repr_html_", None)
            assert made is None or made().startswith("<div>")
    return names


def test_the_notebook_walks_the_thread(capsys: pytest.CaptureFixture[str]) -> None:
    book = json.loads(NOTEBOOK.read_text())
    assert all(not cell.get("outputs") for cell in book["cells"])
    names = run_cells(book["cells"])
    assert "could never fit" in capsys.readouterr().out
    assert (names["before"].verdict, names["smallest"].request.size) == (
        "broken",
        197120,
    )
    assert not names["fails"].outcome.ok and names["fits"].outcome.ok
    assert names["alone"].verdict == "broken"
    assert names["alone"]["fits"].configurations[0].limit == 252 << 10
    assert (names["both"].fixed, names["both"].regressed) == (("fits",), ())
    assert names["merged"].verdict == "holds"
