/* tests/unit/test_err.c: errors are set, wrapped and worded without overrun. */
#include "common/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set(void **state)
{
	struct err e;

	(void)state;
	memset(&e, 0x5a, sizeof(e));
	assert_int_equal(err_set(&e, ERR_SPEC, EINVAL, "/root", "is %d", 7), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_int_equal(e.kind, ERR_SPEC);
	assert_string_equal(e.where, "/root");
	assert_string_equal(e.text, "is 7");

	assert_int_equal(err_set(&e, ERR_USAGE, E2BIG, NULL, "x"), -E2BIG);
	assert_string_equal(e.where, "");
	assert_int_equal(err_set(NULL, ERR_USAGE, E2BIG, NULL, "x"), -E2BIG);
}

static void sys(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_sys(&e, ENOENT, "/x", "opening %s", "it"), -ENOENT);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_string_equal(e.text, "opening it: no such file or directory");
	assert_int_equal(err_sys(NULL, EPERM, NULL, "x"), -EPERM);
}

static void reasons(void **state)
{
	static const struct {
		int code;
		const char *reason;
	} known[] = {{EPERM, "operation not permitted"},
		     {ENOENT, "no such file or directory"},
		     {EACCES, "permission denied"},
		     {EISDIR, "is a directory"},
		     {E2BIG, "argument list too long"},
		     {ESRCH, "no such process"},
		     {99999, "error 99999"},
		     {-1, "error -1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(err_reason(known[i].code), known[i].reason);
	for (int code = 0; code < 4096; code++)
		assert_non_null(err_reason(code));
}

static void wrapped(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_HOOK, ETIME, "/hooks", "too slow");
	assert_int_equal(err_wrap(&e, -5, "hook %d", 3), -5);
	assert_string_equal(e.text, "hook 3: too slow");
	assert_int_equal(err_wrap(&e, -5, "create"), -5);
	assert_string_equal(e.text, "create: hook 3: too slow");
	assert_int_equal(e.code, ETIME);
	assert_int_equal(e.kind, ERR_HOOK);
	assert_string_equal(e.where, "/hooks");
	assert_int_equal(err_wrap(NULL, -7, "create"), -7);
}

/* What is too long is cut, but the reason, which engines look for, stays. */
static void overlong(void **state)
{
	static char big[5000];
	struct err e;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	err_set(&e, ERR_SPEC, EINVAL, big, "%s", big);
	assert_int_equal(strlen(e.where), sizeof(e.where) - 1);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);

	err_sys(&e, EPERM, big, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_string_equal(e.text + strlen(e.text) - 27, "aa: operation not permitted");

	err_wrap(&e, -1, "mount %s", "proc");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "mount proc: aaa", 15);
	err_wrap(&e, -1, "%s", big);
	assert_true(strlen(e.text) < sizeof(e.text));
	assert_non_null(strstr(e.text, "aa: mount proc: aaa"));
	for (int i = 0; i < 300; i++)
		err_wrap(&e, -1, "again");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

/* Nothing is copied from behind the text's end: the struct crosses a socket whole. */
static void wrap_copies_text_alone(void **state)
{
	struct err e = {0};

	(void)state;
	err_set(&e, ERR_SPEC, EINVAL, NULL, "short");
	err_wrap(&e, -1, "p");
	for (size_t i = strlen("p: short"); i < sizeof(e.text); i++)
		assert_int_equal(e.text[i], 0);
}

static void line(void **state)
{
	struct err e;
	char buf[64], small[8];

	(void)state;
	err_set(&e, ERR_SPEC, EINVAL, "/mounts/3", "is empty");
	assert_string_equal(err_line(&e, buf, sizeof(buf)), "/mounts/3: is empty");
	assert_string_equal(err_line(&e, small, sizeof(small)), "/mounts");
	err_set(&e, ERR_SPEC, EINVAL, NULL, "is empty");
	assert_string_equal(err_line(&e, buf, sizeof(buf)), "is empty");
}

static void cleared(void **state)
{
	static const struct err zero;
	struct err e;

	(void)state;
	err_set(&e, ERR_SPEC, EINVAL, "/a", "b");
	err_clear(&e);
	assert_memory_equal(&e, &zero, sizeof(e));
	err_clear(NULL);
}

static void kinds(void **state)
{
	(void)state;
	for (int i = ERR_NONE; i <= ERR_INTERNAL; i++) {
		const char *name = err_kind_name((enum err_kind)i);
		assert_true(name[0] && strcmp(name, "unknown") != 0);
		for (int k = ERR_NONE; k < i; k++)
			assert_string_not_equal(name, err_kind_name((enum err_kind)k));
	}
	assert_string_equal(err_kind_name((enum err_kind)4711), "unknown");
	assert_string_equal(err_kind_name((enum err_kind) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set),      cmocka_unit_test(sys),
		cmocka_unit_test(reasons),  cmocka_unit_test(wrapped),
		cmocka_unit_test(overlong), cmocka_unit_test(wrap_copies_text_alone),
		cmocka_unit_test(line),     cmocka_unit_test(cleared),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
