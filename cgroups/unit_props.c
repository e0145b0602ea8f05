/* cgroups/unit_props.c: properties of the unit, from what is written to the group's files and from
 * annotations.
 *
 * The values are made already (values.c): one table says which file is which property
 * (systemd.resource-control(5), org.freedesktop.systemd1(5)). So the two can't disagree, and
 * linux.resources.unified is served by the same lines.
 *
 * Invariants
 *  1. What systemd has no property for is in no property: the file alone holds it.
 *  2. Nothing here touches anything but memory.
 */
#include "cgroups/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION "org.systemd.property."
#define SECOND 1000000u
/* systemd.resource-control(5): the weight that stands for "idle". */
#define WEIGHT_IDLE 0

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, "", "planning the unit's properties");
}

static const char *name_of(const struct cg_var *property)
{
	return property->items[0]->s;
}

int cg_props_put(struct arena *a, struct cg_props *p, const char *name, struct cg_var *v,
		 struct err *e)
{
	struct cg_var *variant = v ? cg_var_list(a, "v", (struct cg_var *[]){v}, 1) : NULL;
	struct cg_var *both[] = {cg_var_str(a, name), variant};
	struct cg_var *item = cg_var_list(a, "(sv)", both, 2);

	if (!item)
		return no_memory(e);
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(name_of(p->items[i]), name) == 0) {
			p->items[i] = item;
			return 0;
		}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct cg_var **items = arena_array(a, cap, sizeof(*items));
		if (!items)
			return no_memory(e);
		if (p->n)
			memcpy(items, p->items, p->n * sizeof(*items));
		p->items = items;
		p->cap = cap;
	}
	p->items[p->n++] = item;
	return 0;
}

/* --- files → properties --- */

struct conv {
	struct arena *a;
	const struct cg_value *v; /* whose text it is */
	unsigned version;
	struct cg_props *p;
	struct err *e;
};

static int put_num(struct conv *c, const char *name, uint64_t u)
{
	return cg_props_put(c->a, c->p, name, cg_var_num(c->a, "t", u), c->e);
}

/* A text that isn't what the file takes is left to the kernel, which says so. */
static bool number(const char *text, uint64_t *ret_u)
{
	if (strcmp(text, "max") == 0 || strcmp(text, "-1") == 0) {
		*ret_u = UINT64_MAX;
		return true;
	}
	return str_to_u64(text, ret_u);
}

static int to_number(struct conv *c, const char *name)
{
	uint64_t u;

	return number(c->v->data, &u) ? put_num(c, name, u) : 0;
}

/* "default 100" */
static int to_weight(struct conv *c, const char *name)
{
	const char *text = c->v->alt_data ? c->v->alt_data : c->v->data;
	uint64_t u;

	if (str_starts(text, "default "))
		text += strlen("default ");
	return str_to_u64(text, &u) && u <= 10000 ? put_num(c, name, u) : 0;
}

static int to_idle(struct conv *c, const char *name)
{
	return strcmp(c->v->data, "1") == 0 ? put_num(c, name, WEIGHT_IDLE) : 0;
}

/* "0-2,5" as a bit for each. */
static int to_set(struct conv *c, const char *name)
{
	struct cg_u64s list = {0};
	uint64_t last = 0;

	int rc = cg_parse_list(c->a, c->v->data, &list);
	if (rc < 0)
		return no_memory(c->e);
	for (size_t i = 0; i < list.n; i++)
		last = list.v[i] > last ? list.v[i] : last;
	if (list.n == 0 || last > 65536)
		return 0;
	unsigned char *bits = arena_alloc(c->a, last / 8 + 1);
	for (size_t i = 0; bits && i < list.n; i++)
		bits[list.v[i] / 8] |= (unsigned char)(1u << list.v[i] % 8);
	return cg_props_put(c->a, c->p, name, cg_var_bytes(c->a, bits, last / 8 + 1), c->e);
}

static int put_quota(struct conv *c, uint64_t quota, uint64_t period)
{
	uint64_t per_second = UINT64_MAX;

	if (period == 0 || period > SECOND)
		return 0;
	/* Rounded up: systemd rounds down when it computes the quota again. */
	if (quota < UINT64_MAX / SECOND)
		per_second = (quota * SECOND + period - 1) / period;
	int rc = put_num(c, "CPUQuotaPerSecUSec", per_second);
	return rc < 0 || c->version < 242 ? rc : put_num(c, "CPUQuotaPeriodUSec", period);
}

