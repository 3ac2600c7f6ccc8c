# SPDX-License-Identifier: GPL-2.0-only
"""Patches in mails: what is taken, in which order, and how complaints name them."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
from collections.abc import Callable

import pytest

from bounceproof.source.errors import PatchError
from bounceproof.source.tree.mail import MAX_BYTES
from bounceproof.source.tree.patch import apply_patch, parse_patch
from tests.source.mails import BEFORE, FILE, diff, mail, quoted, series

ONE = BEFORE.replace("line 5\n", "line five\n")
TWO = ONE.replace("line five\n", "LINE FIVE\n")
MAILS = series(BEFORE, ONE, TWO)
COVER = mail("", "[PATCH v2 0/2] why")
ANSWER = mail(quoted(diff(BEFORE, ONE)), "Re: [PATCH v2 1/2] step 1")
CODINGS = ("8bit", "base64", "quoted-printable")


def applied(data: str | bytes, name: str = "t.mbox") -> str | None:
    raw = data.encode() if isinstance(data, str) else data
    return apply_patch(parse_patch(raw, name), {FILE: BEFORE}.get).files[FILE]


def complaint(data: str | bytes) -> str:
    with pytest.raises(PatchError) as caught:
        applied(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_thread_in_any_order_with_answers() -> None:
    for order in itertools.permutations([COVER, *MAILS, ANSWER]):
        assert applied("".join(order)) == TWO


@pytest.mark.parametrize("coding", CODINGS)
def test_a_reversed_series(coding: str) -> None:
    assert applied("".join(reversed(series(BEFORE, ONE, TWO, coding=coding)))) == TWO


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed_as_archives_serve_it(pack: Callable[[bytes], bytes]) -> None:
    text = "".join([COVER, ANSWER, *reversed(MAILS)]).encode()
    assert applied(pack(text)) == TWO
    assert applied(gzip.compress(text[:99]) + gzip.compress(text[99:])) == TWO
    packed = pack(text)
    for cut in (4, len(packed) // 2, len(packed) - 1):
        if not packed.startswith(b"\xfd") or cut > 5:
            assert complaint(packed[:cut]).startswith("t.mbox: cannot be unpacked")
    assert "larger than 16 MiB" in complaint(pack(b"\n" * (MAX_BYTES + 9)))


def test_line_ends_of_mails() -> None:
    assert applied("".join(MAILS).replace("\n", "\r\n")) == TWO


def test_a_complaint_names_mail_subject_file_and_line() -> None:
    wrong = series(BEFORE, ONE, TWO.replace("line 4\n", "line 4!\n"))
    broken = wrong[1].replace("line 3\n", "line three\n")
    text = COVER + wrong[0] + broken
    told = complaint(text)
    line = [n for n, at in enumerate(text.split("\n"), 1) if at.startswith("@@")][-1]
    assert told == (
        "t.mbox: mail 3: `[PATCH v2 2/2] step 2`: dir/file.c:1: "
        f"hunk 1 of 1 (t.mbox:{line}) does not apply"
    )


@pytest.mark.parametrize("coding", CODINGS[1:])
def test_a_line_of_an_encoded_mail_is_its_text_s(coding: str) -> None:
    ones = series(BEFORE.replace("line 3\n", "3\n"), ONE, coding=coding)
    assert "`[PATCH v2 1/1] step 1`" in complaint(ones[0])
    assert "(line 7 of its text)" in complaint(ones[0])


def test_other_complaints_name_the_mail() -> None:
    body = diff(BEFORE, ONE)
    for changed, said in (
        (body.replace("+line five\n", ""), "ends in its middle"),
        ("Binary files a/x and b/x differ\n", "binary changes"),
        (body.replace("dir/file.c", "dir/none.c"), "no such file in the tree"),
        (body.replace("b/dir/file.c", "b/../x"), "leaves the tree"),
    ):
        told = complaint(MAILS[0] + mail(changed, "[PATCH v2 2/2] other"))
        assert "mail 2: `[PATCH v2 2/2] other`" in told
        assert said in told
    assert "mail 2: `Re: x`: a reply with a change" in complaint(
        MAILS[0] + mail(diff(ONE, TWO), "Re: x")
    )


def test_subject_and_author_are_decoded() -> None:
    text = mail(
        diff(BEFORE, ONE),
        "=?utf-8?q?=5BPATCH=5D_f=C3=BCnf?=\n and\x01 more",
        author="=?utf-8?b?SsO2cmc=?= <j@example.org>",
    )
    letter = parse_patch(text.encode(), "p")[0].letter
    assert letter.subject == "[PATCH] fünf and more"
    assert letter.author == "Jörg <j@example.org>"
    assert letter.mail is None
    odd = text.replace("=?utf-8?q?", "=?no-such-charset?q?")
    assert parse_patch(odd.encode(), "p")[0].letter.subject is not None


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_with_and_without_headers(plain: bool) -> None:
    head = "" if plain else "From: A <a@b>\nSubject: a change\n\nWhy.\n"
    changes = parse_patch((head + diff(BEFORE, ONE)).encode(), "p")
    letter = changes[0].letter
    assert letter.subject == (None if plain else "a change")
    assert letter.at(changes[0].hunks[0].line) == f"p:{3 if plain else 7}"


def test_mails_that_number_themselves_twice_keep_their_order() -> None:
    first, second = MAILS
    assert "mail 1: `[PATCH v2 2/2]" in complaint(second + second + first)


def test_patches_without_context_and_with_trimmed_blanks() -> None:
    bare = "--- a/dir/file.c\n+++ b/dir/file.c\n@@ -5 +5 @@\n-line 5\n+line five\n"
    assert applied(bare) == ONE
    added = "--- a/dir/file.c\n+++ b/dir/file.c\n@@ -5,0 +6 @@\n+more\n"
    assert applied(added) == BEFORE.replace("line 5\n", "line 5\nmore\n")
    gaps = BEFORE.replace("line 4\n", "\n")
    text = diff(gaps, gaps.replace("line 5\n", "line five\n"))
    changes = parse_patch(text.replace("\n \n", "\n\n").encode(), "p")
    after = apply_patch(changes, {FILE: gaps}.get).files[FILE]
    assert after == gaps.replace("line 5\n", "line five\n")


def test_damaged_blanks_are_refused_at_their_place() -> None:
    tabbed = BEFORE.replace("line 4", "\tline 4")
    text = diff(tabbed, tabbed.replace("line 5\n", "line five\n"))
    damaged = text.replace("\t", "        ")
    with pytest.raises(
        PatchError, match=r"dir/file\.c:2: hunk 1 of 1 \(p:3\) does not"
    ):
        apply_patch(parse_patch(damaged.encode(), "p"), {FILE: tabbed}.get)


def test_malformed_hunks_are_refused_at_their_place() -> None:
    text = diff(BEFORE, ONE)
    for bad, said in (
        (text.replace("@@ -2,7 +2,7 @@", "@@ -2,7 2,7 @@"), "is malformed, t.mbox:3"),
        (text[: text.index(" line 7")], "ends in its middle, t.mbox:11"),
        (text.replace("-2,7", "-2,900000"), "states more than it can hold, t.mbox:3"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b - ", "middle of a line, t.mbox:5"),
    ):
        assert said in complaint(bad)
