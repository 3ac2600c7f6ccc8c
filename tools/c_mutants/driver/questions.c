/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests drawn around the constants of the code, and the questions put with them. */
#define MOST_HINTS 256
#define MOST_SET 1024
#define LOW_MEMORY (1UL << 32)
#define PHYS_BITS 52

static uint64_t hints[MOST_HINTS];
static int nhints;
struct bits { uint64_t mask, value; };
static struct bits bit_hints[MOST_HINTS];
static int nbit_hints;
static uint64_t limit, size_step, addr_step;
static uint64_t dice = 1;
static unsigned char accepted[MOST_SET];
static unsigned long needed;
static struct io_tlb_slot *blocked;
static unsigned long turns;

static uint64_t draw(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice * 0x2545f4914f6cdd1dUL >> 8;
}

static uint64_t below(uint64_t most)
{
	return most ? draw() % most : 0;
}

/* A constant of the code, or one off. */
static uint64_t hint(void)
{
	uint64_t constant = nhints ? hints[below(nhints)] + below(3) : draw();

	return constant ? constant - 1 : 0;
}

static uint64_t in_limit(uint64_t size)
{
	size = size / size_step * size_step;
	if (!size)
		size = size_step;
	return size > limit ? limit / size_step * size_step : size;
}

static uint64_t some_size(void)
{
	uint64_t steps = limit / size_step;

	switch (below(7)) {
	case 0: return in_limit(limit - below(32) * size_step);
	case 1: return in_limit((1 + below(32)) * size_step);
	case 2: return in_limit(((1 + below(64)) << 12) + (below(3) - 1) * size_step);
	case 3: return in_limit((bp_cell.granule * (1 + below(4))) - below(9) * size_step);
	case 4: return in_limit(hint() + below(3) * size_step);
	case 5: return in_limit(hint() * SLOT_BYTES - below(5) * size_step);
	}
	return (1 + below(steps)) * size_step;
}

static uint64_t some_low_bits(void)
{
	static const uint64_t often[] = { 0, 0, 4, 512, 2044, 2048, 2052, 4092, 4096 };

	switch (below(4)) {
	case 0: return often[below(9)];
	case 1: return below(32) * SLOT_BYTES + often[below(9)];
	case 2: return below(128) * 512;
	}
	return below(1UL << 16) & ~3UL;
}

/* A buffer is no part of the pool: move it 8 GiB up where it would be. */
static uint64_t outside(uint64_t phys, uint64_t first, uint64_t end)
{
	if (bp_cell.path == 2)
		return phys;
	return phys < end && phys + asked.size > first ? phys + (1UL << 33) : phys;
}

static uint64_t outside_pool(uint64_t phys)
{
	return outside(phys, place.start, address(place.nslabs));
}

static uint64_t some_address(void)
{
	uint64_t phys = some_low_bits();

	switch (below(8)) {
	case 0: break;
	case 1: phys += below(64) << 16; break;
	case 2: phys += below(1UL << (PHYS_BITS - 20)) << 16; break;
	case 3: phys = hint(); break;
	case 4: phys = hint() * SLOT_BYTES + phys % SLOT_BYTES; break;
	default: phys += below(1UL << 20) << 16;
	}
	if (nbit_hints && below(3) == 0) {
		const struct bits *bits = &bit_hints[below(nbit_hints)];

		phys = (phys & ~bits->mask) | bits->value;
	}
	phys = phys / addr_step * addr_step;
	if (phys > 1UL << PHYS_BITS || phys + asked.size > 1UL << PHYS_BITS)
		phys &= 0xffffffff;
	return outside_pool(phys);
}

/* A size and an address whose sum with the address's low bits is a constant. */
static void some_pair(void)
{
	uint64_t total = hint(), low = below(9) * 512;

	asked.size = in_limit(total > low ? total - low : total);
	asked.phys = some_address();
	if (total >= asked.size && total - asked.size <= bp_cell.mask)
		asked.phys = (asked.phys & ~bp_cell.mask) + total - asked.size;
	asked.phys = outside_pool(asked.phys / addr_step * addr_step);
}

