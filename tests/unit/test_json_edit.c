/* Edits of JSON text by pointer: what is named changes, nothing else does. */
#include "spec/json_edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_EDITS 6
#define DEL(p)                 \
	{                      \
		p, NULL, false \
	}

static const struct {
	const char *doc;
	struct json_edit edits[MAX_EDITS];
	const char *want;
} good[] = {
	/* Nothing to do: every byte stays. */
	{" {\t\"a\" :1 ,\r\n\"b\":[ ] } \n", {{0}}, " {\t\"a\" :1 ,\r\n\"b\":[ ] } \n"},
	/* Replacing: scalars, lists, the root. */
	{"{\"a\": 1, \"b\": 2}", {{"/a", "\"x\"", false}}, "{\"a\": \"x\", \"b\": 2}"},
	{"{\"a\": -1.5e3 }", {{"/a", "null", false}}, "{\"a\": null }"},
	{"{\"a\": true, \"b\": false, \"c\": null}",
	 {{"/c", "3", false}, {"/a", "1", false}, {"/b", "2", false}},
	 "{\"a\": 1, \"b\": 2, \"c\": 3}"},
	{"{\"a\": [1, {\"b\": 2}] , \"c\":3}", {{"/a", "{}", false}}, "{\"a\": {} , \"c\":3}"},
	{"[[1,2],[3,4]]", {{"/1/0", "[9]", false}}, "[[1,2],[[9],4]]"},
	{" 7 ", {{"", "[1, 2]", false}}, " [1, 2] "},
	{" \"s\"", {{"", "0", false}}, " 0"},
	{"{\"a\":{\"b\":{\"c\":1}}}",
	 {{"/a/b/c", "{\"c\":1}", false}},
	 "{\"a\":{\"b\":{\"c\":{\"c\":1}}}}"},
	/* Two in one list, one in another. */
	{"{\"m\": [{\"s\": \"a\"}, {\"s\": \"b\"}], \"r\": {\"p\": \"x\"}}",
	 {{"/r/p", "\"R\"", false}, {"/m/1/s", "\"B\"", false}, {"/m/0/s", "\"A\"", false}},
	 "{\"m\": [{\"s\": \"A\"}, {\"s\": \"B\"}], \"r\": {\"p\": \"R\"}}"},
	/* Removing: the first, one inside, the last, all. */
	{"{\"a\": 1, \"b\": 2, \"c\": 3}", {DEL("/a")}, "{\"b\": 2, \"c\": 3}"},
	{"{\"a\": 1, \"b\": 2, \"c\": 3}", {DEL("/b")}, "{\"a\": 1, \"c\": 3}"},
	{"{\"a\": 1, \"b\": 2, \"c\": 3 }", {DEL("/c")}, "{\"a\": 1, \"b\": 2 }"},
	{"{ \"a\": 1, \"b\": 2 }", {DEL("/b"), DEL("/a")}, "{  }"},
	{"[\n  1,\n  2,\n  3\n]", {DEL("/0"), DEL("/2")}, "[\n  2\n]"},
	{"[1,2,3,4]", {DEL("/1"), DEL("/0")}, "[3,4]"},
	{"[1,2,3,4]", {DEL("/3"), DEL("/2")}, "[1,2]"},
	{"[[1],[2]]", {DEL("/0/0"), DEL("/1/0")}, "[[],[]]"},
	/* Absent already, or named twice. */
	{"{\"a\":1}", {DEL("/x"), DEL("/a/b"), DEL("/x/y/z"), DEL("/a/0")}, "{\"a\":1}"},
	{"[1,2]", {DEL("/0"), DEL("/0")}, "[2]"},
	/* Pointers of before: indices don't move. */
	{"[0,1,2,3]", {DEL("/1"), {"/2", "\"two\"", false}, DEL("/3")}, "[0,\"two\"]"},
	{"[0,1]", {DEL("/0"), {"/1", "9", false}}, "[9]"},
	/* Creating, and setting what is there. */
	{"{}", {{"/a", "1", true}}, "{\"a\":1}"},
	{"{ }", {{"/a", "1", true}, {"/b", "[]", true}}, "{\"a\":1,\"b\":[] }"},
	{"{\"a\": 1 }", {{"/b", "2", true}, {"/c", "3", true}}, "{\"a\": 1,\"b\":2,\"c\":3 }"},
	{"{\"a\": 1}", {{"/a", "2", true}}, "{\"a\": 2}"},
	{"{\"a\": 1}", {DEL("/a"), {"/b", "2", true}}, "{\"b\":2}"},
	{"{\"a\": 1, \"b\": 2}",
	 {{"/c", "3", true}, DEL("/b"), {"/d", "4", true}},
	 "{\"a\": 1,\"c\":3,\"d\":4}"},
	{"{\"l\": {\"a\": {}}}",
	 {{"/l/a/b", "1", true}, {"/l/c", "2", true}, {"/d", "3", true}},
	 "{\"l\": {\"a\": {\"b\":1},\"c\":2},\"d\":3}"},
	{"{\"m\":[1]}", {{"/m/-", "2", true}, {"/m/-", "3", true}}, "{\"m\":[1,2,3]}"},
	{"{\"m\":[]}", {{"/m/-", "2", true}}, "{\"m\":[2]}"},
	{"{\"m\":[7]}", {{"/m/-", "2", true}, DEL("/m/0")}, "{\"m\":[2]}"},
	{"[]", {{"/-", "2", true}}, "[2]"},
	{"{}", {{"/-", "2", true}}, "{\"-\":2}"},
	/* Names with escapes, beyond ASCII, empty; looking like an index. */
	{"{\"a/b\": 1, \"c~d\": 2, \"\": 3}",
	 {{"/a~1b", "\"s\"", false}, DEL("/c~0d"), {"/", "4", false}},
	 "{\"a/b\": \"s\", \"\": 4}"},
	{"{\"\\u0061\\\"\": 1}", {{"/a\"", "2", false}}, "{\"\\u0061\\\"\": 2}"},
	{"{\"\xc3\xa4\": \"\xe2\x82\xac\", \"b\": \"\\ud83d\\ude00\"}",
	 {{"/\xc3\xa4", "\"\xc3\xb6\"", false}, DEL("/b")},
	 "{\"\xc3\xa4\": \"\xc3\xb6\"}"},
	{"{}", {{"/a~1\"~0\xc3\xa4", "1", true}}, "{\"a/\\\"~\xc3\xa4\":1}"},
	{"{\"x\": \"]},{\\\"\\\\\", \"y\": 1}",
	 {{"/y", "2", false}},
	 "{\"x\": \"]},{\\\"\\\\\", \"y\": 2}"},
	{"{\"x\": \"\\\\\", \"y\": \"\\\"\"}", {DEL("/x")}, "{\"y\": \"\\\"\"}"},
	{"{\"0\": 1, \"00\": 2}", {DEL("/0")}, "{\"00\": 2}"},
	{"[1,2]", {DEL("/00"), DEL("/ 1"), DEL("/-1")}, "[1,2]"},
	{"{\"a\\nb\": 1}", {{"/a\\u000ab", "2", false}}, "{\"a\\nb\": 2}"},
};

