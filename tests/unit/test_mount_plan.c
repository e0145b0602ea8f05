/* The root file system's part of a plan: order, pointers, words for a reader; and what is refused
 * before anything is done. No step is run. */
#include "namespaces/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OPTS(...)                                                           \
	{                                                                   \
		.items = (const char *[]){__VA_ARGS__},                     \
		.n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
	}

static void set_mounts(struct spec *s, struct spec_mount *m, size_t n)
{
	s->mounts.items = m;
	s->mounts.n = n;
}

static void test_mount_steps(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct spec s = {0};
	struct err e = {0};
	struct spec_mount m[] = {
		{.destination = "/proc",
		 .type = "proc",
		 .source = "proc",
		 .options = OPTS("nosuid", "noexec", "nodev")},
		{.destination = "//data/./x/../y/",
		 .source = "/srv",
		 .options = OPTS("rbind", "ro")},
		{.destination = "/dev/shm", .options = OPTS("remount", "ro")},
		{.destination = "/tmp", .type = "tmpfs"},
	};
	static const struct {
		const char *what, *pointer, *detail;
	} want[] = {{"mount", "/mounts/0", "proc on /proc (nosuid,noexec,nodev)"},
		    {"bind", "/mounts/1", "/srv on /data/y (rbind,ro)"},
		    {"remount", "/mounts/2", "/dev/shm (remount,ro)"},
		    {"mount", "/mounts/3", "tmpfs on /tmp"}};

	(void)state;
	set_mounts(&s, m, 4);
	assert_int_equal(ns_accept_mounts(&s, &e), 0);
	assert_int_equal(ns_plan_mounts(&p, &s, "/bundle", &e), 0);
	assert_int_equal(p.n, 4);
	for (size_t i = 0; i < p.n; i++) {
		assert_string_equal(p.steps[i].what, want[i].what);
		assert_string_equal(p.steps[i].pointer, want[i].pointer);
		assert_string_equal(p.steps[i].detail, want[i].detail);
		assert_int_equal(p.steps[i].stage, PLAN_BUILD);
		assert_int_equal(p.steps[i].room, PLAN_NS);
		assert_non_null(p.steps[i].run);
		assert_null(p.steps[i].undo);
	}
}

