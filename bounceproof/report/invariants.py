# SPDX-License-Identifier: GPL-2.0-only
"""``invariant`` as text and as JSON."""

from __future__ import annotations

from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.report.checks import finding_json
from bounceproof.report.domain import Asked, asked_of, domain_json, domain_text
from bounceproof.report.judged import answer_json
from bounceproof.report.text import title, wrap
from bounceproof.solver.ask import Checked
from bounceproof.solver.histories import Histories
from bounceproof.solver.lemma import Proof
from bounceproof.solver.slots import SHAPES
from bounceproof.solver.verdict import Verdict

STATEMENT = (
    "In every history of maps, syncs and unmaps, of any length, list[] holds for each "
    "free slot the free slots from it to the end of its slot set, and 0 for each taken "
    "one; used is the number of taken slots of its area; a slot is taken where a live "
    "mapping has it, and no two live mappings share one."
)
ASSUMED = (
    "Assumed: the lock of the area is held around each search and each release, as the "
    "code does it; and every release frees the slots of its mapping, which is the "
    "property returned."
)


def _proof_json(proof: Proof) -> dict[str, Any]:
    return {
        "lemma": proof.lemma.name,
        "text": proof.lemma.text,
        "verdict": proof.verdict.shown,
        "obligations": len(proof.lemma.obligations),
        "failed": proof.failed,
        "counterexample": proof.case,
        "reason": proof.reason,
        "seconds": round(proof.seconds, 3),
    }


def as_json(results: list[Histories]) -> str:
    """One JSON object, schema 1."""
    kernels = [
        {
            "kernel": result.state.name,
            "pool": result.shape.value,
            "domain": domain_json(_asked(result)),
            "verdict": result.verdict.shown,
            "lemmas": [_proof_json(proof) for proof in result.proofs],
            "returned": None
            if result.returned is None
            else finding_json(BuiltinKernel(result.state), result.returned),
        }
        for result in results
    ]
    fields = {"statement": STATEMENT, "assumed": ASSUMED, "kernels": kernels}
    return answer_json("invariant", fields, ())


def _asked(*results: Histories) -> Asked:
    return asked_of(
        *(
            Checked(
                BuiltinKernel(result.state),
                result.domain,
                () if result.returned is None else (result.returned,),
            )
            for result in results
        )
    )


def _proof_text(proof: Proof) -> list[str]:
    lemma = proof.lemma
    words = "PROVED" if proof.verdict is Verdict.HOLDS else proof.verdict.shown.upper()
    lines = [wrap(f"{lemma.name}: {words}: {lemma.text}", "  ", "    ")]
    if proof.case is not None:
        case = ", ".join(f"{name} {value}" for name, value in proof.case.items())
        text = f"not where {case} ({proof.failed}), as the simulator shows"
        lines.append(wrap(text, "    "))
    if proof.reason is not None:
        lines.append(wrap(f"reason: {proof.reason}", "    "))
    return lines


def _result_text(result: Histories) -> list[str]:
    lines = title(f"{result.state.name}: {result.verdict.shown}")
    lines.append(wrap(f"in {SHAPES[result.shape]}"))
    for proof in result.proofs:
        lines += _proof_text(proof)
    found = result.returned
    if found is not None:
        text = (
            f"returned: {found.verdict.shown.upper()} for {result.domain.device.name}"
        )
        if found.verdict is Verdict.BROKEN:
            text += f"; 'check {result.state.name} --property returned' shows how"
        lines.append(wrap(text, "  ", "    "))
    if found is not None and found.reason is not None:
        lines.append(wrap(f"reason: {found.reason}", "    "))
    return lines


def as_text(results: list[Histories]) -> str:
    """``invariant`` for a reader."""
    lines = [*title("invariant: list[] and used, in every history of calls"), ""]
    lines += [wrap(STATEMENT), "", wrap(ASSUMED), ""]
    for result in results:
        lines += [*_result_text(result), ""]
    return "\n".join([*lines, *domain_text(_asked(*results))])
