// SPDX-License-Identifier: GPL-2.0-only
/// Subject: swiotlb: end the slot search when every slot was checked
/// Fixes: 1f221a0d0dbf ("swiotlb: respect min_align_mask")
/// File: kernel/dma/swiotlb.c
/// Property: halts
///
/// The search ends when the index is back where it started. A slot that is
/// not admissible moves the index by one, and from there strides may pass the
/// start again and again: with a stride of 2 and a start at an even slot, a
/// search among odd slots never ends. It spins with the lock held and
/// interrupts off.
///
/// Count the slots that were checked, inside the area alone, and end when
/// these are all.

@loop@
identifier f, index, start;
expression first, nslots, slots, taken;
@@
 f(...) {
 <+...
 nslots > slots - taken
 ...
-index = start = first;
+index = first;
 ...+>
 }

@declared@
identifier loop.start;
type T;
@@
-T start;
++T slots_checked = 0;

@count@
identifier loop.f, loop.index, stride, wrap;
expression loop.slots;
@@
 f(...) {
 <+...
(
 index = wrap(..., index + 1);
+slots_checked++;
|
+slots_checked += min_t(unsigned long, stride, slots - index);
 index = wrap(..., index + stride);
)
 ...+>
 }

@ends@
identifier loop.f, loop.index, loop.start;
expression loop.slots;
@@
 f(...) {
 <+...
-index != start
+slots_checked < slots
 ...+>
 }
