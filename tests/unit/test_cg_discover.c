/* Layout texts of v1, hybrid, v2 and nested hosts; group paths, good and bad. */
#include "cgroups/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char v1_mounts[] =
	"23 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw shared:10 master:2 - cgroup cgroup rw,memory\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
	"rw,xattr,release_agent=/lib/x,name=systemd\n";
static const char v1_self[] = "3:cpu,cpuacct:/user\n2:memory:/\n1:name=systemd:/user/1\n9:pids:/\n";
static const char v2_line[] = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

static struct cg_layout *parse(struct arena *a, const char *mounts, const char *self)
{
	struct cg_layout *l = NULL;
	struct err e = {0};

	assert_int_equal(cg_parse(a, mounts, self, &l, &e), 0);
	return l;
}

static void v1(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l = parse(&a, v1_mounts, v1_self);

	assert_int_equal(l->mode, CG_V1);
	assert_int_equal(l->n, 3);
	assert_string_equal(cg_find(l, "cpuacct")->mountpoint, "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(cg_find(l, "cpu")->own, "/user");
	assert_string_equal(cg_find(l, "name=systemd")->own, "/user/1");
	assert_null(cg_find(l, "pids")); /* known, not mounted */
	assert_null(cg_find(l, "systemd"));
	assert_null(cg_find(l, "cpua"));
	assert_int_equal(cg_v2_index(l), -1);
}

static void hybrid(void **state)
{
	(void)state;
	auto_arena a = {0};
	char *m = arena_printf(&a, "%s%s", v1_mounts, v2_line);
	char *s = arena_printf(&a, "%s0::/me\n", v1_self);
	struct cg_layout *l = parse(&a, m, s);

	assert_int_equal(l->mode, CG_HYBRID);
	assert_int_equal(cg_v2_index(l), 3);
	assert_string_equal(l->items[3].own, "/me");
	assert_true(l->items[3].v2);
}

static void v2(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l = parse(
		&a, "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
		"0::/user.slice/x\n");

	assert_int_equal(l->mode, CG_V2);
	assert_string_equal(l->items[0].mountpoint, "/sys/fs/cgroup");
}

/* A tmpfs or cgroup2 over /sys/fs/cgroup hides what was mounted below it. */
static void hidden(void **state)
{
	(void)state;
	auto_arena a = {0};
	char *m =
		arena_printf(&a, "%s50 31 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n", v1_mounts);
	struct cg_layout *l = parse(&a, m, "2:memory:/\n0::/\n");

	assert_int_equal(l->mode, CG_V2);
	assert_int_equal(l->n, 1);
}

/* Inside a container without a cgroup namespace the mount shows a part of the hierarchy. */
static void nested(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l =
		parse(&a,
		      "32 31 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
		      "33 31 0:30 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
		      "34 31 0:31 / /sys/fs/cg\\040x ro - cgroup cgroup rw,cpu\n",
		      "3:pids:/docker/abcd/y\n2:memory:/docker/abc/in\n1:cpu:/../..\n");

	assert_string_equal(cg_find(l, "memory")->own, "/in");
	assert_string_equal(cg_find(l, "pids")->own, "/");
	assert_string_equal(cg_find(l, "cpu")->own, "/");
	assert_string_equal(cg_find(l, "cpu")->mountpoint, "/sys/fs/cg x");
}

static void twice_mounted(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l = parse(&a,
				    "1 0 0:1 / /a rw - cgroup cgroup rw,memory\n"
				    "2 0 0:1 / /b rw - cgroup cgroup rw,memory\n",
				    "2:memory:/\n");

	assert_int_equal(l->n, 1);
	assert_string_equal(l->items[0].mountpoint, "/a");
}

static void nothing(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l = parse(&a, "", "");

	assert_int_equal(l->mode, CG_NONE);
	assert_int_equal(l->n, 0);
	assert_string_equal(cg_mode_word(l->mode), "none");
}

static void broken(void **state)
{
	(void)state;
	static const char *const mounts[] = {"1 2 3\n", "1 2 3 4 5 6 7\n",
					     "1 2 0:1 / /a rw - cgroup\n", "- - -\n"};
	static const char *const selves[] = {"nonsense\n", "1:cpu\n", "1:cpu:relative\n"};
	struct err e = {0};
	struct cg_layout *l = NULL;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		auto_arena a = {0};
		assert_true(cg_parse(&a, mounts[i], "1:cpu:/\n", &l, &e) < 0);
	}
	for (size_t i = 0; i < sizeof(selves) / sizeof(selves[0]); i++) {
		auto_arena a = {0};
		assert_true(cg_parse(&a, v1_mounts, selves[i], &l, &e) < 0);
	}
	assert_null(l);
}

