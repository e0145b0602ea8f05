/* runtime/microvm_update.c: new limits: inside, where the container is, and on the host's group,
 * which has the machine's room around them.
 *
 * Invariants
 *  1. Every limit is held where create had it held: the guest's group has what is about the
 *     container's own use, the host's also what is about the host's devices, pages and processors.
 *  2. Both or neither: the host's group first, and back to what it was when the guest refuses.
 *  3. What the machine doesn't have is refused before anything: its memory and processors are what
 *     it was made with.
 */
#include "runtime/microvm.h"

#include "spec/resources_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MIB (1ull << 20)
#define DEFAULT_PERIOD 100000u /* microseconds: the kernel's own */

/* --- (3) --- */

static int too_much_memory(const struct rt_container *c, const char *pointer, uint64_t bytes,
			   struct err *e)
{
	return err_set(
		e, ERR_UNSUPPORTED, ERANGE, pointer,
		"%llu bytes (%llu MiB) are more than the %llu MiB that this machine was made "
		"with: a micro-VM doesn't grow; create the container anew with the larger "
		"limit, or with a vm.hwConfig.memory above all that it will ever get",
		(unsigned long long)bytes, (unsigned long long)(bytes / MIB),
		(unsigned long long)(c->doc.machine_memory / MIB));
}

static int too_many_cpus(const struct rt_container *c, const char *pointer, int64_t quota,
			 uint64_t period, struct err *e)
{
	uint64_t hundredths = (uint64_t)((double)quota * 100 / (double)period);

	return err_set(
		e, ERR_UNSUPPORTED, ERANGE, pointer,
		"a quota of %lld in %llu microseconds (%llu.%02llu processors) is more than "
		"the %llu that this machine was made with; create the container anew with the "
		"larger quota, or with vm.hwConfig.vcpus",
		(long long)quota, (unsigned long long)period,
		(unsigned long long)(hundredths / 100), (unsigned long long)(hundredths % 100),
		(unsigned long long)c->doc.machine_vcpus);
}

static bool exceeds(const struct rt_container *c, int64_t quota, uint64_t period)
{
	return quota > 0 && period && (uint64_t)quota / period >= c->doc.machine_vcpus &&
	       (uint64_t)quota > c->doc.machine_vcpus * period;
}

/* Half of the two may be what stands there. */
static int check_cpu(struct rt_container *c, const struct spec_cpu *cpu, struct err *e)
{
	bool has_quota = cpu->quota.set && cpu->quota.v != 0;
	bool has_period = cpu->period.set && cpu->period.v != 0;
	int64_t quota = -1;
	uint64_t period = DEFAULT_PERIOD;

	if (!has_quota && !has_period)
		return 0;
	(void)cg_cpu_max(c->group, &quota, &period);
	if (has_quota)
		quota = cpu->quota.v;
	if (has_period)
		period = cpu->period.v;
	if (!exceeds(c, quota, period))
		return 0;
	return too_many_cpus(c, has_quota ? "/cpu/quota" : "/cpu/period", quota, period, e);
}

/* The same two under their names of cgroup v2. Another text is the guest's kernel's to judge. */
static int check_unified(struct rt_container *c, const struct spec_pair *p, struct err *e)
{
	char quota[32];
	uint64_t bytes, period = DEFAULT_PERIOD;
	int64_t us;
	size_t n = strcspn(p->value, " ");

	if (str_eq(p->key, "memory.max") && str_to_u64(p->value, &bytes) &&
	    bytes > c->doc.machine_memory)
		return too_much_memory(c, "/unified/memory.max", bytes, e);
	if (!str_eq(p->key, "cpu.max") || n >= sizeof(quota))
		return 0;
	snprintf(quota, sizeof(quota), "%.*s", (int)n, p->value);
	if (!str_to_i64(quota, &us) || (p->value[n] && !str_to_u64(p->value + n + 1, &period)) ||
	    !exceeds(c, us, period))
		return 0;
	return too_many_cpus(c, "/unified/cpu.max", us, period, e);
}

static int check(struct rt_container *c, const struct spec_resources *r, struct err *e)
{
	int rc = 0;

	if (r->rdma.n)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/rdma",
			       "a micro-VM can't do it: it has no such device");
	if (c->doc.machine_memory && r->memory.limit.set && r->memory.limit.v > 0 &&
	    (uint64_t)r->memory.limit.v > c->doc.machine_memory)
		return too_much_memory(c, "/memory/limit", (uint64_t)r->memory.limit.v, e);
	if (c->doc.machine_vcpus)
		rc = check_cpu(c, &r->cpu, e);
	for (size_t i = 0; rc >= 0 && c->doc.machine_memory && i < r->unified.n; i++)
		rc = check_unified(c, &r->unified.items[i], e);
	return rc;
}

/* --- (1) --- */

/* As be_vm_bundle leaves them out of the guest's config.json. */
static struct spec_resources for_guest(const struct spec_resources *r)
{
	struct spec_resources g = *r;

	g.blockio = (struct spec_blockio){0};
	g.hugepages.n = g.net_priorities.n = 0;
	g.net_class_id.set = false;
	g.cpu.cpus = g.cpu.mems = NULL;
	g.cpu.realtime_period.set = g.cpu.realtime_runtime.set = false;
	return g;
}

static struct spec_resources for_host(const struct rt_container *c, const struct spec_resources *r)
{
	struct spec_resources h = *r;

	/* Memory and swap in one number says nothing of the host without the limit in it; the guest
	 * refuses it alone. */
	if (!h.memory.limit.set || h.memory.limit.v == 0)
		h.memory.swap.set = h.memory.swap.set && h.memory.swap.v < 0;
	/* Made before its size was written down: what its group has of memory stays. */
	if (!c->doc.machine_memory)
		h.memory.limit.set = h.memory.swap.set = false;
	be_vm_host_resources(&h, c->doc.machine_memory);
	return h;
}

static int update_guest(struct rt_container *c, const struct spec_resources *limits, struct err *e)
{
	auto_vm_request r;
	auto_strbuf text = {0};
	const struct spec_resources inside = for_guest(limits);

	be_vm_request(&r, c, "update");
	spec_resources_out(&inside, &text);
	if (text.failed)
		return err_sys(e, ENOMEM, c->id, "describing the limits");
	r.event = RT_EV_UPDATE;
	json_put_str(&r.o, "resources", text.s);
	return be_vm_ask(c, &r, NULL, e);
}

int be_vm_update(struct rt_container *c, const struct spec_resources *r,
		 const struct spec_intel_rdt *rdt, struct err *e)
{
	struct cg_before *before = NULL;

	if (rdt)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/intelRdt",
			       "a micro-VM has no class of service");
	int rc = rt_load_group(c, e);
	if (rc >= 0)
		rc = check(c, r, e);
	if (rc < 0)
		return rc;
	/* What stands for a joined container on the host has no limits there. */
	if (c->ops == &be_joined)
		return update_guest(c, r, e);
	const struct spec_resources outside = for_host(c, r);
	rc = cg_update_keep(c->group, &outside, c->arena, &before, e);
	if (rc < 0)
		return rc;
	rc = update_guest(c, r, e);
	if (rc < 0)
		cg_update_undo(c->group, before);
	return rc;
}
