/* The JSON reader, getters and writer: positions, limits, hostile input. */
#include "spec/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct arena *a, const char *text, size_t len, struct json **root, struct err *e)
{
	return json_parse(a, text, len, "f", root, e);
}

static const struct {
	const char *text, *line; /* line: what is printed, or a beginning of it */
} bad[] = {
	{"", "f:1:1: not valid JSON"},
	{" \n ", "f:2:2: not valid JSON"},
	{"{]", "f:1:2: not valid JSON"},
	{"{\"a\":1,}", "f:1:"},
	{"[1 2]", "f:1:"},
	{"{} x", "f:1:"},
	{"{}{}", "f:1:"},
	{"[01]", "f:1:"},
	{"nul", "f:1:"},
	{"'a'", "f:1:"},
	{"[\"a", "f:1:"},
	{"\xef\xbb\xbf{}", "f:1:"},
	{"// c\n{}", "f:1:"},
	{"[\"a\tb\"]", "f:1:"},
	{"[\"\\u0000\"]", "f:1:2: a NUL character"},
	{"{\"x\": [0, \"\\u0000\"]}", "f:1:11: /x: a NUL character"},
	{"{\"a\\u0000b\": 1}", "f:1:2: a NUL character"},
	{"[\"\\ud800\"]", "f:1:2: half of a surrogate"},
	{"[\"\\udc00\"]", "f:1:2: half of a surrogate"},
	{"[\"\\ud800\\u0041\"]", "f:1:2: half of a surrogate"},
	{"[\"\\ud800x\"]", "f:1:2: half of a surrogate"},
	{"[\"\xc0\x80\"]", "f:1:"},
	{"[\"\xed\xa0\x80\"]", "f:1:2: a string is not valid UTF-8"},
	{"[\"\xf5\x80\x80\x80\"]", "f:1:"},
	{"[\"\xff\"]", "f:1:"},
	{"[\"\xe2\x82\"]", "f:1:"},
	{"{\"a\": 1,\n \"b\": 2,\n \"a\": 3}",
	 "f:3:2: /a: the key \"a\" stands twice in one object, first at f:1:2"},
	{"{\"p\": [{}, {\"q/~\": 1, \"q/~\": 2}]}", "f:1:23: /p/1/q~1~0: the key \"q/~\" stands"},
	{"{\"a\\n\": 1, \"a\\u000a\": 1}", "f:1:12: /a\\u000a: the key \"a\\u000a\" stands"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena a = {0};
		struct json *root = (void *)1;
		struct err e = {0};
		char line[1600];

		assert_true(parse(&a, bad[i].text, strlen(bad[i].text), &root, &e) < 0);
		assert_ptr_equal(root, (void *)1);
		assert_int_equal(e.kind, ERR_SPEC);
		err_line(&e, line, sizeof(line));
		if (strncmp(line, bad[i].line, strlen(bad[i].line)) != 0)
			fail_msg("case %zu: %s\n wanted: %s", i, line, bad[i].line);
		assert_null(strchr(line, '\n'));
	}
}