static void lists(void **state)
{
	(void)state;
	assert_true(cg_list_has(",cpu,cpuacct,", "cpu"));
	assert_true(cg_list_has("cpuacct,cpu", "cpu"));
	assert_false(cg_list_has(",cpuset,cpuacct,", "cpu"));
	assert_false(cg_list_has(",cpu,", ""));
	assert_false(cg_list_has("", "cpu"));
}

static void paths(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_layout *l = parse(&a, v1_mounts, v1_self);
	const char *p = NULL;
	struct err e = {0};

	assert_int_equal(cg_path_record(&a, l, "/a/b", &p, &e), 0);
	assert_string_equal(p, "/a/b");
	assert_int_equal(cg_path_record(&a, l, "//a/b/", &p, &e), 0);
	assert_string_equal(p, "/a/b");
	assert_int_equal(cg_path_record(&a, l, "a", &p, &e), 0);
	assert_string_equal(p, "/user/a;memory=/a;name=systemd=/user/1/a");
	assert_string_equal(cg_path_in(&a, cg_find(l, "cpu"), p), "/user/a");
	assert_string_equal(cg_path_in(&a, cg_find(l, "memory"), p), "/a");
	assert_string_equal(cg_path_in(&a, cg_find(l, "name=systemd"), p), "/user/1/a");
}

static void bad_paths(void **state)
{
	(void)state;
	static const char *const bad[] = {"",      "/",      "//",     "/a/../b", "..",  "/..",
					  "/a//b", "/a/./b", "/a;b=/", "/a\nb",   "./a", "/a/.."};
	auto_arena a = {0};
	struct cg_layout *l = parse(&a, v1_mounts, v1_self);
	const char *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};
		assert_int_equal(cg_path_record(&a, l, bad[i], &p, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_SPEC);
		assert_string_equal(e.where, "/linux/cgroupsPath");
	}
	assert_null(p);
}

static void common(void **state)
{
	(void)state;
	assert_int_equal(cg_common_length("/a/b", "/a/c/d"), 2);
	assert_int_equal(cg_common_length("/a/b", "/a/b/c"), 4);
	assert_int_equal(cg_common_length("/a/bc", "/a/b"), 2);
	assert_int_equal(cg_common_length("/", "/a"), 0);
	assert_int_equal(cg_common_length("/a", "/a"), 2);
}

/* Hierarchies in which the container has no group. */
static void void_places(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct err e = {0};
	struct cg_hierarchy h[] = {
		{.mountpoint = "/nowhere/cpu", .controllers = ",cpu,", .own = "/u"},
		{.mountpoint = "/nowhere/v2", .controllers = "", .own = "/", .v2 = true}};
	struct cg_layout l = {.mode = CG_HYBRID, .items = h, .n = 2};
	const char *path = NULL;

	assert_int_equal(cg_delegated_path(&a, &l, "x", NULL, &path, &e), 0);
	assert_string_equal(path, "");
	assert_string_equal(cg_path_in(&a, &h[0], path), "");
	assert_string_equal(cg_path_in(&a, &h[0], "/a;unified="), "/a");
	assert_string_equal(cg_path_in(&a, &h[1], "/a;unified="), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v1),          cmocka_unit_test(hybrid),
		cmocka_unit_test(v2),          cmocka_unit_test(hidden),
		cmocka_unit_test(nested),      cmocka_unit_test(twice_mounted),
		cmocka_unit_test(nothing),     cmocka_unit_test(broken),
		cmocka_unit_test(lists),       cmocka_unit_test(paths),
		cmocka_unit_test(bad_paths),   cmocka_unit_test(common),
		cmocka_unit_test(void_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
