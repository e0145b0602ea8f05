/* tests/unit/test_maps_text.c: the text of uid_map and gid_map. */
#include "namespaces/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void has(void **state)
{
	(void)state;
	struct spec_id_map items[] = {{0, 1000, 1}, {1, 100000, 65535}, {4294967294u, 7, 1}};
	struct spec_id_maps maps = {items, 3}, none = {0};

	assert_true(ns_maps_have(&maps, 0));
	assert_true(ns_maps_have(&maps, 65535));
	assert_false(ns_maps_have(&maps, 65536));
	assert_true(ns_maps_have(&maps, 4294967294u));
	assert_false(ns_maps_have(&maps, 4294967295u));
	assert_false(ns_maps_have(&none, 0));
}

static void file(const char *dir, const char *name, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	close(fd);
}

static void finds_helper(void **state)
{
	(void)state;
	char dir[] = "/tmp/rf-maps.XXXXXX", path[512], found[512], want[1024];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, "bin");
	assert_int_equal(mkdir(path, 0755), 0);
	file(path, "newuidmap", 0755);
	file(dir, "newgidmap", 0644);
	snprintf(want, sizeof(want), "%s/newuidmap", path);
	/* Relative and empty entries are no place for it. */
	assert_int_equal(chdir(path), 0);
	assert_false(ns_maps_find_helper("", "newuidmap", found, sizeof(found)));
	assert_false(ns_maps_find_helper(".::bin:", "newuidmap", found, sizeof(found)));
	snprintf(path, sizeof(path), ".:/nowhere:%s:%s/bin", dir, dir);
	assert_true(ns_maps_find_helper(path, "newuidmap", found, sizeof(found)));
	assert_string_equal(found, want);
	/* Neither a file that can't be executed nor a directory. */
	assert_false(ns_maps_find_helper(path, "newgidmap", found, sizeof(found)));
	assert_false(ns_maps_find_helper(path, "bin", found, sizeof(found)));
	assert_int_equal(chdir("/"), 0);
	unlink(want);
	snprintf(path, sizeof(path), "%s/newgidmap", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/bin", dir);
	rmdir(path);
	rmdir(dir);
}

static void one_line(void **state)
{
	(void)state;
	char text[] = "newuidmap: no\nand\tmore\033[1m\n\n", empty[] = "\n";

	ns_maps_one_line(text);
	assert_string_equal(text, "newuidmap: no;and more [1m");
	ns_maps_one_line(empty);
	assert_string_equal(empty, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(many),
		cmocka_unit_test(no_new_user_namespace),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(has),
		cmocka_unit_test(finds_helper),
		cmocka_unit_test(one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
