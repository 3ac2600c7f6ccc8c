# SPDX-License-Identifier: GPL-2.0-only
"""A run over the mutants of one tree: truths, answers and rows, each kept at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path as File
from typing import Any

from bounceproof.models.request import Path
from bounceproof.source.errors import SourceError
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.tree.patch import parse_patch
from bounceproof.source.tree.tree import Tree, open_tree
from tools.c_mutants.ask import PROPERTIES, Answer, ask, warm
from tools.c_mutants.compare import Outcome, Row, outcome
from tools.c_mutants.functions import ways_through
from tools.c_mutants.generate import Generator, Mutant
from tools.c_mutants.store import Store, key_of, tool_sources, truth_sources
from tools.c_mutants.truth import (
    CELLS,
    EFFORT,
    Compiler,
    Judged,
    NotCompiled,
    NotRun,
    Truth,
    Where,
    truth_from,
)

OF_SEARCHES = ("fits", "finds", "halts", "aligned")
WHOLE, FEW, BESIDE = 25, 3, 2


def chosen(moved: Sequence[str], number: int) -> tuple[str, ...]:
    """What to ask of one mutant: now and then everything, else some of the properties
    that changed, in turn, and others beside them that cost little more."""
    if number % WHOLE == 0:
        return PROPERTIES
    asked = [moved[(number + n) % len(moved)] for n in range(min(FEW, len(moved)))]
    beside = _others(asked, number)
    return tuple(p for p in PROPERTIES if p in asked or p in beside)


def _others(asked: Sequence[str], number: int) -> list[str]:
    """Properties read off the same code as those of ``asked``."""
    lives = [p for p in PROPERTIES if p not in OF_SEARCHES]
    once = number % 4 == 1 if not asked else any(p in lives for p in asked)
    group = [p for p in (lives if once else OF_SEARCHES) if p not in asked]
    return [group[(number + n) % len(group)] for n in range(min(BESIDE, len(group)))]


class _Overlay:
    """A tree's files, one of them changed."""

    def __init__(self, base: Tree, file: str, text: str) -> None:
        self._base, self._file, self._text = base, file, text

    def read(self, path: str) -> str | None:
        return self._text if path == self._file else self._base.read(path)

    def want(self, paths: Any) -> None:
        """Nothing to prepare."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the compiled code of a mutant shows, or why there is none to ask."""

    truths: tuple[Truth, ...] = ()
    why_not: str | None = None


