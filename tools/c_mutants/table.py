# SPDX-License-Identifier: GPL-2.0-only
"""The rows of a study as a page of Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tools.c_mutants.ask import PROPERTIES
from tools.c_mutants.compare import Outcome, Row

_HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-only -->
# Mutants of the C itself

`python -m tools.c_mutants run` changes the C of a tree at one place, or at two,
compiles the functions that mapping, search, sync, release and limits go through, and
runs them on a few million requests and histories; then it asks `check TREE --patch`.
A *broken* of the compiled code is a request that it was seen to fail. Requests are
nvme-pci's: whole sectors up to the mutant's own limit, addresses in multiples of 4.
*Debatable* is what the contract's words leave open, as a copy back that the end of a
mapping forgets. `tools/c_mutants` has the driver and the operators.
"""
_COLUMNS = tuple(Outcome)


def _table(title: str, rows: Sequence[Row], part: Callable[[Row], str]) -> list[str]:
    counts: dict[str, Counter[Outcome]] = {}
    mutants: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        counts.setdefault(part(row), Counter())[row.outcome] += 1
        mutants.setdefault(part(row), set()).add((row.tree, row.number))
    head = [title, "mutants", "questions", *_COLUMNS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in sorted(counts):
        tally = counts[name]
        cells = [name, len(mutants[name]), sum(tally.values())]
        numbers = [str(tally[column] or "") for column in _COLUMNS]
        lines.append("| " + " | ".join([*map(str, cells), *numbers]) + " |")
    return [*lines, ""]


def _summary(rows: Sequence[Row]) -> list[str]:
    tally = Counter(row.outcome for row in rows)
    mutants = {(row.tree, row.number) for row in rows}
    caught = {(r.tree, r.number) for r in rows if r.changed}
    wrong = {(r.tree, r.number) for r in rows if r.outcome is Outcome.FALSE_HOLDS}
    silent = tally[Outcome.UNANSWERED] * 100 / max(1, len(rows))
    return [
        f"{len(mutants)} mutants, {len(rows)} questions. In {len(caught)} a cell that "
        f"was asked breaks, or mends, something that the unchanged tree does not. "
        f"{tally[Outcome.FALSE_HOLDS]} times, in {len(wrong)} mutants, the answer was "
        f"`holds` where the compiled code breaks; {tally[Outcome.FALSE_BROKEN]} times "
        f"`broken` where it does not; {silent:.1f} in 100 questions have no answer.",
        "",
    ]


def page(rows: Iterable[Row]) -> str:
    """The whole page."""
    every = list(rows)
    order = {prop: f"{n} `{prop}`" for n, prop in enumerate(PROPERTIES, 1)}
    lines = [_HEAD, *_summary(every)]
    lines += _table("tree", every, lambda row: row.tree)
    lines += _table("what is changed", every, lambda row: row.kind)
    lines += _table("cell", every, lambda row: row.where)
    lines += _table("property", every, lambda row: order[row.prop])
    lines += _table("function", every, lambda row: f"`{row.function}`")
    return "\n".join(lines)
