/* cgroups/values.c: linux.resources as a list of (hierarchy, file, text).
 *
 * One table says for each scalar of the spec which file takes it on v1 and on v2 and how the
 * number is converted; the lists (per device, per page size …) follow below it. Sources: OCI
 * config-linux.md, the kernel's admin-guide/cgroup-v1/ and cgroup-v2.rst, crun(1) "CGROUP v2".
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
#include "cgroups/internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN_NONE, CHAIN_MEMORY, CHAIN_CPU, CHAIN_RT };

struct build {
	struct arena *a;
	const struct cg_layout *l;
	struct spec_resources r; /* a copy: implied values are filled in */
	const struct cg_ask *ask;
	struct cg_values out;
	struct err *e;
	int rc; /* of a conversion that gave no text */
};

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
	const char *(*v1)(struct build *b, const struct row *r, int64_t v);
	const char *(*v2)(struct build *b, const struct row *r, int64_t v);
	const char *(*v2_alt_text)(struct build *b, const struct row *r, int64_t v);
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

static const char *pointer_of(struct build *b, const char *tail)
{
	return arena_printf(b->a, "%s%s", b->ask->prefix, tail);
}

static int no_memory(struct build *b)
{
	return err_sys(b->e, ENOMEM, "", "planning the control group's values");
}

static int add(struct build *b, const struct cg_value *v)
{
	if (!v->pointer || !v->file || !v->data)
		return no_memory(b);
	if (b->out.n == b->out.cap) {
		size_t cap = b->out.cap ? b->out.cap * 2 : 16;
		struct cg_value *items = arena_array(b->a, cap, sizeof(*items));
		if (!items)
			return no_memory(b);
		if (b->out.n)
			memcpy(items, b->out.items, b->out.n * sizeof(*items));
		b->out.items = items;
		b->out.cap = cap;
	}
	b->out.items[b->out.n++] = *v;
	return 0;
}

static int unsupported(struct build *b, const char *pointer, const char *why, const char *what)
{
	return err_set(b->e, ERR_UNSUPPORTED, EOPNOTSUPP, pointer ? pointer : "", why, what);
}

static int no_controller(struct build *b, const char *pointer, const char *ctl)
{
	return unsupported(
		b, pointer,
		"needs the cgroup controller \"%s\", which is not available on this host", ctl);
}

static int no_file_on_v2(struct build *b, const char *pointer)
{
	return unsupported(b, pointer, "has no counterpart in cgroup v2%s", "");
}

/* The hierarchy that serves a controller by its v1 or v2 name (either may be NULL). */
static const struct cg_hierarchy *serving(const struct build *b, const char *v1, const char *v2)
{
	for (size_t i = 0; i < b->l->n; i++) {
		const struct cg_hierarchy *h = &b->l->items[i];
		const char *name = h->v2 ? v2 : v1;
		if (name && cg_list_has(h->controllers, name))
			return h;
	}
	return NULL;
}

static size_t index_of(const struct build *b, const struct cg_hierarchy *h)
{
	return (size_t)(h - b->l->items);
}

/* --- conversions --- */

static const char *text_i64(struct build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "%lld", (long long)v);
}

static const char *text_u64(struct build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "%llu", (unsigned long long)v);
}

/* Every negative number means "no limit"; v1 files take -1, v2 files the word. */
static const char *limit_v1(struct build *b, const struct row *r, int64_t v)
{
	return text_i64(b, r, v < 0 ? -1 : v);
}

static const char *limit_v2(struct build *b, const struct row *r, int64_t v)
{
	return v < 0 ? "max" : text_i64(b, r, v);
}

static const char *spec_error(struct build *b, const struct row *r, const char *text)
{
	b->rc = err_set(b->e, ERR_SPEC, EINVAL, pointer_of(b, r->pointer), "%s", text);
	return NULL;
}

static const char *swap_v1(struct build *b, const struct row *r, int64_t v)
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
static const char *swap_v2(struct build *b, const struct row *r, int64_t v)
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

