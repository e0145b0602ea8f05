/* linux.resources to files: conversions with their extremes, zeros, refusals, order. */
#include "cgroups/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct cg_hierarchy v1_items[] = {{"/cg/cpu", ",cpu,cpuacct,", "/", false, -1},
					 {"/cg/memory", ",memory,", "/", false, -1},
					 {"/cg/cpuset", ",cpuset,", "/", false, -1},
					 {"/cg/pids", ",pids,", "/", false, -1},
					 {"/cg/blkio", ",blkio,", "/", false, -1},
					 {"/cg/hugetlb", ",hugetlb,", "/", false, -1},
					 {"/cg/net", ",net_cls,net_prio,", "/", false, -1}};
static struct cg_hierarchy v2_items[] = {
	{"/cg", ",cpuset,cpu,io,memory,hugetlb,pids,rdma,", "/", true, -1}};
static const struct cg_layout on_v1 = {CG_V1, v1_items, 7};
static const struct cg_layout on_v2 = {CG_V2, v2_items, 1};
static const struct cg_layout on_none = {CG_NONE, NULL, 0};

#define SET(x)                        \
	{                             \
		.set = true, .v = (x) \
	}

struct test {
	struct arena a;
	struct err e;
	struct cg_values v;
};

static int build(struct test *t, const struct cg_layout *l, const struct spec_resources *r,
		 bool update)
{
	struct cg_ask ask = {.r = r, .prefix = "/linux/resources", .update = update};

	t->e = (struct err){0};
	t->v = (struct cg_values){0};
	return cg_values_build(&t->a, l, &ask, &t->v, &t->e);
}

/* The text for a file, NULL when nothing is written to it. */
static const char *text(const struct test *t, const char *file)
{
	for (size_t i = 0; i < t->v.n; i++)
		if (strcmp(t->v.items[i].file, file) == 0)
			return t->v.items[i].data;
	return NULL;
}

#define CREATE(t, l, ...) build(&(t), l, &(struct spec_resources){.set = true, __VA_ARGS__}, false)
#define UPDATE(t, l, ...) build(&(t), l, &(struct spec_resources){.set = true, __VA_ARGS__}, true)
#define REFUSED(t, call, kind_, where_)                                      \
	do {                                                                 \
		assert_true((call) < 0);                                     \
		assert_int_equal((t).e.kind, kind_);                         \
		assert_string_equal((t).e.where, "/linux/resources" where_); \
	} while (0)

