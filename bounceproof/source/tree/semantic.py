# SPDX-License-Identifier: GPL-2.0-only
"""Fixes of our own as semantic patches, which Coccinelle makes a tree's own patch of.

Each file of ``bounceproof/patches`` starts with what its commit message says: the
subject, the commit that it fixes, the file that it changes, the property that it is
for, and paragraphs.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from pathlib import Path

from bounceproof.errors import InputError
from bounceproof.source.errors import SourceError
from bounceproof.source.tree.tree import Tree

SECONDS = 120
_SAYS = "/// "
_FIELD = re.compile(r"(Subject|Fixes|File|Property): (.+)")


class NoCoccinelle(InputError):
    """spatch is not installed."""


@dataclass(frozen=True, slots=True)
class SemanticPatch:
    """``script``: the semantic patch; ``file``: the path in a tree that it changes;
    ``fixes``: the commit that brought the flaw, as a commit message names it."""

    script: Path
    subject: str
    fixes: str
    file: str
    prop: str
    why: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.script.stem


@cache
def semantic_patches() -> tuple[SemanticPatch, ...]:
    """Every semantic patch, by name."""
    folder = Path(__file__).parents[2] / "patches"
    return tuple(_read(script) for script in sorted(folder.glob("*.cocci")))


def _read(script: Path) -> SemanticPatch:
    said = [
        line.removeprefix(_SAYS.rstrip()).strip()
        for line in script.read_text().splitlines()
        if line.startswith(_SAYS.rstrip())
    ]
    matched = (_FIELD.fullmatch(line) for line in said)
    told = {found[1]: found[2] for found in matched if found is not None}
    text = "\n".join(line for line in said if not _FIELD.fullmatch(line))
    why = tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))
    return SemanticPatch(
        script, told["Subject"], told["Fixes"], told["File"], told["Property"], why
    )


def made_patch(patch: SemanticPatch, tree: Tree) -> str | None:
    """``patch`` as a unified diff of ``tree``; None where it matches nothing there.

    Raises NoCoccinelle, or SourceError where Coccinelle cannot read the file.
    """
    before = tree.read(patch.file)
    if before is None:
        return None
    after = _transformed(patch.script, before)
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    names = f"a/{patch.file}", f"b/{patch.file}"
    return "".join(unified_diff(old, new, names[0], names[1])) or None


def _transformed(script: Path, text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "code.c"
        copy.write_bytes(text.encode("utf-8", "surrogateescape"))
        words = ("spatch", "--very-quiet", "--in-place", "--sp-file", script, copy)
        try:
            done = subprocess.run(
                words, capture_output=True, timeout=SECONDS, check=False
            )
        except FileNotFoundError:
            raise NoCoccinelle(
                "spatch is not installed: apt-get install coccinelle"
            ) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"spatch: {script.name}: {error}") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = said[-1] if said else f"ended with {done.returncode}"
            raise SourceError(f"spatch: {script.name}: {why}")
        return copy.read_bytes().decode("utf-8", "surrogateescape")
