/* Mount option words: the table against the spec's list, what each word does, what is refused. */
#include "namespaces/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* Parses a comma list as the options of one mount. */
static int parse(struct arena *a, const char *type, const char *list, struct ns_mount_opts *o,
		 struct err *e)
{
	const char *items[64];
	struct spec_mount m = {.destination = "/x", .type = type, .source = "s"};
	char *text = arena_strdup(a, list);

	memset(e, 0, sizeof(*e));
	for (char *w = strtok(text, ","); w; w = strtok(NULL, ","))
		items[m.options.n++] = w;
	m.options.items = items;
	return ns_mount_opts_parse(a, &m, "/mounts/7", o, e);
}

static void test_words_of_the_spec(void **state)
{
	static const char *const words[] = {"async",
					    "atime",
					    "bind",
					    "defaults",
					    "dev",
					    "diratime",
					    "dirsync",
					    "exec",
					    "iversion",
					    "lazytime",
					    "loud",
					    "mand",
					    "noatime",
					    "nodev",
					    "nodiratime",
					    "noexec",
					    "noiversion",
					    "nolazytime",
					    "nomand",
					    "norelatime",
					    "nostrictatime",
					    "nosuid",
					    "nosymfollow",
					    "private",
					    "ratime",
					    "rbind",
					    "rdev",
					    "rdiratime",
					    "relatime",
					    "remount",
					    "rexec",
					    "rnoatime",
					    "rnodev",
					    "rnodiratime",
					    "rnoexec",
					    "rnorelatime",
					    "rnostrictatime",
					    "rnosuid",
					    "rnosymfollow",
					    "ro",
					    "rprivate",
					    "rrelatime",
					    "rro",
					    "rrw",
					    "rshared",
					    "rslave",
					    "rstrictatime",
					    "rsuid",
					    "rsymfollow",
					    "runbindable",
					    "rw",
					    "shared",
					    "silent",
					    "slave",
					    "strictatime",
					    "suid",
					    "symfollow",
					    "sync",
					    "tmpcopyup",
					    "unbindable",
					    "idmap",
					    "ridmap"};
	const char *const *have = ns_mount_options();
	size_t n = 0;

	(void)state;
	for (; have[n]; n++)
		assert_true(n == 0 || strcmp(have[n - 1], have[n]) < 0);
	assert_int_equal(n, sizeof(words) / sizeof(words[0]));
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (have[k] && strcmp(have[k], words[i]) != 0)
			k++;
		if (!have[k])
			fail_msg("no %s", words[i]);
	}
}

