/* tests/unit/test_signal.c: signals by name and number; users by name and number. */
#include "runtime/container.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
	static const struct {
		const char *word;
		int number;
	} good[] = {{"0", 0},      {"TERM", 15},    {"SIGTERM", 15}, {"sigterm", 15},
		    {"term", 15},  {"15", 15},      {"KILL", 9},     {"9", 9},
		    {"HUP", 1},    {"USR1", 10},    {"CLD", 17},     {"IOT", 6},
		    {"POLL", 29},  {"RTMIN", 34},   {"64", 64},      {"SIGRTMIN+1", 35},
		    {"RTMAX", 64}, {"RTMAX-2", 62}, {"RTMIN+30", 64}};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(rt_signal_number(good[i].word), good[i].number);
}

static void not_names(void **state)
{
	static const char *const bad[] = {
		"",        "65",       "-9",     "+9",     " 9",         "9 ",
		"SIG",     "NOPE",     "TERMX",  "TER",    "SIGSIGTERM", "RTMIN-1",
		"RTMAX+1", "RTMIN+31", "RTMIN+", "RTMINx", "9x",         "99999999999999999999"};

	(void)state;
	assert_int_equal(rt_signal_number(NULL), -1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(rt_signal_number(bad[i]), -1);
}

#define PASSWD                                                                                    \
	"root:x:0:0:root:/root:/bin/sh\n-1:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nann:x:7:8::/" \
	":/bin/sh\n"                                                                              \
	"evil:x:99999999999:1::/:\nneg:x:-1:0::/:\nshort:x\n:x:0:0::/:\nlast:x:9:10"
#define GROUP "wheel:x:10:\n-1:x:0:\n20:x:0:\nstaff:x:50:ann\n"

static void users(void **state)
{
	static const struct {
		const char *word;
		uint32_t uid, gid;
	} good[] = {{"0", 0, 5},          {"1000", 1000, 5},
		    {"1:2", 1, 2},        {"ann", 7, 8},
		    {"ann:3", 7, 3},      {"last", 9, 10},
		    {"5:wheel", 5, 10},   {"5:20", 5, 20},
		    {"ann:staff", 7, 50}, {"4294967294:0", 4294967294u, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct spec_user u = {.uid = 4, .gid = 5};
		struct err e = {0};
		assert_int_equal(rt_parse_user(good[i].word, PASSWD, GROUP, &u, &e), 0);
		assert_int_equal(u.uid, good[i].uid);
		assert_int_equal(u.gid, good[i].gid);
	}
}

static void not_users(void **state)
{
	static const char *const bad[] = {"",
					  ":",
					  "1:",
					  ":1",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x1",
					  "1.0",
					  "1:2:3",
					  "nobody",
					  "evil",
					  "neg",
					  "short",
					  "an",
					  "ann:x:7",
					  "root\n",
					  "1:-1",
					  "1:nogroup",
					  "4294967295",
					  "4294967296",
					  "18446744073709551616",
					  "1:4294967295"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct spec_user u = {.uid = 4, .gid = 5};
		struct err e = {0};
		assert_true(rt_parse_user(bad[i], PASSWD, GROUP, &u, &e) < 0);
		assert_int_equal(u.uid, 4); /* untouched */
		assert_int_equal(u.gid, 5);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	struct spec_user u = {.uid = 4, .gid = 5};
	struct err e = {0};
	assert_true(rt_parse_user("ann", NULL, NULL, &u, &e) < 0);
	assert_int_equal(rt_parse_user("3", NULL, NULL, &u, &e), 0);
}

static void passwd_names(void **state)
{
	char buf[8];

	(void)state;
	assert_true(rt_passwd_name(PASSWD, 7, buf, sizeof(buf)));
	assert_string_equal(buf, "ann");
	assert_true(rt_passwd_name(PASSWD, 9, buf, sizeof(buf)));
	assert_false(rt_passwd_name(PASSWD, 77, buf, sizeof(buf)));
	assert_false(rt_passwd_name("averylongname:x:3:3", 3, buf, sizeof(buf)));
	assert_false(rt_passwd_name("", 0, buf, sizeof(buf)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(not_names),
					   cmocka_unit_test(users), cmocka_unit_test(not_users),
					   cmocka_unit_test(passwd_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
