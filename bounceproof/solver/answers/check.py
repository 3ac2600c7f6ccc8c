# SPDX-License-Identifier: GPL-2.0-only
"""What ``check`` asks: every property of a kernel over a domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import LIVE, Property, applies
from bounceproof.models.formulas.search import NotRead
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Doubtful, KernelModel, RunsHistories
from bounceproof.solver.answers.parallel import ask_apart, parts_of, together
from bounceproof.solver.answers.property import (
    RANKED,
    ask_property,
    directed_of,
    ends_of,
    unanswered,
)
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import (
    Counterexample,
    Finding,
    Hunt,
    Verdict,
    Watch,
    exit_code,
    numbered,
    overall,
    told,
    unwatched,
)
from bounceproof.solver.counterexample.confirm import confirmer
from bounceproof.solver.counterexample.find import (
    anywhere_question,
    cells_with_limits,
    placement_question,
    property_question,
    unfinished_question,
)
from bounceproof.solver.counterexample.trials import with_trials
from bounceproof.solver.trees.leftovers import with_leftovers
from bounceproof.solver.trees.list_histories import with_lists
from bounceproof.solver.trees.own_slots import OwnSlots
from bounceproof.solver.trees.started import as_started

if TYPE_CHECKING:
    from bounceproof.solver.concrete.directed import Directed


@dataclass(frozen=True, slots=True)
class Checked:
    """``check``: one finding a property."""

    model: KernelModel
    domain: Domain
    findings: tuple[Finding, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells in which a question was put."""
        asked = (c for finding in self.findings for c in finding.cells)
        kept = (c.cell for c in asked if c.verdict is not Verdict.NO_REQUEST)
        return tuple(dict.fromkeys(kept))

    @property
    def empty(self) -> tuple[Cell, ...]:
        """The cells in which no request lies."""
        every = (c.cell for finding in self.findings for c in finding.cells)
        return tuple(dict.fromkeys(c for c in every if c not in self.cells))

    @property
    def name(self) -> str:
        return self.model.name

    def also_confirmed(self, run: Callable[[Counterexample], Outcome]) -> Checked:
        """The findings with each counterexample run once more by ``run``.

        Another outcome than the one shown is a disagreement.
        """
        findings = tuple(_again(finding, run) for finding in self.findings)
        return Checked(self.model, self.domain, findings)

    @property
    def exit_code(self) -> int:
        return exit_code(finding.verdict for finding in self.findings)

    @property
    def holds_by_rule(self) -> bool:
        """Whether a property holds in a cell, one that a ranking does not show."""
        return any(_holds(f) for f in self.findings if RANKED not in (f.note or ""))

    @property
    def holds_by_ranking(self) -> bool:
        """Whether a search is shown to end by a ranking of its turns."""
        return any(_holds(f) for f in self.findings if RANKED in (f.note or ""))

    @property
    def verdict(self) -> Verdict:
        return overall(finding.verdict for finding in self.findings)


def _holds(finding: Finding) -> bool:
    return any(cell.verdict is Verdict.HOLDS for cell in finding.cells)


def _again(finding: Finding, run: Callable[[Counterexample], Outcome]) -> Finding:
    if finding.counterexample is None:
        return finding
    outcome = run(finding.counterexample)
    if outcome == finding.counterexample.outcome:
        note = "compiled and run natively with the same outcome"
        notes = [note] if finding.note is None else [finding.note, note]
        return replace(finding, note="; ".join(notes))
    reason = f"run natively, the outcome is {outcome.fields()}"
    return replace(finding, verdict=Verdict.DISAGREE, confirmed=False, reason=reason)


def _with_lists(model: KernelModel, found: Finding) -> Finding:
    """Of a tree, slots are a mapping's own only where its list[] is kept right."""
    asked = found.prop in LIVE and found.verdict is Verdict.HOLDS
    if not asked or not isinstance(model, RunsHistories):
        return found
    return with_lists(model, found)


def check_kernel(
    model: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch = unwatched,
) -> Checked:
    """Ask every property of ``model`` over ``domain``, pages of each size apart.

    What depends on code that cannot be read is unknown, and the reason names it.
    """
    return check_each((("", model),), domain, properties, seconds, watch)[0]


