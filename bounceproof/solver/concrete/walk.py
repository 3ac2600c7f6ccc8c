# SPDX-License-Identifier: GPL-2.0-only
"""The slot search of a tree, walked in numbers: many calls of it in large areas.

One symbolic run of the code between its loops' heads is turned into straight code and
run turn by turn.  What it shows is no answer: it says which requests to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bounceproof.models.words.word import INT, U32, U64, CType, Word
from bounceproof.solver.smt.reshape import term_of
from bounceproof.solver.smt.straight_line import Lines, Term
from bounceproof.solver.smt.terms import formula, variable
from bounceproof.source.extract.search_cut import (
    SearchInputs,
    SearchMachine,
    SearchRun,
)

numba: Any
try:
    numba = import_module("numba")
except ImportError:
    numba = None

COMPILED = numba is not None
"""Whether walks run as machine code; else they are some hundred times slower."""
U: Any = np.uint64 if COMPILED else int
F = TypeVar("F", bound=Callable[..., Any])


def _jit(function: F) -> F:
    """``function`` compiled, where it can be."""
    if not COMPILED:
        return function
    made: F = numba.njit(error_model="numpy", nogil=True)(function)
    return made


Numbers = NDArray[np.uint64]
GIVEN: dict[str, CType] = {
    "orig_addr": U64,
    "alloc_size": U64,
    "alloc_align_mask": U32,
    "area": INT,
    "area_nslabs": U32,
    "nareas": U32,
    "index": U32,
    "used": U64,
    "start": U64,
    "boundary": U64,
}
"""What one call is given, see :class:`SearchInputs`; a row of numbers has them so."""
FOUND, NONE, ENDLESS, LOST = range(4)
"""How a call ends; LOST where the walk cannot tell."""
TAKEN, EMPTY, RUN, EVERY = range(4)
"""What an area holds: everything taken; nothing; all but a run; every n-th slot free.
"""
_OUT = 0
_AWAY = -1


@_jit
def left(a: Any, n: Any, bits: Any, mask: Any) -> Any:
    """a << n, of ``bits`` bits."""
    return (a << n) & mask if n < bits else a ^ a


@_jit
def right(a: Any, n: Any, bits: Any, mask: Any) -> Any:
    """a >> n, unsigned."""
    return a >> n if n < bits else a ^ a


@_jit
def down(a: Any, n: Any, bits: Any, mask: Any) -> Any:
    """a >> n, signed."""
    fill = mask if a > (mask >> U(1)) else U(0)
    if n >= bits:
        return fill
    return (a >> n) | (fill ^ (fill >> n))


@_jit
def udiv(a: Any, b: Any, bits: Any, mask: Any) -> Any:
    """a / b, unsigned; all ones where b is 0."""
    return mask if b == U(0) else a // b


@_jit
def urem(a: Any, b: Any, bits: Any, mask: Any) -> Any:
    """a % b, unsigned."""
    return a if b == U(0) else a % b


@_jit
def sdiv(a: Any, b: Any, bits: Any, mask: Any) -> Any:
    """a / b, signed, towards 0."""
    half = mask >> U(1)
    x = (U(0) - a) & mask if a > half else a
    y = (U(0) - b) & mask if b > half else b
    if y == U(0):
        return mask
    quotient = x // y
    return (U(0) - quotient) & mask if (a > half) != (b > half) else quotient


@_jit
def srem(a: Any, b: Any, bits: Any, mask: Any) -> Any:
    """a % b with the sign of a."""
    quotient = sdiv(a, b, bits, mask)
    return (a - quotient * b) & mask


@_jit
def element(place: Any, lists: Any) -> Any:
    """list[] at ``place``, of an area that holds ``lists``: kind, first, many, set."""
    kind, first, many, low = lists[0], lists[1], lists[2], lists[3]
    rest = low + U(1) - (place & low)
    if kind == U(EMPTY):
        return rest
    if kind == U(RUN):
        return first + many - place if first <= place < first + many else U(0)
    if kind == U(EVERY):
        return U(1) if place % many == U(0) else U(0)
    return U(0)


class _Loads:
    """list[], with each place that is read as a variable of its own."""

    def __init__(self) -> None:
        self.places: dict[int, Term] = {}
        self._variables: dict[int, Word] = {}

    def at(self, index: Word) -> Word:
        place = term_of(index.cast(U64))
        key = int(place.get_id())
        if key not in self._variables:
            made = variable(f"list[{len(self.places)}]", U32)
            self._variables[key] = made
            self.places[int(term_of(made).get_id())] = place
        return self._variables[key]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of the search: rows of :data:`GIVEN`, and what each finds in the pool.

    ``lists``: kind, first free slot, how many (pool-wide) and the slot set's low bits.
    """

    given: Numbers
    lists: Numbers


@dataclass(frozen=True, slots=True)
class Ends:
    """How each call ends, and the slot, pool-wide, where one is found."""

    how: NDArray[np.int64]
    slot: Numbers


