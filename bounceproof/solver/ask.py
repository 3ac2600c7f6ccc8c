# SPDX-License-Identifier: GPL-2.0-only
"""The questions of ``check`` and ``prove`` on built-in kernel states."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import Cell
from bounceproof.models.search import NoClosedForm
from bounceproof.models.state import KernelState
from bounceproof.models.word import Truth
from bounceproof.solver.check import (
    anywhere_question,
    cells_with_limits,
    hunt,
    property_question,
)
from bounceproof.solver.confirm import confirmer, shown_of, shows
from bounceproof.solver.domain import Domain, Variables
from bounceproof.solver.minimum import Point
from bounceproof.solver.properties import Property, broken
from bounceproof.solver.verdict import Finding, Hunt, Shown, Verdict


@dataclass(frozen=True, slots=True)
class Checked:
    """``check``: one finding a property."""

    state: KernelState
    domain: Domain
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        return max(finding.verdict.exit_code for finding in self.findings)

    @property
    def verdict(self) -> Verdict:
        return overall(self.findings)


@dataclass(frozen=True, slots=True)
class Proved:
    """``prove``: the base, the kernel, and what the base handles better.

    ``worse`` has a finding for each property, broken where some request fares worse.
    """

    base: Checked
    kernel: Checked
    worse: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        codes = [f.verdict.exit_code for f in (*self.kernel.findings, *self.worse)]
        return max(codes)


def overall(findings: tuple[Finding, ...]) -> Verdict:
    """One verdict for several: a disagreement, then broken, unknown, holds."""
    order = (Verdict.DISAGREE, Verdict.BROKEN, Verdict.UNKNOWN)
    present = {finding.verdict for finding in findings}
    return next((v for v in order if v in present), Verdict.HOLDS)


def _unanswered(prop: Property, reason: str) -> Finding:
    return Finding(prop, Verdict.UNKNOWN, (), None, None, reason, None, 0.0)


def _ask(wanted: Hunt) -> Finding:
    try:
        return hunt(wanted)
    except NoClosedForm as reason:
        return _unanswered(wanted.prop, str(reason))


def check_state(
    state: KernelState, domain: Domain, properties: list[Property], seconds: float
) -> Checked:
    """Ask every property of ``state`` over ``domain``."""
    model = BuiltinKernel(state)
    cells = cells_with_limits(model, domain)
    findings = []
    for prop in properties:
        run, confirm = confirmer(prop, state)
        question = property_question(prop, model)
        wider = anywhere_question(prop, model)
        findings.append(
            _ask(Hunt(prop, domain, cells, question, run, confirm, seconds, wider))
        )
    return Checked(state, domain, tuple(findings))


def _paired_cells(
    base: BuiltinKernel, kernel: BuiltinKernel, domain: Domain
) -> dict[Cell, tuple[Cell, int]]:
    """Kernel cell to base cell, and the smaller of the two limits."""
    before = cells_with_limits(base, domain)
    after = cells_with_limits(kernel, domain)
    return {
        mine: (theirs, min(limit, other))
        for (mine, limit), (theirs, other) in zip(after, before, strict=True)
    }


def _worse(
    prop: Property,
    base: KernelState,
    kernel: KernelState,
    domain: Domain,
    seconds: float,
) -> Finding:
    """A request that both drivers may send, that breaks ``prop`` in kernel alone."""
    old, new = BuiltinKernel(base), BuiltinKernel(kernel)
    pairs = _paired_cells(old, new, domain)

    def question(cell: Cell, space: Variables) -> Truth:
        was = broken(prop, old, pairs[cell][0], space)
        return broken(prop, new, cell, space) & ~was

    def run(cell: Cell, point: Point) -> Shown:
        return shown_of(prop, kernel, cell, point)

    def confirm(cell: Cell, point: Point) -> bool:
        now = shows(prop, kernel, cell, point)
        return now and not shows(prop, base, pairs[cell][0], point)

    cells = tuple((cell, limit) for cell, (_, limit) in pairs.items())
    return _ask(Hunt(prop, domain, cells, question, run, confirm, seconds))


def prove_state(
    base: KernelState,
    kernel: KernelState,
    domain: Domain,
    properties: list[Property],
    seconds: float,
) -> Proved:
    """Ask base and kernel, and what got worse between them."""
    before = check_state(base, domain, properties, seconds)
    if base == kernel:
        return Proved(before, before, ())
    after = check_state(kernel, domain, properties, seconds)
    broken_now = {f.prop for f in after.findings if f.verdict is not Verdict.HOLDS}
    worse = [
        _worse(prop, base, kernel, domain, seconds)
        for prop in properties
        if prop in broken_now
    ]
    return Proved(before, after, tuple(worse))
