# SPDX-License-Identifier: GPL-2.0-only
"""Answers about kernel states, each kept for all states that it holds of as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.formulas.search import NoClosedForm
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.request import Cell, Path, Pool, PoolKind, Request
from bounceproof.models.words.word import TRUE, U64, UNSIGNED_INT, Word
from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.answers.parallel import together
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import Property, applies, broken
from bounceproof.solver.contract.verdict import (
    NO_CELL,
    CellVerdict,
    Counterexample,
    Finding,
    Verdict,
)
from bounceproof.solver.counterexample.confirm import shown_of, shows
from bounceproof.solver.fixes.reads import Reads, agrees, everything, noted, reads_of

MOST_SECONDS = 4.0
"""For one solver query about one of many sets."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A configuration but for the driver's mask, which is the kernel's to choose.

    ``page_size`` and ``granule`` in bytes; ``granule`` 0 where the path has none.
    """

    page_size: int
    path: Path
    granule: int


Asked = tuple[Property, Place]
_TRIED = 3
"""Counterexamples of other states that are run before a solver is asked."""


@dataclass(frozen=True, slots=True)
class Known:
    """An answer, of every state that agrees with ``reads``."""

    prop: Property
    place: Place
    reads: Reads
    finding: Finding

    @property
    def asked(self) -> Asked:
        return self.prop, self.place

    @property
    def verdict(self) -> Verdict | None:
        """None where the state has no such configuration."""
        absent = self.finding.reason == NO_CELL
        return None if absent else self.finding.verdict

    @property
    def broken(self) -> bool:
        return self.verdict is Verdict.BROKEN

    @property
    def open(self) -> bool:
        """Whether it is not known; a place without a request is not asked."""
        empty = all(c.verdict is Verdict.NO_REQUEST for c in self.finding.cells)
        undecided = self.verdict in (Verdict.UNKNOWN, Verdict.DISAGREE)
        return undecided and not (empty and self.finding.cells)

    @property
    def smallest(self) -> bool:
        """Whether a counterexample, where there is one, is the smallest."""
        example = self.finding.counterexample
        return example is None or example.minimum

    def shown_in(self, state: KernelState, domain: Domain) -> Known | None:
        """The counterexample as one of ``state``, where running it there shows it."""
        example = self.finding.counterexample
        if example is None:
            return None
        reads = _example_reads(self.prop, domain, state, example)
        model, cell = BuiltinKernel(state), example.cell
        if reads is None or not shows(self.prop, model, cell, example.point):
            return None
        shown = shown_of(self.prop, model, cell, example.point)
        limit = domain.device.max_size(model, cell)
        more = (shown.outcome, False, shown.taken, shown.history)
        again = Counterexample(cell, limit, example.point, *more)
        cells = (CellVerdict(cell, limit, Verdict.BROKEN),)
        finding = replace(self.finding, counterexample=again, cells=cells, note=None)
        return Known(self.prop, self.place, reads, finding)


def places_of(domain: Domain) -> tuple[Place, ...]:
    """The configurations of ``domain``, in whatever kernel, largest pages first."""
    pages = PAGE_SIZES if domain.page_size is None else (domain.page_size,)
    return tuple(
        Place(page, path, granule)
        for page in sorted(pages, reverse=True)
        for path in domain.paths()
        for granule in _granules(domain, page, path)
    )


def _granules(domain: Domain, page: int, path: Path) -> list[int]:
    if not path.has_granule:
        return [0]
    wanted = PAGE_SIZES if domain.granule is None else (domain.granule,)
    return sorted((size for size in wanted if size <= page), reverse=True)


def narrowed(domain: Domain, place: Place) -> Domain:
    """``domain`` in one configuration alone."""
    granule = place.granule or domain.granule
    return replace(domain, page_size=place.page_size, path=place.path, granule=granule)


@dataclass(slots=True)
class Answers:
    """Asks states, and keeps what was answered.

    ``seconds``: for one solver query.
    """

    domain: Domain
    seconds: float
    _known: dict[Asked, list[Known]] = field(default_factory=dict)
    _broken: list[Known] = field(default_factory=list)

    @property
    def places(self) -> tuple[Place, ...]:
        return places_of(self.domain)

    def asked(self, properties: tuple[Property, ...]) -> Iterator[Asked]:
        """Every property in every place where it is asked."""
        for prop in properties:
            for place in self.places:
                if applies(prop, place.path):
                    yield prop, place

    def ask(self, asked: Asked, state: KernelState, smallest: bool = False) -> Known:
        """The answer for ``state``: kept, or shown by a request that broke another
        state, or from a solver.

        ``smallest``: with the smallest counterexample.
        """
        mine = self._known.setdefault(asked, [])
        for known in mine:
            if agrees(state, known.reads) and (known.smallest or not smallest):
                return known
        found = None if smallest else self._shown_again(mine, state)
        found = found or self._answer(asked, state)
        mine.insert(0, found)
        if found.broken:
            self._broken.insert(0, found)
        return found

    def broken_by(self, state: KernelState, among: frozenset[Asked]) -> Known | None:
        """A kept counterexample that breaks ``state`` too, by what it depends on or by
        running it."""
        for number, known in enumerate(self._broken):
            if known.asked in among and agrees(state, known.reads):
                self._broken.insert(0, self._broken.pop(number))
                return known
        asked = dict.fromkeys(k.asked for k in self._broken if k.asked in among)
        for pair in asked:
            found = self._shown_again(self._known[pair], state)
            if found is not None:
                self._known[pair].insert(0, found)
                self._broken.insert(0, found)
                return found
        return None

    def _shown_again(self, kept: list[Known], state: KernelState) -> Known | None:
        """A counterexample of ``kept`` that breaks ``state`` when it is run there."""
        for known in [known for known in kept if known.broken][:_TRIED]:
            found = known.shown_in(state, narrowed(self.domain, known.place))
            if found is not None:
                return found
        return None

    def all_broken(self, state: KernelState) -> frozenset[Asked]:
        """What kept counterexamples break in ``state``."""
        return frozenset(k.asked for k in self._broken if agrees(state, k.reads))

    def points_read(self) -> frozenset[str]:
        """Decision points that some answer depends on."""
        every = (known for kept in self._known.values() for known in kept)
        return frozenset(name for known in every for name, _ in known.reads)

    def finding(
        self, prop: Property, state: KernelState, smallest: bool = False
    ) -> Finding:
        """One finding for ``prop`` of ``state`` in all places."""
        asked = self.asked((prop,))
        return together([self.ask(pair, state, smallest).finding for pair in asked])

    def _answer(self, asked: Asked, state: KernelState) -> Known:
        prop, place = asked
        domain, watched = narrowed(self.domain, place), noted(state)
        model = BuiltinKernel(watched)
        seconds = min(self.seconds, MOST_SECONDS)
        checked = check_kernel(model, domain, [prop], seconds)
        finding, reads = checked.findings[0], reads_of(watched)
        if finding.counterexample is not None:
            reads = _example_reads(
                prop, domain, state, finding.counterexample
            ) or everything(state)
        return Known(prop, place, reads, finding)


def _example_reads(
    prop: Property, domain: Domain, state: KernelState, example: Counterexample
) -> Reads | None:
    """What ``example`` depends on in ``state``; None where it breaks nothing there, or
    that cannot be told."""
    watched = noted(state)
    model, cell = BuiltinKernel(watched), example.cell
    point = dict(example.point)
    try:
        there = cell in tuple(domain.cells(model))
        if not there or point["size"] > domain.device.max_size(model, cell):
            return None
        told = broken(prop, model, cell, _numbers(cell, point)).raw is True
    except (NoClosedForm, KeyError):
        return None
    return reads_of(watched) if told else None


def _numbers(cell: Cell, point: dict[str, int]) -> Variables:
    """A point as numbers in the place of symbols.

    Raises NoClosedForm of a pool that the request itself decides.
    """
    if cell.pool_kind is PoolKind.TRANSIENT:
        raise NoClosedForm("the pool depends on the request")
    pool = Pool(
        Word(point["pool_start"], U64),
        Word(point["area_nslabs"], UNSIGNED_INT),
        Word(point["start_index"], UNSIGNED_INT),
        Word(point["seg_boundary_mask"], U64),
    )
    wide = {"sync_offset", "sync_size"}
    extra = {
        name: Word(point[name], U64 if name in wide else UNSIGNED_INT)
        for name in ("free_slot", "direction", *sorted(wide))
        if name in point
    }
    nareas = Word(point["nareas"], UNSIGNED_INT)
    request = Request(Word(point["orig_addr"], U64), Word(point["size"], U64))
    return Variables(request, pool, nareas, min(point["nareas"], 2), TRUE, extra)
