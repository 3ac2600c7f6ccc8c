# SPDX-License-Identifier: GPL-2.0-only
"""Patches: what applies, and what is refused and how."""

from __future__ import annotations

import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from bounceproof.source.errors import PatchError, SourceError, TreeError
from bounceproof.source.patch import apply_patch, parse_patch
from bounceproof.source.tree import open_tree
from tests.source.trees import SWIOTLB

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
    return apply_patch(changes, {"dir/file.c": before}.get, "p")


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
    with pytest.raises(PatchError, match=r"dir/file\.c: hunk 1 of 1"):
        changed(PLAIN, BEFORE.replace("line 6", "line six"))


def test_new_and_deleted_files() -> None:
    patch = (
        "diff --git a/dir/file.c b/dir/file.c\ndeleted file mode 100644\n"
        "--- a/dir/file.c\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-line 1\n"
        "diff --git a/dir/new.h b/dir/new.h\nnew file mode 100644\n"
        "--- /dev/null\n+++ b/dir/new.h\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    )
    assert changed(patch, "line 1\n") == {"dir/file.c": None, "dir/new.h": "one\ntwo\n"}


def mail(number: int, body: str) -> str:
    return (
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: A B <a@b>\n"
        f"Subject: [PATCH {number}/2] change\n\nWhy it is so.\n\n"
        f"--- not a diff\n---\n dir/file.c | 2 +-\n\n{body}-- \n2.39\n\n"
    )


def test_series_in_an_mbox() -> None:
    second = PLAIN.replace("-line 5\n", "").replace(
        "@@ -4,3 +4,4 @@", "@@ -4,4 +4,4 @@"
    )
    second = second.replace("+line five\n", "-line five\n+LINE FIVE\n")
    second = second.replace("+line five and", " line five and")
    after = changed(mail(1, PLAIN) + mail(2, second))["dir/file.c"]
    assert after is not None
    assert "LINE FIVE\nline five and a half\n" in after


@pytest.mark.parametrize(
    "patch",
    [
        "--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/x\nGIT binary patch\nliteral 3\nabc\n\n",
        "Binary files a/x and b/x differ\n",
        "--- a/x\n+++ b/x\n@@ -1,90000000 +1 @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n",
        "--- a/x\n+++ b/x\n@@ nonsense @@\n-a\n",
        "hello\n",
        "",
        "\0\1\2",
        "+" + "x" * (17 << 20),
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
