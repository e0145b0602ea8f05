/* cgroups/values_lists.c: the lists among linux.resources: per device, per page size, per
 * interface, and the raw files of `unified`. Invariants as in values.c; besides
 *  5. Whatever becomes part of a file's name is checked: page sizes have a fixed shape, keys of
 *     `unified` no slash.
 */
#include "cgroups/values.h"

#include <errno.h>
#include <string.h>

static bool device_numbers_ok(struct cg_build *b, const char *pointer, int64_t major, int64_t minor)
{
	if (major >= 0 && major <= UINT32_MAX && minor >= 0 && minor <= UINT32_MAX)
		return true;
	err_set(b->e, ERR_SPEC, EINVAL, pointer, "device numbers must be between 0 and 4294967295");
	return false;
}

static int add_device_weight(struct cg_build *b, const struct cg_hierarchy *h, size_t i)
{
	const struct spec_weight_device *d = &b->r.blockio.weight_device.items[i];
	const char *pointer = arena_printf(b->a, "%s/blockIO/weightDevice/%zu", b->ask->prefix, i);
	unsigned long long w = d->weight.v;

	if (!pointer)
		return cg_values_no_memory(b);
	if (!device_numbers_ok(b, pointer, d->major, d->minor))
		return -EINVAL;
	const char *text =
		arena_printf(b->a, "%lld:%lld %llu", (long long)d->major, (long long)d->minor, w);
	if (d->weight.set && w) {
		struct cg_value v = {.pointer = pointer,
				     .hier = cg_values_index(b, h),
				     .file = h->v2 ? "io.bfq.weight" : "blkio.weight_device",
				     .alt_file = h->v2 ? "io.weight" : "blkio.bfq.weight_device",
				     .data = text,
				     .alt_data = text};
		if (h->v2)
			v.alt_data = arena_printf(b->a, "%lld:%lld %llu", (long long)d->major,
						  (long long)d->minor,
						  (unsigned long long)cg_blkio_to_io_weight(w));
		int rc = cg_values_add(b, &v);
		if (rc < 0)
			return rc;
	}
	if (!d->leaf_weight.set || !d->leaf_weight.v)
		return 0;
	if (h->v2)
		return cg_values_no_v2(b, arena_printf(b->a, "%s/leafWeight", pointer));
	return cg_values_add(
		b, &(struct cg_value){.pointer = arena_printf(b->a, "%s/leafWeight", pointer),
				      .hier = cg_values_index(b, h),
				      .file = "blkio.leaf_weight_device",
				      .data = arena_printf(b->a, "%lld:%lld %llu",
							   (long long)d->major, (long long)d->minor,
							   (unsigned long long)d->leaf_weight.v)});
}

