# SPDX-License-Identifier: GPL-2.0-only
"""The requests on which two kernels differ, as classes that together cover them.

The same request goes to both kernels: page size, path, granule, pool, start index,
address and size.  Each kernel has the mask and the limit that its own driver sets; a
request is asked about if at least one of the two drivers may send it.  For a device
with any mask, both kernels get the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from time import monotonic

from bounceproof.models.contract import CONTRACT, Property
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import Cell, Path
from bounceproof.models.words.word import Truth
from bounceproof.solver.compare.differ_kinds import (
    Fares,
    Fate,
    Kind,
    Number,
    Pair,
    Sender,
    absent,
    can_judge,
    fares,
    kind_of,
)
from bounceproof.solver.compare.differ_sample import column, sample
from bounceproof.solver.compare.differ_side import Side
from bounceproof.solver.contract.domain import Domain, Variables, variables
from bounceproof.solver.contract.verdict import LEADING, Verdict, Watch, unwatched
from bounceproof.solver.smt.engine import DEFAULT_TIMEOUT, Query, Status, ask
from bounceproof.solver.smt.minimum import Minimum, Point, minimise, smaller
from bounceproof.solver.smt.reshape import Model, true_in
from bounceproof.solver.trees.started import unproved_start


@dataclass(frozen=True, slots=True)
class PairedCell:
    """A cell in both kernels; None where one lacks the path.  Limits in bytes."""

    a: Cell | None
    b: Cell | None
    limit_a: int
    limit_b: int

    @property
    def cell(self) -> Cell:
        """The cell for what both sides share: page size, path and granule."""
        cell = self.a or self.b
        assert cell is not None
        return cell


@dataclass(frozen=True, slots=True)
class Member:
    """The smallest request of a class, and what each kernel's simulator makes of it."""

    paired: PairedCell
    point: Point
    a: Outcome | None
    b: Outcome | None
    confirmed: bool
    minimum: bool


@dataclass(frozen=True, slots=True)
class Class:
    """One kind of difference, where it occurs and its smallest member."""

    kind: Kind
    cells: tuple[PairedCell, ...]
    smallest: Member


