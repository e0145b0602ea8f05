/* tests/unit/test_arena.c: memory that lives and dies together. */
#include "common/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void zeroed_and_aligned(void **state)
{
	auto_arena a = {0};

	(void)state;
	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(&a, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
}

/* Blocks small and large, in every order: no two allocations share a byte. */
static void apart(void **state)
{
	static const size_t sizes[] = {1,    100, 40000, 16,    32768, 32767, 8192,
				       8193, 1,   70000, 20000, 3,     32769, 16384};
	enum { N = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 20 };
	unsigned char *p[N * ROUNDS];
	auto_arena a = {0};
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < N * ROUNDS; i++) {
		p[i] = arena_alloc(&a, sizes[i % N]);
		assert_non_null(p[i]);
		memset(p[i], (int)(i % 251) + 1, sizes[i % N]);
		sum += sizes[i % N];
	}
	for (size_t i = 0; i < N * ROUNDS; i++) {
		for (size_t k = 0; k < sizes[i % N]; k++)
			assert_int_equal(p[i][k], i % 251 + 1);
	}
	assert_true(a.total >= sum && a.total < sum + 16 * N * ROUNDS);
}

static void overflow(void **state)
{
	auto_arena a = {0};

	(void)state;
	errno = 0;
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_int_equal(errno, ENOMEM);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 15));
	assert_null(arena_strndup(&a, "x", SIZE_MAX));
	assert_int_equal(a.total, 0);
	assert_non_null(arena_array(&a, 1000, 8));
	assert_non_null(arena_array(&a, 0, 8));
}

static void strings(void **state)
{
	auto_arena a = {0};
	char raw[4] = {'a', 'b', 'c', 'd'}; /* no end of its own */

	(void)state;
	assert_string_equal(arena_strdup(&a, "hello"), "hello");
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_null(arena_strdup(&a, NULL));
	assert_null(arena_strndup(&a, NULL, 3));
	assert_string_equal(arena_strndup(&a, raw, sizeof(raw)), "abcd");
	assert_string_equal(arena_strndup(&a, "abcdef", 0), "");

	/* shorter than n: nothing behind its end is read, all n + 1 bytes are there */
	char *s = arena_strndup(&a, "ab", 200);
	for (size_t i = 2; i <= 200; i++)
		assert_int_equal(s[i], 0);
	assert_string_equal(arena_printf(&a, "%s-%d", "n", 42), "n-42");
	assert_int_equal(strlen(arena_printf(&a, "%0100000d", 1)), 100000);
}

static void freed_twice(void **state)
{
	struct arena a = {0};

	(void)state;
	arena_free(&a);
	assert_non_null(arena_alloc(&a, 10));
	assert_non_null(arena_alloc(&a, 100000));
	arena_free(&a);
	arena_free(&a);
	assert_null(a.blocks);
	assert_int_equal(a.total, 0);
	assert_non_null(arena_alloc(&a, 10));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_and_aligned), cmocka_unit_test(apart),
		cmocka_unit_test(overflow),           cmocka_unit_test(strings),
		cmocka_unit_test(freed_twice),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
