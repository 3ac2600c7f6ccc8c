# SPDX-License-Identifier: GPL-2.0-only
"""What tools put around a kernel's words: encodings, colours, arrays of bytes.

Each step keeps the number of line ends, so that line numbers stay those of the file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

_COLOUR = re.compile(rb"(?:\x1b|\\u001[bB]|\\x1b|\\033|#033)\[[0-9;:]*[mK]")
_COLOUR_MARKS: Final = (
    b"\x1b[",
    b"\\u001b[",
    b"\\u001B[",
    b"\\x1b[",
    b"#033[",
    b"\\033[",
)
_ARRAY = re.compile(rb'("MESSAGE"\s*:\s*)\[\s*([0-9][0-9,\s]*)\]')
_SOFT_BREAKS = re.compile(rb"(?:[^\n]*=[ \t]*\r?\n)+[^\n]*\n?")
_QUOTED = re.compile(rb"=([0-9A-F]{2})")
_BLANKS: Final = (b"=20\n", b"=20\r\n")
_MAIL_MARKS: Final = (b"=3D", b"quoted-printable")
_SAMPLE: Final = 4096


def encoding_of(head: bytes) -> str | None:
    """UTF-16 by its mark, or by every other byte being 0; None for anything else."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    sample = head[:_SAMPLE]
    low, high = sample[0::2], sample[1::2]
    if len(high) < 8:
        return None
    if high.count(0) > 0.7 * len(high) and low.count(0) < 0.1 * len(low):
        return "utf-16-le"
    if low.count(0) > 0.7 * len(low) and high.count(0) < 0.1 * len(high):
        return "utf-16-be"
    return None


def to_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Pieces in ``encoding`` as UTF-8; a piece may end within a character."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", True).encode()


def _from_array(found: re.Match[bytes]) -> bytes:
    numbers = [int(number) for number in found[2].split(b",") if number.strip()]
    if any(number > 255 for number in numbers):
        return found[0]
    text = bytes(numbers).replace(b"\n", b" ").replace(b'"', b"'")
    return found[1] + b'"' + text + b'"' + b"\n" * found[0].count(b"\n")


def _joined(found: re.Match[bytes]) -> bytes:
    """Lines that mail broke with a soft line end as one, its line ends after it."""
    text = re.sub(rb"=[ \t]*\r?\n", b"", found[0])
    return text.rstrip(b"\n") + b"\n" * found[0].count(b"\n")


def _is_mail(raw: bytes) -> bool:
    """Whether lines end as quoted-printable text has them."""
    if any(blank in raw for blank in _BLANKS):
        return True
    return (b"=\n" in raw or b"=\r\n" in raw) and any(m in raw for m in _MAIL_MARKS)


def _byte_of(found: re.Match[bytes]) -> bytes:
    byte = bytes([int(found[1], 16)])
    return found[0] if byte in b"\n\r" else byte


def cleaned(raw: bytes) -> bytes:
    """Whole lines without colours, soft line ends and arrays of bytes."""
    if any(mark in raw for mark in _COLOUR_MARKS):
        raw = _COLOUR.sub(b"", raw)
    if b'"MESSAGE"' in raw:
        raw = _ARRAY.sub(_from_array, raw)
    if _is_mail(raw):
        raw = _QUOTED.sub(_byte_of, _SOFT_BREAKS.sub(_joined, raw))
    return raw
