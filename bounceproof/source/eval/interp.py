# SPDX-License-Identifier: GPL-2.0-only
"""Execution of C statements and calls over Words.

A condition that is no plain number splits the path, and unrolls a loop up to
``loop_bound`` turns; paths that meet again are merged with ``ite``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from bounceproof.models.words.word import TRUE, Truth, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_in, walk
from bounceproof.source.errors import Endless, NotUnderstood
from bounceproof.source.eval.expr import Expressions
from bounceproof.source.eval.macros import MACROS
from bounceproof.source.eval.memory import (
    NOTHING,
    FunctionValue,
    Nothing,
    Pointer,
    Poison,
    State,
    Value,
    merge_states,
    merge_values,
)
from bounceproof.source.eval.outside import BOUNDARY, OUTSIDE
from bounceproof.source.eval.paths import (
    Outcome,
    PathEnds,
    Turns,
    add_path,
    branch_off,
    goes_to,
    merge_all,
    rejoin,
)
from bounceproof.source.eval.watch import WATCH_FROM, Watch
from bounceproof.source.program.program import Program
from bounceproof.source.tree.tree import SOURCES

MAX_DEPTH = 60
MAX_STEPS = 250_000
MAX_OPEN_TURNS = 4096


class Interpreter(Expressions):
    """Runs the functions of a program.

    ``hooks`` by function name take the place of the tree's own definitions.
    """

    def __init__(self, program: Program, loop_bound: int = 0) -> None:
        super().__init__(program)
        self.loop_bound = loop_bound
        self._depth = 0
        self._frames = 0
        self.sinks: set[int] = set()
        self.most_steps = MAX_STEPS

    # Calls.

    def run(self, name: str, arguments: list[Value], state: State) -> Value:
        """Call the function ``name`` of the tree; NotUnderstood if there is none."""
        function = self.program.function(name)
        if function is None:
            place = self.program.mention(name) or (SOURCES[0], 0)
            raise NotUnderstood(*place, name, f"a definition of {name}()")
        return self.invoke(function, arguments, state, c.Empty(function.line))

    def call(self, expr: c.Call, state: State) -> Value:
        """Evaluate a call: a hook, the tree's function, a macro, the outside."""
        if isinstance(expr.function, c.Name) and not expr.function.local:
            return self._call_name(expr.function.name, self.file, expr, state)
        target = self.value(expr.function, state)
        if not isinstance(target, FunctionValue):
            raise self.fail(expr, "a function pointer that is known")
        return self._call_name(target.name, target.file, expr, state)

    def _call_name(self, name: str, file: str, expr: c.Call, state: State) -> Value:
        hook = self.hooks.get(name)
        if hook is None and name in BOUNDARY:
            return OUTSIDE[name](self, expr, state)
        function = self.program.function(name, file)
        if hook is not None or function is not None:
            arguments = [self.value(argument, state) for argument in expr.arguments]
            result = hook(state, arguments, expr) if hook is not None else None
            if result is not None:
                return result
            if function is not None:
                return self.invoke(function, arguments, state, expr)
        macro = MACROS.get(name)
        if macro is not None:
            return macro(self, expr, state)
        treatment = OUTSIDE.get(name)
        if treatment is not None:
            return treatment(self, expr, state)
        raise self.fail(expr, f"a definition of {name}()")

    def invoke(
        self,
        function: c.Function,
        arguments: list[Value],
        state: State,
        node: c.Node,
        body: Callable[[State], list[Outcome]] | None = None,
    ) -> Value:
        """Run ``function``; returns its value, with ``state`` as it leaves it.

        ``body`` stands in for the running of its statements.
        """
        if len(arguments) != len(function.parameters):
            raise self.fail(node, f"{len(function.parameters)} arguments")
        if self._depth >= MAX_DEPTH:
            raise self.fail(node, "calls that nest less deeply")
        self.steps = self.steps if self._depth else 0
        outer = self.file, self.local_types, state.frame
        self._frames -= 1
        frame = self._frames
        locals_: dict[str, c.Type] = {}
        held: dict[tuple[object, ...], Value] = {}
        pairs = zip(function.parameters, arguments, strict=True)
        for (renamed, _, kind), argument in pairs:
            locals_[renamed] = kind
            held[(frame, renamed)] = self.convert(argument, kind, node)
        state.frames[frame] = held
        state.frame = frame
        self.file, self.local_types = function.file, locals_
        self.entered = function.file, function.line
        self._depth += 1
        try:
            run = body or partial(self.execute, function.body)
            return self._finish(function, state, state.condition, run(state))
        except RecursionError:
            raise self.fail(node, "code that nests less deeply") from None
        finally:
            self._depth -= 1
            self.file, self.local_types, state.frame = outer
            state.frames.pop(frame, None)

    def _finish(
        self,
        function: c.Function,
        state: State,
        before: Truth,
        outcomes: list[Outcome],
    ) -> Value:
        ends: list[tuple[State, Value]] = []
        for outcome in outcomes:
            if outcome.kind == "goto":
                node = c.Goto(function.line, str(outcome.detail))
                raise self.fail(node, f"the label {outcome.detail} around the goto")
            value = outcome.detail if outcome.kind == "return" else NOTHING
            value = NOTHING if value is None or isinstance(value, str) else value
            if not isinstance(function.result, c.VoidType | c.NamedType) and not (
                isinstance(value, Nothing)
            ):
                value = self.convert(value, function.result, c.Empty(function.line))
            ends.append((outcome.state, value))
        if not ends:
            raise PathEnds
        merged, value = ends[0]
        for other, result in ends[1:]:
            value = merge_values(other.condition, result, value)
            merged = merge_states(other.condition, other, merged)
        state.become(merged)
        if not self._lost:
            state.condition = before
        return value

    def run_inline(self, block: c.Block, state: State) -> None:
        """Run the statements of a statement expression."""
        outcomes = self.execute(block, state)
        if any(outcome.kind != "next" for outcome in outcomes):
            raise self.fail(block, "no jump out of a statement expression")
        self._join(state, outcomes)

    def _join(self, state: State, outcomes: list[Outcome]) -> None:
        if not outcomes:
            raise PathEnds
        merged = outcomes[0].state
        for outcome in outcomes[1:]:
            merged = merge_states(outcome.state.condition, outcome.state, merged)
        if merged is not state:
            state.become(merged)

    def execute(self, statement: c.Statement, state: State) -> list[Outcome]:
        """Run one statement; one outcome for each way it can end."""
        self.steps += 1
        if self.steps > (most := self.most_steps):
            raise self.fail(statement, f"code that ends within {most} steps")
        return _EXECUTE[type(statement)](self, statement, state)

    def _expression(self, statement: c.Statement, state: State) -> list[Outcome]:
        try:
            self.value(cast(c.ExprStatement, statement).expr, state)
        except PathEnds:
            return []
        return [Outcome(state, "next")]

    def _declare(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Declare, statement)
        frame = state.frames[state.frame]
        at = (state.frame, node.name)
        stale = [key for key in frame if key[1] == node.name]
        for key in stale:
            del frame[key]
        self.local_types[node.name] = node.type
        if node.value is None:
            return [Outcome(state, "next")]
        if isinstance(node.value, c.Initializer):
            frame[(*at, "=0")] = NOTHING
            self._initialise_local(node, node.value, state)
            return [Outcome(state, "next")]
        try:
            value = self.value(node.value, state)
        except PathEnds:
            return []
        if node.auto and isinstance(value, Word):
            self.local_types[node.name] = c.IntType(value.ctype)
        self.store(state, at, self.local_types[node.name], value, node)
        return [Outcome(state, "next")]

    def _initialise_local(
        self, node: c.Declare, value: c.Initializer, state: State
    ) -> None:
        fields = (
            self.program.structs.get(node.type.tag, {})
            if isinstance(node.type, c.StructType)
            else {}
        )
        for name, item in value.items:
            entry = fields.get(name) if name is not None else None
            if entry is None:
                plain = isinstance(item, c.Number) and item.word.raw == 0
                if name is None and plain and len(value.items) == 1:
                    continue
                raise self.fail(node, "an initial value by field name")
            at = (state.frame, node.name, name)
            self.store(state, at, entry.type, self.value(item, state), node, entry.bits)

    def _block(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Block, statement)
        return self._run_from(node, {0: state})

    def _run_from(self, node: c.Block, pending: dict[int, State]) -> list[Outcome]:
        """Run ``node`` from where paths are ``pending``; jumps back go in rounds."""
        out: list[Outcome] = []
        rounds: dict[int, Turns] = {}
        while pending:
            back: dict[int, State] = {}
            while pending:
                position = min(pending)
                state = pending.pop(position)
                if position == len(node.body):
                    out.append(Outcome(state, "next"))
                    continue
                for outcome in self.execute(node.body[position], state):
                    target = goes_to(node, position, outcome)
                    if target is None:
                        out.append(outcome)
                    elif target <= position:
                        add_path(back, target, outcome.state)
                    else:
                        add_path(pending, target, outcome.state)
            for target, state in back.items():
                jumps = rounds.setdefault(target, Turns())
                if not self._leaves_back(node, state, jumps):
                    pending[target] = state
        return out

    def _leaves_back(self, node: c.Block, state: State, jumps: Turns) -> bool:
        """Whether a path that jumps back, as a loop does, is left there."""
        jumps.turns += 1
        if not jumps.splits(state):
            if jumps.repeats(state, self.writes):
                raise Endless(self.file, node.line)
            return False
        if jumps.split <= (self.loop_bound or MAX_OPEN_TURNS):
            return False
        if self.gives_up(node, state):
            return True
        raise self.fail(node, f"jumps back that end within {jumps.split - 1} turns")

    def _if(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.If, statement)
        try:
            condition = self.truth(node.condition, state)
        except PathEnds:
            return []
        if isinstance(condition.raw, bool):
            taken = node.then if condition.raw else node.other
            return self.execute(taken, state) if taken else [Outcome(state, "next")]
        before = state.condition
        other_state = state.fork(~condition)
        then = self.execute(node.then, state.fork(condition))
        other = [Outcome(other_state, "next")]
        if node.other is not None:
            other = self.execute(node.other, other_state)
        return rejoin(condition, None if self._lost else before, then, other)

    def _loop(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Loop, statement)
        out: list[Outcome] = []
        if self.passes_over(node, state):
            return [Outcome(state, "next")]
        if node.init is not None:
            for outcome in self.execute(node.init, state):
                state = outcome.state
        if self.records(node, state):
            return self.pass_loop(node, state)
        exits: list[State] = []
        running: State | None = state
        turns = split = 0
        watch, unasked = Watch(), Turns()
        while running is not None:
            if node.kind != "do" or turns:
                try:
                    condition = self._loop_condition(node, running)
                except PathEnds:
                    break
                if not isinstance(condition.raw, bool):
                    split += 1
                    if split > self.loop_bound:
                        if self.gives_up(node, running):
                            break
                        return self.pass_loop(node, running)
                    exits.append(running.fork(~condition))
                    running = running.fork(condition)
                elif not condition.raw:
                    exits.append(running)
                    break
                elif self._leaves_open(node, running, unasked):
                    break
            turns += 1
            if turns >= WATCH_FROM and watch.repeats(turns, running, self.writes):
                raise Endless(self.file, node.line)
            running = self._turn(node, running, exits, out)
        if exits:
            out.append(Outcome(merge_all(exits), "next"))
        return out

    def _leaves_open(self, node: c.Loop, state: State, unasked: Turns) -> bool:
        """Whether a path that goes on whatever it has computed is left there."""
        most = self.loop_bound or MAX_OPEN_TURNS
        if not unasked.splits(state) or unasked.split <= most:
            return False
        if self.gives_up(node, state):
            return True
        raise self.fail(node, f"a loop that ends within {most} turns")

    def _loop_condition(self, node: c.Loop, state: State) -> Truth:
        return TRUE if node.condition is None else self.truth(node.condition, state)

    def _turn(
        self, node: c.Loop, state: State, exits: list[State], out: list[Outcome]
    ) -> State | None:
        going: list[State] = []
        for outcome in self.execute(node.body, state):
            if outcome.kind in ("next", "continue"):
                going.append(outcome.state)
            elif outcome.kind == "break":
                exits.append(outcome.state)
            else:
                out.append(outcome)
        if not going:
            return None
        merged = merge_all(going)
        try:
            if node.step is not None:
                self.value(node.step, merged)
        except PathEnds:
            return None
        return merged

    def records(self, node: c.Loop, state: State) -> bool:
        """Whether a loop goes to :meth:`pass_loop` even where its turns are known."""
        return False

    def passes_over(self, node: c.Loop, state: State) -> bool:
        """Whether the loop need not be run: ``state`` is then as it leaves it."""
        return False

    def gives_up(self, node: c.Node, state: State) -> bool:
        """Whether a path that has turned ``loop_bound`` times is left there."""
        return False

    def pass_loop(self, node: c.Loop, state: State) -> list[Outcome]:
        """Pass over a loop that only writes to memory nobody reads."""
        if self.loop_bound == 0 and isinstance(node.step, c.Update):
            target = node.step.target
            if isinstance(target, c.Name) and self._only_marks(node.body, state):
                at = (state.frame, target.name)
                why = "it counted a loop that was passed over"
                state.frames[state.frame][at] = Poison(why)
                self.event("marks", state, line=node.line)
                return [Outcome(state, "next")]
        need = f"a loop whose turns are known, or at most {self.loop_bound}"
        raise self.fail(node, need)

    def _only_marks(self, body: c.Statement, state: State) -> bool:
        statements = body.body if isinstance(body, c.Block) else [body]
        return all(
            isinstance(s, c.ExprStatement)
            and isinstance(s.expr, c.Assign)
            and not s.expr.op
            and self.in_sink(s.expr.target, state)
            and self.changes_nothing(s.expr.value)
            for s in statements
        )

    def changes_nothing(self, expr: object) -> bool:
        """Whether evaluating ``expr`` writes to nothing but callees' variables."""
        for node in walk(expr):
            if isinstance(node, c.Assign | c.Update) and not (
                isinstance(node.target, c.Name) and node.target.local
            ):
                return False
        for name in calls_in(expr):
            function = self.program.function(name, self.file)
            known = function is None and name in MACROS
            if not known and (
                function is None or not self.changes_nothing(function.body)
            ):
                return False
        return not (isinstance(expr, c.Assign | c.Update))

    def in_sink(self, target: c.Expr, state: State) -> bool:
        while isinstance(target, c.Member) and not target.arrow:
            target = target.base
        if not isinstance(target, c.Index):
            return False
        base = self.value(target.base, state)
        return isinstance(base, Pointer) and (
            base.at is not None and base.at[0] in self.sinks
        )

    def _switch(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Switch, statement)
        value = self.word(node.value, state)
        pending: dict[int, State] = {}
        rest: State | None = state
        for label, position in node.cases:
            if label is None or rest is None:
                continue
            equal = value.eq(self.word(label, rest))
            rest = branch_off(pending, position, rest, equal)
        out: list[Outcome] = []
        if rest is not None:
            default = next((p for label, p in node.cases if label is None), None)
            if default is None:
                out.append(Outcome(rest, "next"))
            else:
                add_path(pending, default, rest)
        ends = self._run_from(node.body, pending) if pending else []
        return out + [
            Outcome(o.state, "next") if o.kind == "break" else o for o in ends
        ]

    def _return(self, statement: c.Statement, state: State) -> list[Outcome]:
        node = cast(c.Return, statement)
        if node.value is None:
            return [Outcome(state, "return", NOTHING)]
        try:
            return [Outcome(state, "return", self.value(node.value, state))]
        except PathEnds:
            return []

    def _jump(self, statement: c.Statement, state: State) -> list[Outcome]:
        if isinstance(statement, c.Goto):
            return [Outcome(state, "goto", statement.label)]
        kind = "break" if isinstance(statement, c.Break) else "continue"
        return [Outcome(state, kind)]

    def _empty(self, statement: c.Statement, state: State) -> list[Outcome]:
        return [Outcome(state, "next")]

    def _unknown_statement(self, statement: c.Statement, state: State) -> list[Outcome]:
        raise self.fail(statement, cast(c.Unknown, statement).need)


_EXECUTE: dict[type, Callable[[Interpreter, c.Statement, State], list[Outcome]]] = {
    c.ExprStatement: Interpreter._expression,
    c.Declare: Interpreter._declare,
    c.Block: Interpreter._block,
    c.If: Interpreter._if,
    c.Loop: lambda machine, node, state: machine._loop(node, state),
    c.Switch: Interpreter._switch,
    c.Return: Interpreter._return,
    c.Goto: Interpreter._jump,
    c.Break: Interpreter._jump,
    c.Continue: Interpreter._jump,
    c.Empty: Interpreter._empty,
    c.Unknown: Interpreter._unknown_statement,
}
