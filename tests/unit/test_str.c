/* tests/unit/test_str.c: growing strings, JSON strings, numbers. */
#include "common/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void grows(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	for (int i = 0; i < 10000; i++) {
		strbuf_add(&b, "ab\0", 3);
		strbuf_puts(&b, "c");
		strbuf_printf(&b, "%04d", i);
	}
	assert_false(b.failed);
	assert_int_equal(b.len, 80000);
	assert_int_equal(b.s[b.len], 0);
	assert_memory_equal(b.s + 8 * 9999, "ab\0c9999", 8);
}

static void nothing_added(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	strbuf_add(&b, NULL, 0);
	assert_false(b.failed);
	assert_string_equal(b.s, "");
	strbuf_free(&b);
	assert_null(b.s);
	strbuf_free(&b);
}

static void failure_sticks(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	strbuf_puts(&b, "kept");
	strbuf_add(&b, "x", SIZE_MAX / 2);
	assert_true(b.failed);
	strbuf_puts(&b, "more");
	strbuf_printf(&b, "%d", 1);
	strbuf_json(&b, "j");
	assert_true(b.failed);
	assert_string_equal(b.s, "kept");
}

static void json(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"C:\\x", "\"C:\\\\x\""},
		{"a\b\t\n\f\rz", "\"a\\b\\t\\n\\f\\rz\""},
		{"\x01\x1b[31m\x1f\x7f", "\"\\u0001\\u001b[31m\\u001f\\u007f\""},
		{"/a/b", "\"/a/b\""},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7",
		 "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\""},
		{"\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""},
		/* not UTF-8: stray, cut short, overlong, surrogate, past the last code point */
		{"a\x80z", "\"a\\ufffdz\""},
		{"\xff\xfe", "\"\\ufffd\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xc3(", "\"\\ufffd(\""},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},
		{"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_strbuf b = {0};
		strbuf_json(&b, cases[i].in);
		assert_string_equal(b.s, cases[i].out);
	}
}

static void compares(void **state)
{
	(void)state;
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "b"));
	assert_false(str_eq("a", NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_eq(NULL, NULL));
	assert_true(str_starts("prefix", "pre"));
	assert_true(str_starts("prefix", ""));
	assert_false(str_starts("pre", "prefix"));
	assert_false(str_starts("xpre", "pre"));
}

static void unsigned_numbers(void **state)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x10",
					  "1.0",
					  "1e3",
					  "a",
					  "\xd9\xa1",
					  "18446744073709551616",
					  "99999999999999999999999"};
	uint64_t v = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_to_u64(bad[i], &v));
	assert_int_equal(v, 77);
	assert_true(str_to_u64("0", &v) && v == 0);
	assert_true(str_to_u64("007", &v) && v == 7);
	assert_true(str_to_u64("18446744073709551615", &v) && v == UINT64_MAX);
}

static void signed_numbers(void **state)
{
	static const char *const bad[] = {"",
					  "-",
					  "--1",
					  "-+1",
					  "+1",
					  "- 1",
					  "1-",
					  "9223372036854775808",
					  "-9223372036854775809"};
	int64_t v = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_to_i64(bad[i], &v));
	assert_int_equal(v, 77);
	assert_true(str_to_i64("-0", &v) && v == 0);
	assert_true(str_to_i64("-17", &v) && v == -17);
	assert_true(str_to_i64("9223372036854775807", &v) && v == INT64_MAX);
	assert_true(str_to_i64("-9223372036854775808", &v) && v == INT64_MIN);
}

static void taken(void **state)
{
	char *s = strdup("x");
	char *t = take_str(&s);

	(void)state;
	assert_null(s);
	assert_string_equal(t, "x");
	str_cleanup(&t);
	assert_null(t);
	str_cleanup(&t);
}

/* The values that the algorithm's authors publish. */
static void hashes(void **state)
{
	(void)state;
	assert_true(str_hash("", 0) == 0xcbf29ce484222325u);
	assert_true(str_hash("a", 1) == 0xaf63dc4c8601ec8cu);
	assert_true(str_hash("foobar", 6) == 0x85944171f73967e8u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),          cmocka_unit_test(nothing_added),
		cmocka_unit_test(failure_sticks), cmocka_unit_test(json),
		cmocka_unit_test(compares),       cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers), cmocka_unit_test(taken),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
