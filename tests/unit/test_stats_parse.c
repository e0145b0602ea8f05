/* A guest's statistics: what was written is read, and what a guest makes up isn't believed. */
#include "runtime/container.h"
#include "spec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void read_text(struct arena *a, const char *text, struct be_stats *ret)
{
	struct json *j;
	struct err e = {0};

	if (json_parse(a, text, strlen(text), "stats", &j, &e) < 0)
		fail_msg("%s: %s", e.where, e.text);
	assert_int_equal(rt_stats_parse(a, json_get(j, "data"), ret, &e), 0);
}

static void round_trip(void **state)
{
	auto_arena a = {0};
	auto_strbuf one = {0}, two = {0};
	struct cg_counter raw[] = {{"anon", 1}, {"workingset_refault_anon", UINT64_MAX}};
	struct rt_netdev nets[] = {{"eth0", 1, 2, 3, 4, 5, 6, 7, 8},
				   {"v0", 9, 0, 0, 0, 0, 0, 0, 0}};
	struct cg_pressure psi = {true, {1, 1234, 10000, 77}, {5, 100, 9999, 8}};
	struct be_stats s = {.nets = nets, .n_nets = 2}, back;
	(void)state;

	s.used.cpu.total = 1;
	s.used.cpu.user = 2;
	s.used.cpu.kernel = 3;
	s.used.cpu.periods = 4;
	s.used.cpu.throttled = 5;
	s.used.cpu.throttled_ns = 6;
	s.used.cpu.psi = s.used.memory.psi = psi;
	s.used.memory.cache = 7;
	s.used.memory.memory = (struct cg_usage){UINT64_MAX, 8, 9, 10};
	s.used.memory.swap = (struct cg_usage){11, 12, 13, 14};
	s.used.memory.kernel = (struct cg_usage){15, 16, 17, 18};
	s.used.memory.tcp = (struct cg_usage){19, 20, 21, 22};
	s.used.memory.oom = 23;
	s.used.memory.oom_kill = 24;
	s.used.memory.raw = raw;
	s.used.memory.n_raw = 2;
	s.used.pids.current = 25;
	s.used.pids.limit = 26;
	s.used.pids.failcnt = 27;
	rt_stats_json("x", &s, &one);
	read_text(&a, one.s, &back);
	rt_stats_json("x", &back, &two);
	assert_string_equal(one.s, two.s);
}

static void lies(void **state)
{
	static const char text[] =
		"{\"data\":{\"cpu\":{\"usage\":{\"total\":-5,\"user\":1e30,\"kernel\":\"7\"},"
		"\"throttling\":[],\"psi\":{\"some\":{\"avg10\":99999.5,\"avg60\":1e5,\"avg300\":7."
		"5,"
		"\"total\":\"x\"},\"full\":3}},"
		"\"memory\":{\"usage\":[1,2],\"swap\":{\"limit\":184467440737095516160},\"raw\":"
		"{\"\\u001b[2J\":1,\"ok\":2,\"UP\":3,\"\":4,\"neg\":-1,\"text\":\"5\"},\"cache\":"
		"null},"
		"\"pids\":7,\"blkio\":{\"x\":1},"
		"\"network_interfaces\":[1,{\"Name\":\"a\\u0007\"},{\"Name\":\"sixteen-letters-\"},"
		"{\"Name\":\"../x\"},{},{\"Name\":\"eth0\",\"RxBytes\":\"9\",\"TxBytes\":9}]}}";
	auto_arena a = {0};
	struct be_stats s;
	(void)state;

	read_text(&a, text, &s);
	assert_int_equal(s.used.cpu.total, 0);
	assert_int_equal(s.used.cpu.user, 0);
	assert_int_equal(s.used.cpu.kernel, 0);
	assert_true(s.used.cpu.psi.set);
	assert_int_equal(s.used.cpu.psi.some.avg10, 0);
	assert_int_equal(s.used.cpu.psi.some.avg60, 0);
	assert_int_equal(s.used.cpu.psi.some.avg300, 750);
	assert_int_equal(s.used.memory.swap.limit, 0);
	assert_int_equal(s.used.memory.n_raw, 1);
	assert_string_equal(s.used.memory.raw[0].name, "ok");
	assert_int_equal(s.used.pids.current, 0);
	assert_int_equal(s.n_nets, 1);
	assert_string_equal(s.nets[0].name, "eth0");
	assert_int_equal(s.nets[0].rx_bytes, 0);
	assert_int_equal(s.nets[0].tx_bytes, 9);
}

static void many(void **state)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct be_stats s;
	(void)state;

	strbuf_puts(&b, "{\"data\":{\"memory\":{\"raw\":{");
	for (int i = 0; i < 2000; i++)
		strbuf_printf(&b, "%s\"c%d\":%d", i ? "," : "", i, i);
	strbuf_puts(&b, "}},\"network_interfaces\":[");
	for (int i = 0; i < 2000; i++)
		strbuf_printf(&b, "%s{\"Name\":\"n%d\"}", i ? "," : "", i);
	strbuf_puts(&b, "]}}");
	read_text(&a, b.s, &s);
	assert_true(s.used.memory.n_raw < 1000);
	assert_int_equal(s.n_nets, RT_NETDEVS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(lies),
					   cmocka_unit_test(many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
