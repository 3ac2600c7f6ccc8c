# SPDX-License-Identifier: GPL-2.0-only
"""Semantic patches: what each says of itself, and what Coccinelle makes of code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bounceproof.models.contract import Property
from bounceproof.source.tree.semantic import (
    NoCoccinelle,
    SemanticPatch,
    made_patch,
    semantic_patches,
)
from bounceproof.source.tree.tree import open_tree
from tests.conftest import Run

SPATCH = pytest.mark.skipif(
    shutil.which("spatch") is None, reason="no spatch: apt-get install coccinelle"
)
COUNTED = """
static int search(struct area *a, unsigned int step)
{
	unsigned int at = a->at, done;

	for (done = 0; done < a->slots; ) {
		if (refused(a, at)) {
			at = wrapped(a, at + 1);
			done++;
			continue;
		}
		if (free(a, at))
			return at;
		at = wrapped(a, at + step);
		done += step;
	}
	return -1;
}
"""
RETURNS = """
static int search(struct area *a, unsigned int step, unsigned int wanted)
{
	unsigned int at, first, i;

	if (wanted > a->slots - a->used)
		return -1;
	at = first = wrapped(a, a->at);
	do {
		if (refused(a, at)) {
			at = wrapped(a, at + 1);
			continue;
		}
		if (free(a, at))
			return at;
		at = wrapped(a, at + step);
	} while (at != first);
	return -1;
}
"""


def named(name: str) -> SemanticPatch:
    return next(patch for patch in semantic_patches() if patch.name == name)


def changed(name: str, code: str, folder: Path) -> list[str]:
    file = folder / "kernel" / "dma" / "swiotlb.c"
    file.parent.mkdir(parents=True)
    file.write_text(code)
    diff = made_patch(named(name), open_tree(str(folder)))
    lines = (diff or "").splitlines()[2:]
    return [" ".join(line.split()) for line in lines if line[:1] in "+-"]


def test_each_says_what_its_commit_message_needs() -> None:
    assert semantic_patches()
    for patch in semantic_patches():
        assert re.fullmatch(r'[0-9a-f]{12} \("[^"]+"\)', patch.fixes)
        assert patch.subject.startswith("swiotlb: ")
        assert patch.prop in set(Property)
        assert all(patch.why)


@SPATCH
def test_a_last_stride_counts_what_is_left_of_the_area(tmp_path: Path) -> None:
    assert changed("last-stride", COUNTED, tmp_path) == [
        "+ done += min(step, a->slots - at);",
        "- done += step;",
    ]


@SPATCH
def test_a_search_that_waits_for_its_start_counts_instead(tmp_path: Path) -> None:
    lines = changed("endless-search", RETURNS, tmp_path)
    assert "+ unsigned int slots_checked = 0;" in lines
    assert "+ slots_checked++;" in lines
    assert "+ } while (slots_checked < a->slots);" in lines
    assert "- } while (at != first);" in lines


@SPATCH
@pytest.mark.parametrize(
    ("name", "code"), [("last-stride", RETURNS), ("endless-search", COUNTED)]
)
def test_where_the_flaw_is_not_nothing_is_made(
    name: str, code: str, tmp_path: Path
) -> None:
    assert changed(name, code, tmp_path) == []


def test_without_spatch_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCoccinelle, match="apt-get install coccinelle"):
        changed("last-stride", COUNTED, tmp_path)


def test_options_of_states_and_trees_are_told_apart(run: Run, tmp_path: Path) -> None:
    for words in (("v6.12", "-o", "out"), (str(tmp_path), "--merged")):
        result = run("fix", *words)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1
        assert not (tmp_path / "out").exists()
