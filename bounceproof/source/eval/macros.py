# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's usual macros and bit operations, with their C types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bounceproof.models.words.word import (
    INT,
    TRUE,
    U8,
    U32,
    U64,
    CType,
    Truth,
    Word,
    align,
    ite,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.expr import Expressions, promoted
from bounceproof.source.eval.memory import NOTHING, Pointer, State, Value

Macro: TypeAlias = Callable[[Expressions, c.Call, State], Value]


def _on_words(count: int, function: Callable[..., Word]) -> Macro:
    def macro(ev: Expressions, call: c.Call, state: State) -> Value:
        if len(call.arguments) != count:
            raise ev.fail(call, f"{count} arguments")
        words = [ev.word(argument, state) for argument in call.arguments]
        try:
            return function(*words)
        except ZeroDivisionError:
            raise ev.fail(call, "a divisor that is not 0") from None

    return macro


def _by_type(function: Callable[[Word, Word], Word]) -> Macro:
    """A macro that casts to the type of its first argument, which is not bool."""
    plain = _on_words(2, function)

    def macro(ev: Expressions, call: c.Call, state: State) -> Value:
        first = call.arguments[0] if call.arguments else None
        if isinstance(first, c.Name | c.Member | c.Index):
            kind = (
                ev.place(first, state)[1] if not _constant(ev, first, state) else None
            )
            if isinstance(kind, c.IntType) and kind.boolean:
                raise ev.fail(call, "an argument that is not bool")
        return plain(ev, call, state)

    return macro


def _constant(ev: Expressions, expr: c.Expr, state: State) -> bool:
    return (
        isinstance(expr, c.Name)
        and not expr.local
        and ev.constant(expr, state) is not None
    )


def _min(a: Word, b: Word) -> Word:
    a, b = promoted(a), promoted(b)
    return ite(a < b, a, b)


def _max(a: Word, b: Word) -> Word:
    a, b = promoted(a), promoted(b)
    return ite(a > b, a, b)


def _unsigned(word: Word) -> Word:
    return (word + Word(0, U32)).cast(U64)


def _min_not_zero(a: Word, b: Word) -> Word:
    return ite(a.eq(0), promoted(b), ite(b.eq(0), promoted(a), _min(a, b)))


def _clamp(value: Word, low: Word, high: Word) -> Word:
    value, low, high = promoted(value), promoted(low), promoted(high)
    return ite(value >= high, high, ite(value <= low, low, value))


def _align_down(x: Word, a: Word) -> Word:
    return align(x - (a - 1), a)


def _is_aligned(x: Word, a: Word) -> Word:
    return (x & (a.cast(x.ctype) - 1)).eq(0).word(INT)


def _round_up(x: Word, y: Word) -> Word:
    return ((x - 1) | (y - 1).cast(x.ctype)) + 1


def _round_down(x: Word, y: Word) -> Word:
    return x & ~(y - 1).cast(x.ctype)


