/* SPDX-License-Identifier: GPL-2.0-only */
/* Many questions: small areas from end to end, large ones by draws, and histories. */
static const struct { unsigned int sets, areas; } SMALL[] = {
	{ 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 4, 4 }, { 3, 1 }, { 8, 8 },
};
static const struct { unsigned int sets, areas; } LARGE[] = {
	{ 32, 1 }, { 128, 1 }, { 64, 4 }, { 256, 1 }, { 32, 2 }, { 128, 32 },
};
#define MOST_LIVE 4096
#define WEARY 12

static struct mapping lives[MOST_LIVE];
static unsigned long effort, endless_before;

/* A phase that meets too many calls without end is left; the next begins afresh. */
static int weary(void)
{
	return endless_calls - endless_before > WEARY || long_calls > 1;
}

static int pool_of(unsigned int sets, unsigned int nareas)
{
	unsigned long nslabs = sets * (unsigned long)BP_SEGSIZE;

	return new_pool(some_start(nslabs), nslabs, nareas);
}

static void no_pool(void)
{
	shown(FITS, "the pool's initialisation stops", 0);
}

/* Every start index of one and two slot sets, at the sizes and residues that matter. */
static void every_index(void)
{
	uint64_t granule = bp_cell.granule;
	const uint64_t sizes[] = { 512, 2048, 2560, 4096, granule - 512, granule,
		granule + 512, limit / 2, limit - 4096, limit - 512, limit };
	const uint64_t lows[] = { 0, 4, 512, 2048, 2052, 4092, granule - 2048, 6148 };

	for (unsigned int sets = 1; sets <= 2; sets++)
		for (unsigned int s = 0; s < 11; s++) {
			if (!pool_of(sets, 1))
				return no_pool();
			for (unsigned int l = 0; l < 8; l++)
				for (unsigned int i = 0; i < sets * BP_SEGSIZE; i++) {
					if (weary())
						return;
					asked.size = in_limit(sizes[s]);
					asked.phys = outside_pool(lows[l] + (below(2) << 30));
					asked.dir = below(3);
					if (bp_cell.path == 2)
						some_request();
					asked.index = i;
					ask_empty(i % 4 == 0);
				}
		}
}

/* Every size that a driver may ask for. */
static void every_size(void)
{
	for (uint64_t size = size_step; size <= limit && size <= 1UL << 20;
	     size += size_step) {
		if ((size / size_step - 1) % 64 == 0 && !pool_of(1 + below(2), 1))
			return no_pool();
		for (unsigned int i = 0; i < 12 * effort && !weary(); i++) {
			asked.dir = below(3);
			asked.size = size;
			asked.phys = some_address();
			if (bp_cell.path == 2)
				some_request();
			asked.index = below(area_slots());
			ask_empty(i % 3 == 0);
		}
	}
}

static void draws(int large)
{
	unsigned int kinds = large ? 6 : 7;
	unsigned long many = (large ? 12 : 40) * effort;

	for (unsigned long i = 0; i < many; i++) {
		unsigned int kind = below(kinds);

		if (large ? !pool_of(LARGE[kind].sets, LARGE[kind].areas) :
		    !pool_of(SMALL[kind].sets, SMALL[kind].areas))
			return no_pool();
		for (unsigned int k = 0; k < 1000 && !weary(); k++) {
			some_request();
			asked.index = some_index();
			ask_empty(k % 2 == 0);
		}
	}
}

/* A place for a run: where a constant points, or anywhere that starts right. */
static unsigned long some_run(void)
{
	unsigned long most = place.nslabs, slot = below(most);

	if (below(3) == 0)
		slot = hint() % most;
	if (below(4) == 0)
		slot = asked.index + below(5) - 2;
	slot %= most;
	for (unsigned int i = 0; i < BP_SEGSIZE && below(16); i++) {
		if (accepted[slot % BP_SEGSIZE] &&
		    slot % BP_SEGSIZE + needed <= BP_SEGSIZE)
			break;
		slot = (slot + 1) % most;
	}
	return slot;
}

