/* SPDX-License-Identifier: GPL-2.0-only */
/* The pool, one call at a time, and calls that may not come back. */
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
	/* The slots around the device's address, and how many were taken in all. */
	unsigned long first, end, taken;
	long used;
	int live, bounced;
};

static struct finding findings[PROPERTIES][WEIGHTS];
static struct place place;
static struct request asked;
static char *slot_memory;
static struct io_tlb_slot *slots, *before, *fresh;
/* Slots of live mappings; one that a release forgot belongs to nobody. */
static unsigned char owned[MOST_SLOTS];
static struct io_tlb_area areas[MOST_AREAS], fresh_areas[MOST_AREAS];
static typeof(BP_POOL) fresh_pool;
static typeof(bp_mem) fresh_mem;
static unsigned long endless_calls, long_calls;
/* A call did not come to its end: what the pool holds now is nobody's. */
static int stopped;

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

/* One tick from now on: none is due before the code in hand went on. */
static void wind(void)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 250 } };

	setitimer(ITIMER_REAL, &soon, NULL);
}

/* Whether a state was seen before, but for a process that waited, the last one. */
static int seen_before(uint64_t sum)
{
	static uint64_t last;
	static int alike;
	unsigned long at = sum % SAMPLES;

	alike = sum == last ? alike + 1 : 0;
	last = sum;
	for (int probe = 0; probe < 64 && samples[at]; probe++) {
		if (samples[at] == sum)
			return !alike || alike > 20;
		at = (at + 1) % SAMPLES;
	}
	samples[at] = sum;
	return 0;
}

/* The same registers, stack and pool twice in one call: it has no end. */
static void watched(void *context)
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
	if (seen_before(state_of(context)))
		bp_leave(BP_ENDLESS);
	if (ticks > 6000)
		bp_leave(BP_LONG);
}

static void tick(int number, siginfo_t *info, void *context)
{
	watched(context);
	wind();
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

	sigaltstack(&stack, NULL);
	ticking.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	failing.sa_flags = SA_NODEFER | SA_ONSTACK;
	sigaction(SIGALRM, &ticking, NULL);
	sigaction(SIGSEGV, &failing, NULL);
	sigaction(SIGBUS, &failing, NULL);
	sigaction(SIGFPE, &failing, NULL);
	sigaction(SIGILL, &failing, NULL);
	wind();
}

/* Ticks are held up in their handler, which was left. */
static void resume(void)
{
	sigset_t ticking;

	sigemptyset(&ticking);
	sigaddset(&ticking, SIGALRM);
	wind();
	sigprocmask(SIG_UNBLOCK, &ticking, NULL);
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
	if (why) {
		stopped = 1;
		resume();
		return why;
	}
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

	if (why) {
		resume();
		return why;
	}
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
	stopped = 0;
	memset(owned, 0, nslabs);
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
	stopped = 0;
	memset(owned, 0, place.nslabs);
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
