/* SPDX-License-Identifier: GPL-2.0-only */
/* What a mapping, a sync and an unmapping show of the contract. */

static void judge_copies(const struct mapping *map, uint64_t whole_at)
{
	uint64_t orig = map->request.phys, last = orig + map->request.size;

	for (int i = 0; i < bp_nevents; i++) {
		struct bp_event *e = &bp_events[i];
		int in;

		if (e->kind == BP_MAPPED || !e->size)
			continue;
		if (e->kind == BP_FILL)
			in = in_slots(map, e->to, e->to + e->size);
		else
			in = (in_slots(map, e->to, e->to + e->size) &&
			      inside(e->from, e->from + e->size, orig, last)) ||
			     (in_slots(map, e->from, e->from + e->size) &&
			      inside(e->to, e->to + e->size, orig, last));
		if (!in)
			shown(INBOUNDS, e->kind == BP_FILL ? "zeroes outside" :
			      "copies outside", (long)whole_at);
	}
}

/* Whether events of a kind, in order, write every byte of [at, end). */
static int written(enum bp_kind kind, uint64_t at, uint64_t end, int64_t from)
{
	for (int again = 0; again < bp_nevents && at < end; again++)
		for (int i = 0; i < bp_nevents; i++) {
			struct bp_event *e = &bp_events[i];
			int64_t apart = (int64_t)(e->from - e->to);

			if (e->kind != kind || (kind == BP_COPY && apart != from))
				continue;
			if (e->to <= at && at < e->to + e->size)
				at = e->to + e->size;
		}
	return at >= end;
}

static void judge_contents(const struct mapping *map)
{
	uint64_t at = map->at, end = at + map->request.size;
	int wiped = 0, copied = 0;

	for (int i = 0; i < bp_nevents; i++) {
		struct bp_event *e = &bp_events[i];

		if (e->kind == BP_COPY)
			copied = 1, wiped = 0;
		if (e->kind == BP_FILL && e->size && e->to < end && e->to + e->size > at)
			wiped = 1;
		if (e->kind != BP_MAPPED)
			continue;
		if (!written(BP_FILL, e->from, at < e->from ? e->from : at, 0) ||
		    !written(BP_FILL, end, e->from + e->size, 0))
			shown(CLEAN, "stale padding", 0);
	}
	if (!copied || wiped || !written(BP_COPY, at, end, map->request.phys - at))
		shown(CLEAN, "not the original's bytes", wiped);
}

static int just_taken(unsigned long slot)
{
	unsigned long first = bp_noted.slot, bytes = bp_noted.alloc_size;
	int asked_for = bp_noted.slot >= 0 && slot >= first &&
		slot < first + (bytes + SLOT_BYTES - 1) / SLOT_BYTES;

	return !owned[slot] && !slots[slot].list && (before[slot].list || asked_for);
}

static void judge_taken(struct mapping *map, struct span span)
{
	unsigned long need = (bp_noted.alloc_size + SLOT_BYTES - 1) / SLOT_BYTES;
	unsigned long at = (map->at - place.start) / SLOT_BYTES;

	for (unsigned long i = span.lo; i < span.hi; i++) {
		map->taken += just_taken(i);
		if (owned[i] && slots[i].list)
			shown(EXCLUSIVE, "a slot in use becomes free", (long)i);
		else if (owned[i] && (before[i].orig_addr != slots[i].orig_addr ||
			 before[i].alloc_size != slots[i].alloc_size))
			shown(EXCLUSIVE, "writes to a slot in use", (long)i);
	}
	map->first = map->end = bp_noted.slot < 0 ? 0 : bp_noted.slot;
	if (at >= span.lo && at < span.hi && just_taken(at))
		map->first = map->end = at;
	while (map->first > span.lo && just_taken(map->first - 1))
		map->first--;
	while (map->end < span.hi && just_taken(map->end))
		map->end++;
	if (bp_noted.slot != (int64_t)map->first || map->taken != need)
		note(EXCLUSIVE, DEBATABLE, "takes other slots than it asked for",
		     (long)map->taken);
}

/* Where the device's address leads; what the IOMMU was told is kept for the end. */
static void locate(struct mapping *map)
{
	map->at = map->handle;
	map->iova_size = 0;
	if (bp_cell.path != 1)
		return;
	map->at = 0;
	for (int i = 0; i < bp_nevents; i++) {
		struct bp_event *e = &bp_events[i];

		if (e->kind != BP_MAPPED)
			continue;
		map->iova_base = e->to;
		map->iova_phys = e->from;
		map->iova_size = e->size;
		if (map->handle - e->to < e->size)
			map->at = e->from + (map->handle - e->to);
	}
}

static void judge_placed(const struct mapping *map)
{
	uint64_t end = map->at + map->request.size, start = address(map->first);

	if (bp_cell.path == 2) {
		end = map->at + (map->request.size + bp_cell.page - 1) / bp_cell.page *
			bp_cell.page;
		if (map->request.size >= bp_cell.page && start % bp_cell.page)
			shown(ALIGNED, "no page", 0);
	} else if ((map->at ^ map->request.phys) & bp_cell.mask) {
		shown(ALIGNED, "min_align_mask", 0);
	}
	if (!in_slots(map, map->at, end))
		shown(EXCLUSIVE, "the caller may use other slots", 0);
	if (start & (bp_noted.search_mask | bp_noted.asked_mask))
		shown(ALIGNED, "alloc_align_mask", 0);
	for (int i = 0; i < bp_nevents; i++)
		if (bp_events[i].kind == BP_MAPPED &&
		    !in_slots(map, bp_events[i].from,
			      bp_events[i].from + bp_events[i].size))
			shown(OWNED, "reaches other slots", 0);
}

