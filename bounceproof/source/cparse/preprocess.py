# SPDX-License-Identifier: GPL-2.0-only
"""A C preprocessor: conditionals under a configuration, macros, line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bounceproof.source.cparse.condition import evaluate
from bounceproof.source.cparse.lexer import (
    Token,
    logical_lines,
    open_comment,
    spell,
    tokenize,
)
from bounceproof.source.errors import NotUnderstood

MAX_TOKENS = 400_000
MAX_NESTED = 64
MAX_CALL_LINES = 1000
PRODUCT = "/ /*times*/"
_KEYWORDS = frozenset(
    ["void", "bool", "char", "short", "int", "long", "signed", "unsigned", "const"]
)
_IGNORED = ("pragma", "line", "warning", "ident")
_ENABLED = ("IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE")


@dataclass(frozen=True, slots=True)
class Macro:
    """``params`` is None for an object-like macro; ``at`` is its file and line."""

    name: str
    params: tuple[str, ...] | None
    body: tuple[Token, ...]
    variadic: bool = False
    at: tuple[str, int] = ("", 0)


@dataclass
class Unit:
    """One file preprocessed: ``text`` has the file's own line numbers.

    ``includes``: line, name, and whether it is quoted; they are not followed.
    """

    file: str
    text: str
    source: list[str] = field(default_factory=list)
    includes: list[tuple[int, str, bool]] = field(default_factory=list)

    def line(self, number: int) -> str:
        """Line ``number`` (from 1) as the file has it."""
        return self.source[number - 1] if 0 < number <= len(self.source) else ""


class Preprocessor:
    """Macros and configuration, shared by the files of one program.

    ``uses`` has for each name of ``watched`` what it was expanded to, in any file, with
    the file and line of the first such use.
    """

    def __init__(
        self, config: Mapping[str, str], prelude: str, watched: Iterable[str] = ()
    ) -> None:
        self.macros: dict[str, Macro] = {}
        self.uses: dict[str, dict[str, tuple[str, int]]] = {n: {} for n in watched}
        self._config = dict(config)
        self._budget = MAX_TOKENS
        self._at = ("", 0, "")
        self._includes: list[tuple[int, str, bool]] = []
        for key, value in self._config.items():
            if value != "n":
                self._define_text(f"{key} {'1' if value in ('y', 'm') else value}")
        self.run("prelude", prelude)

    def fork(self) -> Preprocessor:
        """A copy whose macros change apart from this one's."""
        twin = object.__new__(Preprocessor)
        twin.macros = dict(self.macros)
        twin.uses = self.uses
        twin._config = self._config
        twin._budget = MAX_TOKENS
        twin._at = self._at
        twin._includes = []
        return twin

    def run(self, file: str, text: str) -> Unit:
        """Preprocess one file; includes are not followed."""
        self._includes = []
        lines = logical_lines(text)
        if (begun := open_comment(text)) is not None:
            self._at = (file, begun, text.split("\n")[begun - 1])
            raise self._fail("the end of the comment")
        out: list[str] = []
        active: list[list[bool]] = []
        pending: list[Token] = []
        pending_at = 0
        for number, line in lines:
            self._at = (file, number, line)
            if line.lstrip().startswith("#") and line.lstrip() != "#":
                self._flush(out, pending, pending_at)
                pending = []
                self._directive(line.lstrip()[1:], active)
                continue
            if active and not all(level[0] for level in active):
                continue
            tokens = tokenize(line)
            if not pending:
                pending_at = number
            pending += _on_line(tokens, bool(pending), number - pending_at)
            if number - pending_at > MAX_CALL_LINES:
                raise self._fail("the end of a macro call")
            if not self._open_call(pending):
                self._flush(out, pending, pending_at)
                pending = []
        if active:
            raise self._fail("an #endif for every #if")
        self._flush(out, pending, pending_at)
        text_out = "\n".join(out) + "\n"
        return Unit(file, text_out, text.split("\n"), self._includes)

    def _flush(self, out: list[str], tokens: list[Token], number: int) -> None:
        if not tokens:
            return
        while len(out) < number - 1:
            out.append("")
        expanded = _mark_products(self.expand(tokens))
        out.extend(_split_lines(expanded))

    def _open_call(self, tokens: list[Token]) -> bool:
        """Whether a macro call is still open at the end of ``tokens``."""
        depth = 0
        for index, token in enumerate(tokens):
            if token.kind == "op":
                if token.text == "(" and (depth or self._calls_macro(tokens, index)):
                    depth += 1
                elif token.text == ")" and depth:
                    depth -= 1
        if depth:
            return True
        last = next((t for t in reversed(tokens) if t.text != "\n"), None)
        return last is not None and self._takes_arguments(last.text)

    def _calls_macro(self, tokens: list[Token], index: int) -> bool:
        return index > 0 and self._takes_arguments(tokens[index - 1].text)

    def _takes_arguments(self, name: str) -> bool:
        macro = self.macros.get(name)
        return name in _ENABLED or (macro is not None and macro.params is not None)

    def _fail(self, need: str) -> NotUnderstood:
        file, number, line = self._at
        return NotUnderstood(file, number, line, need)

    def _directive(self, text: str, active: list[list[bool]]) -> None:
        word, _, rest = text.strip().partition(" ")
        if "\t" in word:
            word, _, rest = text.strip().partition("\t")
        live = all(level[0] for level in active)
        if word in ("if", "ifdef", "ifndef"):
            if len(active) >= MAX_NESTED:
                raise self._fail(f"#if that nest at most {MAX_NESTED} deep")
            taken = live and self._condition(word, rest)
            active.append([taken, taken])
        elif word in ("elif", "else", "endif"):
            if not active:
                raise self._fail("#if before it")
            self._alternative(word, rest, active)
        elif live and word == "define":
            self._define_text(rest)
        elif live and word == "undef":
            self.macros.pop(rest.strip(), None)
        elif live and word == "error":
            raise self._fail("a configuration that the tree accepts")
        elif live and word.startswith("include"):
            self._include(text.strip()[len("include") :].strip())
        elif live and word not in _IGNORED:
            raise self._fail("a preprocessor directive")

    def _include(self, name: str) -> None:
        found = re.match(r'"([^"]+)"|<([^>]+)>', name)
        if found is None:
            raise self._fail("the name of a file to include")
        quoted, angled = found.groups()
        self._includes.append((self._at[1], quoted or angled, quoted is not None))

    def _alternative(self, word: str, rest: str, active: list[list[bool]]) -> None:
        level = active[-1]
        if word == "endif":
            active.pop()
        elif word == "else":
            level[0] = not level[1]
            level[1] = True
        elif level[1]:
            level[0] = False
        else:
            outer = all(other[0] for other in active[:-1])
            level[0] = level[1] = outer and self._condition("if", rest)

    def _condition(self, word: str, rest: str) -> bool:
        if word != "if":
            return (rest.split()[:1] != [] and rest.split()[0] in self.macros) == (
                word == "ifdef"
            )
        tokens = self._replace_defined(tokenize(rest))
        try:
            return evaluate(self.expand(tokens)) != 0
        except ValueError as error:
            raise self._fail(str(error)) from None
        except RecursionError:
            raise self._fail("a condition that nests less deeply") from None

    def _replace_defined(self, tokens: list[Token]) -> list[Token]:
        out: list[Token] = []
        index = 0
        while index < len(tokens):
            if tokens[index].text != "defined":
                out.append(tokens[index])
                index += 1
                continue
            nested = index + 1 < len(tokens) and tokens[index + 1].text == "("
            at = index + (2 if nested else 1)
            if at >= len(tokens):
                raise self._fail("a name after defined")
            known = tokens[at].text in self.macros
            out.append(Token("number", "1" if known else "0", True))
            index = at + (2 if nested else 1)
        return out

    def _define_text(self, text: str) -> None:
        tokens = tokenize(text.strip())
        if not tokens or tokens[0].kind != "name":
            raise self._fail("a name after #define")
        name = tokens[0].text
        if len(tokens) > 1 and tokens[1].text == "(" and not tokens[1].space:
            close = next((i for i, t in enumerate(tokens) if t.text == ")"), None)
            if close is None:
                raise self._fail("the end of the macro's parameters")
            names = [t.text for t in tokens[2:close] if t.text != ","]
            variadic = bool(names) and names[-1] == "..."
            params = tuple("__VA_ARGS__" if n == "..." else n for n in names)
            body = tuple(tokens[close + 1 :])
            self.macros[name] = Macro(name, params, body, variadic, self._at[:2])
        else:
            self.macros[name] = Macro(name, None, tuple(tokens[1:]), at=self._at[:2])

    def expand(self, tokens: list[Token]) -> list[Token]:
        """``tokens`` with every macro expanded."""
        self._budget = MAX_TOKENS
        try:
            return self._expand(tokens, frozenset())
        except RecursionError:
            raise self._fail("macros that nest less deeply") from None

    def _expand(self, tokens: list[Token], hidden: frozenset[str]) -> list[Token]:
        out: list[Token] = []
        index = 0
        while index < len(tokens):
            token = tokens[index]
            self._budget -= 1
            if self._budget < 0:
                raise self._fail(f"macros that expand to less than {MAX_TOKENS} tokens")
            macro = self.macros.get(token.text) if token.kind == "name" else None
            if token.kind == "name" and token.text in _ENABLED:
                index = self._enabled(tokens, index, out)
            elif macro is None or token.text in hidden:
                out.append(token)
                index += 1
            elif macro.params is None:
                body = [*macro.body]
                if body:
                    body[0] = body[0]._replace(space=token.space)
                if len(body) == 1 and self._takes_arguments(body[0].text):
                    tokens = [*tokens[:index], body[0], *tokens[index + 1 :]]
                    continue
                expanded = self._expand(_paste(body), hidden | {macro.name})
                if macro.name in self.uses:
                    self.uses[macro.name].setdefault(spell(expanded), self._at[:2])
                out += expanded
                index += 1
            else:
                index = self._call(macro, tokens, index, hidden, out)
        return out

    def _enabled(self, tokens: list[Token], index: int, out: list[Token]) -> int:
        arguments, end = _arguments(tokens, index + 1)
        if arguments is None or len(arguments) != 1:
            raise self._fail(f"the argument of {tokens[index].text}")
        value = self._config.get(spell(arguments[0]).strip(), "n")
        modular = tokens[index].text == "IS_MODULE"
        yes = value == "m" if modular else value in ("y", "m")
        out.append(Token("number", "1" if yes else "0", tokens[index].space))
        return end

    def _call(
        self,
        macro: Macro,
        tokens: list[Token],
        index: int,
        hidden: frozenset[str],
        out: list[Token],
    ) -> int:
        arguments, end = _arguments(tokens, index + 1)
        if arguments is None:
            out.append(tokens[index])
            return index + 1
        bound = self._bind(macro, arguments)
        body = self._substitute(macro, bound, hidden)
        if body:
            body[0] = body[0]._replace(space=True)
        out += self._expand(body, hidden | {macro.name})
        out += [token for token in tokens[index:end] if token.text == "\n"]
        return end

    def _bind(
        self, macro: Macro, arguments: list[list[Token]]
    ) -> dict[str, list[Token]]:
        params = macro.params or ()
        if not params and arguments == [[]]:
            arguments = []
        if macro.variadic:
            fixed = len(params) - 1
            rest: list[Token] = []
            for number, argument in enumerate(arguments[fixed:]):
                rest += ([Token("op", ",")] if number else []) + argument
            arguments = [*arguments[:fixed], rest]
        if len(arguments) != len(params):
            raise self._fail(f"{len(params)} arguments for {macro.name}")
        return dict(zip(params, arguments, strict=True))

    def _substitute(
        self, macro: Macro, bound: dict[str, list[Token]], hidden: frozenset[str]
    ) -> list[Token]:
        out: list[Token] = []
        body = macro.body
        for index, token in enumerate(body):
            pasted = (index > 0 and body[index - 1].text == "##") or (
                index + 1 < len(body) and body[index + 1].text == "##"
            )
            if index > 0 and body[index - 1].text == "#" and token.text in bound:
                text = spell(bound[token.text]).strip().replace("\\", "\\\\")
                out[-1] = Token("string", '"' + text.replace('"', '\\"') + '"', True)
            elif token.text in bound and token.kind == "name":
                argument = [t for t in bound[token.text] if t.text != "\n"]
                out += argument if pasted else self._expand(argument, hidden)
            else:
                out.append(token)
        return _paste(out)


