# SPDX-License-Identifier: GPL-2.0-only
"""Patches: what applies, and what is refused and how."""

from __future__ import annotations

import base64
import quopri
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from bounceproof.source.errors import PatchError, SourceError, TreeError
from bounceproof.source.tree.patch import apply_patch, parse_patch
from bounceproof.source.tree.tree import Tree, open_tree
from tests.source.trees import SWIOTLB, DictStore

BEFORE = "".join(f"line {number}\n" for number in range(1, 21))
PLAIN = """--- a/dir/file.c
+++ b/dir/file.c
@@ -4,3 +4,4 @@ heading
 line 4
-line 5
+line five
+line five and a half
 line 6
"""


def changed(patch: str, before: str = BEFORE) -> dict[str, str | None]:
    changes = parse_patch(patch.encode(), "p")
    return apply_patch(changes, {"dir/file.c": before}.get).files


def test_plain() -> None:
    after = changed(PLAIN)["dir/file.c"]
    assert after is not None
    assert "line 4\nline five\nline five and a half\nline 6\n" in after


def test_offset() -> None:
    after = changed(PLAIN, "new\n" * 7 + BEFORE)["dir/file.c"]
    assert after is not None
    assert after.startswith("new\n" * 7 + "line 1\n")
    assert "line five\n" in after


def test_no_fuzz_and_the_hunk_is_named() -> None:
    with pytest.raises(PatchError, match=r"p: dir/file\.c:4: hunk 1 of 1 \(p:3\)"):
        changed(PLAIN, BEFORE.replace("line 6", "line six"))