static int request_bounces(void)
{
	return bp_cell.path != 1 || ((asked.phys | asked.size) & (bp_cell.granule - 1));
}

/* Map what is asked; whether it was mapped.  Judged but for fits and finds. */
static int map_one(struct mapping *map, enum bp_stop *why)
{
	struct span span;
	int ok;

	*map = (struct mapping){ .request = asked, .used = total_used() };
	bp_noted = (struct bp_noted){ .slot = -1 };
	*why = call(MAP, asked.phys, asked.size, asked.dir, &map->handle);
	count_endless(*why, bp_noted.slot < 0);
	ok = *why == BP_RAN && map->handle != (bp_cell.path == 2 ? 0 : FAILED);
	span = around(bp_noted.slot, bp_noted.alloc_size / SLOT_BYTES);
	if (!ok) {
		if (bp_noted.slot >= 0)
			keep(span);
		return 0;
	}
	map->live = 1;
	map->bounced = bp_noted.bounced || (bp_cell.path == 2 && bp_noted.searched);
	locate(map);
	if (!map->bounced) {
		if (request_bounces())
			note(OWNED, DEBATABLE, "is not bounced", 0);
		return 1;
	}
	judge_taken(map, span);
	judge_placed(map);
	if (bp_cell.path != 2) {
		judge_copies(map, 0);
		judge_contents(map);
	}
	memset(owned + map->first, 1, map->end - map->first);
	keep(span);
	return 1;
}

static void in_hand(const struct mapping *map)
{
	bp_iova_base = map->iova_base;
	bp_iova_size = map->iova_size;
	bp_there = map->iova_phys;
}

static void sync_one(const struct mapping *map, uint64_t offset, uint64_t length,
	int device)
{
	int carries = map->request.dir != (device ? 2 : 1);
	uint64_t unused, pool = map->at + offset, orig = map->request.phys + offset;
	enum bp_stop why;

	if (!map->live || !map->bounced || bp_cell.path == 2)
		return;
	asked = map->request;
	in_hand(map);
	why = call(device ? TO_DEVICE_SYNC : TO_CPU_SYNC, map->handle + offset, length,
		   map->request.dir, &unused);
	count_endless(why, 0);
	if (why != BP_RAN) {
		if (carries)
			shown(CLEAN, "a sync stops", (long)length);
		return;
	}
	judge_copies(map, offset);
	if (!carries)
		return;
	if (!bp_nevents)
		shown(CLEAN, "a sync copies nothing", (long)length);
	for (int i = 0; i < bp_nevents; i++)
		if (bp_events[i].size != length ||
		    bp_events[i].to != (device ? pool : orig) ||
		    bp_events[i].from != (device ? orig : pool))
			shown(CLEAN, "a sync copies something else", (long)length);
}

static void judge_freed(const struct mapping *map, struct span span, int healthy,
	long used)
{
	unsigned long freed = 0, wrong = 0;

	for (unsigned long i = span.lo; i < span.hi; i++) {
		int ours = i >= map->first && i < map->end;

		if (!before[i].list && slots[i].list) {
			freed++;
			wrong += !ours;
		} else if (ours) {
			wrong++;
		} else if (owned[i] && (before[i].orig_addr != slots[i].orig_addr ||
			   before[i].alloc_size != slots[i].alloc_size)) {
			shown(RETURNED, "writes to another mapping's slot", (long)i);
		} else if (before[i].list && !slots[i].list) {
			wrong++;
		}
	}
	if (wrong || freed != map->taken)
		shown(RETURNED, "frees other slots", (long)freed);
	else if (!lists_right(span.lo, span.hi))
		note(RETURNED, healthy ? SHOWN : DEBATABLE, "list[] is wrong", 0);
	if (total_used() != used - (long)map->taken)
		shown(RETURNED, "used is wrong", total_used());
}

static void unmap_one(struct mapping *map)
{
	struct span span = around((int64_t)map->first, map->end - map->first);
	int healthy, carries = map->request.dir != 1;
	long used = total_used();
	uint64_t unused;
	enum bp_stop why;

	map->live = 0;
	asked = map->request;
	in_hand(map);
	healthy = lists_right(span.lo, span.hi);
	why = call(UNMAP, map->handle, map->request.size, map->request.dir, &unused);
	count_endless(why, 0);
	if (!map->bounced)
		return;
	if (why != BP_RAN) {
		shown(RETURNED, "stops", 0);
		return;
	}
	if (bp_cell.path != 2) {
		judge_copies(map, 0);
		if (carries && !written(BP_COPY, map->request.phys, map->request.phys +
					map->request.size, map->at - map->request.phys))
			note(CLEAN, DEBATABLE, "the end does not copy back", 0);
	}
	judge_freed(map, span, healthy, used);
	memset(owned + map->first, 0, map->end - map->first);
	keep(span);
}
