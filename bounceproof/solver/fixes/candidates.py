# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that sets of fixes lead to, fewest fixes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bounceproof.models.kernels.fix import Fix, FixDoesNotApply
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState
from bounceproof.solver.contract.watch import Watch, unwatched

MOST_STATES = 20_000
"""Kernels that are told apart, at most."""
Way = tuple[Fix, ...]
"""Fixes in an order in which each applies."""
_RELEASE = re.compile(r"v(\d+)\.(\d+)(?:-rc(\d*))?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kernel, and every smallest set of fixes that leads to it, each in order."""

    state: KernelState
    ways: tuple[Way, ...]

    @property
    def fixes(self) -> int:
        """Fixes in each set."""
        return len(self.ways[0])


def mainline_order(fix: Fix) -> tuple[bool, tuple[int, ...]]:
    """A key that sorts fixes as mainline took them, those it did not take last."""
    found = _RELEASE.match(fix.origin.release)
    if found is None:
        return True, ()
    major, minor, rc = found.groups()
    return False, (int(major), int(minor), 99 if rc is None else int(rc or 0))


def in_order(base: KernelState, way: Way) -> Way:
    """``way`` as mainline took the fixes, where they apply in that order."""
    wanted = tuple(sorted(way, key=mainline_order))
    state = base
    try:
        for fix in wanted:
            state = fix.apply(state)
    except FixDoesNotApply:
        return way
    return wanted


def concerned(fixes: Iterable[Fix], points: frozenset[str]) -> tuple[Fix, ...]:
    """The fixes that can change a decision point of ``points``, or what those need.

    The others change no answer, and no smallest set has one of them.
    """
    every, known = tuple(fixes), points
    while True:
        kept = tuple(fix for fix in every if known & set(fix.changes))
        more = known.union(*({*fix.changes, *fix.expects} for fix in kept))
        if more == known:
            return kept
        known = more


@dataclass(slots=True)
class Layers:
    """Kernels by how many of ``fixes`` lead to them, told apart by decision points.

    ``complete``: every kernel that the fixes lead to was among them.
    """

    base: KernelState
    fixes: tuple[Fix, ...]
    watch: Watch = unwatched
    complete: bool = False
    _seen: set[tuple[object, ...]] = field(default_factory=set)

    def __iter__(self) -> Iterator[list[Candidate]]:
        """The kernel itself, then what one fix leads to, then two."""
        layer = [Candidate(self.base, ((),))]
        self._seen.add(_key(self.base))
        while layer and len(self._seen) < MOST_STATES:
            yield layer
            layer = self._next(layer)
        self.complete = not layer

    def _next(self, layer: list[Candidate]) -> list[Candidate]:
        found: dict[tuple[object, ...], tuple[KernelState, dict[frozenset[str], Way]]]
        found = {}
        for candidate in layer:
            for fix in self.fixes:
                try:
                    state = fix.apply(candidate.state)
                except FixDoesNotApply:
                    continue
                key = _key(state)
                if key in self._seen:
                    continue
                _, ways = found.setdefault(key, (state, {}))
                for way in candidate.ways:
                    if fix not in way:
                        names = frozenset((*(other.name for other in way), fix.name))
                        ways.setdefault(names, (*way, fix))
        self._seen.update(found)
        return [Candidate(s, tuple(w.values())) for s, w in found.values() if w]


def _key(state: KernelState) -> tuple[object, ...]:
    return tuple(getattr(state, name) for name in DECISION_POINTS)
