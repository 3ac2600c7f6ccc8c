# SPDX-License-Identifier: GPL-2.0-only
"""The slots of a tree, by its own macros: IO_TLB_SHIFT, IO_TLB_SIZE, IO_TLB_SEGSIZE.

Source: include/linux/swiotlb.h.
"""

from __future__ import annotations

from bounceproof.models.geometry import SlotGeometry
from bounceproof.models.words.word import TRUE
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from bounceproof.source.program.program import Program
from bounceproof.source.tree.tree import SOURCES

_HEADER = "include/linux/swiotlb.h"
SHIFTS = range(8, 17)
SEGSIZES = tuple(1 << bits for bits in range(1, 13))


def slot_geometry(program: Program) -> SlotGeometry:
    """The slots that every source of ``program`` speaks of.

    Raises NotUnderstood, which names the macro and its place, where it is no plain
    number, not the same in all sources, or one that no pool is modelled with.
    """
    shift = _value(program, "IO_TLB_SHIFT")
    if shift not in SHIFTS:
        need = f"a shift from {SHIFTS.start} to {SHIFTS.stop - 1}, not {shift}"
        raise _refused(program, "IO_TLB_SHIFT", need)
    segsize = _value(program, "IO_TLB_SEGSIZE")
    if segsize not in SEGSIZES:
        need = f"a power of two from 2 to {SEGSIZES[-1]}, not {segsize}"
        raise _refused(program, "IO_TLB_SEGSIZE", need)
    size = _value(program, "IO_TLB_SIZE", 1 << shift)
    if size != 1 << shift:
        raise _refused(program, "IO_TLB_SIZE", f"1 << IO_TLB_SHIFT, not {size}")
    return SlotGeometry(shift, segsize)


def _value(program: Program, name: str, otherwise: int | None = None) -> int:
    """What ``name`` is in every source that knows it, ``otherwise`` if none does.

    It is the same wherever code uses it, though a file may define it again.
    """
    found: dict[int, str] = {}
    for file in SOURCES:
        if _known(program, name, file):
            found[_evaluated(program, name, file)] = file
    if len(found) > 1:
        where = ", ".join(f"{value} in {file}" for value, file in found.items())
        raise _refused(program, name, f"one value in all sources, not {where}")
    value = next(iter(found), otherwise)
    if value is None:
        raise NotUnderstood(_HEADER, 0, name, f"a definition of {name}")
    source = next(iter(found.values()), SOURCES[0])
    for text, (file, line) in list(program.uses[name].items()):
        if _evaluated(program, text, source) != value:
            need = f"{name} as it is at the end of {source}, {value}"
            raise NotUnderstood(file, line, program.text(file, line), need)
    return value


def _known(program: Program, name: str, file: str) -> bool:
    return program.macro(name, file) is not None or name in program.enumerators


def _evaluated(program: Program, name: str, file: str) -> int:
    interpreter = Interpreter(program)
    interpreter.file = file
    try:
        expression = program.expression(name, file)
        word = interpreter.word(expression, State(TRUE))
    except NotUnderstood as error:
        raise _refused(program, name, error.need) from None
    if type(word.raw) is not int:
        raise _refused(program, name, "a plain number")
    return int(word)


def _refused(program: Program, name: str, need: str) -> NotUnderstood:
    """The error for a macro, at the place where it is defined."""
    for file in SOURCES:
        macro = program.macro(name, file)
        if macro is not None:
            where, line = macro.at
            text = program.text(where, line)
            return NotUnderstood(where, line, text or name, f"{name}: {need}")
    return NotUnderstood(_HEADER, 0, name, need)