static size_t count(const struct json_edit *edits)
{
	size_t n = 0;

	while (n < MAX_EDITS && edits[n].pointer)
		n++;
	return n;
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_strbuf out = {0};
		struct err e = {0};
		int rc = json_edit(good[i].doc, strlen(good[i].doc), "f", good[i].edits,
				   count(good[i].edits), &out, &e);

		if (rc != 0)
			fail_msg("case %zu: %s: %s", i, e.where, e.text);
		if (strcmp(out.s, good[i].want) != 0)
			fail_msg("case %zu: %s\n wanted: %s", i, out.s, good[i].want);
	}
}

static const struct {
	const char *doc;
	struct json_edit edits[MAX_EDITS];
	enum err_kind kind;
	int code;
	const char *where;
} bad[] = {
	{"{\"a\":1,}", {{"/a", "1", false}}, ERR_SPEC, EINVAL, "f:1:8"},
	{"{\"a\":1,\"a\":2}", {{"/a", "1", false}}, ERR_SPEC, EINVAL, "f:1:8: /a"},
	/* Nothing to replace, or no place to create in. */
	{"{\"a\":1}", {{"/b", "1", false}}, ERR_SPEC, ENOENT, "/b"},
	{"{\"a\":1}", {{"/b/c", "1", true}}, ERR_SPEC, ENOENT, "/b/c"},
	{"{\"a\":1}", {{"/a/c", "1", true}}, ERR_SPEC, ENOENT, "/a/c"},
	{"[1]", {{"/1", "1", true}}, ERR_SPEC, ENOENT, "/1"},
	{"[1]", {{"/-", "1", false}}, ERR_SPEC, ENOENT, "/-"},
	/* No pointer, no JSON. */
	{"{\"a\":1}", {{"a", "1", false}}, ERR_INTERNAL, EINVAL, "a"},
	{"{\"a\":1}", {DEL("")}, ERR_INTERNAL, EINVAL, "/"},
	{"{\"a\":1}", {{"/a", "", false}}, ERR_INTERNAL, EINVAL, "/a"},
	{"{\"a\":1}", {{"/a", "1,\"b\":2", false}}, ERR_INTERNAL, EINVAL, "/a"},
	{"{\"a\":1}", {{"/a", "1 2", false}}, ERR_INTERNAL, EINVAL, "/a"},
	{"{\"a\":1}", {{"/a", "{\"b\":", false}}, ERR_INTERNAL, EINVAL, "/a"},
	/* Contradictions. */
	{"{\"a\":1}", {{"/a", "1", false}, {"/a", "2", false}}, ERR_INTERNAL, EINVAL, "/a"},
	{"{\"a\":1}", {{"/a", "1", false}, DEL("/a")}, ERR_INTERNAL, EINVAL, "/a"},
	{"[1,2]", {DEL("/1"), {"/1", "1", false}}, ERR_INTERNAL, EINVAL, "/1"},
	{"{\"a\":{\"b\":1}}",
	 {{"/a", "1", false}, {"/a/b", "2", false}},
	 ERR_INTERNAL,
	 EINVAL,
	 "/a/b"},
	{"{\"a\":{\"b\":1}}", {{"/a/b", "2", false}, DEL("/a")}, ERR_INTERNAL, EINVAL, "/a/b"},
	{"{\"z\":0,\"a\":{\"b\":1}}", {DEL("/a/b"), DEL("/a")}, ERR_INTERNAL, EINVAL, "/a/b"},
	{"{\"a\":{}}", {{"/a/b", "2", true}, DEL("/a")}, ERR_INTERNAL, EINVAL, "/a/b"},
	{"{}", {{"/a", "1", true}, {"/a", "2", true}}, ERR_INTERNAL, EINVAL, "/a"},
	{"{\"x\":1}",
	 {{"/a", "1", true}, {"/b", "1", true}, {"/a", "2", true}},
	 ERR_INTERNAL,
	 EINVAL,
	 "/a"},
	{"{\"x\":1}", {{"", "2", false}, {"/x", "2", false}}, ERR_INTERNAL, EINVAL, "/x"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_strbuf out = {0};
		struct err e = {0};
		int rc = json_edit(bad[i].doc, strlen(bad[i].doc), "f", bad[i].edits,
				   count(bad[i].edits), &out, &e);

		if (rc != -bad[i].code || e.kind != bad[i].kind || strcmp(e.where, bad[i].where))
			fail_msg("case %zu: %d, kind %d, at %s: %s", i, rc, e.kind, e.where,
				 e.text);
		assert_int_equal(out.len, 0);
	}
}