def _roundup(x: Word, y: Word) -> Word:
    return ((x + (y - 1)) // y) * y


def _rounddown(x: Word, y: Word) -> Word:
    return x - (x % y)


def _div_round_up(n: Word, d: Word) -> Word:
    return (n + d - 1) // d


def find_last_set(word: Word) -> Word:
    """``fls``: the number (from 1) of the highest set bit, 0 for 0; an int."""
    if type(word.raw) is int:
        return Word(word.raw.bit_length(), INT)
    result = Word(0, INT)
    for bit in range(word.ctype.bits):
        is_set = ((word >> bit) & 1).nonzero()
        result = ite(is_set, Word(bit + 1, INT), result)
    return result


def find_first_set(word: Word) -> Word:
    """``ffs``: the number (from 1) of the lowest set bit, 0 for 0; an int."""
    if type(word.raw) is int:
        return Word((word.raw & -word.raw).bit_length(), INT)
    result = Word(0, INT)
    for bit in reversed(range(word.ctype.bits)):
        is_set = ((word >> bit) & 1).nonzero()
        result = ite(is_set, Word(bit + 1, INT), result)
    return result


def _power_of_2(word: Word) -> Word:
    n = word.cast(U64)
    return (n.ne(0) & (n & (n - 1)).eq(0)).word(U8)


def _one_shifted(by: Word) -> Word:
    return Word(1, U64) << by


def _get_order(ev: Expressions, call: c.Call, state: State) -> Value:
    if len(call.arguments) != 1:
        raise ev.fail(call, "1 argument")
    size = ev.word(call.arguments[0], state).cast(U64)
    shift = ev.program.page_size.bit_length() - 1
    return find_last_set((size - 1) >> shift)


def _condition_at(position: int) -> Macro:
    """WARN_ON() and its kin: their value is the condition's."""

    def macro(ev: Expressions, call: c.Call, state: State) -> Value:
        if len(call.arguments) <= position:
            raise ev.fail(call, f"at least {position + 1} arguments")
        condition = ev.truth(call.arguments[position], state)
        inside = State(state.condition & condition)
        ev.event("warn", inside, file=ev.file, line=call.line)
        return condition.word(INT)

    return macro


def _bug_on(ev: Expressions, call: c.Call, state: State) -> Value:
    condition = ev.truth(call.arguments[0], state) if call.arguments else TRUE
    ev.bug(condition, state, call)
    return NOTHING


def _panic(ev: Expressions, call: c.Call, state: State) -> Value:
    ev.bug(TRUE, state, call)
    return NOTHING


def _build_check(ev: Expressions, call: c.Call, state: State) -> Value:
    return NOTHING


def _swap(ev: Expressions, call: c.Call, state: State) -> Value:
    if len(call.arguments) != 2:
        raise ev.fail(call, "2 arguments")
    first, second = call.arguments
    a, kind_a, bits_a = ev.place(first, state)
    b, kind_b, bits_b = ev.place(second, state)
    old_a, old_b = ev.load(state, a, kind_a, call), ev.load(state, b, kind_b, call)
    ev.store(state, a, kind_a, old_b, call, bits_a)
    ev.store(state, b, kind_b, old_a, call, bits_b)
    return NOTHING


def _checked(operation: str) -> Macro:
    """check_add_overflow() and its kin: computed wide, stored narrow."""

    def macro(ev: Expressions, call: c.Call, state: State) -> Value:
        if len(call.arguments) != 3:
            raise ev.fail(call, "3 arguments")
        wide = CType(132, True)
        a = ev.word(call.arguments[0], state).cast(wide)
        b = ev.word(call.arguments[1], state).cast(wide)
        target = ev.value(call.arguments[2], state)
        if not isinstance(target, Pointer) or not isinstance(target.to, c.IntType):
            raise ev.fail(call, "a pointer to an integer")
        if target.at is None:
            raise ev.fail(call, "a pointer that is not NULL")
        exact = {"add": a + b, "sub": a - b, "mul": a * b}[operation]
        stored = exact.cast(target.to.ctype)
        ev.store(state, target.at, target.to, stored, call)
        overflow: Truth = stored.cast(wide).ne(exact)
        return overflow.word(U8)

    return macro


MACROS: dict[str, Macro] = {
    "min": _on_words(2, _min),
    "max": _on_words(2, _max),
    "min3": _on_words(3, lambda a, b, d: _min(_min(a, b), d)),
    "max3": _on_words(3, lambda a, b, d: _max(_max(a, b), d)),
    "umin": _on_words(2, lambda a, b: _min(_unsigned(a), _unsigned(b))),
    "umax": _on_words(2, lambda a, b: _max(_unsigned(a), _unsigned(b))),
    "min_not_zero": _on_words(2, _min_not_zero),
    "clamp": _on_words(3, _clamp),
    "clamp_val": _on_words(
        3, lambda v, a, b: _clamp(v, a.cast(v.ctype), b.cast(v.ctype))
    ),
    "ALIGN": _by_type(align),
    "ALIGN_DOWN": _on_words(2, _align_down),
    "IS_ALIGNED": _by_type(_is_aligned),
    "round_up": _by_type(_round_up),
    "round_down": _by_type(_round_down),
    "roundup": _by_type(_roundup),
    "rounddown": _by_type(_rounddown),
    "DIV_ROUND_UP": _on_words(2, _div_round_up),
    "DIV_ROUND_UP_ULL": _on_words(2, lambda n, d: _div_round_up(n.cast(U64), d)),
    "div_u64": _on_words(2, lambda n, d: n.cast(U64) // d.cast(U32)),
    "div64_u64": _on_words(2, lambda n, d: n.cast(U64) // d.cast(U64)),
    "fls": _on_words(1, lambda x: find_last_set(x.cast(U32))),
    "fls64": _on_words(1, lambda x: find_last_set(x.cast(U64))),
    "fls_long": _on_words(1, lambda x: find_last_set(x.cast(U64))),
    "ffs": _on_words(1, lambda x: find_first_set(x.cast(U32))),
    "__ffs": _on_words(1, lambda x: (find_first_set(x.cast(U64)) - 1).cast(U64)),
    "__ffs64": _on_words(1, lambda x: (find_first_set(x.cast(U64)) - 1).cast(U64)),
    "__fls": _on_words(1, lambda x: (find_last_set(x.cast(U64)) - 1).cast(U64)),
    "ilog2": _on_words(1, lambda x: find_last_set(x.cast(U64)) - 1),
    "bits_per": _on_words(1, lambda x: find_last_set(x.cast(U64))),
    "is_power_of_2": _on_words(1, _power_of_2),
    "roundup_pow_of_two": _on_words(
        1, lambda x: _one_shifted(find_last_set(x.cast(U64) - 1))
    ),
    "rounddown_pow_of_two": _on_words(
        1, lambda x: _one_shifted(find_last_set(x.cast(U64)) - 1)
    ),
    "order_base_2": _on_words(1, lambda x: find_last_set(x.cast(U64) - 1)),
    "upper_32_bits": _on_words(1, lambda x: (x.cast(U64) >> 32).cast(U32)),
    "lower_32_bits": _on_words(1, lambda x: x.cast(U32)),
    "get_order": _get_order,
    "check_add_overflow": _checked("add"),
    "check_sub_overflow": _checked("sub"),
    "check_mul_overflow": _checked("mul"),
    "swap": _swap,
    "BUG": _bug_on,
    "BUG_ON": _bug_on,
    "VM_BUG_ON": _bug_on,
    "panic": _panic,
    "BUILD_BUG_ON": _build_check,
    "static_assert": _build_check,
    **dict.fromkeys(("WARN_ON", "WARN_ON_ONCE", "WARN", "WARN_ONCE"), _condition_at(0)),
    **dict.fromkeys(("dev_WARN_ONCE", "dev_WARN_ON_ONCE"), _condition_at(1)),
}
