# SPDX-License-Identifier: GPL-2.0-only
"""Logs that are packed, in other encodings, or wrapped by tools."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
from collections.abc import Callable

import pytest

from bounceproof.logs.errors import LogError
from tests.logs.helpers import FULL, one, scanned

PLAIN = f"before\n[    1.0] {FULL}\nafter\n".encode()


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed(pack: Callable[[bytes], bytes]) -> None:
    assert one(pack(PLAIN)).sz == 262144
    assert one(pack(b"start\n") + pack(PLAIN)).sz == 262144


def test_zstandard() -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = zstandard.compress(PLAIN)
    assert one(packed).sz == 262144
    assert one(zstandard.compress(b"start\n") + packed).sz == 262144


def test_zstandard_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        LogError, match=r"log: zstandard data; install bounceproof\[zst\]"
    ):
        scanned(b"\x28\xb5\x2f\xfd" + b"rest" * 8)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed_data_cut_short(pack: Callable[[bytes], bytes]) -> None:
    noise = b"".join(b"line %d of noise\n" % (i * i * 7919) for i in range(400_000))
    whole = pack(PLAIN + noise)
    scan = scanned(whole[: len(whole) * 3 // 4])
    assert scan.seen[0].message.sz == 262144
    assert "damaged or cut short" in (scan.ends_early or "")
    with pytest.raises(LogError, match="damaged or cut short"):
        scanned(pack(PLAIN)[:24])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x1f\x8b\x08\0rest", "gzip data"),
        (b"LPKSHHRH" + b"\0" * 50, "journalctl -k -o short"),
        (b"PK\3\4" + b"\0" * 50, "a zip archive"),
    ],
)
def test_what_is_no_log_is_named(data: bytes, says: str) -> None:
    with pytest.raises(LogError, match=says) as caught:
        scanned(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf16(encoding: str) -> None:
    data = ("first line\r\n" + FULL + "\r\n").encode(encoding)
    assert one(data).used == 128


def test_utf16_across_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bounceproof.logs.read.stream.CHUNK", 33)
    assert one(("x" * 40 + "\n" + FULL + "\n").encode("utf-16-le")).used == 128


def test_journal_with_an_array_of_bytes() -> None:
    coloured = b"\x1b[1m" + FULL.encode() + b"\x1b[0m"
    entry = json.dumps({"PRIORITY": "4", "MESSAGE": list(coloured)})
    spread = json.dumps({"MESSAGE": list(coloured)}, indent=1)
    assert one(entry + "\n").used == 128
    assert one(spread + "\n").used == 128


@pytest.mark.parametrize("text", ["[1,2,999]", "[]", "null", "[1,", '["a"]'])
def test_journal_with_something_else(text: str) -> None:
    log = f'{{"MESSAGE":{text}}}\n{FULL}\n'
    assert one(log).used == 128


def test_colours_within_a_line() -> None:
    log = (
        "\x1b[32m[    0.000000] \x1b[0m\x1b[33msoftware IO TLB: \x1b[0marea num 8.\n"
        "\x1b[32m[    1.0] \x1b[0m\x1b[33mnvme 0000:00:01.0: \x1b[0m\x1b[1m"
        + FULL.split(": ", 1)[1]
        + "\x1b[0m\n"
    )
    (seen,) = scanned(log).seen
    assert seen.facts.nareas == 8
    assert seen.message.device == "0000:00:01.0"


def test_line_numbers_outlive_cleaning() -> None:
    log = "=20\nbroken by=\n mail=3D\n" + "\x1b[1mx\x1b[0m\n" + FULL + "\n"
    (seen,) = scanned(log).seen
    assert seen.line == 5