def test_new_and_deleted_files() -> None:
    patch = (
        "diff --git a/dir/file.c b/dir/file.c\ndeleted file mode 100644\n"
        "--- a/dir/file.c\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-line 1\n"
        "diff --git a/dir/new.h b/dir/new.h\nnew file mode 100644\n"
        "--- /dev/null\n+++ b/dir/new.h\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    )
    assert changed(patch, "line 1\n") == {"dir/file.c": None, "dir/new.h": "one\ntwo\n"}


def mail(number: int, body: str, coding: str = "8bit", reply: str = "") -> str:
    text = (
        "Why it is so:\n--- a/old\n+++ b/new\n\n"
        f"--- not a diff\n---\n dir/file.c | 2 +-\n\n{body}-- \n2.39\n\n"
    )
    if coding == "base64":
        text = base64.encodebytes(text.encode()).decode() + "\n"
    if coding == "quoted-printable":
        text = quopri.encodestring(text.encode()).decode() + "\n"
    return (
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: A B <a@b>\n"
        f"Subject: {reply}[PATCH v2 {number}/2] change = all\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: {coding}\n\n{text}"
    )


SECOND = """--- a/dir/file.c
+++ b/dir/file.c
@@ -4,4 +4,4 @@ heading
 line 4
-line five
+LINE FIVE
 line five and a half
 line 6
"""
CODINGS = ("8bit", "base64", "quoted-printable")


@pytest.mark.parametrize("coding", CODINGS)
def test_series_in_an_mbox(coding: str) -> None:
    cover, quoted = mail(0, "", coding), "".join(f"> {x}\n" for x in PLAIN.split("\n"))
    one, two = mail(1, PLAIN, coding), mail(2, SECOND, coding)
    answer = mail(1, quoted, coding, "Re: ")
    for series in (
        (one, two),
        (cover, one, two),
        (two, cover, one),
        (one, answer, two),
    ):
        after = changed("".join(series))["dir/file.c"]
        assert after is not None
        assert "LINE FIVE\nline five and a half\n" in after


@pytest.mark.parametrize("coding", CODINGS)
def test_one_mail(coding: str) -> None:
    after = changed(mail(1, PLAIN, coding).split("\n", 1)[1])["dir/file.c"]
    assert after is not None
    assert "line five and a half\n" in after


def test_a_reply_with_a_change_is_refused() -> None:
    with pytest.raises(PatchError, match=r"Re: .*a reply with a change"):
        changed(mail(1, PLAIN) + mail(1, SECOND, reply="Re: "))


def git(old: str, new: str, lines: str) -> str:
    return f"diff --git a/{old} b/{new}\n{lines}"


def test_renames_copies_and_modes() -> None:
    old, new = "dir/file.c", "dir/new.c"
    body = PLAIN.replace(f"+++ b/{old}", f"+++ b/{new}")
    move = f"similarity index 90%\nrename from {old}\nrename to {new}\n"
    copy = move.replace("rename", "copy")
    after = changed(PLAIN)[old]
    assert changed(git(old, new, move)) == {old: None, new: BEFORE}
    assert changed(git(old, new, move + body)) == {old: None, new: after}
    assert changed(git(old, new, copy)) == {new: BEFORE}
    assert changed(git(old, new, copy + body)) == {new: after}
    mode = "old mode 100644\nnew mode 100755\n"
    assert changed(git(old, old, mode)) == {old: BEFORE}
    assert changed(git(old, old, mode + PLAIN)) == {old: after}


def test_deleted_and_added_again() -> None:
    gone = "--- a/dir/file.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-line 1\n"
    new = "--- /dev/null\n+++ b/dir/file.c\n@@ -0,0 +1 @@\n+one\n"
    assert changed(gone + new, "line 1\n") == {"dir/file.c": "one\n"}
    with pytest.raises(PatchError, match=r"dir/file\.c: deleted, but not empty"):
        changed(gone)
    with pytest.raises(PatchError, match=r"dir/file\.c: new, but already there"):
        changed(new)


def test_line_ends() -> None:
    after = changed(PLAIN)
    assert changed(PLAIN.replace("\n", "\r\n")) == after
    assert changed(PLAIN.removesuffix("\n")) == after
    last = (
        "--- a/dir/file.c\n+++ b/dir/file.c\n@@ -1 +1 @@\n-one\n"
        "\\ No newline at end of file\n+two\n\\ No newline at end of file\n"
    )
    assert changed(last, "one") == {"dir/file.c": "two\n"}
    assert changed(last.removesuffix("\n"), "one") == {"dir/file.c": "two\n"}


def test_many_hunks_apply_in_time() -> None:
    head, begun = "--- a/dir/file.c\n+++ b/dir/file.c\n", time.monotonic()
    body = "".join(f"@@ -{n} +{n} @@\n-x\n+y\n" for n in range(1, 20_001))
    assert changed(head + body, "x\n" * 20_000) == {"dir/file.c": "y\n" * 20_000}
    body = "@@ -1,2 +1,2 @@\n x\n-x\n+y\n" * 15_000
    assert changed(head + body, "x\n" * 100_000)
    body = "@@ -1,2 +1,2 @@\n x\n-z\n+y\n" * 15_000
    with pytest.raises(PatchError, match="hunk 1 of 15000"):
        changed(head + body, "x\n" * 120_000)
    far = "x\n" * 9000 + "".join(f"x\nz{n}\n" for n in range(9000))
    body = "".join(
        f"@@ -{1 + n % 2 * 99_999},2 +1,2 @@\n x\n-z{n}\n+y\n" for n in range(9000)
    )
    with pytest.raises(PatchError, match="too far from where it says"):
        changed(head + body, far)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "patch",
    [
        "--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n"
        "@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
        "diff --git a/x b/../y\nrename from x\nrename to ../y\n",
        '--- "a/\\303"\n+++ "b/\\303"\n@@ -1 +1 @@\n-a\n+b\n',
        "From a@b Mon Sep 17 00:00:00 2001\n"
        + "".join(
            f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"
            for n in range(3000)
        ),
        "diff --git a/x b/x\nGIT binary patch\nliteral 3\nabc\n\n",
        "Binary files a/x and b/x differ\n",
        "--- a/x\n+++ b/x\n@@ -1,90000000 +1 @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n",
        "--- a/x\n+++ b/x\n@@ nonsense @@\n-a\n",
        "hello\n",
        "",
        "\0\1\2",
        "+" + "x" * (17 << 20),
        "From a@b 2001\n" * 150_000,
        "From a@b 2001\n\n-- \n+++ \n@@ -1 +1 @@\n" * 2_000,
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n" * 40_000,
        "From a@b 2001\nContent-Type: multipart/mixed; boundary=b\n\n"
        + "--b\n\n\n" * 60_000,
        "--- a/x\n+++ b/x\n@@ -1,300000 +1 @@\n" + "-\n" * 300_000,
    ],
)
def test_hostile_patches_end_in_one_line(patch: str) -> None:
    begun = time.monotonic()
    with pytest.raises(PatchError) as caught:
        parse_patch(patch.encode(), "p")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - begun < 5


