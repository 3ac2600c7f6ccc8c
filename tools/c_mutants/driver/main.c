/* SPDX-License-Identifier: GPL-2.0-only */
/* Read what is asked from the arguments, ask it, print what was found as JSON. */
static void print_findings(void)
{
	for (int p = 0; p < PROPERTIES; p++)
		for (int w = 0; w < WEIGHTS; w++) {
			struct finding *f = &findings[p][w];

			if (!f->count)
				continue;
			printf("{\"property\": \"%s\", \"shown\": %s, \"count\": %lu, ",
			       names[p], w == SHOWN ? "true" : "false", f->count);
			printf("\"text\": \"%s\", \"more\": %ld, ", f->text, f->more);
			printf("\"pool_start\": %lu, \"nslabs\": %lu, \"nareas\": %d, ",
			       f->place.start, f->place.nslabs, f->place.nareas);
			printf("\"start_index\": %u, \"orig_addr\": %lu, ",
			       f->request.index, f->request.phys);
			printf("\"size\": %lu, \"direction\": %d}\n",
			       f->request.size, f->request.dir);
		}
	printf("{\"calls\": %lu, \"endless\": %lu, \"long\": %lu}\n", bp_serial,
	       endless_calls, long_calls);
}

struct told { uint64_t start, nslabs, nareas, index, phys, size, dir, offset, length; };
static struct span busy[1024];
static int nbusy;

/* One request as a report gives it, with the slots in use before. */
static void ask_told(const struct told *told)
{
	struct mapping map;
	enum bp_stop why;

	asked = (struct request){ told->phys, told->size, told->dir, told->index };
	if (!learn(told->start))
		needed = 0;
	if (!new_pool(told->start, told->nslabs, told->nareas))
		return no_pool();
	asked = (struct request){ told->phys, told->size, told->dir, told->index };
	if (nbusy) {
		for (int i = 0; i < nbusy; i++)
			for (uint64_t s = busy[i].lo; s <= busy[i].hi; s++)
				take(s);
		settle();
		ask_occupied();
		return;
	}
	ask_empty(1);
	set_index(told->index);
	if (map_one(&map, &why) && told->length)
		sync_one(&map, told->offset, told->length, told->dir == 1);
}

static void small_draws(void)
{
	draws(0);
}

static void large_draws(void)
{
	draws(1);
}

static void ask_all(void)
{
	static void (*const phases[])(void) = { every_index, every_size, small_draws,
		large_draws, occupied, histories };

	for (unsigned int i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		endless_before = endless_calls;
		phases[i]();
	}
}

static uint64_t argument(const char *text, const char *name, uint64_t otherwise)
{
	unsigned long length = strlen(name);

	if (strncmp(text, name, length))
		return otherwise;
	return strtoull(text + length, NULL, 0);
}

static void read_argument(const char *text, struct told *told)
{
	unsigned long lo, hi;

	limit = argument(text, "limit=", limit);
	size_step = argument(text, "size_step=", size_step);
	addr_step = argument(text, "addr_step=", addr_step);
	dice = argument(text, "seed=", dice);
	effort = argument(text, "effort=", effort);
	if (!strncmp(text, "hint=", 5) && nhints < MOST_HINTS)
		hints[nhints++] = argument(text, "hint=", 0);
	if (sscanf(text, "bits=%lu:%lu", &lo, &hi) == 2 && nbit_hints < MOST_HINTS)
		bit_hints[nbit_hints++] = (struct bits){ lo, hi };
	if (sscanf(text, "busy=%lu:%lu", &lo, &hi) == 2 && nbusy < 1024)
		busy[nbusy++] = (struct span){ lo, hi };
	sscanf(text, "ask=%lu:%lu:%lu:%lu:%lu:%lu:%lu:%lu:%lu", &told->start,
	       &told->nslabs, &told->nareas, &told->index, &told->phys, &told->size,
	       &told->dir, &told->offset, &told->length);
}

int main(int count, char **arguments)
{
	struct told told = { 0 };

	size_step = 512;
	addr_step = 4;
	effort = 1;
	for (int i = 1; i < count; i++) {
		read_argument(arguments[i], &told);
		bp_cell_number = argument(arguments[i], "cell=", bp_cell_number);
	}
	dice = dice * 0x9e3779b97f4a7c15UL + 1;
	bp_settings(bp_cell_number);
	reserve();
	blocked = calloc(MOST_SLOTS, sizeof(*blocked));
	watch();
	if (told.size)
		ask_told(&told);
	else if (limit >= size_step)
		ask_all();
	print_findings();
	return 0;
}
