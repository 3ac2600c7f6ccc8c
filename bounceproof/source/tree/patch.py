# SPDX-License-Identifier: GPL-2.0-only
"""Patches, applied in memory.

Understood are unified diffs, ``git format-patch`` output and mboxes of whole series
in their order.  A hunk is tried at the position it states, then at the nearest
offset where all of its context matches; there is no fuzz.
"""

from __future__ import annotations

import email
import email.parser
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from bounceproof.source.errors import PatchError

MAX_BYTES = 16 << 20
MAX_LINES = 200_000
MAX_FILES = 2_000
MOST_COMPARED = 2_000_000
_HEADERS = 1 << 16
_MBOX_FROM = re.compile(rb"^From \S.*\d{4}\r?$", re.M)
_BINARY = re.compile(r"^(GIT binary patch|Binary files .* differ)\s*$", re.M)
_NO_FILE = re.compile(r"^(?:new file|new) mode (?:120000|160000)$", re.M)
_COPY = re.compile(r"^copy from (.+)\ncopy to (.+)$", re.M)
_NUMBER = re.compile(r"\[[^\]]*?(\d+)/(\d+)\]")
_REPLY = re.compile(r"\s*(re|aw|fwd?)\s*:", re.I)
_GIT_HEADER = re.compile(r"^diff --git a/(\S+) b/(\S+)$")


@dataclass(frozen=True, slots=True)
class Hunk:
    """``start``: stated first line (from 1); ``old``/``new``: its lines."""

    number: int
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilePatch:
    """The change to one file; a path is None where the file is not there.

    ``copied``: the old file stays.
    """

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]
    copied: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(p for p in (self.old_path, self.new_path) if p is not None)


def parse_patch(data: bytes, name: str) -> list[FilePatch]:
    """Every file change in ``data``, in order; ``name`` is for messages.

    Raises PatchError for what is not a text patch of sane size.
    """
    if len(data) > MAX_BYTES:
        raise PatchError(f"{name}: larger than {MAX_BYTES >> 20} MiB")
    if data.count(b"\n") > MAX_LINES:
        raise PatchError(f"{name}: more than {MAX_LINES} lines")
    found: list[FilePatch] = []
    for text in _messages(data, name):
        found += _parse_text(text, name)
    if not found:
        raise PatchError(f"{name}: no file changes in it")
    if len(found) > MAX_FILES:
        raise PatchError(f"{name}: changes more than {MAX_FILES} files")
    return found


def _messages(data: bytes, name: str) -> Iterator[str]:
    """The text of each mail of an mbox in its series' order, or anything else whole."""
    starts = [m.start() for m in _MBOX_FROM.finditer(data)]
    if not starts or data[: starts[0]].strip():
        yield from [_decode(data, name)] if not _is_mail(data) else _texts(data, name)
        return
    mails = [
        data[start:end].split(b"\n", 1)[-1]
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True)
    ]
    for mail in sorted(mails, key=_place) if _one_series(mails) else mails:
        yield from _texts(mail, name)


def _is_mail(data: bytes) -> bool:
    """Whether ``data`` is one mail whose body has to be decoded."""
    head = data[:_HEADERS].split(b"\n\n", 1)[0].lower()
    return b"\ncontent-transfer-encoding:" in b"\n" + head


def _subject(mail: bytes) -> str:
    parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
    message = parser.parsebytes(mail[:_HEADERS])
    return " ".join(str(message.get("Subject", "")).split())


def _place(mail: bytes) -> int:
    """The number of a mail in its series."""
    found = _NUMBER.search(_subject(mail))
    return int(found[1]) if found else 0


def _one_series(mails: list[bytes]) -> bool:
    """Whether the mails number themselves as one series, each number once."""
    found = [_NUMBER.search(_subject(mail)) for mail in mails]
    numbers = [match[1] for match in found if match]
    totals = {match[2] for match in found if match}
    return len(numbers) == len(mails) == len(set(numbers)) and len(totals) == 1


