# SPDX-License-Identifier: GPL-2.0-only
"""The proof that a tree's pool starts out empty, for any number of slots and areas."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.words.word import U32, U64
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.lemmas.lemma import Lemma, Obligation, prove
from bounceproof.solver.smt.terms import variable
from bounceproof.source.extract.initial import (
    Unknown,
    initial_claims,
    refused,
)
from bounceproof.source.kernel.judged import read_by_mappings
from bounceproof.source.kernel.kernel import ENTRIES
from bounceproof.source.program.program import Program

SECONDS = 10.0
TEXT = (
    "every slot of an empty pool is free up to the end of its slot set, and every "
    "area has used and index 0"
)


@runtime_checkable
class HasProgram(Protocol):
    """A kernel whose C can be read."""

    def geometry(self, page_size: int) -> SlotGeometry: ...

    def program(self, page_size: int) -> Program: ...


def initial_lemma(kernel: HasProgram, page_size: int) -> Lemma:
    """The lemma for ``kernel``; raises NotUnderstood where it cannot be stated."""
    unknown = Unknown(
        variable("element", U64),
        variable("pool_start", U64),
        variable("nslabs", U64),
        variable("nareas", U32),
        variable("stale", U64),
    )
    program, geometry = kernel.program(page_size), kernel.geometry(page_size)
    entries = (name for names in ENTRIES.values() for name in names)
    read = read_by_mappings(program, entries)
    fields = {
        "nslabs": unknown.nslabs,
        "nareas": unknown.nareas,
        "element": unknown.index,
    }
    due = (
        Obligation(claim.what, claim.given, claim.shown, fields)
        for claim in initial_claims(program, page_size, geometry, unknown, read)
    )
    return Lemma("the pool's start", TEXT, tuple(due))


def initial_state_proved(
    kernel: HasProgram, page_size: int, seconds: float = SECONDS
) -> None:
    """Return where the pool starts out as the formulas take it, for any size of it.

    Raises NotUnderstood, which names the initialisation and what it does not leave.
    """
    proof = prove(initial_lemma(kernel, page_size), seconds)
    if proof.verdict is Verdict.HOLDS:
        return
    need = proof.failed or "an initialisation that is understood"
    if proof.case is not None:
        at = ", ".join(f"{name} {value}" for name, value in proof.case.items())
        need = f"{need}; not so for {at}"
    elif proof.reason is not None:
        need = f"{need}; {proof.reason}"
    raise refused(kernel.program(page_size), need)