static const char *pids_text(struct build *b, const struct row *r, int64_t v)
{
	/* One task is what no task comes to: the first one is there before the limit. */
	if (v == 0)
		return b->ask->update ? NULL : b->ask->pids_zero ? "1" : "max";
	return limit_v2(b, r, v);
}

static const char *shares_v2(struct build *b, const struct row *r, int64_t v)
{
	return text_u64(b, r, (int64_t)cg_shares_to_weight((uint64_t)v));
}

/* cpu.max takes quota and period together; a quota alone keeps the period. */
static const char *quota_v2(struct build *b, const struct row *r, int64_t v)
{
	const struct opt_u64 *period = &b->r.cpu.period;
	const char *quota = limit_v2(b, r, v);

	if (quota && period->set && period->v)
		return arena_printf(b->a, "%s %llu", quota, (unsigned long long)period->v);
	return quota;
}

static const char *period_v2(struct build *b, const struct row *r, int64_t v)
{
	(void)r;
	if (b->r.cpu.quota.set && b->r.cpu.quota.v)
		return NULL;
	return arena_printf(b->a, "%s %llu", b->ask->update ? "?" : "max", (unsigned long long)v);
}

static const char *swappiness_v1(struct build *b, const struct row *r, int64_t v)
{
	if (v < 0 || v > 100)
		return spec_error(b, r, "must be between 0 and 100");
	return text_i64(b, r, v);
}

static const char *io_weight_text(struct build *b, const struct row *r, int64_t v)
{
	(void)r;
	return arena_printf(b->a, "default %llu",
			    (unsigned long long)cg_blkio_to_io_weight((uint64_t)v));
}

/* Kernels from 5.11 on always account below too: asking for it asks for nothing. */
static const char *hierarchy_v1(struct build *b, const struct row *r, int64_t v)
{
	if (!v)
		b->rc = unsupported(b, pointer_of(b, r->pointer),
				    "kernels from 5.11 on always account memory hierarchically%s",
				    "");
	return NULL;
}

/* Kernel memory has no limit of its own since 5.16 (v1) and never had on v2. */
static const char *kernel_v1(struct build *b, const struct row *r, int64_t v)
{
	return v < 0 ? NULL : text_i64(b, r, v);
}

/* What v2 lacks, and for which only "unlimited" or "off" can be granted. */
static const char *none_v2(struct build *b, const struct row *r, int64_t v)
{
	if (v > 0 || !*r->neutral)
		b->rc = no_file_on_v2(b, pointer_of(b, r->pointer));
	return NULL;
}

/* --- the table --- */

#define AT(field) offsetof(struct spec_resources, field)

