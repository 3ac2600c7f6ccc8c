# SPDX-License-Identifier: GPL-2.0-only
"""The C that the reader evaluates, as a small syntax tree.

Every node has the ``line`` (from 1) it starts on.  Local variables are renamed apart
(``name#2``), so that scopes need no bookkeeping later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from bounceproof.models.words.word import CType, Word


@dataclass(frozen=True, slots=True)
class IntType:
    """An integer type; ``boolean`` for bool, which converts by comparing with 0."""

    ctype: CType
    boolean: bool = False


@dataclass(frozen=True, slots=True)
class VoidType:
    """void."""


@dataclass(frozen=True, slots=True)
class StructType:
    """``struct tag`` (or union), whether its fields are known or not."""

    tag: str


@dataclass(frozen=True, slots=True)
class PointerType:
    """A pointer."""

    to: Type


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array; its length is not used."""

    of: Type


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function, whatever it takes."""


@dataclass(frozen=True, slots=True)
class NamedType:
    """A type name that was not resolved."""

    name: str


Type: TypeAlias = (
    IntType | VoidType | StructType | PointerType | ArrayType | FunctionType | NamedType
)


@dataclass(slots=True)
class Node:
    """Something with a place in the source."""

    line: int


@dataclass(slots=True)
class Number(Node):
    word: Word


@dataclass(slots=True)
class Text(Node):
    value: str


@dataclass(slots=True)
class Name(Node):
    """``local`` where it is a parameter or variable of the function."""

    name: str
    local: bool = False


@dataclass(slots=True)
class Unary(Node):
    """``op``: one of ``+ - ~ ! * &``."""

    op: str
    operand: Expr


@dataclass(slots=True)
class Update(Node):
    op: str
    prefix: bool
    target: Expr


@dataclass(slots=True)
class Binary(Node):
    op: str
    left: Expr
    right: Expr


@dataclass(slots=True)
class Assign(Node):
    """``op`` is empty for plain assignment, else the operator before ``=``."""

    op: str
    target: Expr
    value: Expr


@dataclass(slots=True)
class Conditional(Node):
    condition: Expr
    then: Expr | None
    other: Expr


@dataclass(slots=True)
class Call(Node):
    function: Expr
    arguments: list[Expr]


@dataclass(slots=True)
class Index(Node):
    base: Expr
    index: Expr


@dataclass(slots=True)
class Member(Node):
    base: Expr
    name: str
    arrow: bool


@dataclass(slots=True)
class Cast(Node):
    type: Type
    operand: Expr


@dataclass(slots=True)
class SizeOf(Node):
    type: Type | None
    operand: Expr | None


@dataclass(slots=True)
class TypeArgument(Node):
    """A type where an argument of a macro stands."""

    type: Type


@dataclass(slots=True)
class Comma(Node):
    left: Expr
    right: Expr


@dataclass(slots=True)
class StatementExpr(Node):
    body: Block


@dataclass(slots=True)
class Initializer(Node):
    """``items``: field name (or None) and value."""

    items: list[tuple[str | None, Expr]]


@dataclass(slots=True)
class Unknown(Node):
    """What the converter does not know; an error once it is reached."""

    text: str
    need: str


Expr: TypeAlias = (
    Number
    | Text
    | Name
    | Unary
    | Update
    | Binary
    | Assign
    | Conditional
    | Call
    | Index
    | Member
    | Cast
    | SizeOf
    | TypeArgument
    | Comma
    | StatementExpr
    | Initializer
    | Unknown
)


@dataclass(slots=True)
class ExprStatement(Node):
    expr: Expr


@dataclass(slots=True)
class Declare(Node):
    """``auto``: the type is that of the initial value."""

    name: str
    type: Type
    value: Expr | None
    auto: bool = False


@dataclass(slots=True)
class Block(Node):
    body: list[Statement]
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class If(Node):
    condition: Expr
    then: Statement
    other: Statement | None


@dataclass(slots=True)
class Loop(Node):
    """``kind``: ``for``, ``while`` or ``do``."""

    kind: str
    init: Statement | None
    condition: Expr | None
    step: Expr | None
    body: Statement


@dataclass(slots=True)
class Switch(Node):
    """``cases``: labels (None is default) and where in ``body`` they point."""

    value: Expr
    cases: list[tuple[Expr | None, int]]
    body: Block


@dataclass(slots=True)
class Return(Node):
    value: Expr | None


@dataclass(slots=True)
class Goto(Node):
    label: str


@dataclass(slots=True)
class Break(Node):
    pass


@dataclass(slots=True)
class Continue(Node):
    pass


@dataclass(slots=True)
class Empty(Node):
    pass


Statement: TypeAlias = (
    ExprStatement
    | Declare
    | Block
    | If
    | Loop
    | Switch
    | Return
    | Goto
    | Break
    | Continue
    | Empty
    | Unknown
)


@dataclass(slots=True)
class Function:
    """A function definition; ``parameters``: renamed name, own name and type.

    ``called``: what :func:`~bounceproof.source.cparse.walk.calls_of` found in the body.
    """

    name: str
    file: str
    line: int
    result: Type
    parameters: list[tuple[str, str, Type]]
    body: Block
    static: bool
    called: tuple[str, ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )
