// SPDX-License-Identifier: GPL-2.0-only
/* The engine's batch for one kernel shape, as plain C: what the compiled engine is
 * measured against.  Rows and results as bounceproof/simulator/batch.py has them. */
#include <stdint.h>
#include <stdlib.h>

enum { SHIFT = 11, LOW = 2047, SEG = 128, ROW = 11, OUT = 8 };

struct slots {
	int32_t *list;
	int64_t *size, *orig, *pad;
};

static int64_t search(const int32_t *list, int64_t count, int64_t start, int64_t n,
		      uint64_t addr, uint64_t zero, uint64_t compare, int64_t stride,
		      uint64_t table, uint64_t boundary)
{
	uint64_t max = (boundary >> SHIFT) + 1, shift = (table + LOW) >> SHIFT;
	int64_t index = start, checked = 0;

	while (checked < count) {
		uint64_t here = table + ((uint64_t)index << SHIFT);

		if ((here & zero) || (addr && (here & compare) != (addr & compare))) {
			index = index + 1 < count ? index + 1 : 0;
			checked++;
			continue;
		}
		if (((shift + index) & (max - 1)) + n <= max && list[index] >= n)
			return index;
		index = index + stride < count ? index + stride : 0;
		checked += stride;
	}
	return -1;
}

static void take(struct slots *s, int64_t first, int64_t n, int64_t total, int64_t off)
{
	int64_t i, run = 0;

	for (i = first; i < first + n; i++) {
		s->list[i] = 0;
		s->size[i] = total - (off + ((i - first) << SHIFT));
	}
	for (i = first - 1; i >= 0 && i % SEG != SEG - 1 && s->list[i]; i--)
		s->list[i] = ++run;
}

static void give_back(struct slots *s, int64_t first, int64_t n)
{
	int64_t i, run = 0;

	if (first + n < ((first + SEG) & ~(int64_t)(SEG - 1)))
		run = s->list[first + n];
	for (i = first + n - 1; i >= first; i--) {
		s->list[i] = ++run;
		s->orig[i] = -1;
		s->size[i] = 0;
		s->pad[i] = 0;
	}
	for (i = first - 1; i >= 0 && i % SEG != SEG - 1 && s->list[i]; i--)
		s->list[i] = ++run;
}

static void one(struct slots *s, const int64_t *r, int64_t *out)
{
	uint64_t page = r[0], granule = r[2], m = r[3], addr = r[9], size = r[10];
	uint64_t given = r[1] == 1 ? granule - 1 : 0, off, total, zero, compare, larger;
	int64_t n, slot;

	if (r[1] == 1 && !((addr | size) & given)) {
		out[0] = 1;
		out[1] = 0;
		return;
	}
	off = addr & m & (given | LOW);
	total = (size + off + given) & ~given;
	zero = given | ((!given && !m && total >= page) ? page - 1 : 0) | LOW;
	compare = m & ~zero;
	larger = zero > compare ? zero : compare;
	n = (total + LOW) >> SHIFT;
	slot = n > r[6] ? -1 : search(s->list, r[6], r[8], n, addr, zero, compare,
				     (larger >> SHIFT) + 1, r[5] & r[4], r[4]);
	out[0] = slot >= 0;
	out[1] = 1;
	out[2] = slot;
	out[3] = n;
	out[4] = slot < 0 ? 0 : r[5] + (slot << SHIFT) + off;
	out[5] = slot < 0 ? (int64_t)total : -1;
	out[6] = out[7] = 0;
	if (slot < 0)
		return;
	take(s, slot, n, total, off & LOW);
	give_back(s, slot, n);
}

void run(const int64_t *rows, int64_t count, int64_t nslabs, int64_t *out)
{
	struct slots s = {
		malloc(nslabs * sizeof(*s.list)), calloc(nslabs, sizeof(*s.size)),
		calloc(nslabs, sizeof(*s.orig)), calloc(nslabs, sizeof(*s.pad)),
	};
	int64_t i;

	for (i = 0; i < nslabs; i++)
		s.list[i] = SEG - i % SEG;
	for (i = 0; i < count; i++)
		one(&s, rows + i * ROW, out + i * OUT);
	free(s.list);
	free(s.size);
	free(s.orig);
	free(s.pad);
}
