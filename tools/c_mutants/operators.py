# SPDX-License-Identifier: GPL-2.0-only
"""Small changes of a function's text: operators, numbers, statements, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tree_sitter import Node

from tools.c_mutants.functions import Body, descend

_RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
_SWAPPED = {
    "+": "-", "-": "+", "&": "|", "|": "&", "<<": ">>", ">>": "<<", "*": "/", "/": "*",
    "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "++": "--", "--": "++",
    "&&": "||", "||": "&&", "=": "|=",
}  # fmt: skip
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)$")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]{2,}$")
_DROPPED = (
    *("expression_statement", "if_statement", "continue_statement"),
    *("goto_statement", "for_statement", "do_statement"),
)
_FLAGS = re.compile(r"DMA_|GFP_|CC_|INVALID|NULL|CONFIG|TAINT|IOMMU_|EINVAL|ENOMEM")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes ``start`` to ``end`` of a function's text become ``text``."""

    start: int
    end: int
    text: str


Edits = Iterator[tuple[Edit, ...]]


def _replaced(node: Node, text: str) -> tuple[Edit, ...]:
    return (Edit(node.start_byte, node.end_byte, text),)


def _operator(node: Node) -> Node | None:
    return node.child_by_field_name("operator")


def relational(body: Body) -> Edits:
    """One comparison becomes another."""
    for node in descend(body.node):
        sign = _operator(node) if node.type == "binary_expression" else None
        if sign is not None and sign.type in _RELATIONS:
            for other in _RELATIONS:
                if other != sign.type:
                    yield _replaced(sign, other)


def operators(body: Body) -> Edits:
    """An arithmetic, bit, logical or assigning operator becomes its counterpart."""
    for node in descend(body.node):
        sign = _operator(node)
        if sign is not None and sign.type in _SWAPPED:
            yield _replaced(sign, _SWAPPED[sign.type])


def _values(body: Body) -> Iterator[Node]:
    """Expressions that are compared, assigned, returned or given."""
    for node in descend(body.node):
        if node.type == "binary_expression":
            sign = _operator(node)
            if sign is not None and sign.type in (*_RELATIONS, "&", "+", "-"):
                yield from filter(None, (node.child_by_field_name("right"),))
        elif node.type in ("assignment_expression", "init_declarator"):
            name = "value" if node.type == "init_declarator" else "right"
            yield from filter(None, (node.child_by_field_name(name),))
        elif node.type == "return_statement":
            yield from node.named_children
        elif node.type == "argument_list":
            yield from (n for n in node.named_children if n.type != "string_literal")


def off_by_one(body: Body) -> Edits:
    """A value is one more or one less."""
    for node in _values(body):
        text = body.source(node)
        if node.type in ("string_literal", "initializer_list") or "NULL" in text:
            continue
        for step in ("+ 1", "- 1"):
            yield _replaced(node, f"(({text}) {step})")


def constants(body: Body) -> Edits:
    """A number or a named constant becomes a near one."""
    for node in descend(body.node):
        text = body.source(node)
        if node.type == "number_literal" and (found := _NUMBER.match(text)):
            value, suffix = int(found.group(1), 0), found.group(2)
            for other in (value + 1, value - 1, value * 2, value // 2):
                if other != value and other >= 0:
                    yield _replaced(node, f"{other}{suffix}")
        elif node.type == "identifier" and _near(node, text):
            for near in (f"({text} / 2)", f"({text} * 2)", f"({text} + 1)"):
                yield _replaced(node, near)


def _near(node: Node, text: str) -> bool:
    """Whether a name is a constant that has near ones: no flag, and not called."""
    called = node.parent is not None and node.parent.type == "call_expression"
    return bool(_CONSTANT.match(text)) and not _FLAGS.search(text) and not called


def _statements(body: Body) -> Iterator[Node]:
    for node in descend(body.node):
        if node.parent is not None and node.parent.type == "compound_statement":
            yield node


def dropped(body: Body) -> Edits:
    """A statement is left out."""
    for node in _statements(body):
        if node.type in _DROPPED:
            yield _replaced(node, ";")
    for node in descend(body.node):
        other = node.child_by_field_name("alternative")
        if node.type == "if_statement" and other is not None:
            yield _replaced(other, "")


def doubled(body: Body) -> Edits:
    """A statement is done twice."""
    for node in _statements(body):
        if node.type == "expression_statement":
            text = body.source(node)
            yield (Edit(node.end_byte, node.end_byte, f"\n\t{text}"),)


def conditions(body: Body) -> Edits:
    """A condition is turned round, or half of it is forgotten."""
    for node in descend(body.node):
        if node.type == "if_statement":
            inner = node.child_by_field_name("condition")
            if inner is not None:
                yield _replaced(inner, f"(!{body.source(inner)})")
        sign = _operator(node) if node.type == "binary_expression" else None
        if sign is not None and sign.type in ("&&", "||"):
            for side in ("left", "right"):
                if kept := node.child_by_field_name(side):
                    yield _replaced(node, body.source(kept))
        if node.type == "unary_expression" and sign is None:
            negated, value = _operator(node), node.child_by_field_name("argument")
            if negated is not None and negated.type in ("!", "~") and value is not None:
                yield _replaced(node, body.source(value))


def swapped(body: Body) -> Edits:
    """Two arguments change places, or one mask, index or size stands for another."""
    for node in descend(body.node):
        if node.type == "argument_list":
            given = node.named_children
            for one, two in pairwise(given):
                there = _replaced(one, body.source(two))
                yield (*there, *_replaced(two, body.source(one)))
    yield from _renamed(body)


_ALIKE = (
    *(("mask",), ("size",), ("index", "slot")),
    *(("addr", "phys"), ("nslots", "nslabs")),
)


def _renamed(body: Body) -> Edits:
    used = [n for n in descend(body.node) if n.type == "identifier" and _is_value(n)]
    names = list(dict.fromkeys(body.source(node) for node in used))
    for words in _ALIKE:
        group = [n for n in names if any(w in n for w in words) and n.islower()]
        for node in used:
            if body.source(node) in group:
                for other in group:
                    if other != body.source(node):
                        yield _replaced(node, other)


def _is_value(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type.endswith("declarator"):
        value = None if parent is None else parent.child_by_field_name("value")
        return value == node
    above = ("call_expression", "parameter_declaration", "declaration")
    return parent.type not in above


OPERATORS: dict[str, Callable[[Body], Edits]] = {
    "relation": relational,
    "operator": operators,
    "off by one": off_by_one,
    "constant": constants,
    "dropped": dropped,
    "doubled": doubled,
    "condition": conditions,
    "swapped": swapped,
}
