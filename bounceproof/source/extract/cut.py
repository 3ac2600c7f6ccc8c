# SPDX-License-Identifier: GPL-2.0-only
"""Functions with loops of any number of turns, cut at the loops' heads.

At a head what the loop changes is forgotten: every variable that it assigns gets a
fresh value.  One run of the function then shows all that it can do between two heads,
whatever came before; an invariant that says how the fresh values relate to what the
loop has done is stated and proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import cast

from bounceproof.models.words.word import INT, CType, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import walk
from bounceproof.source.eval.memory import Location, Poison, State, Value
from bounceproof.source.eval.paths import Outcome, PathEnds, goes_to, merge_all
from bounceproof.source.extract.marks import MarkingMachine

Fresh = Callable[[str, CType], Word]
ORIGIN: Location = ("origin",)


@dataclass(slots=True)
class Head:
    """A loop's head: ``values`` are what the variables that it changes are there.

    ``number`` counts from 1; 0 is the function's entry.  ``known`` has all plain
    variables of the function there, those that the loop leaves alone included.
    """

    number: int
    node: c.Node
    values: dict[str, Word] = field(default_factory=dict)
    known: dict[str, Word] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A path that comes to the head ``target`` where ``condition`` holds.

    ``origin`` (int) is the number of the head that it left last; ``values`` are the
    function's plain variables, as the path leaves them; ``written`` is where slots had
    been written to by then, ``seen`` how many calls were noted.
    """

    target: int
    origin: Word
    condition: Truth
    values: dict[str, Word]
    written: tuple[Truth, ...]
    seen: int


@dataclass(frozen=True, slots=True)
class Return:
    """A path that returns ``value``; ``state`` is as it leaves it."""

    origin: Word
    condition: Truth
    value: Value
    state: State


@dataclass(slots=True)
class CutRun:
    """All paths of one function between its heads."""

    heads: list[Head] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)


