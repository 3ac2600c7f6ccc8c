# SPDX-License-Identifier: GPL-2.0-only
"""Archives of many xz blocks: read in part, and in full where they are not sorted."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bounceproof.source.errors import TreeError
from bounceproof.source.tree.blocks import NoBlocks, read_members
from bounceproof.source.tree.tree import ArchiveStore
from tests.source.trees import SWIOTLB

MOST = 1 << 20
needs_xz = pytest.mark.skipif(shutil.which("xz") is None, reason="no xz")


def content(path: str) -> bytes:
    dice = random.Random(path)
    return dice.randbytes(dice.choice((0, 1, 511, 512, 513, 5000, 40_000)))


def pack(folder: Path, paths: list[str], kind: int = tarfile.GNU_FORMAT) -> Path:
    """An archive of ``paths`` in this order, in blocks of 64 KiB."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=kind) as tar:
        top = tarfile.TarInfo("linux-9")
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for path in paths:
            member = tarfile.TarInfo(f"linux-9/{path}")
            data = content(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    plain = folder / "linux.tar"
    plain.write_bytes(held.getvalue())
    subprocess.run(["xz", "-f", "--block-size=65536", str(plain)], check=True)
    return folder / "linux.tar.xz"


PATHS = sorted(
    [
        SWIOTLB,
        *(f"a/file{n}.c" for n in range(60)),
        *(f"kernel/dma/other{n}.h" for n in range(40)),
        *(f"deep/{'x' * 60}/{'y' * 60}/file{n}.c" for n in range(20)),
        *(f"z-{n}" for n in range(30)),
    ]
)


@needs_xz
@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_is_asked_for_is_read(tmp_path: Path, kind: int) -> None:
    archive = pack(tmp_path, PATHS, kind)
    short = [path for path in PATHS if len(path) < 80]
    for wanted in ([SWIOTLB], short[::7], [*short, "a/none", "m", "zz"]):
        found = read_members(archive, wanted, MOST)
        assert found == {p: content(p) for p in wanted if p in PATHS}


@needs_xz
def test_what_is_not_sorted_is_read_through(tmp_path: Path) -> None:
    shuffled = PATHS.copy()
    random.Random(4).shuffle(shuffled)
    archive = pack(tmp_path, shuffled)
    with pytest.raises(NoBlocks):
        read_members(archive, PATHS[:50], MOST)
    text = content(SWIOTLB).decode("utf-8", "surrogateescape")
    assert ArchiveStore(archive).read(SWIOTLB) == text


@needs_xz
def test_what_is_damaged_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path, PATHS)
    whole, text = (
        archive.read_bytes(),
        content(SWIOTLB).decode("utf-8", "surrogateescape"),
    )
    dice = random.Random(6)
    for _ in range(150):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        if dice.random() < 0.3:
            del data[dice.randrange(len(data)) :]
        archive.write_bytes(bytes(data))
        try:
            read = ArchiveStore(archive).read(SWIOTLB)
        except TreeError as error:
            assert "\n" not in str(error)
        else:
            assert read == text


def test_what_is_no_xz(tmp_path: Path) -> None:
    path = tmp_path / "plain.tar"
    path.write_bytes(b"no archive")
    with pytest.raises(NoBlocks, match="not xz"):
        read_members(path, [SWIOTLB], MOST)
