# SPDX-License-Identifier: GPL-2.0-only
"""Patches, applied in memory.

Understood are unified diffs, ``git format-patch`` output, mails, and mboxes of whole
series and threads, also packed by gzip, xz or bzip2.  A hunk is tried at the position
it states, then at the nearest offset where all of its context matches; there is no
fuzz.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from bounceproof.source.errors import PatchError
from bounceproof.source.tree.mail import (
    MAX_BYTES,
    Letter,
    in_order,
    letters,
    unpacked,
)

MAX_LINES = 200_000
MAX_FILES = 2_000
MOST_COMPARED = 2_000_000
_BINARY = re.compile(r"^(GIT binary patch|Binary files .* differ)\s*$", re.M)
_NO_FILE = re.compile(r"^(?:new file|new) mode (?:120000|160000)$", re.M)
_COPY = re.compile(r"^copy from (.+)\ncopy to (.+)$", re.M)
_GIT_HEADER = re.compile(r"^diff --git a/(\S+) b/(\S+)$")


class _Malformed(Exception):
    """A hunk that is none; ``line`` (from 1) of the text says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Hunk:
    """``start``: stated first line (from 1); ``old``/``new``: its lines.

    ``removed`` and ``added`` are the places, from 0, of changed lines in the two;
    ``line`` is the line of the letter's text that states the hunk.
    """

    number: int
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    removed: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Landed:
    """A change to one file as it was applied.

    ``at``: for each hunk its first line, from 0, in the text before and after.
    """

    change: FilePatch
    before: str
    after: str
    at: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Applied:
    """``files``: the text that is left, by path, None for a deleted file."""

    files: dict[str, str | None] = field(default_factory=dict)
    landed: list[Landed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FilePatch:
    """The change to one file; a path is None where the file is not there.

    ``copied``: the old file stays.  ``letter``: what it was read from.
    """

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]
    letter: Letter
    copied: bool = False

    def removes(self, path: str) -> bool:
        """Whether ``path`` is no more where it was."""
        return self.old_path == path != self.new_path and not self.copied

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(p for p in (self.old_path, self.new_path) if p is not None)


def parse_patch(data: bytes, name: str) -> list[FilePatch]:
    """Every file change in ``data``, in order; ``name`` is for messages.

    Of an mbox, mails that change nothing (cover letters, answers) are passed over,
    and the others are taken in the order in which they number themselves.  Raises
    PatchError for what is not a text patch of sane size.
    """
    data = unpacked(data, name)
    if len(data) > MAX_BYTES:
        raise PatchError(f"{name}: larger than {MAX_BYTES >> 20} MiB")
    if data.count(b"\n") > MAX_LINES:
        raise PatchError(f"{name}: more than {MAX_LINES} lines")
    parsed = [_parse_text(letter) for letter in letters(data, name)]
    changing = [changes[0].letter for changes in parsed if changes]
    for letter in changing:
        if letter.is_reply:
            raise PatchError(f"{letter.where}: a reply with a change in it")
    places = {id(letter): at for at, letter in enumerate(in_order(changing))}
    series = sorted(filter(None, parsed), key=lambda part: places[id(part[0].letter)])
    found = [change for changes in series for change in changes]
    if not found:
        raise PatchError(f"{name}: no file changes in it")
    if len(found) > MAX_FILES:
        raise PatchError(f"{name}: changes more than {MAX_FILES} files")
    return found


def _parse_text(letter: Letter) -> list[FilePatch]:
    text, where = letter.text, letter.where
    if _BINARY.search(text):
        raise PatchError(f"{where}: binary changes cannot be applied")
    link = _NO_FILE.search(text)
    if link:
        raise PatchError(f"{where}: `{link[0]}`: a link or module, not a file")
    copies = set(_COPY.findall(text))
    try:
        kept = _diff_lines(text)
        parsed = PatchSet("\n".join(line for _, line in kept) + "\n")
    except _Malformed as error:
        raise PatchError(f"{where}: {error}, {letter.at(error.line)}") from None
    except (UnidiffParseError, ValueError, IndexError, RecursionError) as error:
        raise PatchError(f"{where}: not a unified diff: {error}") from None
    numbers = [number for number, _ in kept]
    changes = [_file_patch(file, letter, copies, numbers) for file in parsed]
    return [change for change in changes if change is not None]


def _diff_lines(text: str) -> list[tuple[int, str]]:
    """The lines of a diff in ``text``, with their numbers; prose is left out."""
    lines = text.split("\n")
    kept: list[tuple[int, str]] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        following, third = (*lines[index + 1 : index + 3], "", "")[:2]
        if _GIT_HEADER.match(line) or _is_git_extended(line):
            kept.append((index + 1, line))
            index += 1
        elif (
            line.startswith("--- ")
            and following.startswith("+++ ")
            and third.startswith("@@")
        ):
            kept += [(index + 1, line), (index + 2, following)]
            index += 2
        elif (
            line.startswith("@@") and kept and kept[-1][1].startswith("+++ ")
        ) or line.startswith("@@ -"):
            index = _keep_hunk(lines, index, kept)
        else:
            index += 1
    return kept


