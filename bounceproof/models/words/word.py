# SPDX-License-Identifier: GPL-2.0-only
"""C integers of a 64-bit kernel, over plain ints, arrays or solver terms.

A :class:`Word` is a value with a C type.  Its operators follow C on an LP64
machine: integer promotion, the usual arithmetic conversions, wrap-around in the
width of the result type, arithmetic right shift of signed operands.  Shifts by
the width or more give 0 (or the sign), where C leaves them undefined.

What a Word holds is its *raw* value: an ``int`` in ``[0, 2**bits)``, or whatever
an :class:`Algebra` registered with :func:`register_algebra` understands.  Words
of plain ints are folded at once, so constants never reach a solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Raw: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class CType:
    """A C integer type: its width in bits and whether it is signed."""

    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.bits}"


S8, U8 = CType(8, True), CType(8, False)
S16, U16 = CType(16, True), CType(16, False)
S32, U32 = CType(32, True), CType(32, False)
S64, U64 = CType(64, True), CType(64, False)

INT, UNSIGNED_INT = S32, U32
UNSIGNED_SHORT = U16
LONG, UNSIGNED_LONG = S64, U64
SIZE_T = PHYS_ADDR_T = DMA_ADDR_T = U64


class Algebra(Protocol):
    """The operations on raw values that a backend supplies.

    Every raw operand of one call has the width ``bits``; results too, unless said
    otherwise.  Comparisons give raw truth values, which ``both``, ``either``,
    ``negate`` and ``select`` combine.
    """

    def lift(self, value: int, bits: int) -> Raw: ...
    def lift_truth(self, value: bool) -> Raw: ...
    def add(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def sub(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def mul(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def div(self, a: Raw, b: Raw, bits: int, signed: bool) -> Raw: ...
    def rem(self, a: Raw, b: Raw, bits: int, signed: bool) -> Raw: ...
    def and_(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def or_(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def xor(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def invert(self, a: Raw, bits: int) -> Raw: ...
    def shl(self, a: Raw, n: Raw, bits: int) -> Raw: ...
    def shr(self, a: Raw, n: Raw, bits: int, signed: bool) -> Raw: ...
    def resize(self, a: Raw, old: int, new: int, signed: bool) -> Raw: ...
    def less(self, a: Raw, b: Raw, bits: int, signed: bool) -> Raw: ...
    def equal(self, a: Raw, b: Raw, bits: int) -> Raw: ...
    def both(self, a: Raw, b: Raw) -> Raw: ...
    def either(self, a: Raw, b: Raw) -> Raw: ...
    def negate(self, a: Raw) -> Raw: ...
    def select(self, c: Raw, a: Raw, b: Raw) -> Raw: ...
    def never(self, a: Raw) -> bool: ...


class IntAlgebra:
    """Plain Python ints, kept in ``[0, 2**bits)``."""

    def lift(self, value: int, bits: int) -> int:
        return value & ((1 << bits) - 1)

    def lift_truth(self, value: bool) -> bool:
        return value

    def add(self, a: int, b: int, bits: int) -> int:
        return self.lift(a + b, bits)

    def sub(self, a: int, b: int, bits: int) -> int:
        return self.lift(a - b, bits)

    def mul(self, a: int, b: int, bits: int) -> int:
        return self.lift(a * b, bits)

    def div(self, a: int, b: int, bits: int, signed: bool) -> int:
        x, y = (to_signed(a, bits), to_signed(b, bits)) if signed else (a, b)
        quotient = abs(x) // abs(y)
        return self.lift(quotient if (x < 0) == (y < 0) else -quotient, bits)

    def rem(self, a: int, b: int, bits: int, signed: bool) -> int:
        x, y = (to_signed(a, bits), to_signed(b, bits)) if signed else (a, b)
        remainder = abs(x) % abs(y)
        return self.lift(-remainder if x < 0 else remainder, bits)

    def and_(self, a: int, b: int, bits: int) -> int:
        return a & b

    def or_(self, a: int, b: int, bits: int) -> int:
        return a | b

    def xor(self, a: int, b: int, bits: int) -> int:
        return a ^ b

    def invert(self, a: int, bits: int) -> int:
        return self.lift(~a, bits)

    def shl(self, a: int, n: int, bits: int) -> int:
        return self.lift(a << n, bits) if n < bits else 0

    def shr(self, a: int, n: int, bits: int, signed: bool) -> int:
        if signed:
            return self.lift(to_signed(a, bits) >> min(n, bits), bits)
        return a >> n if n < bits else 0

    def resize(self, a: int, old: int, new: int, signed: bool) -> int:
        return self.lift(to_signed(a, old) if signed else a, new)

    def less(self, a: int, b: int, bits: int, signed: bool) -> bool:
        return to_signed(a, bits) < to_signed(b, bits) if signed else a < b

    def equal(self, a: int, b: int, bits: int) -> bool:
        return a == b

    def both(self, a: bool, b: bool) -> bool:
        return a and b

    def either(self, a: bool, b: bool) -> bool:
        return a or b

    def negate(self, a: bool) -> bool:
        return not a

    def select(self, c: bool, a: Raw, b: Raw) -> Raw:
        return a if c else b

    def never(self, a: bool) -> bool:
        return not a


_INTS = IntAlgebra()
_REGISTERED: dict[type, Algebra] = {}


def register_algebra(kind: type, algebra: Algebra) -> None:
    """Make raw values of type ``kind`` (and its subclasses) usable in Words."""
    _REGISTERED[kind] = algebra


def _algebra_of(*raws: Raw) -> Algebra:
    for raw in raws:
        kind = type(raw)
        if kind is int or kind is bool:
            continue
        for base in kind.__mro__:
            if base in _REGISTERED:
                return _REGISTERED[base]
        raise TypeError(f"no algebra for raw values of type {kind.__name__}")
    return _INTS


def to_signed(value: int, bits: int) -> int:
    """Read the ``bits`` wide pattern ``value`` as two's complement."""
    return value - (1 << bits) if value >> (bits - 1) else value


