/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tree's functions do to the world, written down instead of done. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

enum bp_kind { BP_COPY, BP_FILL, BP_MAPPED };
enum bp_stop { BP_RAN, BP_BUG, BP_FAULT, BP_ENDLESS, BP_LONG };
#define BP_MOST_EVENTS 64

struct bp_event { enum bp_kind kind; uint64_t to, from, size; };
static struct bp_event bp_events[BP_MOST_EVENTS];
static int bp_nevents;

struct bp_cell { int path; uint64_t granule, mask, page; };
static struct bp_cell bp_cell;
static int bp_cell_number;

struct bp_noted {
	int searched, bounced;
	int64_t slot;
	uint64_t alloc_size, search_mask, asked_mask, tlb;
};
static struct bp_noted bp_noted;

static sigjmp_buf bp_back;
static volatile int bp_inside;
static volatile unsigned long bp_serial;
static uint64_t bp_there;

static void bp_leave(enum bp_stop why)
{
	bp_inside = 0;
	siglongjmp(bp_back, why);
}

static int bp_record(enum bp_kind kind, uint64_t to, uint64_t from, uint64_t size)
{
	if (bp_nevents < BP_MOST_EVENTS)
		bp_events[bp_nevents++] = (struct bp_event){ kind, to, from, size };
	return 0;
}

/* The address behind an IOVA of the mapping in hand; bp_there is what it gets. */
static uint64_t bp_iova_base, bp_iova_size;
static uint64_t bp_translate(uint64_t iova)
{
	if (iova - bp_iova_base < bp_iova_size)
		return bp_there + (iova - bp_iova_base);
	return 0;
}

static int bp_searched(uint64_t alloc_size, uint64_t mask, int slot)
{
	if (bp_noted.slot < 0) {
		bp_noted.slot = slot;
		bp_noted.alloc_size = alloc_size;
		bp_noted.search_mask = mask;
	}
	bp_noted.searched = 1;
	return slot;
}

static uint64_t bp_mapped(uint64_t mask, uint64_t tlb)
{
	bp_noted.bounced = 1;
	bp_noted.asked_mask = mask;
	bp_noted.tlb = tlb;
	return tlb;
}
