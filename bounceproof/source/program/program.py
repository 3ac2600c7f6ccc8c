# SPDX-License-Identifier: GPL-2.0-only
"""The declarations of a kernel tree, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import tree_sitter_c
from tree_sitter import Language, Parser
from tree_sitter import Node as Syntax

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.condition import parse_integer
from bounceproof.source.cparse.convert import Converter
from bounceproof.source.cparse.declare import base_type, declarator, text_of
from bounceproof.source.cparse.preprocess import Macro, Preprocessor, Unit
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.program.assigned import macro_text, may_assign
from bounceproof.source.program.outside_types import OUTSIDE_TYPES
from bounceproof.source.program.prelude import DEFAULT_CONFIG, prelude
from bounceproof.source.program.unread import (
    Known,
    cut_short,
    error_line,
    error_of,
    hidden_enumerators,
    hidden_functions,
    hidden_tags,
    hidden_variables,
    unread_nodes,
    words_in,
    words_of,
)
from bounceproof.source.tree.tree import HEADERS, SOURCES, Tree

OUTSIDE = "(outside)"
_LANGUAGE = Language(tree_sitter_c.language())
_WATCHED = ("IO_TLB_SHIFT", "IO_TLB_SIZE", "IO_TLB_SEGSIZE")


@dataclass(frozen=True, slots=True)
class Field:
    """A field's type; ``bits`` where it is a bit-field."""

    type: c.Type
    bits: int | None


@dataclass(slots=True)
class Global:
    """A variable of a file; ``fixed`` where it is const and its value is given.

    ``rival``: another file that has a variable of that name, or "".
    """

    file: str
    type: c.Type
    value: c.Expr | None
    fixed: bool = False
    rival: str = ""


@dataclass(slots=True)
class _Found:
    """A definition in ``file``; ``unread`` where it is there but cannot be read."""

    file: str
    node: Syntax
    static: bool
    converted: c.Function | None = None
    unread: NotUnderstood | None = None


