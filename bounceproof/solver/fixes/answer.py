# SPDX-License-Identifier: GPL-2.0-only
"""What ``fix`` answers: the smallest sets, or what stays broken at best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.kernels.fix import Fix
from bounceproof.models.kernels.state import KernelState
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.solver.fixes.candidates import Candidate, Way, in_order
from bounceproof.solver.fixes.search import Best, FixSearch, Found, Judged, unshown


@dataclass(frozen=True, slots=True)
class FixSet:
    """Fixes in an order in which each applies, and the kernel they lead to.

    ``after``: every property of that kernel.
    """

    fixes: Way
    kernel: KernelState
    after: tuple[Finding, ...]

    @property
    def merged(self) -> bool:
        """Whether mainline has every one of them as a commit."""
        return all(fix.origin.merged for fix in self.fixes)


@dataclass(frozen=True, slots=True)
class Stays:
    """A property that no set of known fixes mends without a loss elsewhere.

    ``alone``: the smallest sets that make it hold if others may break, with what the
    first of them breaks; empty where there is none either.
    """

    prop: Property
    finding: Finding
    alone: tuple[Way, ...] = ()
    breaks: Property | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """What comes nearest where no set does it: several that leave as little broken."""

    sets: tuple[FixSet, ...]
    stays: tuple[Stays, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Which of ``catalogue`` make ``asked`` hold for ``base`` over ``domain``.

    What held before has to hold after, but for what ``may_break``.
    """

    base: KernelState
    domain: Domain
    asked: tuple[Property, ...]
    catalogue: tuple[Fix, ...]
    may_break: frozenset[Property] = frozenset()


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer to ``question``.

    ``before``: every property of the base.  ``sets``: the smallest that do.
    ``merged``: the smallest of commits of mainline, where none of ``sets`` is one; None
    where that was not asked.  ``untold``: smaller sets whose counterexample does not
    show when it is run, an error of ours.
    """

    question: Question
    before: tuple[Finding, ...]
    found: Found
    sets: tuple[FixSet, ...]
    merged: Found | None
    merged_sets: tuple[FixSet, ...]
    nearest: Nearest | None
    untold: tuple[Judged, ...]

    @property
    def base(self) -> KernelState:
        return self.question.base

    @property
    def asked(self) -> tuple[Property, ...]:
        return self.question.asked

    @property
    def checked(self) -> Checked:
        """The answers about the base."""
        return Checked(BuiltinKernel(self.base), self.question.domain, self.before)

    @property
    def verdict(self) -> Verdict:
        wrong = [*self.before, *(f for s in self.sets for f in s.after)]
        if self.untold or any(f.verdict is Verdict.DISAGREE for f in wrong):
            return Verdict.DISAGREE
        return self.found.verdict


def fix_kernel(question: Question, seconds: float, watch: Watch = unwatched) -> Fixed:
    """The smallest sets of fixes that ``question`` asks for."""
    base, domain, catalogue = question.base, question.domain, question.catalogue
    may_break = question.may_break
    search = FixSearch(base, domain, question.asked, may_break, seconds, watch)
    found = search.find(catalogue, search.asked)
    sets = tuple(_sets(search, found.enough))
    merged: Found | None = None
    if sets and not any(one.merged for one in sets):
        commits = tuple(fix for fix in catalogue if fix.origin.merged)
        merged = search.find(commits, search.asked)
    others = () if merged is None else tuple(_sets(search, merged.enough))
    nearest = None if sets else _nearest(search, found)
    untold = unshown(found) if sets else ()
    untold += unshown(merged) if merged is not None and merged.enough else ()
    before = search.before()
    return Fixed(question, before, found, sets, merged, others, nearest, untold)


def _sets(search: FixSearch, candidates: tuple[Candidate, ...]) -> Iterator[FixSet]:
    for candidate in candidates:
        after = tuple(search.answers.finding(p, candidate.state) for p in Property)
        for way in candidate.ways:
            fixes = in_order(search.base, way)
            name = "+".join((search.base.name, *(fix.name for fix in fixes)))
            yield FixSet(fixes, replace(candidate.state, name=name), after)


def _nearest(search: FixSearch, found: Found) -> Nearest:
    best = search.nearest(found)
    sets = tuple(_sets(search, tuple(one.candidate for one in best)))
    stays = tuple(_stays(search, found, best[0])) if best else ()
    return Nearest(sets, stays)


def _stays(search: FixSearch, found: Found, best: Best) -> Iterator[Stays]:
    for finding in best.findings if found.complete else ():
        if finding.verdict is Verdict.HOLDS:
            continue
        prop = finding.prop
        alone = search.find(found.fixes, (prop,), keep=False).enough
        if not alone:
            yield Stays(prop, finding)
            continue
        lost = search.lost(alone[0])
        ways = tuple(in_order(search.base, way) for way in alone[0].ways)
        yield Stays(prop, finding, ways, None if lost is None else lost.prop)
