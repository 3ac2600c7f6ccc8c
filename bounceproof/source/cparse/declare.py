# SPDX-License-Identifier: GPL-2.0-only
"""C declarations: from the parser's nodes to types and names."""

from __future__ import annotations

from collections.abc import Mapping

from tree_sitter import Node as Syntax

from bounceproof.models.words.word import S8, S16, S32, S64, U8, U16, U32, U64, CType
from bounceproof.source.cparse.syntax import (
    ArrayType,
    FunctionType,
    IntType,
    NamedType,
    PointerType,
    StructType,
    Type,
    VoidType,
)

BOOL = IntType(U8, boolean=True)
_SIZES = {"8": (S8, U8), "16": (S16, U16), "32": (S32, U32), "64": (S64, U64)}
PRIMITIVES: dict[str, Type] = {
    "void": VoidType(),
    "bool": BOOL,
    "_Bool": BOOL,
    "char": IntType(S8),
    "int": IntType(S32),
    "size_t": IntType(U64),
    "uintptr_t": IntType(U64),
    "ssize_t": IntType(S64),
    "ptrdiff_t": IntType(S64),
    "intptr_t": IntType(S64),
    **{f"int{bits}_t": IntType(pair[0]) for bits, pair in _SIZES.items()},
    **{f"uint{bits}_t": IntType(pair[1]) for bits, pair in _SIZES.items()},
}


def text_of(node: Syntax) -> str:
    """The source text of a node."""
    return (node.text or b"").decode("utf-8", "replace")


def base_type(node: Syntax, typedefs: Mapping[str, Type]) -> Type:
    """The type that a specifier node names."""
    text = text_of(node)
    if node.type == "primitive_type":
        return PRIMITIVES.get(text, NamedType(text))
    if node.type == "sized_type_specifier":
        return _sized(text)
    if node.type == "type_identifier":
        return typedefs.get(text, NamedType(text))
    if node.type in ("struct_specifier", "union_specifier"):
        name = node.child_by_field_name("name")
        tag = text_of(name) if name else f"@{node.start_byte}"
        return StructType(tag)
    if node.type == "enum_specifier":
        return IntType(U32)
    return NamedType(text)


def _sized(text: str) -> Type:
    words = text.split()
    signed = "unsigned" not in words
    if "char" in words:
        return IntType(CType(8, signed))
    if "short" in words:
        return IntType(CType(16, signed))
    if "long" in words:
        return IntType(CType(64, signed))
    rest = [word for word in words if word not in ("unsigned", "signed", "int")]
    return NamedType(text) if rest else IntType(CType(32, signed))


def declarator(node: Syntax | None, base: Type) -> tuple[str, Type]:
    """The name and type that a declarator makes of ``base``."""
    while node is not None:
        kind = node.type
        if kind in ("identifier", "field_identifier", "type_identifier"):
            return text_of(node), base
        if kind in ("pointer_declarator", "abstract_pointer_declarator"):
            base = PointerType(base)
        elif kind in ("array_declarator", "abstract_array_declarator"):
            base = ArrayType(base)
        elif kind in ("function_declarator", "abstract_function_declarator"):
            base = FunctionType()
        inner = node.child_by_field_name("declarator")
        if inner is None:
            named = [c for c in node.named_children if "declarator" in c.type]
            named += [c for c in node.named_children if c.type.endswith("identifier")]
            inner = named[0] if named else None
        node = inner
    return "", base


def descriptor_type(node: Syntax, typedefs: Mapping[str, Type]) -> Type:
    """The type of a type_descriptor node, as in a cast."""
    kind = node.child_by_field_name("type")
    if kind is None:
        return NamedType(text_of(node))
    shape = node.child_by_field_name("declarator")
    return declarator(shape, base_type(kind, typedefs))[1]
