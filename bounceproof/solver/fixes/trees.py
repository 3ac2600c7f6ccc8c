# SPDX-License-Identifier: GPL-2.0-only
"""What patches of our own do for a tree, proved on its code."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bounceproof.models.request import KernelModel
from bounceproof.solver.answers.changes import Change, Changed, changes
from bounceproof.solver.answers.prove import Proved, prove_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.source.tree.semantic import (
    SemanticPatch,
    made_patch,
    semantic_patches,
)
from bounceproof.source.tree.tree import Tree

Patched = Callable[[tuple[str, ...]], tuple[KernelModel, Tree]]
"""The tree asked about with more patches on top, by their files."""


@dataclass(frozen=True, slots=True)
class Made:
    """A semantic patch, and what Coccinelle made of it for the tree."""

    of: SemanticPatch
    text: str


@dataclass(frozen=True, slots=True)
class Mended:
    """``base`` and what the patches made for it change, by property.

    ``unmatched``: the semantic patches that match nothing in the tree.
    """

    base: KernelModel
    made: tuple[Made, ...]
    unmatched: tuple[SemanticPatch, ...]
    proved: Proved

    @property
    def changes(self) -> tuple[Changed, ...]:
        return changes(self.proved)

    def changed(self, change: Change) -> tuple[Property, ...]:
        """The properties of which this became."""
        return tuple(one.prop for one in self.changes if one.change is change)

    @property
    def useful(self) -> bool:
        """Whether the patches fix something, and it is proved that nothing is worse."""
        worse = {Change.REGRESSED, Change.UNDECIDED}
        found = {one.change for one in self.changes}
        return Change.FIXED in found and not found & worse

    @property
    def verdict(self) -> Verdict:
        """On what was asked, with the patches."""
        if Change.REGRESSED in {one.change for one in self.changes}:
            return Verdict.BROKEN
        return self.proved.kernel.verdict

    @property
    def exit_code(self) -> int:
        return self.proved.exit_code


def mend_tree(
    patched: Patched,
    domain: Domain,
    asked: list[Property],
    seconds: float,
    watch: Watch = unwatched,
) -> Mended:
    """Make the patches that match, one on top of the other, and prove what they do."""
    base, tree = patched(())
    made: list[Made] = []
    unmatched = []
    with tempfile.TemporaryDirectory() as folder:
        files: tuple[str, ...] = ()
        kernel = base
        for patch in semantic_patches():
            watch(patch.name)
            text = made_patch(patch, tree)
            if text is None:
                unmatched.append(patch)
                continue
            file = Path(folder) / f"{patch.name}.patch"
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
            made.append(Made(patch, text))
            files = (*files, str(file))
            kernel, tree = patched(files)
        proved = prove_kernel(base, kernel, domain, asked, seconds, watch)
    return Mended(base, tuple(made), tuple(unmatched), proved)
