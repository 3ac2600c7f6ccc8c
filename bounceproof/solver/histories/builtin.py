# SPDX-License-Identifier: GPL-2.0-only
"""Every history of calls, of any length: the lemmas together, and what they need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import IO_TLB_SIZE
from bounceproof.models.formulas.freelist import FreeList, free_list
from bounceproof.models.kernels.state import KernelState
from bounceproof.simulator.history.run import Machine
from bounceproof.simulator.history.types import MachineConfig
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict, overall
from bounceproof.solver.contract.watch import Watch, told, unwatched
from bounceproof.solver.lemmas import invariant
from bounceproof.solver.lemmas import ownership as accounts
from bounceproof.solver.lemmas.lemma import Proof, prove
from bounceproof.solver.lemmas.placement import places
from bounceproof.solver.lemmas.slots import PoolShape
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT
from bounceproof.solver.smt.minimum import Point

LEMMAS = (
    invariant.established,
    invariant.run,
    accounts.early,
    invariant.marking,
    invariant.taken,
    invariant.freeing,
    invariant.released,
    accounts.counted,
    accounts.owners,
    accounts.needed,
)
STRAY = 1


@dataclass(frozen=True, slots=True)
class Histories:
    """What is proved of every history of calls in one kernel.

    ``proofs``: the lemmas.  ``returned``: the property that they assume of each release
    and that is asked of the device; None where only the lemmas are.
    """

    state: KernelState
    shape: PoolShape
    domain: Domain
    proofs: tuple[Proof, ...]
    returned: Finding | None

    @property
    def verdict(self) -> Verdict:
        """The worst of the lemmas and of ``returned``."""
        asked = () if self.returned is None else (self.returned,)
        return overall(proof.verdict for proof in (*self.proofs, *asked))


@cache
def lemmas(code: FreeList, shape: PoolShape, seconds: float) -> tuple[Proof, ...]:
    """The lemmas about list[] and used, which many states share."""
    return tuple(prove(lemma(code, shape), seconds) for lemma in LEMMAS)


def shown(state: KernelState, case: Point) -> bool:
    """Whether the simulator's list[] goes wrong in a pool that a lemma fails for.

    One mapping comes and goes; behind slots[] lies memory that is not 0.
    """
    if "nslabs" not in case:
        return False
    machine = {"nslabs": case["nslabs"], "start_index": case.get("first", 0)}
    live = Machine(state, MachineConfig.of(machine | {"uninitialised": STRAY}))
    if live.fault is not None:
        return True
    size = case["nslots"] * IO_TLB_SIZE
    live.run({"op": "map", "mapping": 0, "size": size, "orig_addr": 1 << 32})
    live.run({"op": "unmap", "mapping": 0})
    return live.fault is not None


def _confirmed(state: KernelState, proof: Proof) -> Proof:
    """The proof, or a disagreement where the simulator does not show its case."""
    if proof.case is None or shown(state, proof.case):
        return proof
    reason = "the simulator does not show the case that the solver found"
    return replace(proof, verdict=Verdict.DISAGREE, reason=reason)


def histories(
    state: KernelState,
    shape: PoolShape,
    domain: Domain,
    seconds: float = DEFAULT_TIMEOUT,
    watch: Watch = unwatched,
) -> Histories:
    """Prove that list[] and used stay sound whatever is mapped and unmapped."""
    watch(f"{state.name}: lemmas")
    proofs = lemmas(free_list(state), shape, seconds)
    proofs = tuple(_confirmed(state, proof) for proof in proofs)
    if shape is not PoolShape.WHOLE:
        return Histories(state, shape, domain, proofs, None)
    watch(f"{state.name}: places")
    placed = prove(places(BuiltinKernel(state), domain), seconds)
    model, hears = BuiltinKernel(state), told(watch, state.name)
    asked = check_kernel(model, domain, [Property.RETURNED], seconds, hears)
    returned = asked.findings[0]
    return Histories(state, shape, domain, (*proofs, placed), returned)
