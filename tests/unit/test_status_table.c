/* tests/unit/test_status_table.c: which verb is allowed in which state, the words of a refusal,
 * and how a status is found. */
#include "common/file.h"
#include "common/proc.h"
#include "runtime/container.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Rows: events; columns: creating created running paused stopped. */
static const char *const expected[RT_EVENTS] = {
	[RT_EV_START] = "-+---",      [RT_EV_EXEC] = "-++--",   [RT_EV_KILL] = "-+++-",
	[RT_EV_PAUSE] = "-++--",      [RT_EV_RESUME] = "---+-", [RT_EV_UPDATE] = "-+++-",
	[RT_EV_CHECKPOINT] = "--++-", [RT_EV_PIDS] = "-++++",   [RT_EV_STATS] = "-+++-",
	[RT_EV_DELETE] = "----+",
};

static void whole_table(void **state)
{
	(void)state;
	for (int ev = 0; ev < RT_EVENTS; ev++)
		for (int s = RT_CREATING; s <= RT_STOPPED; s++) {
			struct err e = {0};
			int rc = rt_allow("x", (enum rt_status)s, (enum rt_event)ev, &e);
			assert_int_equal(rc == 0, expected[ev][s] == '+');
			if (rc < 0)
				assert_int_equal(e.kind, ERR_STATE);
		}
}

static void check_text(enum rt_status s, enum rt_event ev, const char *text)
{
	struct err e = {0};

	assert_true(rt_allow("box", s, ev, &e) < 0);
	assert_string_equal(e.text, text);
}

static void words_that_engines_match(void **state)
{
	(void)state;
	check_text(RT_RUNNING, RT_EV_START, "cannot start an already running container");
	check_text(RT_STOPPED, RT_EV_KILL, "container not running");
	check_text(RT_STOPPED, RT_EV_STATS, "container with id box is not running");
	check_text(RT_RUNNING, RT_EV_DELETE,
		   "cannot delete container box that is not stopped: running");
	check_text(RT_PAUSED, RT_EV_EXEC,
		   "cannot exec in a paused container (use --ignore-paused to override)");
	check_text(RT_STOPPED, RT_EV_EXEC, "cannot exec in a stopped container");
}

struct place {
	char root[64];
	struct rt_env env;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->root, "/tmp/rf-status-XXXXXX");
	if (!mkdtemp(p->root))
		return -1;
	p->env.root = p->root;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err e = {0};

	(void)rt_delete(&p->env, "c", true, &e);
	int rc = rmdir(p->root);
	free(p);
	return rc;
}