class Truth:
    """The outcome of a comparison: a raw truth value with ``& | ~``."""

    __slots__ = ("raw",)

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def __and__(self, other: Truth) -> Truth:
        if self.raw is False or other.raw is False:
            return FALSE
        return self._combine(other, "both")

    def __or__(self, other: Truth) -> Truth:
        if self.raw is True or other.raw is True:
            return TRUE
        return self._combine(other, "either")

    def _combine(self, other: Truth, operation: str) -> Truth:
        algebra = _algebra_of(self.raw, other.raw)
        lifted = [
            algebra.lift_truth(raw) if isinstance(raw, bool) else raw
            for raw in (self.raw, other.raw)
        ]
        return Truth(getattr(algebra, operation)(*lifted))

    def __invert__(self) -> Truth:
        return Truth(_algebra_of(self.raw).negate(self.raw))

    def __bool__(self) -> bool:
        if isinstance(self.raw, bool):
            return self.raw
        raise TypeError("a symbolic condition has no truth value; use ite()")

    def never(self) -> bool:
        """Whether it is proved to hold for no values; False where that is open."""
        return _algebra_of(self.raw).never(self.raw)

    def implies(self, other: Truth) -> Truth:
        return ~self | other

    def word(self, ctype: CType = INT) -> Word:
        """The C value of a comparison: 1 or 0."""
        return ite(self, Word(1, ctype), Word(0, ctype))

    def __repr__(self) -> str:
        return f"Truth({self.raw!r})"


TRUE, FALSE = Truth(True), Truth(False)


def _promote(ctype: CType) -> CType:
    return INT if ctype.bits < INT.bits else ctype


def common_type(a: CType, b: CType) -> CType:
    """The usual arithmetic conversions of C on two integer types."""
    a, b = _promote(a), _promote(b)
    if a.bits == b.bits:
        return CType(a.bits, a.signed and b.signed)
    return a if a.bits > b.bits else b


def literal_type(value: int) -> CType:
    """The type of an unsuffixed integer constant: int, long or unsigned long."""
    for ctype in (INT, LONG):
        if -(1 << (ctype.bits - 1)) <= value < 1 << (ctype.bits - 1):
            return ctype
    return UNSIGNED_LONG


