/* What an update replaces, as text that brings it back. */
#include "cgroups/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void texts(void **state)
{
	static const struct {
		const char *file, *data, *now, *back;
	} t[] = {
		{"memory.max", "1024", "max\n", "max"},
		{"cpu.max", "20000 50000", "max 100000", "max 100000"},
		{"cpu.max", "20000", "20000 100000", "20000 100000"},
		{"cpuset.cpus", "0-1", "", "\n"},
		{"io.weight", "default 200", "default 100\n8:0 50", "default 100"},
		/* The device's own line, and not one that begins alike. */
		{"io.max", "8:0 rbps=5", "18:0 rbps=1\n8:0 rbps=7 wbps=max\n8:01 rbps=2",
		 "8:0 rbps=7 wbps=max"},
		{"io.max", "8:16 rbps=5", "8:1 rbps=1",
		 "8:16 rbps=max wbps=max riops=max wiops=max"},
		{"io.bfq.weight", "8:0 5", "default 100", "8:0 default"},
		{"blkio.throttle.read_bps_device", "8:0 5", "", "8:0 0"},
		{"blkio.throttle.read_bps_device", "8:0 5", "8:0 1", "8:0 1"},
		{"net_prio.ifpriomap", "eth0 5", "lo 0\neth0 3\neth01 4", "eth0 3"},
	};
	auto_arena a = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(cg_before_text(&a, t[i].file, t[i].data, t[i].now), t[i].back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
