/* tests/unit/test_process_env.c: environment, program, CPUs and signals of the process. */
#include "namespaces/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIST(...)                                                              \
	{                                                                      \
		(const char *[]){__VA_ARGS__},                                 \
			sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
	}

static char dir[64];

static void make(const char *name, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	assert_true(fd >= 0 && fchmod(fd, mode) == 0);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/rf-env-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	make("runs", 0755);
	make("plain", 0644);
	char path[128];
	snprintf(path, sizeof(path), "%s/folder", dir);
	return mkdir(path, 0755);
}

static int teardown(void **state)
{
	static const char *const names[] = {"runs", "plain", "folder"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return rmdir(dir);
}

static void env(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_process sp = {.env = LIST("A=1", "HOME=/x", "A=2")};
	struct ns_process p = {.process = &sp, .root = -1};
	struct err e = {0};

	assert_int_equal(ns_process_env(&a, &p, &e), 0);
	assert_string_equal(p.env[0], "HOME=/x");
	assert_string_equal(p.env[1], "A=2");
	assert_null(p.env[2]);
	/* No HOME and no passwd. HOMER isn't HOME. */
	sp.env = (struct spec_strings)LIST("HOMER=1");
	assert_int_equal(ns_process_env(&a, &p, &e), 0);
	assert_string_equal(p.env[0], "HOMER=1");
	assert_string_equal(p.env[1], "HOME=/");
	assert_null(p.env[2]);
}

/* Names that share a beginning, an empty value, and very many. */
static void env_doubles(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_process sp = {
		.env = LIST("AB=1", "A=1", "A=", "HOME=/a", "B=A=2", "HOME=/b", "AB=3")};
	struct ns_process p = {.process = &sp, .root = -1};
	struct err e = {0};
	static const char *many[20000];

	assert_int_equal(ns_process_env(&a, &p, &e), 0);
	assert_string_equal(p.env[0], "A=");
	assert_string_equal(p.env[1], "B=A=2");
	assert_string_equal(p.env[2], "HOME=/b");
	assert_string_equal(p.env[3], "AB=3");
	assert_null(p.env[4]);
	for (size_t i = 0; i < 20000; i++)
		many[i] = arena_printf(&a, "V%zu=%zu", i % 10000, i);
	sp.env = (struct spec_strings){many, 20000};
	assert_int_equal(ns_process_env(&a, &p, &e), 0);
	assert_string_equal(p.env[0], "V0=10000");
	assert_string_equal(p.env[9999], "V9999=19999");
	assert_string_equal(p.env[10000], "HOME=/");
	assert_null(p.env[10001]);
}

static int resolve(const char *name, const char *path, const char *cwd, struct err *e, char *ret)
{
	auto_arena a = {0};
	struct spec_process sp = {.args = LIST(name), .cwd = cwd};
	struct ns_process p = {.process = &sp};
	const char *vars[] = {"PATH=/none", arena_printf(&a, "PATH=%s", path ? path : "")};

	err_clear(e);
	if (path)
		sp.env = (struct spec_strings){vars, 2};
	int rc = ns_process_resolve(&a, &p, e);
	if (rc == 0)
		snprintf(ret, 256, "%s", p.path);
	return rc;
}

static void program(void **state)
{
	(void)state;
	struct err e = {0};
	char got[256], want[128];

	snprintf(want, sizeof(want), "%s/runs", dir);
	assert_int_equal(resolve("runs", dir, "/", &e, got), 0);
	assert_string_equal(got, want);
	assert_int_equal(resolve(want, NULL, "/", &e, got), 0);
	assert_string_equal(got, want);
	/* What is relative counts from cwd. */
	assert_int_equal(resolve("./runs", NULL, dir, &e, got), 0);
	assert_int_equal(resolve("runs", ".", dir, &e, got), 0);
	assert_int_equal(resolve("runs", ":/none", dir, &e, got), 0);
	assert_int_equal(resolve("folder/../runs", "", dir, &e, got), 0);
}

#define START "unable to start container process: "

static void no_program(void **state)
{
	(void)state;
	struct err e = {0};
	char got[256], name[128];

	assert_int_equal(resolve("foo", dir, "/", &e, got), -ENOENT);
	assert_int_equal(e.kind, ERR_EXEC);
	assert_string_equal(e.text, START "exec: \"foo\": executable file not found in $PATH");
	assert_int_equal(resolve("foo", NULL, "/", &e, got), -ENOENT);
	assert_string_equal(e.text, START "exec: \"foo\": executable file not found in $PATH");
	assert_int_equal(resolve("/x", NULL, "/", &e, got), -ENOENT);
	assert_string_equal(e.text, START "exec: \"/x\": no such file or directory");
	assert_int_equal(resolve("plain", dir, "/", &e, got), -EACCES);
	assert_string_equal(e.text, START "exec: \"plain\": permission denied");
	snprintf(name, sizeof(name), "%s/folder", dir);
	assert_int_equal(resolve(name, NULL, "/", &e, got), -EACCES);
	assert_non_null(strstr(e.text, "permission denied"));
	snprintf(name, sizeof(name), "%s/runs/x", dir);
	assert_int_equal(resolve(name, NULL, "/", &e, got), -ENOTDIR);
}

static bool bit(const struct ns_bits *b, unsigned i)
{
	return b->words[i / (8 * sizeof(long))] >> i % (8 * sizeof(long)) & 1;
}

static void lists(void **state)
{
	(void)state;
	struct ns_bits b = {0};
	struct err e = {0};
	static const char *const bad[] = {"-1",  "3-1", "8192", "0-8192", "a",
					  "1;2", "1-",  "1-a",  "1,,2",   "99999999999999999999"};

	assert_int_equal(ns_bits_parse("0-3,7,64,8191", &b, &e), 0);
	for (unsigned i = 0; i < NS_BITS; i++)
		assert_int_equal(bit(&b, i), i <= 3 || i == 7 || i == 64 || i == 8191);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ns_bits_parse(bad[i], &b, &e) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_true(bit(&b, 7)); /* untouched on failure */
}

static void signals(void **state)
{
	int status;

	(void)state;
	assert_int_equal(ns_signals_parse("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"),
			 0x1001);
	assert_int_equal(ns_signals_parse("Name:\tx\n"), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t now;
		signal(SIGHUP, SIG_IGN);
		signal(SIGRTMAX, SIG_IGN);
		sigfillset(&now);
		sigprocmask(SIG_SETMASK, &now, NULL);
		uint64_t before = ns_signals_ignored();
		ns_signals_reset(before);
		sigprocmask(SIG_SETMASK, NULL, &now);
		if (!(before & 1) || !(before >> 63) || sigismember(&now, SIGHUP))
			_exit(1);
		_exit(ns_signals_ignored() == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(env),     cmocka_unit_test(env_doubles),
		cmocka_unit_test(program), cmocka_unit_test(no_program),
		cmocka_unit_test(lists),   cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
