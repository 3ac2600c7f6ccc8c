/* SPDX-License-Identifier: GPL-2.0-only */
/* Declarations of the same names and types as the kernel's, to compile against. */
#ifndef STUBS_KUNIT_TEST_H
#define STUBS_KUNIT_TEST_H
#include <linux/device.h>

struct kunit {
	void *priv;
};
struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};
struct kunit_suite {
	const char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};
void *kunit_kzalloc(struct kunit *test, size_t size, unsigned int flags);
void kunit_fails(struct kunit *test, int held);
void kunit_says(struct kunit *test, const char *text);
#define KUNIT_CASE(test_name) { .run_case = test_name, .name = #test_name }
#define KUNIT_ASSERT_NE(test, a, b) kunit_fails(test, (a) != (b))
#define KUNIT_EXPECT_EQ(test, a, b) kunit_fails(test, (a) == (b))
#define kunit_skip(test, text) kunit_says(test, text)
#define kunit_test_suite(suite) struct kunit_suite *suites[] = { &suite }
#endif
