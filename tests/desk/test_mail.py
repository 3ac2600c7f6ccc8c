# SPDX-License-Identifier: GPL-2.0-only
"""``--format mail``: parsed as a mail, at most 75 columns, and its commands run."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from bounceproof.models.contract import Property
from bounceproof.report.plainmail import (
    ascii_only,
    command_folded,
    commands_folded,
    folded,
)
from bounceproof.report.reached import EFFECT
from tests.conftest import Run
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import DIRECT, patch_text, write

ONE = ("check", "v6.9", "--page-size", "64K", "--granule", "64K", "--property", "fits")
OWNED = ("check", "v6.9", "--page-size", "4K", "--granule", "4K", "--property", "owned")
HOLDS = (*ONE, "--addr-step", "4K")


def mail_of(run: Run, *words: str) -> email.message.EmailMessage:
    text = run(*words, "--format", "mail").out
    assert text.isascii()
    lines = [line for line in text.split("\n") if not line.startswith("  Link: ")]
    assert max(map(len, lines)) <= 75
    message = email.message_from_string(text, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    assert not message.defects
    assert message.keys() == ["Subject"]
    return message


def body(run: Run, *words: str) -> str:
    return str(mail_of(run, *words).get_payload())


def words_of(command: str) -> list[str]:
    """The words of a command as a shell has them."""
    script = f"bounceproof() {{ printf '%s\\0' \"$@\"; }}\n{command}\n"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True)
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]


def command_of(text: str) -> str:
    """The command of a mail, as it stands there."""
    return text[text.index("bounceproof simulate") :].partition("\n\n")[0]


def test_the_finding_is_in_the_first_three_lines(run: Run) -> None:
    head = run(*ONE, "--format", "mail").out.split("\n")[:4]
    assert head[0] == "Subject: swiotlb: v6.9: fits broken"
    assert "197120 bytes at 0x10004 (limit 258048)" in head[2]


def test_it_answers_what_the_guides_ask(run: Run) -> None:
    text = " ".join(body(run, *ONE).split())
    assert "ALIGN(197120, 65536) + 4 = 262148" in text
    assert "swiotlb buffer is full (sz: 262144 bytes)" in text
    assert "Effect: The mapping fails" in text
    assert "Who can meet it: fits live iommu, granule 64K, 64K pages" in text
    assert "Found: by a tool: bounceproof" in text
    assert "Nothing was run on hardware" in text
    assert "327e2c97c46a" in text
    assert "Link: https://lore.kernel.org/" in text
    assert "bounceproof bisect fits TREE GOOD BAD" in text
    assert "Asked of nvme: 64K pages" in text


def test_its_command_works_as_pasted(run: Run) -> None:
    told = run(*words_of(command_of(body(run, *ONE)))).out
    assert "129 slots are needed" in " ".join(told.split())


def test_a_history_works_as_pasted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = body(run, *OWNED)
    history = text[text.index("<<'END'\n") + 8 : text.index("\nEND\n")]
    file = tmp_path / "history"
    file.write_text(history)
    told = run("simulate", "v6.9", "--history", str(file), "--json")
    assert json.loads(history)["ops"]
    assert "owned" in told.out


def test_what_holds_is_no_finding(run: Run) -> None:
    message = mail_of(run, *HOLDS)
    assert message["Subject"] == "swiotlb: v6.9: holds"
    assert "Effect" not in str(message.get_payload())


def test_a_tree_s_mail_has_its_version_and_name(run: Run, tmp_path: Path) -> None:
    tree = write(tmp_path / ("a folder with a long name " * 4), files(COUNTED))
    patch = tmp_path / "J\u00fcrgen\x1b's.patch"
    patch.write_text(patch_text(files(COUNTED)["kernel/dma/swiotlb.c"] + "int x;\n"))
    words = ("--patch", str(patch), *DIRECT)
    text = body(run, "check", str(tree), *words)
    assert "9.8.7-rc6" in text
    assert "on the tree's own C" in " ".join(text.split())
    found = words_of(command_of(text))
    assert {str(tree), str(patch)} <= set(found)


def test_a_patch_s_mail_says_what_it_fixes(run: Run) -> None:
    kernel = "v6.6+nicolin-v1-1+nicolin-v1-2"
    machine = ("--page-size", "64K", "--granule", "64K", "--nslabs", "32768")
    asked = (*machine, "--nareas", "1", "--property", "fits")
    text = " ".join(body(run, "prove", kernel, *asked).split())
    assert text.startswith(f"Compared with v6.6, {kernel} fixes fits.")


def test_every_property_has_an_effect() -> None:
    assert set(EFFECT) == set(Property)


def test_names_become_ascii() -> None:
    assert ascii_only("J\u00fcrgen \u2013 \x1b[31m") == "Jurgen \\u2013 \\x1b[31m"
    assert folded(["x" * 200])[0] == "x" * 75


@pytest.mark.parametrize("length", [10, 70, 200])
def test_folded_commands_mean_the_same(length: int) -> None:
    words = [
        "simulate",
        "x" * length,
        "it's " * (length // 5),
        "\u00fc'\n" * length,
        "",
    ]
    line = shlex.join(["bounceproof", *words])
    lines = command_folded(line)
    assert max(map(len, lines)) <= 75
    assert words_of("\n".join(lines)) == words
    start, *_, end = commands_folded([f"{line} --history - <<'END'", "{}", "END"])
    assert (start.split()[0], end) == ("bounceproof", "END")