static void test_positions(void **state)
{
	static const char text[] =
		"{\n\t\"a\": [1, -2.5e3, true,\n  null],\n \"\xc3\xa4\\\"\\\\\": "
		"\"x\\\"y\\\\\", \"o\": {\"k\" : false}, \"s\": \"\"}";
	auto_arena a = {0};
	struct json *root = NULL;
	struct err e = {0};
	static const struct {
		const char *pointer;
		enum json_type type;
		unsigned line, column;
	} want[] = {
		{"", JSON_OBJECT, 1, 1},
		{"/a", JSON_ARRAY, 2, 7},
		{"/a/0", JSON_NUMBER, 2, 8},
		{"/a/1", JSON_NUMBER, 2, 11},
		{"/a/2", JSON_BOOL, 2, 19},
		{"/a/3", JSON_NULL, 3, 3},
		{"/\xc3\xa4\"\\", JSON_STRING, 4, 11},
		{"/o", JSON_OBJECT, 4, 26},
		{"/o/k", JSON_BOOL, 4, 33},
		{"/s", JSON_STRING, 4, 46},
	};

	(void)state;
	assert_int_equal(parse(&a, text, strlen(text), &root, &e), 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct json *j = json_find(root, want[i].pointer, false);

		assert_non_null(j);
		if (j->type != want[i].type || j->line != want[i].line ||
		    j->column != want[i].column)
			fail_msg("%s: type %d at %u:%u", want[i].pointer, j->type, j->line,
				 j->column);
	}
	assert_string_equal(json_find(root, "/\xc3\xa4\"\\", false)->u.string, "x\"y\\");
	assert_int_equal(json_get(root, "a")->key_line, 2);
	assert_int_equal(json_get(root, "a")->key_column, 2);
	assert_null(json_find(root, "/a/4", false));
	assert_null(json_find(root, "/a/00", false));
	assert_ptr_equal(json_find(root, "/a/4/x", true), json_get(root, "a"));
}

static void test_scalar_root(void **state)
{
	auto_arena a = {0};
	struct json *root = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&a, " \n 42", 5, &root, &e), 0);
	assert_string_equal(root->u.number, "42");
	assert_int_equal(root->line, 2);
	assert_int_equal(root->column, 2);
}

static void test_getters(void **state)
{
	static const char text[] =
		"{\"s\":\"x\",\"i\":-5,\"u\":18446744073709551615,\"b\":true,\"f\":1.5}";
	auto_arena a = {0};
	struct json *root = NULL;
	struct err e = {0};
	const char *s = NULL;
	int64_t i = 7;
	uint64_t u = 7;
	bool b = false;

	(void)state;
	assert_int_equal(parse(&a, text, strlen(text), &root, &e), 0);
	assert_true(json_get_string(root, "s", &s));
	assert_string_equal(s, "x");
	assert_true(json_get_u64(root, "u", &u) && u == UINT64_MAX);
	assert_false(json_get_i64(root, "u", &i));
	assert_false(json_get_i64(root, "f", &i));
	assert_int_equal(i, 7);
	assert_true(json_get_i64(root, "i", &i) && i == -5);
	assert_true(json_get_bool(root, "b", &b) && b);
	assert_false(json_get_bool(root, "s", &b));
	assert_false(json_get_string(root, "none", &s));
	assert_null(json_get(json_get(root, "s"), "x"));
	assert_null(json_get(NULL, "x"));
}

static void nested(char *buf, unsigned n)
{
	memset(buf, '[', n);
	memset(buf + n, ']', n);
}

static void test_limits(void **state)
{
	auto_arena a = {0};
	struct json *root = NULL;
	struct err e = {0};
	char deep[2 * (JSON_MAX_DEPTH + 1)];
	size_t n = JSON_MAX_VALUES * 2 + 10;
	char *many = malloc(JSON_MAX_BYTES + 1);

	(void)state;
	assert_non_null(many);
	nested(deep, JSON_MAX_DEPTH);
	assert_int_equal(parse(&a, deep, 2 * JSON_MAX_DEPTH, &root, &e), 0);
	nested(deep, JSON_MAX_DEPTH + 1);
	assert_true(parse(&a, deep, sizeof(deep), &root, &e) < 0);
	assert_non_null(strstr(e.text, "64 levels"));
	memset(many, '[', JSON_MAX_BYTES + 1);
	assert_true(parse(&a, many, JSON_MAX_BYTES, &root, &e) < 0);
	assert_true(parse(&a, many, JSON_MAX_BYTES + 1, &root, &e) < 0);
	assert_int_equal(e.code, EFBIG);
	for (size_t i = 0; i < n; i += 2)
		memcpy(many + i, i ? ",1" : "[1", 2);
	assert_true(parse(&a, many, n, &root, &e) < 0);
	assert_non_null(strstr(e.text, "1048576 values"));
	free(many);
}