static const struct row rows[] = {
	/* pointer, field, type, zero is unset, neutral, chain,
	 *   v1: controller, file, other name of it;  v2 the same;  texts for v1, v2, v2's other */
	{"/memory/limit", AT(memory.limit), F_I64, true, "-1", CHAIN_MEMORY, "memory",
	 "memory.limit_in_bytes", NULL, "memory", "memory.max", NULL, limit_v1, limit_v2, NULL},
	{"/memory/swap", AT(memory.swap), F_I64, true, "-1", CHAIN_MEMORY, "memory",
	 "memory.memsw.limit_in_bytes", NULL, "memory", "memory.swap.max", NULL, swap_v1, swap_v2,
	 NULL},
	{"/memory/reservation", AT(memory.reservation), F_I64, true, "-1", 0, "memory",
	 "memory.soft_limit_in_bytes", NULL, "memory", "memory.low", NULL, limit_v1, limit_v2,
	 NULL},
	{"/memory/kernel", AT(memory.kernel), F_I64, true, "-1", 0, "memory",
	 "memory.kmem.limit_in_bytes", NULL, "memory", "", NULL, kernel_v1, none_v2, NULL},
	{"/memory/kernelTCP", AT(memory.kernel_tcp), F_I64, true, "-1", 0, "memory",
	 "memory.kmem.tcp.limit_in_bytes", NULL, "memory", "", NULL, limit_v1, none_v2, NULL},
	{"/memory/swappiness", AT(memory.swappiness), F_U64, false, "", 0, "memory",
	 "memory.swappiness", NULL, "memory", "", NULL, swappiness_v1, none_v2, NULL},
	{"/memory/disableOOMKiller", AT(memory.disable_oom_killer), F_BOOL, false, "0", 0, "memory",
	 "memory.oom_control", NULL, "memory", "", NULL, NULL, none_v2, NULL},
	{"/memory/useHierarchy", AT(memory.use_hierarchy), F_BOOL, false, "1", 0, "memory",
	 "memory.use_hierarchy", NULL, "memory", "", NULL, hierarchy_v1, hierarchy_v1, NULL},
	{"/cpu/shares", AT(cpu.shares), F_U64, true, "", 0, "cpu", "cpu.shares", NULL, "cpu",
	 "cpu.weight", NULL, NULL, shares_v2, NULL},
	{"/cpu/period", AT(cpu.period), F_U64, true, "", CHAIN_CPU, "cpu", "cpu.cfs_period_us",
	 NULL, "cpu", "cpu.max", NULL, NULL, period_v2, NULL},
	{"/cpu/quota", AT(cpu.quota), F_I64, true, "-1", CHAIN_CPU, "cpu", "cpu.cfs_quota_us", NULL,
	 "cpu", "cpu.max", NULL, limit_v1, quota_v2, NULL},
	{"/cpu/burst", AT(cpu.burst), F_U64, false, "0", CHAIN_CPU, "cpu", "cpu.cfs_burst_us", NULL,
	 "cpu", "cpu.max.burst", NULL, NULL, NULL, NULL},
	{"/cpu/realtimePeriod", AT(cpu.realtime_period), F_U64, true, "", CHAIN_RT, "cpu",
	 "cpu.rt_period_us", NULL, "cpu", "", NULL, NULL, none_v2, NULL},
	{"/cpu/realtimeRuntime", AT(cpu.realtime_runtime), F_I64, true, "", CHAIN_RT, "cpu",
	 "cpu.rt_runtime_us", NULL, "cpu", "", NULL, NULL, none_v2, NULL},
	{"/cpu/idle", AT(cpu.idle), F_I64, false, "0", 0, "cpu", "cpu.idle", NULL, "cpu",
	 "cpu.idle", NULL, NULL, NULL, NULL},
	{"/cpu/cpus", AT(cpu.cpus), F_TEXT, true, "", 0, "cpuset", "cpuset.cpus", NULL, "cpuset",
	 "cpuset.cpus", NULL, NULL, NULL, NULL},
	{"/cpu/mems", AT(cpu.mems), F_TEXT, true, "", 0, "cpuset", "cpuset.mems", NULL, "cpuset",
	 "cpuset.mems", NULL, NULL, NULL, NULL},
	{"/pids/limit", AT(pids_limit), F_I64, false, "-1", 0, "pids", "pids.max", NULL, "pids",
	 "pids.max", NULL, pids_text, pids_text, NULL},
	{"/blockIO/weight", AT(blockio.weight), F_U64, true, "", 0, "blkio", "blkio.weight",
	 "blkio.bfq.weight", "io", "io.bfq.weight", "io.weight", NULL, NULL, io_weight_text},
	{"/blockIO/leafWeight", AT(blockio.leaf_weight), F_U64, true, "", 0, "blkio",
	 "blkio.leaf_weight", NULL, "io", "", NULL, NULL, none_v2, NULL},
	{"/network/classID", AT(net_class_id), F_U64, true, "", 0, "net_cls", "net_cls.classid",
	 NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

/* Fetches a scalar; false when it isn't given. */
static bool fetch(const struct build *b, const struct row *r, int64_t *ret_v, const char **ret_text)
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

static int add_scalar(struct build *b, const struct row *r, int64_t v, const char *text)
{
	const char *pointer = pointer_of(b, r->pointer);
	const struct cg_hierarchy *h = serving(b, r->v1_ctl, r->v2_ctl);

	if (!h)
		return is_neutral(r, v) ? 0 : no_controller(b, pointer, r->v1_ctl);
	const char *(*convert)(struct build *, const struct row *, int64_t) = h->v2 ? r->v2 : r->v1;
	if (!convert)
		convert = r->type == F_U64 ? text_u64 : text_i64;
	struct cg_value out = {.pointer = pointer,
			       .hier = index_of(b, h),
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
	return add(b, &out);
}

static int add_scalars(struct build *b)
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

/* --- lists --- */

static bool device_numbers_ok(struct build *b, const char *pointer, int64_t major, int64_t minor)
{
	if (major >= 0 && major <= UINT32_MAX && minor >= 0 && minor <= UINT32_MAX)
		return true;
	err_set(b->e, ERR_SPEC, EINVAL, pointer, "device numbers must be between 0 and 4294967295");
	return false;
}

static int add_device_weight(struct build *b, const struct cg_hierarchy *h, size_t i)
{
	const struct spec_weight_device *d = &b->r.blockio.weight_device.items[i];
	const char *pointer = arena_printf(b->a, "%s/blockIO/weightDevice/%zu", b->ask->prefix, i);
	unsigned long long w = d->weight.v;

	if (!pointer)
		return no_memory(b);
	if (!device_numbers_ok(b, pointer, d->major, d->minor))
		return -EINVAL;
	const char *text =
		arena_printf(b->a, "%lld:%lld %llu", (long long)d->major, (long long)d->minor, w);
	if (d->weight.set && w) {
		struct cg_value v = {.pointer = pointer,
				     .hier = index_of(b, h),
				     .file = h->v2 ? "io.bfq.weight" : "blkio.weight_device",
				     .alt_file = h->v2 ? "io.weight" : "blkio.bfq.weight_device",
				     .data = text,
				     .alt_data = text};
		if (h->v2)
			v.alt_data = arena_printf(b->a, "%lld:%lld %llu", (long long)d->major,
						  (long long)d->minor,
						  (unsigned long long)cg_blkio_to_io_weight(w));
		int rc = add(b, &v);
		if (rc < 0)
			return rc;
	}
	if (!d->leaf_weight.set || !d->leaf_weight.v)
		return 0;
	if (h->v2)
		return no_file_on_v2(b, arena_printf(b->a, "%s/leafWeight", pointer));
	return add(b,
		   &(struct cg_value){.pointer = arena_printf(b->a, "%s/leafWeight", pointer),
				      .hier = index_of(b, h),
				      .file = "blkio.leaf_weight_device",
				      .data = arena_printf(b->a, "%lld:%lld %llu",
							   (long long)d->major, (long long)d->minor,
							   (unsigned long long)d->leaf_weight.v)});
}

static int add_device_weights(struct build *b)
{
	const struct cg_hierarchy *h = serving(b, "blkio", "io");

	for (size_t i = 0; i < b->r.blockio.weight_device.n; i++) {
		int rc = h ? add_device_weight(b, h, i)
			   : no_controller(b, pointer_of(b, "/blockIO/weightDevice"), "blkio");
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct throttle_row {
	const char *name;
	size_t offset;
	const char *v1_file, *v2_key;
};

static const struct throttle_row throttles[] = {
	{"throttleReadBpsDevice", AT(blockio.read_bps), "blkio.throttle.read_bps_device", "rbps"},
	{"throttleWriteBpsDevice", AT(blockio.write_bps), "blkio.throttle.write_bps_device",
	 "wbps"},
	{"throttleReadIOPSDevice", AT(blockio.read_iops), "blkio.throttle.read_iops_device",
	 "riops"},
	{"throttleWriteIOPSDevice", AT(blockio.write_iops), "blkio.throttle.write_iops_device",
	 "wiops"},
};

/* Rate 0 takes a limit away on v1; v2 says "max" for that. */
static const char *throttle_text(struct build *b, const struct throttle_row *t,
				 const struct spec_throttle *d, bool v2)
{
	long long major = d->major, minor = d->minor;
	unsigned long long rate = d->rate;

	if (!v2)
		return arena_printf(b->a, "%lld:%lld %llu", major, minor, rate);
	if (!rate)
		return arena_printf(b->a, "%lld:%lld %s=max", major, minor, t->v2_key);
	return arena_printf(b->a, "%lld:%lld %s=%llu", major, minor, t->v2_key, rate);
}

static int add_throttle(struct build *b, const struct throttle_row *t)
{
	const struct cg_hierarchy *h = serving(b, "blkio", "io");
	struct spec_throttles list;

	memcpy(&list, (const char *)&b->r + t->offset, sizeof(list));
	for (size_t i = 0; i < list.n; i++) {
		const struct spec_throttle *d = &list.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/blockIO/%s/%zu", b->ask->prefix, t->name, i);
		if (!pointer)
			return no_memory(b);
		if (!h)
			return no_controller(b, pointer, "blkio");
		if (!device_numbers_ok(b, pointer, d->major, d->minor))
			return -EINVAL;
		int rc = add(b, &(struct cg_value){.pointer = pointer,
						   .hier = index_of(b, h),
						   .file = h->v2 ? "io.max" : t->v1_file,
						   .data = throttle_text(b, t, d, h->v2)});
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_throttles(struct build *b)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(throttles) / sizeof(throttles[0]); i++)
		rc = add_throttle(b, &throttles[i]);
	return rc;
}

/* "64KB", "2MB", "1GB": it becomes part of a file's name. */
static bool page_size_ok(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits && digits < 16 && strchr("KMGTPE", s[digits]) && s[digits] &&
	       strcmp(s + digits + 1, "B") == 0;
}

/* Usage first, then reservations where the kernel has them: both hold, the reservation's limit is
 * met first (no SIGBUS). */
static int add_hugepages(struct build *b)
{
	const struct cg_hierarchy *h = serving(b, "hugetlb", "hugetlb");

	for (size_t i = 0; i < b->r.hugepages.n; i++) {
		const struct spec_hugepage *p = &b->r.hugepages.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/hugepageLimits/%zu", b->ask->prefix, i);
		if (!pointer)
			return no_memory(b);
		if (!p->page_size || !page_size_ok(p->page_size))
			return err_set(b->e, ERR_SPEC, EINVAL, pointer,
				       "pageSize must be a size like \"2MB\", is \"%s\"",
				       p->page_size ? p->page_size : "");
		if (!h)
			return no_controller(b, pointer, "hugetlb");
		const char *tail = h->v2 ? "max" : "limit_in_bytes";
		struct cg_value v = {
			.pointer = pointer,
			.hier = index_of(b, h),
			.file = arena_printf(b->a, "hugetlb.%s.%s", p->page_size, tail),
			.data = arena_printf(b->a, "%llu", (unsigned long long)p->limit)};
		int rc = add(b, &v);
		if (rc < 0)
			return rc;
		v.file = arena_printf(b->a, "hugetlb.%s.rsvd.%s", p->page_size, tail);
		v.neutral = true; /* kernels without it keep the usage limit */
		rc = add(b, &v);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_net_priorities(struct build *b)
{
	const struct cg_hierarchy *h = serving(b, "net_prio", NULL);

	for (size_t i = 0; i < b->r.net_priorities.n; i++) {
		const struct spec_net_priority *p = &b->r.net_priorities.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/network/priorities/%zu", b->ask->prefix, i);
		if (!h)
			return no_controller(b, pointer, "net_prio");
		int rc = add(b, &(struct cg_value){
					.pointer = pointer,
					.hier = index_of(b, h),
					.file = "net_prio.ifpriomap",
					.data = arena_printf(b->a, "%s %u", p->name, p->priority)});
		if (rc < 0)
			return rc;
	}
	return 0;
}

static const char *rdma_text(struct build *b, const struct spec_rdma *d)
{
	const char *text = d->device;

	if (d->hca_handles.set)
		text = arena_printf(b->a, "%s hca_handle=%llu", text,
				    (unsigned long long)d->hca_handles.v);
	if (text && d->hca_objects.set)
		text = arena_printf(b->a, "%s hca_object=%llu", text,
				    (unsigned long long)d->hca_objects.v);
	return text;
}

/* A key as a step of a JSON pointer (RFC 6901). */
static const char *key_pointer(struct build *b, const char *list, const char *key)
{
	auto_strbuf s = {0};

	strbuf_printf(&s, "%s/%s/", b->ask->prefix, list);
	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			strbuf_puts(&s, *key == '~' ? "~0" : "~1");
		else
			strbuf_add(&s, key, 1);
	}
	return s.failed ? NULL : arena_strdup(b->a, s.s);
}

static int add_rdma(struct build *b)
{
	const struct cg_hierarchy *h = serving(b, "rdma", "rdma");

	for (size_t i = 0; i < b->r.rdma.n; i++) {
		const char *pointer = key_pointer(b, "rdma", b->r.rdma.items[i].device);
		if (!h)
			return no_controller(b, pointer, "rdma");
		int rc = add(b, &(struct cg_value){.pointer = pointer,
						   .hier = index_of(b, h),
						   .file = "rdma.max",
						   .data = rdma_text(b, &b->r.rdma.items[i])});
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_unified_one(struct build *b, const char *key, const char *value)
{
	const char *pointer = key_pointer(b, "unified", key);
	int v2 = cg_v2_index(b->l);
	char ctl[64];
	size_t len = strcspn(key, ".");

	if (!pointer)
		return no_memory(b);
	if (strchr(key, '/') || len == 0 || !key[len] || !key[len + 1] || len >= sizeof(ctl))
		return err_set(b->e, ERR_SPEC, EINVAL, pointer,
			       "must be the name of a cgroup v2 file, \"controller.name\"");
	if (v2 < 0)
		return unsupported(b, pointer, "this host has no cgroup v2 hierarchy%s", "");
	memcpy(ctl, key, len);
	ctl[len] = '\0';
	if (strcmp(ctl, "cgroup") != 0 && !cg_list_has(b->l->items[v2].controllers, ctl))
		return unsupported(b, pointer,
				   "the cgroup v2 hierarchy has no controller \"%s\" on this host",
				   ctl);
	return add(b, &(struct cg_value){
			      .pointer = pointer, .hier = (size_t)v2, .file = key, .data = value});
}

static int add_unified(struct build *b)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->r.unified.n; i++)
		rc = add_unified_one(b, b->r.unified.items[i].key, b->r.unified.items[i].value);
	return rc;
}

static int check_burst(struct build *b)
{
	const struct spec_cpu *c = &b->r.cpu;

	if (c->burst.set && c->quota.set && c->quota.v > 0 && c->burst.v > (uint64_t)c->quota.v)
		return err_set(b->e, ERR_SPEC, EINVAL, pointer_of(b, "/cpu/burst"),
			       "must not be larger than cpu/quota");
	return 0;
}

int cg_values_build(struct arena *a, const struct cg_layout *l, const struct cg_ask *ask,
		    struct cg_values *ret_values, struct err *e)
{
	struct build b = {.a = a, .l = l, .r = *ask->r, .ask = ask, .e = e};

	/* Memory without limit means swap without limit too, unless swap is said. */
	struct spec_memory *m = &b.r.memory;
	if (m->limit.set && m->limit.v < 0 && (!m->swap.set || m->swap.v == 0))
		m->swap = (struct opt_i64){.set = true, .v = -1};
	static int (*const parts[])(struct build *) = {
		check_burst,   add_scalars,        add_device_weights, add_throttles,
		add_hugepages, add_net_priorities, add_rdma,           add_unified};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int rc = parts[i](&b);
		if (rc < 0)
			return rc;
	}
	*ret_values = b.out;
	return 0;
}
