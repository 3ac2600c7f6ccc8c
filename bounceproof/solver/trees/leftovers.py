# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's release leaves in a slot, and whether a later mapping is misled by it.

A property is asked of a mapping whose slots no other had before.  Where a release does
not leave a field of a slot as the pool began, it is asked once more, with anything in
that field: what holds then holds after every history.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from bounceproof.models.words.word import CType, Word
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Hunt, Verdict
from bounceproof.solver.counterexample.find import (
    anywhere_question,
    property_question,
    refuted,
)
from bounceproof.solver.lemmas.lemma import Entries
from bounceproof.solver.trees.list_histories import list_proofs
from bounceproof.source.errors import SourceError
from bounceproof.source.extract.record import Leftovers
from bounceproof.source.kernel.kernel import SourceKernel

ASKED = (Property.RETURNED, Property.INBOUNDS, Property.CLEAN)


def with_leftovers(model: object, wanted: Hunt, found: Finding) -> Finding:
    """``found``, or unknown where it holds of fresh slots alone."""
    fit = found.prop in ASKED and found.verdict is Verdict.HOLDS
    if not fit or not isinstance(model, SourceKernel):
        return found
    pages = {cell.page_size for cell, _ in wanted.cells}
    left = frozenset(
        name
        for page in pages
        for proof in list_proofs(model, page)
        for name in proof.left
    )
    if not left:
        return found
    later = copy(model)
    later.leftovers = Leftovers(left, _Values())
    asked = replace(
        wanted,
        question=property_question(found.prop, later),
        anywhere=anywhere_question(found.prop, later),
    )
    try:
        held = all(refuted(asked, cell, limit) for cell, limit in wanted.cells)
    except SourceError:
        held = False
    if held:
        return found
    names = ", ".join(sorted(left))
    reason = f"a release leaves {names} in its slots; with what is left, no proof"
    return replace(found, verdict=Verdict.UNKNOWN, reason=reason)


class _Values:
    """Anything in each element of each field."""

    def __init__(self) -> None:
        self._fields: dict[str, Entries] = {}

    def __call__(self, name: str, element: Word, ctype: CType) -> Word:
        if name not in self._fields:
            self._fields[name] = Entries(f"left {name}", ctype, ctype.bits)
        return self._fields[name].at(element)