class Word:
    """A C integer: ``raw`` (see the module) and ``ctype``.

    Python ints in an operator are C constants (:func:`literal_type`).  ``//`` and
    ``%`` are C's ``/`` and ``%``.  Comparisons give :class:`Truth`; equality is
    :meth:`eq` and :meth:`ne`, so that Words stay hashable and ``==`` unsurprising.
    """

    __slots__ = ("ctype", "raw")

    def __init__(self, raw: Raw, ctype: CType) -> None:
        self.ctype = ctype
        self.raw = _INTS.lift(raw, ctype.bits) if type(raw) in (int, bool) else raw

    def __repr__(self) -> str:
        return f"Word({self.raw!r}, {self.ctype})"

    def __int__(self) -> int:
        """The number this Word holds; TypeError if it is not a plain int."""
        if not isinstance(self.raw, int):
            raise TypeError("a symbolic word has no number")
        return to_signed(self.raw, self.ctype.bits) if self.ctype.signed else self.raw

    def cast(self, ctype: CType) -> Word:
        """Convert to ``ctype`` as an assignment or a cast does."""
        if ctype.bits == self.ctype.bits:
            return Word(self.raw, ctype)
        algebra = _algebra_of(self.raw)
        raw = algebra.resize(self.raw, self.ctype.bits, ctype.bits, self.ctype.signed)
        return Word(raw, ctype)

    def _operands(self, other: Word | int) -> tuple[Algebra, Raw, Raw, CType]:
        right = other if isinstance(other, Word) else Word(other, literal_type(other))
        ctype = common_type(self.ctype, right.ctype)
        a, b = self.cast(ctype).raw, right.cast(ctype).raw
        algebra = _algebra_of(a, b)
        return algebra, _lifted(algebra, a, ctype), _lifted(algebra, b, ctype), ctype

    def _arithmetic(self, other: Word | int, operation: str) -> Word:
        algebra, a, b, ctype = self._operands(other)
        return Word(getattr(algebra, operation)(a, b, ctype.bits), ctype)

    def _signed(self, other: Word | int, operation: str) -> Word:
        algebra, a, b, ctype = self._operands(other)
        return Word(getattr(algebra, operation)(a, b, ctype.bits, ctype.signed), ctype)

    def __add__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "add")

    def __sub__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "sub")

    def __mul__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "mul")

    def __and__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "and_")

    def __or__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "or_")

    def __xor__(self, other: Word | int) -> Word:
        return self._arithmetic(other, "xor")

    def __floordiv__(self, other: Word | int) -> Word:
        return self._signed(other, "div")

    def __mod__(self, other: Word | int) -> Word:
        return self._signed(other, "rem")

    def __radd__(self, other: int) -> Word:
        return Word(other, literal_type(other)) + self

    def __rsub__(self, other: int) -> Word:
        return Word(other, literal_type(other)) - self

    def __rand__(self, other: int) -> Word:
        return self & other

    def __invert__(self) -> Word:
        word = self.cast(_promote(self.ctype))
        raw = _algebra_of(word.raw).invert(word.raw, word.ctype.bits)
        return Word(raw, word.ctype)

    def __neg__(self) -> Word:
        return Word(0, INT) - self

    def _shift_amount(self, amount: Word | int, ctype: CType) -> Raw:
        count = amount if isinstance(amount, Word) else Word(amount, INT)
        if type(count.raw) is int:
            return min(count.raw, ctype.bits)
        if count.ctype.bits > ctype.bits:
            limit = Word(ctype.bits, count.ctype)
            count = ite(count < limit, count, limit)
        return count.cast(CType(ctype.bits, False)).raw

    def __lshift__(self, amount: Word | int) -> Word:
        word = self.cast(_promote(self.ctype))
        count = self._shift_amount(amount, word.ctype)
        algebra = _algebra_of(word.raw, count)
        a, n = (_lifted(algebra, raw, word.ctype) for raw in (word.raw, count))
        return Word(algebra.shl(a, n, word.ctype.bits), word.ctype)

    def __rshift__(self, amount: Word | int) -> Word:
        word = self.cast(_promote(self.ctype))
        count = self._shift_amount(amount, word.ctype)
        algebra = _algebra_of(word.raw, count)
        a, n = (_lifted(algebra, raw, word.ctype) for raw in (word.raw, count))
        return Word(algebra.shr(a, n, word.ctype.bits, word.ctype.signed), word.ctype)

    def __lt__(self, other: Word | int) -> Truth:
        algebra, a, b, ctype = self._operands(other)
        return Truth(algebra.less(a, b, ctype.bits, ctype.signed))

    def __gt__(self, other: Word | int) -> Truth:
        algebra, a, b, ctype = self._operands(other)
        return Truth(algebra.less(b, a, ctype.bits, ctype.signed))

    def __le__(self, other: Word | int) -> Truth:
        return ~(self > other)

    def __ge__(self, other: Word | int) -> Truth:
        return ~(self < other)

    def eq(self, other: Word | int) -> Truth:
        algebra, a, b, ctype = self._operands(other)
        return Truth(algebra.equal(a, b, ctype.bits))

    def ne(self, other: Word | int) -> Truth:
        return ~self.eq(other)

    def nonzero(self) -> Truth:
        return self.ne(0)


def _lifted(algebra: Algebra, raw: Raw, ctype: CType) -> Raw:
    return algebra.lift(raw, ctype.bits) if isinstance(raw, int) else raw


def ite(condition: Truth, then: Word, other: Word) -> Word:
    """``condition ? then : other``, with C's common type for the result."""
    ctype = then.ctype
    if ctype != other.ctype:
        ctype = common_type(then.ctype, other.ctype)
    a, b = then.cast(ctype).raw, other.cast(ctype).raw
    if isinstance(condition.raw, bool):
        return Word(a if condition.raw else b, ctype)
    algebra = _algebra_of(condition.raw)
    a, b = _lifted(algebra, a, ctype), _lifted(algebra, b, ctype)
    return Word(algebra.select(condition.raw, a, b), ctype)


def maximum(a: Word, b: Word) -> Word:
    """The kernel's ``max(a, b)`` on operands of one type."""
    return ite(a > b, a, b)


def minimum(a: Word, b: Word) -> Word:
    """The kernel's ``min(a, b)`` on operands of one type."""
    return ite(a < b, a, b)


def align(x: Word, a: Word) -> Word:
    """``ALIGN(x, a)``: add ``a - 1``, clear its bits; ``a`` need not be 2^k."""
    mask = a.cast(x.ctype) - 1
    return (x + mask) & ~mask
