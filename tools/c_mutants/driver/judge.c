/* SPDX-License-Identifier: GPL-2.0-only */
/* The pool, one call at a time, and what a call shows of the contract. */
#undef memcpy
#undef memset
#undef min
#undef max
#define SLOT_BYTES (1UL << BP_SHIFT)
#define MOST_SLOTS 65536UL
#define MOST_AREAS 64
#define FAILED (~0UL)

enum property { FITS, FINDS, HALTS, ALIGNED, OWNED, EXCLUSIVE, INBOUNDS, RETURNED,
	CLEAN, PROPERTIES };
static const char *const names[] = { "fits", "finds", "halts", "aligned", "owned",
	"exclusive", "inbounds", "returned", "clean" };
enum { SHOWN, DEBATABLE, WEIGHTS };

struct place { uint64_t start; unsigned long nslabs; int nareas; };
struct request { uint64_t phys, size; int dir; unsigned int index; };
struct finding {
	unsigned long count;
	struct place place;
	struct request request;
	const char *text;
	long more;
};
struct mapping {
	struct request request;
	uint64_t handle, at, iova_base, iova_size, iova_phys;
	unsigned long first, end;
	long used;
	int live, bounced;
};

static struct finding findings[PROPERTIES][WEIGHTS];
static struct place place;
static struct request asked;
static char *slot_memory;
static struct io_tlb_slot *slots, *before, *fresh;
static struct io_tlb_area areas[MOST_AREAS], fresh_areas[MOST_AREAS];
static typeof(BP_POOL) fresh_pool;
static typeof(bp_mem) fresh_mem;
static unsigned long endless_calls, long_calls;

static void note(enum property property, int weight, const char *text, long more)
{
	struct finding *found = &findings[property][weight];

	if (!found->count++)
		*found = (struct finding){ 1, place, asked, text, more };
}

static void shown(enum property property, const char *text, long more)
{
	note(property, SHOWN, text, more);
}

/* Calls that may not come back. */

static volatile unsigned long ticked_serial, ticks;
static uintptr_t stack_top;
#define SAMPLES 16384
static uint64_t samples[SAMPLES];

static uint64_t mixed(uint64_t sum, const void *from, unsigned long bytes)
{
	const uint64_t *word = from;

	for (unsigned long i = 0; i < bytes / 8; i++)
		sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15UL + (sum >> 29);
	return sum;
}

static uint64_t state_of(const ucontext_t *context)
{
	uint64_t sum = 1;
	uintptr_t stack;
#if defined(__x86_64__)
	sum = mixed(sum, context->uc_mcontext.gregs, 18 * 8);
	stack = context->uc_mcontext.gregs[REG_RSP] - 128;
#else
	sum = mixed(sum, context->uc_mcontext.regs, 31 * 8);
	sum = mixed(sum, &context->uc_mcontext.pc, 16);
	stack = context->uc_mcontext.sp;
#endif
	if (stack < stack_top)
		sum = mixed(sum, (void *)(stack & ~7UL), stack_top - stack);
	sum = mixed(sum, areas, sizeof(areas[0]) * place.nareas);
	sum = mixed(sum, &BP_POOL, sizeof(BP_POOL));
	return mixed(sum, slots, place.nslabs * sizeof(*slots)) | 1;
}

/* The same registers, stack and pool twice in one call: it has no end. */
static void tick(int number, siginfo_t *info, void *context)
{
	if (!bp_inside || bp_serial != ticked_serial) {
		if (ticks > 4)
			memset(samples, 0, sizeof(samples));
		ticked_serial = bp_serial;
		ticks = 0;
		return;
	}
	if (++ticks < 4)
		return;
	if (ticks == 4)
		memset(samples, 0, sizeof(samples));
	uint64_t sum = state_of(context);
	unsigned long at = sum % SAMPLES;

	for (int probe = 0; probe < 64 && samples[at]; probe++) {
		if (samples[at] == sum)
			bp_leave(BP_ENDLESS);
		at = (at + 1) % SAMPLES;
	}
	samples[at] = sum;
	if (ticks > 6000)
		bp_leave(BP_LONG);
}

static void fault(int number)
{
	if (!bp_inside)
		_Exit(7);
	bp_leave(BP_FAULT);
}