def _is_git_extended(line: str) -> bool:
    starts = ("rename from ", "rename to ", "new file mode ", "deleted file mode ")
    return line.startswith(starts)


def _keep_hunk(lines: list[str], index: int, kept: list[tuple[int, str]]) -> int:
    header = lines[index]
    match = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", lines[index])
    if not match:
        raise _Malformed(f"{_hunk_of(kept, header)} is malformed", index + 1)
    old, new = (int(count) if count is not None else 1 for count in match.groups())
    if old > MAX_LINES or new > MAX_LINES:
        told = f"{_hunk_of(kept, header)} states more than it can hold"
        raise _Malformed(told, index + 1)
    kept.append((index + 1, lines[index]))
    index += 1
    while (old > 0 or new > 0) and index < len(lines):
        line = lines[index] or " "
        if line[0] not in " +-\\":
            break
        old -= line[0] in " -"
        new -= line[0] in " +"
        kept.append((index + 1, line))
        index += 1
    if old > 0 or new > 0:
        raise _Malformed(f"{_hunk_of(kept, header)} ends in its middle", index + 1)
    if index == len(lines) and lines[-1].startswith(("+", "-")):
        told = f"{_hunk_of(kept, header)} ends in the middle of a line"
        raise _Malformed(told, index)
    if index < len(lines) and lines[index].startswith("\\"):
        kept.append((index + 1, lines[index]))
        index += 1
    return index


def _hunk_of(kept: list[tuple[int, str]], header: str) -> str:
    """The file and the header of a hunk, for messages."""
    file = next((line for _, line in reversed(kept) if line.startswith("+++ ")), "")
    return f"{file[4:].split(chr(9))[0][:80] or 'no file'}: hunk `{header[:60]}`"


def _file_patch(
    file: Any, letter: Letter, copies: set[tuple[str, str]], numbers: list[int]
) -> FilePatch | None:
    source, target = file.source_file or "", file.target_file or ""
    old, new = _safe_path(source, letter.where), _safe_path(target, letter.where)
    if old is None and new is None:
        return None
    hunks = tuple(_hunk(number, hunk, numbers) for number, hunk in enumerate(file, 1))
    return FilePatch(old, new, hunks, letter, (old, new) in copies)


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


def _hunk(number: int, hunk: Any, numbers: list[int]) -> Hunk:
    old: list[str] = []
    new: list[str] = []
    removed: list[int] = []
    added: list[int] = []
    for line in hunk:
        text = line.value.removesuffix("\n")
        if line.is_removed:
            removed.append(len(old))
        elif line.is_added:
            added.append(len(new))
        if line.is_context or line.is_removed:
            old.append(text)
        if line.is_context or line.is_added:
            new.append(text)
    start: int = hunk.source_start
    at = numbers[hunk[0].diff_line_no - 2] if len(hunk) else 0
    changed = tuple(removed), tuple(added)
    return Hunk(number, start, tuple(old), tuple(new), *changed, at)


def apply_patch(changes: list[FilePatch], read: Callable[[str], str | None]) -> Applied:
    """What ``changes`` leave.

    ``read`` gives a file's text before, or None.  PatchError names patch, file, hunk.
    """
    result = Applied()
    files = result.files

    def current(path: str) -> str | None:
        return files[path] if path in files else read(path)

    for change in changes:
        name = change.letter.where
        before = current(change.old_path) if change.old_path is not None else ""
        if before is None:
            raise PatchError(f"{name}: {change.old_path}: no such file in the tree")
        if change.old_path is not None and change.removes(change.old_path):
            files[change.old_path] = None
        landed = _apply_hunks(before, change)
        result.landed.append(landed)
        if change.new_path is None:
            if landed.after:
                raise PatchError(f"{name}: {change.old_path}: deleted, but not empty")
            continue
        if change.old_path != change.new_path and current(change.new_path) is not None:
            raise PatchError(f"{name}: {change.new_path}: new, but already there")
        files[change.new_path] = landed.after
    return result


def _apply_hunks(text: str, change: FilePatch) -> Landed:
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    done: list[str] = []
    places: list[tuple[int, int]] = []
    finder = _Finder(lines)
    shift, floor = 0, 0
    for hunk in change.hunks:
        stated = hunk.start - 1 + shift if hunk.old else hunk.start + shift
        at = finder.find(hunk.old, stated, floor)
        if at is None:
            raise PatchError(_does_not_apply(change, hunk, finder.tired))
        done += lines[floor:at]
        places.append((at, len(done)))
        done += hunk.new
        shift += at - stated
        floor = at + len(hunk.old)
    done += lines[floor:]
    after = "\n".join(done) + "\n" if done else ""
    return Landed(change, text, after, tuple(places))


def _does_not_apply(change: FilePatch, hunk: Hunk, tired: bool) -> str:
    letter = change.letter
    where = f"{letter.where}: {change.old_path or change.new_path}:{hunk.start}"
    which = f"hunk {hunk.number} of {len(change.hunks)} ({letter.at(hunk.line)})"
    late = ": too far from where it says" if tired else ""
    return f"{where}: {which} does not apply{late}"


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
