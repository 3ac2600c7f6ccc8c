# SPDX-License-Identifier: GPL-2.0-only
"""Arrays of structs known by the writes to them, at elements that need no number.

A write covers a range of elements; what was not written holds what the pool's own
initialisation leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bounceproof.models.words.word import FALSE, S64, CType, Truth, Word, ite
from bounceproof.source.eval.memory import Location, State, Value

Key = tuple[int, str]
_ONE = Word(1, S64)


@dataclass(frozen=True, slots=True)
class Write:
    """Elements ``first`` to ``last`` (S64) get ``value`` where ``condition`` holds.

    ``value`` gives it by element, None where nobody asks for it.  ``looped``: it was
    written in a loop over the elements.
    """

    condition: Truth
    first: Word
    last: Word
    value: Callable[[Word], Word] | None
    looped: bool

    def covers(self, element: Word) -> Truth:
        return self.condition & (self.first <= element) & (element <= self.last)


@dataclass(frozen=True, slots=True)
class Stretch(Write):
    """``count`` elements from ``first`` on, upwards or, with ``step`` -1, downwards.

    All are of one type; ``last`` says nothing that these do not.
    """

    step: int = 1
    count: Word = _ONE

    def covers(self, element: Word) -> Truth:
        apart = element - self.first if self.step > 0 else self.first - element
        unsigned = CType(apart.ctype.bits, False)
        return self.condition & (apart.cast(unsigned) < self.count.cast(unsigned))


@dataclass(slots=True)
class Record:
    """The fields of some arrays: their ``stated`` values and the writes, in order.

    ``before``: what a field held by element, where that is no stated value.
    ``reads``: where and of which element (S64) code has read a field.
    """

    stated: dict[Key, Word]
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    before: dict[Key, Callable[[Word], Word]] = field(default_factory=dict)
    reads: list[tuple[Truth, Key, Word]] = field(default_factory=list)

    def copy(self) -> Record:
        """A record that goes on by itself."""
        writes = {key: list(held) for key, held in self.writes.items()}
        reads = list(self.reads)
        return Record(dict(self.stated), writes, dict(self.before), reads)

    def beyond(self, first: Word, last: Word, own: Callable[[Key], bool]) -> Truth:
        """Where a field that is ``own`` was read or written in an element before
        ``first`` or behind ``last`` (S64)."""
        beyond = FALSE
        for condition, key, at in self.reads:
            if own(key):
                beyond = beyond | (condition & ((at < first) | (at > last)))
        for key, writes in self.writes.items():
            for write in writes if own(key) else ():
                outside = (write.first < first) | (write.last > last)
                any_ = write.condition & (write.first <= write.last)
                beyond = beyond | (any_ & outside)
        return beyond

    def of(self, key: Key) -> list[Write]:
        """The writes to a field so far."""
        return self.writes.get(key, [])

    def add(self, key: Key, write: Write) -> None:
        """Go on with another write."""
        self.writes.setdefault(key, []).append(write)

    def value(self, key: Key, element: Word) -> Word:
        """What a field holds now.  Raises KeyError for a field that is not stated."""
        before = self.before.get(key)
        held = self.stated[key] if before is None else before(element)
        for write in self.of(key):
            if write.value is not None:
                new = write.value(element).cast(held.ctype)
                held = ite(write.covers(element), new, held)
        return held

    # The hooks of an Object.

    def read(self, state: State, at: Location) -> Value | None:
        """What is at ``at``, or None for a field that is not stated."""
        key = key_of(at)
        known = key in self.stated or key in self.before
        self.reads.append((state.condition, key, element_of(at)))
        return self.value(key, element_of(at)) if known else None

    def write(self, state: State, at: Location, value: Value) -> None:
        """Note that ``value`` is written to ``at`` on the path of ``state``."""
        element = element_of(at)
        if not isinstance(value, Word):
            return
        constant: Word = value
        self.add(
            key_of(at),
            Write(state.condition, element, element, lambda _: constant, False),
        )


@dataclass(frozen=True, slots=True)
class Leftovers:
    """``fields`` of a free slot that a release leaves as they were.

    ``value`` says what one may hold: by its name, the element (S64) and its type.
    """

    fields: frozenset[str]
    value: Callable[[str, Word, CType], Word]

    def held(self, name: str, ctype: CType) -> Callable[[Word], Word]:
        """What a field holds, by element."""
        return lambda element: self.value(name, element, ctype)


def taken_over(ours: Record, theirs: Record, areas: object) -> Record:
    """``theirs``, but for what ``ours`` has of areas."""
    writes = {key: own for key, own in ours.writes.items() if key[0] == areas}
    rest = {key: list(own) for key, own in theirs.writes.items() if key[0] != areas}
    return replace(theirs, writes=writes | rest)


def key_of(at: Location) -> Key:
    """Array and field of a place in an array."""
    return at[0], str(at[2]) if len(at) > 2 else ""


def element_of(at: Location) -> Word:
    """The element (S64) of a place in an array."""
    part = at[1]
    return part.cast(S64) if isinstance(part, Word) else Word(int(part), S64)