/* Of lists of every length up to 5, every subset removed and every number of new ones: what is left
 * is what is to be left, in its order, and JSON. */
static void list_text(char *buf, size_t size, bool object, unsigned n, const char *blank)
{
	size_t at = (size_t)snprintf(buf, size, "%s", object ? "{" : "[");

	for (unsigned i = 0; i < n; i++) {
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? "," : "", blank);
		if (object)
			at += (size_t)snprintf(buf + at, size - at, "\"%u\"%s:", i, blank);
		at += (size_t)snprintf(buf + at, size - at, "%u%s", i, blank);
	}
	snprintf(buf + at, size - at, "%s", object ? "}" : "]");
}

static void check_list(bool object, unsigned n, unsigned removed, unsigned added, const char *blank)
{
	static const char *const pointers[] = {"/0", "/1", "/2", "/3", "/4"};
	static const char *const fresh[] = {"/10", "/11"}, *const texts[] = {"10", "11"};
	struct json_edit edits[8];
	char doc[200];
	size_t k = 0;
	auto_strbuf out = {0};
	auto_arena a = {0};
	struct err e = {0};
	struct json *root;
	const struct json *c;

	list_text(doc, sizeof(doc), object, n, blank);
	for (unsigned i = n; i-- > 0;)
		if (removed & 1u << i)
			edits[k++] = (struct json_edit){pointers[i], NULL, false};
	for (unsigned i = 0; i < added; i++)
		edits[k++] = (struct json_edit){object ? fresh[i] : "/-", texts[i], true};
	assert_int_equal(json_edit(doc, strlen(doc), "f", edits, k, &out, &e), 0);
	if (json_parse(&a, out.s, out.len, "out", &root, &e) < 0)
		fail_msg("%s became %s: %s", doc, out.s, e.text);
	c = root->u.list.first;
	for (unsigned i = 0; i < n + added; i++) {
		unsigned want = i < n ? i : 10 + i - n;

		if (i < n && removed & 1u << i)
			continue;
		if (!c || (unsigned)atoi(c->u.number) != want ||
		    (object && (unsigned)atoi(c->key) != want))
			fail_msg("%s became %s", doc, out.s);
		c = c->next;
	}
	assert_null(c);
}

