# SPDX-License-Identifier: GPL-2.0-only
"""Mails with patches, as format-patch and archives of mailing lists write them."""

from __future__ import annotations

import base64
import difflib
import itertools
import quopri

BEFORE = "".join(f"line {number}\n" for number in range(1, 21))
FILE = "dir/file.c"


def diff(before: str, after: str, path: str = FILE) -> str:
    """A unified diff of one file; empty text stands for no file."""
    old = f"a/{path}" if before else "/dev/null"
    new = f"b/{path}" if after else "/dev/null"
    lines = difflib.unified_diff(
        before.splitlines(True), after.splitlines(True), old, new
    )
    return "".join(lines)


def mail(
    body: str, subject: str, coding: str = "8bit", author: str = "A B <a@b>"
) -> str:
    """One mail of an mbox."""
    text = f"Why it is so.\n---\n dir/file.c | 2 +-\n\n{body}-- \n2.39\n\n"
    if coding == "base64":
        text = base64.encodebytes(text.encode()).decode() + "\n"
    if coding == "quoted-printable":
        text = quopri.encodestring(text.encode()).decode() + "\n"
    return (
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: {author}\n"
        f"Subject: {subject}\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: {coding}\n\n{text}"
    )


def series(*texts: str, coding: str = "8bit") -> list[str]:
    """Mails that take the first text to the last, one step each."""
    steps = list(itertools.pairwise(texts))
    return [
        mail(diff(old, new), f"[PATCH v2 {number}/{len(steps)}] step {number}", coding)
        for number, (old, new) in enumerate(steps, 1)
    ]


def quoted(text: str) -> str:
    """The mail's body as an answer quotes it."""
    return "".join(f"> {line}\n" for line in text.split("\n"))