def _mark_products(tokens: list[Token]) -> list[Token]:
    """Spell the ``*`` of ``(x * (...`` so that it cannot be read as a cast's."""
    for index in range(len(tokens) - 3):
        opening, name, star, inner = tokens[index : index + 4]
        if (opening.text, star.text, inner.text) == ("(", "*", "(") and (
            name.kind == "name"
            and name.text not in _KEYWORDS
            and not name.text.endswith("_t")
            and (index + 4 == len(tokens) or tokens[index + 4].text != "*")
        ):
            tokens[index + 2] = Token("op", PRODUCT, True)
    return tokens


def _on_line(tokens: list[Token], continued: bool, _: int) -> list[Token]:
    return [Token("op", "\n"), *tokens] if continued else tokens


def _split_lines(tokens: list[Token]) -> list[str]:
    lines: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == "\n":
            lines.append([])
        else:
            lines[-1].append(token)
    return [spell(line) for line in lines]


def _arguments(tokens: list[Token], index: int) -> tuple[list[list[Token]] | None, int]:
    """The arguments of a call whose ``(`` comes next; None if there is none."""
    while index < len(tokens) and tokens[index].text == "\n":
        index += 1
    if index >= len(tokens) or tokens[index].text != "(":
        return None, index
    arguments: list[list[Token]] = [[]]
    depth = 0
    for at in range(index, len(tokens)):
        text = tokens[at].text if tokens[at].kind == "op" else ""
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return arguments, at + 1
        if text == "," and depth == 1:
            arguments.append([])
        elif at > index and text != "\n":
            arguments[-1].append(tokens[at])
    return None, index


def _paste(tokens: list[Token]) -> list[Token]:
    if not any(token.text == "##" for token in tokens):
        return tokens
    out: list[Token] = []
    join = False
    for token in tokens:
        if token.text == "##":
            join = True
        elif join and out:
            left = out.pop()
            if left.text == "," and not token.text:
                continue
            glued = tokenize(left.text + token.text)
            out += glued if len(glued) == 1 else [left, token]
            join = False
        else:
            out.append(token)
            join = False
    return out
