# SPDX-License-Identifier: GPL-2.0-only
"""Trees and patches, cut and edited at random: an answer or one line."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproof.models.request import Cell, Path, Request
from bounceproof.models.search import NoClosedForm
from bounceproof.source.errors import PatchError, SourceError
from bounceproof.source.extract.machine import u64
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.mail import unpacked
from bounceproof.source.tree.patch import apply_patch, parse_patch
from bounceproof.source.tree.tree import Tree
from tests.fuzz.edits import edited
from tests.source.lives import texts
from tests.source.mails import BEFORE, FILE, mail, quoted, series
from tests.source.shapes import CIRCULAR, COUNTED
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

seeds = st.integers(0, 1 << 32)
BUSY = frozenset((3, 4))


def questions(kernel: TreeKernel) -> Iterator[Callable[[], object]]:
    """What commands ask of a tree, each apart."""
    yield kernel.judged
    yield partial(kernel.nvme_align_mask, 4096)
    for path in Path:
        cell = Cell(4096, 4096, path, 0xFFF)
        orig = 0 if path is Path.ALLOC else 0x12345E04
        pool = PoolNumbers(1 << 32, 256, 2, 0, (1 << 32) - 1, BUSY)
        request = Request(u64(orig), u64(8192))
        yield partial(kernel.unsupported, path)
        yield partial(kernel.nvme_limit, cell)
        yield partial(kernel.opt_mapping_size, cell)
        yield partial(kernel.life, cell)
        yield partial(kernel.mapping, cell, request)
        yield partial(kernel.run, cell, orig, 8192, pool)


def ask(files: dict[str, str]) -> None:
    kernel = proved_kernel(Tree(DictStore(files), "t"))
    for question in questions(kernel):
        try:
            question()
        except (SourceError, NoClosedForm) as error:
            assert "\n" not in str(error)


@settings(max_examples=25, deadline=None)
@given(seeds)
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


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh9"]), st.binary())
def test_any_bytes(start: bytes, data: bytes) -> None:
    with contextlib.suppress(PatchError):
        unpacked(start + data, "p")
    with contextlib.suppress(PatchError):
        parse_patch(start + data, "p")
    with contextlib.suppress(PatchError):
        parse_patch(b"From a@b Mon Sep 17 00:00:00 2001\n" + data, "p")
