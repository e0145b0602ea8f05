/* Units: names from cgroupsPath, properties from values and annotations. */
#include "cgroups/unit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
	static const struct {
		const char *path, *unit, *slice, *dir;
		bool user;
	} rows[] = {
		{NULL, "ringfence-c.scope", "system.slice", "/system.slice/ringfence-c.scope",
		 false},
		{"", "ringfence-c.scope", "user.slice", "/user.slice/ringfence-c.scope", true},
		{"machine.slice:libpod:1f", "libpod-1f.scope", "machine.slice",
		 "/machine.slice/libpod-1f.scope", false},
		{"a-b-c.slice:p:n", "p-n.scope", "a-b-c.slice",
		 "/a.slice/a-b.slice/a-b-c.slice/p-n.scope", false},
		{"a.b-c.slice:p:n", "p-n.scope", "a.b-c.slice", "/a.b.slice/a.b-c.slice/p-n.scope",
		 false},
		{"-:p:n", "p-n.scope", "-.slice", "/p-n.scope", false},
		{"-.slice:p:n", "p-n.scope", "-.slice", "/p-n.scope", false},
		{":p:a+b@c/d", "p-a\\x2bb\\x40c\\x2fd.scope", "system.slice",
		 "/system.slice/p-a\\x2bb\\x40c\\x2fd.scope", false},
		{":cpu.x:n", "cpu.x-n.scope", "system.slice", "/system.slice/_cpu.x-n.scope",
		 false},
		{":_p:n", "_p-n.scope", "system.slice", "/system.slice/__p-n.scope", false},
		{"::x-y.slice", "x-y.slice", "x.slice", "/x.slice/x-y.slice", false},
		{"::x.slice", "x.slice", "-.slice", "/x.slice", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = {0};
		struct cg_unit_name u;
		struct err e = {0};
		if (cg_unit_name(&a, rows[i].path, "c", rows[i].user, &u, &e) < 0)
			fail_msg("%s: %s", rows[i].path, e.text);
		assert_string_equal(u.unit, rows[i].unit);
		assert_string_equal(u.slice, rows[i].slice);
		assert_string_equal(u.path, rows[i].dir);
		assert_true(cg_path_valid(u.path));
	}
}

static void bad_names(void **state)
{
	static const char *const rows[] = {
		"/a/b",
		"a",
		"a:b",
		"a:b:c:d",
		"a::b",
		"machine:p:n",
		"a/b.slice:p:n",
		".slice:p:n",
		"a--b.slice:p:n",
		"-a.slice:p:n",
		"a-.slice:p:n",
		"a.slice:p:",
		"::-.slice",
		"::a--b.slice",
		"a\\x2fb$.slice:p:n",
	};
	char longest[400] = ":p:";

	(void)state;
	memset(longest + 3, 'n', 300);
	for (size_t i = 0; i <= sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = {0};
		struct cg_unit_name u;
		struct err e = {0};
		const char *path = i < sizeof(rows) / sizeof(rows[0]) ? rows[i] : longest;
		if (cg_unit_name(&a, path, "c", false, &u, &e) == 0)
			fail_msg("%s was taken as %s", path, u.unit);
		assert_int_equal(e.kind, ERR_SPEC);
	}
}

/* --- values --- */

