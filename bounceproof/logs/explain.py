# SPDX-License-Identifier: GPL-2.0-only
"""From a scanned log to explanations, one per event."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, cast

from bounceproof.logs.errors import LogError
from bounceproof.logs.judge.candidates import Given, candidate_cells
from bounceproof.logs.judge.cause import plain_cause, settled
from bounceproof.logs.judge.drivers import Sort, sort_of
from bounceproof.logs.judge.profile import Profile, profile_of
from bounceproof.logs.judge.remedy import (
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
from bounceproof.logs.judge.verdict import (
    CellResult,
    Excluded,
    PoolSeen,
    Verdict,
    judge_cell,
    overall,
)
from bounceproof.logs.narrow import Span, span_of
from bounceproof.logs.pool import pool_at
from bounceproof.logs.read.kinds import SEARCHES, Kind
from bounceproof.logs.read.messages import Event
from bounceproof.logs.read.scan import Scan
from bounceproof.logs.told.facts import Facts
from bounceproof.logs.told.version import Nearest, nearest_state, states_between
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import STATES
from bounceproof.models.constants import MAX_PHYS_BITS
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import KernelModel
from bounceproof.models.requests.devices import Device

MOST_EXPLAINED: Final = 8
_NUMBERS_DECIDE: Final = (Verdict.NO_POOL, Verdict.FULL, Verdict.REFUSED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user states.  ``state`` is that of ``model`` where it is built in;
    ``nearest`` how it was found from what uname -r prints."""

    model: KernelModel | None = None
    state: KernelState | None = None
    device: Device | None = None
    given: Given = field(default_factory=Given)
    nearest: Nearest | None = None


@dataclass(slots=True)
class Explanation:
    """One event explained.

    ``kernel``: the state it was judged in; ``nearest`` says how it was found, None
    where the user named it.  ``span``: the releases that print these forms.
    ``possible``: where the version is unknown or the state cannot print the line, the
    kernels that can.  ``verdict`` None where nothing that is modelled prints the line;
    ``fullest``: the verdict at the most used slots, where it is another.
    """

    event: Event
    profile: Profile
    sort: Sort
    pool: PoolSeen
    span: Span
    kernel: str | None = None
    nearest: Nearest | None = None
    results: list[CellResult] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    verdict: Verdict | None = None
    fullest: Verdict | None = None
    possible: list[str] = field(default_factory=list)
    fixes: tuple[Trial, ...] = ()
    first_release: str | None = None
    safe_size: int | None = None

    @property
    def facts(self) -> Facts:
        """What the boot's log tells."""
        return self.event.facts

    @property
    def sized(self) -> bool:
        """Whether the line has a size that a search failed for."""
        size = self.event.message.sz
        searched = self.event.message.kind in SEARCHES
        return searched and size is not None and 0 < size < 1 << MAX_PHYS_BITS


def _kernel(
    asked: Asked, facts: Facts
) -> tuple[KernelModel | None, KernelState | None, Nearest | None]:
    if asked.model is not None:
        return asked.model, asked.state, asked.nearest
    nearest = nearest_state(facts.version or "", facts.distribution, facts.hidden_patch)
    if nearest is None:
        return None, None, None
    state = STATES[nearest.state]
    return BuiltinKernel(state), state, nearest


def _addresses(explanation: Explanation) -> frozenset[int]:
    """orig_addr of the requests, where other lines of the same failures told it."""
    told = {address for address, _ in explanation.event.addresses}
    return frozenset(told) if explanation.event.companions else frozenset()


def _judge_with(
    explanation: Explanation, model: KernelModel, given: Given, sz: int
) -> list[CellResult | Excluded]:
    event, profile = explanation.event, explanation.profile
    cells = candidate_cells(model, event.facts, profile, given, event.message.device)
    addresses = _addresses(explanation)
    return [
        judge_cell(model, cell, profile, sz, explanation.pool, addresses=addresses)
        for cell in cells
    ]


def _judge(
    explanation: Explanation, model: KernelModel, given: Given, sz: int, named: bool
) -> Line:
    """Judge every cell; a driver that asks for no such size as modelled may still map
    other things than its requests, unless the user ``named`` the device."""
    found = _judge_with(explanation, model, given, sz)
    device = explanation.profile.device
    alone = not any(isinstance(f, CellResult) for f in found)
    if alone and device is not None and not named and sz % 512:
        explanation.profile = replace(explanation.profile, any_size=True)
        found = _judge_with(explanation, model, given, sz)
    explanation.results = [f for f in found if isinstance(f, CellResult)]
    explanation.excluded = [f for f in found if isinstance(f, Excluded)]
    explanation.kernel = model.name
    if explanation.results:
        return line_of(sz, explanation.profile, explanation.results, explanation.pool)
    cells = tuple((f.cell, sz) for f in found)
    return Line(sz, explanation.profile, cells)


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
    event, known = explanation.event, dict[tuple[object, ...], bool]()
    for name in states_between(explanation.span.since, explanation.span.until):
        state = STATES[name]
        model, key = BuiltinKernel(state), signature(state)
        if key not in known:
            cells = candidate_cells(
                model,
                event.facts,
                explanation.profile,
                asked.given,
                event.message.device,
            )
            line = Line(sz, explanation.profile, tuple((cell, sz) for cell in cells))
            known[key] = prints(model, line, explanation.pool)
        if known[key]:
            explanation.possible.append(name)


