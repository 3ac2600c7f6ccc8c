# SPDX-License-Identifier: GPL-2.0-only
"""Trees and patches, cut and edited at random: an answer or one line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.request import Cell, Path, Request
from bounceproof.source.errors import NotUnderstood, PatchError, SourceError
from bounceproof.source.extract.machine import u64
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.tree.mail import unpacked
from bounceproof.source.tree.patch import apply_patch, parse_patch
from bounceproof.source.tree.tree import HEADERS, SOURCES, Tree
from tests.fuzz.edits import edited
from tests.source.lives import texts
from tests.source.mails import BEFORE, FILE, mail, quoted, series
from tests.source.shapes import CIRCULAR, COUNTED
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

seeds = st.integers(0, 1 << 32)
BUSY = frozenset((3, 4))


SIZE = 8192
Answer = TypeVar("Answer")


def asked(question: Callable[[], Answer], files: dict[str, str]) -> Answer | None:
    """The answer; None where it is refused, in a line that names a place there is."""
    try:
        return question()
    except NotUnderstood as error:
        assert "\n" not in str(error)
        assert str(error).startswith(f"{error.file}:{error.line}: not understood: ")
        lines = files.get(error.file, "").count("\n") + 1
        assert error.file in (*SOURCES, *HEADERS, *files)
        assert error.line <= lines or error.file not in files
        assert error.need
    except (SourceError, NoClosedForm) as error:
        assert str(error)
        assert "\n" not in str(error)
    return None


def ask(files: dict[str, str]) -> int:
    """Ask what commands ask; how many requests were both read and run.

    What a mapping is read to ask of the search must be what running it asks for.
    """
    kernel, compared = proved_kernel(Tree(DictStore(files), "t")), 0
    judged = asked(kernel.judged, files)
    assert judged is None or judged.tree == "t"
    asked(partial(kernel.nvme_align_mask, 4096), files)
    for path in Path:
        cell = Cell(4096, 4096, path, 0xFFF)
        orig = 0 if path is Path.ALLOC else 0x12345E04
        pool = PoolNumbers(1 << 32, 256, 2, 0, (1 << 32) - 1, BUSY)
        request = Request(u64(orig), u64(SIZE))
        asked(partial(kernel.unsupported, path), files)
        asked(partial(kernel.nvme_limit, cell), files)
        asked(partial(kernel.opt_mapping_size, cell), files)
        asked(partial(kernel.life, cell), files)
        mapping = asked(partial(kernel.mapping, cell, request), files)
        run = asked(partial(kernel.run, cell, orig, SIZE, pool), files)
        if mapping is not None and run is not None:
            bounced = bool(mapping.bounced)
            asks = int(mapping.nslots) if bounced else None
            refused = asks is not None and bool(mapping.refused)
            assert run.outcome.bounced is bounced
            assert run.outcome.nslots in ((asks, None) if refused else (asks,))
            compared += 1
    return compared


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
def test_a_tree_that_nobody_edited_is_read_and_run(search: str) -> None:
    assert ask(dict(texts(search))) == len((Path.DIRECT, Path.IOMMU))


@settings(max_examples=25, deadline=None)
@given(seeds)
@example(702)
def test_edited_trees(seed: int) -> None:
    dice = random.Random(seed)
    files = dict(texts(dice.choice((COUNTED, CIRCULAR))))
    path = dice.choice([SWIOTLB, *sorted(files)])
    for _ in range(dice.choice((1, 1, 2, 3))):
        files[path] = edited(files[path], dice)
    ask(files)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_edited_trees(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        dice = random.Random(seed)
        files = dict(texts(dice.choice((COUNTED, CIRCULAR))))
        path = dice.choice([SWIOTLB, *sorted(files)])
        files[path] = edited(files[path], dice)
        ask(files)


def thread(dice: random.Random) -> str:
    """An mbox of a series in some order, with a cover letter and answers."""
    one = BEFORE.replace("line 5\n", "line five\n")
    two = one.replace("line 9\n", "line nine\nmore\n")
    coding = dice.choice(("8bit", "base64", "quoted-printable"))
    mails = series(BEFORE, one, two, coding=coding)
    mails.append(mail("", "[PATCH v2 0/2] why"))
    mails.append(mail(quoted(mails[0]), "Re: [PATCH v2 1/2] step 1"))
    dice.shuffle(mails)
    return "".join(mails)


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_edited_patches(seed: int) -> None:
    dice = random.Random(seed)
    text = thread(dice)
    for _ in range(dice.choice((1, 1, 2, 4))):
        text = edited(text, dice)
    try:
        changes = parse_patch(text.encode("utf-8", "surrogateescape"), "p")
        after = apply_patch(changes, {FILE: BEFORE}.get)
    except PatchError as error:
        assert str(error).startswith("p:")
        assert "\n" not in str(error)
    else:
        assert all(landed.at for landed in after.landed if landed.change.hunks)


MAGIC = [b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh"]
MBOX = b"From a@b Mon Sep 17 00:00:00 2001\n"


def refused(question: Callable[[], object]) -> bool:
    """Whether a file is refused, and then by its name, in a line."""
    try:
        question()
    except PatchError as error:
        assert str(error).startswith("p:")
        assert "\n" not in str(error)
        return True
    return False


@settings(max_examples=300, deadline=None)
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    packed = data.startswith(tuple(MAGIC))
    assert packed or unpacked(data, "p") == data
    for start in MAGIC:
        assert refused(lambda start=start: unpacked(start + data, "p"))
        assert refused(lambda start=start: parse_patch(start + data, "p"))
    for text in (data, MBOX + data):
        assert b"\n+++ " in text or refused(lambda text=text: parse_patch(text, "p"))


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_what_was_packed_is_unpacked(data: bytes) -> None:
    for pack in (gzip.compress, lzma.compress, bz2.compress):
        assert unpacked(pack(data), "p") == data
        assert refused(lambda pack=pack: unpacked(pack(data)[:-1], "p"))
