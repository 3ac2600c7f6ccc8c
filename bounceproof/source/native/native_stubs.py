# SPDX-License-Identifier: GPL-2.0-only
"""C of our own that stands around the tree's functions when they are compiled."""

from __future__ import annotations

HEADER = r"""
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int held; } spinlock_t;
static int bp_bounced, bp_slot = -1, bp_bug;
static unsigned long bp_need, bp_tlb;
static long long bp_printed = -1;
#define bp_pick(a, op, b) ({ __auto_type bp_a = (a); __auto_type bp_b = (b); \
	bp_a op bp_b ? bp_a : bp_b; })
#define min(a, b) bp_pick(a, <, b)
#define max(a, b) bp_pick(a, >, b)
#define umin(a, b) min((unsigned long)((a) + 0U), (unsigned long)((b) + 0U))
#define umax(a, b) max((unsigned long)((a) + 0U), (unsigned long)((b) + 0U))
#define min_not_zero(a, b) ({ __auto_type bp_x = (a); __auto_type bp_y = (b); \
	bp_x == 0 ? bp_y : bp_y == 0 ? bp_x : min(bp_x, bp_y); })
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define ALIGN(x, a) (((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a) ALIGN((x) - ((a) - 1), (a))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define round_up(x, y) ((((x) - 1) | ((typeof(x))((y) - 1))) + 1)
#define round_down(x, y) ((x) & ~((typeof(x))((y) - 1)))
#define roundup(x, y) ((((x) + ((y) - 1)) / (y)) * (y))
#define rounddown(x, y) ((x) - ((x) % (y)))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
static inline int fls64(uint64_t x) { return x ? 64 - __builtin_clzl(x) : 0; }
#define fls(x) fls64((uint32_t)(x))
#define __ffs(x) ((unsigned long)__builtin_ctzl(x))
#define __fls(x) ((unsigned long)(fls64(x) - 1))
#define ilog2(x) (fls64(x) - 1)
#define is_power_of_2(x) ({ unsigned long bp_n = (x); bp_n && !(bp_n & (bp_n - 1)); })
#define get_order(x) fls64(((uint64_t)(x) - 1) >> BP_PAGE_SHIFT)
#define BUG_ON(c) do { if (c) { bp_bug = 1; printf("bug\n"); exit(9); } } while (0)
#define BUG() BUG_ON(1)
#define panic(...) BUG_ON(1)
#define BUILD_BUG_ON(c) ((void)0)
#define WARN_ON(c) (!!(c))
#define WARN_ON_ONCE(c) (!!(c))
#define WARN(c, ...) (!!(c))
#define WARN_ONCE(c, ...) (!!(c))
#define dev_WARN_ONCE(d, c, ...) (!!(c))
static void bp_log(const void *first, ...)
{
	va_list rest;
	const char *text = NULL;

	va_start(rest, first);
	text = va_arg(rest, const char *);
	if (text && strstr(text, "swiotlb buffer is full"))
		bp_printed = va_arg(rest, size_t);
	va_end(rest);
}
static unsigned long bp_trap(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(8);
}
#define bp_page(pfn) ((struct page *)((uint64_t)(pfn) << BP_PAGE_SHIFT))
#define bp_number(x) ((uint64_t)(uintptr_t)(x))
"""

TREATMENTS = {
    "nothing": "((void)0)",
    "zero": "0",
    "one": "1",
    "null": "NULL",
    "first": "(bp_1)",
    "second": "(bp_2)",
    "copy": "((void)0)",
    "fill": "((void)0)",
    "address": "((void *)(uintptr_t)(bp_1))",
    "number": "bp_number(bp_1)",
    "page": "bp_page(bp_1)",
    "pfn": "(bp_number(bp_1) >> BP_PAGE_SHIFT)",
    "fresh": "calloc(1, bp_1)",
    "mapped": "0",
    "iova": "((unsigned long)1 << 24)",
    "given:domain": "(&bp_domain)",
    "given:pci": "(&bp_pci)",
}


def stub(name: str, treatment: str) -> str:
    """A macro that treats a call of ``name`` as the assumptions state."""
    if treatment == "log":
        if name.startswith("pr"):
            return f"#define {name}(...) bp_log(NULL, __VA_ARGS__)"
        return f"#define {name}(d, ...) bp_log(d, __VA_ARGS__)"
    body = TREATMENTS[treatment]
    if "bp_2" in body:
        return f"#define {name}(bp_1, bp_2, ...) {body}"
    if "bp_1" in body:
        return f"#define {name}(bp_1, ...) {body}"
    return f"#define {name}(...) {body}"