@dataclass(slots=True)
class Study:
    """The mutants of the tree at ``place``; ``told`` hears of each step."""

    place: str
    name: str
    store: Store
    seed: int = 1
    effort: int = EFFORT
    told: Callable[[str], None] = lambda text: None
    base: SourceKernel = field(init=False)
    compiler: Compiler = field(init=False)
    _ground: Known = field(init=False)
    _warm: bool = False
    _ways: dict[Path, frozenset[str]] | None = None

    def __post_init__(self) -> None:
        self.base = SourceKernel(open_tree(self.place))
        self.compiler = Compiler(self.base)
        self._ground = self.known(None, CELLS)

    def mutants(self, brief: bool) -> Iterator[tuple[int, Mutant]]:
        """Mutants that compile, numbered in the order of the seed, without end."""
        number = 0
        for mutant in Generator(self.base, self.name, self.seed):
            cells = self.cells(mutant, number, brief)
            if self.known(mutant, cells).why_not is None:
                yield number, mutant
                number += 1

    def cells(self, mutant: Mutant, number: int, brief: bool) -> tuple[Where, ...]:
        """All, or the one whose turn it is of those that go through the change."""
        if not brief:
            return CELLS
        if self._ways is None:
            self._ways = ways_through(self.base)
        paths = [p for p, names in self._ways.items() if mutant.function in names]
        touched = [where for where in CELLS if where.path in paths] or CELLS
        return (touched[number % len(touched)],)

    def kernel(self, mutant: Mutant | None) -> SourceKernel:
        """The tree with ``mutant``'s change."""
        if mutant is None:
            return self.base
        store = _Overlay(self.base.tree, mutant.file, mutant.new)
        return SourceKernel(Tree(store, self.name))

    def known(self, mutant: Mutant | None, cells: tuple[Where, ...]) -> Known:
        """What the compiled code shows, from the store where it is kept."""
        patch = mutant.patch if mutant else ""
        asked = (patch, str(self.effort), *(where.label for where in cells))
        key = key_of("truth", self.base.tree.fingerprint(), *asked, truth_sources())
        kept = self.store.get(key)
        if kept is None:
            kept = self._judge(mutant, cells)
            self.store.put(key, "truth", kept)
        if "why_not" in kept:
            return Known(why_not=kept["why_not"])
        return Known(tuple(truth_from(t) for t in kept["truths"]))

    def _judge(self, mutant: Mutant | None, cells: tuple[Where, ...]) -> dict[str, Any]:
        hints, bits = (mutant.hints, mutant.bits) if mutant else ((), ())
        judged = Judged(self.kernel(mutant), self.compiler, hints, bits)
        try:
            found = judged.truths(self.effort, cells=cells)
        except (NotCompiled, NotRun, SourceError) as error:
            return {"why_not": f"{type(error).__name__}: {error}"}
        return {"truths": [truth.fields() for truth in found]}

    def answer(
        self, mutant: Mutant, where: Where, properties: tuple[str, ...] = PROPERTIES
    ) -> Answer:
        """What bounceproof says of ``mutant`` in one cell."""
        print_of = self.base.tree.fingerprint()
        asked = (where.label, *properties)
        key = key_of("answer", print_of, mutant.patch, *asked, tool_sources())
        kept = self.store.get(key)
        if kept is None:
            if not self._warm:
                warm(self.place, CELLS)
                self._warm = True
            kept = ask(self.place, mutant.patch, where, properties).fields()
            self.store.put(key, "answer", kept)
        return Answer(**kept)

    def changed(self, truth: Truth, prop: str) -> bool:
        """Whether the unchanged tree shows something else of ``prop``."""
        ground = next(t for t in self._ground.truths if t.where == truth.where)
        return truth.sure(prop) != ground.sure(prop)

    def rows(self, number: int, mutant: Mutant, brief: bool = False) -> Iterator[Row]:
        """Compare one mutant; where ``brief`` in one cell, and there what
        :func:`chosen` says."""
        cells = self.cells(mutant, number, brief)
        for where, truth in zip(cells, self.known(mutant, cells).truths, strict=True):
            moved = [p for p in PROPERTIES if self.changed(truth, p)]
            asked = chosen(moved, number) if brief else PROPERTIES
            answer = self.answer(mutant, where, asked)
            for prop in asked:
                confirmed = self._confirmed(mutant, where, truth, answer, prop)
                result = outcome(prop, truth, answer, confirmed)
                head = (self.name, number, mutant.kind, mutant.function)
                yield Row(*head, where.label, prop, result, prop in moved)

    def _confirmed(
        self, mutant: Mutant, where: Where, truth: Truth, answer: Answer, prop: str
    ) -> bool:
        if answer.verdicts[prop] != "broken" or prop not in answer.examples:
            return False
        if truth.sure(prop) or truth.doubtful(prop):
            return True
        judged = Judged(self.kernel(mutant), self.compiler)
        return prop in judged.confirms(where, answer.examples[prop])

    def compare(self, many: int, brief: bool) -> Iterator[tuple[Mutant, list[Row]]]:
        """The first ``many`` mutants that compile, each with its rows."""
        for number, mutant in islice(self.mutants(brief), many):
            rows = list(self.rows(number, mutant, brief))
            self.told(_line(number, mutant, rows))
            yield mutant, rows


def _grouped(rows: list[Row]) -> dict[tuple[str, Outcome], list[Row]]:
    found: dict[tuple[str, Outcome], list[Row]] = {}
    for row in rows:
        found.setdefault((row.where, row.outcome), []).append(row)
    return found


def _line(number: int, mutant: Mutant, rows: list[Row]) -> str:
    agreed = (Outcome.BOTH_BROKEN, Outcome.BOTH_HOLD)
    wrong = [
        f"{where}: {result}: {' '.join(r.prop for r in found)}"
        for (where, result), found in _grouped(rows).items()
        if result not in agreed
    ]
    head = f"{mutant.tree} {number} {mutant.kind}, {mutant.function}"
    return f"{head}: {'; '.join(wrong)}"


def patched(place: str, patch: File) -> SourceKernel:
    """The tree at ``place`` with a patch of a file on top."""
    tree = open_tree(place)
    tree.apply(parse_patch(patch.read_bytes(), str(patch)), str(patch))
    return SourceKernel(tree)