static void some_request(void)
{
	asked.dir = below(3);
	if (bp_cell.path == 2) {
		uint64_t page = bp_cell.page;

		asked.phys = 0;
		asked.size = (some_size() + page - 1) / page * page;
		if (asked.size > limit)
			asked.size = limit / page * page;
		return;
	}
	asked.size = some_size();
	if (nhints && below(4) == 0)
		some_pair();
	else
		asked.phys = some_address();
}

static unsigned int some_index(void)
{
	unsigned long most = area_slots();

	switch (below(6)) {
	case 0: return most - 1 - below(most < 4 ? most : 4);
	case 1: return below(4) % most;
	case 2: return hint() % most;
	}
	return below(most);
}

static uint64_t some_start(unsigned long nslabs)
{
	uint64_t page = bp_cell.page, room = LOW_MEMORY - nslabs * SLOT_BYTES;
	uint64_t start = page * (1 + below(room / page - 1));

	switch (below(4)) {
	case 0: start &= ~((1UL << 18) - 1); break;
	case 1: start = (start & ~0xffffUL) + below(0x10000 / page) * page; break;
	case 2: start = (1 + below(8)) * page; break;
	}
	return start ? start : page;
}

/* An empty pool. */

static void some_syncs(const struct mapping *map)
{
	uint64_t size = map->request.size, at, length;

	sync_one(map, 0, size, map->request.dir == 1);
	sync_one(map, 0, size, map->request.dir != 1);
	for (int i = 0; i < 2; i++) {
		at = below(3) ? below(size) : hint() % size;
		length = 1 + below(size - at);
		if (below(3) == 0 && nhints && hint() <= size - at)
			length = hint();
		if (length && at + length <= size)
			sync_one(map, at, length, below(2));
	}
}

static void tidy(const struct mapping *map)
{
	struct span span = around((int64_t)map->first, map->end - map->first);

	if (place.nslabs <= 1024 || !map->bounced || stopped || ++turns % 64 == 0) {
		reset();
		return;
	}
	memset(owned + span.lo, 0, span.hi - span.lo);
	memcpy(slots + span.lo, fresh + span.lo, (span.hi - span.lo) * sizeof(*slots));
	keep(span);
	small_reset();
}

static void whole_life(struct mapping *map)
{
	struct span span = around((int64_t)map->first, map->end - map->first);
	long used = map->used;

	some_syncs(map);
	if (stopped)
		return;
	unmap_one(map);
	if (stopped)
		return;
	if (total_used() != used)
		shown(RETURNED, "used is not what it was", total_used());
	for (unsigned long i = span.lo; i < span.hi; i++)
		if (slots[i].list != fresh[i].list) {
			note(RETURNED, DEBATABLE, "list[] is not what it was", (long)i);
			break;
		}
}

/* Ask an empty pool; the first slot taken, or -1. */
static long ask_empty(int living)
{
	struct mapping map;
	enum bp_stop why;
	long first = -1;

	set_index(asked.index);
	int mapped = map_one(&map, &why);

	if (!mapped && place.nslabs > 1024) {
		/* Nothing is left of earlier calls, whatever they wrote. */
		reset();
		set_index(asked.index);
		mapped = map_one(&map, &why);
	}
	if (!mapped) {
		note(FITS, why == BP_FAULT ? DEBATABLE : SHOWN,
		     why == BP_RAN ? "is refused" : "stops", why);
	} else if (map.bounced) {
		first = (long)map.first;
		needed = (bp_noted.alloc_size + SLOT_BYTES - 1) / SLOT_BYTES;
		if (living)
			whole_life(&map);
	}
	tidy(&map);
	return first;
}

/* Which places in a slot set the code takes for this request, in a pool at start. */
static int learn(uint64_t start)
{
	struct request request = asked;
	unsigned long hung = endless_calls;

	memset(accepted, 0, sizeof(accepted));
	needed = 0;
	if (!new_pool(start, 4 * BP_SEGSIZE, 1))
		return 0;
	for (unsigned int i = 0; i < 2 * BP_SEGSIZE; i++) {
		if (endless_calls > hung + 3)
			break;
		asked = request;
		asked.index = i;
		long first = ask_empty(i % 16 == 0);

		if (first >= 0)
			accepted[first % BP_SEGSIZE] = 1;
	}
	asked = request;
	return needed > 0 && needed <= BP_SEGSIZE;
}

