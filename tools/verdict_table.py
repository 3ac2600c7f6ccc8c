# SPDX-License-Identifier: GPL-2.0-only
"""Ask every property of every built-in state on a few machines; print the verdicts.

A property is asked on the paths that its record names.  Answers are kept in
build/answers.sqlite as they come, as those of an audit: a second run asks only what is
missing, or what changed sources or solvers make doubtful.  A broken verdict links to
the section of docs/findings.md whose ``Cells:`` lines name it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File

from bounceproof.audit.cells import Unit, identity, key_of
from bounceproof.audit.executors import LocalExecutor
from bounceproof.audit.run import Audit
from bounceproof.audit.store import Store
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device
from bounceproof.models.constants import NVME_CTRL_PAGE_SIZE, U32_MAX
from bounceproof.models.contract import Property, applies
from bounceproof.models.kernels.releases import RELEASES
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.reach.judge import reached
from bounceproof.models.reach.records import RECORDS
from bounceproof.models.reach.rules import Reach, Reached
from bounceproof.models.request import Cell, Path
from bounceproof.solver.contract.verdict import Finding, Verdict

ROOT = File(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "answers.sqlite"
FINDINGS = ROOT / "docs" / "findings.md"
SECONDS, SLOW = 60.0, 5.0
PROPERTIES = tuple(Property)
Named = tuple[str, str, str]
Answers = dict[Named, Finding]
Anchors = dict[Named, str]


@dataclass(frozen=True, slots=True)
class Machine:
    """A device behind a path, as the table's columns have it.

    ``page_size`` and ``granule`` in bytes; granule None where the path has none; the
    masks None where they are the device's own.
    ``in_table``: shown in the README's table, the others in docs/findings.md alone.
    """

    key: str
    title: str
    device: str
    page_size: int
    path: Path
    granule: int | None = None
    min_align_mask: int | None = None
    seg_boundary_mask: int | None = None
    in_table: bool = True


Question = tuple[KernelState, Machine, Property]
K = 1024
MACHINES = (
    Machine(
        "64K", "NVMe behind a 64 KiB granule", "nvme", 64 * K, Path.IOMMU, 64 * K
    ),
    Machine("4K", "NVMe behind a 4 KiB granule", "nvme", 4 * K, Path.IOMMU, 4 * K),
    Machine(
        "direct", "NVMe through dma-direct, 4 KiB pages", "nvme", 4 * K, Path.DIRECT
    ),
    Machine(
        "link", "NVMe through dma_iova_link(), 64 KiB granule", "nvme", 64 * K,
        Path.LINK, 64 * K, in_table=False,
    ),
    Machine(
        "link-16K", "NVMe through dma_iova_link(), 16 KiB granule", "nvme", 16 * K,
        Path.LINK, 16 * K, in_table=False,
    ),
    Machine(
        "link-4K", "NVMe through dma_iova_link(), 4 KiB granule", "nvme", 4 * K,
        Path.LINK, 4 * K, in_table=False,
    ),
    Machine(
        "alloc", "coherent allocations from a restricted pool, 4 KiB pages", "generic",
        4 * K, Path.ALLOC, None, 0, U32_MAX, in_table=False,
    ),
)  # fmt: skip
ORDER = ("direct", "4K", "64K", "alloc", "link", "link-16K", "link-4K")


def groups() -> list[tuple[KernelState, ...]]:
    """Built-in states, those with equal decision points together."""
    found: dict[str, list[KernelState]] = {}
    for state in RELEASES:
        found.setdefault(digest(state), []).append(state)
    return [tuple(states) for states in found.values()]


def digest(state: KernelState) -> str:
    """A short name for the decision points of ``state``."""
    text = json.dumps(state.decisions(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def unit(state: KernelState, machine: Machine, prop: Property) -> Unit:
    """The question behind one cell of a table."""
    return Unit(
        state,
        prop,
        device(machine.device),
        machine.page_size,
        machine.path,
        machine.granule,
        machine.min_align_mask,
        machine.seg_boundary_mask,
    )


def questions() -> Iterator[Question]:
    """Every question, the quickest machines first."""
    by_key = {machine.key: machine for machine in MACHINES}
    for key in ORDER:
        machine = by_key[key]
        for states in groups():
            if BuiltinKernel(states[0]).unsupported(machine.path) is None:
                for prop in PROPERTIES:
                    if applies(prop, machine.path):
                        yield states[0], machine, prop


def named(question: Question) -> Named:
    """State, machine and property by name."""
    state, machine, prop = question
    return state.name, machine.key, prop.value


def known(store: Store) -> Answers:
    """What the store has of the answers."""
    whose, asked = identity(), list(questions())
    kept = store.load(whose)
    keys = [key_of(unit(*question).query(), whose) for question in asked]
    return {
        named(question): kept[key].finding
        for question, key in zip(asked, keys, strict=True)
        if key in kept
    }


def compute(store: Store, workers: int) -> Answers:
    """Every answer; what the store lacks is asked, ``workers`` questions at a time."""
    asked = list(questions())
    units = [unit(*question) for question in asked]
    answers: Answers = {}
    lines = Audit(units, store, LocalExecutor(workers), SECONDS).lines()
    for question, line in zip(asked, lines, strict=True):
        answers[named(question)] = found = line.finding
        if not line.stored:
            words = (*named(question), found.verdict.shown, f"{found.seconds:.1f} s")
            print(*words, file=sys.stderr, flush=True)
    return answers


CELLS = re.compile(r"^Cells: (.+)$")
HEADING = re.compile(r'^<a id="([a-z0-9-]+)"></a>$')


def anchors() -> Anchors:
    """State, machine and property to the section of docs/findings.md that has it.

    A line reads ``Cells: fits, finds | 64K, 4K | v6.3, v6.5``.
    """
    found: Anchors = {}
    first = {state.name: states[0].name for states in groups() for state in states}
    section = ""
    for line in FINDINGS.read_text().splitlines() if FINDINGS.exists() else []:
        if heading := HEADING.match(line):
            section = heading.group(1)
        elif cells := CELLS.match(line):
            props, machines, states = (
                [word.strip(" `") for word in part.split(",")]
                for part in cells.group(1).split("|")
            )
            for state in states:
                for machine in machines:
                    for prop in props:
                        found.setdefault((first[state], machine, prop), section)
    return found


def shown(cell: Named, answers: Answers, where: Anchors) -> str:
    """One cell of the table."""
    if cell not in answers:
        return "not asked"
    verdict = answers[cell].verdict
    if verdict is not Verdict.BROKEN:
        holds = verdict is Verdict.HOLDS
        return verdict.shown if holds else f"**{verdict.shown}**"
    section = where.get(cell)
    return f"[**broken**][{section}]" if section else "**broken**"


def table(machine: Machine, answers: Answers, where: Anchors) -> str:
    """The verdicts on one machine as a markdown table, one row a group of states."""
    lines = [
        f"| {machine.title} | " + " | ".join(f"`{p}`" for p in PROPERTIES) + " |",
        "|---" * (len(PROPERTIES) + 1) + "|",
    ]
    for states in groups():
        if BuiltinKernel(states[0]).unsupported(machine.path) is not None:
            continue
        names = ", ".join(f"`{state.name}`" for state in states)
        row = [named((states[0], machine, prop)) for prop in PROPERTIES]
        cells = [shown(cell, answers, where) for cell in row]
        lines.append(f"| {names} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def who_meets(machine: Machine) -> str:
    """In which states a machine of the table is live and latent, and by which rule."""
    found: dict[Reached, list[str]] = {}
    for state in RELEASES:
        if BuiltinKernel(state).unsupported(machine.path) is None:
            own = machine.min_align_mask
            mask = NVME_CTRL_PAGE_SIZE - 1 if own is None else own
            granule = machine.granule or machine.page_size
            cell = Cell(machine.page_size, granule, machine.path, mask)
            met = reached(RECORDS[state.name], cell)
            found.setdefault(met, []).append(f"`{state.name}`")
    lines = []
    order = list(Reach)
    for met, names in sorted(found.items(), key=lambda o: order.index(o[0].reach)):
        every = "every state" if len(found) == 1 else ", ".join(names)
        lines.append(f"{met.reach.capitalize()} in {every}: {met.who}.")
    return "\n".join(textwrap.fill(line, 88) for line in lines) + "\n"


def trouble(cell: Named, found: Finding | None) -> Iterator[str]:
    """What is wrong with one answer."""
    name = " ".join(cell)
    if found is None:
        yield f"{name}: not asked yet"
        return
    example = found.counterexample
    if example is not None and not example.minimum:
        yield f"{name}: counterexample not proved minimum"
    if found.verdict not in (Verdict.HOLDS, Verdict.BROKEN):
        yield f"{name}: {found.verdict.shown}: {found.reason}"
    if found.seconds > SLOW:
        yield f"{name}: {found.seconds:.1f} s"


def complaints(answers: Answers, where: Anchors) -> Iterator[str]:
    """Cells that docs/findings.md lacks or has wrongly, unanswered and slow ones."""
    for question in questions():
        yield from trouble(named(question), answers.get(named(question)))
    broken = {c for c, found in answers.items() if found.verdict is Verdict.BROKEN}
    for cell in sorted(broken - where.keys()):
        yield f"{' '.join(cell)}: broken, not in {FINDINGS.name}"
    for cell in sorted(where.keys() - broken):
        yield f"{' '.join(cell)}: in {FINDINGS.name}, not broken"


def main() -> int:
    """Compute what is missing and print the tables; complaints go to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--no-ask", action="store_true", help="only print what is known"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    parser.add_argument("--workers", type=int, default=2, help="at a time")
    parser.add_argument("--all", action="store_true", help="the other machines too")
    parser.add_argument("--prefix", default="docs/findings.md", help="of the links")
    options = parser.parse_args()
    if options.fresh:
        KEPT.unlink(missing_ok=True)
    with Store(KEPT) as store:
        answers = known(store) if options.no_ask else compute(store, options.workers)
    where = anchors()
    wanted = [m for m in MACHINES if m.in_table or options.all]
    text = "\n".join(
        f"{table(machine, answers, where)}\n{who_meets(machine)}" for machine in wanted
    )
    print(text)
    for section in dict.fromkeys(where.values()):
        if f"[{section}]" in text:
            print(f"[{section}]: {options.prefix}#{section}")
    troubles = list(complaints(answers, where))
    print("\n".join(troubles), file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    raise SystemExit(main())
