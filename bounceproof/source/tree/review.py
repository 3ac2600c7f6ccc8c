# SPDX-License-Identifier: GPL-2.0-only
"""A patch under review: which files it touches, and what it was made for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bounceproof.source.errors import PatchError, TreeError
from bounceproof.source.tree.git import commit_of, git_output
from bounceproof.source.tree.mail import Letter, letters
from bounceproof.source.tree.tree import HEADERS, SOURCES

_PATHS = re.compile(
    r"^(?:diff --git|---|\+\+\+|(?:rename|copy) (?:from|to))[ \t]+(.+?)[ \t\r]*$", re.M
)
_STAT = re.compile(r"^ (\S.*?)\s+\|\s+(?:\d+|Bin)\b", re.M)
_BASE = re.compile(r"^base-commit:[ \t]*([0-9a-f]{7,64})[ \t\r]*$", re.M)
_READ = frozenset((*SOURCES, *HEADERS))
_BACK = 2000
"""Commits of the files that are read in which a patch that is applied is looked for."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message with a patch, or about some.

    ``touches``: files that are read and that it changes; ``covers``: those that its
    diffstat names; ``base``: the commit that it says it was made for.
    """

    data: bytes
    subject: str | None
    touches: tuple[str, ...]
    covers: tuple[str, ...]
    base: str | None


def _of_ours(names: list[str]) -> tuple[str, ...]:
    words = (word for name in names for word in name.split())
    paths = {word: word.partition("/")[2] for word in words}
    found = (p for word, rest in paths.items() for p in (word, rest) if p in _READ)
    return tuple(dict.fromkeys(found))


def read_mail(data: bytes) -> Mail:
    """What a message is about; raises PatchError where it cannot be read."""
    found: list[Letter] = letters(data, "message")
    text = "\n".join(letter.text for letter in found)
    base = _BASE.search(text)
    return Mail(
        data,
        next((letter.subject for letter in found if letter.subject), None),
        _of_ours(_PATHS.findall(text)),
        _of_ours(_STAT.findall(text)),
        base[1] if base else None,
    )


def mentions_ours(data: bytes) -> bool:
    """Whether bytes that cannot be read as a mail name a file that is read."""
    return any(path.encode() in data for path in _READ)


@dataclass(frozen=True, slots=True)
class Base:
    """What a patch is judged on: a tree as ``open_tree`` takes it, and why that one."""

    spec: str
    why: str


def top_of(folder: Path) -> Path | None:
    """The top of the git tree that holds ``folder``; None where there is none."""
    try:
        top = git_output(folder, "rev-parse", "--show-toplevel")
    except TreeError:
        return None
    return None if top is None else Path(os.fsdecode(top.removesuffix(b"\n")))


def bases(mail: Mail, folder: Path, tracking: Mapping[str, Any]) -> list[Base]:
    """Trees to judge the patch on, the most likely first; ``folder`` itself where git
    knows nothing of it."""
    top = top_of(folder)
    if top is None:
        return [Base(str(folder), "the files of this folder")]
    branch = _branch(tracking)
    found = [] if branch is None else _applied(top, mail.subject, branch)
    if mail.base is not None and commit_of(top, mail.base) is not None:
        found.append(Base(f"{top}@{mail.base}", f"base-commit {mail.base[:12]}"))
    first = _tracked(tracking)
    if first is not None and commit_of(top, first) is not None:
        found.append(Base(f"{top}@{first}", f"b4's base {first[:12]}"))
    away = mail.base is not None and commit_of(top, mail.base) is None
    note = f"; base-commit {mail.base} is not here" if away else ""
    head = commit_of(top, "HEAD")
    if head is not None:
        found.append(Base(f"{top}@{head[0]}", f"HEAD, {head[0][:12]}{note}"))
        found += _applied(top, mail.subject, "HEAD")
    return found or [Base(str(top), "the files of this folder")]


def _tracked(tracking: Mapping[str, Any]) -> str | None:
    """The commit before a series' first patch, as b4 applied it."""
    first = _series(tracking).get("first-patch-commit")
    return f"{first}^" if isinstance(first, str) and first.isalnum() else None


def _series(tracking: Mapping[str, Any]) -> Mapping[str, Any]:
    series = tracking.get("series")
    return series if isinstance(series, dict) else {}


def _branch(tracking: Mapping[str, Any]) -> str | None:
    change = _series(tracking).get("change-id")
    return f"refs/heads/b4/review/{change}" if isinstance(change, str) else None


def tracking_of(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """What b4 says of the series, in the file that B4_TRACKING_FILE names."""
    try:
        held = json.loads(Path(environment["B4_TRACKING_FILE"]).read_bytes())
    except (KeyError, OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _applied(top: Path, subject: str | None, tip: str) -> list[Base]:
    """The parent of the commit with a patch's subject, if the branch has it already."""
    wanted = re.sub(r"^\s*(?:\[[^\]]*\]\s*)+", "", subject or "").strip()
    arguments = ("log", f"-{_BACK}", "--format=%H %s", tip, "--", *SOURCES, *HEADERS)
    listed = (git_output(top, *arguments) or b"") if wanted else b""
    for line in listed.decode("utf-8", "replace").splitlines():
        commit, _, said = line.partition(" ")
        if said.strip() == wanted:
            return [Base(f"{top}@{commit}^", f"the parent of {commit[:12]}")]
    return []


def series_of(top: Path, tracking: Mapping[str, Any]) -> bytes | None:
    """All patches of the series that b4 applied, as an mbox; None where it has none."""
    first, branch = _tracked(tracking), _branch(tracking)
    if first is None or branch is None:
        return None
    words = ("format-patch", "--stdout", "--no-signature", f"{first}..{branch}")
    found = git_output(top, *words)
    if found is not None and not found.strip():
        raise PatchError("b4's review branch has no patches")
    return found
