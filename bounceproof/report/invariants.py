# SPDX-License-Identifier: GPL-2.0-only
"""``invariant`` as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import KernelModel
from bounceproof.report.checks import finding_json
from bounceproof.report.domain import Asked, asked_of, asked_text, domain_json
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about
from bounceproof.report.text import title, wrap
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.histories.builtin import Histories
from bounceproof.solver.histories.trees import LEFT_OUT, TreeHistories
from bounceproof.solver.lemmas.lemma import Proof
from bounceproof.solver.lemmas.slots import SHAPES
from bounceproof.solver.trees.freelist_proof import ListProof

Result = Histories | TreeHistories

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


def _list_proof_json(page_size: int, proof: ListProof) -> dict[str, Any]:
    return {
        "lemma": proof.call,
        "where": proof.where or None,
        "page_size": page_size or None,
        "verdict": proof.verdict.shown,
        "proved": list(proof.proved),
        "failed": proof.failed,
    }


def _result_json(result: Result) -> dict[str, Any]:
    if isinstance(result, TreeHistories):
        lemmas = [_list_proof_json(page, proof) for page, proof in result.proofs]
        more = {"left_out": list(LEFT_OUT)}
    else:
        lemmas, more = [_proof_json(proof) for proof in result.proofs], {}
    model, returned = _model(result), result.returned
    return {
        "kernel": model.name,
        "pool": result.shape.value,
        "domain": domain_json(_asked(result)),
        "verdict": result.verdict.shown,
        "lemmas": lemmas,
        "returned": None if returned is None else finding_json(model, returned),
        **more,
    }


def _model(result: Result) -> KernelModel:
    if isinstance(result, TreeHistories):
        return result.model
    return BuiltinKernel(result.state)


def fields(results: Sequence[Result]) -> dict[str, Any]:
    """The JSON fields of ``invariant``."""
    kernels = [_result_json(result) for result in results]
    return {
        "statement": STATEMENT,
        "assumed": ASSUMED,
        "kernels": kernels,
        **about(_model(result) for result in results),
    }


def _asked(*results: Result) -> Asked:
    return asked_of(
        *(
            Checked(
                _model(result),
                result.domain,
                () if result.returned is None else (result.returned,),
            )
            for result in results
        )
    )


def _proof_text(proof: Proof) -> list[str]:
    lemma = proof.lemma
    head = f"{lemma.name} {proof.verdict.shown}:"
    lines = [wrap(f"{head} {lemma.text}", "  ", "    ")]
    if proof.case is not None:
        case = ", ".join(f"{name} {value}" for name, value in proof.case.items())
        text = f"not where {case} ({proof.failed}), as the simulator shows"
        lines.append(wrap(text, "    "))
    if proof.reason is not None:
        lines.append(wrap(f"reason: {proof.reason}", "    "))
    return lines


def _list_proof_text(pages_of: list[int], proof: ListProof) -> list[str]:
    sizes = ", ".join(str(size) for size in pages_of if size)
    pages = f", pages of {sizes} bytes" if sizes else ""
    where = f" ({proof.where}{pages})" if proof.where else ""
    text = f"{proof.call}{where} {proof.verdict.shown}: {', '.join(proof.proved)}"
    lines = [wrap(text, "  ", "    ")]
    if proof.failed is not None:
        lines.append(wrap(f"reason: not proved: {proof.failed}", "    "))
    return lines


def _lemmas_text(result: Result) -> list[str]:
    if not isinstance(result, TreeHistories):
        return [line for proof in result.proofs for line in _proof_text(proof)]
    alike: dict[ListProof, list[int]] = {}
    for page, proof in result.proofs:
        alike.setdefault(replace(proof, case=None), []).append(page)
    lines = [
        line
        for proof, pages in alike.items()
        for line in _list_proof_text(pages, proof)
    ]
    return [*lines, wrap("left out: " + "; ".join(LEFT_OUT), "  ", "    ")]


def _result_text(result: Result) -> list[str]:
    name = _model(result).name
    lines = title(f"{name}: {result.verdict.shown}")
    lines.append(wrap(f"in {SHAPES[result.shape]}"))
    lines += _lemmas_text(result)
    found = result.returned
    if found is not None:
        text = f"returned {found.verdict.shown} for {result.domain.device.name}"
        if found.verdict is Verdict.BROKEN:
            text += f"; 'check {name} --property returned' shows how"
        lines.append(wrap(text, "  ", "    "))
    if found is not None and found.reason is not None:
        lines.append(wrap(f"reason: {found.reason}", "    "))
    return lines


def as_text(results: Sequence[Result]) -> str:
    """``invariant`` for a reader."""
    lines = [*title("invariant: list[] and used, in every history of calls"), ""]
    lines += [wrap(STATEMENT), "", wrap(ASSUMED), ""]
    for result in results:
        lines += [*_result_text(result), ""]
    return "\n".join([*lines, *asked_text(_asked(*results))])


def answer(results: Sequence[Result]) -> Answer:
    """``invariant`` in any format."""
    return Answer(
        "invariant", lambda: fields(results), lambda verbose: as_text(results)
    )
