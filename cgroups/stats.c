/* cgroups/stats.c: what a group used, from whichever hierarchy has the controller.
 *
 * Invariants
 *  1. A file that can't be read leaves its numbers zero: a host without the controller, a group
 *     that isn't ours to see (rootless) or has just ended is no failure of the reader.
 *  2. Numbers of v1 and v2 come out in the units of struct cg_stats; nobody above converts.
 */
#include "cgroups/internal.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)

struct reader {
	struct cg_group *g;
	struct arena *a;
	struct cg_stats *s;
};

/* The group's directory in the hierarchy that has the controller, NULL when none has. */
static const char *dir_of(const struct reader *r, const char *controller, bool *ret_v2)
{
	struct cg_hierarchy *h = cg_find(r->g->layout, controller);

	if (!h)
		return NULL;
	*ret_v2 = h->v2;
	return cg_full_of(r->g)->dirs[h - r->g->layout->items];
}

/* cpu.stat and the pressure files stand in every v2 group, whatever controllers it has. */
static const char *v2_dir(const struct reader *r)
{
	int i = cg_v2_index(r->g->layout);

	return i < 0 ? NULL : cg_full_of(r->g)->dirs[i];
}

/* malloc'ed; NULL when it can't be read. */
static char *slurp(const char *dir, const char *file)
{
	char path[PATH_MAX], *text;
	struct err ignored;
	size_t len;

	if (!dir || (size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return NULL;
	return file_read_at(AT_FDCWD, path, FILE_MAX, &text, &len, &ignored) < 0 ? NULL : text;
}

static void get(const char *dir, const char *file, uint64_t *ret_v)
{
	auto_str text = slurp(dir, file);

	if (text)
		(void)cg_parse_u64(text, ret_v);
}

static void get_key(const char *text, const char *key, uint64_t scale, uint64_t *ret_v)
{
	uint64_t v;

	if (text && cg_parse_key(text, key, &v) && !__builtin_mul_overflow(v, scale, &v))
		*ret_v = v;
}

static void get_pressure(const struct reader *r, const char *file, struct cg_pressure *ret)
{
	auto_str text = slurp(v2_dir(r), file);

	if (text)
		cg_parse_pressure(text, ret);
}

/* --- cpu --- */

static int cpu_v1(const struct reader *r, const char *acct)
{
	struct cg_stats *s = r->s;
	auto_str stat = slurp(acct, "cpuacct.stat");
	auto_str percpu = slurp(acct, "cpuacct.usage_percpu");
	auto_str all = slurp(acct, "cpuacct.usage_all");
	uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	int rc = 0;

	get(acct, "cpuacct.usage", &s->cpu.total);
	get_key(stat, "user", tick, &s->cpu.user);
	get_key(stat, "system", tick, &s->cpu.kernel);
	if (percpu)
		rc = cg_parse_columns(r->a, percpu, false, 0, &s->cpu.percpu);
	if (all && rc == 0)
		rc = cg_parse_columns(r->a, all, true, 1, &s->cpu.percpu_user);
	if (all && rc == 0)
		rc = cg_parse_columns(r->a, all, true, 2, &s->cpu.percpu_kernel);
	return rc;
}

static void cpu_throttling(struct cg_stats *s, const char *stat)
{
	get_key(stat, "nr_periods", 1, &s->cpu.periods);
	get_key(stat, "nr_throttled", 1, &s->cpu.throttled);
	get_key(stat, "throttled_time", 1, &s->cpu.throttled_ns);
	get_key(stat, "throttled_usec", 1000, &s->cpu.throttled_ns);
}

static int read_cpu(const struct reader *r)
{
	struct cg_stats *s = r->s;
	bool acct_v2 = true, cpu_v2 = true;
	const char *acct = dir_of(r, "cpuacct", &acct_v2);
	const char *cpu = dir_of(r, "cpu", &cpu_v2);
	auto_str stat = slurp(cpu ? cpu : v2_dir(r), "cpu.stat");

	cpu_throttling(s, stat);
	get_pressure(r, "cpu.pressure", &s->cpu.psi);
	if (acct && !acct_v2)
		return cpu_v1(r, acct);
	auto_str usage = slurp(v2_dir(r), "cpu.stat");
	get_key(usage, "usage_usec", 1000, &s->cpu.total);
	get_key(usage, "user_usec", 1000, &s->cpu.user);
	get_key(usage, "system_usec", 1000, &s->cpu.kernel);
	return 0;
}

static int read_cpuset(const struct reader *r)
{
	static const char *const files[CG_CPUSET_FLAGS] = {
		[CG_CPU_EXCLUSIVE] = "cpuset.cpu_exclusive",
		[CG_MEM_HARDWALL] = "cpuset.mem_hardwall",
		[CG_MEM_EXCLUSIVE] = "cpuset.mem_exclusive",
		[CG_MEMORY_MIGRATE] = "cpuset.memory_migrate",
		[CG_SPREAD_PAGE] = "cpuset.memory_spread_page",
		[CG_SPREAD_SLAB] = "cpuset.memory_spread_slab",
		[CG_MEMORY_PRESSURE] = "cpuset.memory_pressure",
		[CG_LOAD_BALANCE] = "cpuset.sched_load_balance",
	};
	struct cg_stats *s = r->s;
	bool v2;
	const char *dir = dir_of(r, "cpuset", &v2);
	int rc = 0;

	if (!dir)
		return 0;
	auto_str cpus = slurp(dir, v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
	auto_str mems = slurp(dir, v2 ? "cpuset.mems.effective" : "cpuset.mems");
	if (cpus)
		rc = cg_parse_list(r->a, cpus, &s->cpuset.cpus);
	if (mems && rc == 0)
		rc = cg_parse_list(r->a, mems, &s->cpuset.mems);
	if (v2 || rc < 0)
		return rc;
	for (size_t i = 0; i < CG_CPUSET_FLAGS; i++)
		get(dir, files[i], &s->cpuset.flags[i]);
	auto_str level = slurp(dir, "cpuset.sched_relax_domain_level");
	s->cpuset.relax_domain_level = level ? strtoll(level, NULL, 10) : 0;
	return 0;
}

/* --- memory --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cg_counter *)a)->name, ((const struct cg_counter *)b)->name);
}

static void usage_v1(const char *dir, const char *prefix, struct cg_usage *u)
{
	const struct {
		const char *suffix;
		uint64_t *v;
	} files[] = {{"limit_in_bytes", &u->limit},
		     {"usage_in_bytes", &u->usage},
		     {"max_usage_in_bytes", &u->max},
		     {"failcnt", &u->failcnt}};
	char name[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s.%s", prefix, files[i].suffix);
		get(dir, name, files[i].v);
	}
}

static void memory_v1(struct cg_stats *s, const char *dir, const char *stat)
{
	auto_str oom = slurp(dir, "memory.oom_control");

	usage_v1(dir, "memory", &s->memory.memory);
	usage_v1(dir, "memory.memsw", &s->memory.swap);
	usage_v1(dir, "memory.kmem", &s->memory.kernel);
	usage_v1(dir, "memory.kmem.tcp", &s->memory.tcp);
	get_key(stat, "cache", 1, &s->memory.cache);
	get_key(oom, "oom_kill", 1, &s->memory.oom_kill);
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void memory_v2(struct cg_stats *s, const char *dir, const char *stat)
{
	auto_str events = slurp(dir, "memory.events");
	auto_str swap_events = slurp(dir, "memory.swap.events");
	struct cg_usage *m = &s->memory.memory, *w = &s->memory.swap;

	get(dir, "memory.max", &m->limit);
	get(dir, "memory.current", &m->usage);
	get(dir, "memory.peak", &m->max);
	get_key(events, "max", 1, &m->failcnt);
	get_key(events, "oom", 1, &s->memory.oom);
	get_key(events, "oom_kill", 1, &s->memory.oom_kill);
	get(dir, "memory.swap.max", &w->limit);
	get(dir, "memory.swap.current", &w->usage);
	get_key(swap_events, "max", 1, &w->failcnt);
	/* As v1 counts it: both together. */
	w->limit = add(w->limit, m->limit);
	w->usage = add(w->usage, m->usage);
	get_key(stat, "file", 1, &s->memory.cache);
	get_key(stat, "kernel", 1, &s->memory.kernel.usage);
	get_key(stat, "sock", 1, &s->memory.tcp.usage);
}

static int read_memory(const struct reader *r)
{
	struct cg_stats *s = r->s;
	bool v2;
	const char *dir = dir_of(r, "memory", &v2);
	auto_str stat = slurp(dir, "memory.stat");

	get_pressure(r, "memory.pressure", &s->memory.psi);
	if (!dir)
		return 0;
	if (v2)
		memory_v2(s, dir, stat);
	else
		memory_v1(s, dir, stat);
	int rc = stat ? cg_parse_flat(r->a, stat, &s->memory.raw, &s->memory.n_raw) : 0;
	if (rc == 0 && s->memory.n_raw)
		qsort(s->memory.raw, s->memory.n_raw, sizeof(*s->memory.raw), by_name);
	return rc;
}

/* --- pids, I/O, huge pages --- */

static int read_pids(const struct reader *r)
{
	struct cg_stats *s = r->s;
	bool v2;
	const char *dir = dir_of(r, "pids", &v2);
	auto_str current = slurp(dir, "pids.current");
	auto_str events = slurp(dir, "pids.events");
	struct err ignored;
	pid_t *pids = NULL;
	size_t n = 0;

	if (current && cg_parse_u64(current, &s->pids.current)) {
		get(dir, "pids.max", &s->pids.limit);
		if (s->pids.limit == UINT64_MAX)
			s->pids.limit = 0;
		get_key(events, "max", 1, &s->pids.failcnt);
		return 0;
	}
	/* Without the controller: processes, as many as the group lists. */
	if (cg_pids(r->g, &pids, &n, &ignored) == 0)
		s->pids.current = n;
	free(pids);
	return 0;
}

/* The first of the files that has a device's line: which of them counts depends on the disk's
 * scheduler (blkio-controller.rst). */
static int blkio_first(const struct reader *r, const char *dir, const char *const *files,
		       struct cg_io_list *ret)
{
	int rc = 0;

	for (; *files && rc == 0 && ret->n == 0; files++) {
		auto_str text = slurp(dir, *files);
		if (text)
			rc = cg_parse_blkio(r->a, text, ret);
	}
	return rc;
}

static int io_v1(const struct reader *r, const char *dir)
{
	struct cg_stats *s = r->s;
	const struct {
		const char *files[5];
		struct cg_io_list *list;
	} table[] = {
		{{"blkio.bfq.io_service_bytes_recursive", "blkio.io_service_bytes_recursive",
		  "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"},
		 &s->io.bytes},
		{{"blkio.bfq.io_serviced_recursive", "blkio.io_serviced_recursive",
		  "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"},
		 &s->io.serviced},
		{{"blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive"},
		 &s->io.time_ns},
		{{"blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"},
		 &s->io.wait_ns},
		{{"blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"}, &s->io.merged},
		{{"blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"}, &s->io.queued},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(table) / sizeof(table[0]); i++)
		rc = blkio_first(r, dir, table[i].files, table[i].list);
	return rc;
}

static int read_io(const struct reader *r)
{
	static const char *const bytes[] = {"rbytes", "wbytes", "dbytes"};
	static const char *const ios[] = {"rios", "wios", "dios"};
	bool v2;
	const char *v1_dir = dir_of(r, "blkio", &v2);
	const char *dir = dir_of(r, "io", &v2);
	auto_str stat = slurp(dir, "io.stat");

	get_pressure(r, "io.pressure", &r->s->io.psi);
	if (v1_dir)
		return io_v1(r, v1_dir);
	if (!stat)
		return 0;
	int rc = cg_parse_io_stat(r->a, stat, bytes, &r->s->io.bytes);
	return rc < 0 ? rc : cg_parse_io_stat(r->a, stat, ios, &r->s->io.serviced);
}

/* The page size in "hugetlb.2MB.current"; 0 for any other file, as "hugetlb.2MB.rsvd.current". */
static size_t hugetlb_size(const char *name, const char *suffix)
{
	size_t len;

	if (strncmp(name, "hugetlb.", 8) != 0)
		return 0;
	len = strcspn(name + 8, ".");
	return strcmp(name + 8 + len, suffix) == 0 ? len : 0;
}

static int hugetlb_one(const struct reader *r, const char *dir, bool v2, const char *name,
		       size_t len)
{
	struct cg_hugetlb *h = &r->s->hugetlb[r->s->n_hugetlb];
	char file[NAME_MAX + 1];

	if (!(h->size = arena_strndup(r->a, name + 8, len)))
		return -ENOMEM;
	r->s->n_hugetlb++;
	snprintf(file, sizeof(file), "hugetlb.%s", h->size);
	if (!v2) {
		usage_v1(dir, file, &h->bytes);
		return 0;
	}
	get(dir, name, &h->bytes.usage);
	snprintf(file, sizeof(file), "hugetlb.%s.events", h->size);
	auto_str events = slurp(dir, file);
	get_key(events, "max", 1, &h->bytes.failcnt);
	return 0;
}

#define PAGE_SIZES_MAX 32

static int read_hugetlb(const struct reader *r)
{
	bool v2;
	const char *dir = dir_of(r, "hugetlb", &v2);
	DIR *d = dir ? opendir(dir) : NULL;
	int rc = 0;

	if (!d)
		return 0;
	r->s->hugetlb = arena_array(r->a, PAGE_SIZES_MAX, sizeof(*r->s->hugetlb));
	if (!r->s->hugetlb)
		rc = -ENOMEM;
	for (struct dirent *f; rc == 0 && r->s->n_hugetlb < PAGE_SIZES_MAX && (f = readdir(d));) {
		size_t len = hugetlb_size(f->d_name, v2 ? ".current" : ".usage_in_bytes");
		if (len)
			rc = hugetlb_one(r, dir, v2, f->d_name, len);
	}
	closedir(d);
	return rc;
}

int cg_stats(struct cg_group *g, struct arena *a, struct cg_stats *ret_stats, struct err *e)
{
	static int (*const parts[])(const struct reader *) = {read_cpu,  read_cpuset, read_memory,
							      read_pids, read_io,     read_hugetlb};
	struct cg_stats s = {0};
	struct reader r = {g, a, &s};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i](&r) < 0)
			return err_sys(e, ENOMEM, g->path, "reading statistics");
	*ret_stats = s;
	return 0;
}
