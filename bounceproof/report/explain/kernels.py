# SPDX-License-Identifier: GPL-2.0-only
"""The kernel a line was judged in, and the fixes that end it, in words."""

from __future__ import annotations

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.remedy import Trial
from bounceproof.models.catalog import FIXES

MOST_NAMES = 12
_COMMIT = 12


def names(kernels: list[str]) -> str:
    """At most twelve names, and how many more there are."""
    more = len(kernels) - MOST_NAMES
    return ", ".join(kernels[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def kernel_text(explanation: Explanation, named: bool) -> str:
    """Which kernel the answer is about and how that is known; ``named``: the user
    said it."""
    facts, nearest = explanation.facts, explanation.nearest
    told = "as given" if named else facts.release or facts.version
    if nearest is not None and explanation.kernel is not None:
        same = "the same arithmetic" if nearest.same else f"nearest: {nearest.note}"
        return f"{told}; judged as {explanation.kernel} ({same})"
    if told is not None:
        return explanation.kernel or told
    span = "" if explanation.span.open else f"; this form is of {explanation.span.text}"
    if explanation.possible or explanation.results:
        return f"not in the log{span}; judged as {explanation.kernel}"
    return f"not in the log{span}"


def _one_fix(name: str) -> str:
    origin = FIXES[name].origin
    commit = origin.commit[:_COMMIT] if origin.commit else name
    return f"{commit} ({origin.release})"


def fix_text(trial: Trial) -> str:
    """A fix by its commits and releases, and what it does to the line."""
    commits = " with ".join(_one_fix(name) for name in trial.name.split("+"))
    what = "closes it" if trial.closes else "ends this size only; smaller ones fail"
    lost = "" if trial.aligned else "; the mapping is not aligned as asked"
    return f"{commits}: {what}{lost} [{trial.name}]"