static void weights(void **state)
{
	(void)state;
	static const struct {
		uint64_t shares, weight;
	} known[] = {{0, 1}, {1, 1}, {2, 1}, {1024, 100}, {262144, 10000}, {UINT64_MAX, 10000}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(cg_shares_to_weight(known[i].shares), known[i].weight);
	uint64_t before = 1;
	for (uint64_t s = 2; s < 262144; s += 13) {
		uint64_t w = cg_shares_to_weight(s);
		assert_true(w >= before && w <= 10000);
		before = w;
	}
	assert_int_equal(cg_blkio_to_io_weight(0), 1);
	assert_int_equal(cg_blkio_to_io_weight(10), 1);
	assert_int_equal(cg_blkio_to_io_weight(500), 4950);
	assert_int_equal(cg_blkio_to_io_weight(1000), 10000);
	assert_int_equal(cg_blkio_to_io_weight(65535), 10000);
}

static void memory(void **state)
{
	(void)state;
	struct test t = {0};

	assert_int_equal(CREATE(t, &on_v1,
				.memory = {.set = true,
					   .limit = SET(100),
					   .swap = SET(300),
					   .reservation = SET(50)}),
			 0);
	assert_string_equal(text(&t, "memory.limit_in_bytes"), "100");
	assert_string_equal(text(&t, "memory.memsw.limit_in_bytes"), "300");
	assert_string_equal(text(&t, "memory.soft_limit_in_bytes"), "50");
	assert_int_equal(t.v.items[0].chain, t.v.items[1].chain);
	assert_int_equal(cg_chain_len(&t.v, 0), 2);
	assert_int_equal(cg_chain_len(&t.v, 2), 1);

	assert_int_equal(
		CREATE(t, &on_v2,
		       .memory = {.limit = SET(100), .swap = SET(300), .reservation = SET(50)}),
		0);
	assert_string_equal(text(&t, "memory.max"), "100");
	assert_string_equal(text(&t, "memory.swap.max"), "200");
	assert_string_equal(text(&t, "memory.low"), "50");

	assert_int_equal(CREATE(t, &on_v2, .memory = {.limit = SET(100), .swap = SET(100)}), 0);
	assert_string_equal(text(&t, "memory.swap.max"), "0");
	assert_int_equal(CREATE(t, &on_v2, .memory = {.limit = SET(100), .swap = SET(-1)}), 0);
	assert_string_equal(text(&t, "memory.swap.max"), "max");
	/* unlimited memory brings unlimited swap */
	assert_int_equal(UPDATE(t, &on_v2, .memory = {.limit = SET(-1)}), 0);
	assert_string_equal(text(&t, "memory.max"), "max");
	assert_string_equal(text(&t, "memory.swap.max"), "max");
	assert_int_equal(UPDATE(t, &on_v1, .memory = {.limit = SET(INT64_MAX)}), 0);
	assert_string_equal(text(&t, "memory.limit_in_bytes"), "9223372036854775807");
	assert_null(text(&t, "memory.memsw.limit_in_bytes"));
	arena_free(&t.a);
}

static void memory_refused(void **state)
{
	(void)state;
	struct test t = {0};

	REFUSED(t, CREATE(t, &on_v2, .memory = {.limit = SET(100), .swap = SET(99)}), ERR_SPEC,
		"/memory/swap");
	REFUSED(t, CREATE(t, &on_v1, .memory = {.limit = SET(-1), .swap = SET(99)}), ERR_SPEC,
		"/memory/swap");
	REFUSED(t, CREATE(t, &on_v1, .memory = {.swap = SET(99)}), ERR_SPEC, "/memory/swap");
	REFUSED(t, UPDATE(t, &on_v2, .memory = {.swap = SET(99)}), ERR_SPEC, "/memory/swap");
	assert_int_equal(UPDATE(t, &on_v1, .memory = {.swap = SET(99)}), 0);
	REFUSED(t, CREATE(t, &on_v2, .memory = {.swappiness = SET(0)}), ERR_UNSUPPORTED,
		"/memory/swappiness");
	REFUSED(t, CREATE(t, &on_v1, .memory = {.swappiness = SET(101)}), ERR_SPEC,
		"/memory/swappiness");
	REFUSED(t, CREATE(t, &on_v2, .memory = {.disable_oom_killer = SET(true)}), ERR_UNSUPPORTED,
		"/memory/disableOOMKiller");
	assert_int_equal(CREATE(t, &on_v2, .memory = {.disable_oom_killer = SET(false)}), 0);
	assert_int_equal(t.v.n, 0);
	REFUSED(t, CREATE(t, &on_v2, .memory = {.kernel = SET(5)}), ERR_UNSUPPORTED,
		"/memory/kernel");
	assert_int_equal(CREATE(t, &on_v2, .memory = {.kernel = SET(-1), .kernel_tcp = SET(-1)}),
			 0);
	assert_int_equal(t.v.n, 0);
	REFUSED(t, CREATE(t, &on_v1, .memory = {.use_hierarchy = SET(false)}), ERR_UNSUPPORTED,
		"/memory/useHierarchy");
	REFUSED(t, CREATE(t, &on_none, .memory = {.limit = SET(5)}), ERR_UNSUPPORTED,
		"/memory/limit");
	assert_int_equal(CREATE(t, &on_none, .memory = {.limit = SET(-1)}), 0);
	arena_free(&t.a);
}

static void cpu(void **state)
{
	(void)state;
	struct test t = {0};

	assert_int_equal(CREATE(t, &on_v1,
				.cpu = {.shares = SET(512),
					.quota = SET(50000),
					.period = SET(100000),
					.burst = SET(10),
					.cpus = "0-1",
					.mems = ""}),
			 0);
	assert_string_equal(text(&t, "cpu.shares"), "512");
	assert_string_equal(text(&t, "cpu.cfs_quota_us"), "50000");
	assert_string_equal(text(&t, "cpu.cfs_period_us"), "100000");
	assert_string_equal(text(&t, "cpu.cfs_burst_us"), "10");
	assert_string_equal(text(&t, "cpuset.cpus"), "0-1");
	assert_null(text(&t, "cpuset.mems"));
	assert_int_equal(cg_chain_len(&t.v, 1), 3);

	assert_int_equal(CREATE(t, &on_v2,
				.cpu = {.shares = SET(1024),
					.quota = SET(50000),
					.period = SET(100000),
					.idle = SET(1)}),
			 0);
	assert_string_equal(text(&t, "cpu.weight"), "100");
	assert_string_equal(text(&t, "cpu.max"), "50000 100000");
	assert_string_equal(text(&t, "cpu.idle"), "1");
	assert_int_equal(CREATE(t, &on_v2, .cpu = {.quota = SET(-1)}), 0);
	assert_string_equal(text(&t, "cpu.max"), "max");
	assert_int_equal(CREATE(t, &on_v2, .cpu = {.period = SET(7000)}), 0);
	assert_string_equal(text(&t, "cpu.max"), "max 7000");
	assert_int_equal(UPDATE(t, &on_v2, .cpu = {.period = SET(7000)}), 0);
	assert_string_equal(text(&t, "cpu.max"), "? 7000");
	assert_true(t.v.items[0].keep_first);
	REFUSED(t, CREATE(t, &on_v2, .cpu = {.realtime_runtime = SET(5)}), ERR_UNSUPPORTED,
		"/cpu/realtimeRuntime");
	REFUSED(t, CREATE(t, &on_v1, .cpu = {.quota = SET(5), .burst = SET(6)}), ERR_SPEC,
		"/cpu/burst");
	arena_free(&t.a);
}

/* What engines send for options that nobody set. */
static void zeros(void **state)
{
	(void)state;
	struct test t = {0};
	const struct cg_layout *const layouts[] = {&on_v1, &on_v2, &on_none};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(UPDATE(t, layouts[i],
					.memory = {.limit = SET(0),
						   .swap = SET(0),
						   .reservation = SET(0),
						   .kernel = SET(0)},
					.cpu = {.shares = SET(0),
						.quota = SET(0),
						.period = SET(0),
						.cpus = "",
						.mems = ""},
					.blockio = {.weight = SET(0)}, .pids_limit = SET(0)),
				 0);
		assert_int_equal(t.v.n, 0);
	}
	arena_free(&t.a);
}