def _shown_state(explanation: Explanation) -> KernelState:
    """The built-in state to show where the version is unknown: the newest that can
    print the line, or that is left."""
    span = explanation.span
    left = explanation.possible or states_between(span.since, span.until)
    return STATES[left[-1]] if left else next(iter(STATES.values()))


def _search(explanation: Explanation, asked: Asked, sz: int) -> None:
    """Judge a size that a search failed for."""
    model, state, nearest = _kernel(asked, explanation.facts)
    explanation.nearest = nearest
    if plain_cause(sz, explanation.pool) in _NUMBERS_DECIDE:
        explanation.verdict = plain_cause(sz, explanation.pool)
        explanation.kernel = model.name if model else None
        return
    if model is None:
        if plain_cause(sz, explanation.pool) is None:
            _every_kernel(explanation, asked, sz)
        state = _shown_state(explanation)
        model = BuiltinKernel(state)
    line = _judge(explanation, model, asked.given, sz, asked.device is not None)
    judged = overall(explanation.results)
    known = explanation.profile.device is not None
    explanation.verdict = settled(sz, explanation.pool, judged, known)
    if explanation.verdict is None and state is not None and line.cells:
        explanation.possible = states_that_print(state, line, explanation.pool)
    elif any(result.never_share for result in explanation.results):
        _remedies(explanation, model, state, line)


def _fullest(explanation: Explanation, sz: int) -> None:
    """The verdict where the pool was at its fullest, if that is another."""
    course = explanation.event.course
    pool = replace(explanation.pool, used=course.most if course.count else None)
    verdict = settled(sz, pool, explanation.verdict, True)
    explanation.fullest = verdict if verdict is not explanation.verdict else None


def _disabled(explanation: Explanation, kinds: set[Kind]) -> bool:
    """Whether the kernel marked the whole pool as used, for want of decryption."""
    pool = explanation.pool
    whole = pool.total is not None and pool.used == pool.total
    return Kind.UNDECRYPTED in kinds and whole


def _explain(event: Event, asked: Asked, others: list[Event]) -> Explanation:
    facts, message = event.facts, event.message
    here = [other for other in others if other.facts is facts]
    span = span_of(here)
    nearest = nearest_state(facts.version) if facts.version else asked.nearest
    old = facts.version is None and asked.model is None and span.before_masks
    maskless = old or bool(nearest and nearest.no_min_align)
    if asked.model is not None and asked.nearest is None:
        maskless = False
    explanation = Explanation(
        event=event,
        profile=profile_of(message.driver, asked.device, maskless),
        sort=sort_of(message.driver, message.device),
        pool=pool_at(event, asked.nearest, span),
        span=span,
    )
    if explanation.sized:
        size = message.sz or 0
        _search(explanation, asked, size)
        if _disabled(explanation, {other.message.kind for other in here}):
            explanation.verdict = Verdict.REFUSED
        _fullest(explanation, size)
    elif message.kind in (Kind.REACH, Kind.UNREACHABLE):
        explanation.verdict = Verdict.UNREACHABLE
    elif message.kind is Kind.NO_POOL:
        explanation.verdict = Verdict.NO_POOL
    return explanation


def chosen(scan: Scan) -> list[Event]:
    """The events to explain, in order of appearance: all where they are few, else
    those that came most often."""
    if len(scan.seen) <= MOST_EXPLAINED:
        return scan.seen
    often = sorted(scan.seen, key=lambda event: -event.count)[:MOST_EXPLAINED]
    return sorted(often, key=lambda event: event.line)


def explain(scan: Scan, asked: Asked) -> Iterator[Explanation]:
    """The explanations of a log.  Raises LogError where the log and what the user
    states cannot both be true."""
    for event in chosen(scan):
        page, granule = asked.given.page_size, asked.given.granule
        page = page if page is not None else event.facts.page_size
        if page is not None and granule is not None and granule > page:
            raise LogError(f"--granule {granule}: larger than the page size, {page}")
        yield _explain(event, asked, scan.seen)
