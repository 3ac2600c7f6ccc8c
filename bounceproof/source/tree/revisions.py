# SPDX-License-Identifier: GPL-2.0-only
"""The revisions of a git tree that touch the files that matter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bounceproof.source.errors import TreeError
from bounceproof.source.tree.git import git_output, git_text
from bounceproof.source.tree.tree import HEADERS, SOURCES, GitStore


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, its subject, and a name for the content of the files that matter."""

    commit: str
    subject: str
    content: str


def _revision(repository: Path, commit: str, subject: str) -> Revision:
    content = GitStore(repository, commit).identify((*SOURCES, *HEADERS))
    return Revision(commit, subject, content)


def _named(repository: Path, name: str) -> Revision:
    if name.startswith("-"):
        raise TreeError(f"`{name}` is not a git revision")
    line = git_text(repository, "log", "-1", "--format=%H %s", name, "--").strip()
    commit, _, subject = line.partition(" ")
    return _revision(repository, commit, subject)


def _require_ancestry(
    repository: Path, good: tuple[str, Revision], bad: tuple[str, Revision]
) -> None:
    """TreeError unless the good commit comes before the bad one in its history."""
    (old, first), (new, last) = good, bad
    if first.commit == last.commit:
        raise TreeError(f"{repository}: {old} and {new} are the same commit")

    def leads(start: Revision, end: Revision) -> bool:
        arguments = ("merge-base", "--is-ancestor", start.commit, end.commit)
        return git_output(repository, *arguments) is not None

    if leads(first, last):
        return
    if leads(last, first):
        raise TreeError(f"{repository}: {old} comes after {new}: GOOD is the older one")
    raise TreeError(f"{repository}: {old} is no ancestor of {new}")


def revisions(spec: str, good: str, bad: str) -> list[Revision]:
    """From ``good`` to ``bad``, oldest first, each content once in a row.

    Commits that leave the files that matter as they were are left out, but for the
    two ends.  Raises TreeError, also where ``good`` is no ancestor of ``bad``.
    """
    repository = Path(spec).expanduser()
    if not repository.is_dir():
        raise TreeError(f"{spec}: no such directory")
    first, last = _named(repository, good), _named(repository, bad)
    _require_ancestry(repository, (good, first), (bad, last))
    span = f"{first.commit}..{last.commit}"
    listed = git_text(
        repository,
        *("log", "--reverse", "--topo-order", "--format=%H %s", span, "--"),
        *(*SOURCES, *HEADERS),
    )
    found = [first]
    for line in listed.splitlines():
        commit, _, subject = line.partition(" ")
        revision = _revision(repository, commit, subject)
        if revision.content != found[-1].content:
            found.append(revision)
    if found[-1].content != last.content:
        found.append(last)
    return found
