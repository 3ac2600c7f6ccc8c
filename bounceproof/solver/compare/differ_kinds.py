# SPDX-License-Identifier: GPL-2.0-only
"""How two kernels can differ on one request: mutually exclusive kinds, as formulas.

Every request has one kind.  First comes which of the two drivers may send it; then the
fate it meets in each kernel; then, where both map it, the properties that one of the
mappings breaks; and last, where nothing else differs, the first number that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bounceproof.models.contract import LIVE, Property
from bounceproof.models.formulas.outcome import Outcome, outcome
from bounceproof.models.formulas.pools import lies_right
from bounceproof.models.request import Cell, KernelModel, Path
from bounceproof.models.words.word import FALSE, SIZE_T, TRUE, Truth, Word, ite
from bounceproof.solver.contract.domain import Variables
from bounceproof.solver.contract.properties import broken

FATAL = (Property.FITS, Property.FINDS, Property.HALTS)
NOTHING = (1 << 64) - 1


class Sender(StrEnum):
    """Whose driver may send a request of this size."""

    BOTH = "both"
    ONLY_A = "only A"
    ONLY_B = "only B"


class Fate(StrEnum):
    """What a driver gets from one kernel."""

    HANGS = "hangs"
    FAILS = "fails"
    MAPS = "maps"
    IN_PLACE = "maps in place"
    NO_PATH = "has no such path into swiotlb"


class Number(StrEnum):
    """The numbers of an outcome, in the order in which a difference is named."""

    SZ = "sz"
    SLOT = "slot"
    TLB_ADDR = "tlb_addr"
    NSLOTS = "nslots"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be different.

    ``a`` and ``b`` are None where that driver does not send the request.  ``lost`` is
    the first property that B's mapping alone breaks; ``won``, where there is none, the
    first that A's alone breaks; ``number``, where all else is alike, the first number
    that differs.
    """

    sender: Sender
    a: Fate | None
    b: Fate | None
    lost: Property | None = None
    won: Property | None = None
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class Fares:
    """How a request fares in one kernel, as formulas.

    ``placed``: the pool asked about is one that serves the request in this kernel.
    """

    sent: Truth
    fates: dict[Fate, Truth]
    breaks: dict[Property, Truth]
    numbers: dict[Number, Word]
    placed: Truth = TRUE


def _or_nothing(given: Truth, value: Word) -> Word:
    return ite(given, value.cast(SIZE_T), Word(NOTHING, SIZE_T))


def _numbers(cell: Cell, result: Outcome, mapped: Truth) -> dict[Number, Word]:
    """The outcome's numbers, NOTHING for null, with the padding for tlb_addr.

    Once the slots are alike, so are the paddings exactly where the addresses are.
    """
    bounced = result.mapping.bounced
    prints = bounced & ~result.found & ~result.hang
    if cell.path is Path.ALLOC:
        prints = FALSE
    return {
        Number.SZ: _or_nothing(prints, result.mapping.printed),
        Number.SLOT: _or_nothing(mapped, result.slot),
        Number.TLB_ADDR: _or_nothing(mapped, result.mapping.padding),
        Number.NSLOTS: _or_nothing(bounced, result.mapping.nslots),
    }


def can_judge(prop: Property, cell: Cell) -> bool:
    """Whether a mapping of ``cell`` is judged by ``prop``.

    No history of calls shows what breaks on path link.
    """
    if prop in FATAL:
        return False
    return cell.path is not Path.LINK or prop not in LIVE


def fares(
    model: KernelModel,
    cell: Cell,
    limit: int,
    space: Variables,
    properties: tuple[Property, ...],
) -> Fares:
    """How the requests of ``space`` fare in ``model``; ``limit`` in bytes.

    Raises NoClosedForm.
    """
    result = outcome(model, cell, space.request, space.pool, space.areas)
    bounced, hangs = result.mapping.bounced, result.hang
    mapped = result.ok & bounced & ~hangs
    judged = [prop for prop in properties if can_judge(prop, cell)]
    return Fares(
        space.request.size <= Word(limit, SIZE_T),
        {
            Fate.HANGS: hangs,
            Fate.FAILS: ~result.ok & ~hangs,
            Fate.MAPS: mapped,
            Fate.IN_PLACE: result.ok & ~bounced & ~hangs,
        },
        {prop: mapped & broken(prop, model, cell, space) for prop in judged},
        _numbers(cell, result, mapped),
        lies_right(model, cell, result.mapping, space.pool),
    )