class Walk:
    """The search of one program and device; NotUnderstood, NotStraight."""

    def __init__(self, machine: SearchMachine) -> None:
        self._loads = _Loads()
        self._fresh: dict[str, Word] = {}
        words = {name: variable(name, kind) for name, kind in GIVEN.items()}
        run = machine.search(SearchInputs(**words), self._new, self._loads)
        step = _step(self._source(words, run))
        self._walk = _driver(step)
        self._states = sum(len(head.values) for head in run.run.heads)
        rows = np.zeros((0, len(GIVEN)), np.uint64)
        self.ends(Calls(rows, np.zeros((0, 4), np.uint64)), 0)

    def _new(self, name: str, ctype: CType) -> Word:
        self._fresh[name] = variable(name, ctype)
        return self._fresh[name]

    def _source(self, words: dict[str, Word], run: SearchRun) -> str:
        """One turn as code: from the head ``at`` to the next, or out."""
        places: dict[tuple[int, str], int] = {}
        for head in run.run.heads:
            for name in head.values:
                places[head.number, name] = len(places)
        names, lines = _read(words, run, places)
        code = Lines(names, self._loads.places)
        at = variable("at", INT)
        code.name(term_of(at), "U(at)")
        steps = _ways(code, run, at, places)
        body = [*lines, *code.code, *steps, f"return {_AWAY}"]
        return "def step(i, h, at, lists, out):\n" + "".join(f" {x}\n" for x in body)

    def ends(self, calls: Calls, most: int) -> Ends:
        """How the calls end that take no more than ``most`` turns."""
        return self._walked(calls, most, 0)[0]

    def visits(self, calls: Calls, most: int, slots: int) -> NDArray[np.bool_]:
        """The slots of an area of ``slots`` that each call would take where free.

        Indices are in the area.
        """
        return self._walked(calls, most, slots)[1]

    def _walked(
        self, calls: Calls, most: int, slots: int
    ) -> tuple[Ends, NDArray[np.bool_]]:
        count = len(calls.given)
        how, seen = np.zeros((count, 2), np.uint64), np.zeros((count, slots), np.bool_)
        work = np.zeros((4, max(4, self._states)), np.uint64)
        self._walk(calls.given, calls.lists, work, most, how, seen)
        return Ends(how[:, 0].astype(np.int64), how[:, 1]), seen


def _read(
    words: dict[str, Word], run: SearchRun, places: dict[tuple[int, str], int]
) -> tuple[dict[int, str], list[str]]:
    """Names of the variables of a turn, and lines that read them."""
    names: dict[int, str] = {}
    lines = []
    for number, (name, word) in enumerate(words.items()):
        names[int(term_of(word).get_id())] = f"i{number}"
        bits = (1 << GIVEN[name].bits) - 1
        lines.append(f"i{number} = U(i[{number}]) & U({bits})")
    for head in run.run.heads:
        for name, word in head.values.items():
            place = places[head.number, name]
            names[int(term_of(word).get_id())] = f"h{place}"
            lines.append(f"h{place} = U(h[{place}])")
    return names, lines


def _ways(
    code: Lines, run: SearchRun, at: Word, places: dict[tuple[int, str], int]
) -> list[str]:
    """Lines that take the way whose condition holds."""
    steps = []
    stopped = code.of(formula(run.stopped))
    steps.append(f"if {stopped}: return {_AWAY}")
    for arrival in run.run.arrivals:
        condition = code.of(formula(arrival.condition & arrival.origin.eq(at)))
        steps.append(f"if {condition}:")
        head = run.run.heads[arrival.target - 1]
        for name in head.values:
            if name in arrival.values:
                value = code.of(term_of(arrival.values[name]))
                steps.append(f"  h[{places[head.number, name]}] = {value}")
        steps.append(f"  return {arrival.target}")
    for end in run.run.returns:
        condition = code.of(formula(end.condition & end.origin.eq(at)))
        if isinstance(end.value, Word):
            value = code.of(term_of(end.value.cast(INT)))
            steps.append(f"if {condition}:")
            steps.append(f"  out[0] = {value}")
            steps.append(f"  return {_OUT}")
    return steps


Step = Callable[..., int]


def _step(source: str) -> Step:
    """The turn that ``source``, of plain arithmetic alone, defines."""
    space: dict[str, Any] = {
        "U": U, "element": element, "udiv": udiv, "urem": urem, "sdiv": sdiv,
        "srem": srem, "left": left, "right": right, "down": down,
    }  # fmt: skip
    exec(compile(source, "<turn>", "exec"), space)
    made: Step = space["step"]
    return _jit(made)


def _driver(step: Step) -> Callable[..., None]:
    """What calls the turn until a call of the search ends.

    The turn stands in one place, as it is compiled wherever it stands.
    """

    def walk(given: Any, lists: Any, work: Any, most: int, how: Any, seen: Any) -> None:
        state, spare, held, out = work[0], work[1], work[2], work[3]
        for call in range(len(given)):
            first = U(given[call, 3]) * U(given[call, 4])
            for place in range(1, 4):
                held[place] = lists[call, place]
            at, turns, asks = 0, 0, seen.shape[1] > 0
            while True:
                held[0] = U(1) if asks else lists[call, 0]
                there = step(given[call], spare if asks else state, at, held, out)
                if asks:
                    asks = False
                    taken = U(out[0]) - first
                    if there == 0 and taken < U(seen.shape[1]):
                        seen[call, taken] = True
                    continue
                at, turns = there, turns + 1
                if at <= 0 or turns > most:
                    break
                asks = seen.shape[1] > 0
                for place in range(work.shape[1]):
                    spare[place] = state[place]
            how[call, 0] = U(2) if at > 0 else U(3)
            if at == 0:
                how[call, 0] = U(1) if U(out[0]) > U(0x7FFFFFFF) else U(0)
                how[call, 1] = out[0]

    return _jit(walk)
