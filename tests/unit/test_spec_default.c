/* The default document: its bytes, and that it passes our own parser and check. */
#include "common/file.h"
#include "spec/spec.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void compare(const char *path, bool rootless)
{
	auto_strbuf b = {0};
	auto_str want = NULL;
	size_t len = 0;
	struct err e = {0};

	assert_int_equal(spec_write_default(&b, rootless, 0, 0), 0);
	if (file_read_at(AT_FDCWD, path, 1 << 20, &want, &len, &e) < 0)
		skip(); /* not run from the root of the tree */
	assert_string_equal(b.s, want);
}

static void test_bytes(void **state)
{
	(void)state;
	compare("tests/data/spec/default.json", false);
	compare("tests/data/spec/default-rootless.json", true);
}

static void test_valid(void **state)
{
	(void)state;
	for (int rootless = 0; rootless < 2; rootless++) {
		auto_arena a = {0};
		auto_strbuf b = {0};
		struct spec *s = NULL;
		struct err e = {0};

		assert_int_equal(spec_write_default(&b, rootless, 1000, 1001), 0);
		assert_int_equal(spec_parse(&a, b.s, b.len, "c", &s, &e), 0);
		if (spec_check(s, &e) < 0)
			fail_msg("%s: %s", e.where, e.text);
		assert_int_equal(s->unknown.n, 0);
		assert_string_equal(s->oci_version, SPEC_VERSION);
		assert_int_equal(s->linux_.uid_mappings.n, rootless);
		if (rootless) {
			assert_int_equal(s->linux_.uid_mappings.items[0].host_id, 1000);
			assert_int_equal(s->linux_.gid_mappings.items[0].host_id, 1001);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),
					   cmocka_unit_test(test_valid)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
