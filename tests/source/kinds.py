# SPDX-License-Identifier: GPL-2.0-only
"""Search loops that rules say, in many shapes, in words of our own.

Each takes the place of :data:`tests.source.shapes.COUNTED`; ``KINDS`` has the fields
of the rule that differ from a count of whole steps.
"""

from __future__ import annotations

from typing import Any

from bounceproof.models.request import Counting, Jump, Passes, Wrap
from tests.source.loops import REFUSED, ROOM, SETUP

ADDR = "\t\tphys_addr_t addr;\n\n\t\tslot = first + index;\n"
LEFT = (
    SETUP
    + """
	index = area->index;
	wrap = mem->area_nslabs;
	while (wrap > 0) {
"""
    + ADDR
    + REFUSED
    + """		{
			index = wrapped(mem, index + 1);
			wrap--;
			continue;
		}
"""
    + ROOM
    + """			goto found;
		n = min(stride, mem->area_nslabs - index);
		index = wrapped(mem, index + stride);
		wrap -= min(n, wrap);
		n = 0;
	}
"""
)
CLAMPED = (
    SETUP
    + """
	index = area->index;
	for (done = 0; done < mem->area_nslabs; done += n) {
"""
    + ADDR
    + """		n = 1;
"""
    + REFUSED
    + """		{
			index = wrapped(mem, index + 1);
			continue;
		}
"""
    + ROOM
    + """			{
			n = 0;
			goto found;
		}
		n = min(stride, mem->area_nslabs - index);
		index = wrapped(mem, index + stride);
	}
"""
)
TURNS = (
    SETUP
    + """
	index = area->index;
	for (done = 0; done < mem->area_nslabs; done++) {
"""
    + ADDR
    + REFUSED
    + """		{
			index = wrapped(mem, index + 1);
			continue;
		}
"""
    + ROOM
    + """			goto found;
		index = wrapped(mem, index + stride);
	}
"""
)
GOTO = (
    SETUP
    + """
	index = area->index;
	done = 0;
again:
	if (done >= mem->area_nslabs)
		goto none;
	{
		phys_addr_t addr;

		slot = first + index;
"""
    + REFUSED
    + """		{
			index = wrapped(mem, index + 1);
			done++;
			goto again;
		}
"""
    + ROOM
    + """			goto found;
		index = wrapped(mem, index + stride);
		done += stride;
	}
	goto again;
"""
)
TWO_PASSES = (
    SETUP
    + """
	for (done = 0; done < 2; done++) {
		unsigned int end = done ? area->index : mem->area_nslabs;

		index = done ? 0 : area->index;
		while (index < end) {
"""
    + ADDR
    + REFUSED
    + """			{
				index++;
				continue;
			}
"""
    + ROOM
    + """				goto found;
			index += stride;
		}
	}
"""
)
TWO_LOOPS = (
    SETUP
    + """
	for (index = area->index; index < mem->area_nslabs; index += n) {
"""
    + ADDR
    + "\t\tn = 1;\n"
    + REFUSED
    + "\t\t\tcontinue;\n"
    + ROOM
    + """			goto found;
		n = stride;
	}
	for (index = 0; index < area->index; index += n) {
"""
    + ADDR
    + "\t\tn = 1;\n"
    + REFUSED
    + "\t\t\tcontinue;\n"
    + ROOM
    + """			goto found;
		n = stride;
	}
"""
)
WHOLE_SECOND = TWO_PASSES.replace(
    "done ? area->index : mem->area_nslabs", "mem->area_nslabs"
)
ROUNDED = (
    SETUP
    + """
	index = area->index;
	stride = roundup_pow_of_two(stride);
	for (done = 0; done < mem->area_nslabs; ) {
"""
    + ADDR
    + REFUSED
    + """		{
			index = wrapped(mem, index + 1);
			done++;
			continue;
		}
"""
    + ROOM
    + """			goto found;
		wrap = ALIGN(index + 1, stride);
		done += wrap - index;
		index = wrapped(mem, wrap);
	}
"""
)
MODULO = (
    SETUP
    + """
	for (done = 0; done < mem->area_nslabs; ) {
		index = area->index + done;
		if (index >= mem->area_nslabs)
			index -= mem->area_nslabs;
"""
    + ADDR.replace("\t\tphys_addr_t addr;\n", "\t\t{ phys_addr_t addr;\n")
    + REFUSED
    + """		{
			done++;
			continue;
		}
"""
    + ROOM
    + """			goto found;
		done += stride;
		}
	}
"""
)
BY_SLOT = (
    SETUP
    + """
	slot = first + area->index;
	done = 0;
	do {
		phys_addr_t addr;

		n = 1;
"""
    + REFUSED
    + "\t\t\tgoto next;\n"
    + ROOM
    + """			{
			index = slot - first;
			n = 0;
			goto found;
		}
		n = stride;
next:
		done += n;
		slot = slot + n < first + mem->area_nslabs ? slot + n : first;
	} while (done < mem->area_nslabs);
	n = 0;
"""
)
COMPARED = GOTO.replace(
    "index = wrapped(mem, index + stride);",
    "index += stride;\n\t\tif (index >= mem->area_nslabs)\n\t\t\tindex = 0;",
)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "left": (LEFT, {"counting": Counting.TO_END}),
    "clamped": (CLAMPED, {"counting": Counting.TO_END}),
    "turns": (TURNS, {"counting": Counting.TURNS}),
    "goto": (GOTO, {}),
    "two passes": (TWO_PASSES, {"counting": Counting.TO_END}),
    "two loops": (TWO_LOOPS, {"counting": Counting.TO_END}),
    "whole second pass": (
        WHOLE_SECOND,
        {"counting": Counting.TO_END, "passes": Passes.WHOLE},
    ),
    "rounded": (ROUNDED, {"jump": Jump.ROUND_UP, "stride": 8}),
    "modulo": (MODULO, {"wrap": Wrap.MODULO}),
    "by slot": (BY_SLOT, {}),
    "compared": (COMPARED, {}),
}
