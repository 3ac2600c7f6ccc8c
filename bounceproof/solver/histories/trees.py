# SPDX-License-Identifier: GPL-2.0-only
"""Every history of calls on a tree's own code: what is proved, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.request import KernelModel
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.solver.lemmas.slots import PoolShape
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT
from bounceproof.solver.trees.freelist_proof import MODEL, ListProof, prove_model
from bounceproof.solver.trees.list_histories import list_proofs
from bounceproof.source.kernel.kernel import SourceKernel

LEFT_OUT = (
    "that the memory of slots[] and areas[] is zeroed when it is allocated",
    "pools that are made and given back while the kernel runs, as "
    "CONFIG_SWIOTLB_DYNAMIC has them",
    "that the device's min_align_mask is the same when it maps and when it unmaps",
)


@dataclass(frozen=True, slots=True)
class TreeHistories:
    """What is proved of every history of calls on one tree.

    ``proofs``: one for each call of the code, for each page size it is read for, and
    the model's.  ``returned``: that a release is called for the slots of its mapping;
    None where only the calls are asked about.
    """

    model: SourceKernel
    shape: PoolShape
    domain: Domain
    proofs: tuple[tuple[int, ListProof], ...]
    returned: Finding | None

    @property
    def verdict(self) -> Verdict:
        """The worst of the proofs and of ``returned``."""
        unproved = any(not proof.holds for _, proof in self.proofs)
        rest = Verdict.UNKNOWN if unproved else Verdict.HOLDS
        if self.returned is None:
            return rest
        found = self.returned.verdict
        return rest if found is Verdict.HOLDS else found


def tree_histories(
    model: KernelModel,
    shape: PoolShape,
    domain: Domain,
    seconds: float = DEFAULT_TIMEOUT,
    watch: Watch = unwatched,
) -> TreeHistories:
    """Prove that the tree's code keeps list[] and used right, whatever is called."""
    assert isinstance(model, SourceKernel)
    pages = dict.fromkeys(cell.page_size for cell in domain.cells(model))
    proofs = []
    for page in pages:
        watch(f"list[], pages of {page} bytes")
        proofs += [(page, proof) for proof in list_proofs(model, page, shape)]
    if all(proof.call != MODEL for _, proof in proofs):
        proofs.append((0, prove_model(shape)))
    returned = None
    if shape is PoolShape.WHOLE:
        asked = check_kernel(model, domain, [Property.RETURNED], seconds, watch)
        returned = asked.findings[0]
    return TreeHistories(model, shape, domain, tuple(proofs), returned)
