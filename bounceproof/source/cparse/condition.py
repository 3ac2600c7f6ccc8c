# SPDX-License-Identifier: GPL-2.0-only
"""The integer expressions of ``#if``."""

from __future__ import annotations

from collections.abc import Callable

from bounceproof.source.cparse.lexer import Token

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a) or bool(b)),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << min(b, 64),
    ">>": lambda a, b: a >> min(b, 64),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b if b else 0,
    "%": lambda a, b: a % b if b else 0,
}


def parse_integer(text: str) -> int:
    """The value of a C integer constant; ValueError if it is none."""
    digits = text.rstrip("uUlL").lower()
    if digits.startswith(("0x", "0b")):
        return int(digits, 0)
    return int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits)


def evaluate(tokens: list[Token]) -> int:
    """The value of an expanded ``#if`` expression; ValueError if malformed."""
    parser = _Parser([token for token in tokens if token.text != "\n"])
    value = parser.ternary()
    if parser.tokens:
        raise ValueError(f"an #if expression, before `{parser.tokens[0].text}`")
    return value


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens

    def _next(self) -> str:
        return self.tokens[0].text if self.tokens else ""

    def ternary(self) -> int:
        value = self.binary(0)
        if self._next() != "?":
            return value
        self.tokens.pop(0)
        first = self.ternary()
        if self._next() != ":":
            raise ValueError("an #if expression with : after ?")
        self.tokens.pop(0)
        second = self.ternary()
        return first if value else second

    def binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.unary()
        value = self.binary(level + 1)
        while self._next() in _LEVELS[level]:
            operation = self.tokens.pop(0).text
            value = _OPERATIONS[operation](value, self.binary(level + 1))
        return value

    def unary(self) -> int:
        if not self.tokens:
            raise ValueError("an #if expression with an operand")
        token = self.tokens.pop(0)
        if token.text in ("!", "-", "+", "~"):
            value = self.unary()
            return {"!": int(not value), "-": -value, "+": value, "~": ~value}[
                token.text
            ]
        if token.text == "(":
            value = self.ternary()
            if self._next() != ")":
                raise ValueError("an #if expression with balanced parentheses")
            self.tokens.pop(0)
            return value
        if token.kind == "number":
            return parse_integer(token.text)
        if token.kind == "name":
            return self._unknown()
        raise ValueError(f"an #if expression, not `{token.text}`")

    def _unknown(self) -> int:
        """A name that is no macro is 0; so is a macro call on it."""
        if self._next() == "(":
            depth = 0
            while self.tokens:
                text = self.tokens.pop(0).text
                depth += (text == "(") - (text == ")")
                if depth == 0:
                    break
        return 0
