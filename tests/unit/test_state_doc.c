/* tests/unit/test_state_doc.c: state.json there and back, damaged ones, and what `state` prints. */
#include "runtime/container.h"
#include "spec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct spec_pair pairs[] = {{"k", "v"}, {"odd \"key\"\n", "\xc3\xa4 \\ /"}, {"", ""}};

static struct st_doc sample(void)
{
	return (struct st_doc){.oci_version = "1.2.0",
			       .id = "box",
			       .bundle = "/b \"x\"",
			       .rootfs = "/b/rootfs",
			       .created = "2026-01-02T03:04:05.000000006Z",
			       .backend = "shared",
			       .cgroup = "/ringfence/box;memory=/a",
			       .streams = {"pipe:[7]", NULL, "file[2a:6b]"},
			       .owner = 4294967294u,
			       .pid = 12345,
			       .ticks = 18446744073709551615ull,
			       .paused = true,
			       .poststop = true,
			       .annotations = {pairs, 3}};
}

static void there_and_back(void **state)
{
	struct st_doc in = sample(), out;
	auto_strbuf text = {0};
	auto_arena a = {0};
	struct err e = {0};

	(void)state;
	st_doc_write(&in, &text);
	assert_false(text.failed);
	assert_int_equal(st_doc_parse(&a, text.s, text.len, &out, &e), 0);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.bundle, in.bundle);
	assert_string_equal(out.cgroup, in.cgroup);
	assert_string_equal(out.streams[0], in.streams[0]);
	assert_null(out.streams[1]);
	assert_string_equal(out.streams[2], in.streams[2]);
	assert_int_equal(out.owner, in.owner);
	assert_int_equal(out.pid, in.pid);
	assert_true(out.ticks == in.ticks);
	assert_true(out.paused);
	assert_true(out.poststop);
	assert_false(out.systemd);
	assert_false(out.poststart);
	assert_int_equal(out.annotations.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(out.annotations.items[i].key, pairs[i].key);
		assert_string_equal(out.annotations.items[i].value, pairs[i].value);
	}
}

static void absent_stays_absent(void **state)
{
	struct st_doc in = sample(), out;
	auto_strbuf text = {0};
	auto_arena a = {0};
	struct err e = {0};

	(void)state;
	in.cgroup = NULL;
	in.annotations.n = 0;
	st_doc_write(&in, &text);
	assert_int_equal(st_doc_parse(&a, text.s, text.len, &out, &e), 0);
	assert_null(out.cgroup);
	assert_int_equal(out.annotations.n, 0);
}

/* Every cut of a document is an error and never a crash. */
static void truncated(void **state)
{
	struct st_doc in = sample(), out = {.pid = 7};
	auto_strbuf text = {0};

	(void)state;
	st_doc_write(&in, &text);
	for (size_t n = 0; n + 2 < text.len; n++) {
		auto_arena a = {0};
		struct err e = {0};
		assert_true(st_doc_parse(&a, text.s, n, &out, &e) < 0);
		assert_int_equal(out.pid, 7);
	}
}

static void damaged(void **state)
{
#define HEAD "{\"format\":1,\"ociVersion\":\"1\",\"id\":\"x\",\"bundle\":\"b\",\"rootfs\":\"r\","
#define MORE "\"created\":\"c\",\"backend\":\"shared\","
	static const char *const bad[] = {
		"[]",
		"{}",
		HEAD MORE "\"owner\":0,\"pid\":1}",
		HEAD MORE "\"owner\":0,\"pid\":-1,\"startTicks\":1}",
		HEAD MORE "\"owner\":0,\"pid\":99999999999,\"startTicks\":1}",
		HEAD MORE "\"owner\":0,\"pid\":\"1\",\"startTicks\":1}",
		HEAD MORE "\"owner\":4294967296,\"pid\":1,\"startTicks\":1}",
		HEAD MORE "\"cgroup\":3,\"owner\":0,\"pid\":1,\"startTicks\":1}",
		HEAD MORE "\"annotations\":[],\"owner\":0,\"pid\":1,\"startTicks\":1}",
		HEAD MORE "\"annotations\":{\"a\":1},\"owner\":0,\"pid\":1,\"startTicks\":1}",
		HEAD "\"created\":null,\"backend\":\"s\",\"owner\":0,\"pid\":1,\"startTicks\":1}",
		"{\"format\":2}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena a = {0};
		struct st_doc out;
		struct err e = {0};
		assert_true(st_doc_parse(&a, bad[i], strlen(bad[i]), &out, &e) < 0);
		assert_true(e.text[0] != '\0');
	}
}

static void printed_state(void **state)
{
	struct rt_info info = {.oci_version = "1.2.0",
			       .id = "box",
			       .bundle = "/b",
			       .rootfs = "/b/r",
			       .created = "now",
			       .owner = "root",
			       .status = RT_PAUSED,
			       .pid = 42,
			       .annotations = {pairs, 2}};
	auto_strbuf text = {0};
	auto_arena a = {0};
	struct err e = {0};
	struct json *j;
	const char *s;
	int64_t pid;

	(void)state;
	rt_state_json(&info, true, &text);
	assert_int_equal(json_parse(&a, text.s, text.len, "state", &j, &e), 0);
	assert_true(json_get_string(j, "status", &s));
	assert_string_equal(s, "paused");
	assert_true(json_get_i64(j, "pid", &pid));
	assert_int_equal(pid, 42);
	assert_true(json_get_string(j, "ociVersion", &s));
	assert_true(json_get_string(json_get(j, "annotations"), "k", &s));
	assert_string_equal(s, "v");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
					   cmocka_unit_test(absent_stays_absent),
					   cmocka_unit_test(truncated), cmocka_unit_test(damaged),
					   cmocka_unit_test(printed_state)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