static void test_refused_mounts(void **state)
{
	static struct spec_id_map ids[] = {{0, 1000, 10}};
	const struct {
		struct spec_mount m;
		int code;
		const char *text;
	} cases[] = {
		{{.destination = "/", .type = "tmpfs"}, EINVAL, "root"},
		{{.destination = "/a/..", .type = "tmpfs"}, EINVAL, "root"},
		{{.destination = "/../..//", .type = "tmpfs"}, EINVAL, "root"},
		{{.destination = "/proc", .type = "tmpfs"}, EPERM, "only a procfs"},
		{{.destination = "/proc/", .type = "sysfs"}, EPERM, "only a procfs"},
		{{.destination = "/x/../proc/./", .type = "tmpfs"}, EPERM, "only a procfs"},
		{{.destination = "/proc/self/attr", .type = "tmpfs"}, EPERM, "can't be covered"},
		{{.destination = "/proc/sys", .source = "/x", .options = OPTS("bind")},
		 EPERM,
		 "can't be covered"},
		{{.destination = "/proc/cpuinfo/../sys", .source = "/x", .options = OPTS("bind")},
		 EPERM,
		 "/proc/sys"},
		{{.destination = "/a", .options = OPTS("bind")}, EINVAL, "source"},
		{{.destination = "/a", .source = "/b"}, EINVAL, "type"},
		{{.destination = "/a", .source = "/b", .options = OPTS("bind", "tmpcopyup")},
		 EINVAL,
		 "tmpcopyup"},
		{{.destination = "/a", .source = "/b", .options = OPTS("bind", "idmap")},
		 EINVAL,
		 "uidMappings"},
		{{.destination = "/a",
		  .type = "tmpfs",
		  .uid_mappings = {ids, 1},
		  .gid_mappings = {ids, 1}},
		 ENOTSUP,
		 "only bind"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spec_mount m[] = {{.destination = "/ok", .type = "tmpfs"}, cases[i].m};
		struct spec s = {0};
		struct err e = {0};
		set_mounts(&s, m, 2);
		int rc = ns_accept_mounts(&s, &e);
		if (rc != -cases[i].code || !strstr(e.text, cases[i].text))
			fail_msg("%zu: %d \"%s\"", i, rc, e.text);
		assert_string_equal(e.where, "/mounts/1");
	}
}

static void test_accepted_mounts(void **state)
{
	static struct spec_id_map ids[] = {{0, 1000, 10}};
	struct spec_mount m[] = {
		{.destination = "/proc/cpuinfo", .source = "/x", .options = OPTS("bind")},
		{.destination = "/proc//net/./dev", .source = "/x", .options = OPTS("bind")},
		{.destination = "/proc", .source = "/proc", .options = OPTS("rbind")},
		{.destination = "/process", .type = "tmpfs"},
		{.destination = "/a",
		 .source = "/b",
		 .options = OPTS("bind"),
		 .uid_mappings = {ids, 1},
		 .gid_mappings = {ids, 1}},
		{.destination = "/proc/sys", .options = OPTS("remount", "bind", "ro")},
	};
	struct spec s = {0};
	struct err e = {0};

	(void)state;
	set_mounts(&s, m, sizeof(m) / sizeof(m[0]));
	if (ns_accept_mounts(&s, &e) != 0)
		fail_msg("%s: %s", e.where, e.text);
	set_mounts(&s, NULL, 0);
	assert_int_equal(ns_accept_mounts(&s, &e), 0);
}

static void test_devices(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct err e = {0};
	struct spec s = {0};
	struct spec_device d[] = {
		{.type = 'c', .path = "/dev/fuse", .major = {true, 10}, .minor = {true, 229}}};
	struct spec_mount bound[] = {
		{.destination = "/dev", .source = "/dev", .options = OPTS("rbind")}};
	struct spec_mount fresh[] = {{.destination = "/dev", .type = "tmpfs"}};

	(void)state;
	s.linux_.devices.items = d;
	s.linux_.devices.n = 1;
	set_mounts(&s, fresh, 1);
	assert_false(ns_dev_is_bound(&s));
	assert_int_equal(ns_plan_devices(&p, &s, &e), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.steps[0].pointer, "");
	assert_string_equal(p.steps[1].pointer, "/linux/devices/0");
	assert_string_equal(p.steps[1].detail, "/dev/fuse (c 10:229)");
	/* A bound /dev is the engine's: nothing is made in it. */
	set_mounts(&s, bound, 1);
	assert_true(ns_dev_is_bound(&s));
	p.n = 0;
	assert_int_equal(ns_plan_devices(&p, &s, &e), 0);
	assert_int_equal(p.n, 0);
}

static void test_root_steps(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct err e = {0};
	const char *masked[] = {"/proc/kcore", "/sys/firmware"}, *ro[] = {"/proc/sys"};
	struct spec_pair sysctl[] = {{"net/ipv4/conf/eth0.1/forwarding", "1"}};
	struct spec s = {.hostname = "h", .domainname = "", .root_readonly = true};
	static const char *const want[] = {"/hostname",
					   "/linux/sysctl/net~1ipv4~1conf~1eth0.1~1forwarding",
					   "/linux/readonlyPaths/0",
					   "/linux/maskedPaths/0",
					   "/linux/maskedPaths/1",
					   "/root/readonly"};

	(void)state;
	s.linux_.masked_paths = (struct spec_strings){masked, 2};
	s.linux_.readonly_paths = (struct spec_strings){ro, 1};
	s.linux_.sysctl.items = sysctl;
	s.linux_.sysctl.n = 1;
	assert_int_equal(ns_plan_kernel(&p, &s, &e), 0);
	assert_int_equal(ns_plan_masks(&p, &s, &e), 0);
	assert_int_equal(ns_plan_root_end(&p, &s, &e), 0);
	assert_int_equal(p.n, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < p.n; i++) {
		assert_string_equal(p.steps[i].pointer, want[i]);
		assert_int_equal(p.steps[i].stage, PLAN_ROOT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_steps),     cmocka_unit_test(test_refused_mounts),
		cmocka_unit_test(test_accepted_mounts), cmocka_unit_test(test_devices),
		cmocka_unit_test(test_root_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