static void fragments(unsigned long used)
{
	unsigned long many = 0;

	reset();
	for (unsigned long tries = 0; many < used && tries < 4 * place.nslabs; tries++) {
		unsigned long slot = below(place.nslabs), length = 1 + below(24);

		for (; length && slot < place.nslabs && many < used; slot++, length--)
			if (slots[slot].list) {
				take(slot);
				many++;
			}
	}
	settle();
}

static void ask_runs(unsigned int times)
{
	block();
	for (unsigned int i = 0; i < times && !weary(); i++) {
		asked.index = some_index();
		ask_run(some_run());
	}
}

static void ask_fragments(unsigned int times)
{
	static struct io_tlb_area held[MOST_AREAS];

	for (unsigned int i = 0; i < times && !weary(); i++) {
		unsigned long used = below(place.nslabs);

		if (below(2))
			used = hint() % place.nslabs;
		fragments(used);
		memcpy(blocked, slots, place.nslabs * sizeof(*slots));
		memcpy(held, areas, sizeof(held));
		for (unsigned int k = 0; k < 8 && !weary(); k++) {
			asked.index = some_index();
			ask_occupied();
			memcpy(slots, blocked, place.nslabs * sizeof(*slots));
			for (unsigned long s = 0; s < place.nslabs; s++)
				owned[s] = !slots[s].list;
			stopped = 0;
			small_reset();
			memcpy(areas, held, sizeof(held));
			all_before();
		}
	}
}

/* Searches in pools that hold something. */
static void occupied(void)
{
	for (unsigned int i = 0; i < 60 * effort && !weary(); i++) {
		unsigned int kind = below(6);

		some_request();
		unsigned long most = LARGE[kind].sets * (unsigned long)BP_SEGSIZE;
		uint64_t start = some_start(most);

		asked.phys = outside(asked.phys, start, start + most * SLOT_BYTES);
		int known = learn(start);
		unsigned int every = known ? 7 : 1;

		for (unsigned int k = 0; k < every && !weary(); k++) {
			unsigned long nslabs = SMALL[k].sets * (unsigned long)BP_SEGSIZE;

			if (!new_pool(start, nslabs, SMALL[k].areas))
				return;
			if (known)
				ask_runs(60);
			ask_fragments(3);
		}
		if (!known || i % 2 || !new_pool(start, most, LARGE[kind].areas))
			continue;
		ask_runs(30);
		ask_fragments(1);
	}
}

/* Maps, syncs and unmaps as they come. */
static void history(unsigned int sets, unsigned int nareas, unsigned long calls,
	unsigned int most, int little)
{
	unsigned int live = 0;
	enum bp_stop why;

	if (!pool_of(sets, nareas))
		return;
	for (unsigned long i = 0; i < calls && !weary() && !stopped; i++) {
		uint64_t choice = below(8);

		if (choice < 4 && live < most) {
			some_request();
			if (little && bp_cell.path != 2)
				asked.size = in_limit(asked.size % 8192);
			if (below(4) == 0)
				set_index(some_index());
			live += map_one(&lives[live], &why);
		} else if (choice == 4 && live) {
			some_syncs(&lives[below(live)]);
		} else if (live && (choice < 7 || live >= most)) {
			unsigned int one = below(live);

			unmap_one(&lives[one]);
			lives[one] = lives[--live];
		}
	}
	while (live && !weary() && !stopped)
		unmap_one(&lives[--live]);
}

static void histories(void)
{
	for (unsigned int i = 0; i < 40 * effort && !weary(); i++) {
		unsigned int kind = below(7);

		history(SMALL[kind].sets, SMALL[kind].areas, 600, 40, i % 2);
	}
	for (unsigned int i = 0; i < 2 * effort && !weary(); i++)
		history(32, 1 + (i & 1), 12000, MOST_LIVE, 1);
}