/* cpu.max: "50000 100000", "max 100000", "50000". */
static int to_quota(struct conv *c, const char *name)
{
	uint64_t quota, period = 100000;
	char text[64];

	(void)name;
	if (snprintf(text, sizeof(text), "%s", c->v->data) >= (int)sizeof(text))
		return 0;
	char *blank = strchr(text, ' ');
	if (blank) {
		*blank = '\0';
		if (!str_to_u64(blank + 1, &period))
			return 0;
	}
	return number(text, &quota) ? put_quota(c, quota, period) : 0;
}

struct row {
	const char *file, *property;
	int (*put)(struct conv *c, const char *name);
	unsigned since; /* version of systemd, 0: any that we meet */
};

static const struct row rows_v2[] = {
	{"memory.max", "MemoryMax", to_number, 0},
	{"memory.high", "MemoryHigh", to_number, 0},
	{"memory.low", "MemoryLow", to_number, 0},
	{"memory.min", "MemoryMin", to_number, 240},
	{"memory.swap.max", "MemorySwapMax", to_number, 0},
	{"cpu.weight", "CPUWeight", to_number, 0},
	{"cpu.idle", "CPUWeight", to_idle, 252},
	{"cpu.max", "CPUQuotaPerSecUSec", to_quota, 0},
	{"pids.max", "TasksMax", to_number, 0},
	{"cpuset.cpus", "AllowedCPUs", to_set, 244},
	{"cpuset.mems", "AllowedMemoryNodes", to_set, 244},
	{"io.bfq.weight", "IOWeight", to_weight, 0},
	{"io.weight", "IOWeight", to_weight, 0},
	{0},
};
static const struct row rows_v1[] = {
	{"memory.limit_in_bytes", "MemoryLimit", to_number, 0},
	{"cpu.shares", "CPUShares", to_number, 0},
	{"pids.max", "TasksMax", to_number, 0},
	{"blkio.weight", "BlockIOWeight", to_number, 0},
	{0},
};

static int put_value(struct conv *c, const struct row *rows)
{
	for (const struct row *r = rows; r->file; r++)
		if (strcmp(r->file, c->v->file) == 0)
			return c->version >= r->since ? r->put(c, r->property) : 0;
	return 0;
}

/* v1 has quota and period in two files. */
static int put_v1_quota(struct conv *c, const struct cg_layout *l, const struct cg_values *values)
{
	uint64_t quota = 0, period = 100000;
	bool found = false;

	for (size_t i = 0; i < values->n; i++) {
		const struct cg_value *v = &values->items[i];
		if (l->items[v->hier].v2)
			continue;
		if (strcmp(v->file, "cpu.cfs_quota_us") == 0)
			found = number(v->data, &quota);
		else if (strcmp(v->file, "cpu.cfs_period_us") == 0)
			(void)str_to_u64(v->data, &period);
	}
	return found ? put_quota(c, quota, period) : 0;
}

int cg_props_values(struct arena *a, const struct cg_layout *l, const struct cg_values *values,
		    unsigned version, struct cg_props *p, struct err *e)
{
	struct conv c = {.a = a, .version = version, .p = p, .e = e};
	int rc = put_v1_quota(&c, l, values);

	for (size_t i = 0; rc == 0 && i < values->n; i++) {
		c.v = &values->items[i];
		rc = put_value(&c, l->items[c.v->hier].v2 ? rows_v2 : rows_v1);
	}
	return rc;
}

/* --- devices (v1) --- */

static struct cg_var *device_entry(struct arena *a, const struct cg_dev *d)
{
	const char *class = d->type == 'b' ? "block" : "char";
	const char *name = d->major == CG_DEV_ANY
				   ? arena_printf(a, "%s-*", class)
				   : arena_printf(a, "/dev/%s/%lld:%lld", class,
						  (long long)d->major, (long long)d->minor);
	char access[4], *p = access;

	if (d->access & CG_DEV_R)
		*p++ = 'r';
	if (d->access & CG_DEV_W)
		*p++ = 'w';
	if (d->access & CG_DEV_M)
		*p++ = 'm';
	*p = '\0';
	struct cg_var *both[] = {cg_var_str(a, name), cg_var_str(a, arena_strdup(a, access))};
	return cg_var_list(a, "(ss)", both, 2);
}

/* systemd names a whole major number by its driver, which may not be loaded; such a list is not
 * told to it, and neither is one that allows all but something. */