/* A pool that holds other mappings. */

static void take(unsigned long slot)
{
	owned[slot] = 1;
	slots[slot].list = 0;
	slots[slot].orig_addr = (1UL << 40) + slot * SLOT_BYTES;
	slots[slot].alloc_size = SLOT_BYTES;
}

/* list[] and used as the free slots make them. */
static void settle(void)
{
	unsigned int run = 0;

	for (int a = 0; a < place.nareas; a++)
		areas[a].used = 0;
	for (unsigned long i = place.nslabs; i-- > 0;) {
		if ((i + 1) % BP_SEGSIZE == 0)
			run = 0;
		run = slots[i].list ? run + 1 : 0;
		slots[i].list = run;
		areas[i / area_slots()].used += !run;
	}
	all_before();
}

static void block(void)
{
	for (unsigned long i = 0; i < place.nslabs; i++)
		take(i);
	settle();
	memcpy(blocked, slots, place.nslabs * sizeof(*slots));
}

static void free_run(unsigned long first, unsigned long many)
{
	for (unsigned long i = 0; i < many; i++) {
		slots[first + i] = fresh[first + i];
		slots[first + i].list = many - i;
		before[first + i] = slots[first + i];
		owned[first + i] = 0;
	}
	areas[first / area_slots()].used -= many;
}

static void unfree(unsigned long first, unsigned long many, const struct mapping *map)
{
	struct span span = around((int64_t)first, many);

	if (place.nslabs <= 1024 || stopped || (map->bounced && map->first != first)) {
		stopped = 0;
		span.lo = 0;
		span.hi = place.nslabs;
	}
	memset(owned + span.lo, 1, span.hi - span.lo);
	memcpy(slots + span.lo, blocked + span.lo, (span.hi - span.lo) * sizeof(*slots));
	keep(span);
	small_reset();
	for (int a = 0; a < place.nareas; a++)
		areas[a].used = area_slots();
}

/* One free run in a blocked pool; the mapping is due where it starts right. */
static void ask_run(unsigned long first)
{
	struct request request = asked;
	struct mapping map;
	enum bp_stop why;
	int due = accepted[first % BP_SEGSIZE];

	if (first % BP_SEGSIZE + needed > BP_SEGSIZE || first + needed > place.nslabs)
		return;
	free_run(first, needed);
	set_index(asked.index);
	int mapped = map_one(&map, &why);

	if (!mapped && due && place.nslabs > 1024) {
		unfree(0, place.nslabs, &map);
		free_run(first, needed);
		set_index(request.index);
		mapped = map_one(&map, &why);
	}
	if (!mapped) {
		if (due && why != BP_ENDLESS && why != BP_LONG)
			note(FINDS, why == BP_FAULT ? DEBATABLE : SHOWN,
			     why == BP_RAN ? "a free run is passed by" : "stops",
			     (long)first);
	} else if (below(8) == 0) {
		unmap_one(&map);
	}
	unfree(first, needed, &map);
	asked = request;
}

static int run_is_due(void)
{
	unsigned long run = 0;

	for (unsigned long i = place.nslabs; i-- > 0;) {
		run = (i + 1) % BP_SEGSIZE ? run : 0;
		run = slots[i].list ? run + 1 : 0;
		if (run >= needed && accepted[i % BP_SEGSIZE])
			return 1;
	}
	return 0;
}

/* Map in the pool as it is; fits no more, but a free run that starts right is due. */
static void ask_occupied(void)
{
	struct request request = asked;
	struct mapping map;
	enum bp_stop why;
	int due = needed && run_is_due();

	set_index(asked.index);
	if (map_one(&map, &why))
		unmap_one(&map);
	else if (due && why != BP_ENDLESS && why != BP_LONG)
		note(FINDS, why == BP_FAULT ? DEBATABLE : SHOWN,
		     why == BP_RAN ? "a free run is passed by" : "stops", -1);
	asked = request;
}
