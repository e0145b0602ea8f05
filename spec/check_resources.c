/* spec/check_resources.c: rules of linux.resources and of seccomp.
 *
 * Values that only a cgroup version or a kernel can't take are for the room
 * that writes them.
 */
#include "spec/check.h"

#include <stdio.h>
#include <string.h>

static int check_device_rules(const struct spec_check *c, const struct spec_resources *r)
{
	for (size_t i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *d = &r->devices.items[i];
		char at[SPEC_POINTER], quoted[80];

		snprintf(at, sizeof(at), "/devices/%zu/%s", i, "type");
		if (d->type && !str_eq(d->type, "a") && !str_eq(d->type, "b") &&
		    !str_eq(d->type, "c"))
			return spec_fail(c, at, "must be one of a, b, c; is %s",
					 json_quote(d->type, quoted, sizeof(quoted)));
		snprintf(at, sizeof(at), "/devices/%zu/%s", i, "major");
		if (d->major.set && (d->major.v < 0 || d->major.v > UINT32_MAX))
			return spec_fail(c, at, "must be from 0 to 4294967295, or -1 for all");
		snprintf(at, sizeof(at), "/devices/%zu/%s", i, "minor");
		if (d->minor.set && (d->minor.v < 0 || d->minor.v > UINT32_MAX))
			return spec_fail(c, at, "must be from 0 to 4294967295, or -1 for all");
	}
	return 0;
}

static int check_memory(const struct spec_check *c, const struct spec_resources *r)
{
	const struct spec_memory *m = &r->memory;
	const struct {
		const char *pointer;
		const struct opt_i64 *v;
	} limits[] = {
		{"/memory/limit", &m->limit},
		{"/memory/reservation", &m->reservation},
		{"/memory/swap", &m->swap},
		{"/memory/kernel", &m->kernel},
		{"/memory/kernelTCP", &m->kernel_tcp},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].v->v < -1)
			return spec_fail(c, limits[i].pointer,
					 "must be a number of bytes, or -1 for no limit, is %lld",
					 (long long)limits[i].v->v);
	if (m->swap.v > 0 && m->limit.v > 0 && m->swap.v < m->limit.v)
		return spec_fail(c, "/memory/swap",
				 "is memory plus swap: must be at least the limit %lld, is %lld",
				 (long long)m->limit.v, (long long)m->swap.v);
	return 0;
}

static int check_cpu(const struct spec_check *c, const struct spec_resources *r)
{
	if (r->cpu.quota.v > 0 && r->cpu.burst.v > (uint64_t)r->cpu.quota.v)
		return spec_fail(c, "/cpu/burst", "must not exceed the quota %lld, is %llu",
				 (long long)r->cpu.quota.v, (unsigned long long)r->cpu.burst.v);
	return 0;
}

static int check_blockio(const struct spec_check *c, const struct spec_resources *r)
{
	for (size_t i = 0; i < r->blockio.weight_device.n; i++) {
		const struct spec_weight_device *w = &r->blockio.weight_device.items[i];
		char at[SPEC_POINTER];

		snprintf(at, sizeof(at), "/blockIO/weightDevice/%zu", i);
		if (!w->weight.set && !w->leaf_weight.set)
			return spec_fail(c, at, "needs weight, leafWeight or both");
	}
	return 0;
}

static bool plain_name(const char *s)
{
	return *s && !s[strcspn(s, "/ \t\n")] && s[0] != '.';
}

static int check_maps(const struct spec_check *c, const struct spec_resources *r)
{
	for (size_t i = 0; i < r->rdma.n; i++) {
		const struct spec_rdma *d = &r->rdma.items[i];
		char at[SPEC_POINTER] = "/rdma";

		json_pointer_key(at, sizeof(at), d->device);
		if (!plain_name(d->device))
			return spec_fail(c, at, "is no name of an RDMA device");
		if (!d->hca_handles.set && !d->hca_objects.set)
			return spec_fail(c, at, "needs hcaHandles, hcaObjects or both");
	}
	for (size_t i = 0; i < r->unified.n; i++) {
		char at[SPEC_POINTER] = "/unified";

		json_pointer_key(at, sizeof(at), r->unified.items[i].key);
		if (!plain_name(r->unified.items[i].key))
			return spec_fail(c, at, "must be the name of a file in the cgroup");
	}
	return 0;
}

int spec_check_resources(const struct spec_resources *r, const char *pointer, struct err *e)
{
	static int (*const rules[])(const struct spec_check *, const struct spec_resources *) = {
		check_device_rules, check_memory, check_cpu, check_blockio, check_maps,
	};
	const struct spec_check c = {.source = r->source, .base = pointer, .e = e};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = rules[i](&c, r);
	return rc;
}

/* --- seccomp --- */

static bool takes_errno(const char *action)
{
	return str_eq(action, "SCMP_ACT_ERRNO") || str_eq(action, "SCMP_ACT_TRACE");
}

static int check_errno(const struct spec_check *c, const char *pointer, const char *action,
		       const struct opt_u64 *ret)
{
	if (!ret->set)
		return 0;
	if (!takes_errno(action))
		return spec_fail(c, pointer, "has no meaning for %s", action);
	if (ret->v > (str_eq(action, "SCMP_ACT_ERRNO") ? 4095u : UINT16_MAX))
		return spec_fail(c, pointer, "%llu is out of range for %s",
				 (unsigned long long)ret->v, action);
	return 0;
}

static int check_syscall(const struct spec_check *c, const struct spec_syscall *s, size_t i)
{
	char at[SPEC_POINTER];

	snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/%s", i, "names");
	if (s->names.n == 0)
		return spec_fail(c, at, "must have at least one element");
	snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/%s", i, "errnoRet");
	return check_errno(c, at, s->action, &s->errno_ret);
}

int spec_check_seccomp(const struct spec_check *c, const struct spec_seccomp *s)
{
	int rc;

	if (!s->set || s->bpf_data)
		return 0;
	rc = check_errno(c, "/linux/seccomp/defaultErrnoRet", s->default_action,
			 &s->default_errno_ret);
	for (size_t i = 0; rc == 0 && i < s->syscalls.n; i++)
		rc = check_syscall(c, &s->syscalls.items[i], i);
	if (rc < 0)
		return rc;
	if (str_eq(s->default_action, "SCMP_ACT_NOTIFY"))
		return spec_fail(c, "/linux/seccomp/defaultAction",
				 "SCMP_ACT_NOTIFY can't be the default: the listener's own set-up "
				 "would wait for itself");
	if (s->listener_metadata && *s->listener_metadata &&
	    !(s->listener_path && *s->listener_path))
		return spec_fail(c, "/linux/seccomp/listenerMetadata", "needs a listenerPath");
	if (s->listener_path && *s->listener_path)
		return spec_check_abs(c, "/linux/seccomp/listenerPath", s->listener_path);
	return 0;
}
