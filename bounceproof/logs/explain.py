# SPDX-License-Identifier: GPL-2.0-only
"""From a scanned log to explanations, one per distinct message."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from bounceproof.logs.advice import Lookup, advice_for, lookups_for
from bounceproof.logs.candidates import Given, candidate_cells
from bounceproof.logs.context import Facts
from bounceproof.logs.errors import LogError
from bounceproof.logs.kinds import SEARCHES
from bounceproof.logs.notes import NO_SIZE, NOTES, Note
from bounceproof.logs.profile import Profile, profile_of
from bounceproof.logs.remedy import (
    Line,
    Trial,
    first_release,
    fixes_for,
    line_of,
    prints,
    safe_size,
    signature,
    states_that_print,
)
from bounceproof.logs.scan import Scan, Seen
from bounceproof.logs.verdict import (
    CellResult,
    Excluded,
    PoolSeen,
    Verdict,
    judge_cell,
    overall,
)
from bounceproof.logs.version import Nearest, nearest_state
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import STATES
from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.devices import Device
from bounceproof.models.request import KernelModel
from bounceproof.models.state import KernelState

MOST_EXPLAINED: Final = 24


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user states.  ``state`` is that of ``model`` where it is built in."""

    model: KernelModel | None = None
    state: KernelState | None = None
    device: Device | None = None
    given: Given = field(default_factory=Given)


@dataclass(slots=True)
class Explanation:
    """One message explained.

    ``kernel``: the state it was judged in; ``nearest`` says how it was found, None
    where the user named it.  ``possible``: where the version is unknown or the state
    cannot print the line, the kernels that can.  ``verdict`` None where nothing that
    is modelled prints the line.
    """

    seen: Seen
    profile: Profile
    pool: PoolSeen
    kernel: str | None = None
    nearest: Nearest | None = None
    note: Note | None = None
    results: list[CellResult] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    verdict: Verdict | None = None
    possible: list[str] = field(default_factory=list)
    fixes: tuple[Trial, ...] = ()
    first_release: str | None = None
    safe_size: int | None = None
    advice: list[str] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)


def _areas(facts: Facts) -> int | None:
    if facts.nareas is not None or facts.cpus is None:
        return facts.nareas
    return 1 << (facts.cpus - 1).bit_length()


def _pool(seen: Seen) -> PoolSeen:
    message, facts = seen.message, seen.facts
    total = message.total if message.total is not None else facts.nslabs
    return PoolSeen(total, message.used, _areas(facts))


def _kernel(
    asked: Asked, facts: Facts
) -> tuple[KernelModel | None, KernelState | None, Nearest | None]:
    if asked.model is not None:
        return asked.model, asked.state, None
    nearest = nearest_state(facts.version or "", facts.distribution)
    if nearest is None:
        return None, None, None
    state = STATES[nearest.state]
    return BuiltinKernel(state), state, nearest


def _judge(explanation: Explanation, model: KernelModel, given: Given, sz: int) -> Line:
    seen, profile = explanation.seen, explanation.profile
    cells = list(
        candidate_cells(model, seen.facts, profile, given, seen.message.device)
    )
    for cell in cells:
        found = judge_cell(model, cell, profile, sz, explanation.pool)
        if isinstance(found, CellResult):
            explanation.results.append(found)
        else:
            explanation.excluded.append(found)
    explanation.kernel = model.name
    explanation.verdict = overall(explanation.results)
    if explanation.results:
        return line_of(sz, profile, explanation.results, explanation.pool)
    return Line(sz, profile, tuple((cell, sz) for cell in cells))


def _remedies(
    explanation: Explanation, model: KernelModel, state: KernelState | None, line: Line
) -> None:
    explanation.safe_size = safe_size(cast(Hashable, model), line)
    if state is None:
        return
    explanation.fixes = fixes_for(state, line)
    explanation.first_release = first_release(state.name, line)


def _every_kernel(explanation: Explanation, asked: Asked, sz: int) -> None:
    """The built-in states that can print the line, where the version is unknown."""
    seen, known = explanation.seen, dict[tuple[object, ...], bool]()
    for state in STATES.values():
        model, key = BuiltinKernel(state), signature(state)
        if key not in known:
            cells = candidate_cells(
                model, seen.facts, explanation.profile, asked.given, seen.message.device
            )
            line = Line(sz, explanation.profile, tuple((cell, sz) for cell in cells))
            known[key] = prints(model, line, explanation.pool)
        if known[key]:
            explanation.possible.append(state.name)


def _search_message(explanation: Explanation, asked: Asked, sz: int) -> None:
    facts = explanation.seen.facts
    model, state, nearest = _kernel(asked, facts)
    explanation.nearest = nearest
    if model is None:
        _every_kernel(explanation, asked, sz)
        if not explanation.possible:
            return
        state = STATES[explanation.possible[-1]]
        model = BuiltinKernel(state)
    line = _judge(explanation, model, asked.given, sz)
    if not explanation.results and state is not None and line.cells:
        explanation.possible = states_that_print(state, line, explanation.pool)
    elif any(result.never_share for result in explanation.results):
        _remedies(explanation, model, state, line)


def _explain(seen: Seen, asked: Asked) -> Explanation:
    nearest = nearest_state(seen.facts.version) if seen.facts.version else None
    maskless = bool(nearest and nearest.no_min_align and asked.model is None)
    profile = profile_of(seen.message.driver, asked.device, maskless)
    explanation = Explanation(seen, profile, _pool(seen))
    sz = seen.message.sz
    if seen.message.kind in SEARCHES:
        if sz is None or not 0 < sz < 1 << MAX_PHYS_BITS:
            explanation.note = NO_SIZE
            return explanation
        _search_message(explanation, asked, sz)
        explanation.advice = advice_for(
            explanation.verdict, seen, profile, explanation.pool, explanation.safe_size
        )
        explanation.lookups = lookups_for(
            seen, asked.given, explanation.verdict, explanation.results, asked.model
        )
        return explanation
    explanation.note = NOTES.get(seen.message.kind)
    return explanation


def _ends(group: list[Seen]) -> list[Seen]:
    """The least and the most used slots of like messages."""
    by_used = sorted(group, key=lambda s: s.message.used or 0)
    return by_used[:1] + (by_used[-1:] if len(by_used) > 1 else [])


def chosen(scan: Scan) -> list[Seen]:
    """The messages to explain, in order of appearance.

    All of them where they are few; else, of messages that differ in used slots alone,
    the two with the least and the most.
    """
    if len(scan.seen) <= MOST_EXPLAINED:
        return scan.seen
    groups: dict[tuple[object, ...], list[Seen]] = {}
    for seen in scan.seen:
        m = seen.message
        key = (id(seen.facts), m.kind, m.driver, m.device, m.sz, m.total)
        groups.setdefault(key, []).append(seen)
    often = sorted(groups.values(), key=lambda g: -sum(s.count for s in g))
    kept = [seen for group in often for seen in _ends(group)][:MOST_EXPLAINED]
    return sorted(kept, key=lambda seen: seen.line)


def explain(scan: Scan, asked: Asked) -> Iterator[Explanation]:
    """The explanations of a log.  Raises LogError where the log and what the user
    states cannot both be true."""
    for seen in chosen(scan):
        page, granule = asked.given.page_size, asked.given.granule
        page = page if page is not None else seen.facts.page_size
        if page is not None and granule is not None and granule > page:
            raise LogError(f"--granule {granule}: larger than the page size, {page}")
        yield _explain(seen, asked)