/* 100,000 keys, in an order that is bad for naive look-ups. */
static void test_many_keys(void **state)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct json *root = NULL;
	struct err e = {0};

	(void)state;
	strbuf_puts(&b, "{");
	for (int i = 100000; i > 0; i--)
		strbuf_printf(&b, "\"key%d\":1,\n", i);
	size_t len = b.len;
	strbuf_puts(&b, "\"z\":1}");
	assert_int_equal(parse(&a, b.s, b.len, &root, &e), 0);
	assert_int_equal(root->u.list.n, 100001);
	b.len = len;
	strbuf_puts(&b, "\"key500\":1}");
	assert_true(parse(&a, b.s, b.len, &root, &e) < 0);
	assert_string_equal(e.where, "f:100001:1: /key500");
	assert_non_null(strstr(e.text, "first at f:99501:1"));
}

/* Every prefix, and every single byte changed, of a document: no crash, and errors say something.
 */
static void test_mutations(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2.5e3,\"\\ud83d\\ude00\\n\",{\"b\":null}],\"c\":true}";
	char copy[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		for (int c = 0; c < 256; c++) {
			auto_arena a = {0};
			struct json *root = NULL;
			struct err e = {0};
			size_t len = c == 0 ? i : sizeof(text) - 1;

			memcpy(copy, text, sizeof(text));
			if (c && i < sizeof(text) - 1)
				copy[i] = (char)c;
			if (parse(&a, copy, len, &root, &e) < 0)
				assert_true(e.text[0] && e.where[0]);
			else
				assert_non_null(root);
		}
	}
}

static void test_quote(void **state)
{
	char buf[24];

	(void)state;
	assert_string_equal(json_quote("a\"b\\c\n\x1b\xc2\x9b", buf, sizeof(buf)),
			    "\"a\\\"b\\\\c\\u000a...\"");
	assert_string_equal(json_quote("proc", buf, sizeof(buf)), "\"proc\"");
	for (size_t size = 8; size < sizeof(buf); size++) {
		json_quote(
			"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
			buf, size);
		assert_true(strlen(buf) < size);
	}
}

static void write_all(struct strbuf *b, const char *indent)
{
	struct json_out o;

	json_out_init(&o, b, indent);
	json_obj_open(&o, NULL);
	json_put_str(&o, "s", "a\"\n");
	json_arr_open(&o, "l");
	json_put_i64(&o, NULL, INT64_MIN);
	json_put_u64(&o, NULL, UINT64_MAX);
	json_arr_close(&o);
	json_arr_open(&o, "e");
	json_arr_close(&o);
	json_obj_open(&o, "o");
	json_put_bool(&o, "t", true);
	json_put_null(&o, "n");
	json_obj_close(&o);
	json_obj_close(&o);
}

static void test_writer(void **state)
{
	auto_strbuf compact = {0}, pretty = {0};

	(void)state;
	write_all(&compact, NULL);
	assert_string_equal(compact.s,
			    "{\"s\":\"a\\\"\\n\",\"l\":[-9223372036854775808,18446744073709551615],"
			    "\"e\":[],\"o\":{\"t\":true,\"n\":null}}");
	write_all(&pretty, "\t");
	assert_string_equal(
		pretty.s, "{\n\t\"s\": \"a\\\"\\n\",\n\t\"l\": [\n\t\t-9223372036854775808,\n\t\t"
			  "18446744073709551615\n\t],\n\t\"e\": [],\n\t\"o\": {\n\t\t\"t\": true,\n"
			  "\t\t\"n\": null\n\t}\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),         cmocka_unit_test(test_positions),
		cmocka_unit_test(test_scalar_root), cmocka_unit_test(test_getters),
		cmocka_unit_test(test_limits),      cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_mutations),   cmocka_unit_test(test_quote),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