def test_tree_with_patches(tmp_path: Path) -> None:
    path = tmp_path / SWIOTLB
    path.parent.mkdir(parents=True)
    path.write_text("int one;\n")
    patch = tmp_path / "p.patch"
    patch.write_text(
        f"--- a/{SWIOTLB}\n+++ b/{SWIOTLB}\n@@ -1 +1 @@\n-int one;\n+int two;\n"
    )
    assert open_tree(str(tmp_path), [str(patch)]).read(SWIOTLB) == "int two;\n"
    assert path.read_text() == "int one;\n"


def test_git_revision_and_archive(tmp_path: Path) -> None:
    root = tmp_path / "linux"
    path = root / SWIOTLB
    path.parent.mkdir(parents=True)
    path.write_text("int one;\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=no"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "m"], ["tag", "t1"]):
        subprocess.run(["git", *identity, *step], cwd=root, check=True)
    path.write_text("int two;\n")
    assert open_tree(f"{root}@t1").read(SWIOTLB) == "int one;\n"
    assert open_tree(f"{root}@HEAD").read("no/such/file") is None
    assert open_tree(str(root)).read(SWIOTLB) == "int two;\n"
    with pytest.raises(TreeError, match="no git revision"):
        open_tree(f"{root}@t2")
    with pytest.raises(TreeError):
        open_tree(f"{root}@--output=x")
    archive = tmp_path / "linux.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(path, f"linux-9/{SWIOTLB}")
    tree = open_tree(str(archive))
    assert tree.read(SWIOTLB) == "int two;\n"
    assert open_tree(str(archive)).fingerprint() == tree.fingerprint()
    assert tree.version is None


@pytest.mark.parametrize("spec", ["/no/such/place", "/tmp@nothing", "/dev/null"])
def test_what_is_no_tree(spec: str) -> None:
    with pytest.raises(SourceError):
        open_tree(spec)


def new_file(path: str, text: str) -> str:
    lines = "".join(f"+{line}\n" for line in text.splitlines())
    size = len(text.splitlines())
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{size} @@\n{lines}"


INCLUDING = {
    "kernel/dma/swiotlb.c": '#include "slots.h"\n',
    "include/linux/near.h": "  # include <linux/slots.h>\n",
}


@pytest.mark.parametrize("by", [None, *INCLUDING])
def test_a_header_that_nothing_includes_is_not_read(by: str | None) -> None:
    header = "kernel/dma/slots.h" if by == SWIOTLB else "include/linux/slots.h"
    texts = {SWIOTLB: "int a;\n"}
    patch = new_file(header, "#define IO_TLB_SEGSIZE 64")
    if by == SWIOTLB:
        texts[SWIOTLB] = INCLUDING[by]
    elif by is not None:
        patch += new_file(by, INCLUDING[by])
        texts[SWIOTLB] = "#include <linux/near.h>\n"
    tree = Tree(DictStore(texts), "added")
    tree.apply(parse_patch(patch.encode(), "p"), "p")
    assert (header in tree.added) is (by is not None)
