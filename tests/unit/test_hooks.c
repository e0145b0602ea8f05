/* tests/unit/test_hooks.c: hooks get the state and their environment, run in order, and fail
 * loudly; run without root with the shell as the hook. */
#include "runtime/container.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/rf-hooks-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink("out");
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

/* sh -c script, with A=b as its whole environment. */
static int run(const char *const *scripts, size_t n, int64_t timeout, struct err *e)
{
	static const char *env[] = {"A=b"};
	const char *args[4][3];
	struct spec_hook hooks[4];
	struct spec_hook_list l = {hooks, n};
	auto_strbuf state = {0};

	for (size_t i = 0; i < n; i++) {
		args[i][0] = "hook";
		args[i][1] = "-c";
		args[i][2] = scripts[i];
		hooks[i] = (struct spec_hook){.path = "/bin/sh",
					      .args = {args[i], 3},
					      .env = {env, 1},
					      .timeout = {timeout > 0, timeout}};
	}
	strbuf_puts(&state, "{\"id\":\"x\"}");
	return rt_hooks(&l, "prestart", &state, NULL, e);
}

static void output(char *buf, size_t size)
{
	FILE *f = fopen("out", "re");

	assert_non_null(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void in_order_with_state(void **state)
{
	const char *scripts[] = {"read -r s; echo \"1 $s $A\" >> out", "echo 2 >> out"};
	struct err e = {0};
	char text[128];

	(void)state;
	assert_int_equal(run(scripts, 2, 0, &e), 0);
	output(text, sizeof(text));
	assert_string_equal(text, "1 {\"id\":\"x\"} b\n2\n");
}

static void exactly_its_environment(void **state)
{
	const char *scripts[] = {"PATH=/usr/bin:/bin; tr '\\0' ' ' < /proc/$$/environ > out"};
	struct err e = {0};
	char text[128];

	(void)state;
	setenv("LEAK", "1", 1);
	assert_int_equal(run(scripts, 1, 0, &e), 0);
	output(text, sizeof(text));
	assert_string_equal(text, "A=b ");
}

static void no_descriptor_of_ours(void **state)
{
	const char *scripts[] = {"[ ! -e /proc/$$/fd/77 ] || exit 9"};
	struct err e = {0};

	(void)state;
	assert_int_equal(dup2(2, 77), 77); /* without close-on-exec */
	assert_int_equal(run(scripts, 1, 0, &e), 0);
	close(77);
}

static void failure_names_it(void **state)
{
	const char *scripts[] = {"true", "echo first >&2; echo the reason >&2; exit 3",
				 "echo no >> out"};
	struct err e = {0};

	(void)state;
	assert_true(run(scripts, 3, 0, &e) < 0);
	assert_int_equal(e.kind, ERR_HOOK);
	assert_string_equal(e.where, "/hooks/prestart/1");
	assert_string_equal(e.text, "error running hook /bin/sh: exit status 3: the reason");
	assert_int_equal(access("out", F_OK), -1); /* the third did not run */
}

static void killed_by_signal(void **state)
{
	const char *scripts[] = {"kill -9 $$"};
	struct err e = {0};

	(void)state;
	assert_true(run(scripts, 1, 0, &e) < 0);
	assert_non_null(strstr(e.text, "killed by signal 9"));
}

static void missing(void **state)
{
	struct spec_hook h = {.path = "/nonexistent/hook"};
	struct spec_hook_list l = {&h, 1};
	auto_strbuf text = {0};
	struct err e = {0};

	(void)state;
	strbuf_puts(&text, "{}");
	assert_true(rt_hooks(&l, "poststart", &text, NULL, &e) < 0);
	assert_int_equal(e.kind, ERR_HOOK);
	assert_non_null(strstr(e.text, "no such file or directory"));
}

static double seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* The whole group ends: the sleep is a child of the shell. */
static void timeout_ends_the_group(void **state)
{
	const char *scripts[] = {"PATH=/usr/bin:/bin; echo $$ > out; sleep 60; true"};
	struct timespec begin;
	struct err e = {0};
	char text[32];

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_true(run(scripts, 1, 1, &e) < 0);
	assert_int_equal(e.kind, ERR_HOOK);
	assert_non_null(strstr(e.text, "hook ran past specified timeout of 1.0s"));
	assert_true(seconds_since(&begin) < 20);
	output(text, sizeof(text));
	assert_int_equal(kill(atoi(text), 0), -1);
}

/* What stays behind with the hook's output open isn't waited for. */
static void left_behind_is_not_waited_for(void **state)
{
	const char *scripts[] = {"PATH=/usr/bin:/bin; sleep 5 & echo $! > out"};
	struct timespec begin;
	struct err e = {0};
	char text[32];

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(run(scripts, 1, 0, &e), 0);
	assert_true(seconds_since(&begin) < 4);
	output(text, sizeof(text));
	assert_true(atoi(text) > 1);
	kill(atoi(text), SIGKILL);
}

static void floods_do_not_block(void **state)
{
	const char *scripts[] = {
		"i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; "
		"printf '\\001last'; exit 1"};
	struct err e = {0};

	(void)state;
	assert_true(run(scripts, 1, 60, &e) < 0);
	assert_non_null(strstr(e.text, ": ?last"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(in_order_with_state),    T(exactly_its_environment),
		T(no_descriptor_of_ours),  T(failure_names_it),
		T(killed_by_signal),       T(missing),
		T(timeout_ends_the_group), T(left_behind_is_not_waited_for),
		T(floods_do_not_block)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
