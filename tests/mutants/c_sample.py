# SPDX-License-Identifier: GPL-2.0-only
"""A hundred mutants of a small tree of our own, with what their compiled code shows.

``python -m tests.mutants.c_sample`` compiles and runs them all and writes
``c_sample.json``; the tests recompute a few and hold the answers against all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from bounceproof.source.errors import SourceError
from bounceproof.source.kernel.confirm import TreeKernel
from bounceproof.source.tree.tree import Tree
from tests.source import lives
from tests.source.trees import DictStore, proved_kernel
from tools.c_mutants.ask import PROPERTIES
from tools.c_mutants.generate import Generator, Mutant
from tools.c_mutants.truth import CELLS, Compiler, Judged, NotCompiled, NotRun, Truth

KEPT = Path(__file__).with_suffix(".json")
MANY, SEED, EFFORT = 100, 6, 1
QUICK = ("fits", "finds", "halts", "aligned")


@dataclass(frozen=True, slots=True)
class Case:
    """One mutant and, by cell, the properties broken ``surely`` and ``perhaps``."""

    number: int
    kind: str
    patch: str
    surely: dict[str, list[str]]
    perhaps: dict[str, list[str]]


@cache
def drawn() -> list[Mutant]:
    """Mutants in the order of the seed, more than compile."""
    return list(islice(Generator(lives.kernel(), "small", SEED), 2 * MANY))


def name_of(mutant: Mutant) -> str:
    """A name for a mutant's patch."""
    return hashlib.sha256(mutant.patch.encode()).hexdigest()[:16]


def kernel(mutant: Mutant) -> TreeKernel:
    """The small tree with ``mutant``'s change."""
    texts = {**lives.texts(), mutant.file: mutant.new}
    return proved_kernel(Tree(DictStore(texts), "mutant"))


@cache
def compiler() -> Compiler:
    """What compiles the small tree's mutants."""
    return Compiler(lives.kernel())


def truths(mutant: Mutant) -> list[Truth] | None:
    """What the compiled code shows; None where there is none to ask."""
    judged = Judged(kernel(mutant), compiler(), mutant.hints, mutant.bits)
    try:
        return judged.truths(EFFORT)
    except (NotCompiled, NotRun, SourceError):
        return None


def case_of(number: int, mutant: Mutant, found: list[Truth]) -> Case:
    """What is kept of a mutant."""
    surely = {t.where: [p for p in PROPERTIES if t.sure(p)] for t in found}
    perhaps = {t.where: [p for p in PROPERTIES if t.doubtful(p)] for t in found}
    return Case(number, mutant.kind, name_of(mutant), surely, perhaps)


@cache
def cases() -> tuple[Case, ...]:
    """The sample as it is kept; the first has the unchanged tree's truths."""
    kept: list[dict[str, Any]] = json.loads(KEPT.read_text())
    return tuple(Case(**one) for one in kept)


def asked(case: Case) -> list[tuple[int, str]]:
    """The questions to put about a mutant, as cell and property: where it shows most,
    one that breaks there and not in the unchanged tree, or else one in turn."""
    ground = cases()[0].surely
    moved = [
        [p for p in case.surely[w.label] if p not in ground[w.label]] for w in CELLS
    ]
    place = max(range(len(CELLS)), key=lambda n: (len(moved[n]), -n))
    if not moved[place]:
        return [(case.number % len(CELLS), QUICK[case.number // 3 % len(QUICK)])]
    return [(place, moved[place][case.number % len(moved[place])])]


def main() -> None:
    """Judge the sample and keep what it shows."""
    base = Judged(lives.kernel(), compiler()).truths(EFFORT)
    surely = {t.where: [p for p in PROPERTIES if t.sure(p)] for t in base}
    found = [Case(-1, "unchanged", "", surely, {t.where: [] for t in base})]
    for number, mutant in enumerate(drawn()):
        shown = truths(mutant) if len(found) <= MANY else None
        if shown is not None:
            found.append(case_of(number, mutant, shown))
    rows = [
        {name: getattr(one, name) for name in Case.__dataclass_fields__}
        for one in found
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    KEPT.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
