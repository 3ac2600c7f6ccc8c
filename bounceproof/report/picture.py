# SPDX-License-Identifier: GPL-2.0-only
"""A slot set drawn as text, 64 slots a line."""

from __future__ import annotations

from bounceproof.models.constants import IO_TLB_SEGSIZE

_LINE = 64


def _rows(marks: list[str], first: int) -> list[str]:
    lines = []
    for start in range(0, len(marks), _LINE):
        lines.append(f"{first + start:8} {''.join(marks[start : start + _LINE])}")
    return lines


def slot_set(
    slot: int | None, nslots: int, right: list[int], pad_slots: int = 0
) -> list[str]:
    """The slot set of ``slot`` or, where nothing was found, the best attempt.

    ``right`` are the admissible slots of the set, pool-wide or, for an attempt,
    counted from its start.  ``#`` is taken, ``p`` padding, ``|`` a right slot,
    ``.`` any other; a run that does not fit goes on past the end as ``x``.
    """
    first = (slot or 0) & ~(IO_TLB_SEGSIZE - 1)
    marks = ["."] * IO_TLB_SEGSIZE
    for place in right:
        marks[place % IO_TLB_SEGSIZE] = "|"
    if slot is not None:
        for k in range(slot - first, min(slot - first + nslots, IO_TLB_SEGSIZE)):
            marks[k] = "#"
        for k in range(slot - first, slot - first + pad_slots):
            marks[k] = "p"
        return [*_rows(marks, first), "         # taken, p padding, | right slot"]
    begin = min((place % IO_TLB_SEGSIZE for place in right), default=None)
    if begin is None:
        return [*_rows(marks, first), "         no right slot"]
    over = begin + nslots - IO_TLB_SEGSIZE
    for k in range(begin, min(begin + nslots, IO_TLB_SEGSIZE)):
        marks[k] = "+"
    lines = _rows(marks, first)
    if over > 0:
        extra = "x" * min(over, 16) + ("..." if over > 16 else "")
        lines[-1] = lines[-1][:73]
        note = f"from the first right slot, {nslots} slots end {over} past the slot set"
        return [*lines, f"         {extra}", f"         + {note}"]
    note = f"{nslots} slots would fit here, but the search does not come by"
    return [*lines, f"         + {note}"]
