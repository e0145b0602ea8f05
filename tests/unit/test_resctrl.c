/* linux.intelRdt against a directory tree that plays resctrl: a new directory gets the files that
 * the kernel would put there, and goes with them. */
#include "cgroups/cgroup.h"
#include "cgroups/resctrl.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define ALL "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n"
#define HALF "L3:0=3ff;1=3ff"

static char root[PATH_MAX];
static int classes_left;   /* that the processor still has */
static char journal[1024]; /* what was noted, one a line */

/* --- the kernel --- */

static const char *at(const char *file)
{
	static char buf[4][PATH_MAX + 256];
	static unsigned n;
	char *p = buf[n++ % 4];

	assert_true((size_t)snprintf(p, sizeof(buf[0]), "%s/%s", root, file) < sizeof(buf[0]));
	return p;
}

static void put(const char *file, const char *text)
{
	FILE *f = fopen(at(file), "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool is(const char *file, const char *text)
{
	char *have = scratch_slurp(at(file));
	bool same = have && strcmp(have, text) == 0;

	if (!same)
		print_message("%s has \"%s\"\n", file, have ? have : "(nothing)");
	free(have);
	return same;
}

static bool there(const char *file)
{
	return access(at(file), F_OK) == 0;
}

static void fill(const char *dir, bool class)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/tasks", dir);
	put(name, "");
	if (!class)
		return;
	snprintf(name, sizeof(name), "%s/schemata", dir);
	put(name, "");
	snprintf(name, sizeof(name), "%s/mon_groups", dir);
	assert_int_equal(mkdir(at(name), 0755), 0);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
	bool class = !strstr(path, "/mon_groups/");

	if (class && classes_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (syscall(SYS_mkdirat, dirfd, path, mode) < 0)
		return -1;
	classes_left -= class;
	fill(path + strlen(root) + 1, class);
	return 0;
}

int unlinkat(int dirfd, const char *path, int flags)
{
	if (!(flags & AT_REMOVEDIR) || access(path, F_OK) < 0)
		return (int)syscall(SYS_unlinkat, dirfd, path, flags);
	return scratch_remove(path);
}

static int setup(void **state)
{
	(void)state;
	classes_left = 3;
	journal[0] = '\0';
	if (scratch_make(root) < 0)
		return -1;
	mkdir(at("info"), 0755);
	mkdir(at("info/MB"), 0755);
	put("info/MB/bandwidth_gran", "10\n");
	mkdir(at("mon_groups"), 0755);
	put("schemata", ALL);
	put("tasks", "1\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return scratch_remove(root);
}

/* --- a container --- */

static int note(void *arg, const char *record, struct err *e)
{
	(void)arg, (void)e;
	/* Before its effect. */
	assert_int_equal(access(strchr(record, ' ') + 1, F_OK), -1);
	snprintf(journal + strlen(journal), sizeof(journal) - strlen(journal), "%s\n", record);
	return 0;
}

/* Accepted, planned and run, as create does. */
static int launch(const char *id, struct spec_intel_rdt rdt, struct err *e)
{
	auto_arena a = {0};
	struct cg_run run = {.pid = 4711, .note = note};
	struct plan_env env = {.room = {[PLAN_CG] = &run}};
	struct plan p = {.arena = &a};
	struct cg_resctrl r;

	err_clear(e);
	int rc = cg_resctrl_init(&a, root, id, &rdt, &r, e);
	if (rc == 0)
		rc = cg_resctrl_accept(&r, e);
	if (rc == 0)
		rc = cg_resctrl_plan(&p, &r, e);
	if (rc == 0)
		rc = plan_run(&p, PLAN_PREPARE, &env, e);
	return rc < 0 ? rc : plan_run(&p, PLAN_ATTACH, &env, e);
}

static void made(const char *id, struct spec_intel_rdt rdt)
{
	struct err e;
	int rc = launch(id, rdt, &e);

	if (rc < 0)
		print_message("%s: %s\n", e.where, e.text);
	assert_int_equal(rc, 0);
}

static void refused(struct spec_intel_rdt rdt, const char *where, const char *text)
{
	struct err e;

	assert_true(launch("c1", rdt, &e) < 0);
	assert_string_equal(e.where, where);
	if (!strstr(e.text, text))
		print_message("%s\n", e.text);
	assert_non_null(strstr(e.text, text));
}

static void undo(const char *id, pid_t pid)
{
	char text[sizeof(journal)], *save = NULL;
	const char *records[8];
	struct err e;
	int n = 0;

	memcpy(text, journal, sizeof(text));
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		records[n++] = strchr(l, ' ') + 1;
	while (n-- > 0)
		assert_int_equal(cg_resctrl_undo(records[n], id, pid, &e), 0);
}

#define RDT(...) ((struct spec_intel_rdt){.set = true, __VA_ARGS__})
#define LINES(...)                                           \
	.schemata = {.items = (const char *[]){__VA_ARGS__}, \
		     .n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)}

/* --- the tests --- */

static void own_class(void **state)
{
	(void)state;
	made("c1", RDT(.l3_cache_schema = HALF, .mem_bw_schema = "MB:0=20;1=70"));
	assert_true(is("c1/schemata", HALF "\nMB:0=20;1=70\n"));
	assert_true(is("c1/tasks", "4711\n"));
	assert_true(is("schemata", ALL));
	undo("c1", 4711);
	assert_false(there("c1"));
	undo("c1", 4711);
	assert_true(there("info"));
}

static void without_schemata(void **state)
{
	(void)state;
	made("c1", RDT(.clos_id = ""));
	assert_true(is("c1/schemata", ""));
	assert_true(is("c1/tasks", "4711\n"));
}

static void bandwidth_of_both(void **state)
{
	(void)state;
	made("c1", RDT(.l3_cache_schema = "MB:0=90\n" HALF, .mem_bw_schema = "MB:0=20"));
	assert_true(is("c1/schemata", HALF "\nMB:0=20\n"));
	made("c2", RDT(.l3_cache_schema = "MB:0=90\n" HALF));
	assert_true(is("c2/schemata", "MB:0=90\n" HALF "\n"));
}

/* A file, not the kernel: the second write stands over the first one's beginning. */
static void schemata_come_last(void **state)
{
	(void)state;
	made("c1", RDT(.l3_cache_schema = HALF, LINES("L3:0=f", "MB:1=9")));
	assert_true(is("c1/schemata", "L3:0=f\nMB:1=9\n\n"));
}

static void a_class_by_name(void **state)
{
	(void)state;
	made("c1", RDT(.clos_id = "gold", LINES(HALF)));
	assert_true(is("gold/schemata", HALF "\n"));
	assert_false(there("c1"));
	assert_int_equal(classes_left, 2);
	/* Another shares it. */
	journal[0] = '\0';
	made("c2", RDT(.clos_id = "gold", LINES("l3: 1=003FF")));
	made("c3", RDT(.clos_id = "gold"));
	assert_string_equal(journal, "");
	assert_int_equal(classes_left, 2);
	refused(RDT(.clos_id = "gold", LINES("L3:0=3fe")), "/linux/intelRdt/schemata", "L3:0=3fe");
	refused(RDT(.clos_id = "gold", .l3_cache_schema = "L3:0=1"),
		"/linux/intelRdt/l3CacheSchema", "was there before");
	assert_true(is("gold/schemata", HALF "\n"));
}

static void a_class_that_must_be_there(void **state)
{
	(void)state;
	refused(RDT(.clos_id = "gold"), "/linux/intelRdt/closID", "no class of service");
	assert_string_equal(journal, "");
	mkdirat(AT_FDCWD, at("gold"), 0755);
	made("c1", RDT(.clos_id = "gold"));
	assert_true(is("gold/tasks", "4711\n"));
	undo("c1", 4711);
	assert_true(there("gold"));
}

static void rounded_bandwidth(void **state)
{
	(void)state;
	mkdirat(AT_FDCWD, at("gold"), 0755);
	put("gold/schemata", "    MB:0= 30;1=100\n    L3:0=003ff;1=fffff\n");
	made("c1", RDT(.clos_id = "gold", .mem_bw_schema = "MB:0=25;1=100"));
	refused(RDT(.clos_id = "gold", .mem_bw_schema = "MB:0=35"), "/linux/intelRdt/memBwSchema",
		"MB:0=35");
	/* What schemata say of a domain counts, not what was written before. */
	made("c3", RDT(.clos_id = "gold", .mem_bw_schema = "MB:0=35", LINES("MB:0=30")));
	refused(RDT(.clos_id = "gold", .l3_cache_schema = "L3:2=3ff"),
		"/linux/intelRdt/l3CacheSchema", "L3:2");
}

static void the_default_class(void **state)
{
	(void)state;
	made("c1", RDT(.clos_id = "/", .enable_monitoring = true));
	assert_int_equal(classes_left, 3);
	assert_true(is("mon_groups/c1/tasks", "4711\n"));
	assert_true(is("schemata", ALL));
	undo("c1", 4711);
	assert_false(there("mon_groups/c1"));
	assert_true(there("mon_groups"));
	made("c2", RDT(.clos_id = "/", LINES("L3:0=fffff")));
	refused(RDT(.clos_id = "/", LINES("L3:0=1")), "/linux/intelRdt/schemata", "L3:0=1");
	assert_true(is("schemata", ALL));
}

static void monitoring(void **state)
{
	(void)state;
	mkdirat(AT_FDCWD, at("gold"), 0755);
	made("c1", RDT(.clos_id = "gold", .enable_monitoring = true));
	assert_true(is("gold/tasks", "4711\n"));
	assert_true(is("gold/mon_groups/c1/tasks", "4711\n"));
	refused(RDT(.clos_id = "gold", .enable_monitoring = true),
		"/linux/intelRdt/enableMonitoring", "there already");
	undo("c1", 4711);
	assert_false(there("gold/mon_groups/c1"));
	assert_true(there("gold"));
	assert_int_equal(rmdir(at("mon_groups")), 0);
	refused(RDT(.clos_id = "gold", .enable_monitoring = true),
		"/linux/intelRdt/enableMonitoring", "monitors neither");
}

/* Removing it would take the other's limits away. */
static void a_shared_class_stays(void **state)
{
	char tasks[64];

	(void)state;
	made("c1", RDT(.clos_id = "gold", LINES(HALF)));
	snprintf(tasks, sizeof(tasks), "4711\n%d\n", (int)getpid());
	put("gold/tasks", tasks);
	undo("c1", 4711);
	assert_true(there("gold"));
	undo("c1", getpid());
	assert_false(there("gold"));
}

static void what_isnt_there(void **state)
{
	(void)state;
	refused(RDT(.l3_cache_schema = "L3CODE:0=f"), "/linux/intelRdt/l3CacheSchema", "L3CODE");
	refused(RDT(LINES("L3:0=f", "L2:0=f")), "/linux/intelRdt/schemata", "L2:0=f");
	refused(RDT(LINES("L3")), "/linux/intelRdt/schemata", "no resource");
	refused(RDT(.clos_id = "info"), "/linux/intelRdt/closID", "can't be the name");
	assert_string_equal(journal, "");
	mkdirat(AT_FDCWD, at("c1"), 0755);
	refused(RDT(.l3_cache_schema = HALF), "/linux/intelRdt", "name it in closID");
	assert_string_equal(journal, "");
	classes_left = 0;
	refused(RDT(.clos_id = "new", LINES(HALF)), "/linux/intelRdt/closID", "in use");
}

/* The kernel's sentence goes into ours. */
static void a_refused_write(void **state)
{
	auto_arena a = {0};
	struct spec_intel_rdt rdt = RDT(.clos_id = "gold", LINES(HALF)),
			      now = RDT(LINES("MB:0=50"));
	struct cg_resctrl r;
	struct err e;

	(void)state;
	made("c1", rdt);
	assert_int_equal(cg_resctrl_init(&a, root, "c1", &rdt, &r, &e), 0);
	assert_int_equal(cg_resctrl_update(&r, &now, &e), 0);
	assert_true(is("gold/schemata", "MB:0=50\n;1=3ff\n"));
	now = RDT(.l3_cache_schema = "L2:0=1");
	assert_int_equal(cg_resctrl_update(&r, &now, &e), -EOPNOTSUPP);
	assert_int_equal(unlink(at("gold/schemata")), 0);
	put("info/last_cmd_status", "mask f0f has non-consecutive 1-bits\n");
	now = RDT(.l3_cache_schema = "L3:0=f0f");
	assert_int_equal(cg_resctrl_update(&r, &now, &e), -ENOENT);
	assert_non_null(strstr(e.text, "non-consecutive"));
	assert_string_equal(e.where, "/linux/intelRdt/l3CacheSchema");
}

/* Counters are those of the monitoring group; a class that others share has none for one. */
static void statistics(void **state)
{
	auto_arena a = {0};
	struct spec_intel_rdt shared = RDT(.clos_id = "gold"),
			      counted = RDT(.clos_id = "gold", .enable_monitoring = true);
	struct cg_rdt_stats s;
	struct cg_resctrl r;
	struct err e;

	(void)state;
	mkdirat(AT_FDCWD, at("gold"), 0755);
	put("gold/schemata", "    MB:0=20\nL3CODE:0=f\nL3DATA:0=f0\n");
	mkdirat(AT_FDCWD, at("gold/mon_groups/c1"), 0755);
	assert_int_equal(mkdir(at("gold/mon_groups/c1/mon_data"), 0755), 0);
	assert_int_equal(mkdir(at("gold/mon_groups/c1/mon_data/mon_L3_01"), 0755), 0);
	assert_int_equal(mkdir(at("gold/mon_groups/c1/mon_data/mon_L3_00"), 0755), 0);
	put("gold/mon_groups/c1/mon_data/mon_L3_00/llc_occupancy", "4096\n");
	put("gold/mon_groups/c1/mon_data/mon_L3_00/mbm_total_bytes", "Unavailable\n");
	put("gold/mon_groups/c1/mon_data/mon_L3_01/mbm_total_bytes", "70\n");
	put("gold/mon_groups/c1/mon_data/mon_L3_01/mbm_local_bytes", "60\n");
	assert_int_equal(cg_resctrl_init(&a, root, "c1", &counted, &r, &e), 0);
	assert_int_equal(cg_resctrl_stats(&a, &r, &s, &e), 0);
	assert_string_equal(s.l3, "L3CODE:0=f\nL3DATA:0=f0");
	assert_string_equal(s.mb, "MB:0=20");
	assert_string_equal(s.mb_root, "MB:0=100;1=100");
	assert_int_equal(s.mb_info.step, 10);
	assert_int_equal(s.n_domains, 2);
	assert_int_equal(s.domains[0].occupancy, 4096);
	assert_int_equal(s.domains[0].total_bytes, 0);
	assert_int_equal(s.domains[1].total_bytes, 70);
	assert_int_equal(s.domains[1].local_bytes, 60);
	assert_int_equal(cg_resctrl_init(&a, root, "c1", &shared, &r, &e), 0);
	assert_int_equal(cg_resctrl_stats(&a, &r, &s, &e), 0);
	assert_int_equal(s.n_domains, 0);
}

static void mount_points(void **state)
{
	auto_arena a = {0};

	(void)state;
	assert_null(cg_resctrl_mount(&a, "23 1 254:0 / /resctrl rw - ext4 resctrl rw\n"));
	assert_null(cg_resctrl_mount(&a, "damaged - resctrl "));
	assert_string_equal(
		cg_resctrl_mount(&a,
				 "23 1 254:0 / / rw - ext4 /dev/vda rw\n"
				 "40 23 0:30 / /sys/fs/a\\040b rw shared:4 - resctrl resctrl rw\n"),
		"/sys/fs/a b");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(own_class),         T(without_schemata),
		T(bandwidth_of_both), T(schemata_come_last),
		T(a_class_by_name),   T(a_class_that_must_be_there),
		T(rounded_bandwidth), T(the_default_class),
		T(monitoring),        T(a_shared_class_stays),
		T(what_isnt_there),   T(a_refused_write),
		T(statistics),        T(mount_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