static void test_all_lists(void **state)
{
	static const char *const blanks[] = {"", " ", "\n\t"};

	(void)state;
	for (unsigned n = 0; n <= 5; n++)
		for (unsigned removed = 0; removed < 1u << n; removed++)
			for (unsigned added = 0; added <= 2; added++)
				for (unsigned b = 0; b < 3; b++) {
					check_list(false, n, removed, added, blanks[b]);
					check_list(true, n, removed, added, blanks[b]);
				}
}

/* It appends, and a document may be part of a larger text without an end of its own. */
static void test_append(void **state)
{
	struct json_edit edit = {"/a", "2", false};
	auto_strbuf out = {0};
	struct err e = {0};

	(void)state;
	strbuf_puts(&out, ">");
	assert_int_equal(json_edit("{\"a\":1}garbage", 7, "f", &edit, 1, &out, &e), 0);
	assert_string_equal(out.s, ">{\"a\":2}");
}

/* What the edits stand on: every value's bytes, from its first to behind its last. */
static void test_extents(void **state)
{
	static const char text[] =
		" {\"k\\\"\" : [ 1.5 , \"\\u00e4\\\\\" ,{} ] ,\"n\":null,\"t\":true} ";
	static const struct {
		const char *pointer, *want;
	} cases[] = {
		{"", "{\"k\\\"\" : [ 1.5 , \"\\u00e4\\\\\" ,{} ] ,\"n\":null,\"t\":true}"},
		{"/k\"", "[ 1.5 , \"\\u00e4\\\\\" ,{} ]"},
		{"/k\"/0", "1.5"},
		{"/k\"/1", "\"\\u00e4\\\\\""},
		{"/k\"/2", "{}"},
		{"/n", "null"},
		{"/t", "true"},
	};
	auto_arena a = {0};
	struct err e = {0};
	struct json *root;

	(void)state;
	assert_int_equal(json_parse(&a, text, strlen(text), "f", &root, &e), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct json *j = json_find(root, cases[i].pointer, false);

		assert_non_null(j);
		assert_int_equal(j->end - j->start, strlen(cases[i].want));
		assert_memory_equal(text + j->start, cases[i].want, strlen(cases[i].want));
		if (j->key)
			assert_int_equal(text[j->key_start], '"');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
		cmocka_unit_test(test_all_lists), cmocka_unit_test(test_append),
		cmocka_unit_test(test_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
