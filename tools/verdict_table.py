# SPDX-License-Identifier: GPL-2.0-only
"""Ask every property of every built-in state on a few machines; print the verdicts.

The path ``link`` has no formula for ``inbounds`` and ``clean``, which are not asked
there.  Answers are kept in build/verdicts.json as they come, so that a second run asks
only what is missing or what a changed state record makes different.  A broken verdict
links to the section of docs/findings.md whose ``Cells:`` lines name it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path as File
from typing import Any

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device
from bounceproof.models.constants import U32_MAX
from bounceproof.models.contract import Property, applies
from bounceproof.models.kernels.releases import RELEASES
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Path

ROOT = File(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "verdicts.json"
FINDINGS = ROOT / "docs" / "findings.md"
SECONDS, SLOW = 60.0, 5.0
PROPERTIES = tuple(Property)
Answer = dict[str, Any]


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


def ask(state: KernelState, machine: Machine, prop: str) -> Answer:
    """The answer to one question, as the cache keeps it."""
    from bounceproof.models.contract import Property
    from bounceproof.solver.answers.check import check_state
    from bounceproof.solver.contract.domain import Domain

    domain = Domain(
        device(machine.device),
        page_size=machine.page_size,
        granule=machine.granule,
        path=machine.path,
        min_align_mask=machine.min_align_mask,
        seg_boundary_mask=machine.seg_boundary_mask,
    )
    found = check_state(state, domain, [Property(prop)], SECONDS).findings[0]
    answer: Answer = {
        "state": state.name,
        "machine": machine.key,
        "property": prop,
        "verdict": found.verdict.value,
        "confirmed": found.confirmed,
        "reason": found.reason,
        "note": found.note,
        "seconds": round(found.seconds, 2),
    }
    example = found.counterexample
    if example is not None:
        answer |= {
            "limit": example.limit,
            "minimum": example.minimum,
            "point": example.point,
            "outcome": example.outcome.fields(),
            "taken": example.taken,
            "history": example.history,
        }
    return answer


def key_of(state: KernelState, machine: Machine, prop: str) -> str:
    """Where the cache keeps the answer."""
    return f"{digest(state)} {machine.key} {prop}"


def questions() -> Iterator[tuple[KernelState, Machine, str]]:
    """Every question, the quickest machines first."""
    by_key = {machine.key: machine for machine in MACHINES}
    for key in ORDER:
        machine = by_key[key]
        for states in groups():
            if BuiltinKernel(states[0]).unsupported(machine.path) is None:
                for prop in PROPERTIES:
                    if applies(prop, machine.path):
                        yield states[0], machine, prop


def load() -> dict[str, Answer]:
    """The answers known so far."""
    return json.loads(CACHE.read_text()) if CACHE.exists() else {}


def save(answers: dict[str, Answer]) -> None:
    """Write the answers, or leave the old ones whole."""
    CACHE.parent.mkdir(exist_ok=True)
    fresh = CACHE.with_suffix(".new")
    fresh.write_text(json.dumps(answers, indent=1, default=str) + "\n")
    fresh.replace(CACHE)


def compute(answers: dict[str, Answer], workers: int) -> None:
    """Ask what is missing, ``workers`` questions at a time, and keep each answer."""
    missing = [q for q in questions() if key_of(*q) not in answers]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(ask, *q): q for q in missing}
        for done in as_completed(running):
            answers[key_of(*running[done])] = answer = done.result()
            save(answers)
            words = [answer[k] for k in ("state", "machine", "property", "verdict")]
            print(*words, f"{answer['seconds']:.1f} s", file=sys.stderr, flush=True)


Anchors = dict[tuple[str, str, str], str]
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


def shown(answer: Answer | None, where: Anchors) -> str:
    """One cell of the table."""
    if answer is None:
        return "not asked"
    verdict = answer["verdict"]
    if verdict != "broken":
        return verdict if verdict == "holds" else f"**{verdict}**"
    section = where.get((answer["state"], answer["machine"], answer["property"]))
    return f"[**broken**][{section}]" if section else "**broken**"


def table(machine: Machine, answers: dict[str, Answer], where: Anchors) -> str:
    """The verdicts on one machine as a markdown table, one row a group of states."""
    lines = [
        f"| {machine.title} | " + " | ".join(f"`{p}`" for p in PROPERTIES) + " |",
        "|---" * (len(PROPERTIES) + 1) + "|",
    ]
    for states in groups():
        if BuiltinKernel(states[0]).unsupported(machine.path) is not None:
            continue
        names = ", ".join(f"`{state.name}`" for state in states)
        answer = partial(key_of, states[0], machine)
        cells = [shown(answers.get(answer(p)), where) for p in PROPERTIES]
        lines.append(f"| {names} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def complaints(answers: dict[str, Answer], where: Anchors) -> Iterator[str]:
    """Cells that docs/findings.md lacks or has wrongly, unanswered and slow ones."""
    broken = set()
    for state, machine, prop in questions():
        answer = answers.get(key_of(state, machine, prop))
        name = f"{state.name} {machine.key} {prop}"
        if answer is None:
            yield f"{name}: not asked yet"
            continue
        if answer["verdict"] == "broken":
            broken.add((state.name, machine.key, prop))
            if not answer["minimum"]:
                yield f"{name}: counterexample not proved minimum"
        elif answer["verdict"] != "holds":
            yield f"{name}: {answer['verdict']}: {answer['reason']}"
        if answer["seconds"] > SLOW:
            yield f"{name}: {answer['seconds']:.1f} s"
    for cell in sorted(broken - where.keys()):
        yield f"{' '.join(cell)}: broken, not in {FINDINGS.name}"
    for cell in sorted(where.keys() - broken):
        yield f"{' '.join(cell)}: in {FINDINGS.name}, not broken"


def main() -> int:
    """Compute what is missing and print the tables; complaints go to stderr."""
    os.environ.setdefault("BOUNCEPROOF_JIT", "0")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--no-ask", action="store_true", help="only print what is known"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    parser.add_argument("--workers", type=int, default=2, help="at a time")
    parser.add_argument("--all", action="store_true", help="the other machines too")
    parser.add_argument("--prefix", default="docs/findings.md", help="of the links")
    options = parser.parse_args()
    answers = {} if options.fresh else load()
    if not options.no_ask:
        compute(answers, options.workers)
    where = anchors()
    wanted = [m for m in MACHINES if m.in_table or options.all]
    text = "\n".join(table(machine, answers, where) for machine in wanted)
    print(text)
    for section in dict.fromkeys(where.values()):
        if f"[{section}]" in text:
            print(f"[{section}]: {options.prefix}#{section}")
    troubles = list(complaints(answers, where))
    print("\n".join(troubles), file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    raise SystemExit(main())
