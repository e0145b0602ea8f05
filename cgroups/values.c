/* cgroups/values.c: linux.resources as a list of (hierarchy, file, text).
 *
 * One table says for each scalar of the spec which file takes it on v1 and on v2 and how the
 * number is converted; the lists (per device, per page size …) are in values_lists.c.
 * Sources: OCI config-linux.md, the kernel's admin-guide/cgroup-v1/ and cgroup-v2.rst, crun(1)
 * "CGROUP v2".
 *
 * Invariants
 *  1. Whatever is asked for and has no file on the hierarchy that would serve it is
 *     ERR_UNSUPPORTED by its pointer; nothing is dropped silently but what asks for the state
 *     that holds anyway ("neutral").
 *  2. A zero where zero can't be meant (a limit of no memory, no share of the processor) is
 *     "not given": engines send such zeros for every option that nobody set.
 *  3. Order is the order of writing. Values whose right order depends on what stands in the files
 *     share a chain number.
 *  4. Nothing here touches anything but memory.
 */
#include "cgroups/values.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN_NONE, CHAIN_MEMORY, CHAIN_CPU, CHAIN_RT };

enum field_type { F_I64, F_U64, F_BOOL, F_TEXT };

struct row {
	const char *pointer;
	size_t offset;
	enum field_type type;
	bool zero_unset;
	const char *neutral; /* the text that asks for nothing new, "" for none */
	unsigned chain;
	const char *v1_ctl, *v1_file, *v1_alt;
	const char *v2_ctl, *v2_file, *v2_alt;
	/* Texts; NULL: the number itself. NULL returned with e unset: nothing to write. */
	const char *(*v1)(struct cg_build *b, const struct row *r, int64_t v);
	const char *(*v2)(struct cg_build *b, const struct row *r, int64_t v);
	const char *(*v2_alt_text)(struct cg_build *b, const struct row *r, int64_t v);
};

/* --- numbers --- */

/* Logarithm to base 2 of x ≥ 1, bit by bit (squaring doubles the logarithm). */
static double log2_of(double x)
{
	double r = 0, bit = 0.5;

	for (; x >= 2; x /= 2)
		r += 1;
	for (int i = 0; i < 48; i++, bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			r += bit;
		}
	}
	return r;
}

/* 10 to the power of x, 0 ≤ x ≤ 5, by the exponential series of its parts. */
static double pow10_of(double x)
{
	double r = 1, term = 1, sum = 1;

	for (; x >= 1; x -= 1)
		r *= 10;
	for (int i = 1; i < 30; i++) {
		term *= x * 2.302585092994046 / i;
		sum += term;
	}
	return r * sum;
}

/* The curve that runtimes agreed on, through (2, 1), (1024, 100) and (262144, 10000):
 * weight = 10 ^ ((l² + 125 l) / 612 − 7 / 34) with l = log2(shares), rounded up. */
uint64_t cg_shares_to_weight(uint64_t shares)
{
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of((double)shares);
	double w = pow10_of((l * l + 125 * l) / 612 - 7.0 / 34);
	uint64_t floor_w = (uint64_t)w;
	return floor_w + (w - (double)floor_w > 1e-6);
}

uint64_t cg_blkio_to_io_weight(uint64_t weight)
{
	if (weight <= 10)
		return 1;
	if (weight >= 1000)
		return 10000;
	return 1 + (weight - 10) * 9999 / 990;
}

/* --- adding --- */

const char *cg_values_pointer(struct cg_build *b, const char *tail)
{
	return arena_printf(b->a, "%s%s", b->ask->prefix, tail);
}

int cg_values_no_memory(struct cg_build *b)
{
	return err_sys(b->e, ENOMEM, "", "planning the control group's values");
}

int cg_values_add(struct cg_build *b, const struct cg_value *v)
{
	if (!v->pointer || !v->file || !v->data)
		return cg_values_no_memory(b);
	if (b->out.n == b->out.cap) {
		size_t cap = b->out.cap ? b->out.cap * 2 : 16;
		struct cg_value *items = arena_array(b->a, cap, sizeof(*items));
		if (!items)
			return cg_values_no_memory(b);
		if (b->out.n)
			memcpy(items, b->out.items, b->out.n * sizeof(*items));
		b->out.items = items;
		b->out.cap = cap;
	}
	b->out.items[b->out.n++] = *v;
	return 0;
}

int cg_values_unsupported(struct cg_build *b, const char *pointer, const char *why,
			  const char *what)
{
	return err_set(b->e, ERR_UNSUPPORTED, EOPNOTSUPP, pointer ? pointer : "", why, what);
}

int cg_values_no_controller(struct cg_build *b, const char *pointer, const char *ctl)
{
	return cg_values_unsupported(
		b, pointer,
		"needs the cgroup controller \"%s\", which is not available on this host", ctl);
}