static void watch(void)
{
	static char other_stack[1 << 16];
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction ticking = { .sa_sigaction = tick };
	struct sigaction failing = { .sa_handler = fault };
	struct itimerval often = { { 0, 250 }, { 0, 250 } };

	sigaltstack(&stack, NULL);
	ticking.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART;
	failing.sa_flags = SA_NODEFER | SA_ONSTACK;
	sigaction(SIGALRM, &ticking, NULL);
	sigaction(SIGSEGV, &failing, NULL);
	sigaction(SIGBUS, &failing, NULL);
	sigaction(SIGFPE, &failing, NULL);
	sigaction(SIGILL, &failing, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

enum which { MAP, UNMAP, TO_DEVICE_SYNC, TO_CPU_SYNC };

static __attribute__((noinline)) enum bp_stop call(enum which which, uint64_t at,
	uint64_t size, int dir, uint64_t *result)
{
	uint64_t given = 0;
	int why;

	stack_top = (uintptr_t)__builtin_frame_address(0);
	bp_nevents = 0;
	why = sigsetjmp(bp_back, 0);
	if (why)
		return why;
	bp_serial++;
	bp_inside = 1;
	switch (which) {
	case MAP: given = bp_tree_map(at, size, dir); break;
	case UNMAP: bp_tree_unmap(at, size, dir); break;
	case TO_DEVICE_SYNC: bp_tree_sync_device(at, size, dir); break;
	case TO_CPU_SYNC: bp_tree_sync_cpu(at, size, dir); break;
	}
	bp_inside = 0;
	*result = given;
	return BP_RAN;
}

static void count_endless(enum bp_stop why, int searching)
{
	if (why == BP_ENDLESS) {
		endless_calls++;
		note(HALTS, searching ? SHOWN : DEBATABLE,
		     "comes back to the same state", 0);
	} else if (why == BP_LONG) {
		long_calls++;
		note(HALTS, DEBATABLE, "goes on for more than a second", 0);
	}
}

/* The pool. */

static void reserve(void)
{
	unsigned long room = MOST_SLOTS * sizeof(*slots) + (1UL << 20);
	int any = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	slot_memory = mmap(NULL, 3 * room, PROT_NONE, any, -1, 0);
	slot_memory += room;
	mprotect(slot_memory, room, PROT_READ | PROT_WRITE);
	memset(slot_memory, 0xa5, room);
	slot_memory += room;
	before = calloc(MOST_SLOTS, sizeof(*before));
	fresh = calloc(MOST_SLOTS, sizeof(*fresh));
}

static void all_before(void)
{
	memcpy(before, slots, place.nslabs * sizeof(*slots));
}

static enum bp_stop tree_init(void)
{
	int why = sigsetjmp(bp_back, 0);

	if (why)
		return why;
	bp_serial++;
	bp_inside = 1;
	bp_tree_init(place.start, place.nslabs, place.nareas);
	bp_inside = 0;
	return BP_RAN;
}

/* A pool as the tree's own initialisation leaves it; whether it comes to its end. */
static int new_pool(uint64_t start, unsigned long nslabs, int nareas)
{
	unsigned long bytes = nslabs * sizeof(*slots);

	place = (struct place){ start, nslabs, nareas };
	slots = (struct io_tlb_slot *)(slot_memory - bytes);
	memset(slots, 0, bytes);
	memset(areas, 0, sizeof(areas));
	memset(&BP_POOL, 0, sizeof(BP_POOL));
	BP_POOL.slots = slots;
	BP_POOL.areas = areas;
	if (tree_init() != BP_RAN)
		return 0;
	memcpy(fresh, slots, bytes);
	memcpy(fresh_areas, areas, sizeof(areas));
	fresh_pool = BP_POOL;
	fresh_mem = bp_mem;
	all_before();
	return 1;
}

static unsigned long area_slots(void)
{
	return place.nslabs / place.nareas;
}

static void set_index(unsigned int index)
{
	asked.index = index;
	for (int i = 0; i < place.nareas; i++)
		areas[i].index = index;
}

static void small_reset(void)
{
	memcpy(areas, fresh_areas, place.nareas * sizeof(*areas));
	BP_POOL = fresh_pool;
	bp_mem = fresh_mem;
}

static void reset(void)
{
	memcpy(slots, fresh, place.nslabs * sizeof(*slots));
	small_reset();
	all_before();
}

static long total_used(void)
{
	long used = 0;

	for (int i = 0; i < place.nareas; i++)
		used += (long)(unsigned int)areas[i].used;
	return used;
}

/* list[] of slots [lo, hi) as the free slots among them make it; lo begins a set. */
static int lists_right(unsigned long lo, unsigned long hi)
{
	unsigned int run = 0;

	for (unsigned long i = hi; i-- > lo;) {
		if ((i + 1) % BP_SEGSIZE == 0)
			run = 0;
		run = slots[i].list ? run + 1 : 0;
		if (slots[i].list != run)
			return 0;
	}
	return 1;
}

struct span { unsigned long lo, hi; };

/* Whole slot sets around the slots that a call may have to do with. */
static struct span around(int64_t first, unsigned long many)
{
	struct span span = { 0, place.nslabs };
	unsigned long set = BP_SEGSIZE;

	if (place.nslabs <= 512 || first < 0)
		return span;
	span.lo = (unsigned long)first / set * set;
	span.lo = span.lo > set ? span.lo - set : 0;
	span.hi = ((unsigned long)first + many + 2 * set) / set * set;
	if (span.hi > place.nslabs)
		span.hi = place.nslabs;
	if (span.lo > span.hi)
		span.lo = 0;
	return span;
}

static void keep(struct span span)
{
	memcpy(before + span.lo, slots + span.lo, (span.hi - span.lo) * sizeof(*slots));
}

static int inside(uint64_t at, uint64_t end, uint64_t first, uint64_t last)
{
	return at >= end || (first <= at && end <= last);
}

static uint64_t address(unsigned long slot)
{
	return place.start + slot * SLOT_BYTES;
}

static int in_slots(const struct mapping *map, uint64_t at, uint64_t end)
{
	return inside(at, end, address(map->first), address(map->end));
}

/* What a mapping shows. */

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

static void judge_taken(struct mapping *map, struct span span)
{
	unsigned long taken = 0, lo = span.hi, hi = span.lo;
	unsigned long need = (bp_noted.alloc_size + SLOT_BYTES - 1) / SLOT_BYTES;

	for (unsigned long i = span.lo; i < span.hi; i++) {
		if (before[i].list && !slots[i].list) {
			taken++;
			lo = i < lo ? i : lo;
			hi = i + 1;
		}
		if (!before[i].list && slots[i].list)
			shown(EXCLUSIVE, "a slot in use becomes free", (long)i);
		else if (!before[i].list && (before[i].orig_addr != slots[i].orig_addr ||
			 before[i].alloc_size != slots[i].alloc_size))
			shown(EXCLUSIVE, "writes to a slot in use", (long)i);
	}
	map->first = taken ? lo : 0;
	map->end = taken ? hi : 0;
	if (taken && hi - lo != taken)
		shown(EXCLUSIVE, "takes slots with others between", (long)taken);
	if (bp_noted.slot != (int64_t)map->first || taken != need)
		note(EXCLUSIVE, DEBATABLE, "takes other slots than it asked for",
		     (long)taken);
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
	if (!ok)
		return 0;
	map->live = 1;
	map->bounced = bp_noted.bounced || (bp_cell.path == 2 && bp_noted.searched);
	locate(map);
	if (!map->bounced) {
		if (request_bounces())
			note(OWNED, DEBATABLE, "is not bounced", 0);
		return 1;
	}
	span = around(bp_noted.slot, bp_noted.alloc_size / SLOT_BYTES);
	judge_taken(map, span);
	judge_placed(map);
	if (bp_cell.path != 2) {
		judge_copies(map, 0);
		judge_contents(map);
	}
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
		} else if (!before[i].list && (before[i].orig_addr != slots[i].orig_addr ||
			   before[i].alloc_size != slots[i].alloc_size)) {
			shown(RETURNED, "writes to another mapping's slot", (long)i);
		} else if (before[i].list && !slots[i].list) {
			wrong++;
		}
	}
	if (wrong)
		shown(RETURNED, "frees other slots", (long)freed);
	else if (!lists_right(span.lo, span.hi))
		note(RETURNED, healthy ? SHOWN : DEBATABLE, "list[] is wrong", 0);
	if (total_used() != used - (long)(map->end - map->first))
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
	keep(span);
}