static void test_attributes(void **state)
{
	static const struct {
		const char *list;
		uint64_t set, clr, rec_set, rec_clr;
	} cases[] = {
		{"ro", MOUNT_ATTR_RDONLY, 0, 0, 0},
		{"rw", 0, MOUNT_ATTR_RDONLY, 0, 0},
		{"ro,rw", 0, MOUNT_ATTR_RDONLY, 0, 0},
		{"rw,ro", MOUNT_ATTR_RDONLY, 0, 0, 0},
		{"nosuid,nodev,noexec", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0,
		 0, 0},
		{"nosuid,suid", 0, MOUNT_ATTR_NOSUID, 0, 0},
		{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, 0, 0},
		{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME & ~MOUNT_ATTR_NOATIME, 0, 0},
		{"noatime,strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0, 0},
		{"relatime", 0, MOUNT_ATTR__ATIME, 0, 0},
		{"rro", 0, 0, MOUNT_ATTR_RDONLY, 0},
		{"rro,rrw", 0, 0, 0, MOUNT_ATTR_RDONLY},
		{"rro,rw", 0, MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY, 0},
		{"rnosuid,rnodev", 0, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0},
		{"defaults,async,loud,silent,nomand", 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena a = {0};
		struct ns_mount_opts o;
		struct err e;
		assert_int_equal(parse(&a, "tmpfs", cases[i].list, &o, &e), 0);
		if (o.attr_set != cases[i].set || o.rec_set != cases[i].rec_set ||
		    o.rec_clr != cases[i].rec_clr || (cases[i].clr & ~o.attr_clr))
			fail_msg("%s: set %llx clr %llx rec %llx %llx", cases[i].list,
				 (unsigned long long)o.attr_set, (unsigned long long)o.attr_clr,
				 (unsigned long long)o.rec_set, (unsigned long long)o.rec_clr);
		assert_int_equal(o.n_fs, 0);
	}
}

static void test_propagation(void **state)
{
	static const struct {
		const char *word;
		uint64_t flag;
		bool rec;
	} cases[] = {{"private", MS_PRIVATE, false},       {"rprivate", MS_PRIVATE, true},
		     {"shared", MS_SHARED, false},         {"rshared", MS_SHARED, true},
		     {"slave", MS_SLAVE, false},           {"rslave", MS_SLAVE, true},
		     {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena a = {0};
		struct ns_mount_opts o;
		struct err e;
		bool rec = !cases[i].rec;
		assert_int_equal(parse(&a, "tmpfs", cases[i].word, &o, &e), 0);
		assert_int_equal(o.propagation, cases[i].flag);
		assert_int_equal(o.propagation_rec, cases[i].rec);
		assert_int_equal(ns_propagation(cases[i].word, &rec), cases[i].flag);
		assert_int_equal(rec, cases[i].rec);
	}
	bool untouched = true;
	assert_int_equal(ns_propagation("ro", &untouched), 0);
	assert_int_equal(ns_propagation("", &untouched), 0);
	assert_int_equal(ns_propagation(NULL, &untouched), 0);
	assert_true(untouched);
}

static void test_kinds(void **state)
{
	auto_arena a = {0};
	struct ns_mount_opts o;
	struct err e;

	(void)state;
	assert_int_equal(parse(&a, NULL, "bind", &o, &e), 0);
	assert_true(o.bind && !o.rbind);
	assert_int_equal(parse(&a, "none", "rbind,rro", &o, &e), 0);
	assert_true(o.bind && o.rbind);
	assert_int_equal(parse(&a, "bind", "", &o, &e), 0);
	assert_true(o.bind && !o.rbind);
	assert_int_equal(parse(&a, "bind", "ridmap", &o, &e), 0);
	assert_true(o.idmap && o.idmap_rec);
	assert_int_equal(parse(&a, "tmpfs", "remount,ro", &o, &e), 0);
	assert_true(o.remount && !o.bind);
	assert_int_equal(parse(&a, "tmpfs", "tmpcopyup", &o, &e), 0);
	assert_true(o.tmpcopyup);
}

static void test_file_system_words(void **state)
{
	auto_arena a = {0};
	struct ns_mount_opts o;
	struct err e;

	(void)state;
	assert_int_equal(parse(&a, "tmpfs", "size=64k,nosuid,mode=755,sync,RO, ro", &o, &e), 0);
	assert_int_equal(o.n_fs, 5);
	assert_string_equal(o.fs[0], "size=64k");
	assert_string_equal(o.fs[1], "mode=755");
	assert_string_equal(o.fs[2], "sync");
	assert_string_equal(o.fs[3], "RO");
	assert_string_equal(o.fs[4], " ro");
	assert_int_equal(o.attr_set, MOUNT_ATTR_NOSUID);
	/* The later word stands; a bind that takes them back asks for nothing. */
	assert_int_equal(parse(&a, "tmpfs", "sync,size=1k,lazytime,async,nolazytime", &o, &e), 0);
	assert_int_equal(o.n_fs, 1);
	assert_string_equal(o.fs[0], "size=1k");
	assert_int_equal(parse(&a, "tmpfs", "async,sync", &o, &e), 0);
	assert_int_equal(o.n_fs, 1);
	assert_int_equal(parse(&a, "bind", "sync,async", &o, &e), 0);
	assert_int_equal(o.n_fs, 0);
}

static void test_refused(void **state)
{
	auto_arena a = {0};
	struct ns_mount_opts o = {.n_fs = 77};
	struct err e;

	(void)state;
	assert_int_equal(parse(&a, "bind", "ro,size=1k", &o, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_SPEC);
	assert_string_equal(e.where, "/mounts/7");
	assert_non_null(strstr(e.text, "size=1k"));
	assert_int_equal(parse(&a, "tmpfs", "idmap", &o, &e), -ENOTSUP);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_int_equal(o.n_fs, 77); /* an output is untouched on failure */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of_the_spec), cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_propagation),       cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_file_system_words), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
