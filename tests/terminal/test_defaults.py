# SPDX-License-Identifier: GPL-2.0-only
"""Defaults from bounceproof.toml and git config: what counts, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bounceproof.cli.defaults import OFF, of_git
from bounceproof.errors import InputError
from tests.conftest import Run

ASKED = ("--property", "halts")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git tree of its own, with no other configuration."""
    monkeypatch.delenv(OFF)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words: str) -> None:
    subprocess.run(["git", "config", *words], check=True)


def pages(run: Run, *words: str) -> list[int]:
    told = run("check", "v6.12", *ASKED, *words, "--json").json
    found: list[int] = told["domain"]["page_size"]
    return found


def test_without_any_nothing_is_said(run: Run) -> None:
    told = run("check", "v6.12", *ASKED, "--path", "direct")
    assert told.err == ""


def test_what_is_typed_counts_before_the_file_and_that_before_git(
    run: Run, folder: Path
) -> None:
    git("bounceproof.page-size", "4K")
    assert pages(run) == [4096]
    (folder / "bounceproof.toml").write_text("[defaults]\npage-size = '16K'\n")
    assert pages(run) == [16384]
    assert pages(run, "--page-size", "64K") == [65536]


def test_a_table_of_a_command_counts_before_that_of_all(run: Run, folder: Path) -> None:
    (folder / "bounceproof.toml").write_text(
        "[defaults]\npage_size = 4096\n[check]\npage-size = 65536\n[prove]\nsize = 1\n"
    )
    assert pages(run) == [65536]


def test_each_source_is_named(run: Run, folder: Path) -> None:
    git("--add", "bounceproof.check.property", "halts")
    git("--add", "bounceproof.check.property", "aligned")
    (folder / "bounceproof.toml").write_text("[check]\npath = 'direct'\n")
    told = run("check", "v6.12", "--page-size", "4K")
    file, repository = told.err.splitlines()
    assert file.endswith("bounceproof.toml: --path direct")
    assert repository == "bounceproof: defaults of git config: --property halts,aligned"
    assert "2 of 2 properties hold" in told.out


def test_it_is_found_up_to_the_root_of_the_tree(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bounceproof.toml").write_text("[defaults]\npage-size = '4K'\n")
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert pages(run) == [4096]
    subprocess.run(["git", "init", "-q", str(inner)], check=True)
    assert 65536 in pages(run)


def test_they_can_be_turned_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    git("bounceproof.page-size", "4K")
    monkeypatch.setenv(OFF, "1")
    assert 65536 in pages(run)


def test_a_single_request_takes_none(run: Run) -> None:
    git("bounceproof.size", "1024")
    assert run("simulate", "v6.12", "--json").json["size"] == 512


BAD = [
    ("[defaults", "bounceproof.toml"),
    ("[chek]\nsize = 1\n", "[chek]: no such table"),
    ("[check]\nnative = true\n", "native: no default of that name"),
    ("[report]\noutput = 'x'\n", "output: no default of that name"),
    ("[check]\npatch = 'x'\n", "patch: no default of that name"),
    ("defaults = 3\n", "[defaults]: not a table"),
    ("[check]\nsize = true\n", "size: not a number"),
    ("[check]\nsize = {a = 1}\n", "size: not a number"),
    ("[check]\npage-size = '3K'\n", "--page-size 3K"),
    ("[check]\ndevice = 'floppy'\n", "unknown device 'floppy'"),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_what_is_refused(run: Run, folder: Path, text: str, told: str) -> None:
    (folder / "bounceproof.toml").write_text(text)
    result = run("check", "v6.12", *ASKED)
    assert result.code == 2 and told in result.err and not result.out


def test_git_config_of_another_name_is_refused() -> None:
    for key in ("bounceproof.native\ntrue\0", "bounceproof.audit.size\n1\0"):
        with pytest.raises(InputError, match=key.partition("\n")[0]):
            of_git(key)
