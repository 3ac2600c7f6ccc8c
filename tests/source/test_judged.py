# SPDX-License-Identifier: GPL-2.0-only
"""What was judged: commit, version, patches and hunks, configuration."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from bounceproof.models.request import Cell
from bounceproof.models.request import Path as Way
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import PatchError, TreeError
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.kernel.judged import names_read
from bounceproof.source.kernel.kernel import ENTRIES
from bounceproof.source.tree.provenance import HunkJudged, Judged
from bounceproof.source.tree.tree import open_tree
from tests.conftest import Run
from tests.source.lives import texts
from tests.source.mails import diff, mail
from tests.source.shapes import COUNTED, files
from tests.source.test_commands import DIRECT, git, write
from tests.source.trees import SWIOTLB

PCI = "drivers/nvme/host/pci.c"
SPARE = "static int spare(int a)\n{\n\tint b = a;\n\n\treturn b;\n}\n"
TEXT = files(COUNTED)[SWIOTLB] + SPARE


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "tree", {**files(COUNTED), SWIOTLB: TEXT})


def judged(tree: Path, *patches: str) -> Judged:
    """What is judged of ``tree`` with the patches of these texts."""
    places = []
    for number, text in enumerate(patches):
        place = tree.parent / f"{number}.patch"
        place.write_text(text)
        places.append(str(place))
    return TreeKernel(open_tree(str(tree), places), {"CONFIG_A": "y"}).judged()


def hunks(tree: Path, after: str, path: str = SWIOTLB) -> tuple[HunkJudged, ...]:
    before = (tree / path).read_text() if (tree / path).exists() else ""
    return judged(tree, diff(before, after, path)).patches[0].hunks


def test_a_folder_that_is_no_work_tree(tree: Path) -> None:
    found = judged(tree)
    assert (found.tree, found.version) == (str(tree), "9.8.7-rc6")
    assert (found.commit, found.subject, found.dirty) == (None, None, None)
    assert ("CONFIG_A", "y") in found.config
    assert found.config == tuple(sorted(found.config))
    assert (found.patches, found.warnings) == ((), ())


def test_a_work_tree_and_its_revisions(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "the first: of two")
    first = git(tree, "rev-parse", "HEAD")
    (tree / "README").write_text("text\n")
    found = judged(tree)
    assert (found.commit, found.subject) == (first, "the first: of two")
    assert found.dirty is False
    (tree / SWIOTLB).write_text(TEXT + "\n")
    assert judged(tree).dirty is True
    git(tree, "commit", "-qam", "the second")
    git(tree, "tag", "-am", "text of a tag", "v1")
    for name in ("HEAD~1", first[:12], "v1~1", "HEAD^{/first}"):
        found = judged(Path(f"{tree}@{name}"))
        assert (found.commit, found.subject) == (first, "the first: of two")
        assert found.dirty is False
    second = git(tree, "rev-parse", "HEAD")
    assert judged(Path(f"{tree}@v1")).commit == second
    named = judged(Path(f"{tree}@HEAD^{{tree}}"))
    assert (named.commit, named.dirty) == (None, None)
    inner = judged(write(tree / "inner", files(COUNTED)))
    assert inner.commit is None


def test_a_repository_s_own_settings_run_nothing(tree: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexec cat\n")
    program.chmod(0o755)
    git(tree, "init", "-q")
    write(tree, {".gitattributes": "*.c filter=x diff=x\n"})
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    names = ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.external")
    for name in (*names, "diff.x.command", "diff.x.textconv", "gpg.program"):
        git(tree, "config", name, str(program))
    git(tree, "config", "log.showSignature", "true")
    (tree / SWIOTLB).write_text(TEXT + "\n")
    assert judged(tree).dirty is True
    assert judged(Path(f"{tree}@HEAD")).subject == "start"
    assert not mark.exists()


def test_a_work_tree_without_git(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    assert judged(tree).commit is not None
    monkeypatch.setenv("PATH", str(tree))
    assert judged(tree).commit is None


def test_an_archive_has_its_name_and_version(tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "linux-source-9.8.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(tree, "linux-9.8")
    found = TreeKernel(open_tree(str(archive))).judged()
    assert (found.tree, found.version) == (str(archive), "9.8.7-rc6")
    assert (found.commit, found.dirty) == (None, None)


def test_patches_have_subjects_and_authors(tree: Path) -> None:
    middle = TEXT.replace("area->used += need", "area->used += need + 1")
    last = middle.replace("need + 1", "need + 2")
    one = mail(diff(TEXT, middle, SWIOTLB), "[PATCH 1/2] swiotlb: one more")
    two = mail(diff(middle, last, SWIOTLB), "[PATCH 2/2] swiotlb: two more")
    found = judged(tree, two + one)
    names = [(patch.subject, patch.author, patch.number) for patch in found.patches]
    assert names == [
        ("[PATCH 1/2] swiotlb: one more", "A B <a@b>", (1, 2)),
        ("[PATCH 2/2] swiotlb: two more", "A B <a@b>", (2, 2)),
    ]
    assert found.patches[0].name.endswith("0.patch")
    line = TEXT[: TEXT.index("area->used += need")].count("\n") + 1
    for patch in found.patches:
        assert patch.hunks == (
            HunkJudged(SWIOTLB, line, 1, "swiotlb_do_find_slots", True),
        )
    assert judged(tree, one).warnings == ("patch 2/2 of the series not given",)
    assert judged(tree, one, two).warnings == ()
    far = one.replace("1/2", "1/999999999")
    assert "patch 2/999999999 and 999999997 more" in judged(tree, far).warnings[0]


def test_a_mail_that_was_cut_between_hunks_is_told(tree: Path) -> None:
    text = TEXT.replace("area->used += need", "area->used += need + 1")
    text = text.replace("int b = a;", "int b = a + 1;")
    body = diff(TEXT, text, SWIOTLB)
    stat = " 1 file changed, 2 insertions(+), 2 deletions(-)\n\n"
    assert judged(tree, mail(stat + body, "both")).warnings == ()
    cut = body[: body.rindex("@@ -")]
    (warning,) = judged(tree, mail(stat + cut, "half")).warnings
    assert warning.endswith("`half`: its diffstat says +2 -2, its hunks +1 -1")
    assert judged(tree, mail(stat + stat + cut, "twice")).warnings == ()
    assert judged(tree, mail(cut, "never")).warnings == ()


def test_hunks_that_no_answer_depends_on(tree: Path) -> None:
    line = TEXT.count("\n") - 2
    (inside,) = hunks(tree, TEXT.replace("int b = a;", "int b = a + 1;"))
    assert inside == HunkJudged(SWIOTLB, line - 1, 1, "spare", False)
    (spoken,) = hunks(tree, TEXT.replace("\tarea->used +=", "\t/* is */ area->used +="))
    assert spoken.read
    noted = TEXT.replace(
        "\tarea->used +=", "\t/* so many\n\t * more\n\t */\n\tarea->used +="
    )
    (comment,) = hunks(tree, noted)
    assert (comment.lines, comment.function, comment.read) == (3, None, False)
    (blank,) = hunks(tree, TEXT.replace("\tarea->used +=", "\n\tarea->used +="))
    assert not blank.read
    assert not hunks(tree, "int f;\n", "kernel/dma/new.h")[0].read
    (elsewhere,) = hunks(tree, "words\n", "Documentation/words.rst")
    assert elsewhere == HunkJudged("Documentation/words.rst", 1, 1, None, False)
    found = judged(tree, diff("", "words\n", "Documentation/words.rst"))
    assert found.warnings[0].endswith("0.patch: changes nothing that is read")


def test_hunks_that_an_answer_may_depend_on(tree: Path) -> None:
    (gone,) = hunks(tree, TEXT.replace("\tarea->used += need;\n", ""))
    assert (gone.lines, gone.function, gone.read) == (0, "swiotlb_do_find_slots", True)
    for new in (
        "#define EXTRA 1\n" + TEXT,
        TEXT.replace("struct io_tlb_slot {", "struct io_tlb_slot { int more;"),
        TEXT.replace("\tint b = a;", "#define need 3\n\tint b = a;"),
        TEXT + "static int odd(int a) { return a; }\n",
        "/* unclosed\n" + TEXT,
        TEXT.replace("\tarea->used +=", "/*\n\tarea->used +=").replace(
            "need;\n\tspin", "need;\n*/\n\tspin"
        ),
        TEXT.replace("\treturn b;\n}\n", "\treturn b;\n"),
    ):
        assert hunks(tree, new)[0].read
    helped = TEXT.replace("area->used += need", "area->used += spare(need)")
    helped = helped.replace(SPARE, "") + SPARE.replace("= a", "= a + 0")
    assert [h.read for h in hunks(tree, helped)] == [True, True]
    new = diff("", "int f;\n", "kernel/dma/new.h")
    both = judged(tree, new + diff(TEXT, '#include "new.h"\n' + TEXT, SWIOTLB))
    assert both.patches[0].hunks[0].read
    assert hunks(tree, TEXT.replace(SPARE, ""))[0].read


def test_a_driver_s_hunks(tree: Path) -> None:
    other = "static int nvme_other(int a)\n{\n\treturn a;\n}\n"
    text = (tree / PCI).read_text()
    (unread,) = hunks(tree, text + other, PCI)
    assert (unread.function, unread.read) == ("nvme_other", False)
    start = text.index("\n{\n", text.index("start(")) + 3
    (inside,) = hunks(tree, text[:start] + "\tint odd = 0;\n\n" + text[start:], PCI)
    assert inside.read


def test_all_that_runs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: set[str] = set()
    real = Interpreter.invoke

    def noted(self: Interpreter, function: c.Function, *rest: object) -> object:
        ran.add(function.name)
        return real(self, function, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Interpreter, "invoke", noted)
    place = write(tmp_path / "tree", texts(COUNTED))
    kernel = TreeKernel(open_tree(str(place)))
    cell = Cell(4096, 4096, Way.DIRECT, 0xFFF)
    kernel.nvme_limit(cell)
    kernel.nvme_align_mask(4096)
    kernel.run(cell, 0x12345E04, 100_000, PoolNumbers(1 << 32, 256))
    read = names_read(kernel.program(4096), ENTRIES[Way.DIRECT])
    assert len(ran) > 6
    assert ran <= read


def test_renamed_and_removed_files(tree: Path, run: Run) -> None:
    move = (
        f"diff --git a/{SWIOTLB} b/kernel/dma/bounce.c\nsimilarity index 100%\n"
        f"rename from {SWIOTLB}\nrename to kernel/dma/bounce.c\n"
    )
    found = judged(tree, move)
    assert found.patches[0].hunks == (
        HunkJudged("kernel/dma/bounce.c", 1, 0, None, True),
    )
    same = run("check", str(tree), *DIRECT, "--json").json
    moved = run(
        "check", str(tree), "--patch", str(tree.parent / "0.patch"), *DIRECT, "--json"
    )
    answers = [answer["properties"][0] for answer in (same, moved.json)]
    one, two = ({**a["counterexample"], "kernel": ""} for a in answers)
    assert one == two
    with pytest.raises(PatchError, match=r"0\.patch: leaves no .*: renamed to x/y\.S"):
        judged(tree, move.replace("kernel/dma/bounce.c", "x/y.S"))
    away = mail(diff(TEXT, "", SWIOTLB), "swiotlb: away")
    with pytest.raises(PatchError, match=r"`swiotlb: away`: leaves no kernel"):
        judged(tree, away)


def test_a_tree_without_the_driver(tree: Path, run: Run) -> None:
    (tree / PCI).unlink()
    result = run("check", str(tree), *DIRECT)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert f"{PCI}: no such file in this tree" in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tree: Path) -> None:
    (tree / SWIOTLB).chmod(0)
    with pytest.raises(TreeError, match=r"swiotlb\.c: Permission denied"):
        open_tree(str(tree))


def test_a_link_to_itself_and_a_name_too_long(tree: Path) -> None:
    with pytest.raises(TreeError, match="File name too long"):
        judged(tree, diff("a\n", "b\n", "x" * 5000))
    (tree / SWIOTLB).unlink()
    (tree / SWIOTLB).symlink_to("swiotlb.c")
    with pytest.raises(TreeError, match=r"swiotlb\.c"):
        open_tree(str(tree))


def test_names_with_a_revision(
    tree: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    monkeypatch.chdir(tree.parent)
    for name in ("tree", "tree@HEAD", "./tree@HEAD", "tree/@HEAD", str(tree)):
        assert run("check", name, *DIRECT, "--json").code == 1
    result = run("check", "tree@v9", *DIRECT)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "tree: no git revision `v9`" in result.err
    assert "unknown" in run("check", "trees@HEAD", *DIRECT).err


def test_bisect_wants_the_older_one_first(tree: Path, run: Run) -> None:
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "start")
    git(tree, "checkout", "-qb", "side")
    for number, branch in enumerate(("main", "side")):
        git(tree, "checkout", "-q", branch)
        (tree / SWIOTLB).write_text(TEXT + f"/* {number} */\n")
        git(tree, "commit", "-qam", branch)
    for ends, said in (
        (("main", "main~1"), "main comes after main~1: GOOD is the older one"),
        (("side", "main"), "side is no ancestor of main"),
        (("main", "HEAD@{0}"), "main is no ancestor of HEAD@{0}"),
        (("main", "main"), "main and main are the same commit"),
        (("main", "nope"), "nope"),
    ):
        result = run("bisect", "fits", str(tree), *ends, "--page-size", "4K")
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
        assert said in result.err
