/* tests/unit/test_journal.c: appending, reading backwards, torn and damaged journals; undoing. */
#include "common/file.h"
#include "common/proc.h"
#include "runtime/container.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static char path[64];

static int set_up(void **state)
{
	strcpy(path, "/tmp/rf-journal-XXXXXX");
	int *dir = malloc(sizeof(*dir));
	if (!dir || !mkdtemp(path))
		return -1;
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = dir;
	return 0;
}

static int tear_down(void **state)
{
	int *dir = *state;

	(void)unlinkat(*dir, "journal", 0);
	close(*dir);
	free(dir);
	return rmdir(path);
}

static void write_raw(int dir, const char *text)
{
	auto_fd fd = openat(dir, "journal", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void read_all(int dir, struct arena *a, struct st_record **r, size_t *n)
{
	struct err e = {0};

	assert_int_equal(st_journal_read(dir, NULL, a, r, n, &e), 0);
}

static void none(void **state)
{
	auto_arena a = {0};
	struct st_record *r;
	size_t n = 9;

	read_all(*(int *)*state, &a, &r, &n);
	assert_int_equal(n, 0);
}

static void backwards(void **state)
{
	int dir = *(int *)*state;
	auto_arena a = {0};
	struct st_journal j;
	struct st_record *r;
	struct err e;
	size_t n;

	st_journal_init(&j, dir);
	assert_int_equal(st_journal_append(&j, "cgroup /a b/c", &e), 0);
	assert_int_equal(st_journal_append(&j, "pid 12 34", &e), 0);
	st_journal_close(&j);
	assert_int_equal(st_journal_append(&j, "bare", &e), 0); /* opened again: appended */
	st_journal_close(&j);
	read_all(dir, &a, &r, &n);
	assert_int_equal(n, 3);
	assert_string_equal(r[0].kind, "bare");
	assert_string_equal(r[0].arg, "");
	assert_string_equal(r[1].kind, "pid");
	assert_string_equal(r[1].arg, "12 34");
	assert_string_equal(r[2].arg, "/a b/c");
}

static void torn_line_is_none(void **state)
{
	int dir = *(int *)*state;
	auto_arena a = {0};
	struct st_record *r;
	size_t n;

	write_raw(dir, "cgroup /x\n\n\ncgroup /y");
	read_all(dir, &a, &r, &n);
	assert_int_equal(n, 1);
	assert_string_equal(r[0].arg, "/x");
	write_raw(dir, "");
	read_all(dir, &a, &r, &n);
	assert_int_equal(n, 0);
	write_raw(dir, "pid 1");
	read_all(dir, &a, &r, &n);
	assert_int_equal(n, 0);
}

static void refuses_newlines(void **state)
{
	struct st_journal j;
	struct err e = {0};

	st_journal_init(&j, *(int *)*state);
	assert_true(st_journal_append(&j, "cgroup /a\npid 1 1", &e) < 0);
	assert_true(st_journal_append(&j, "", &e) < 0);
	st_journal_close(&j);
}

static void undo_with(int dir, struct rt_container *c, const struct rt_env *env)
{
	rt_init(c, env, "x");
	c->dir = dup(dir);
}

static void undo_kills_only_the_named(void **state)
{
	int dir = *(int *)*state;
	struct rt_env env = {.root = path};
	struct err e = {0};
	char text[64];
	uint64_t ticks;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(rt_check_id("x", &e), 0);
	assert_int_equal(proc_start_time(-1, pid, &ticks, &e), 0);
	snprintf(text, sizeof(text), "pid %d %llu\n", (int)pid, (unsigned long long)ticks + 1);
	write_raw(dir, text); /* another process that had this pid before */
	{
		auto_container c;
		undo_with(dir, &c, &env);
		assert_int_equal(rt_undo(&c, &e), 0);
	}
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	snprintf(text, sizeof(text), "pid %d %llu\n", (int)pid, (unsigned long long)ticks);
	write_raw(dir, text);
	for (int i = 0; i < 2; i++) { /* twice: idempotent */
		auto_container c;
		undo_with(dir, &c, &env);
		assert_int_equal(rt_undo(&c, &e), 0);
	}
	assert_int_equal(kill(pid, 0), -1);
}

static void undo_tells_of_the_unknown(void **state)
{
	int dir = *(int *)*state;
	struct rt_env env = {.root = path};
	auto_container c;
	struct err e = {0};

	undo_with(dir, &c, &env);
	write_raw(dir, "socket start.sock\nwormhole 7\npid nonsense\n");
	assert_true(rt_undo(&c, &e) < 0);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "pid nonsense")); /* the first failure */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {T(none),
					   T(backwards),
					   T(torn_line_is_none),
					   T(refuses_newlines),
					   T(undo_kills_only_the_named),
					   T(undo_tells_of_the_unknown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