def check_each(
    models: tuple[tuple[str, KernelModel], ...],
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch,
) -> list[Checked]:
    """:func:`check_kernel` of models with names, one process for all of them: what two
    kernels have in common is asked once."""
    domains = parts_of(domain, len(properties))
    if len(domains) > 1:

        def part(own: Domain, hears: Watch) -> tuple[Finding, ...]:
            checked = check_each(models, own, properties, seconds, hears)
            return tuple(found for one in checked for found in one.findings)

        found = ask_apart(part, domains, watch)
        if found is not None:
            every = [together(list(parts)) for parts in zip(*found, strict=True)]
            many = len(properties)
            return [
                Checked(model, domain, tuple(every[at * many : (at + 1) * many]))
                for at, (_, model) in enumerate(models)
            ]
    return [
        _check(model, domain, properties, seconds, _share(watch, models, number))
        for number, (_, model) in enumerate(models)
    ]


def _share(
    watch: Watch, models: tuple[tuple[str, KernelModel], ...], number: int
) -> Watch:
    """``watch``, told of which model something is asked where there are several."""
    if len(models) == 1:
        return watch
    return told(watch, models[number][0], number, len(models))


def _check(
    model: KernelModel,
    domain: Domain,
    properties: list[Property],
    seconds: float,
    watch: Watch,
) -> Checked:
    try:
        every = cells_with_limits(model, domain)
    except NotRead as reason:
        why = str(reason)
        nothing = tuple(unanswered(prop, why) for prop in properties)
        return Checked(model, domain, nothing)
    findings: list[Finding] = []
    directed, ends = cache(partial(directed_of, model, domain)), ends_of(model)
    questions = sum(applies(p, c.path) for p in properties for c, _ in every)
    watch, own = numbered(watch, questions), OwnSlots(model)
    for prop in properties:
        cells = tuple(pair for pair in every if applies(prop, pair[0].path))
        if every and not cells:
            where = every[0][0].path.value
            findings.append(unanswered(prop, f"{prop} is not asked on path {where}"))
            continue
        wanted = _hunt_of(prop, model, domain, cells, seconds)
        wanted = replace(wanted, watch=watch)
        found = _found(model, wanted, directed, ends)
        if found.verdict is Verdict.UNKNOWN:
            found = _shown_anyway(model, wanted, found)
        found = own.checked(wanted, found)
        pages = {cell.page_size for cell, _ in cells}
        started = as_started(found, (model,), pages, wanted)
        findings.append(with_trials(model, domain, started))
    return Checked(model, domain, tuple(findings))


def _hunt_of(
    prop: Property,
    model: KernelModel,
    domain: Domain,
    cells: tuple[tuple[Cell, int], ...],
    seconds: float,
) -> Hunt:
    run, confirm = confirmer(prop, model)
    question = property_question(prop, model)
    wider = anywhere_question(prop, model)
    wanted = Hunt(prop, domain, cells, question, run, confirm, seconds, wider)
    return replace(
        wanted,
        geometry=model.geometry,
        unfinished=unfinished_question(prop, model),
        placeable=placement_question(model, domain),
        among_others=prop in LIVE and not isinstance(model, BuiltinKernel),
    )


def _found(
    model: KernelModel,
    wanted: Hunt,
    directed: Callable[[], Directed | None] = lambda: None,
    ends: Callable[[Cell], bool] = lambda cell: False,
) -> Finding:
    try:
        asked = ask_property(wanted, directed, ends)
        return with_leftovers(model, wanted, _with_lists(model, asked))
    except NotRead as reason:
        return unanswered(wanted.prop, str(reason), wanted.cells)


def _shown_anyway(model: KernelModel, wanted: Hunt, found: Finding) -> Finding:
    """``found``, or a break that the tree's code shows where nothing is proved of what
    its mappings leave alone."""
    doubted = model.doubted() if isinstance(model, Doubtful) else None
    if doubted is None or wanted.prop not in LIVE:
        return found
    domain, cells, seconds = wanted.domain, wanted.cells, wanted.seconds
    again = _hunt_of(wanted.prop, doubted, domain, cells, seconds)
    shown = _found(doubted, replace(again, watch=wanted.watch))
    seen = shown.verdict is Verdict.BROKEN and shown.confirmed is True
    return replace(shown, seconds=found.seconds + shown.seconds) if seen else found


def check_state(
    state: KernelState, domain: Domain, properties: list[Property], seconds: float
) -> Checked:
    """Ask every property of a built-in state over ``domain``."""
    return check_kernel(BuiltinKernel(state), domain, properties, seconds)