@dataclass(frozen=True, slots=True)
class Differences:
    """Every difference over the domain.

    ``undecided`` are cells in which the solver or the formulas gave up, with reasons;
    in those of ``empty`` no request lies.
    """

    a: Side
    b: Side
    domain: Domain
    properties: tuple[Property, ...]
    cells: tuple[PairedCell, ...]
    classes: tuple[Class, ...]
    undecided: tuple[tuple[PairedCell, str], ...]
    seconds: float
    empty: tuple[PairedCell, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if any(not c.smallest.confirmed for c in self.classes):
            return Verdict.DISAGREE
        if self.classes:
            return Verdict.BROKEN
        decided = len(self.empty) < len(self.cells) and not self.undecided
        return Verdict.HOLDS if decided else Verdict.UNKNOWN

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code


def _grouped(side: Side, domain: Domain) -> dict[tuple[int, int, Path], list[Cell]]:
    found: dict[tuple[int, int, Path], list[Cell]] = {}
    for cell in domain.cells(side.model):
        found.setdefault((cell.page_size, cell.granule, cell.path), []).append(cell)
    return found


def paired_cells(a: Side, b: Side, domain: Domain) -> Iterator[PairedCell]:
    """Every cell of the domain that a kernel has, with both drivers' limits.

    A kernel without the path lends its driver the other's limit.
    """
    mine, theirs = _grouped(a, domain), _grouped(b, domain)
    for key in dict.fromkeys([*mine, *theirs]):
        for left, right in zip_longest(mine.get(key, []), theirs.get(key, [])):
            device = domain.device
            limit_a = None if left is None else device.max_size(a.model, left)
            limit_b = None if right is None else device.max_size(b.model, right)
            yield PairedCell(
                left,
                right,
                (limit_b or 0) if limit_a is None else limit_a,
                (limit_a or 0) if limit_b is None else limit_b,
            )


@dataclass(slots=True)
class _Search:
    """The search for classes in one pair of kernels."""

    a: Side
    b: Side
    domain: Domain
    properties: tuple[Property, ...]
    seconds: float
    best: dict[Kind, tuple[PairedCell, Minimum]] = field(default_factory=dict)
    where: dict[Kind, list[PairedCell]] = field(default_factory=dict)
    undecided: list[tuple[PairedCell, str]] = field(default_factory=list)

    def _side(
        self, side: Side, cell: Cell | None, limit: int, space: Variables
    ) -> Fares:
        if cell is None:
            return absent(limit, space)
        return fares(side.model, cell, limit, space, self.properties)

    def pair(self, paired: PairedCell) -> tuple[Variables, Pair]:
        """The symbols of a cell and how its requests fare in both kernels."""
        largest = max(paired.limit_a, paired.limit_b)
        judged = [p for p in self.properties if can_judge(p, paired.cell)]
        extra = tuple(dict.fromkeys(n for p in judged for n in CONTRACT[p].symbols))
        geometry = self.a.model.geometry(paired.cell.page_size)
        space = variables(self.domain, paired.cell, largest, extra, geometry)
        return space, self._fares(paired, space)

    def _fares(self, paired: PairedCell, space: Variables) -> Pair:
        a = self._side(self.a, paired.a, paired.limit_a, space)
        b = self._side(self.b, paired.b, paired.limit_b, space)
        return Pair(a, b)

    def cell(self, paired: PairedCell) -> None:
        """Find every kind of difference in one cell, and keep the smallest members."""
        page = (paired.cell.page_size,)
        for side in (self.a, self.b):
            why = unproved_start(side.model, page)
            if why is not None:
                self.undecided.append((paired, why))
                return
        try:
            space, pair = self.pair(paired)
            kinds = self._common(paired, space)
        except NoClosedForm as reason:
            self.undecided.append((paired, str(reason)))
            return
        for kind in kinds:
            self.where.setdefault(kind, []).append(paired)
            if kind not in self.best:
                self._first(kind, paired, space, pair)
        self._rest([k for k in kinds if k in self.best], paired, space, pair)

    def _common(self, paired: PairedCell, space: Variables) -> list[Kind]:
        """The kinds of difference among random requests of a cell."""
        limits = (paired.limit_a, paired.limit_b)
        drawn = sample(self.domain, paired.cell, space, limits)
        if drawn is None:
            return []
        pair = self._fares(paired, drawn)
        kinds, left = [], column((drawn.constraint & pair.differs()).raw)
        while left.any():
            place = int(left.argmax())
            kind = kind_of(pair, _holds_at(place))
            kinds.append(kind)
            left &= ~column(pair.is_kind(kind).raw)
        return kinds

    def _first(
        self, kind: Kind, paired: PairedCell, space: Variables, pair: Pair
    ) -> None:
        """The smallest member of a kind seen for the first time, in this cell."""
        question = space.constraint & pair.is_kind(kind)
        answer = ask(Query(f"class in {_label(paired)}", question), self.seconds)
        if answer.model is not None:
            self._minimise(kind, paired, space, pair, answer.model)
        else:
            self.where[kind].remove(paired)
            self.undecided.append((paired, answer.reason or "a sample was mistaken"))

    def _smaller(self, kind: Kind, space: Variables, pair: Pair) -> Truth:
        """A member of ``kind`` smaller than the one known."""
        fields, best = space.ordered(), self.best[kind][1].point
        leading = {name: fields[name] for name in LEADING}
        return pair.is_kind(kind) & smaller(leading, best)

    def _rest(
        self, kinds: list[Kind], paired: PairedCell, space: Variables, pair: Pair
    ) -> None:
        """Ask for kinds not seen yet and for smaller members, until there are none."""
        name = f"difference in {_label(paired)}"
        unseen, known = pair.differs(), list(kinds)
        for kind in known:
            unseen = unseen & ~pair.is_kind(kind)
        while True:
            wanted = unseen
            for kind in known:
                if self.best[kind][0] is not paired:
                    wanted = wanted | self._smaller(kind, space, pair)
            answer = ask(Query(name, space.constraint & wanted), self.seconds)
            if answer.status is Status.UNKNOWN:
                self._give_up(known, paired, answer.reason or "no answer")
            if answer.model is None:
                return
            kind = kind_of(pair, _holds_in(answer.model))
            if kind not in known:
                known.append(kind)
                unseen = unseen & ~pair.is_kind(kind)
                self.where.setdefault(kind, []).append(paired)
            if kind not in self.best or self.best[kind][0] is not paired:
                self._compare(kind, paired, space, pair, answer.model)

    def _give_up(self, known: list[Kind], paired: PairedCell, reason: str) -> None:
        self.undecided.append((paired, reason))
        for kind in known:
            where, found = self.best[kind]
            self.best[kind] = (where, Minimum(found.point, False, reason))

    def _compare(
        self,
        kind: Kind,
        paired: PairedCell,
        space: Variables,
        pair: Pair,
        model: Model,
    ) -> None:
        """Minimise from ``model`` where it is smaller than what is known."""
        if kind in self.best:
            below = self._smaller(kind, space, pair)
            if not _holds_in(model)(below):
                return
        self._minimise(kind, paired, space, pair, model)

    def _minimise(
        self,
        kind: Kind,
        paired: PairedCell,
        space: Variables,
        pair: Pair,
        known: Model,
    ) -> None:
        question = space.constraint & pair.is_kind(kind)
        name = f"class in {_label(paired)}"
        found = minimise(name, question, space.ordered(), known, self.seconds)
        self.best[kind] = (paired, found)

    def empty(self, cells: tuple[PairedCell, ...]) -> tuple[PairedCell, ...]:
        """The cells without any request; what is not known there is undecided."""
        found = []
        seen = {paired for pairs in self.where.values() for paired in pairs}
        for paired in cells:
            if paired in seen:
                continue
            largest = max(paired.limit_a, paired.limit_b)
            geometry = self.a.model.geometry(paired.cell.page_size)
            space = variables(self.domain, paired.cell, largest, (), geometry)
            name = f"domain of {_label(paired)}"
            answer = ask(Query(name, space.constraint), self.seconds)
            if answer.status is Status.UNSAT:
                found.append(paired)
            elif answer.status is Status.UNKNOWN:
                self.undecided.append((paired, answer.reason or "no answer"))
        return tuple(found)

    def member(self, kind: Kind) -> Member:
        """The smallest member of ``kind``, run in both simulators."""
        paired, found = self.best[kind]
        a = None if paired.a is None else self.a.simulate(paired.a, found.point)
        b = None if paired.b is None else self.b.simulate(paired.b, found.point)
        shown = simulated_kind(self.a, self.b, self.properties, paired, found.point)
        return Member(paired, found.point, a, b, shown == kind, found.proved)


def _holds_at(place: int) -> Callable[[Truth], bool]:
    def holds(truth: Truth) -> bool:
        return bool(column(truth.raw)[place])

    return holds


def _holds_in(model: Model) -> Callable[[Truth], bool]:
    return partial(true_in, model)


def _label(paired: PairedCell) -> str:
    cell = paired.cell
    return f"{cell.path} page {cell.page_size} granule {cell.granule}"


def _fate(outcome: Outcome | None) -> Fate:
    if outcome is None:
        return Fate.NO_PATH
    if outcome.hang:
        return Fate.HANGS
    if not outcome.ok:
        return Fate.FAILS
    return Fate.MAPS if outcome.bounced else Fate.IN_PLACE


def simulated_kind(
    a: Side,
    b: Side,
    properties: tuple[Property, ...],
    paired: PairedCell,
    point: Point,
) -> Kind | None:
    """The kind of ``point`` as the simulators show it; None where nothing differs."""
    size = point["size"]
    first = None if paired.a is None else a.simulate(paired.a, point)
    second = None if paired.b is None else b.simulate(paired.b, point)
    if size > paired.limit_b:
        return Kind(Sender.ONLY_A, _fate(first), None)
    if size > paired.limit_a:
        return Kind(Sender.ONLY_B, None, _fate(second))
    if _fate(first) is not _fate(second):
        return Kind(Sender.BOTH, _fate(first), _fate(second))
    assert first is not None and second is not None and paired.a and paired.b
    fate, lost, won = _fate(first), [], []
    for prop in properties if fate is Fate.MAPS else ():
        if not can_judge(prop, paired.a):
            continue
        was, now = a.shows(prop, paired.a, point), b.shows(prop, paired.b, point)
        lost += [prop] if now and not was else []
        won += [prop] if was and not now else []
    if lost or won:
        return Kind(Sender.BOTH, fate, fate, *([lost[0]] if lost else [None, won[0]]))
    unlike = (n for n in Number if getattr(first, n.value) != getattr(second, n.value))
    number = next(unlike, None)
    if number is None:
        return None
    return Kind(Sender.BOTH, fate, fate, None, None, number)


_FATES = (Fate.NO_PATH, Fate.HANGS, Fate.FAILS, Fate.MAPS, Fate.IN_PLACE)


def effect(kind: Kind) -> str:
    """``worse``, ``better`` or ``other``, for B as seen from A."""
    if kind.sender is not Sender.BOTH or kind.a is None or kind.b is None:
        return "other"
    if Fate.NO_PATH in (kind.a, kind.b):
        return "other"
    ranks = {Fate.HANGS: 0, Fate.FAILS: 1, Fate.MAPS: 2, Fate.IN_PLACE: 2}
    if ranks[kind.a] != ranks[kind.b]:
        return "better" if ranks[kind.b] > ranks[kind.a] else "worse"
    if kind.lost:
        return "worse"
    return "better" if kind.won else "other"


def _order(kind: Kind) -> tuple[object, ...]:
    """Worse first, then better, then what is merely different."""
    senders, effects = tuple(Sender), ("worse", "better", "other")
    numbers = tuple(Number)
    return (
        effects.index(effect(kind)),
        senders.index(kind.sender),
        -1 if kind.b is None else _FATES.index(kind.b),
        -1 if kind.a is None else _FATES.index(kind.a),
        kind.lost or "",
        kind.won or "",
        -1 if kind.number is None else numbers.index(kind.number),
    )


def differences(
    a: Side,
    b: Side,
    domain: Domain,
    properties: list[Property],
    seconds: float = DEFAULT_TIMEOUT,
    watch: Watch = unwatched,
) -> Differences:
    """The classes of requests on which ``a`` and ``b`` differ, and proof of no other.

    In every cell the solver is asked for a difference outside the classes found so
    far until there is none.
    """
    started = monotonic()
    cells = tuple(paired_cells(a, b, domain))
    search = _Search(a, b, domain, tuple(properties), seconds)
    for number, paired in enumerate(cells, 1):
        watch(f"configuration {number}", number - 1, len(cells))
        search.cell(paired)
    empty = search.empty(cells)
    found = [
        Class(kind, tuple(search.where[kind]), search.member(kind))
        for kind in sorted(search.best, key=_order)
    ]
    undecided = tuple(search.undecided)
    took = monotonic() - started
    asked = tuple(properties)
    result = Differences(a, b, domain, asked, cells, tuple(found), undecided, took)
    return replace(result, empty=empty)