static int add_device_weights(struct cg_build *b)
{
	const struct cg_hierarchy *h = cg_values_serving(b, "blkio", "io");

	for (size_t i = 0; i < b->r.blockio.weight_device.n; i++) {
		int rc = h ? add_device_weight(b, h, i)
			   : cg_values_no_controller(
				     b, cg_values_pointer(b, "/blockIO/weightDevice"), "blkio");
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
	{"throttleReadBpsDevice", CG_AT(blockio.read_bps), "blkio.throttle.read_bps_device",
	 "rbps"},
	{"throttleWriteBpsDevice", CG_AT(blockio.write_bps), "blkio.throttle.write_bps_device",
	 "wbps"},
	{"throttleReadIOPSDevice", CG_AT(blockio.read_iops), "blkio.throttle.read_iops_device",
	 "riops"},
	{"throttleWriteIOPSDevice", CG_AT(blockio.write_iops), "blkio.throttle.write_iops_device",
	 "wiops"},
};

/* Rate 0 takes a limit away on v1; v2 says "max" for that. */
static const char *throttle_text(struct cg_build *b, const struct throttle_row *t,
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

static int add_throttle(struct cg_build *b, const struct throttle_row *t)
{
	const struct cg_hierarchy *h = cg_values_serving(b, "blkio", "io");
	struct spec_throttles list;

	memcpy(&list, (const char *)&b->r + t->offset, sizeof(list));
	for (size_t i = 0; i < list.n; i++) {
		const struct spec_throttle *d = &list.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/blockIO/%s/%zu", b->ask->prefix, t->name, i);
		if (!pointer)
			return cg_values_no_memory(b);
		if (!h)
			return cg_values_no_controller(b, pointer, "blkio");
		if (!device_numbers_ok(b, pointer, d->major, d->minor))
			return -EINVAL;
		int rc =
			cg_values_add(b, &(struct cg_value){.pointer = pointer,
							    .hier = cg_values_index(b, h),
							    .file = h->v2 ? "io.max" : t->v1_file,
							    .data = throttle_text(b, t, d, h->v2)});
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_throttles(struct cg_build *b)
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
static int add_hugepages(struct cg_build *b)
{
	const struct cg_hierarchy *h = cg_values_serving(b, "hugetlb", "hugetlb");

	for (size_t i = 0; i < b->r.hugepages.n; i++) {
		const struct spec_hugepage *p = &b->r.hugepages.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/hugepageLimits/%zu", b->ask->prefix, i);
		if (!pointer)
			return cg_values_no_memory(b);
		if (!p->page_size || !page_size_ok(p->page_size))
			return err_set(b->e, ERR_SPEC, EINVAL, pointer,
				       "pageSize must be a size like \"2MB\", is \"%s\"",
				       p->page_size ? p->page_size : "");
		if (!h)
			return cg_values_no_controller(b, pointer, "hugetlb");
		const char *tail = h->v2 ? "max" : "limit_in_bytes";
		struct cg_value v = {
			.pointer = pointer,
			.hier = cg_values_index(b, h),
			.file = arena_printf(b->a, "hugetlb.%s.%s", p->page_size, tail),
			.data = arena_printf(b->a, "%llu", (unsigned long long)p->limit)};
		int rc = cg_values_add(b, &v);
		if (rc < 0)
			return rc;
		v.file = arena_printf(b->a, "hugetlb.%s.rsvd.%s", p->page_size, tail);
		v.neutral = true; /* kernels without it keep the usage limit */
		rc = cg_values_add(b, &v);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_net_priorities(struct cg_build *b)
{
	const struct cg_hierarchy *h = cg_values_serving(b, "net_prio", NULL);

	for (size_t i = 0; i < b->r.net_priorities.n; i++) {
		const struct spec_net_priority *p = &b->r.net_priorities.items[i];
		const char *pointer =
			arena_printf(b->a, "%s/network/priorities/%zu", b->ask->prefix, i);
		if (!h)
			return cg_values_no_controller(b, pointer, "net_prio");
		int rc = cg_values_add(
			b, &(struct cg_value){
				   .pointer = pointer,
				   .hier = cg_values_index(b, h),
				   .file = "net_prio.ifpriomap",
				   .data = arena_printf(b->a, "%s %u", p->name, p->priority)});
		if (rc < 0)
			return rc;
	}
	return 0;
}

static const char *rdma_text(struct cg_build *b, const struct spec_rdma *d)
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
static const char *key_pointer(struct cg_build *b, const char *list, const char *key)
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

static int add_rdma(struct cg_build *b)
{
	const struct cg_hierarchy *h = cg_values_serving(b, "rdma", "rdma");

	for (size_t i = 0; i < b->r.rdma.n; i++) {
		const char *pointer = key_pointer(b, "rdma", b->r.rdma.items[i].device);
		if (!h)
			return cg_values_no_controller(b, pointer, "rdma");
		int rc = cg_values_add(
			b, &(struct cg_value){.pointer = pointer,
					      .hier = cg_values_index(b, h),
					      .file = "rdma.max",
					      .data = rdma_text(b, &b->r.rdma.items[i])});
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Files whose values aren't limits: they move or kill processes, or change what the group is. */
static bool is_handle(const char *key)
{
	static const char *const handles[] = {"cgroup.procs", "cgroup.threads", "cgroup.kill",
					      "cgroup.type", "cgroup.subtree_control"};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		if (strcmp(handles[i], key) == 0)
			return true;
	return false;
}

static int add_unified_one(struct cg_build *b, const char *key, const char *value)
{
	const char *pointer = key_pointer(b, "unified", key);
	int v2 = cg_v2_index(b->l);
	char ctl[64];
	size_t len = strcspn(key, ".");

	if (!pointer)
		return cg_values_no_memory(b);
	if (strchr(key, '/') || len == 0 || !key[len] || !key[len + 1] || len >= sizeof(ctl))
		return err_set(b->e, ERR_SPEC, EINVAL, pointer,
			       "must be the name of a cgroup v2 file, \"controller.name\"");
	if (is_handle(key))
		return err_set(b->e, ERR_SPEC, EINVAL, pointer, "is not a limit");
	if (v2 < 0)
		return cg_values_unsupported(b, pointer, "this host has no cgroup v2 hierarchy%s",
					     "");
	memcpy(ctl, key, len);
	ctl[len] = '\0';
	if (strcmp(ctl, "cgroup") != 0 && !cg_list_has(b->l->items[v2].controllers, ctl))
		return cg_values_unsupported(
			b, pointer, "the cgroup v2 hierarchy has no controller \"%s\" on this host",
			ctl);
	return cg_values_add(
		b, &(struct cg_value){
			   .pointer = pointer, .hier = (size_t)v2, .file = key, .data = value});
}

static int add_unified(struct cg_build *b)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->r.unified.n; i++)
		rc = add_unified_one(b, b->r.unified.items[i].key, b->r.unified.items[i].value);
	return rc;
}

int cg_values_lists(struct cg_build *b)
{
	static int (*const parts[])(struct cg_build *) = {add_device_weights, add_throttles,
							  add_hugepages,      add_net_priorities,
							  add_rdma,           add_unified};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = parts[i](b);
	return rc;
}
