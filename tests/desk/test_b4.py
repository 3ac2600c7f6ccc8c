# SPDX-License-Identifier: GPL-2.0-only
"""``b4-check``: what b4 itself makes of its results, on a small git tree."""

from __future__ import annotations

import base64
import email
import email.policy
import io
import json
import quopri
import subprocess
import sys
import warnings
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from bounceproof.cli import b4_check as command
from bounceproof.report import b4
from bounceproof.solver.answers import soon
from tests.conftest import Run
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import (
    EXTRA,
    LESS,
    MORE,
    git,
    patch_text,
    patched,
    write,
)
from tests.source.trees import SWIOTLB

QUICK = ("b4-check", "--property", "fits", "--page-size", "4K")
RESULT = {
    "type": "object",
    "properties": {
        "status": {"enum": ["pass", "warn", "fail"]},
        **{name: {"type": "string"} for name in ("tool", "summary", "url", "details")},
    },
    "required": ["tool", "status", "summary", "url", "details"],
    "additionalProperties": False,
}
"""As docs/maintainer/review.rst of b4 has it."""


def mail(
    diff: str, subject: str = "[PATCH] swiotlb: a change", more: str = ""
) -> bytes:
    """A mail as git format-patch writes it."""
    text = f"Why.\n\nSigned-off-by: A B <a@b.org>\n---\n{diff}{more}-- \n2.39\n"
    head = f"From: A B <a@b.org>\nSubject: {subject}\nMessage-Id: <1@b.org>\n\n"
    return (head + text).encode()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write(tmp_path / "tree", files(COUNTED))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "the base")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("B4_TRACKING_FILE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def told(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    def check(data: bytes, *more: str) -> list[dict[str, str]]:
        stream = io.TextIOWrapper(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", stream)
        result = run(*QUICK, *more)
        assert (result.code, result.err) == (0, "")
        found: list[dict[str, str]] = json.loads(result.out)
        jsonschema.validate(found, {"type": "array", "items": RESULT})
        return found

    return check


# What it says.


def test_it_says_what_a_patch_fixes(tree: Path, told: Any) -> None:
    [found] = told(mail(patch_text(patched())))
    assert (found["status"], found["summary"]) == ("pass", "fixes fits")
    assert "Base: HEAD" in found["details"]
    assert "Fixed, each with the smallest request" in found["details"]


def test_it_says_what_a_patch_breaks(tree: Path, told: Any) -> None:
    (tree / SWIOTLB).write_text(patched())
    git(tree, "commit", "-qam", "lower the limit")
    [found] = told(mail(reversed_diff()))
    assert (found["status"], found["summary"]) == ("fail", "breaks fits")


def reversed_diff() -> str:
    """The diff that takes back what the last commit did."""
    done = subprocess.run(
        ["git", "diff", "-R", "HEAD~1"], check=True, capture_output=True, text=True
    )
    return done.stdout.replace("--- b/", "--- a/").replace("+++ a/", "+++ b/")


def test_it_says_what_a_patch_leaves(tree: Path, told: Any) -> None:
    text = files(COUNTED)[SWIOTLB].replace("swiotlb buffer is full", "full")
    [found] = told(mail(patch_text(text)))
    assert found["status"] == "pass"
    assert found["summary"] == "changes no verdict; leaves broken fits"


def test_what_is_not_answered_in_time_is_a_warning(tree: Path, told: Any) -> None:
    [found] = told(mail(patch_text(patched())), "--within", "1", "--property", "clean")
    assert found["status"] == "warn"
    assert "not answered in 1 s" in found["details"]


def test_an_error_of_the_solver_s_process_is_no_pass(
    tree: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soon, "_answer", lambda *arguments: sys.exit(1))
    [found] = told(mail(patch_text(patched())))
    assert (found["status"], found["summary"]) == ("warn", "unknown fits")


# What it does not concern itself with.


ELSEWHERE = "--- a/mm/slab.c\n+++ b/mm/slab.c\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    "data",
    [
        mail(ELSEWHERE),
        mail("no change at all\n"),
        mail(ELSEWHERE).replace(b"\n", b"\r\n"),
        mail("+kernel/dma/swiotlb.c is what I mean\n"),
        mail("--- a/mm/slab.c\n+++ b/mm/slab.c\n@@ -1,9 +1 @@\n-a\n"),
        b"\x00\x01\x02 binary",
        b"Subject: hello\n\nJust words.\n",
    ],
)
def test_another_patch_is_none_of_ours(tree: Path, told: Any, data: bytes) -> None:
    assert told(data) == []


def test_a_comment_is_none_of_ours(tree: Path, told: Any) -> None:
    text = files(COUNTED)[SWIOTLB]
    assert told(mail(patch_text(f"{text}/* The end. */\n"))) == []


def test_it_needs_no_solver_for_that(tree: Path) -> None:
    script = (
        "import sys\nfrom bounceproof.cli.main import main\n"
        "try:\n    main(['b4-check'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'z3', 'numpy', 'numba', 'sympy', 'tree_sitter', 'rich'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=mail(ELSEWHERE),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"[]\n")


# How a mail may come.


def encoded(data: bytes, coding: str) -> bytes:
    head, _, text = data.partition(b"\n\n")
    if coding == "base64":
        text = base64.encodebytes(text)
    elif coding == "quoted-printable":
        text = quopri.encodestring(text)
    more = f"\nMIME-Version: 1.0\nContent-Transfer-Encoding: {coding}\n"
    return head + more.encode() + b"Content-Type: text/plain; charset=utf-8\n\n" + text


@pytest.mark.parametrize(
    "how",
    ["crlf", "base64", "quoted-printable", "mbox", "latin-1", "utf-8", "attachment"],
)
def test_a_patch_is_read_however_it_comes(
    tree: Path, told: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = b4.result(b4.Status.PASS, "read")
    monkeypatch.setattr(command, "_proved", lambda *arguments: read)
    data = mail(patch_text(patched()))
    if how == "crlf":
        data = data.replace(b"\n", b"\r\n")
    elif how in ("base64", "quoted-printable"):
        data = encoded(data, how)
    elif how == "mbox":
        data = b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\n" + data
    elif how in ("latin-1", "utf-8"):
        data = data.replace(b"A B <", "J\u00fcrgen <".encode(how))
    else:
        message = EmailMessage()
        message["Subject"] = "[PATCH] attached"
        message.set_content("See the attachment.\n")
        message.add_attachment(patch_text(patched()), "x-patch", filename="a.patch")
        data = message.as_bytes()
    [found] = told(data)
    assert found["summary"] == "read"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no message"),
        (b" \n", "no message"),
        (mail(patch_text(patched()))[:500], "ends in its middle"),
        (mail(patch_text(patched())).replace(b" \t", b" x"), "does not apply"),
        (mail(f"--- a/{SWIOTLB}\n+++ b/{SWIOTLB}\n@@ -1 +1 @@\0\n"), "binary"),
        (mail(patch_text(patched()), "Re: [PATCH] hm"), "a reply with a change"),
    ],
)
def test_what_cannot_be_judged_is_a_warning(
    tree: Path, told: Any, data: bytes, why: str
) -> None:
    [found] = told(data)
    assert found["status"] == "warn"
    assert found["summary"].startswith("not checked: ")
    assert why in found["summary"]


def test_a_folder_that_is_no_kernel_is_a_warning(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [found] = told(mail(patch_text(patched())))
    assert found["status"] == "warn"


def test_no_control_character_goes_through(tree: Path, told: Any) -> None:
    data = mail(patch_text(patched()), "[PATCH] \x1b[31mred\x07")
    [found] = told(data)
    assert all(line.isprintable() for line in found["details"].split("\n"))


# The base.


def test_the_base_is_base_commit(tree: Path, told: Any) -> None:
    base = git(tree, "rev-parse", "HEAD")
    (tree / SWIOTLB).write_text("int gone;\n")
    git(tree, "commit", "-qam", "something else")
    [found] = told(mail(patch_text(patched()), more=f"\nbase-commit: {base}\n"))
    assert found["summary"] == "fixes fits"
    assert f"Base: base-commit {base[:12]}" in found["details"]


def test_a_base_commit_that_is_not_here_is_said(tree: Path, told: Any) -> None:
    more = f"\nbase-commit: {'12ab' * 10}\n"
    [found] = told(mail(patch_text(patched()), more=more))
    assert found["summary"] == "fixes fits"
    assert f"base-commit {'12ab' * 10} is not here" in found["details"]


def test_a_patch_that_is_applied_is_judged_on_its_parent(tree: Path, told: Any) -> None:
    (tree / SWIOTLB).write_text(patched())
    git(tree, "commit", "-qam", "swiotlb: a change")
    [found] = told(mail(patch_text(patched()), "[PATCH v2 1/1] swiotlb: a change"))
    assert found["summary"] == "fixes fits"
    assert "Base: the parent of" in found["details"]


# b4.


def checks() -> Any:
    """b4's own module, which is not free of warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from b4.review import checks as module
    return module


def message(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


COMMAND = f"{sys.executable} -m bounceproof {' '.join(QUICK)}"


def test_b4_runs_it_for_each_patch(tree: Path) -> None:
    series = [mail(patch_text(patched())), mail(ELSEWHERE, "[PATCH 2/2] mm: x")]
    patches = [(f"{n}@b.org", message(data)) for n, data in enumerate(series)]
    found = checks().run_perpatch_checks(patches, [COMMAND], str(tree))
    [ours], nothing = found.values()
    assert (ours["tool"], ours["status"]) == ("bounceproof", "pass")
    assert ours["summary"] == "fixes fits"
    assert nothing == []


STAT = f" {SWIOTLB} | 12 ++--\n 1 file changed\n"


def cover(stat: str) -> bytes:
    return mail(f"\n{stat}\n", "[PATCH 0/2] swiotlb: a series")


def test_b4_runs_it_for_a_series(tree: Path, tmp_path: Path) -> None:
    module, top = checks(), str(tree)
    far = module.run_series_checks(("0@b", message(cover(" mm/slab.c | 2 +-\n"))),
                                   [COMMAND], top)  # fmt: skip
    assert far == []
    near = module.run_series_checks(("0@b", message(cover(STAT))), [COMMAND], top)
    assert [one["status"] for one in near] == ["warn"]
    tracking = tmp_path / "tracking.json"
    tracking.write_text(json.dumps({"series": applied(tree)}))
    env = {"B4_TRACKING_FILE": str(tracking)}
    one = ("0@b", message(cover(STAT)))
    [found] = module.run_series_checks(one, [COMMAND], top, extra_env=env)
    assert (found["status"], found["summary"]) == ("pass", "fixes fits")


def applied(tree: Path) -> dict[str, Any]:
    """A series as b4 applies it, on a branch of its own with a commit at its tip."""
    git(tree, "checkout", "-qb", "b4/review/20240101-x")
    (tree / SWIOTLB).write_text(files(COUNTED)[SWIOTLB] + EXTRA)
    git(tree, "commit", "-qam", "swiotlb: one")
    first = git(tree, "rev-parse", "HEAD")
    (tree / SWIOTLB).write_text(
        files(COUNTED)[SWIOTLB].replace(
            LESS, MORE.replace("extra", "2 * IO_TLB_SIZE +")
        )
        + EXTRA
    )
    git(tree, "commit", "-qam", "swiotlb: two")
    git(tree, "commit", "-q", "--allow-empty", "-m", "b4 tracking")
    git(tree, "checkout", "-q", "main")
    return {"change-id": "20240101-x", "first-patch-commit": first}


def test_page_sizes_go_with_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for cpus, pages in ((1, 2), (2, 2), (3, 3), (64, 3)):
        monkeypatch.setattr(soon.os, "cpu_count", lambda cpus=cpus: cpus)
        domain = SimpleNamespace(page_size=None)
        assert len(soon.pages_of(domain)) == pages  # type: ignore[arg-type]
