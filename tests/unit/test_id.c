/* tests/unit/test_id.c: which container ids are taken. */
#include "runtime/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void good_ids(void **state)
{
	static const char *const ids[] = {"a",   "A9",   "_x",        "+x", "-x",
					  "a.b", "a..b", "x-y_z+1.2", "0"};
	char longest[256];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_int_equal(rt_check_id(ids[i], &e), 0);
	memset(longest, 'a', 255);
	longest[255] = '\0';
	assert_int_equal(rt_check_id(longest, &e), 0);
}

static void bad_ids(void **state)
{
	static const char *const ids[] = {"",         ".",     "..",    ".a",   "../x", "a/b",
					  "/a",       "a b",   "a\n",   "\na",  "a\tb", "a:b",
					  "\xc3\xa4", "a\x01", "a\x7f", "a%sb", "~root"};
	char too_long[257];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct err e = {0};
		assert_true(rt_check_id(ids[i], &e) < 0);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_null(strchr(e.text, '\n'));
	}
	struct err e = {0};
	assert_true(rt_check_id(NULL, &e) < 0);
	memset(too_long, 'a', 256);
	too_long[256] = '\0';
	assert_true(rt_check_id(too_long, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good_ids), cmocka_unit_test(bad_ids)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
