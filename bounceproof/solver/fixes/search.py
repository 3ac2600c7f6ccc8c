# SPDX-License-Identifier: GPL-2.0-only
"""The smallest sets of known fixes after which what is asked holds.

Sets are taken fewest fixes first.  A set that is said to be enough is proved to be, in
every configuration, and to break nothing that held before; every smaller one has a
counterexample that was run on the kernel it leads to.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.kernels.fix import Fix
from bounceproof.models.kernels.state import KernelState
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict
from bounceproof.solver.contract.watch import Watch, unwatched
from bounceproof.solver.counterexample.confirm import shows
from bounceproof.solver.fixes.answers import Answers, Asked, Known
from bounceproof.solver.fixes.candidates import Candidate, Layers, concerned

Pairs = frozenset[Asked]
FIRST_SECONDS, MORE_SECONDS = 30.0, 25.0
"""How long sets are looked for, and for each property; then it is unknown."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of a candidate: what it breaks, or what is not known of it."""

    candidate: Candidate
    known: Known | None = None

    @property
    def enough(self) -> bool:
        return self.known is None

    @property
    def broken(self) -> bool:
        return self.known is not None and self.known.broken


@dataclass(frozen=True, slots=True)
class Found:
    """A search through ``fixes``: the smallest sets, and what is wrong with the others.

    ``enough``: the smallest sets that do, by the kernel they lead to.  ``smaller``:
    every smaller one, and where there is no set every one.  ``alike``: sets as large
    as those, of which nothing is known.  ``complete``: none was left out.
    """

    fixes: tuple[Fix, ...]
    enough: tuple[Candidate, ...]
    smaller: tuple[Judged, ...]
    alike: tuple[Judged, ...]
    complete: bool

    @property
    def undecided(self) -> tuple[Judged, ...]:
        """Smaller sets of which it is not known whether they do."""
        return tuple(judged for judged in self.smaller if not judged.broken)

    @property
    def verdict(self) -> Verdict:
        """Holds where smallest sets are proved, broken where it is proved that there
        is none."""
        if self.undecided or not (self.enough or self.complete):
            return Verdict.UNKNOWN
        return Verdict.HOLDS if self.enough else Verdict.BROKEN


@dataclass(frozen=True, slots=True)
class Best:
    """Kernels that leave the least broken, where no set leaves nothing."""

    candidate: Candidate
    findings: tuple[Finding, ...]


