# SPDX-License-Identifier: GPL-2.0-only
"""Units, answers and an executor that answers without a solver."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bounceproof.audit.cells import Identity, Selection, Unit
from bounceproof.audit.codec import encode
from bounceproof.audit.executors import Job, Outcome, Take, every
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Path
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict

FAST = (Property.FITS, Property.HALTS, Property.ALIGNED)


def units_of(
    *kernels: str,
    properties: tuple[Property, ...] = FAST,
    paths: tuple[Path, ...] = (Path.IOMMU, Path.DIRECT),
) -> list[Unit]:
    """The lines of some kernels for nvme."""
    states = tuple(kernel_state(name) for name in kernels)
    return Selection(states, properties, (device("nvme"),), paths=paths).units()


def finding_of(prop: str, verdict: Verdict = Verdict.HOLDS) -> Finding:
    """A finding without cells."""
    reason = "no time" if verdict is Verdict.UNKNOWN else None
    return Finding(Property(prop), verdict, (), None, None, reason, None, 0.5)


@dataclass
class Ready:
    """Answers everything at once with one verdict, and remembers what it was asked."""

    verdict: Verdict = Verdict.HOLDS
    error: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def run(
        self, jobs: Sequence[Job], identity: Identity, take: Take = every
    ) -> Generator[Outcome, None, None]:
        for index, job in reversed(list(enumerate(jobs))):
            if not take(index):
                continue
            self.asked.append(job.query)
            finding = encode(finding_of(job.query["property"], self.verdict))
            if self.error is not None:
                yield Outcome(index, error=self.error)
            else:
                yield Outcome(index, finding)