int cg_values_no_v2(struct cg_build *b, const char *pointer)
{
	return cg_values_unsupported(b, pointer, "has no counterpart in cgroup v2%s", "");
}

/* The hierarchy that serves a controller by its v1 or v2 name (either may be NULL). */
const struct cg_hierarchy *cg_values_serving(const struct cg_build *b, const char *v1,
					     const char *v2)
{
	for (size_t i = 0; i < b->l->n; i++) {
		const struct cg_hierarchy *h = &b->l->items[i];
		const char *name = h->v2 ? v2 : v1;
		if (name && cg_list_has(h->controllers, name))
			return h;
	}
	return NULL;
}

size_t cg_values_index(const struct cg_build *b, const struct cg_hierarchy *h)
{
	return (size_t)(h - b->l->items);
}

/* --- conversions --- */

static const char *text_i64(struct cg_build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "%lld", (long long)v);
}

static const char *text_u64(struct cg_build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "%llu", (unsigned long long)v);
}

/* Every negative number means "no limit"; v1 files take -1, v2 files the word. */
static const char *limit_v1(struct cg_build *b, const struct row *r, int64_t v)
{
	return text_i64(b, r, v < 0 ? -1 : v);
}

static const char *limit_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	return v < 0 ? "max" : text_i64(b, r, v);
}

static const char *spec_error(struct cg_build *b, const struct row *r, const char *text)
{
	b->rc = err_set(b->e, ERR_SPEC, EINVAL, cg_values_pointer(b, r->pointer), "%s", text);
	return NULL;
}

static const char *swap_v1(struct cg_build *b, const struct row *r, int64_t v)
{
	const struct opt_i64 *limit = &b->r.memory.limit;

	if (v > 0 && !limit->set && !b->ask->update)
		return spec_error(b, r, "memory plus swap can't be limited without memory/limit");
	if (v > 0 && limit->set && (limit->v < 0 || v < limit->v))
		return spec_error(b, r,
				  "is memory plus swap, so it must not be below memory/limit");
	return limit_v1(b, r, v);
}

/* v2 counts swap alone. */
static const char *swap_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	const struct opt_i64 *limit = &b->r.memory.limit;

	if (v < 0)
		return "max";
	if (!limit->set)
		return spec_error(b, r,
				  "memory plus swap can't be converted to cgroup v2 without "
				  "memory/limit");
	if (limit->v < 0 || v < limit->v)
		return spec_error(b, r,
				  "is memory plus swap, so it must not be below memory/limit");
	return text_i64(b, r, v - limit->v);
}

static const char *shares_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	return text_u64(b, r, (int64_t)cg_shares_to_weight((uint64_t)v));
}

/* cpu.max takes quota and period together; a quota alone keeps the period. */
static const char *quota_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	const struct opt_u64 *period = &b->r.cpu.period;
	const char *quota = limit_v2(b, r, v);

	if (quota && period->set && period->v)
		return arena_printf(b->a, "%s %llu", quota, (unsigned long long)period->v);
	return quota;
}

static const char *period_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	(void)r;
	if (b->r.cpu.quota.set && b->r.cpu.quota.v)
		return NULL;
	return arena_printf(b->a, "%s %llu", b->ask->update ? "?" : "max", (unsigned long long)v);
}

static const char *swappiness_v1(struct cg_build *b, const struct row *r, int64_t v)
{
	if (v < 0 || v > 100)
		return spec_error(b, r, "must be between 0 and 100");
	return text_i64(b, r, v);
}

static const char *io_weight_text(struct cg_build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "default %llu",
			    (unsigned long long)cg_blkio_to_io_weight((uint64_t)v));
}

/* Kernels from 5.11 on always account below too: asking for it asks for nothing. */
static const char *hierarchy_v1(struct cg_build *b, const struct row *r, int64_t v)
{
	if (!v)
		b->rc = cg_values_unsupported(
			b, cg_values_pointer(b, r->pointer),
			"kernels from 5.11 on always account memory hierarchically%s", "");
	return NULL;
}

/* Kernel memory has no limit of its own since 5.16 (v1) and never had on v2. */
static const char *kernel_v1(struct cg_build *b, const struct row *r, int64_t v)
{
	return v < 0 ? NULL : text_i64(b, r, v);
}

/* What v2 lacks, and for which only "unlimited" or "off" can be granted. */
static const char *none_v2(struct cg_build *b, const struct row *r, int64_t v)
{
	if (v > 0 || !*r->neutral)
		b->rc = cg_values_no_v2(b, cg_values_pointer(b, r->pointer));
	return NULL;
}

/* --- the table --- */

