# SPDX-License-Identifier: GPL-2.0-only
"""git, asked about a stranger's repository: nothing that it configures is run."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bounceproof.source.errors import TreeError

SECONDS = 120
_SAFE = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")


def git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in ``repository``; TreeError where it cannot be run or takes too long."""
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *_SETTINGS, *arguments],
            capture_output=True,
            env={**os.environ, **_SAFE},
            timeout=SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise TreeError(f"git: {error}") from None


def git_output(repository: Path, *arguments: str) -> bytes | None:
    """What git prints, or None where it fails."""
    done = git(repository, *arguments)
    return done.stdout if done.returncode == 0 else None


def git_text(repository: Path, *arguments: str) -> str:
    """What git prints, as text; TreeError with its last line where it fails."""
    done = git(repository, *arguments)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise TreeError(f"{repository}: {said[-1] if said else 'git failed'}")
    return done.stdout.decode("utf-8", "replace")


def commit_of(repository: Path, revision: str) -> tuple[str, str] | None:
    """Name and subject of a commit; None where ``revision`` is none."""
    if revision.startswith("-"):
        return None
    line = git_output(
        repository, "log", "-1", "--no-show-signature", "--format=%H %s", revision, "--"
    )
    commit, _, subject = (line or b"").decode("utf-8", "replace").strip().partition(" ")
    return (commit, subject) if commit else None


def blob_names(repository: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """The names of the files ``paths`` at ``commit``, of those that are there."""
    listed = git_output(repository, "ls-tree", "-z", commit, "--", *paths) or b""
    found: dict[str, str] = {}
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        words, _, path = entry.partition("\t")
        if len(words.split()) == 3:
            found[path] = words.split()[2]
    return found


def is_blob(data: bytes, name: str) -> bool:
    """Whether git gives a file of these bytes this name."""
    kind = "sha1" if len(name) == 40 else "sha256"
    whole = b"blob %d\0" % len(data) + data
    return hashlib.new(kind, whole, usedforsecurity=False).hexdigest() == name