/* A container as create would leave it, around a process of ours. */
static void make(struct place *p, pid_t pid, bool created)
{
	struct rt_container c;
	struct err e = {0};

	rt_init(&c, &p->env, "c");
	assert_int_equal(st_root(p->root, true, &c.root, &e), 0);
	assert_int_equal(st_make(c.root, "c", &c.dir, &e), 0);
	c.doc = (struct st_doc){.id = "c",
				.oci_version = "1.2.0",
				.bundle = "/b",
				.rootfs = "/b/r",
				.created = "2026-01-01T00:00:00Z",
				.backend = "shared",
				.pid = pid};
	assert_int_equal(proc_start_time(-1, pid, &c.doc.ticks, &e), 0);
	assert_int_equal(rt_save_doc(&c, &e), 0);
	if (created)
		close(openat(c.dir, "start.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	rt_close(&c);
}

static enum rt_status status_of(struct place *p)
{
	auto_arena a = {0};
	struct rt_info info;
	struct err e = {0};

	assert_int_equal(rt_state(&p->env, &a, "c", &info, &e), 0);
	return info.status;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void found_from_the_process(void **state)
{
	struct place *p = *state;
	pid_t pid = sleeper();
	siginfo_t info;

	make(p, pid, true);
	assert_int_equal(status_of(p), RT_CREATED);
	auto_fd root = open(p->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unlinkat(root, "c/start.sock", 0), 0);
	assert_int_equal(status_of(p), RT_RUNNING);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(status_of(p), RT_STOPPED); /* a zombie */
	waitpid(pid, NULL, 0);
	assert_int_equal(status_of(p), RT_STOPPED);
}

static void half_made(void **state)
{
	struct place *p = *state;
	auto_fd root = -1, dir = -1, other = -1;
	struct err e = {0};

	assert_int_equal(st_root(p->root, true, &root, &e), 0);
	assert_int_equal(st_make(root, "c", &dir, &e), 0);
	assert_int_equal(status_of(p), RT_CREATING); /* somebody holds the lock */
	st_unlock(dir);
	assert_int_equal(status_of(p), RT_STOPPED);
	assert_true(st_make(root, "c", &other, &e) < 0);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_true(rt_start(&p->env, "c", &e) < 0);
	assert_int_equal(rt_delete(&p->env, "c", false, &e), 0);
	assert_true(rt_start(&p->env, "c", &e) < 0);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_string_equal(e.text, "container does not exist");
}

static void delete_unknown(void **state)
{
	struct place *p = *state;
	struct err e = {0};

	assert_true(rt_delete(&p->env, "nobody", false, &e) < 0);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_int_equal(rt_delete(&p->env, "nobody", true, &e), 0);
	assert_true(rt_delete(&p->env, "../c", true, &e) < 0);
}

static void lock_sees_a_new_directory(void **state)
{
	struct place *p = *state;
	auto_fd root = -1, dir = -1;
	struct err e = {0};

	assert_int_equal(st_root(p->root, true, &root, &e), 0);
	assert_int_equal(mkdirat(root, "c", 0700), 0);
	assert_int_equal(st_open(root, "c", &dir, &e), 0);
	assert_int_equal(unlinkat(root, "c", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(root, "c", 0700), 0);
	assert_true(st_lock("c", dir, true, &e) < 0);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void planted_links_are_refused(void **state)
{
	struct place *p = *state;
	auto_fd root = -1, dir = -1;
	struct err e = {0};

	assert_int_equal(st_root(p->root, true, &root, &e), 0);
	assert_int_equal(symlinkat("/tmp", root, "c"), 0);
	assert_true(st_open(root, "c", &dir, &e) < 0);
	assert_true(st_make(root, "c", &dir, &e) < 0);
	assert_int_equal(unlinkat(root, "c", 0), 0);
	assert_int_equal(chmod(p->root, 0777), 0);
	assert_true(st_root(p->root, true, &dir, &e) < 0);
	assert_int_equal(chmod(p->root, 0711), 0);
}

static void list_is_sorted(void **state)
{
	struct place *p = *state;
	auto_arena a = {0};
	auto_fd root = -1;
	struct rt_info *items;
	struct err e = {0};
	size_t n;

	assert_int_equal(st_root(p->root, true, &root, &e), 0);
	assert_int_equal(mkdirat(root, "zz", 0700), 0);
	assert_int_equal(mkdirat(root, "aa", 0700), 0);
	assert_int_equal(mkdirat(root, ".filters", 0700), 0);
	assert_int_equal(rt_list(&p->env, &a, &items, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(items[0].id, "aa");
	assert_int_equal(items[0].status, RT_STOPPED);
	assert_string_equal(items[1].id, "zz");
	(void)unlinkat(root, "zz", AT_REMOVEDIR);
	(void)unlinkat(root, "aa", AT_REMOVEDIR);
	(void)unlinkat(root, ".filters", AT_REMOVEDIR);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {cmocka_unit_test(whole_table),
					   cmocka_unit_test(words_that_engines_match),
					   T(found_from_the_process),
					   T(half_made),
					   T(delete_unknown),
					   T(lock_sees_a_new_directory),
					   T(planted_links_are_refused),
					   T(list_is_sorted)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
