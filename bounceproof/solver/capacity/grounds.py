# SPDX-License-Identifier: GPL-2.0-only
"""What a guarantee rests on, asked of the kernel at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.capacity.mix import Group
from bounceproof.models.capacity.shapes import rules_of
from bounceproof.models.formulas.freelist import free_list
from bounceproof.models.request import Cell, KernelModel
from bounceproof.models.requests.devices import Device, Limit
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.capacity.lemma import lands
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.histories.builtin import lemmas
from bounceproof.solver.lemmas.lemma import prove
from bounceproof.solver.lemmas.slots import PoolShape
from bounceproof.solver.trees.list_histories import list_proofs
from bounceproof.source.kernel.kernel import SourceKernel

_SOURCE = "the mix"


@dataclass(frozen=True, slots=True)
class Ground:
    """One thing that a guarantee rests on; ``reason`` where it is not proved."""

    name: str
    text: str
    verdict: Verdict
    reason: str | None


def grounds(
    model: KernelModel, groups: Sequence[Group], seconds: float
) -> tuple[Ground, ...]:
    """All of them, proved or not; no question takes longer than ``seconds``."""
    proof = prove(lands(rules_of(model, groups)), seconds)
    text = proof.lemma.text
    found = [Ground("lands", text, proof.verdict, proof.failed or proof.reason)]
    found.append(_lists(model, groups, seconds))
    for cell in dict.fromkeys(group.cell for group in groups):
        found.append(_returned(model, cell, seconds))
    return tuple(found)


def _lists(model: KernelModel, groups: Sequence[Group], seconds: float) -> Ground:
    name = "list[]"
    text = "every map and every unmap leaves list[] and used right"
    if isinstance(model, BuiltinKernel):
        proofs = lemmas(free_list(model.state), PoolShape.WHOLE, seconds)
        open_ = [p.lemma.name for p in proofs if p.verdict is not Verdict.HOLDS]
    elif isinstance(model, SourceKernel):
        page = groups[0].cell.page_size
        shown = list_proofs(model, page, PoolShape.WHOLE)
        open_ = [f"{p.call}: {p.failed}" for p in shown if not p.holds]
    else:
        open_ = [f"{model.name} has no code to ask"]
    verdict = Verdict.UNKNOWN if open_ else Verdict.HOLDS
    return Ground(name, text, verdict, ", ".join(open_) or None)


def _returned(model: KernelModel, cell: Cell, seconds: float) -> Ground:
    """That unmapping gives back what mapping took, for any size and address."""
    device = Device(
        name=_SOURCE,
        summary="",
        source=_SOURCE,
        paths=(cell.path,),
        limit=Limit.MAX_MAPPING,
        min_align_mask=cell.min_align_mask,
    )
    domain = Domain(
        device,
        page_size=cell.page_size,
        granule=cell.granule if cell.path.has_granule else None,
        path=cell.path,
        min_align_mask=cell.min_align_mask,
    )
    finding = check_kernel(model, domain, [Property.RETURNED], seconds).findings[0]
    text = (
        f"unmapping gives back exactly what mapping took (path {cell.path}, "
        f"min_align_mask {cell.min_align_mask:#x})"
    )
    reason = finding.reason
    if finding.verdict is Verdict.BROKEN:
        reason = "slots are lost, or freed while in use"
    return Ground("returned", text, finding.verdict, reason)
