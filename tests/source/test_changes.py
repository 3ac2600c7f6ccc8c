# SPDX-License-Identifier: GPL-2.0-only
"""What ``prove`` says a patch changed, and what every command says was judged."""

from __future__ import annotations

import difflib
import io
import sys
import time
from pathlib import Path

import pytest

from bounceproof.report import progress
from bounceproof.report.progress import FIRST, StatusLine
from tests.conftest import Run
from tests.source.lives import texts
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import LESS, MORE, git, patched, write
from tests.source.trees import SWIOTLB

DIRECT = ("--page-size", "4K", "--path", "direct")
FITS = (*DIRECT, "--property", "fits")
LIMIT_AS_IT_WAS = files(COUNTED)[SWIOTLB]
LIMIT_LOWERED = patched()
LIMIT_RAISED = LIMIT_AS_IT_WAS.replace("roundup(mask, IO_TLB_SIZE)", "mask & 0")
NEVER_SEARCHED = LIMIT_AS_IT_WAS.replace("done < mem", "3 > mem")
SAID_OTHERWISE = LIMIT_AS_IT_WAS.replace("unsigned int need =", "unsigned int  need =")
LETTER = "From: A Person <a@example.org>\nSubject: [PATCH] swiotlb: {}\n\nWords.\n---\n"


class Planted:
    """A tree whose swiotlb.c is ``before``, and a patch that makes it ``after``."""

    def __init__(self, folder: Path, before: str, after: str) -> None:
        self.tree = write(folder / "tree", {**files(COUNTED), SWIOTLB: before})
        self.patch = folder / "the.patch"
        names = (f"a/{SWIOTLB}", f"b/{SWIOTLB}")
        old, new = before.splitlines(True), after.splitlines(True)
        changed = "".join(difflib.unified_diff(old, new, *names))
        self.patch.write_text(LETTER.format("change the search") + changed)

    @property
    def words(self) -> tuple[str, ...]:
        return (str(self.tree), "--patch", str(self.patch))


@pytest.mark.parametrize(
    ("before", "after", "section", "codes"),
    [
        (LIMIT_AS_IT_WAS, LIMIT_LOWERED, "fixed", (0, 0)),
        (LIMIT_AS_IT_WAS, SAID_OTHERWISE, "still_broken", (1, 0)),
        (LIMIT_AS_IT_WAS, NEVER_SEARCHED, "regressed", (1, 1)),
        (LIMIT_LOWERED, LIMIT_AS_IT_WAS, "regressed", (1, 1)),
        (LIMIT_LOWERED, LIMIT_RAISED, "regressed", (1, 1)),
    ],
)
def test_each_property_is_in_its_section(
    run: Run,
    tmp_path: Path,
    before: str,
    after: str,
    section: str,
    codes: tuple[int, int],
) -> None:
    planted = Planted(tmp_path, before, after)
    result = run("prove", *planted.words, *FITS, "--json")
    others = {"fixed", "still_broken", "regressed", "undecided"} - {section}
    assert result.json[section] == ["fits"]
    assert [result.json[other] for other in others] == [[], [], []]
    asked = run("prove", *planted.words, *FITS, "--fail-on", "regression")
    assert (result.code, asked.code) == codes


def test_a_regression_by_limit_names_the_cell(run: Run, tmp_path: Path) -> None:
    planted = Planted(tmp_path, LIMIT_LOWERED, LIMIT_AS_IT_WAS)
    result = run("prove", *planted.words, *FITS)
    text = " ".join(result.out.split())
    where = "driver does not reach: direct, 4K pages, mask 0xfff"
    assert "fits limit 252K, which " in text
    assert where in text
    assert "Regressed fits Fixed none Still broken none" in text


def test_what_changed_stands_before_all_else(run: Run, tmp_path: Path) -> None:
    planted = Planted(tmp_path, LIMIT_AS_IT_WAS, NEVER_SEARCHED)
    out = run("prove", *planted.words, *FITS).out
    heads = [
        "Judged:",
        "Compared with",
        "  Regressed     fits\n",
        "\nRegressed, each",
        "\nReproduce:\n",
    ]
    places = [out.index(head) for head in [*heads, "Asked of ", "Answered by "]]
    assert places == sorted(places)
    assert f"{planted.tree} with the.patch" in " ".join(out.split())
    assert out.count("Reproduce:\n") == 1
    verbose = run("prove", *planted.words, *FITS, "--verbose").out
    assert verbose.count("The slot set:") <= 1