class CutMachine(MarkingMachine):
    """A machine that cuts the loops for which :meth:`cuts` says so."""

    cut: CutRun
    fresh: Fresh
    turned = False
    """Whether loops ask for another turn at its end, and before their first."""

    def cuts(self, node: c.Node) -> bool:
        """Whether a loop, or a block that jumps back, is cut at its head."""
        raise NotImplementedError

    def opens(self, node: c.Loop, state: State) -> bool:
        """Whether a loop that may be cut is, where ``state`` comes to it."""
        return True

    def told(self, head: Head, before: dict[str, Word]) -> dict[str, Word]:
        """Variables of a new head that are told by others, with what they are there.

        ``before`` has them where the loop is first come to.  That it is so whenever
        the code is at the head is to be proved like an invariant.
        """
        return {}

    def at_head(self, head: Head, state: State) -> None:
        """What else is known at a head; by default nothing."""

    def written(self) -> tuple[Truth, ...]:
        """Where slots have been written to so far."""
        return ()

    def seen(self) -> int:
        """How many calls have been noted so far."""
        return 0

    def run_cut(
        self, function: c.Function, arguments: list[Value], state: State
    ) -> CutRun:
        """Run ``function``; NotUnderstood for code that the evaluator does not know."""
        self.cut = run = CutRun()
        self._lost = False
        self._left: dict[int, _Snapshot] = {}
        state.memory[ORIGIN] = Word(0, INT)

        def body(inside: State) -> list[Outcome]:
            outcomes = self.execute(function.body, inside)
            for outcome in outcomes:
                at = outcome.state
                value = cast(Value, outcome.detail)
                origin = cast(Word, at.memory[ORIGIN])
                run.returns.append(Return(origin, at.condition, value, at))
            return outcomes

        node = c.Empty(function.line)
        try:
            self.invoke(function, arguments, state, node, body)
        except PathEnds:
            raise self.fail(node, f"a way out of {function.name}()") from None
        return run

    # Loops.

    def _loop(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Loop, statement)
        if not self.cuts(node):
            return super()._loop(statement, state)
        if node.init is not None:
            for outcome in self.execute(node.init, state):
                state = outcome.state
        if not self.opens(node, state):
            return super()._loop(replace(node, init=None), state)
        exits: list[State] = []
        out: list[Outcome] = []
        running: State | None = state
        asks_first = node.kind != "do"
        if asks_first and self.turned:
            running = self._asked(node, state, exits)
        if running is not None:
            self._cut_turn(node, running, exits, out)
        if exits:
            out.append(Outcome(merge_all(self._all_set(node, exits)), "next"))
        return out

    def _cut_turn(
        self, node: c.Loop, state: State, exits: list[State], out: list[Outcome]
    ) -> None:
        """One turn from a loop's head, with the question for another."""
        head = self._open(node, state, changed(node, node.body))
        running: State | None = state
        asks_last = node.kind == "do" or self.turned
        if not asks_last:
            running = self._asked(node, state, exits)
        if running is not None:
            running = self._turn(node, running, exits, out)
        if running is not None and asks_last:
            running = self._asked(node, running, exits)
        if running is not None:
            self._arrive(head, running)

    def _all_set(self, node: c.Loop, exits: list[State]) -> list[State]:
        """Ways out, where a variable that only some of them set may be anything."""
        frames = [state.frames[state.frame] for state in exits]
        numbers = [n for n, head in enumerate(self.cut.heads, 1) if head.node is node]
        for at in {place for frame in frames for place in frame}:
            name = str(at[1])
            kind = self.local_types.get(name) if len(at) == 2 else None
            if isinstance(kind, c.IntType) and numbers:
                for frame in frames:
                    if at not in frame:
                        frame[at] = self.fresh(f"{name}@{numbers[-1]}", kind.ctype)
        return exits

    def _asked(self, node: c.Loop, state: State, exits: list[State]) -> State | None:
        """The path that takes another turn; what leaves goes to ``exits``."""
        try:
            condition = self._loop_condition(node, state)
        except PathEnds:
            return None
        if isinstance(condition.raw, bool):
            if condition.raw:
                return state
            exits.append(state)
            return None
        exits.append(state.fork(~condition))
        return state.fork(condition)

    def _run_from(self, node: c.Block, pending: dict[int, State]) -> list[Outcome]:
        back = _jumped_back_to(node)
        if not back or not self.cuts(node):
            return super()._run_from(node, pending)
        out: list[Outcome] = []
        heads: dict[int, Head] = {}
        while pending:
            position = min(pending)
            state = pending.pop(position)
            if position == len(node.body):
                out.append(Outcome(state, "next"))
                continue
            if position in back and position not in heads:
                part = node.body[position : back[position] + 1]
                heads[position] = self._open(node, state, changed(node, part))
            for outcome in self.execute(node.body[position], state):
                target = goes_to(node, position, outcome)
                if target is None:
                    out.append(outcome)
                elif target <= position:
                    self._arrive(heads[target], outcome.state)
                elif target in heads:
                    raise self.fail(node, "jumps into a loop at its head alone")
                else:
                    _add(pending, target, outcome.state)
        return out

    # Heads.

    def _open(self, node: c.Node, state: State, names: list[str]) -> Head:
        """Come to a new head, and forget there what the loop changes."""
        self._lost = True
        head = Head(len(self.cut.heads) + 1, node)
        self.cut.heads.append(head)
        frame = state.frames[state.frame]
        known = [name for name in names if (state.frame, name) in frame]
        before = _plain(state)
        origin = cast(Word, state.memory[ORIGIN])
        arrival = Arrival(
            head.number, origin, state.condition, before, self.written(), self.seen()
        )
        self.cut.arrivals.append(arrival)
        for name in known:
            at, kind = (state.frame, name), self.local_types[name]
            if not isinstance(kind, c.IntType):
                frame[at] = Poison("it changes in the loop")
                continue
            value = self.fresh(f"{name}@{head.number}", kind.ctype)
            head.values[name] = value
            frame[at] = value
        for name, value in self.told(head, before).items():
            head.values[name] = value
            frame[state.frame, name] = value
        state.memory[ORIGIN] = Word(head.number, INT)
        head.known = _plain(state)
        self.at_head(head, state)
        self._left[head.number] = _Snapshot(self.objects.keys(), names, state)
        return head

    def _arrive(self, head: Head, state: State) -> None:
        """Come back to a head."""
        if not self._left[head.number].onlychanged(state):
            raise self.fail(head.node, "a loop that changes its variables alone")
        values = _plain(state)
        origin = cast(Word, state.memory[ORIGIN])
        arrival = Arrival(
            head.number, origin, state.condition, values, self.written(), self.seen()
        )
        self.cut.arrivals.append(arrival)


