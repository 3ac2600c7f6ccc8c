# SPDX-License-Identifier: GPL-2.0-only
"""What an entry point makes of one request, the slot search taken as given."""

from __future__ import annotations

from bounceproof.models.request import Mapping, Path, Request
from bounceproof.models.words.word import FALSE, INT, TRUE, U32, U64, Truth, Word, ite
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.arguments import named
from bounceproof.source.eval.memory import (
    NOTHING,
    Address,
    Pointer,
    State,
    Value,
    merge_values,
)
from bounceproof.source.extract.caller import UNMAPS
from bounceproof.source.extract.machine import POOL_START, Machine, u64
from bounceproof.source.extract.run import entry_values
from bounceproof.source.extract.search import Searched
from bounceproof.source.program.calls import copiers

_FULL = "swiotlb buffer is full"


class Trace:
    """One symbolic run of an entry point, the slot search taken as given.

    The search finds slot ``slot`` where ``success``, else nothing.
    """

    def __init__(
        self,
        machine: Machine,
        function: c.Function,
        shape: Searched,
        request: Request,
        *,
        success: bool = True,
        slot: int = 0,
    ) -> None:
        self._cell, self._shape = machine.cell, shape
        self._found = Word(slot if success else -1, INT)
        self._machine = machine
        self._padding: list[tuple[Truth, Word]] = []
        self._request = request
        machine.hooks[shape.function.name] = self._search
        machine.hooks["swiotlb_tbl_map_single"] = self._map_single
        for name in copiers(machine.program, shape.function.name):
            machine.hooks[name] = lambda state, arguments, node: NOTHING
        for name in UNMAPS:
            machine.hooks[name] = lambda state, arguments, node: NOTHING
        machine.events.clear()
        self._state = machine.start_state.fork(TRUE)
        values = entry_values(machine, request)
        arguments = machine.bind(function, values)
        self._result = machine.invoke(
            function, arguments, self._state, c.Empty(function.line)
        )

    def _search(self, state: State, arguments: list[Value], node: c.Call) -> Value:
        given = named(self._machine, self._shape.function, arguments, node)
        self._machine.event("search", state, **given)
        return self._found

    def _map_single(
        self, state: State, arguments: list[Value], node: c.Call
    ) -> Value | None:
        machine = self._machine
        function = machine.program.function("swiotlb_tbl_map_single")
        if function is None:
            return None
        given = named(machine, function, arguments, node)
        machine.event("bounce", state, **given)
        result = machine.invoke(function, arguments, state, node)
        word = machine.as_word(result, node)
        self._padding.append((state.condition, (word - POOL_START).cast(U32)))
        return result

    def refused(self) -> Truth:
        """Where the entry point fails."""
        result = self._result
        if isinstance(result, Word) and self._cell.path is Path.LINK:
            return result.ne(0)
        if isinstance(result, Word):
            return result.eq(u64(~0))
        if isinstance(result, Pointer):
            return Truth(result.at is None)
        if isinstance(result, Address):
            return ~result.there
        need = "a result that is an address or a page"
        raise NotUnderstood("kernel/dma/swiotlb.c", 0, "the result", need)

    def printed(self) -> Word | None:
        """The size in the message that the buffer is full, if one is printed."""
        for event in self._machine.events:
            if event.kind == "log" and _FULL in event.data["text"]:
                for number in event.data["numbers"]:
                    if isinstance(number, Word):
                        return number.cast(U64)
        return None

    def mapping(self, printed: Word | None) -> Mapping:
        """What the run shows."""
        searches = [e for e in self._machine.events if e.kind == "search"]
        kind = "search" if self._cell.path is Path.ALLOC else "bounce"
        bounced = FALSE
        for event in self._machine.events:
            if event.kind == kind:
                bounced = bounced | event.condition
        nothing = Word(0, U64)
        total = self._chosen("search", "alloc_size", nothing)
        mask = self._chosen("search", "alloc_align_mask", Word(0, U32))
        padding = Word(0, U32)
        for condition, word in reversed(self._padding):
            padding = ite(condition, word, padding)
        refused = self.refused()
        if not searches:
            refused = refused | bounced
        orig, size = self._request.orig_addr, self._request.size
        if self._cell.path is Path.LINK:
            orig = self._chosen("bounce", "orig_addr", orig)
            size = self._chosen("bounce", "mapping_size", size)
        return Mapping(
            bounced=bounced,
            refused=refused,
            alloc_align_mask=mask,
            padding=padding,
            total=total,
            printed=total if printed is None else printed,
            nslots=self._slots(total),
            orig_addr=orig,
            size=size,
        )

    def _chosen(self, kind: str, name: str, chosen: Word) -> Word:
        """An argument of the first such call on each path, ``chosen`` if none."""
        for event in reversed(self._machine.events):
            if event.kind == kind and name in event.data:
                word = self._machine.as_word(event.data[name], c.Empty(0))
                word = word.cast(chosen.ctype)
                value = merge_values(event.condition, word, chosen)
                assert isinstance(value, Word)
                chosen = value
        return chosen

    def _slots(self, total: Word) -> Word:
        machine = self._machine
        state = machine.start_state.fork(TRUE)
        value = machine.run("nr_slots", [total], state)
        return machine.as_word(value, c.Empty(0)).cast(U32)
