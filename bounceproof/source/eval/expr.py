# SPDX-License-Identifier: GPL-2.0-only
"""Evaluation of C expressions over Words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from bounceproof.models.words.word import (
    FALSE,
    INT,
    S64,
    TRUE,
    U8,
    U64,
    CType,
    Truth,
    Word,
    ite,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.pure import is_pure
from bounceproof.source.eval.core import Core
from bounceproof.source.eval.memory import (
    NOTHING,
    Address,
    Fresh,
    FunctionValue,
    Literal,
    Location,
    Pointer,
    Poison,
    State,
    Value,
    merge_states,
    merge_values,
)
from bounceproof.source.eval.operators import ARITHMETIC, COMPARISONS
from bounceproof.source.eval.sizes import apart, size_of

if TYPE_CHECKING:
    from bounceproof.source.program.program import Field


_SHIFTS = ("<<", ">>")


def promoted(word: Word) -> Word:
    """``word`` after integer promotion."""
    return word.cast(INT) if word.ctype.bits < INT.bits else word


class Expressions(Core):
    """Expressions: values, conditions and places."""

    def value(self, expr: c.Expr, state: State) -> Value:
        """Evaluate ``expr``, with its side effects on ``state``."""
        return _VALUE[type(expr)](self, expr, state)

    def word(self, expr: c.Expr, state: State) -> Word:
        """Evaluate ``expr`` to an integer."""
        return self.as_word(self.value(expr, state), expr)

    def as_word(self, value: Value, node: c.Node) -> Word:
        """``value`` as an integer, or NotUnderstood."""
        if isinstance(value, Word):
            return value
        if isinstance(value, Poison):
            raise self.fail(node, f"a value that is known: {value.why}")
        if isinstance(value, Address):
            return value.word
        if isinstance(value, Pointer) and value.at is None:
            return Word(0, U64)
        raise self.fail(node, "an integer")

    def truth(self, expr: c.Expr, state: State) -> Truth:
        """Evaluate ``expr`` as a condition."""
        if isinstance(expr, c.Binary):
            if expr.op in ("&&", "||"):
                return self._logical(expr, state)
            if expr.op in COMPARISONS:
                return self._comparison(expr, state)
        if isinstance(expr, c.Unary) and expr.op == "!":
            return ~self.truth(expr.operand, state)
        return self.is_true(self.value(expr, state), expr)

    def is_true(self, value: Value, node: c.Node) -> Truth:
        """Whether ``value`` is not 0 or NULL."""
        if isinstance(value, Word):
            return value.nonzero()
        if isinstance(value, Pointer):
            return FALSE if value.at is None else value.there
        if isinstance(value, Address):
            return value.there
        if isinstance(value, FunctionValue | Fresh | Literal):
            return TRUE
        why = value.why if isinstance(value, Poison) else "it has none"
        raise self.fail(node, f"a value that is known: {why}")

    def read_anywhere(self, expr: c.Expr) -> bool:
        """Whether it does not matter under which condition ``expr`` is evaluated."""
        return is_pure(expr)

    def _logical(self, expr: c.Binary, state: State) -> Truth:
        left = self.truth(expr.left, state)
        conjunction = expr.op == "&&"
        if isinstance(left.raw, bool):
            return self.truth(expr.right, state) if left.raw == conjunction else left
        if self.read_anywhere(expr.right):
            right = self.truth(expr.right, state)
        else:
            side = left if conjunction else ~left
            inside = state.fork(side)
            right = self.truth(expr.right, inside)
            before = state.condition
            state.become(merge_states(side, inside, state))
            state.condition = before
        return left & right if conjunction else left | right

    def _comparison(self, expr: c.Binary, state: State) -> Truth:
        left = self.value(expr.left, state)
        right = self.value(expr.right, state)
        if isinstance(left, Word) and isinstance(right, Word):
            return COMPARISONS[expr.op](left, right)
        if isinstance(left, Poison) or isinstance(right, Poison):
            self.as_word(left, expr.left)
            self.as_word(right, expr.right)
        same = self._same_pointer(left, right, expr)
        if expr.op in ("==", "!="):
            return same if expr.op == "==" else ~same
        words = self.as_word(left, expr), self.as_word(right, expr)
        return COMPARISONS[expr.op](*words)

    def _same_pointer(self, left: Value, right: Value, node: c.Node) -> Truth:
        if isinstance(left, Address) and isinstance(right, Address):
            return left.word.eq(right.word)
        left, right = self._null(left), self._null(right)
        if isinstance(left, Pointer) and isinstance(right, Pointer):
            both = self.is_true(left, node), self.is_true(right, node)
            neither = ~both[0] & ~both[1]
            return neither | (both[0] & both[1] & Truth(left.at == right.at))
        if isinstance(left, FunctionValue) and isinstance(right, FunctionValue):
            return Truth(left.name == right.name)
        kinds = Address | FunctionValue | Fresh | Literal | Pointer
        if isinstance(left, kinds) and isinstance(right, kinds):
            return ~self.is_true(left, node) & ~self.is_true(right, node)
        raise self.fail(node, "values that compare")

    @staticmethod
    def _null(value: Value) -> Value:
        """A constant 0 beside a pointer is NULL."""
        if isinstance(value, Word) and type(value.raw) is int and value.raw == 0:
            return Pointer(None, c.VoidType())
        return value

    def _number(self, expr: c.Expr, state: State) -> Value:
        return cast(c.Number, expr).word

    def _text(self, expr: c.Expr, state: State) -> Value:
        return Literal(cast(c.Text, expr).value)

    def _unknown(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Unknown, expr)
        raise self.fail(node, node.need)

    def _read_place(self, expr: c.Expr, state: State) -> Value:
        if isinstance(expr, c.Name) and not expr.local:
            constant = self.constant(expr, state)
            if constant is not None:
                return constant
        at, kind, bits = self.place(expr, state)
        if isinstance(kind, c.ArrayType):
            return Pointer((*at, 0), kind.of)
        if isinstance(kind, c.StructType):
            raise self.fail(expr, "a struct used by field or by address")
        value = self.load(state, at, kind, expr)
        if bits is not None and isinstance(value, Word):
            return value.cast(CType(32, True)) if bits < 32 else value
        return value

    def constant(self, expr: c.Name, state: State) -> Value | None:
        """The enumerator or function that a name means, or None."""
        if expr.name in self.program.enumerators:
            return self.enumerator(expr.name, state)
        if expr.name in self.globals or expr.name in self.program.globals:
            return None
        if self.program.function(expr.name, self.file):
            return FunctionValue(expr.name, self.file)
        if expr.name == "__func__":
            return Literal(expr.name)
        return None

    def enumerator(self, name: str, state: State) -> Word:
        """The value of an enumerator, an int."""
        if name not in self._enumerators:
            value, previous = self.program.enumerators[name]
            if value is not None:
                word = self.word(value, state)
            elif previous is not None:
                word = self.enumerator(previous, state) + 1
            else:
                word = Word(0, INT)
            self._enumerators[name] = word.cast(INT)
        return self._enumerators[name]

    def place(self, expr: c.Expr, state: State) -> tuple[Location, c.Type, int | None]:
        """The location, type and bit-field width that ``expr`` denotes."""
        if isinstance(expr, c.Name):
            return self._name_place(expr, state)
        if isinstance(expr, c.Member):
            return self._member_place(expr, state)
        if isinstance(expr, c.Index):
            base = self.value(expr.base, state)
            moved = self.move(base, self.word(expr.index, state), expr)
            return self.target(moved, expr)
        if isinstance(expr, c.Unary) and expr.op == "*":
            return self.target(self.value(expr.operand, state), expr)
        raise self.fail(expr, "something that can be assigned to")

    def _name_place(
        self, expr: c.Name, state: State
    ) -> tuple[Location, c.Type, int | None]:
        if expr.local:
            kind = self.local_types.get(expr.name)
            if kind is None:
                raise self.fail(expr, "a variable that is declared")
            return (state.frame, expr.name), kind, None
        at, kind = self.global_place(expr, state)
        return at, kind, None

    def _member_place(
        self, expr: c.Member, state: State
    ) -> tuple[Location, c.Type, int | None]:
        if expr.arrow:
            at, kind, _ = self.target(self.value(expr.base, state), expr)
        else:
            at, kind, _ = self.place(expr.base, state)
        if not isinstance(kind, c.StructType):
            raise self.fail(expr, "a struct")
        found: Field | None = self.program.structs.get(kind.tag, {}).get(expr.name)
        if found is None:
            raise self.fail(expr, f"struct {kind.tag} with its field {expr.name}")
        return (*at, expr.name), found.type, found.bits

    def target(self, value: Value, node: c.Node) -> tuple[Location, c.Type, int | None]:
        """What a pointer points to."""
        if isinstance(value, Pointer) and value.at is not None:
            return value.at, value.to, None
        if isinstance(value, Poison):
            raise self.fail(node, f"a pointer that is known: {value.why}")
        if isinstance(value, Pointer):
            raise self.fail(node, "a pointer that is not NULL")
        raise self.fail(node, "a pointer to memory that is modelled")

    def move(self, value: Value, by: Word, node: c.Node) -> Value:
        """``value + by`` for a pointer."""
        if isinstance(value, Address):
            scale = apart(value.to, self.program)
            if scale is None:
                raise self.fail(node, "the size of what the pointer points to")
            return Address((value.word + by.cast(S64) * scale).cast(U64), value.to)
        if not isinstance(value, Pointer) or value.at is None:
            self.target(value, node)
            raise self.fail(node, "a pointer that can be moved")
        last = value.at[-1]
        if type(by.raw) is int and isinstance(last, int) and len(value.at) > 1:
            return Pointer((*value.at[:-1], last + int(by)), value.to)
        if type(by.raw) is int and int(by) == 0:
            return value
        if isinstance(last, int | Word) and len(value.at) > 1:
            return Pointer((*value.at[:-1], by.cast(S64) + last), value.to)
        raise self.fail(node, "a pointer into an array")

    def _unary(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Unary, expr)
        if node.op == "*":
            return self._read_place(node, state)
        if node.op == "&":
            if isinstance(node.operand, c.Name) and not node.operand.local:
                constant = self.constant(node.operand, state)
                if isinstance(constant, FunctionValue):
                    return constant
            at, kind, bits = self.place(node.operand, state)
            if bits is not None:
                raise self.fail(node, "no pointer to a bit-field")
            return Pointer(at, kind)
        if node.op == "!":
            return (~self.truth(node.operand, state)).word(INT)
        word = self.word(node.operand, state)
        if node.op == "-":
            return -word
        return ~word if node.op == "~" else promoted(word)

    def _binary(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Binary, expr)
        if node.op in COMPARISONS or node.op in ("&&", "||"):
            return self.truth(node, state).word(INT)
        left = self.value(node.left, state)
        right = self.value(node.right, state)
        return self.arithmetic(node.op, left, right, node)

    def arithmetic(self, op: str, left: Value, right: Value, node: c.Node) -> Value:
        """``left op right`` for words and pointers."""
        pointers = Pointer | Address
        if isinstance(left, pointers) and isinstance(right, Word) and op in "+-":
            return self.move(left, right if op == "+" else -right.cast(S64), node)
        if isinstance(right, pointers) and isinstance(left, Word) and op == "+":
            return self.move(right, left, node)
        if isinstance(left, Address) and isinstance(right, Address) and op == "-":
            return (left.word - right.word).cast(S64)
        a, b = self.as_word(left, node), self.as_word(right, node)
        bits = promoted(a).ctype.bits
        if op in _SHIFTS and type(b.raw) is int and not 0 <= int(b) < bits:
            raise self.fail(node, f"a shift by 0 to {bits - 1} bits")
        try:
            return ARITHMETIC[op](a, b)
        except ZeroDivisionError:
            raise self.fail(node, "a divisor that is not 0") from None

    def _assign(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Assign, expr)
        if node.op:
            value = self.value(node.value, state)
            at, kind, bits = self.place(node.target, state)
            old = self.load(state, at, kind, node)
            value = self.arithmetic(node.op, old, value, node)
        else:
            value = self.value(node.value, state)
            at, kind, bits = self.place(node.target, state)
        return self.store(state, at, kind, value, node, bits)

    def _update(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Update, expr)
        at, kind, bits = self.place(node.target, state)
        old = self.load(state, at, kind, node)
        one = Word(1, INT)
        value = self.arithmetic(node.op, old, one, node)
        new = self.store(state, at, kind, value, node, bits)
        return new if node.prefix else old

    def _conditional(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Conditional, expr)
        if node.then is None:
            raise self.fail(node, "?: with a middle operand")
        condition = self.truth(node.condition, state)
        if isinstance(condition.raw, bool):
            chosen = self.value(node.then if condition.raw else node.other, state)
            return self._balanced(chosen, node, condition.raw, state)
        then_state = state.fork(condition)
        other_state = state.fork(~condition)
        then = self.value(node.then, then_state)
        other = self.value(node.other, other_state)
        before = state.condition
        state.become(merge_states(condition, then_state, other_state))
        state.condition = before
        if isinstance(then, Word) and isinstance(other, Word):
            return ite(condition, promoted(then), promoted(other))
        return merge_values(condition, then, other)

    def _balanced(
        self, chosen: Value, node: c.Conditional, first: bool, state: State
    ) -> Value:
        """The chosen word in the type that both alternatives give."""
        if not isinstance(chosen, Word):
            return chosen
        other = node.other if first else node.then
        kind = self.type_of(other, state) if other is not None else None
        if not isinstance(kind, c.IntType):
            return chosen
        return ite(TRUE, promoted(chosen), promoted(Word(0, kind.ctype)))

    def type_of(self, expr: c.Expr, state: State) -> c.Type | None:
        """The type of ``expr``, evaluated on a copy so that nothing happens."""
        events, hooks = len(self.events), self.quiet
        self.quiet = True
        try:
            value = self.value(expr, state.fork(TRUE))
        finally:
            self.quiet = hooks
            del self.events[events:]
        return c.IntType(value.ctype) if isinstance(value, Word) else None

    def _cast(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Cast, expr)
        if isinstance(node.type, c.VoidType):
            self.value(node.operand, state)
            return NOTHING
        return self.convert(self.value(node.operand, state), node.type, node)

    def _sizeof(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.SizeOf, expr)
        kind = node.type
        if kind is None and node.operand is not None:
            kind = self._operand_type(node.operand, state)
        size = size_of(kind, self.program) if kind is not None else None
        if size is None:
            raise self.fail(node, "the size of this type")
        return Word(size, U64)

    def _operand_type(self, expr: c.Expr, state: State) -> c.Type | None:
        if isinstance(expr, c.Name | c.Member | c.Index):
            return self.place(expr, state.fork(TRUE))[1]
        if isinstance(expr, c.Unary) and expr.op == "*":
            value = self.value(expr.operand, state.fork(TRUE))
            return value.to if isinstance(value, Pointer | Address) else None
        return self.type_of(expr, state)

    def _comma(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.Comma, expr)
        self.value(node.left, state)
        return self.value(node.right, state)

    def _statement_expr(self, expr: c.Expr, state: State) -> Value:
        node = cast(c.StatementExpr, expr)
        last = node.body.body[-1] if node.body.body else None
        head = c.Block(node.line, node.body.body[:-1], node.body.labels)
        self.run_inline(head, state)
        if isinstance(last, c.ExprStatement):
            return self.value(last.expr, state)
        if last is not None:
            self.run_inline(c.Block(node.line, [last]), state)
        return NOTHING

    def _call(self, expr: c.Expr, state: State) -> Value:
        return self.call(cast(c.Call, expr), state)

    def _misplaced(self, expr: c.Expr, state: State) -> Value:
        raise self.fail(expr, "an expression here")

    def convert(self, value: Value, kind: c.Type, node: c.Node) -> Value:
        """``value`` as an assignment to ``kind`` leaves it."""
        if isinstance(value, Poison):
            return value
        if isinstance(kind, c.IntType):
            if kind.boolean:
                return self.is_true(value, node).word(U8)
            return self.as_word(value, node).cast(kind.ctype)
        if isinstance(kind, c.PointerType):
            return self._convert_pointer(value, kind, node)
        if isinstance(value, Word):
            raise self.fail(node, "a conversion to a type that is known")
        return value

    def _convert_pointer(
        self, value: Value, kind: c.PointerType, node: c.Node
    ) -> Value:
        if isinstance(value, Fresh):
            if isinstance(kind.to, c.VoidType):
                return value
            self.objects[value.root].type = c.ArrayType(kind.to)
            return Pointer((value.root, 0), kind.to)
        if isinstance(value, Word):
            if type(value.raw) is int and value.raw == 0:
                return Pointer(None, kind.to)
            return Address(value.cast(U64), kind.to)
        if isinstance(value, Address):
            return Address(value.word, kind.to, value.there)
        if isinstance(value, Pointer):
            keep = isinstance(kind.to, c.VoidType) and value.at is not None
            return value if keep else Pointer(value.at, kind.to, value.there)
        return value


_VALUE: dict[type, Callable[[Expressions, c.Expr, State], Value]] = {
    c.Number: Expressions._number,
    c.Text: Expressions._text,
    c.Name: Expressions._read_place,
    c.Member: Expressions._read_place,
    c.Index: Expressions._read_place,
    c.Unary: Expressions._unary,
    c.Binary: Expressions._binary,
    c.Assign: Expressions._assign,
    c.Update: Expressions._update,
    c.Conditional: Expressions._conditional,
    c.Cast: Expressions._cast,
    c.SizeOf: Expressions._sizeof,
    c.Comma: Expressions._comma,
    c.StatementExpr: Expressions._statement_expr,
    c.Call: Expressions._call,
    c.Unknown: Expressions._unknown,
    c.TypeArgument: Expressions._misplaced,
    c.Initializer: Expressions._misplaced,
}