def _plain(state: State) -> dict[str, Word]:
    """The plain variables of the function that runs."""
    return {
        str(at[1]): value
        for at, value in state.frames[state.frame].items()
        if len(at) == 2 and isinstance(value, Word)
    }


class _Snapshot:
    """Memory and variables at a head, but for the variables ``names``."""

    def __init__(self, objects: Iterable[int], names: list[str], state: State) -> None:
        self._objects, self._names, self._frame = set(objects), set(names), state.frame
        self._memory = dict(state.memory)
        self._frames = {number: dict(held) for number, held in state.frames.items()}

    def onlychanged(self, state: State) -> bool:
        """Whether nothing else that was there differs in ``state``."""
        for at, value in state.memory.items():
            known = at[0] in self._objects and at != ORIGIN
            if known and self._memory.get(at) is not value:
                return False
        return all(
            state.frames[number].get(at) is value
            for number, held in self._frames.items()
            for at, value in held.items()
            if number != self._frame or at[1] not in self._names
        )


def only_locals(node: c.Loop) -> bool:
    """Whether a loop assigns to nothing but plain local variables, and goes on."""
    parts = list(walk(node))
    targets = [part.target for part in parts if isinstance(part, c.Assign | c.Update)]
    local = all(isinstance(t, c.Name) and t.local for t in targets)
    return local and not any(isinstance(part, c.Return | c.Goto) for part in parts)


def forget(node: c.Loop, state: State, fresh: Fresh) -> None:
    """Let what a loop computes be anything."""
    frame = state.frames[state.frame]
    for name in changed(node, node.body):
        held = frame.get((state.frame, name))
        if isinstance(held, Word):
            frame[(state.frame, name)] = fresh(f"any {name}", held.ctype)
        elif held is not None:
            frame[(state.frame, name)] = Poison("a loop passed over assigns it")


def changed(node: c.Node, part: object) -> list[str]:
    """The function's variables that ``part`` assigns or hands out, its own aside."""
    own = {found.name for found in walk(part) if isinstance(found, c.Declare)}
    names: dict[str, None] = {}
    whole = node if isinstance(node, c.Loop) else part
    for found in walk(whole):
        target: object = None
        if isinstance(found, c.Assign | c.Update):
            target = found.target
        elif isinstance(found, c.Unary) and found.op == "&":
            target = found.operand
        if isinstance(target, c.Name) and target.local and target.name not in own:
            names[target.name] = None
    return list(names)


def _jumped_back_to(block: c.Block) -> dict[int, int]:
    """Positions that later statements jump back to, with the last that does."""
    back: dict[int, int] = {}
    for position, statement in enumerate(block.body):
        for found in walk(statement):
            if isinstance(found, c.Goto) and found.label in block.labels:
                target = block.labels[found.label]
                if target <= position:
                    back[target] = position
    return back


def _add(pending: dict[int, State], position: int, state: State) -> None:
    if position in pending:
        state = merge_all([pending[position], state])
    pending[position] = state