static bool can_be_told(const struct cg_dev_v1 *d)
{
	if (d->allow_all)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if ((d->items[i].major == CG_DEV_ANY) != (d->items[i].minor == CG_DEV_ANY) &&
		    d->items[i].major != 136)
			return false;
	return true;
}

int cg_props_devices(struct arena *a, const struct cg_dev_v1 *d, struct cg_props *p, struct err *e)
{
	struct cg_var **items = arena_array(a, d->n + 1, sizeof(*items));

	if (!items)
		return no_memory(e);
	if (!can_be_told(d))
		return 0;
	for (size_t i = 0; i < d->n; i++) {
		items[i] = device_entry(a, &d->items[i]);
		if (d->items[i].major == 136 && d->items[i].minor == CG_DEV_ANY) {
			struct cg_var *pts[] = {cg_var_str(a, "char-pts"), cg_var_str(a, "rwm")};
			items[i] = cg_var_list(a, "(ss)", pts, 2);
		}
	}
	int rc = cg_props_put(a, p, "DevicePolicy", cg_var_str(a, "strict"), e);
	return rc < 0 ? rc
		      : cg_props_put(a, p, "DeviceAllow", cg_var_list(a, "a(ss)", items, d->n), e);
}

/* --- annotations --- */

/* What makes the unit the container's: not for a document to change. */
static const char *const reserved[] = {"PIDs",
				       "PIDFDs",
				       "Slice",
				       "Delegate",
				       "DelegateControllers",
				       "DelegateSubgroup",
				       "Controller",
				       "DefaultDependencies",
				       NULL};

static bool name_valid(const char *s)
{
	if (strlen(s) < 3 || *s < 'A' || *s > 'Z')
		return false;
	for (; *s; s++)
		if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') ||
		      (*s >= '0' && *s <= '9')))
			return false;
	return true;
}

/* "TimeoutStopSec" → true, "TimeoutStopUSec" and "Sec" → false. */
static bool in_seconds(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 3, "Sec") == 0 && name[n - 4] >= 'a' &&
	       name[n - 4] <= 'z';
}

/* On the bus every time is in microseconds, 64 bits of them. */
static bool to_microseconds(struct cg_var *v)
{
	if (strcmp(v->sig, "d") == 0) {
		if (!(v->d >= 0 && v->d < 1e12))
			return false;
		v->u = (uint64_t)(v->d * SECOND);
	} else if (strlen(v->sig) == 1 && strchr("ynqiuxt", *v->sig)) {
		if (strchr("nix", *v->sig) && (int64_t)v->u < 0)
			return false;
		if (v->u != UINT64_MAX && v->u > UINT64_MAX / SECOND)
			return false;
		v->u = v->u == UINT64_MAX ? v->u : v->u * SECOND;
	} else {
		return false;
	}
	v->sig = "t";
	return true;
}

static int bad_annotation(const struct spec_pair *pair, const char *why, struct err *e)
{
	char pointer[300];

	snprintf(pointer, sizeof(pointer), "/annotations/%s", pair->key);
	return err_set(e, ERR_SPEC, EINVAL, pointer, "%s", why);
}

static int put_annotation(struct arena *a, const struct spec_pair *pair, struct cg_props *p,
			  struct err *e)
{
	const char *name = pair->key + strlen(ANNOTATION), *why = NULL;
	struct cg_var *v;

	if (!name_valid(name))
		return bad_annotation(pair, "a property's name is letters, the first a capital", e);
	for (size_t i = 0; reserved[i]; i++)
		if (strcmp(reserved[i], name) == 0)
			return bad_annotation(pair, "is the runtime's own to set", e);
	int rc = cg_unit_value(a, pair->value, &v, &why);
	if (rc == -ENOMEM)
		return no_memory(e);
	if (rc < 0)
		return bad_annotation(pair, why, e);
	if (in_seconds(name)) {
		if (!to_microseconds(v))
			return bad_annotation(pair, "must be a number of seconds, not negative", e);
		name = arena_printf(a, "%.*sUSec", (int)strlen(name) - 3, name);
	}
	return name ? cg_props_put(a, p, name, v, e) : no_memory(e);
}

int cg_props_annotations(struct arena *a, const struct spec_pairs *annotations, struct cg_props *p,
			 struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < annotations->n; i++)
		if (str_starts(annotations->items[i].key, ANNOTATION))
			rc = put_annotation(a, &annotations->items[i], p, e);
	return rc;
}
