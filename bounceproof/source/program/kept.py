# SPDX-License-Identifier: GPL-2.0-only
"""What calls leave behind for later ones, besides list[], used, index and mappings.

Code is evaluated with a pool and a device as their making leaves them.  So a field of
theirs that one call assigns must not be read by another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in, walk
from bounceproof.source.program.calls import reachable
from bounceproof.source.program.program import Program

_STATED = (
    "io_tlb_mem",
    "io_tlb_pool",
    "io_tlb_area",
    "device",
    "device_dma_parameters",
)
_KNOWN = ("used", "index", "transient", "dma_uses_io_tlb")
"""used and index are read as anything that calls may leave there.  A transient pool is
made for one mapping, and a device that has mapped uses a pool from then on."""
_ATOMIC = re.compile(r"atomic(?:64|_long)?_(\w+)")
_CHANGES = ("set", "add", "sub", "inc", "dec")


@dataclass(frozen=True, slots=True)
class Kept:
    """A field that code at ``file`` and ``line`` assigns, and code reads."""

    field: str
    file: str
    line: int


def kept_field(
    program: Program, starts: Iterable[str], makers: Collection[str]
) -> Kept | None:
    """A field of a pool, an area or a device that code below ``starts`` assigns and
    reads, or None.

    Fields go by their names.  What ``makers`` and their callers assign is of a pool
    that they make.  Functions that cannot be read are left out: they are refused where
    they are called.
    """
    fields = {
        name: entry.type
        for tag in _STATED
        for name, entry in program.structs.get(tag, {}).items()
        if name not in _KNOWN and name not in program.structs.get("io_tlb_slot", {})
    }
    assigned: dict[str, Kept] = {}
    read: set[str] = set()
    for function in _functions(program, starts):
        uses = _Uses(fields)
        uses.of(function.body)
        read |= uses.read
        making = {function.name, *calls_in(function.body)} & set(makers)
        for place in () if making else uses.assigned:
            at = Kept(place.name, function.file, place.line)
            assigned.setdefault(place.name, at)
    return next((at for name, at in assigned.items() if name in read), None)


def _functions(program: Program, starts: Iterable[str]) -> Iterator[c.Function]:
    seen: set[tuple[str, str]] = set()
    for start in starts:
        for function in reachable(program, start, unread=[]):
            if (function.file, function.name) not in seen:
                seen.add((function.file, function.name))
                yield function


class _Uses:
    """The places of ``fields`` that code assigns, and the names of those it reads.

    A field whose address is given away counts as both, but for what is known to do
    one of them alone.
    """

    def __init__(self, fields: dict[str, c.Type]) -> None:
        self._fields = fields
        self.assigned: list[c.Member] = []
        self.read: set[str] = set()

    def of(self, body: c.Node) -> None:
        """Go through the code of a function."""
        nodes = list(walk(body))
        bare = {id(n.expr) for n in nodes if isinstance(n, c.ExprStatement)}
        bare |= {id(n.step) for n in nodes if isinstance(n, c.Loop)}
        written: set[int] = set()
        for node in nodes:
            if isinstance(node, c.Assign | c.Update):
                written |= self._assign(node.target, id(node) in bare)
            elif isinstance(node, c.Unary) and node.op == "&":
                self._assign(node.operand, alone=False)
            elif isinstance(node, c.Call):
                written |= self._atomic(node)
        for node in nodes:
            if isinstance(node, c.Member) and id(node) not in written:
                self.read.add(node.name)

    def _assign(self, target: object, alone: bool) -> set[int]:
        """Note an assignment; the place, where it is not read too."""
        place = self._field(target)
        if place is None:
            return set()
        self.assigned.append(place)
        return {id(place)} if alone else set()

    def _atomic(self, call: c.Call) -> set[int]:
        name = call.function.name if isinstance(call.function, c.Name) else ""
        found = _ATOMIC.fullmatch(name)
        places = [
            self._field(given.operand)
            for given in call.arguments
            if isinstance(given, c.Unary)
        ]
        changes = found is not None and found[1] in _CHANGES
        return {id(place) for place in places if place is not None and changes}

    def _field(self, place: object) -> c.Member | None:
        """The field that an assignment is to, where it is one of those asked about.

        A field that is a struct is none, its own fields are; nor is a lock.
        """
        outer = place
        while isinstance(place, c.Index):
            place = place.base
        if not isinstance(place, c.Member):
            return None
        kind = self._fields.get(place.name)
        element = outer is not place and not isinstance(kind, c.ArrayType)
        held = isinstance(kind, c.IntType | c.PointerType | c.ArrayType)
        return place if held and not element else None