static void texts(void **state)
{
	static const struct {
		const char *text, *sig;
		uint64_t u;
		const char *s;
		size_t n;
	} rows[] = {
		{"5", "i", 5, NULL, 0},
		{"-5", "i", (uint64_t)-5, NULL, 0},
		{"uint64 123456789", "t", 123456789, NULL, 0},
		{"uint64 0x10", "t", 16, NULL, 0},
		{"@t 18446744073709551615", "t", UINT64_MAX, NULL, 0},
		{"byte 255", "y", 255, NULL, 0},
		{"int16 -32768", "n", (uint64_t)-32768, NULL, 0},
		{"int64 -9223372036854775808", "x", (uint64_t)1 << 63, NULL, 0},
		{"true", "b", 1, NULL, 0},
		{" false ", "b", 0, NULL, 0},
		{"'inactive-or-failed'", "s", 0, "inactive-or-failed", 0},
		{"\"it's\\n\\u00e9\"", "s", 0, "it's\n\xc3\xa9", 0},
		{"objectpath '/a/b'", "o", 0, "/a/b", 0},
		{"['a', 'b']", "as", 0, NULL, 2},
		{"[uint32 1, 2, 3,]", "au", 0, NULL, 3},
		{"@as []", "as", 0, NULL, 0},
		{"[('/dev/null', 'rw')]", "a(ss)", 0, NULL, 1},
		{"@a(st) [('x', 5)]", "a(st)", 0, NULL, 1},
		{"('a', 1, true)", "(sib)", 0, NULL, 3},
		{"<uint32 1>", "v", 0, NULL, 1},
		{"b'ab'", "ay", 0, "ab", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = {0};
		auto_strbuf out = {0};
		struct cg_var *v;
		const char *why = "";
		if (cg_unit_value(&a, rows[i].text, &v, &why) < 0)
			fail_msg("%s: %s", rows[i].text, why);
		assert_string_equal(v->sig, rows[i].sig);
		assert_true(v->u == rows[i].u);
		assert_int_equal(v->n, rows[i].n);
		if (rows[i].s)
			assert_string_equal(v->s, rows[i].s);
		cg_var_write(&out, v);
		assert_false(out.failed);
	}
}

static void bad_texts(void **state)
{
	static const char *const rows[] = {
		"",
		"inactive",
		"'open",
		"uint64",
		"uint64 -1",
		"uint64 1 2",
		"byte 256",
		"int16 32768",
		"2147483648",
		"[1, 'a']",
		"[",
		"[]",
		"()",
		"{}",
		"{'a': 1}",
		"nothing",
		"just 1",
		"@",
		"@a{sv} []",
		"@as [1]",
		"uint32 'a'",
		"'\\q'",
		"'\\u0000'",
		"'\xff'",
		"1e999",
		"<1",
		"objectpath 'a'",
		"@(ss) ('a',)",
		"1..2",
		"0x",
		"@(s) ('a', 'b')",
		"99999999999999999999",
		"true false",
		"uint64 uint32 1",
		"- 1",
	};
	char deep[200];

	(void)state;
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	for (size_t i = 0; i <= sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = {0};
		struct cg_var *v;
		const char *why = NULL;
		const char *text = i < sizeof(rows) / sizeof(rows[0]) ? rows[i] : deep;
		if (cg_unit_value(&a, text, &v, &why) == 0)
			fail_msg("%s was taken as %s", text, v->sig);
		assert_non_null(why);
	}
}

/* --- properties --- */

static const struct cg_var *property(const struct cg_props *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i]->items[0]->s, name) == 0)
			return p->items[i]->items[1]->items[0];
	return NULL;
}

static void is_number(const struct cg_props *p, const char *name, uint64_t want)
{
	const struct cg_var *v = property(p, name);

	if (!v || v->u != want)
		fail_msg("%s: %llu", name, v ? (unsigned long long)v->u : 0);
	assert_string_equal(v->sig, "t");
}

static struct cg_layout layout(struct cg_hierarchy *h, bool v2)
{
	*h = (struct cg_hierarchy){.v2 = v2, .controllers = ",memory,cpu,pids,cpuset,io,"};
	return (struct cg_layout){.mode = v2 ? CG_V2 : CG_V1, .items = h, .n = 1};
}

static void values_of_v2(void **state)
{
	struct cg_value list[] = {
		{.file = "memory.max", .data = "1000"},
		{.file = "memory.swap.max", .data = "max"},
		{.file = "cpu.max", .data = "20000 50000"},
		{.file = "cpu.weight", .data = "59"},
		{.file = "pids.max", .data = "7"},
		{.file = "cpuset.cpus", .data = "0-2,9"},
		{.file = "io.bfq.weight",
		 .data = "10",
		 .alt_file = "io.weight",
		 .alt_data = "default 1"},
		{.file = "hugetlb.2MB.max", .data = "0"},
		{.file = "memory.high", .data = "rubbish"},
	};
	struct cg_values v = {.items = list, .n = sizeof(list) / sizeof(list[0])};
	struct cg_hierarchy h;
	struct cg_layout l = layout(&h, true);
	struct cg_props p = {0};
	auto_arena a = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(cg_props_values(&a, &l, &v, 252, &p, &e), 0);
	is_number(&p, "MemoryMax", 1000);
	is_number(&p, "MemorySwapMax", UINT64_MAX);
	is_number(&p, "CPUQuotaPerSecUSec", 400000);
	is_number(&p, "CPUQuotaPeriodUSec", 50000);
	is_number(&p, "CPUWeight", 59);
	is_number(&p, "TasksMax", 7);
	is_number(&p, "IOWeight", 1);
	const struct cg_var *cpus = property(&p, "AllowedCPUs");
	assert_non_null(cpus);
	assert_string_equal(cpus->sig, "ay");
	assert_int_equal(cpus->n, 2);
	assert_memory_equal(cpus->s, "\7\2", 2);
	assert_null(property(&p, "MemoryHigh"));
	assert_int_equal(p.n, 8);
	/* An old one is told what it knows. */
	p = (struct cg_props){0};
	assert_int_equal(cg_props_values(&a, &l, &v, 239, &p, &e), 0);
	assert_null(property(&p, "AllowedCPUs"));
	assert_null(property(&p, "CPUQuotaPeriodUSec"));
}

