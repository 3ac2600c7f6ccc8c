# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: E101
"""Search loops in shapes that no rule says, in words of our own.

Each takes the place of :data:`tests.source.shapes.COUNTED`.
"""

from __future__ import annotations

SETUP = """
	alloc_align_mask |= IO_TLB_SIZE - 1;
	iotlb_align_mask &= ~alloc_align_mask;
	stride = (max(alloc_align_mask, iotlb_align_mask) >> IO_TLB_SHIFT) + 1;
	spin_lock_irqsave(&area->lock, flags);
	if (unlikely(need > mem->area_nslabs - area->used))
		goto none;
"""
REFUSED = """
		addr = base + ((phys_addr_t)slot << IO_TLB_SHIFT);
		if ((addr & alloc_align_mask) ||
		    (orig_addr && ((addr ^ orig_addr) & iotlb_align_mask)))
"""
ROOM = """
		if (!iommu_is_span_boundary(slot, need, nr_slots(base),
					    (bound >> IO_TLB_SHIFT) + 1) &&
		    mem->slots[slot].list >= need)
"""
BACKWARDS = (
    SETUP
    + """
	index = area->index;
	for (done = 0; done < mem->area_nslabs; done++) {
		phys_addr_t addr;

		slot = first + index;
		index = index ? index - 1 : mem->area_nslabs - 1;
"""
    + REFUSED
    + "\t\t\tcontinue;\n"
    + ROOM
    + "\t\t\tgoto found;\n\t}\n"
)
NESTED = (
    SETUP
    + """
	for (done = 0; done < mem->area_nslabs / IO_TLB_SEGSIZE; done++) {
		unsigned int set = area->index / IO_TLB_SEGSIZE + done, at;

		if (set >= mem->area_nslabs / IO_TLB_SEGSIZE)
			set -= mem->area_nslabs / IO_TLB_SEGSIZE;
		for (at = 0; at < IO_TLB_SEGSIZE; at++) {
			phys_addr_t addr;

			index = set * IO_TLB_SEGSIZE + at;
			slot = first + index;
"""
    + REFUSED
    + "\t\t\t\tcontinue;\n"
    + ROOM
    + "\t\t\t\tgoto found;\n\t\t}\n\t}\n"
)
BEST_FIT = (
    SETUP
    + """
	wrap = IO_TLB_SEGSIZE + 1;
	index = 0;
	for (done = 0; done < mem->area_nslabs; done++) {
		phys_addr_t addr;

		slot = first + done;
"""
    + REFUSED
    + "\t\t\tcontinue;\n"
    + ROOM
    + """		if (mem->slots[slot].list < wrap) {
			wrap = mem->slots[slot].list;
			index = done;
		}
	}
	if (wrap <= IO_TLB_SEGSIZE) {
		slot = first + index;
		goto found;
	}
"""
)
BREAKS = (
    SETUP
    + """
	index = wrap = area->index;
	done = 0;
	while (1) {
		phys_addr_t addr;

		if (done && index == wrap)
			break;
		done = 1;
		slot = first + index;
		index = wrapped(mem, index + 1);
"""
    + REFUSED
    + "\t\t\tcontinue;\n"
    + ROOM
    + "\t\t\tgoto found;\n\t}\n"
)
JUMPS = (
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
		index = wrapped(mem, index + 1);
		done++;
"""
    + REFUSED
    + "\t\t\tgoto again;\n"
    + ROOM
    + "\t\t\tgoto found;\n\t}\n\tgoto again;\n"
)
LOOPS = {
    "backwards": BACKWARDS,
    "nested": NESTED,
    "best fit": BEST_FIT,
    "breaks": BREAKS,
    "jumps": JUMPS,
}
