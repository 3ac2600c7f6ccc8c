// SPDX-License-Identifier: GPL-2.0-only
/// Subject: swiotlb: count only slots of the area as checked
/// Fixes: 7c3940bf81e5 ("swiotlb: fix the deadlock in swiotlb_do_find_slots")
/// File: kernel/dma/swiotlb.c
/// Property: finds
///
/// A stride that leads past the end of the area continues at slot 0, but is
/// counted whole: slots that do not exist are taken for checked ones, and the
/// search ends that many slots before it is back where it started. An
/// admissible slot among them is never tested, and the mapping fails although
/// it would fit.
///
/// Count what the stride covers inside the area.

@@
identifier checked, index, stride, wrap;
expression nslots, pool;
@@
 for (checked = 0; checked < nslots; ) {
 <+...
-index = wrap(pool, index + stride);
-checked += stride;
+checked += min(stride, nslots - index);
+index = wrap(pool, index + stride);
 ...+>
 }
