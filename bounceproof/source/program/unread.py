# SPDX-License-Identifier: GPL-2.0-only
"""What a file may declare where the parser could not take it in.

A name that no declaration has is absent only where no such place can have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, overload

from tree_sitter import Node as Syntax

from bounceproof.source.cparse.declare import text_of
from bounceproof.source.cparse.preprocess import Unit
from bounceproof.source.errors import NotUnderstood

V = TypeVar("V")
D = TypeVar("D")
_WORD = re.compile(r"[A-Za-z_]\w*")
_HEAD = re.compile(r"([A-Za-z_]\w*)\s*\(")
_TAG = re.compile(r"\b(?:struct|union)\s+([A-Za-z_]\w*)[^;{}()=]*\{")
_ENUM = re.compile(r"\benum\b[^;{}()]*\{([^}]*)")
_VARIABLE = re.compile(r"([A-Za-z_]\w*)(?:\s+|\s*\*+\s*)([A-Za-z_]\w*)\s*(?=[\[=;,])")
_NO_TYPES = frozenset(
    (
        *("return", "goto", "else", "case", "sizeof", "do", "if", "while", "for"),
        *("switch", "break", "continue", "typedef"),
    )
)
_DECLARED = frozenset(
    (
        *("declaration", "type_definition", "struct_specifier", "union_specifier"),
        *("enum_specifier", "preproc_call", "comment", ";"),
    )
)
_STRAY = frozenset(
    (
        *("compound_statement", "if_statement", "for_statement", "while_statement"),
        *("do_statement", "switch_statement", "return_statement", "goto_statement"),
        *("labeled_statement", "case_statement"),
    )
)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A function that ``file`` seems to define from ``line`` on."""

    name: str
    file: str
    error: NotUnderstood


class Known(dict[str, V]):
    """Declarations by name; a name of ``unread`` is refused, not taken as absent."""

    def __init__(self, held: Mapping[str, V] | None = None) -> None:
        super().__init__(held or {})
        self.unread: dict[str, NotUnderstood] = {}

    def _absent(self, name: object) -> None:
        if isinstance(name, str) and name in self.unread:
            raise self.unread[name]

    def __missing__(self, name: str) -> V:
        self._absent(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        self._absent(name)
        return False

    @overload
    def get(self, key: str, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: str, default: V, /) -> V: ...
    @overload
    def get(self, key: str, default: D, /) -> V | D: ...
    def get(self, key: str, default: object = None, /) -> object:
        """As of a dict; raises NotUnderstood for a name that was not read."""
        if key not in self:
            return default
        return self[key]


def error_line(node: Syntax) -> int:
    """The line, from 1, at which the parser lost its way in ``node``."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type == "ERROR" or current.is_missing:
            return current.start_point[0] + 1
        stack += [child for child in reversed(current.children) if child.has_error]
    return node.start_point[0] + 1


def unread_nodes(root: Syntax) -> Iterator[Syntax]:
    """The parts of a file that are no declaration the parser took in whole."""
    for node in root.children:
        lost = node.has_error or node.type == "ERROR" or node.type in _STRAY
        if lost or (node.type not in _DECLARED and "{" in _outside(node)):
            yield node


def cut_short(root: Syntax) -> Iterator[tuple[Syntax, Syntax]]:
    """Functions that seem to end too soon, and the statement that stands behind."""
    last: Syntax | None = None
    for node in root.children:
        if node.type == "function_definition":
            last = node
        elif last is not None and (node.type in _STRAY or node.type == "ERROR"):
            yield last, node


def _outside(node: Syntax) -> str:
    """The text of ``node``, of a function all but the braces around its body."""
    if node.type != "function_definition":
        return text_of(node)
    body = node.child_by_field_name("body")
    nested = "" if body is None else "".join(_nested(body))
    head = text_of(node)[: -len(text_of(body))] if body is not None else text_of(node)
    names = [match.group(1) for match in _HEAD.finditer(head)]
    return nested + ("{" if _defined_twice(head, names) else "")


def _nested(body: Syntax) -> list[str]:
    """Functions inside a function's body."""
    return [
        text_of(child) + "{"
        for child in body.named_children
        if child.type == "function_definition"
    ]


def _defined_twice(head: str, names: list[str]) -> bool:
    """Whether two declarators stand one after the other, as after a macro's call."""
    if len(names) < 2:
        return False
    first = head.index(names[0])
    end = _closing(head, head.index("(", first))
    return end is not None and bool(_HEAD.search(head, end))


def error_of(unit: Unit, node: Syntax, what: str) -> NotUnderstood:
    """The complaint about ``node``, at the line where the parser lost its way."""
    line = error_line(node)
    return NotUnderstood(unit.file, line, unit.line(line), f"C that parses, {what}")


def hidden_functions(unit: Unit, node: Syntax, known: set[str]) -> Iterator[Hidden]:
    """The functions that the unread ``node`` seems to define, but for ``known``."""
    text = text_of(node)
    for match in _HEAD.finditer(text):
        name = match.group(1)
        if name not in _NO_TYPES and name not in known and _defines(text, match):
            yield Hidden(name, unit.file, error_of(unit, node, f"around {name}()"))


def _defines(text: str, match: re.Match[str]) -> bool:
    """Whether the name before a ``(`` is a definition's: ``{`` follows the ``)``."""
    before = text[: match.start()].rstrip()
    word = re.search(r"([A-Za-z_]\w*)$", before)
    typed = before.endswith("*") or (
        word is not None and word.group(1) not in _NO_TYPES
    )
    end = _closing(text, match.end() - 1)
    if end is None:
        return typed
    rest = text[end:].lstrip()
    while True:
        attribute = re.match(r"[A-Za-z_]\w*\s*", rest)
        if attribute is None:
            return rest.startswith("{")
        rest = rest[attribute.end() :]
        if rest.startswith("("):
            end = _closing(rest, 0)
            if end is None:
                return typed
            rest = rest[end:].lstrip()


def _closing(text: str, opening: int) -> int | None:
    """The place behind the ``)`` that closes the ``(`` at ``opening``."""
    depth = 0
    for match in re.compile(r"[(){};]").finditer(text, opening):
        if match.group() == "(":
            depth += 1
        elif match.group() == ")":
            depth -= 1
            if depth == 0:
                return match.end()
        else:
            return None
    return None


def hidden_tags(node: Syntax) -> set[str]:
    """The structs and unions that ``node`` seems to define."""
    return set(_TAG.findall(text_of(node)))


def hidden_enumerators(node: Syntax) -> set[str]:
    """The enumerators that ``node`` seems to define."""
    found: set[str] = set()
    for body in _ENUM.findall(text_of(node)):
        for part in body.split(","):
            word = _WORD.search(part)
            if word is not None:
                found.add(word.group())
    return found


def hidden_variables(node: Syntax) -> set[str]:
    """The variables that ``node`` seems to declare."""
    return {
        name for kind, name in _VARIABLE.findall(text_of(node)) if kind not in _NO_TYPES
    }


def words_of(node: Syntax) -> set[str]:
    """Every word of ``node``."""
    return words_in(text_of(node))


def words_in(text: str) -> set[str]:
    """Every word of ``text``."""
    return set(_WORD.findall(text))