class FixSearch:
    """Looks for sets of fixes for ``base`` that make ``asked`` hold and lose nothing.

    What may be lost is what ``base`` breaks already, configuration by configuration.
    """

    def __init__(
        self,
        base: KernelState,
        domain: Domain,
        asked: tuple[Property, ...],
        may_break: frozenset[Property],
        seconds: float,
        watch: Watch = unwatched,
    ) -> None:
        self.base, self.asked, self._watch = base, asked, watch
        self.answers = Answers(domain, seconds)
        self._ends = monotonic() + FIRST_SECONDS + MORE_SECONDS * len(asked)
        self.kept = frozenset(p for p in self._held() if p[0] not in may_break)

    def _held(self) -> Pairs:
        """What has to hold, being neither asked nor broken before."""
        every = list(self.answers.asked(tuple(Property)))
        kept = []
        for number, pair in enumerate(every):
            self._watch(f"{self.base.name}: {pair[0]}", number, len(every))
            known = self.answers.ask(pair, self.base)
            if not known.broken and not known.open:
                kept.append(pair)
        return frozenset(kept)

    def before(self) -> tuple[Finding, ...]:
        """Every property of ``base``."""
        return tuple(self.answers.finding(prop, self.base) for prop in Property)

    def wanted(self, asked: tuple[Property, ...]) -> tuple[Asked, ...]:
        """What has to hold: what is asked, then what held before."""
        first = tuple(self.answers.asked(asked))
        return (*first, *sorted(self.kept - set(first)))

    def find(
        self, catalogue: tuple[Fix, ...], asked: tuple[Property, ...], keep: bool = True
    ) -> Found:
        """The smallest sets of ``catalogue`` for ``asked``; none loses what was kept.

        Fixes that concern nothing that was read are left out; where more is read on
        the way, the search starts again with what that adds.
        """
        wanted = self.wanted(asked) if keep else tuple(self.answers.asked(asked))
        while True:
            read = self.answers.points_read()
            found = self._find(concerned(catalogue, read), asked, wanted)
            more = concerned(catalogue, self.answers.points_read())
            if more == found.fixes or monotonic() > self._ends:
                return found

    def _find(
        self,
        fixes: tuple[Fix, ...],
        asked: tuple[Property, ...],
        wanted: tuple[Asked, ...],
    ) -> Found:
        layers = Layers(self.base, fixes)
        tried: list[Judged] = []
        for depth, layer in enumerate(layers):
            judged: list[Judged] = []
            for number, candidate in enumerate(layer):
                if monotonic() > self._ends:
                    return Found(fixes, (), (*tried, *judged), (), False)
                text = f"sets of {depth} fixes" if depth != 1 else "single fixes"
                self._watch(text, number, len(layer))
                judged.append(self._judge(candidate, asked, wanted))
            enough = tuple(one.candidate for one in judged if one.enough)
            if enough:
                alike = tuple(j for j in judged if not j.enough and not j.broken)
                return Found(fixes, enough, tuple(tried), alike, True)
            tried += judged
        return Found(fixes, (), tuple(tried), (), layers.complete)

    def _judge(
        self,
        candidate: Candidate,
        asked: tuple[Property, ...],
        wanted: tuple[Asked, ...],
    ) -> Judged:
        state = candidate.state
        refuted = self.answers.broken_by(state, frozenset(wanted))
        if refuted is not None:
            return Judged(candidate, refuted)
        left_open: Known | None = None
        for pair in wanted:
            known = self.answers.ask(pair, state)
            if known.broken:
                return Judged(candidate, known)
            left_open = known if known.open else left_open
        for prop in asked:
            if self.answers.finding(prop, state).verdict is not Verdict.HOLDS:
                pair = next(iter(self.answers.asked((prop,))))
                left_open = left_open or self.answers.ask(pair, state)
        return Judged(candidate, left_open)

    def lost(self, candidate: Candidate) -> Known | None:
        """What ``candidate`` breaks that held before; None where nothing is."""
        for pair in sorted(self.kept):
            known = self.answers.ask(pair, candidate.state)
            if known.broken or known.open:
                return known
        return None

    def nearest(self, found: Found) -> tuple[Best, ...]:
        """Of sets that lose nothing, those that leave fewest properties broken, then
        fewest configurations, then have fewest fixes."""
        pairs = frozenset(self.answers.asked(self.asked))
        heap = []
        for number, judged in enumerate(found.smaller):
            state = judged.candidate.state
            broken = self.answers.all_broken(state)
            if not broken & self.kept:
                bad = broken & pairs
                heap.append((_weight(bad, judged.candidate), number, bad))
        heapq.heapify(heap)
        best: list[Candidate] = []
        least: tuple[int, ...] | None = None
        while heap and (least is None or heap[0][0] == least):
            if monotonic() > self._ends:
                break
            weight, number, bad = heapq.heappop(heap)
            candidate = found.smaller[number].candidate
            self._watch(f"what {candidate.fixes} fixes leave broken")
            broken = self.answers.all_broken(candidate.state)
            if broken & self.kept:
                continue
            more = (broken & pairs) - bad or self._next_bad(candidate, bad, pairs)
            if more:
                bad = bad | more
                heapq.heappush(heap, (_weight(bad, candidate), number, bad))
            elif self.lost(candidate) is None:
                least = weight
                best.append(candidate)
        return tuple(Best(one, tuple(self._findings(one))) for one in best)

    def _next_bad(self, candidate: Candidate, bad: Pairs, pairs: Pairs) -> Pairs:
        """A pair that ``candidate`` does not make hold either, if there is one."""
        for pair in sorted(pairs - bad):
            known = self.answers.ask(pair, candidate.state)
            if known.broken or known.open:
                return frozenset((pair,))
        return frozenset()

    def _findings(self, candidate: Candidate) -> Iterator[Finding]:
        for prop in self.asked:
            yield self.answers.finding(prop, candidate.state, smallest=True)


def _weight(bad: Pairs, candidate: Candidate) -> tuple[int, int, int]:
    return len({prop for prop, _ in bad}), len(bad), candidate.fixes


def unshown(found: Found) -> tuple[Judged, ...]:
    """Smaller sets whose counterexample does not show when it is run: an error."""
    return tuple(
        judged
        for judged in found.smaller
        if judged.known is not None and judged.broken and not _shows(judged)
    )


def _shows(judged: Judged) -> bool:
    known, model = judged.known, BuiltinKernel(judged.candidate.state)
    example = None if known is None else known.finding.counterexample
    if known is None or example is None:
        return False
    return shows(known.prop, model, example.cell, example.point)
