# SPDX-License-Identifier: GPL-2.0-only
"""Patches, applied in memory.

Understood are unified diffs, ``git format-patch`` output and mboxes of whole series
in their order.  A hunk is tried at the position it states, then at the nearest
offset where all of its context matches; there is no fuzz.
"""

from __future__ import annotations

import email
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
_MBOX_FROM = re.compile(rb"^From \S.*\d{4}\r?$", re.M)
_BINARY = re.compile(r"^(GIT binary patch|Binary files .* differ)\s*$", re.M)
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
    """The change to one file; a path is None where the file is not there."""

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]

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
    """The text of each mail of an mbox, or the whole of anything else."""
    starts = [m.start() for m in _MBOX_FROM.finditer(data)]
    if not starts or data[: starts[0]].strip():
        yield _decode(data, name)
        return
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        mail = data[start:end].split(b"\n", 1)[-1]
        message = email.message_from_bytes(mail, policy=email.policy.compat32)
        for part in message.walk():
            if part.get_content_maintype() == "text":
                payload = part.get_payload(decode=True)
                yield _decode(payload if isinstance(payload, bytes) else b"", name)


def _decode(data: bytes, name: str) -> str:
    if b"\0" in data:
        raise PatchError(f"{name}: a binary file, not a patch")
    return data.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")


def _parse_text(text: str, name: str) -> list[FilePatch]:
    if _BINARY.search(text):
        raise PatchError(f"{name}: binary changes cannot be applied")
    try:
        parsed = PatchSet(_diff_lines(text))
    except (UnidiffParseError, ValueError, IndexError, RecursionError) as error:
        raise PatchError(f"{name}: not a unified diff: {error}") from None
    changes = [_file_patch(file, name) for file in parsed]
    return [change for change in changes if change is not None]


def _diff_lines(text: str) -> str:
    """The lines of ``text`` that belong to a diff, so that prose cannot confuse."""
    lines = text.split("\n")
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if _GIT_HEADER.match(line) or _is_git_extended(line):
            kept.append(line)
            index += 1
        elif line.startswith("--- ") and following.startswith("+++ "):
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
    match = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", lines[index])
    if not match:
        raise PatchError(f"hunk header `{lines[index][:80]}` is malformed")
    old, new = (int(count) if count is not None else 1 for count in match.groups())
    if old > MAX_LINES or new > MAX_LINES:
        raise PatchError(f"hunk `{lines[index][:60]}` states more than it can hold")
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
        raise PatchError(f"line {index + 1}: the patch ends in the middle of a hunk")
    if index < len(lines) and lines[index].startswith("\\"):
        kept.append(lines[index])
        index += 1
    return index


def _file_patch(file: Any, name: str) -> FilePatch | None:
    source, target = file.source_file or "", file.target_file or ""
    old, new = _safe_path(source, name), _safe_path(target, name)
    if old is None and new is None:
        return None
    hunks = tuple(_hunk(number, hunk) for number, hunk in enumerate(file, 1))
    return FilePatch(old, new, hunks)


def _safe_path(path: str, name: str) -> str | None:
    path = path.split("\t")[0].strip()
    if path in ("/dev/null", ""):
        return None
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
        if change.old_path is not None and change.old_path != change.new_path:
            result[change.old_path] = None
        after = _apply_hunks(before, change, name)
        if change.new_path is not None:
            result[change.new_path] = after
    return result


def _apply_hunks(text: str, change: FilePatch, name: str) -> str:
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    shift, floor = 0, 0
    for hunk in change.hunks:
        stated = hunk.start - 1 + shift if hunk.old else hunk.start + shift
        at = _find(lines, hunk, stated, floor)
        if at is None:
            where = change.old_path or change.new_path
            total = len(change.hunks)
            raise PatchError(
                f"{name}: {where}: hunk {hunk.number} of {total} "
                f"(line {hunk.start}) does not apply"
            )
        lines[at : at + len(hunk.old)] = hunk.new
        shift += at - stated + len(hunk.new) - len(hunk.old)
        floor = at + len(hunk.new)
    return "\n".join(lines) + "\n" if lines else ""


def _find(lines: list[str], hunk: Hunk, stated: int, floor: int) -> int | None:
    old = list(hunk.old)
    last = len(lines) - len(old)
    stated = max(stated, 0)
    if not old:
        return min(max(stated, floor), len(lines))
    candidates = [
        at
        for at in range(floor, last + 1)
        if lines[at] == old[0] and lines[at : at + len(old)] == old
    ]
    return min(candidates, key=lambda at: (abs(at - stated), at), default=None)