def _texts(mail: bytes, name: str) -> Iterator[str]:
    """The text parts of one mail; PatchError for a reply that has a change in it."""
    try:
        message = email.message_from_bytes(mail, policy=email.policy.compat32)
        parts = list(message.walk())
    except RecursionError:
        raise PatchError(f"{name}: a mail that nests too deeply") from None
    subject = _subject(mail)
    for part in parts:
        if part.get_content_type() in ("text/plain", "text/x-patch", "text/x-diff"):
            payload = part.get_payload(decode=True)
            text = _decode(payload if isinstance(payload, bytes) else b"", name)
            if _REPLY.match(subject) and _diff_lines(text).strip():
                raise PatchError(
                    f"{name}: `{subject[:60]}`: a reply with a change in it"
                )
            yield text


def _decode(data: bytes, name: str) -> str:
    if b"\0" in data:
        raise PatchError(f"{name}: a binary file, not a patch")
    return data.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")


def _parse_text(text: str, name: str) -> list[FilePatch]:
    if _BINARY.search(text):
        raise PatchError(f"{name}: binary changes cannot be applied")
    link = _NO_FILE.search(text)
    if link:
        raise PatchError(f"{name}: `{link[0]}`: a link or module, not a file")
    copies = set(_COPY.findall(text))
    try:
        parsed = PatchSet(_diff_lines(text))
    except PatchError as error:
        raise PatchError(f"{name}: {error}") from None
    except (UnidiffParseError, ValueError, IndexError, RecursionError) as error:
        raise PatchError(f"{name}: not a unified diff: {error}") from None
    changes = [_file_patch(file, name, copies) for file in parsed]
    return [change for change in changes if change is not None]


def _diff_lines(text: str) -> str:
    """The lines of ``text`` that belong to a diff, so that prose cannot confuse."""
    lines = text.split("\n")
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        following, third = (*lines[index + 1 : index + 3], "", "")[:2]
        if _GIT_HEADER.match(line) or _is_git_extended(line):
            kept.append(line)
            index += 1
        elif (
            line.startswith("--- ")
            and following.startswith("+++ ")
            and third.startswith("@@")
        ):
            kept += [line, following]
            index += 2
        elif (
            line.startswith("@@") and kept and kept[-1].startswith("+++ ")
        ) or line.startswith("@@ -"):
            index = _keep_hunk(lines, index, kept)
        else:
            index += 1
    return "\n".join(kept) + "\n"


def _is_git_extended(line: str) -> bool:
    starts = ("rename from ", "rename to ", "new file mode ", "deleted file mode ")
    return line.startswith(starts)


def _keep_hunk(lines: list[str], index: int, kept: list[str]) -> int:
    header = lines[index]
    match = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", lines[index])
    if not match:
        raise PatchError(f"{_hunk_of(kept, header)} is malformed")
    old, new = (int(count) if count is not None else 1 for count in match.groups())
    if old > MAX_LINES or new > MAX_LINES:
        raise PatchError(f"{_hunk_of(kept, header)} states more than it can hold")
    kept.append(lines[index])
    index += 1
    while (old > 0 or new > 0) and index < len(lines):
        line = lines[index] or " "
        if line[0] not in " +-\\":
            break
        old -= line[0] in " -"
        new -= line[0] in " +"
        kept.append(line)
        index += 1
    if old > 0 or new > 0:
        raise PatchError(
            f"{_hunk_of(kept, header)} ends in its middle, at line {index + 1}"
        )
    if index < len(lines) and lines[index].startswith("\\"):
        kept.append(lines[index])
        index += 1
    return index


def _hunk_of(kept: list[str], header: str) -> str:
    """The file and the header of a hunk, for messages."""
    file = next((line for line in reversed(kept) if line.startswith("+++ ")), "")
    return f"{file[4:].split(chr(9))[0][:80] or 'no file'}: hunk `{header[:60]}`"