static void pids(void **state)
{
	(void)state;
	struct test t = {0};
	struct spec_resources r = {.pids_limit = SET(0)};
	struct cg_ask ask = {.r = &r, .prefix = "", .pids_zero = true};

	assert_int_equal(CREATE(t, &on_v1, .pids_limit = SET(7)), 0);
	assert_string_equal(text(&t, "pids.max"), "7");
	assert_string_equal(t.v.items[0].pointer, "/linux/resources/pids/limit");
	assert_int_equal(CREATE(t, &on_v1, .pids_limit = SET(-1)), 0);
	assert_string_equal(text(&t, "pids.max"), "max");
	assert_int_equal(CREATE(t, &on_v2, .pids_limit = SET(0)), 0);
	assert_string_equal(text(&t, "pids.max"), "max");
	assert_int_equal(cg_values_build(&t.a, &on_v2, &ask, &t.v, &t.e), 0);
	assert_string_equal(text(&t, "pids.max"), "1");
	assert_int_equal(CREATE(t, &on_none, .pids_limit = SET(-1)), 0);
	REFUSED(t, CREATE(t, &on_none, .pids_limit = SET(1)), ERR_UNSUPPORTED, "/pids/limit");
	arena_free(&t.a);
}

static void block_io(void **state)
{
	(void)state;
	struct test t = {0};
	struct spec_weight_device w[] = {{8, 0, SET(500), {0}}};
	struct spec_weight_device leaf[] = {{8, 0, {0}, SET(300)}};
	struct spec_throttle rate[] = {{8, 16, 600}, {8, 0, 0}};
	struct spec_throttle bad[] = {{-1, 16, 600}};

	assert_int_equal(CREATE(t, &on_v1,
				.blockio = {.weight = SET(500),
					    .weight_device = {w, 1},
					    .read_bps = {rate, 2}}),
			 0);
	assert_string_equal(text(&t, "blkio.weight"), "500");
	assert_string_equal(t.v.items[0].alt_file, "blkio.bfq.weight");
	assert_string_equal(text(&t, "blkio.weight_device"), "8:0 500");
	assert_string_equal(text(&t, "blkio.throttle.read_bps_device"), "8:16 600");
	assert_string_equal(t.v.items[3].data, "8:0 0");

	assert_int_equal(CREATE(t, &on_v2,
				.blockio = {.weight = SET(500),
					    .weight_device = {w, 1},
					    .write_iops = {rate, 2}}),
			 0);
	assert_string_equal(text(&t, "io.bfq.weight"), "500");
	assert_string_equal(t.v.items[0].alt_file, "io.weight");
	assert_string_equal(t.v.items[0].alt_data, "default 4950");
	assert_string_equal(t.v.items[1].alt_data, "8:0 4950");
	assert_string_equal(text(&t, "io.max"), "8:16 wiops=600");
	assert_string_equal(t.v.items[3].data, "8:0 wiops=max");
	assert_string_equal(t.v.items[3].pointer,
			    "/linux/resources/blockIO/throttleWriteIOPSDevice/1");

	REFUSED(t, CREATE(t, &on_v2, .blockio = {.weight_device = {leaf, 1}}), ERR_UNSUPPORTED,
		"/blockIO/weightDevice/0/leafWeight");
	REFUSED(t, CREATE(t, &on_v2, .blockio = {.leaf_weight = SET(3)}), ERR_UNSUPPORTED,
		"/blockIO/leafWeight");
	REFUSED(t, CREATE(t, &on_v1, .blockio = {.write_bps = {bad, 1}}), ERR_SPEC,
		"/blockIO/throttleWriteBpsDevice/0");
	arena_free(&t.a);
}

