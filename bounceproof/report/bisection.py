# SPDX-License-Identifier: GPL-2.0-only
"""Search a property over the revisions of a tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bounceproof.errors import InputError
from bounceproof.report.formats import Answer
from bounceproof.report.judged import about
from bounceproof.report.text import title, wrap
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.source.errors import SourceError
from bounceproof.source.tree.revisions import Revision


class NoBisection(InputError):
    """The two ends do not differ, or one has no verdict; the message says which."""


Judge = Callable[[Revision], Verdict]


@dataclass(slots=True)
class Bisection:
    """``changed``: the first revision whose verdict is that of the last one.

    ``skipped`` are revisions that cannot be read, with the reason.
    """

    good: Verdict
    bad: Verdict
    changed: Revision
    tried: list[tuple[Revision, Verdict]] = field(default_factory=list)
    skipped: list[tuple[Revision, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Judged:
    judge: Judge
    known: dict[str, Verdict] = field(default_factory=dict)
    tried: list[tuple[Revision, Verdict]] = field(default_factory=list)
    skipped: list[tuple[Revision, str]] = field(default_factory=list)

    def __call__(self, revision: Revision) -> Verdict | None:
        if revision.content not in self.known:
            try:
                self.known[revision.content] = self.judge(revision)
            except SourceError as error:
                self.skipped.append((revision, str(error)))
                return None
            self.tried.append((revision, self.known[revision.content]))
        return self.known[revision.content]


def _end(judged: _Judged, revision: Revision) -> Verdict:
    verdict = judged(revision)
    if verdict is None:
        raise NoBisection(f"{revision.commit[:12]}: {judged.skipped[-1][1]}")
    if verdict not in (Verdict.HOLDS, Verdict.BROKEN):
        raise NoBisection(f"{revision.commit[:12]} is {verdict.value}")
    return verdict


def bisect(revisions: list[Revision], judge: Judge) -> Bisection:
    """Halve the revisions until one commit is left; each content is judged once.

    A revision that cannot be read, or has no verdict, is passed over for its
    neighbour.  Raises NoBisection.
    """
    judged = _Judged(judge)
    good, bad = _end(judged, revisions[0]), _end(judged, revisions[-1])
    if good is bad:
        raise NoBisection(f"both ends are {good.value}")
    low, high = 0, len(revisions) - 1
    while high - low > 1:
        middle = _between(judged, revisions, low, high, (good, bad))
        if middle is None:
            break
        if judged(revisions[middle]) is good:
            low = middle
        else:
            high = middle
    return Bisection(good, bad, revisions[high], judged.tried, judged.skipped)


def _between(
    judged: _Judged,
    revisions: list[Revision],
    low: int,
    high: int,
    wanted: tuple[Verdict, Verdict],
) -> int | None:
    """The place nearest to the middle that has a verdict."""
    middle = (low + high) // 2
    order = sorted(range(low + 1, high), key=lambda place: abs(place - middle))
    return next((p for p in order if judged(revisions[p]) in wanted), None)


def fields(prop: str, tree: str, found: Bisection) -> dict[str, Any]:
    """The JSON fields of ``bisect``."""
    return {
        "property": prop,
        "kernel": tree,
        "good": found.good.value,
        "bad": found.bad.value,
        "commit": found.changed.commit,
        "subject": found.changed.subject,
        "tried": [[r.commit, v.value] for r, v in found.tried],
        "skipped": [[r.commit, why] for r, why in found.skipped],
        **about(()),
    }


def as_text(prop: str, tree: str, found: Bisection) -> str:
    """``bisect`` for a reader."""
    verb = "broke" if found.bad is Verdict.BROKEN else "fixed"
    lines = title(f"bisect {prop} {tree}: {found.changed.commit[:12]} {verb} it")
    lines += [wrap(found.changed.subject), ""]
    for revision, verdict in found.tried:
        text = f"{revision.commit[:12]} {verdict.value}: {revision.subject}"
        lines.append(wrap(text, "  ", "    "))
    for revision, why in found.skipped:
        lines.append(wrap(f"{revision.commit[:12]} not read: {why}", "  ", "    "))
    return "\n".join(lines)


def answer(prop: str, tree: str, found: Bisection) -> Answer:
    """``bisect`` in any format."""
    return Answer(
        "bisect",
        lambda: fields(prop, tree, found),
        lambda verbose: as_text(prop, tree, found),
    )