def _file_patch(file: Any, name: str, copies: set[tuple[str, str]]) -> FilePatch | None:
    source, target = file.source_file or "", file.target_file or ""
    old, new = _safe_path(source, name), _safe_path(target, name)
    if old is None and new is None:
        return None
    hunks = tuple(_hunk(number, hunk) for number, hunk in enumerate(file, 1))
    return FilePatch(old, new, hunks, (old, new) in copies)


def _safe_path(path: str, name: str) -> str | None:
    path = path.split("\t")[0].strip()
    if path in ("/dev/null", ""):
        return None
    if path.startswith('"'):
        raise PatchError(f"{name}: path `{path[:80]}` is quoted")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path:
        raise PatchError(f"{name}: path `{path[:80]}` leaves the tree")
    parts = pure.parts[1:] if len(pure.parts) > 1 else pure.parts
    return str(PurePosixPath(*parts))


def _hunk(number: int, hunk: Any) -> Hunk:
    old: list[str] = []
    new: list[str] = []
    for line in hunk:
        text = line.value.removesuffix("\n")
        if line.is_context or line.is_removed:
            old.append(text)
        if line.is_context or line.is_added:
            new.append(text)
    start: int = hunk.source_start
    return Hunk(number, start, tuple(old), tuple(new))


def apply_patch(
    changes: list[FilePatch], read: Callable[[str], str | None], name: str
) -> dict[str, str | None]:
    """The files that ``changes`` leave, by path; None for a file they delete.

    ``read`` gives a file's text before, or None.  PatchError names file and hunk.
    """
    result: dict[str, str | None] = {}

    def current(path: str) -> str | None:
        return result[path] if path in result else read(path)

    for change in changes:
        before = current(change.old_path) if change.old_path is not None else ""
        if before is None:
            raise PatchError(f"{name}: {change.old_path}: no such file in the tree")
        moved = change.old_path != change.new_path and not change.copied
        if change.old_path is not None and moved:
            result[change.old_path] = None
        after = _apply_hunks(before, change, name)
        if change.new_path is None:
            if after:
                raise PatchError(f"{name}: {change.old_path}: deleted, but not empty")
            continue
        if change.old_path != change.new_path and current(change.new_path) is not None:
            raise PatchError(f"{name}: {change.new_path}: new, but already there")
        result[change.new_path] = after
    return result


def _apply_hunks(text: str, change: FilePatch, name: str) -> str:
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    done: list[str] = []
    finder = _Finder(lines)
    shift, floor = 0, 0
    for hunk in change.hunks:
        stated = hunk.start - 1 + shift if hunk.old else hunk.start + shift
        at = finder.find(hunk.old, stated, floor)
        if at is None:
            where = f"{name}: {change.old_path or change.new_path}"
            which = f"hunk {hunk.number} of {len(change.hunks)} (line {hunk.start})"
            late = ": too far from where it says" if finder.tired else ""
            raise PatchError(f"{where}: {which} does not apply{late}")
        done += lines[floor:at]
        done += hunk.new
        shift += at - stated
        floor = at + len(hunk.old)
    done += lines[floor:]
    return "\n".join(done) + "\n" if done else ""


class _Finder:
    """Finds hunks in the lines of a file, nearest to where they say they are."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._left = MOST_COMPARED

    def find(self, old: tuple[str, ...], stated: int, floor: int) -> int | None:
        """Where ``old`` is, at ``floor`` or behind it; None if it is nowhere."""
        if not old:
            return min(max(stated, 0, floor), len(self._lines))
        last, wanted = len(self._lines) - len(old), list(old)
        stated = min(max(stated, floor), last)
        for away in range(max(stated - floor, last - stated) + 1):
            for at in dict.fromkeys((stated - away, stated + away)):
                if floor <= at <= last and self._is_at(at, wanted):
                    return at
            if self.tired:
                return None
        return None

    @property
    def tired(self) -> bool:
        """Whether too much has been compared to go on."""
        return self._left < 0

    def _is_at(self, at: int, wanted: list[str]) -> bool:
        if self._lines[at] != wanted[0]:
            self._left -= 1
        else:
            self._left -= len(wanted)
            return self._lines[at : at + len(wanted)] == wanted
        return False
