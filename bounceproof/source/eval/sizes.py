# SPDX-License-Identifier: GPL-2.0-only
"""sizeof, for the types whose layout the reader knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounceproof.source.cparse import syntax as c

if TYPE_CHECKING:
    from bounceproof.source.program.program import Program


def size_of(kind: c.Type, program: Program) -> int | None:
    """Bytes of a value of type ``kind`` on LP64, or None; void counts 1."""
    if isinstance(kind, c.IntType):
        return kind.ctype.bits // 8
    if isinstance(kind, c.PointerType):
        return 8
    if isinstance(kind, c.VoidType | c.FunctionType):
        return 1
    if isinstance(kind, c.StructType):
        return _struct_size(kind, program)
    return None


def apart(kind: c.Type, program: Program) -> int | None:
    """Bytes from a value of type ``kind`` to the next, or None; a page is known by its
    address."""
    if isinstance(kind, c.StructType) and kind.tag == "page":
        return program.page_size
    return size_of(kind, program)


def _struct_size(kind: c.StructType, program: Program) -> int | None:
    fields = program.structs.get(kind.tag)
    if fields is None or kind.tag in program.unions:
        return None
    offset, alignment = 0, 1
    for entry in fields.values():
        size = size_of(entry.type, program)
        if entry.bits is not None or not isinstance(
            entry.type, c.IntType | c.PointerType
        ):
            return None
        if size is None:
            return None
        offset = -(-offset // size) * size + size
        alignment = max(alignment, size)
    return -(-offset // alignment) * alignment