static const struct row rows[] = {
	/* pointer, field, type, zero is unset, neutral, chain,
	 *   v1: controller, file, other name of it;  v2 the same;  texts for v1, v2, v2's other */
	{"/memory/limit", CG_AT(memory.limit), F_I64, true, "-1", CHAIN_MEMORY, "memory",
	 "memory.limit_in_bytes", NULL, "memory", "memory.max", NULL, limit_v1, limit_v2, NULL},
	{"/memory/swap", CG_AT(memory.swap), F_I64, true, "-1", CHAIN_MEMORY, "memory",
	 "memory.memsw.limit_in_bytes", NULL, "memory", "memory.swap.max", NULL, swap_v1, swap_v2,
	 NULL},
	{"/memory/reservation", CG_AT(memory.reservation), F_I64, true, "-1", 0, "memory",
	 "memory.soft_limit_in_bytes", NULL, "memory", "memory.low", NULL, limit_v1, limit_v2,
	 NULL},
	{"/memory/kernel", CG_AT(memory.kernel), F_I64, true, "-1", 0, "memory",
	 "memory.kmem.limit_in_bytes", NULL, "memory", "", NULL, kernel_v1, none_v2, NULL},
	{"/memory/kernelTCP", CG_AT(memory.kernel_tcp), F_I64, true, "-1", 0, "memory",
	 "memory.kmem.tcp.limit_in_bytes", NULL, "memory", "", NULL, limit_v1, none_v2, NULL},
	{"/memory/swappiness", CG_AT(memory.swappiness), F_U64, false, "", 0, "memory",
	 "memory.swappiness", NULL, "memory", "", NULL, swappiness_v1, none_v2, NULL},
	{"/memory/disableOOMKiller", CG_AT(memory.disable_oom_killer), F_BOOL, false, "0", 0,
	 "memory", "memory.oom_control", NULL, "memory", "", NULL, NULL, none_v2, NULL},
	{"/memory/useHierarchy", CG_AT(memory.use_hierarchy), F_BOOL, false, "1", 0, "memory",
	 "memory.use_hierarchy", NULL, "memory", "", NULL, hierarchy_v1, hierarchy_v1, NULL},
	{"/cpu/shares", CG_AT(cpu.shares), F_U64, true, "", 0, "cpu", "cpu.shares", NULL, "cpu",
	 "cpu.weight", NULL, NULL, shares_v2, NULL},
	{"/cpu/period", CG_AT(cpu.period), F_U64, true, "", CHAIN_CPU, "cpu", "cpu.cfs_period_us",
	 NULL, "cpu", "cpu.max", NULL, NULL, period_v2, NULL},
	{"/cpu/quota", CG_AT(cpu.quota), F_I64, true, "-1", CHAIN_CPU, "cpu", "cpu.cfs_quota_us",
	 NULL, "cpu", "cpu.max", NULL, limit_v1, quota_v2, NULL},
	{"/cpu/burst", CG_AT(cpu.burst), F_U64, false, "0", CHAIN_CPU, "cpu", "cpu.cfs_burst_us",
	 NULL, "cpu", "cpu.max.burst", NULL, NULL, NULL, NULL},
	{"/cpu/realtimePeriod", CG_AT(cpu.realtime_period), F_U64, true, "", CHAIN_RT, "cpu",
	 "cpu.rt_period_us", NULL, "cpu", "", NULL, NULL, none_v2, NULL},
	{"/cpu/realtimeRuntime", CG_AT(cpu.realtime_runtime), F_I64, true, "", CHAIN_RT, "cpu",
	 "cpu.rt_runtime_us", NULL, "cpu", "", NULL, NULL, none_v2, NULL},
	{"/cpu/idle", CG_AT(cpu.idle), F_I64, false, "0", 0, "cpu", "cpu.idle", NULL, "cpu",
	 "cpu.idle", NULL, NULL, NULL, NULL},
	{"/cpu/cpus", CG_AT(cpu.cpus), F_TEXT, true, "", 0, "cpuset", "cpuset.cpus", NULL, "cpuset",
	 "cpuset.cpus", NULL, NULL, NULL, NULL},
	{"/cpu/mems", CG_AT(cpu.mems), F_TEXT, true, "", 0, "cpuset", "cpuset.mems", NULL, "cpuset",
	 "cpuset.mems", NULL, NULL, NULL, NULL},
	{"/pids/limit", CG_AT(pids_limit), F_I64, false, "-1", 0, "pids", "pids.max", NULL, "pids",
	 "pids.max", NULL, limit_v2, limit_v2, NULL},
	{"/blockIO/weight", CG_AT(blockio.weight), F_U64, true, "", 0, "blkio", "blkio.weight",
	 "blkio.bfq.weight", "io", "io.bfq.weight", "io.weight", NULL, NULL, io_weight_text},
	{"/blockIO/leafWeight", CG_AT(blockio.leaf_weight), F_U64, true, "", 0, "blkio",
	 "blkio.leaf_weight", NULL, "io", "", NULL, NULL, none_v2, NULL},
	{"/network/classID", CG_AT(net_class_id), F_U64, true, "", 0, "net_cls", "net_cls.classid",
	 NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

/* Fetches a scalar; false when it isn't given. */
static bool fetch(const struct cg_build *b, const struct row *r, int64_t *ret_v,
		  const char **ret_text)
{
	const char *at = (const char *)&b->r + r->offset;
	struct opt_i64 i;
	struct opt_u64 u;
	struct opt_bool o;

	*ret_text = NULL;
	switch (r->type) {
	case F_I64:
		memcpy(&i, at, sizeof(i));
		*ret_v = i.v;
		return i.set && !(r->zero_unset && i.v == 0);
	case F_U64:
		memcpy(&u, at, sizeof(u));
		*ret_v = (int64_t)u.v;
		return u.set && !(r->zero_unset && u.v == 0);
	case F_BOOL:
		memcpy(&o, at, sizeof(o));
		*ret_v = o.v;
		return o.set;
	case F_TEXT:
		memcpy(ret_text, at, sizeof(*ret_text));
		*ret_v = 0;
		return *ret_text && **ret_text;
	}
	return false;
}

static bool is_neutral(const struct row *r, int64_t v)
{
	return *r->neutral && (*r->neutral == '-' ? v < 0 : v == *r->neutral - '0');
}

static int add_scalar(struct cg_build *b, const struct row *r, int64_t v, const char *text)
{
	const char *pointer = cg_values_pointer(b, r->pointer);
	const struct cg_hierarchy *h = cg_values_serving(b, r->v1_ctl, r->v2_ctl);

	if (!h)
		return is_neutral(r, v) ? 0 : cg_values_no_controller(b, pointer, r->v1_ctl);
	const char *(*convert)(struct cg_build *, const struct row *, int64_t) =
		h->v2 ? r->v2 : r->v1;
	if (!convert)
		convert = r->type == F_U64 ? text_u64 : text_i64;
	struct cg_value out = {.pointer = pointer,
			       .hier = cg_values_index(b, h),
			       .file = h->v2 ? r->v2_file : r->v1_file,
			       .alt_file = h->v2 ? r->v2_alt : r->v1_alt,
			       .data = text ? text : convert(b, r, v),
			       .neutral = is_neutral(r, v),
			       .chain = r->chain};
	if (!out.data)
		return b->rc;
	if (out.alt_file)
		out.alt_data = h->v2 && r->v2_alt_text ? r->v2_alt_text(b, r, v) : out.data;
	out.keep_first = *out.data == '?';
	return cg_values_add(b, &out);
}

static int add_scalars(struct cg_build *b)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v;
		const char *text;
		if (!fetch(b, &rows[i], &v, &text))
			continue;
		int rc = add_scalar(b, &rows[i], v, text);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_burst(struct cg_build *b)
{
	const struct spec_cpu *c = &b->r.cpu;

	if (c->burst.set && c->quota.set && c->quota.v > 0 && c->burst.v > (uint64_t)c->quota.v)
		return err_set(b->e, ERR_SPEC, EINVAL, cg_values_pointer(b, "/cpu/burst"),
			       "must not be larger than cpu/quota");
	return 0;
}

/* Limit 0: unchanged in an update; no limit in documents before 1.3; from then on no task, which
 * is written as 1: the first one has to come in. */
static void settle_pids(struct opt_i64 *limit, const struct cg_ask *ask)
{
	if (!limit->set || limit->v != 0)
		return;
	if (ask->update)
		limit->set = false;
	else
		limit->v = ask->pids_zero ? 1 : -1;
}

int cg_values_build(struct arena *a, const struct cg_layout *l, const struct cg_ask *ask,
		    struct cg_values *ret_values, struct err *e)
{
	struct cg_build b = {.a = a, .l = l, .r = *ask->r, .ask = ask, .e = e};

	/* Memory without limit means swap without limit too, unless swap is said. */
	struct spec_memory *m = &b.r.memory;
	if (m->limit.set && m->limit.v < 0 && (!m->swap.set || m->swap.v == 0))
		m->swap = (struct opt_i64){.set = true, .v = -1};
	settle_pids(&b.r.pids_limit, ask);
	static int (*const parts[])(struct cg_build *) = {check_burst, add_scalars,
							  cg_values_lists};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int rc = parts[i](&b);
		if (rc < 0)
			return rc;
	}
	*ret_values = b.out;
	return 0;
}