static void others(void **state)
{
	(void)state;
	struct test t = {0};
	struct spec_hugepage huge[] = {{"2MB", UINT64_MAX}};
	struct spec_net_priority prio[] = {{"eth0", 5}};
	struct spec_rdma rdma[] = {{"mlx5_1", SET(3), SET(10000)}};

	assert_int_equal(CREATE(t, &on_v1, .hugepages = {huge, 1}, .net_class_id = SET(0x100001),
				.net_priorities = {prio, 1}),
			 0);
	assert_string_equal(text(&t, "hugetlb.2MB.limit_in_bytes"), "18446744073709551615");
	assert_true(t.v.items[2].neutral); /* .rsvd may be missing */
	assert_string_equal(text(&t, "net_cls.classid"), "1048577");
	assert_string_equal(text(&t, "net_prio.ifpriomap"), "eth0 5");
	assert_int_equal(CREATE(t, &on_v2, .hugepages = {huge, 1}, .rdma = {rdma, 1}), 0);
	assert_string_equal(text(&t, "hugetlb.2MB.rsvd.max"), "18446744073709551615");
	assert_string_equal(text(&t, "rdma.max"), "mlx5_1 hca_handle=3 hca_object=10000");
	REFUSED(t, CREATE(t, &on_v2, .net_class_id = SET(1)), ERR_UNSUPPORTED, "/network/classID");
	REFUSED(t, CREATE(t, &on_v2, .net_priorities = {prio, 1}), ERR_UNSUPPORTED,
		"/network/priorities/0");
	REFUSED(t, CREATE(t, &on_v1, .rdma = {rdma, 1}), ERR_UNSUPPORTED, "/rdma/mlx5_1");
	arena_free(&t.a);
}

static void page_sizes(void **state)
{
	(void)state;
	static const char *const bad[] = {"",       "2M",   "MB",  "2MB/../x",
					  "../2MB", "2 MB", "2mB", "2MBB"};
	struct test t = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct spec_hugepage h[] = {{bad[i], 1}};
		REFUSED(t, CREATE(t, &on_v2, .hugepages = {h, 1}), ERR_SPEC, "/hugepageLimits/0");
	}
	arena_free(&t.a);
}

static int unified_one(struct test *t, const struct cg_layout *l, const char *key)
{
	struct spec_pair p[] = {{key, "1"}};

	return build(t, l, &(struct spec_resources){.unified = {p, 1}}, false);
}

static void unified(void **state)
{
	(void)state;
	struct test t = {0};

	assert_int_equal(unified_one(&t, &on_v2, "memory.high"), 0);
	assert_string_equal(text(&t, "memory.high"), "1");
	assert_string_equal(t.v.items[0].pointer, "/linux/resources/unified/memory.high");
	assert_int_equal(unified_one(&t, &on_v2, "cgroup.max.depth"), 0);
	REFUSED(t, unified_one(&t, &on_v1, "memory.high"), ERR_UNSUPPORTED, "/unified/memory.high");
	REFUSED(t, unified_one(&t, &on_v2, "misc.max"), ERR_UNSUPPORTED, "/unified/misc.max");
	REFUSED(t, unified_one(&t, &on_v2, "../memory.max"), ERR_SPEC, "/unified/..~1memory.max");
	REFUSED(t, unified_one(&t, &on_v2, "memory"), ERR_SPEC, "/unified/memory");
	REFUSED(t, unified_one(&t, &on_v2, ""), ERR_SPEC, "/unified/");
	REFUSED(t, unified_one(&t, &on_v2, ".."), ERR_SPEC, "/unified/..");
	arena_free(&t.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights),        cmocka_unit_test(memory),
		cmocka_unit_test(memory_refused), cmocka_unit_test(cpu),
		cmocka_unit_test(zeros),          cmocka_unit_test(pids),
		cmocka_unit_test(block_io),       cmocka_unit_test(others),
		cmocka_unit_test(page_sizes),     cmocka_unit_test(unified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
