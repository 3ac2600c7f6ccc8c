# SPDX-License-Identifier: GPL-2.0-only
"""What a verdict about a tree was given on: its commit, patches and configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, groupby

from bounceproof.source.cparse.lexer import strip_comments
from bounceproof.source.tree.patch import FilePatch, Hunk, Landed
from bounceproof.source.tree.tree import HEADERS, SOURCES, Tree

_STAT = re.compile(
    r"^ \d{1,6} files? changed"
    r"(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?[ \r]*$",
    re.M,
)
_NAME = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
_NO_FUNCTIONS = frozenset({"__attribute__", "__printf", "__releases", "__acquires"})
_MOST_HEAD = 24

Reads = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class HunkJudged:
    """One hunk as it landed.

    ``file``: its path in the patched tree; ``start``: the first changed line, from 1,
    of the file as this patch leaves it, ``lines`` how many up to the last changed one
    (0 where it only removes); ``function``: the one that holds a changed line, None
    outside of functions; ``read``: whether an answer about the tree can depend on it.
    """

    file: str
    start: int
    lines: int
    function: str | None
    read: bool


@dataclass(frozen=True, slots=True)
class PatchJudged:
    """One patch of one file or mail; ``name``: the file it came in, as given."""

    name: str
    subject: str | None
    author: str | None
    hunks: tuple[HunkJudged, ...]
    number: tuple[int, int] | None = None
    """(n, total) of its series, as its subject states it."""
    short: str | None = None
    """How its diffstat differs from its hunks, as of a mail that was cut or edited."""

    @property
    def read(self) -> bool:
        """Whether an answer can depend on any of its hunks."""
        return any(hunk.read for hunk in self.hunks)


@dataclass(frozen=True, slots=True)
class Judged:
    """``tree``: as it was named; ``version``: what its top Makefile states.

    ``commit`` and ``subject``: the revision's, or a work tree's HEAD, else None;
    ``dirty``: whether files that are read differ from that commit, None where there is
    none; ``config``: (CONFIG_NAME, value), sorted, defaults included.
    """

    tree: str
    version: str | None
    commit: str | None
    subject: str | None
    dirty: bool | None
    patches: tuple[PatchJudged, ...]
    config: tuple[tuple[str, str], ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each: what may be missing, and what no answer can depend on."""
        unread = [
            f"{patch.name}: {_called(patch)}changes nothing that is read"
            for patch in self.patches
            if not patch.read
        ]
        short = [
            f"{patch.name}: {_called(patch)}{patch.short}"
            for patch in self.patches
            if patch.short is not None
        ]
        return (*_gaps(self.patches), *short, *unread)


def _gaps(patches: Iterable[PatchJudged]) -> Iterator[str]:
    """Series that number more patches than there are."""
    series: dict[int, set[int]] = {}
    for patch in patches:
        if patch.number is not None:
            number, total = patch.number
            series.setdefault(total, set()).add(number)
    for total, found in series.items():
        lacking = total - sum(1 <= number <= total for number in found)
        if lacking:
            missing = next(n for n in count(1) if n not in found)
            more = f" and {lacking - 1} more" if lacking > 1 else ""
            yield f"patch {missing}/{total}{more} of the series not given"


def _called(patch: PatchJudged) -> str:
    return "" if patch.subject is None else f"`{patch.subject[:72]}`: "


def patches_judged(tree: Tree, reads: Reads) -> tuple[PatchJudged, ...]:
    """The patches on ``tree``; ``reads`` says of a function whether it is read."""
    added = (path for path in tree.added if path.endswith((".c", ".h")))
    known = frozenset((*SOURCES, *HEADERS, *added))
    found: list[PatchJudged] = []
    for _, group in groupby(tree.landed, key=lambda landed: id(landed.change.letter)):
        changes = list(group)
        letter = changes[0].change.letter
        hunks = [hunk for landed in changes for hunk in _hunks(landed, known, reads)]
        found.append(
            PatchJudged(
                letter.name,
                letter.subject,
                letter.author,
                tuple(hunks),
                letter.number,
                _short(letter.text, [landed.change for landed in changes]),
            )
        )
    return tuple(found)