static void values_of_v1(void **state)
{
	struct cg_value list[] = {
		{.file = "memory.limit_in_bytes", .data = "1000"},
		{.file = "cpu.shares", .data = "512"},
		{.file = "cpu.cfs_period_us", .data = "50000"},
		{.file = "cpu.cfs_quota_us", .data = "-1"},
	};
	struct cg_values v = {.items = list, .n = 4};
	struct cg_dev_v1 d = {
		.n = 3,
		.items = (struct cg_dev[]){{true, 'c', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_M},
					   {true, 'c', 1, 3, CG_DEV_ALL},
					   {true, 'c', 136, CG_DEV_ANY, CG_DEV_ALL}}};
	struct cg_hierarchy h;
	struct cg_layout l = layout(&h, false);
	struct cg_props p = {0};
	auto_arena a = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(cg_props_values(&a, &l, &v, 252, &p, &e), 0);
	is_number(&p, "MemoryLimit", 1000);
	is_number(&p, "CPUShares", 512);
	is_number(&p, "CPUQuotaPerSecUSec", UINT64_MAX);
	assert_int_equal(cg_props_devices(&a, &d, &p, &e), 0);
	assert_string_equal(property(&p, "DevicePolicy")->s, "strict");
	const struct cg_var *allow = property(&p, "DeviceAllow");
	assert_string_equal(allow->items[0]->items[0]->s, "char-*");
	assert_string_equal(allow->items[0]->items[1]->s, "m");
	assert_string_equal(allow->items[1]->items[0]->s, "/dev/char/1:3");
	assert_string_equal(allow->items[2]->items[0]->s, "char-pts");
	/* What can't be said whole isn't said at all. */
	d.items[1].minor = CG_DEV_ANY;
	p = (struct cg_props){0};
	assert_int_equal(cg_props_devices(&a, &d, &p, &e), 0);
	assert_int_equal(p.n, 0);
}

static void annotations(void **state)
{
	struct spec_pair list[] = {
		{"org.systemd.property.TimeoutStopUSec", "uint64 5"},
		{"org.systemd.property.RuntimeMaxSec", "1.5"},
		{"org.systemd.property.Description", "'mine'"},
		{"other", "x"},
	};
	struct spec_pairs pairs = {list, 4};
	struct cg_props p = {0};
	auto_arena a = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(cg_props_put(&a, &p, "Description", cg_var_str(&a, "ours"), &e), 0);
	assert_int_equal(cg_props_annotations(&a, &pairs, &p, &e), 0);
	is_number(&p, "TimeoutStopUSec", 5);
	is_number(&p, "RuntimeMaxUSec", 1500000);
	assert_string_equal(property(&p, "Description")->s, "mine");
	assert_int_equal(p.n, 3);
}

static void bad_annotations(void **state)
{
	static const struct spec_pair rows[] = {
		{"org.systemd.property.PIDs", "[uint32 1]"},
		{"org.systemd.property.Slice", "'x.slice'"},
		{"org.systemd.property.a", "1"},
		{"org.systemd.property.", "1"},
		{"org.systemd.property.Bad Name", "1"},
		{"org.systemd.property.RuntimeMaxSec", "-1"},
		{"org.systemd.property.RuntimeMaxSec", "'1'"},
		{"org.systemd.property.RuntimeMaxSec", "uint64 18446744073709551614"},
		{"org.systemd.property.CollectMode", "inactive"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = {0};
		struct cg_props p = {0};
		struct spec_pair one = rows[i];
		struct spec_pairs pairs = {&one, 1};
		struct err e = {0};
		if (cg_props_annotations(&a, &pairs, &p, &e) == 0)
			fail_msg("%s=%s was taken", rows[i].key, rows[i].value);
		assert_int_equal(e.kind, ERR_SPEC);
		assert_non_null(strstr(e.where, rows[i].key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),        cmocka_unit_test(bad_names),
		cmocka_unit_test(texts),        cmocka_unit_test(bad_texts),
		cmocka_unit_test(values_of_v2), cmocka_unit_test(values_of_v1),
		cmocka_unit_test(annotations),  cmocka_unit_test(bad_annotations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
