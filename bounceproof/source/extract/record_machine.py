# SPDX-License-Identifier: GPL-2.0-only
"""A machine whose slots and areas are a record: elements need no number."""

from __future__ import annotations

from collections.abc import Callable

from bounceproof.models.request import Cell
from bounceproof.models.words.word import U64, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import Location, State, Value
from bounceproof.source.extract.machine import Layout, Machine
from bounceproof.source.extract.record import Key, Leftovers, Record, key_of
from bounceproof.source.program.program import Program

_FIRST_UNTOUCHED = 5


class RecordMachine(Machine):
    """A :class:`Machine` whose slots and areas are a :class:`Record`.

    ``initial`` holds what the pool's own initialisation leaves, ``record`` what is
    there now; ``list_key`` is list[], ``roots`` are the arrays of slots and of areas.
    """

    def __init__(self, program: Program, cell: Cell, layout: Layout) -> None:
        super().__init__(program, cell, layout)
        self.roots = {self.slots[0], self.areas[0], *self._single_arrays()}
        self.initial = Record(self._stated())
        self.record = self.initial
        self._others: Leftovers | None = None
        self.list_key: Key = self.slots[0], "" if self.single else "list"
        self._detach()

    def field(self, key: Key) -> str:
        """What a field is called in reports and in proofs."""
        if key == self.list_key:
            return "list"
        if key[1]:
            prefix = "area." if key[0] == self.areas[0] else ""
            return prefix + key[1]
        return self.objects[key[0]].name

    def leave(self, leftovers: Leftovers) -> None:
        """From here on some fields of free slots hold what earlier mappings left."""
        for key, stated in self.initial.stated.items():
            name = self.field(key)
            if name in leftovers.fields and key[0] != self.areas[0]:
                self.initial.before[key] = leftovers.held(name, stated.ctype)

    def surround(self, others: Leftovers) -> None:
        """Have the slots beside a mapping's own hold what other mappings need there."""
        self._others = others

    def own(self, first: Word, nslots: Word) -> None:
        """A mapping is to take ``nslots`` free slots from ``first`` (S64) on."""
        if self._others is None:
            return
        for key, stated in self.record.stated.items():
            name = self.field(key)
            if name in self._others.fields and key[0] != self.areas[0]:
                free = self.initial.before.get(key)
                other = self._others.held(name, stated.ctype)
                self.record.before[key] = _beside(first, nslots, stated, free, other)

    def _single_arrays(self) -> set[int]:
        """The arrays that slots are kept in before struct io_tlb_slot."""
        if not self.single:
            return set()
        return {root for root, thing in self.objects.items() if self._of_slots(root)}

    def _of_slots(self, root: int) -> bool:
        return (root, _FIRST_UNTOUCHED) in self.start_state.memory

    def _stated(self) -> dict[Key, Word]:
        """What the pool's initialisation leaves in a slot and in an area."""
        stated: dict[Key, Word] = {}
        for at, value in self.start_state.memory.items():
            if at[0] not in self.roots or not isinstance(value, Word):
                continue
            if at[1] == (0 if at[0] == self.areas[0] else _FIRST_UNTOUCHED):
                stated[key_of(at)] = value
        for root, tag in (
            (self.slots[0], "io_tlb_slot"),
            (self.areas[0], "io_tlb_area"),
        ):
            for name, entry in self.program.structs.get(tag, {}).items():
                if isinstance(entry.type, c.IntType) and self.objects[root].zeroed:
                    stated.setdefault((root, name), Word(0, entry.type.ctype))
        return stated

    def _detach(self) -> None:
        memory = self.start_state.memory
        for at in [at for at in memory if at[0] in self.roots]:
            del memory[at]
        self.sinks = set(self.roots)
        for root in self.roots:
            self.objects[root].read = self._read
            self.objects[root].write = self._write

    def _read(self, state: State, at: Location) -> Value | None:
        return self.record.read(state, at)

    def _write(self, state: State, at: Location, value: Value) -> None:
        self.record.write(state, at, value)


def _beside(
    first: Word,
    nslots: Word,
    stated: Word,
    free: Callable[[Word], Word] | None,
    other: Callable[[Word], Word],
) -> Callable[[Word], Word]:
    """What a field holds, by element: what a free slot does inside the run alone."""

    def held(element: Word) -> Word:
        inside = (element - first).cast(U64) < nslots.cast(U64)
        return ite(inside, stated if free is None else free(element), other(element))

    return held