class Program:
    """Functions, structures, enumerators and variables of the files that matter.

    ``uses``: what the macros of slots and slot sets were expanded to, and where.
    Where names clash, the file that asks comes first, then headers, then the rest.
    """

    def __init__(
        self, tree: Tree, page_size: int, config: Mapping[str, str] | None = None
    ) -> None:
        self.tree = tree
        self.page_size = page_size
        self.config = {**DEFAULT_CONFIG, **(config or {})}
        self.typedefs: dict[str, c.Type] = {}
        self.structs: Known[dict[str, Field]] = Known()
        self.unions: set[str] = set()
        self.enumerators: Known[tuple[c.Expr | None, str | None]] = Known()
        self.globals: Known[Global] = Known()
        self.units: dict[str, Unit] = {}
        self._functions: dict[str, list[_Found]] = {}
        self._macros: dict[str, Preprocessor] = {}
        self._parser = Parser(_LANGUAGE)
        self._unit = Unit("", "")
        self._unread: list[tuple[NotUnderstood, str]] = []
        self._undefined: dict[str, NotUnderstood] = {}
        self._assigned: dict[str, bool] = {}
        self._declared: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._load(page_size.bit_length() - 1)

    def _load(self, page_shift: int) -> None:
        shared = Preprocessor(self.config, prelude(page_shift), _WATCHED)
        self.uses = shared.uses
        added = [path for path in self.tree.added if path.endswith(".h")]
        for path in (*HEADERS, *added):
            self._read(path, shared)
        extra = [path for path in self.tree.added if path.endswith(".c")]
        for path in (*SOURCES, *extra):
            self._macros[path] = shared.fork()
            self._read(path, self._macros[path])
        structs, enumerators = dict(self.structs), dict(self.enumerators)
        self._collect(shared.fork().run(OUTSIDE, OUTSIDE_TYPES))
        self.structs.update(structs)
        self.enumerators.update(enumerators)
        for tag in self.structs.unread.keys() - structs.keys():
            self.structs.pop(tag, None)
        for name in self.enumerators.unread.keys() - enumerators.keys():
            self.enumerators.pop(name, None)
        self._note_undefined()

    def _note_undefined(self) -> None:
        """A struct that code speaks of and no file defines is not absent."""
        spoken = re.compile(r"\b(?:struct|union)\s+([A-Za-z_]\w*)")
        for unit in self._own_units():
            for found in spoken.finditer(unit.text):
                tag = found.group(1)
                if dict.__contains__(self.structs, tag) or tag in self._undefined:
                    continue
                line = unit.text.count("\n", 0, found.start()) + 1
                need = f"a definition of struct {tag}"
                error = NotUnderstood(unit.file, line, unit.line(line), need)
                self._undefined[tag] = error
        self.structs.unread = self._undefined | self.structs.unread

    def _check_includes(self, unit: Unit) -> None:
        """Every file that is included and matters is there, and no C is."""
        for line, name, quoted in unit.includes:
            folder = PurePosixPath(unit.file).parent
            path = str(folder / name) if quoted else f"include/{name}"
            wanted = path in HEADERS and self.tree.read(path) is None
            if wanted or not name.endswith(".h"):
                need = f"{path}: no such file" if wanted else f"what {path} has"
                raise NotUnderstood(unit.file, line, unit.line(line), need)

    def _read(self, path: str, preprocessor: Preprocessor) -> None:
        text = self.tree.read(path)
        if text is not None:
            unit = preprocessor.run(path, text)
            self._check_includes(unit)
            self._collect(unit)

    def _collect(self, unit: Unit) -> None:
        self.units[unit.file] = self._unit = unit
        data = unit.text.encode("utf-8", "surrogateescape")
        root = self._parser.parse(data).root_node
        self._walk(root, unit.file)
        for node in unread_nodes(root):
            self._note_unread(unit, node)
        doubtful = {node.start_byte: stray for node, stray in cut_short(root)}
        for start, behind in doubtful.items():
            region = data[start : behind.end_byte].decode("utf-8", "replace")
            self._unread.append((error_of(unit, behind, "here"), region))
        for entry in [e for entries in self._functions.values() for e in entries]:
            stray = doubtful.get(entry.node.start_byte)
            if entry.file == unit.file and stray is not None:
                entry.unread = error_of(unit, stray, "in a function")

    def _note_unread(self, unit: Unit, node: Syntax) -> None:
        """Remember what the unread ``node`` may declare."""
        self._unread.append((error_of(unit, node, "here"), text_of(node)))
        known = set(self.functions_in(unit.file))
        for hidden in hidden_functions(unit, node, known):
            found = _Found(unit.file, node, static=False, unread=hidden.error)
            self._functions.setdefault(hidden.name, []).append(found)
        error = error_of(unit, node, "where declarations are")
        for tag in hidden_tags(node):
            self.structs.unread[tag] = error
        for name in hidden_enumerators(node):
            self.enumerators.unread[name] = error
        for name in hidden_variables(node):
            self.globals.unread[name] = error

    def _walk(self, root: Syntax, file: str) -> None:
        for node in root.named_children:
            if node.type == "function_definition":
                self._add_function(node, file)
            elif node.type == "declaration":
                self._add_declaration(node, file)
            elif node.type == "type_definition":
                self._add_typedef(node)
            elif node.type in ("struct_specifier", "union_specifier"):
                self._add_struct(node)
            elif node.type == "enum_specifier":
                self._add_enum(node)

    def _add_function(self, node: Syntax, file: str) -> None:
        name, _ = declarator(node.child_by_field_name("declarator"), c.VoidType())
        body = node.child_by_field_name("body")
        sure = not any(child.has_error for child in node.children if child != body)
        static = sure and any(text_of(child) == "static" for child in node.children)
        self._functions.setdefault(name, []).append(_Found(file, node, static))

    def _add_declaration(self, node: Syntax, file: str) -> None:
        kind = node.child_by_field_name("type")
        if kind is None:
            return
        self._add_specifier(kind)
        if any(text_of(child) == "extern" for child in node.children):
            return
        base = base_type(kind, self.typedefs)
        for child in node.children_by_field_name("declarator"):
            value = None
            shape = child
            initial = child.child_by_field_name("value")
            if child.type == "init_declarator":
                shape = child.child_by_field_name("declarator") or child
                value = self._value(initial) if initial else None
            name, ctype = declarator(shape, base)
            if isinstance(ctype, c.FunctionType) or not name:
                continue
            end = initial.start_byte if initial else child.end_byte
            span = child.start_byte, end
            self._declared.setdefault((file, name), []).append(span)
            const = any(text_of(part) == "const" for part in node.children)
            fixed = const and value is not None and not _points(ctype)
            self._add_variable(name, Global(file, ctype, value, fixed))

    def _add_variable(self, name: str, found: Global) -> None:
        """A variable; of two of one name in one file, the one with a value."""
        old = self.globals.get(name)
        if old is None:
            self.globals[name] = found
            return
        rival = old.rival
        if found.file != old.file:
            rival = rival or found.file
        elif old.value is None:
            old = found
        self.globals[name] = replace(old, rival=rival)

    def _add_typedef(self, node: Syntax) -> None:
        kind = node.child_by_field_name("type")
        if kind is None:
            return
        self._add_specifier(kind)
        base = base_type(kind, self.typedefs)
        for child in node.children_by_field_name("declarator"):
            name, ctype = declarator(child, base)
            if name:
                self.typedefs[name] = ctype

    def _add_specifier(self, node: Syntax) -> None:
        if node.type in ("struct_specifier", "union_specifier"):
            self._add_struct(node)
        elif node.type == "enum_specifier":
            self._add_enum(node)

    def _add_struct(self, node: Syntax) -> None:
        body = node.child_by_field_name("body")
        kind = base_type(node, self.typedefs)
        if body is None or not isinstance(kind, c.StructType):
            return
        fields: Known[Field] = Known()
        self._add_fields(body, fields)
        if body.has_error:
            error = error_of(self._unit, body, f"in struct {kind.tag}")
            fields.unread |= dict.fromkeys(words_of(body), error)
        self.structs[kind.tag] = fields
        if node.type == "union_specifier":
            self.unions.add(kind.tag)

    def _add_fields(self, body: Syntax, fields: Known[Field]) -> None:
        for child in body.named_children:
            kind = child.child_by_field_name("type")
            if child.type != "field_declaration" or kind is None:
                continue
            self._add_specifier(kind)
            base = base_type(kind, self.typedefs)
            shapes = child.children_by_field_name("declarator")
            inner = kind.child_by_field_name("body")
            if not shapes and inner is not None:
                self._add_fields(inner, fields)
            for shape in shapes:
                name, ctype = declarator(shape, base)
                try:
                    fields[name] = Field(ctype, _bits_after(shape))
                except ValueError:
                    need = f"the width of the field {name} as a number"
                    line = shape.start_point[0] + 1
                    text = self._unit.line(line)
                    error = NotUnderstood(self._unit.file, line, text, need)
                    fields.unread[name] = error

    def _add_enum(self, node: Syntax) -> None:
        body = node.child_by_field_name("body")
        previous: str | None = None
        if body is not None and body.has_error:
            error = error_of(self._unit, body, "in an enum")
            self.enumerators.unread |= dict.fromkeys(words_of(body), error)
        for child in body.named_children if body else []:
            name = child.child_by_field_name("name")
            if child.type != "enumerator" or name is None:
                continue
            value = child.child_by_field_name("value")
            converted = self._value(value) if value else None
            self.enumerators[text_of(name)] = (converted, previous)
            previous = text_of(name)

    def macro(self, name: str, file: str) -> Macro | None:
        """The macro ``name`` as it stands at the end of the source ``file``, if any."""
        return self._macros[file].macros.get(name)

    def expression(self, text: str, file: str) -> c.Expr:
        """``text`` as an expression at the end of the source ``file``, macros expanded.

        Raises NotUnderstood where it is none.
        """
        line = f"unsigned long value = ({text});"
        unit = self._macros[file].fork().run(file, line)
        root = self._parser.parse(
            unit.text.encode("utf-8", "surrogateescape")
        ).root_node
        values = [
            child.child_by_field_name("value")
            for node in root.named_children
            for child in node.children_by_field_name("declarator")
        ]
        if root.has_error or len(values) != 1 or values[0] is None:
            raise NotUnderstood(file, 0, text, "an expression")
        return Converter(self.typedefs).expr(values[0])

    def _value(self, node: Syntax) -> c.Expr:
        """An initial value, or what makes its use not understood."""
        try:
            return Converter(self.typedefs).expr(node)
        except RecursionError:
            line, text = node.start_point[0] + 1, text_of(node)[:200]
            return c.Unknown(line, text, "expressions that nest less deeply")

    def function(self, name: str, file: str = "") -> c.Function | None:
        """The function ``name`` as code in ``file`` sees it; None if there is none.

        Raises NotUnderstood where the parser could not read it.
        """
        found = self._functions.get(name)
        if not found:
            return None

        def rank(entry: _Found) -> tuple[bool, bool, bool]:
            header = entry.file.endswith(".h")
            return entry.file != file, not header, entry.static

        best = min(found, key=rank)
        apart = best.file != file and best.static and not best.file.endswith(".h")
        if apart and file:
            return None
        if best.unread is not None:
            raise best.unread
        if best.converted is None:
            best.converted = self._convert(best, name)
        return best.converted

    def _convert(self, found: _Found, name: str) -> c.Function:
        if found.node.has_error:
            line = error_line(found.node)
            text = self.units[found.file].line(line)
            raise NotUnderstood(found.file, line, text, f"C that parses, in {name}()")
        try:
            return Converter(self.typedefs).function(found.node, found.file)
        except RecursionError:
            line = found.node.start_point[0] + 1
            text = self.units[found.file].line(line)
            need = "expressions that nest less deeply"
            raise NotUnderstood(found.file, line, text, need) from None

    def functions_in(self, file: str) -> list[str]:
        """The names of the functions that ``file`` defines, in its order."""
        pairs = [
            (entry.node.start_byte, name)
            for name, entries in self._functions.items()
            for entry in entries
            if entry.file == file and entry.unread is None
        ]
        return [name for _, name in sorted(pairs)]

    def extent(self, name: str, file: str) -> tuple[int, int] | None:
        """First and last line of the function ``name`` that ``file`` defines."""
        for entry in self._functions.get(name, []):
            if entry.file == file and entry.unread is None:
                return entry.node.start_point[0] + 1, entry.node.end_point[0] + 1
        return None

    def source(self, function: c.Function) -> str:
        """The preprocessed text of a function."""
        for entry in self._functions[function.name]:
            if entry.file == function.file and entry.unread is None:
                return text_of(entry.node)
        return ""

    def words_of(self, name: str) -> set[str]:
        """Every word of the definitions of the function ``name``."""
        found = self._functions.get(name, [])
        return {word for entry in found for word in words_of(entry.node)}

    def assigns(self, name: str) -> bool:
        """Whether code may assign the variable ``name`` (by its spelling)."""
        if name not in self._assigned:
            found = dict.get(self.globals, name)
            array = found is not None and isinstance(found.type, c.ArrayType)
            units = self.units.values()
            texts = [self._undeclared(unit, name) for unit in units]
            texts += [macro_text(unit.source) for unit in units]
            self._assigned[name] = may_assign(name, texts, array=array)
        return self._assigned[name]

    def _undeclared(self, unit: Unit, name: str) -> str:
        """The text of ``unit`` without what declares the variable ``name``."""
        spans = self._declared.get((unit.file, name), ())
        if not spans:
            return unit.text
        data = unit.text.encode("utf-8", "surrogateescape")
        ends = [0, *(end for _, end in spans)]
        starts = [*(start for start, _ in spans), len(data)]
        kept = [data[end:start] for end, start in zip(ends, starts, strict=True)]
        return b" ".join(kept).decode("utf-8", "replace")

    def _own_units(self) -> list[Unit]:
        return [unit for file, unit in self.units.items() if file != OUTSIDE]

    def mention(self, name: str) -> tuple[str, int] | None:
        """A file and line that has the word ``name``, if any has."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        for unit in self._own_units():
            found = word.search(unit.text)
            if found is not None:
                return unit.file, unit.text.count("\n", 0, found.start()) + 1
        return None

    def unread_in(self, file: str) -> list[tuple[NotUnderstood, str]]:
        """The parts of ``file`` that the parser lost its way in, and their text."""
        return [(error, text) for error, text in self._unread if error.file == file]

    def unread_words(self, file: str) -> set[str]:
        """Every word of the parts of ``file`` that :meth:`unread_in` gives."""
        return {w for _, text in self.unread_in(file) for w in words_in(text)}

    def text(self, file: str, line: int) -> str:
        """Line ``line`` of ``file`` as it is written."""
        unit = self.units.get(file)
        return unit.line(line).strip() if unit else ""


def _bits_after(shape: Syntax) -> int | None:
    """A bit-field's width, None where it is none; ValueError for no plain number."""
    following = shape.next_named_sibling
    if following is None or following.type != "bitfield_clause":
        return None
    return parse_integer(text_of(following).lstrip(": ").strip("() "))


def _points(kind: c.Type) -> bool:
    """Whether it is a pointer or an array of such: const is then what they point to."""
    while isinstance(kind, c.ArrayType):
        kind = kind.of
    return isinstance(kind, c.PointerType)