def _short(text: str, changes: list[FilePatch]) -> str | None:
    """How the lines that a diffstat states differ from those of the hunks, if it does.

    A text with more than one diffstat, or none, states nothing.
    """
    stated = _STAT.findall(text)
    if len(stated) != 1:
        return None
    hunks = [hunk for change in changes for hunk in change.hunks]
    found = sum(len(h.added) for h in hunks), sum(len(h.removed) for h in hunks)
    said = tuple(int(part or 0) for part in stated[0])
    if said == found:
        return None
    return f"its diffstat says +{said[0]} -{said[1]}, its hunks +{found[0]} -{found[1]}"


def _hunks(landed: Landed, known: frozenset[str], reads: Reads) -> Iterator[HunkJudged]:
    change = landed.change
    file = change.new_path or change.old_path or ""
    matters = not known.isdisjoint(change.paths)
    moved = matters and change.old_path != change.new_path
    if not change.hunks and moved:
        yield HunkJudged(file, 1, 0, None, True)
    before, after = _Text(landed.before), _Text(landed.after)
    places = list(zip(change.hunks, landed.at, strict=True))
    removed = {old + at for hunk, (old, _) in places for at in hunk.removed}
    added = {new + at for hunk, (_, new) in places for at in hunk.added}
    whole = matters and (moved or before.without(removed) != after.without(added))
    for hunk, (old, new) in places:
        names = before.parts(old + at for at in hunk.removed)
        names += after.parts(new + at for at in hunk.added)
        used = [name for name in names if matters and (name is None or reads(name))]
        chosen = next((n for n in (*used, *names) if n is not None), None)
        start, lines = _span(hunk, new)
        yield HunkJudged(file, start, lines, chosen, whole or bool(used))


def _span(hunk: Hunk, new: int) -> tuple[int, int]:
    """First changed line, from 1, and how many, of a hunk that begins at ``new``."""
    if hunk.added:
        return new + hunk.added[0] + 1, hunk.added[-1] - hunk.added[0] + 1
    before = hunk.removed[0] if hunk.removed else 0
    return new + before + 1, 0


class _Text:
    """Which function each line of a file is in, by the kernel's style of braces."""

    def __init__(self, text: str) -> None:
        self._lines = strip_comments(text).split("\n")
        self._functions: list[str | None] = [None] * len(self._lines)
        opened: int | None = None
        for at, line in enumerate(self._lines):
            if line.rstrip() == "{":
                opened = at
            elif line.startswith("}") and opened is not None:
                self._mark(opened, at)
                opened = None

    def _mark(self, opened: int, closed: int) -> None:
        first = opened
        while first > max(0, opened - _MOST_HEAD):
            above = self._lines[first - 1].strip()
            if not above or above.endswith((";", "}", "{")) or above.startswith("#"):
                break
            first -= 1
        head = "\n".join(self._lines[first:opened])
        names = [name for name in _NAME.findall(head) if name not in _NO_FUNCTIONS]
        if names:
            self._functions[first : closed + 1] = [names[0]] * (closed + 1 - first)

    def without(self, lines: set[int]) -> list[tuple[str, str | None]]:
        """All other lines, as code, and the functions they are in."""
        pairs = enumerate(zip(self._lines, self._functions, strict=True))
        return [(text.strip(), name) for at, (text, name) in pairs if at not in lines]

    def parts(self, lines: Iterable[int]) -> list[str | None]:
        """The functions of those lines that are more than comments.

        None stands for all outside of functions, directives inside them too.
        """
        found: list[str | None] = []
        for at in lines:
            text = self._lines[at].strip() if at < len(self._lines) else ""
            joined = at > 0 and self._lines[at - 1].endswith("\\")
            if text:
                apart = joined or text.startswith("#")
                found.append(None if apart else self._functions[at])
        return list(dict.fromkeys(found))
