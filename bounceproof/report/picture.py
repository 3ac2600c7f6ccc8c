# SPDX-License-Identifier: GPL-2.0-only
"""A slot set drawn as text, 64 slots a line."""

from __future__ import annotations

from bounceproof.models.geometry import MAINLINE, SlotGeometry

_LINE = 64


def _rows(marks: list[str], first: int) -> list[str]:
    lines = []
    for start in range(0, len(marks), _LINE):
        lines.append(f"{first + start:8} {''.join(marks[start : start + _LINE])}")
    return lines


def _past_the_end(lines: list[str], over: int) -> list[str]:
    """The rows, and ``over`` slots past their end."""
    if over <= 0:
        return lines
    extra = "x" * min(over, 16) + ("..." if over > 16 else "")
    return [*lines[:-1], lines[-1][:73], f"         {extra}"]


def slot_set(
    slot: int | None,
    nslots: int,
    right: list[int],
    pad_slots: int = 0,
    size: int | None = None,
    slots: SlotGeometry = MAINLINE,
    free: int | None = None,
) -> list[str]:
    """The slot set of ``slot`` or, where nothing was found, the best attempt.

    ``size`` is how many of ``slots`` it has: fewer than a slot set in a transient pool.

    ``right`` are the admissible slots of the set, pool-wide or, for an attempt,
    counted from its start.  ``#`` is taken, ``p`` padding, ``|`` a right slot,
    ``.`` any other; a run that does not fit goes on past the end as ``x``.  ``free`` is
    a right slot from which ``nslots`` are free within one segment of the device.
    """
    segsize = slots.segsize
    size = segsize if size is None else size
    first = (slot or 0) & ~slots.set_low
    marks = ["."] * size
    whole = "slot set" if size == segsize else "pool"
    for place in right:
        marks[place % segsize] = "|"
    if slot is not None:
        for k in range(slot - first, min(slot - first + nslots, size)):
            marks[k] = "#"
        for k in range(slot - first, slot - first + pad_slots):
            marks[k] = "p"
        over = slot - first + nslots - size
        lines = _past_the_end(_rows(marks, first), over)
        return [*lines, "         # taken, p padding, | right slot"]
    starts = right if free is None else [free]
    begin = min((place % segsize for place in starts), default=None)
    if begin is None:
        return [*_rows(marks, first), "         no right slot"]
    over = begin + nslots - size
    for k in range(begin, min(begin + nslots, size)):
        marks[k] = "+"
    lines = _rows(marks, first)
    if over > 0:
        lines = _past_the_end(lines, over)
        note = f"from the first right slot, {nslots} slots end {over} past the {whole}"
        return [*lines, f"         + {note}"]
    note = f"{nslots} slots from the first right slot, not all of them to be had"
    if free is not None:
        note = f"a free run of {nslots} slots at a right slot, not found by the search"
    return [*lines, f"         + {note}"]
