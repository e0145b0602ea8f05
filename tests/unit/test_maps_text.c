/* tests/unit/test_maps_text.c: the text of uid_map and gid_map. */
#include "namespaces/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void lines(void **state)
{
	(void)state;
	struct spec_id_map items[] = {{0, 100000, 65536}, {65536, 4294967294u, 1}};
	struct spec_id_maps maps = {items, 2};
	auto_strbuf b = {0};

	ns_maps_text(&b, &maps);
	assert_false(b.failed);
	assert_string_equal(b.s, "0 100000 65536\n65536 4294967294 1\n");
}

/* The kernel takes 340 lines (user_namespaces(7)) in one write. */
static void many(void **state)
{
	(void)state;
	struct spec_id_map items[340];
	struct spec_id_maps maps = {items, 340};
	auto_strbuf b = {0};
	size_t n = 0;

	for (uint32_t i = 0; i < 340; i++)
		items[i] = (struct spec_id_map){i * 10, 100000 + i * 10, 10};
	ns_maps_text(&b, &maps);
	for (size_t i = 0; i < b.len; i++)
		n += b.s[i] == '\n';
	assert_int_equal(n, 340);
}

static void no_new_user_namespace(void **state)
{
	(void)state;
	struct spec s = {0};
	struct err e = {0};

	/* Nothing is written to anybody: pid -1 would fail. */
	assert_int_equal(ns_write_maps(&s, -1, &e), 0);
	struct spec_namespace joined = {SPEC_NS_USER, "/proc/1/ns/user"};
	s.linux_.namespaces.items = &joined;
	s.linux_.namespaces.n = 1;
	assert_int_equal(ns_write_maps(&s, -1, &e), 0);
}

static void nobody_there(void **state)
{
	(void)state;
	struct spec_namespace new = {SPEC_NS_USER, NULL};
	struct spec_id_map one = {0, 0, 1};
	struct spec s = {.linux_ = {.namespaces = {&new, 1},
				    .uid_mappings = {&one, 1},
				    .gid_mappings = {&one, 1}}};
	struct err e = {0};

	assert_true(ns_write_maps(&s, 0x7ffffffe, &e) < 0);
	assert_non_null(e.text);
	assert_int_equal(e.code, 2); /* ENOENT */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(many),
		cmocka_unit_test(no_new_user_namespace),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