def test_no_answer_is_no_proof_that_nothing_regressed(run: Run, tmp_path: Path) -> None:
    planted = Planted(tmp_path, LIMIT_LOWERED, NEVER_SEARCHED)
    never_asked = (*FITS, "--addr-step", "64", "--nslabs", "49152")
    words = (*planted.words, *never_asked, "--timeout", "0.001")
    result = run("prove", *words, "--fail-on", "regression", "--json")
    assert (result.code, result.json["undecided"]) == (3, ["fits"])


def test_fail_on_regression_needs_something_to_compare(
    run: Run, tmp_path: Path
) -> None:
    planted = Planted(tmp_path, LIMIT_AS_IT_WAS, LIMIT_LOWERED)
    result = run("prove", str(planted.tree), *FITS, "--fail-on", "regression")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)


def test_base_and_kernel_have_one_configuration(run: Run, tmp_path: Path) -> None:
    odd = f"#ifdef CONFIG_ODD\n{LESS}#else\n{MORE}#endif\n"
    both = LIMIT_LOWERED.replace(MORE, odd)
    planted = Planted(tmp_path, both, both + "/* the end */\n")
    for value, verdict in (("y", "broken"), ("n", "holds")):
        config = ("--config", f"ODD={value}", "--json")
        answer = run("prove", *planted.words, *FITS, *config).json
        assert answer["base_properties"][0]["verdict"] == verdict
        assert answer["properties"][0]["verdict"] == verdict
        assert answer["sources"][0]["config"]["CONFIG_ODD"] == value


@pytest.mark.parametrize(
    "words",
    [
        ("check", "TREE", *FITS),
        ("prove", "TREE", *FITS),
        ("limit", "TREE", *DIRECT),
        ("conform", "v6.12", "TREE", *DIRECT, "--min-align-mask", "0xfff"),
        ("diff", "v6.12", "TREE", *DIRECT),
    ],
)
def test_every_answer_says_what_was_judged(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    whole = texts(COUNTED)[SWIOTLB]
    after = whole.replace("roundup(mask, IO_TLB_SIZE)", "2 * roundup(mask, 2048)")
    planted = Planted(tmp_path, whole, after)
    write(planted.tree, texts(COUNTED))
    git(planted.tree, "init", "-q")
    git(planted.tree, "add", "-A")
    git(planted.tree, "commit", "-qm", "the very start")
    commit = git(planted.tree, "rev-parse", "HEAD")
    named = [word.replace("TREE", str(planted.tree)) for word in words]
    asked = (*named, "--patch", str(planted.patch))
    (source,) = run(*asked, "--json").json["sources"]
    assert (source["tree"], source["commit"]) == (str(planted.tree), commit)
    assert (source["version"], source["subject"]) == ("9.8.7-rc6", "the very start")
    (patch,) = source["patches"]
    assert (patch["author"], patch["read"]) == ("A Person <a@example.org>", True)
    assert patch["subject"].endswith("swiotlb: change the search")
    assert {hunk["file"] for hunk in patch["hunks"]} == {SWIOTLB}
    text = " ".join(run(*asked).out.split())
    assert f"Judged: tree {planted.tree}, version 9.8.7-rc6" in text
    assert f'commit {commit[:12]} "the very start"' in text
    assert "swiotlb: change the search" in text
    assert "Answered by bounceproof " in text


def test_a_patch_of_what_is_not_read_is_a_warning(run: Run, tmp_path: Path) -> None:
    planted = Planted(tmp_path, LIMIT_AS_IT_WAS, LIMIT_LOWERED)
    write(planted.tree, {"Documentation/words": "one\n"})
    planted.patch.write_text(
        "--- a/Documentation/words\n+++ b/Documentation/words\n"
        "@@ -1 +1 @@\n-one\n+two\n"
    )
    result = run("check", *planted.words, *FITS)
    assert "warning:" in result.out.split("Judged:")[0]
    assert "not read: Documentation/words:1" in " ".join(result.out.split())
    (source,) = run("check", *planted.words, *FITS, "--json").json["sources"]
    assert len(source["warnings"]) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_alone() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with StatusLine(stream) as watch:
            watch("fits, configuration 1", 0, 2)
            time.sleep(2 * FIRST)
    shown = "0 of 2 questions, fits, configuration 1, 1 s"
    assert shown in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[K")
    assert file.getvalue() == ""


def test_progress_goes_to_standard_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(progress, "FIRST", 0.0)
    monkeypatch.setattr(progress, "OFTEN", 0.001)
    monkeypatch.setattr(sys, "stderr", terminal)
    planted = Planted(tmp_path, LIMIT_AS_IT_WAS, LIMIT_LOWERED)
    result = run("prove", *planted.words, *FITS, "--json")
    assert result.json["fixed"] == ["fits"]
    assert "0 of 2 questions, base: fits, configuration 1" in terminal.getvalue()
    assert "1 of 2 questions, kernel: fits, configuration 1" in terminal.getvalue()
