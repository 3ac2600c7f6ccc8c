# SPDX-License-Identifier: GPL-2.0-only
"""How many mappings always succeed, and whether a mix does, whatever came before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bounceproof.errors import BounceproofError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.capacity.blocking import Places, anywhere, single
from bounceproof.models.capacity.mix import Shape
from bounceproof.models.request import Path
from bounceproof.simulator.capacity.replay import UNMAP, Ran, replay
from bounceproof.solver.capacity.asked import (
    Asked,
    Before,
    places_of,
    puzzle,
    victims,
)
from bounceproof.solver.capacity.budget import (
    Blocking,
    Puzzle,
    Weighed,
    choose,
    lightest_area,
    still_proves,
    weigh,
)
from bounceproof.solver.capacity.history import (
    History,
    NoHistory,
    another,
    blocking_history,
)
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.native.native_history import Call, run_native_history

CHOOSING = 5.0
"""Seconds to choose which slot sets a mix blocks how."""


class Contradicted(BounceproofError):
    """What runs does not do what was proved: an error of ours."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A history run on the simulator: after ``live`` mappings the next one failed.

    ``used``: slots in use then.
    """

    history: History
    pool_start: int
    live: int
    used: int


@dataclass(frozen=True, slots=True)
class Together:
    """``most`` mappings of the mix, any of them, always succeed.

    ``victim``: what may fail beyond; ``shown``: how, None where no history was found.
    """

    most: int
    victim: Shape
    pool_start: int
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class OfMix:
    """Whether the mix always succeeds, each group up to its count.

    ``blocks``: the slot sets that it can block at most, by ``weighed``; ``shown``: a
    history in which it fails, for ``broken``.
    """

    verdict: Verdict
    blocks: Fraction
    weighed: Weighed
    victim: Shape
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class Emptiest:
    """The fewest used slots, whoever uses them, with which ``victim`` may fail."""

    victim: Shape
    used: int
    pool_start: int


@dataclass(frozen=True, slots=True)
class _Case:
    """One victim in one place of the pool."""

    puzzle: Puzzle
    pool_start: int
    shapes: tuple[Shape, ...]


def _puzzle(asked: Asked, victim: Shape, places: Places, before: Before) -> Puzzle:
    sets, groups = asked.sets_of_area, len(asked.groups)
    return puzzle(victim, places, before, sets, groups)


def _cases(asked: Asked, before: Before) -> Iterator[_Case]:
    for start in asked.pool_starts():
        shapes = asked.shapes(start)
        places = places_of(shapes, before, asked.segsize)
        for victim in victims(shapes):
            yield _Case(_puzzle(asked, victim, places, before), start, shapes)


def together(asked: Asked, before: Before) -> Together:
    """The most mappings of the mix that always succeed, whichever they are.

    Raises Contradicted where the simulator maps what must fail.
    """
    weights = [1] * len(asked.groups)
    found: tuple[int, _Case, list[Blocking]] | None = None
    for case in _cases(asked, before):
        ways = lightest_area(case.puzzle, weights, asked.sets_of_area)
        most = asked.nareas * sum(way.blocked.weight for way in ways)
        if found is None or most < found[0]:
            found = most, case, ways
    assert found is not None
    most, case, ways = found
    movers = next(_movers(asked, before, case))
    shown = _shown(asked, movers, case, [ways] * asked.nareas)
    if shown is not None and shown.live != most:
        raise Contradicted(f"{shown.live} mappings block what {most} are to block")
    return Together(most, case.puzzle.victim, case.pool_start, shown)


def of_mix(asked: Asked, before: Before, hurried: bool = False) -> OfMix:
    """Whether the mix always succeeds.

    ``hurried``: the first victim for which it may not will do, not the one for which
    the mix blocks most.
    """
    worst: tuple[Weighed, _Case] | None = None
    for case in _cases(asked, before):
        counts = _others(asked, case.puzzle.victim)
        known = worst[0] if worst else None
        weighed = still_proves(case.puzzle, known, counts, asked.nareas)
        if weighed is None or weighed.most >= asked.sets:
            weighed = weigh(case.puzzle, counts, asked.nareas)
        if worst is None or weighed.most > worst[0].most:
            worst = weighed, case
        if hurried and weighed.most >= asked.sets:
            break
    assert worst is not None
    weighed, case = worst
    verdict, shown = Verdict.HOLDS, None
    if weighed.most >= asked.sets:
        shown = _mix_shown(asked, before, case, weighed)
        verdict = Verdict.UNKNOWN if shown is None else Verdict.BROKEN
    return OfMix(verdict, weighed.most, weighed, case.puzzle.victim, shown)


def _others(asked: Asked, victim: Shape) -> list[int]:
    """What else is live, at most, when ``victim`` is mapped."""
    return [n - (g == victim.group) for g, n in enumerate(asked.counts)]


def _mix_shown(
    asked: Asked, before: Before, case: _Case, weighed: Weighed
) -> Shown | None:
    counts = _others(asked, case.puzzle.victim)
    chosen = choose(weighed, counts, asked.sets, asked.nareas, CHOOSING)
    if chosen is None:
        return None
    ways = [way for way, often in chosen for _ in range(often)]
    ways.sort(key=lambda way: way.missed is None)
    areas: list[list[Blocking]] = [[] for _ in range(asked.nareas)]
    for number, way in enumerate(ways):
        areas[number % asked.nareas].append(way)
    for movers in _movers(asked, before, case):
        shown = _shown(asked, movers, case, areas)
        if shown is not None and _within(shown.history, asked):
            return shown
    return None


def _movers(asked: Asked, before: Before, case: _Case) -> Iterator[tuple[Shape, ...]]:
    """What may come and go on the way: of the mix, all or those of one group."""
    if before is Before.ANYTHING:
        yield (another(),)
        return
    yield case.shapes
    for group in range(len(asked.groups)):
        yield tuple(shape for shape in case.shapes if shape.group == group)


def _within(history: History, asked: Asked) -> bool:
    """Whether no group ever has more live mappings than its count."""
    live = [0] * (len(asked.groups) + 1)
    most = [*asked.counts, len(history.calls)]
    for call in history.calls:
        mapped = call[0] >= 0
        group = history.shapes[call[-1]].group
        live[group] += 1 if mapped else -1
        if live[group] > most[group]:
            return False
    return True


def _shown(
    asked: Asked,
    movers: tuple[Shape, ...],
    case: _Case,
    ways: Sequence[Sequence[Blocking]],
) -> Shown | None:
    """A history that leads there, run; None where none is found or can be run."""
    if not (isinstance(asked.model, BuiltinKernel) or asked.native):
        return None
    try:
        history = blocking_history(asked.groups, movers, case.puzzle.victim, ways)
    except NoHistory:
        return None
    ran = run(asked, history, case.pool_start)
    _require(ran, history)
    return Shown(history, case.pool_start, ran.live, ran.used)


def run(asked: Asked, history: History, pool_start: int) -> Ran:
    """``history`` on the simulator, or on a tree's own compiled code."""
    model, rows = asked.model, history.rows()
    pool = (pool_start, asked.nslabs, asked.nareas)
    if isinstance(model, BuiltinKernel):
        return replay(model.state, asked.page_size, *pool, rows)
    assert isinstance(model, SourceKernel)
    cells = [group.cell for group in asked.groups]
    cell = next((one for one in cells if one.path is not Path.DIRECT), cells[0])
    found = run_native_history(model, cell, PoolNumbers(*pool), _calls(history))
    return _ran(history, found)