def absent(limit: int, space: Variables) -> Fares:
    """A kernel without the path; its driver's limit is the other's."""
    sent = space.request.size <= Word(limit, SIZE_T)
    numbers = {number: Word(NOTHING, SIZE_T) for number in Number}
    return Fares(sent, {Fate.NO_PATH: TRUE}, {}, numbers)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same requests in two kernels."""

    a: Fares
    b: Fares

    def same(self, number: Number) -> Truth:
        """Both kernels have the same ``number``, or both none."""
        return self.a.numbers[number].eq(self.b.numbers[number])

    def _number(self, kind: Kind) -> Truth:
        """The first number that differs is that of ``kind``; none where it has none."""
        alike = TRUE
        for number in Number:
            if number is kind.number:
                return alike & ~self.same(number)
            alike = alike & self.same(number)
        return alike

    def unlike(self, prop: Property) -> tuple[Truth, Truth]:
        """B alone breaks ``prop``; A alone does."""
        a = self.a.breaks.get(prop, FALSE)
        b = self.b.breaks.get(prop, FALSE)
        return b & ~a, a & ~b

    def judged(self) -> list[Property]:
        """The properties that a mapping is judged by."""
        return [prop for prop in Property if prop in self.a.breaks or self.b.breaks]

    @property
    def placed(self) -> Truth:
        """When the pool can serve the request in both kernels."""
        return self.a.placed & self.b.placed

    def is_kind(self, kind: Kind) -> Truth:
        """When a request is of ``kind``."""
        return self.placed & self._fated(kind)

    def _fated(self, kind: Kind) -> Truth:
        if kind.sender is Sender.ONLY_A and kind.a is not None:
            return self.a.sent & ~self.b.sent & self.a.fates.get(kind.a, FALSE)
        if kind.sender is Sender.ONLY_B and kind.b is not None:
            return ~self.a.sent & self.b.sent & self.b.fates.get(kind.b, FALSE)
        assert kind.a is not None and kind.b is not None
        here = self.a.sent & self.b.sent
        here &= self.a.fates.get(kind.a, FALSE) & self.b.fates.get(kind.b, FALSE)
        if kind.a is not kind.b:
            return here
        return here & self._detail(kind)

    def _detail(self, kind: Kind) -> Truth:
        """Among requests of one fate, what is named first is that of ``kind``."""
        none = TRUE
        for prop in self.judged():
            if prop is kind.lost:
                return none & self.unlike(prop)[0]
            none = none & ~self.unlike(prop)[0]
        for prop in self.judged():
            if prop is kind.won:
                return none & self.unlike(prop)[1]
            none = none & ~self.unlike(prop)[1]
        return none & self._number(kind)

    def differs(self) -> Truth:
        """When a driver may send the request and the kernels differ on it."""
        both = self.a.sent & self.b.sent
        unlike = FALSE
        for fate in Fate:
            a = self.a.fates.get(fate, FALSE)
            b = self.b.fates.get(fate, FALSE)
            unlike = unlike | (a & ~b)
        for prop in self.judged():
            lost, won = self.unlike(prop)
            unlike = unlike | lost | won
        for number in Number:
            unlike = unlike | ~self.same(number)
        alone = (self.a.sent & ~self.b.sent) | (~self.a.sent & self.b.sent)
        return self.placed & (alone | (both & unlike))


def kind_of(pair: Pair, holds: Callable[[Truth], bool]) -> Kind:
    """The kind of one request, where ``holds`` says what is true of it."""

    def fate(side: Fares) -> Fate:
        return next(f for f, truth in side.fates.items() if holds(truth))

    if not holds(pair.b.sent):
        return Kind(Sender.ONLY_A, fate(pair.a), None)
    if not holds(pair.a.sent):
        return Kind(Sender.ONLY_B, None, fate(pair.b))
    a, b = fate(pair.a), fate(pair.b)
    if a is not b:
        return Kind(Sender.BOTH, a, b)
    unlike = {prop: pair.unlike(prop) for prop in pair.judged()}
    lost = next((p for p, truths in unlike.items() if holds(truths[0])), None)
    if lost is not None:
        return Kind(Sender.BOTH, a, b, lost)
    won = next((p for p, truths in unlike.items() if holds(truths[1])), None)
    if won is not None:
        return Kind(Sender.BOTH, a, b, None, won)
    number = next((n for n in Number if not holds(pair.same(n))), None)
    return Kind(Sender.BOTH, a, b, None, None, number)
