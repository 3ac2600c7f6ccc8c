# SPDX-License-Identifier: GPL-2.0-only
"""What a verdict about a tree was given on, put together."""

from __future__ import annotations

from collections.abc import Mapping

from bounceproof.source.tree.provenance import Judged, Reads, patches_judged
from bounceproof.source.tree.tree import Tree


def judged(tree: Tree, config: Mapping[str, str], reads: Reads) -> Judged:
    """The record of ``tree`` under ``config``; ``reads``: see patches_judged()."""
    identity = tree.identity()
    return Judged(
        tree.name,
        tree.version,
        None if identity is None else identity.commit,
        None if identity is None else identity.subject,
        None if identity is None else identity.dirty,
        patches_judged(tree, reads),
        tuple(sorted(config.items())),
    )