def _ran(history: History, found: list[int]) -> Ran:
    """What the slots that mappings got in turn make of the history."""
    mapped, slots, live, used, peak = iter(found), [], set[int](), 0, 0
    for call in history.calls:
        name, nslots = call[-1], history.shapes[call[-1]].nslots
        slot = 0 if call[0] == UNMAP else next(mapped)
        slots.append(slot)
        if call[0] != UNMAP and slot >= 0:
            live.add(name)
            used += nslots
        elif call[0] == UNMAP and name in live:
            live.remove(name)
            used -= nslots
        peak = max(peak, used)
    failed = sum(slot < 0 for slot in slots)
    return Ran(np.array(slots), used, peak, len(live), failed)


def _calls(history: History) -> list[Call]:
    """As compiled code takes them."""
    of = {call[-1]: call for call in history.calls if call[0] != UNMAP}
    found = []
    for call in history.calls:
        *_, mask, orig_addr, size, cpu, name = of[call[-1]]
        found.append((call[0] != UNMAP, mask, orig_addr, size, cpu, name))
    return found


def _require(ran: Ran, history: History) -> None:
    """Contradicted unless the last call alone failed, and what stays lies there."""
    astray = [
        name
        for call, slot in zip(history.calls, ran.slots.tolist(), strict=True)
        if (name := call[-1]) in history.kept and call[0] >= 0
        if history.kept[name] != slot
    ]
    if ran.failed != 1 or ran.slots[-1] >= 0 or astray:
        raise Contradicted(
            "what runs does not follow the history that blocks the pool: "
            f"{ran.failed} calls fail, {len(astray)} mappings lie elsewhere"
        )


def emptiest(asked: Asked) -> Emptiest:
    """The fewest used slots, of any devices, with which a mapping may fail."""
    found: Emptiest | None = None
    ones = Places(tuple(anywhere([single()], asked.segsize)), asked.segsize)
    for case in _cases(asked, Before.ANYTHING):
        victim = case.puzzle.victim
        plain = _puzzle(asked, victim, ones, Before.ANYTHING)
        weights = [1] * len(asked.groups)
        used = asked.nareas * sum(
            way.blocked.weight
            for way in lightest_area(plain, weights, asked.sets_of_area)
        )
        if found is None or used < found.used:
            found = Emptiest(victim, used, case.pool_start)
    assert found is not None
    return found
