/* Texts of statistics files: as kernels write them, cut short, out of range, from a later kernel.
 */
#include "cgroups/internal.h"
#include "cli/opt.h"
#include "runtime/container.h"
#include "spec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void numbers(void **state)
{
	uint64_t v = 7;
	(void)state;

	assert_true(cg_parse_u64("12\n", &v) && v == 12);
	assert_true(cg_parse_u64("max\n", &v) && v == UINT64_MAX);
	assert_true(cg_parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
	v = 7;
	assert_false(cg_parse_u64("18446744073709551616", &v));
	assert_false(cg_parse_u64("", &v));
	assert_false(cg_parse_u64("-1\n", &v));
	assert_false(cg_parse_u64("maximum", &v));
	assert_false(cg_parse_u64("000000000000000000000000000001", &v));
	assert_int_equal(v, 7);
}

static void keys(void **state)
{
	uint64_t v = 7;
	(void)state;

	assert_true(cg_parse_key("low 1\nmax 2\noom 3\noom_kill 4\n", "oom", &v) && v == 3);
	assert_true(cg_parse_key("oom_kill 4", "oom_kill", &v) && v == 4);
	v = 7;
	assert_false(cg_parse_key("xoom 1\noom_kill 4\n", "oom", &v));
	assert_false(cg_parse_key("oom x\n", "oom", &v));
	assert_false(cg_parse_key("oom", "oom", &v));
	assert_false(cg_parse_key("", "oom", &v));
	assert_int_equal(v, 7);
}

static void flat(void **state)
{
	auto_arena a = {0};
	struct cg_counter *c;
	size_t n;
	(void)state;

	assert_int_equal(cg_parse_flat(&a, "anon 5\n\nbad\nneg -1\n 3\nfile 6", &c, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(c[0].name, "anon");
	assert_string_equal(c[1].name, "file");
	assert_int_equal(c[1].v, 6);
	assert_int_equal(cg_parse_flat(&a, "", &c, &n), 0);
	assert_int_equal(n, 0);
}

static void columns(void **state)
{
	auto_arena a = {0};
	struct cg_u64s l;
	(void)state;

	assert_int_equal(cg_parse_columns(&a, "10 20 30 \n", false, 0, &l), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.v[2], 30);
	assert_int_equal(cg_parse_columns(&a, "cpu user system\n0 1 2\n1 3 4\n2 5\n", true, 2, &l),
			 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[0], 2);
	assert_int_equal(l.v[1], 4);
	assert_int_equal(cg_parse_columns(&a, "", true, 1, &l), 0);
	assert_int_equal(l.n, 0);
}

static size_t list(struct arena *a, const char *text, struct cg_u64s *ret)
{
	*ret = (struct cg_u64s){0};
	assert_int_equal(cg_parse_list(a, text, ret), 0);
	return ret->n;
}

static void lists(void **state)
{
	auto_arena a = {0};
	struct cg_u64s l;
	(void)state;

	assert_int_equal(list(&a, "0-2,5\n", &l), 4);
	assert_int_equal(l.v[3], 5);
	assert_int_equal(list(&a, "7", &l), 1);
	assert_int_equal(list(&a, "\n", &l), 0);
	assert_int_equal(list(&a, "", &l), 0);
	assert_int_equal(list(&a, "3-1\n", &l), 0);
	assert_int_equal(list(&a, "-1\n", &l), 0);
	assert_int_equal(list(&a, "0-18446744073709551615\n", &l), 0);
	assert_int_equal(list(&a, "0-65535,0-65535\n", &l), 0);
	assert_int_equal(list(&a, "1,,2\n", &l), 1);
	assert_int_equal(list(&a, "1,", &l), 1);
}

static void blkio(void **state)
{
	auto_arena a = {0};
	struct cg_io_list l;
	(void)state;

	assert_int_equal(
		cg_parse_blkio(&a, "8:0 Read 512\n259:16 Total 9\nTotal 9\n8:1\n:1 R 2\n", &l), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.items[1].major, 259);
	assert_int_equal(l.items[1].minor, 16);
	assert_string_equal(l.items[1].op, "Total");
	assert_int_equal(l.items[1].value, 9);
}

static void io_stat(void **state)
{
	static const char *const names[3] = {"rbytes", "wbytes", "dbytes"};
	auto_arena a = {0};
	struct cg_io_list l;
	(void)state;

	assert_int_equal(
		cg_parse_io_stat(&a,
				 "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
				 "8:16 xrbytes=9 cost.usage=3\n8:32\n\n8:48 wbytes=x rbytes=7",
				 names, &l),
		0);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.items[2].op, "Discard");
	assert_int_equal(l.items[2].value, 5);
	assert_int_equal(l.items[3].minor, 48);
	assert_int_equal(l.items[3].value, 7);
}

static void pressure(void **state)
{
	struct cg_pressure p = {0};
	(void)state;

	cg_parse_pressure("", &p);
	cg_parse_pressure("some avg10=1 avg60=2 avg300=3 total=4\n", &p);
	cg_parse_pressure("some avg10=1.50 avg60=2.00\nfull avg300=1.00 total=4\n", &p);
	assert_false(p.set);
	cg_parse_pressure("some avg10=93.27 avg60=0.05 avg300=100.00 total=158\n"
			  "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
			  &p);
	assert_true(p.set);
	assert_int_equal(p.some.avg10, 9327);
	assert_int_equal(p.some.avg60, 5);
	assert_int_equal(p.some.avg300, 10000);
	assert_int_equal(p.some.total, 158);
	assert_int_equal(p.full.total, 9);
}

static void netdev(void **state)
{
	static const char text[] =
		"Inter-|   Receive                            |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes\n"
		"    lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
		"  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
		" a:b: 9 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
		"name-longer-than-any: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
		"short: 1 2\n";
	struct rt_netdev d[4];
	(void)state;

	assert_int_equal(rt_netdev_parse(text, d, 4), 2);
	assert_string_equal(d[0].name, "eth0");
	assert_int_equal(d[0].rx_dropped, 4);
	assert_int_equal(d[0].tx_bytes, 5);
	assert_int_equal(d[0].tx_dropped, 8);
	assert_string_equal(d[1].name, "a:b");
	assert_int_equal(rt_netdev_parse(text, d, 1), 1);
	assert_int_equal(rt_netdev_parse("", d, 4), 0);
}

/* A container without a control group: a whole document all the same. */
static void empty_document(void **state)
{
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct be_stats all = {0};
	struct json *root;
	struct err e;
	(void)state;

	rt_stats_json("x\"y", &all, &out);
	assert_int_equal(json_parse(&a, out.s, out.len, "out", &root, &e), 0);
	assert_string_equal(json_find(root, "/id", false)->u.string, "x\"y");
	assert_int_equal(json_find(root, "/data/network_interfaces", false)->type, JSON_NULL);
	assert_int_equal(json_find(root, "/data/blkio", false)->u.list.n, 0);
	assert_int_equal(json_find(root, "/data/pids", false)->u.list.n, 0);
	assert_null(json_find(root, "/data/cpu/psi", false));
	assert_null(strchr(out.s, '\n'));
}

static void durations(void **state)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} good[] = {{"5s", 5000000000},
		    {"1m30s", 90000000000},
		    {"100ms", 100000000},
		    {"1.5h", 5400000000000},
		    {".5s", 500000000},
		    {"2us", 2000},
		    {"2\u00b5s", 2000},
		    {"2\u03bcs", 2000},
		    {"7ns", 7},
		    {"0", 0},
		    {"1h0.001s", 3600001000000}};
	static const char *const bad[] = {"",    "5",  "s",  "-5s", "5 s",
					  "5x",  "1.", ".s", "5s1", "9999999999999h",
					  "1s.", "5s "};
	uint64_t ns;
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(opt_duration(good[i].word, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (opt_duration(bad[i], &ns))
			fail_msg("\"%s\" was taken as %llu ns", bad[i], (unsigned long long)ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),   cmocka_unit_test(keys),
		cmocka_unit_test(flat),      cmocka_unit_test(columns),
		cmocka_unit_test(lists),     cmocka_unit_test(blkio),
		cmocka_unit_test(io_stat),   cmocka_unit_test(pressure),
		cmocka_unit_test(netdev),    cmocka_unit_test(empty_document),
		cmocka_unit_test(durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
